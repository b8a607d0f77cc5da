"""The documentation has a place for everything; what it runs is run by `make docs`."""

import re
from pathlib import Path

import pytest

import multilayer
from multilayer import plots

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHAPTERS = sorted((DOCS / "tutorial").glob("[0-9]*.md"))
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_there_are_chapters():
    assert CHAPTERS


def test_every_room_has_a_page_in_the_api():
    index = text_of(DOCS / "api" / "index.md")
    tree = re.search(r"```\{toctree\}(.*?)```", index, flags=re.DOTALL)[1].split()
    assert {f"multilayer.{room}" for room in multilayer._ROOMS} <= set(tree)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_listed_in_the_index(path):
    assert f"]({path.name})" in text_of(DOCS / "tutorial" / "index.md")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_ends_with_exercises_and_solutions_that_run(path):
    _, heading, exercises = text_of(path).partition("\n## Exercises\n")
    assert heading, "no section 'Exercises'"
    _, *solutions = re.split(r"^\*\*Solution", exercises, flags=re.MULTILINE)
    assert len(solutions) >= 2
    for solution in solutions:
        assert any("hide-cell" in cell for cell in CELL.findall(solution)), solution[:80]


@pytest.mark.parametrize(
    "path", [*CHAPTERS, *sorted((DOCS / "guide").glob("*.md"))], ids=lambda path: path.stem
)
def test_the_cells_are_python(path):
    for cell in CELL.findall(text_of(path)):
        code = re.sub(r"\A(?::[\w-]+:[^\n]*\n)+", "", cell)
        if not re.search(r"^[%!]", code, flags=re.MULTILINE):
            compile(code, path.name, "exec")


def test_the_gallery_has_every_picture():
    gallery = text_of(DOCS / "gallery.md")
    drawn = set(re.findall(r"plots\.(\w+)\(", gallery))
    displays = set(re.findall(r"`(\w+Display)`", gallery))
    assert set(plots.__all__) <= drawn | displays


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_a_guide_page_answers_and_every_page_has_a_title(path):
    titles = re.findall(r"^# .+", CELL.sub("", text_of(path)), flags=re.MULTILINE)
    assert titles
    if path.parent.name == "guide" and path.stem != "index":
        assert re.fullmatch(r"# … .+\?", titles[0])
        assert path.stem in text_of(DOCS / "guide" / "index.md").split()
