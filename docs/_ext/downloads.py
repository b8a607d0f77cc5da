"""Each chapter as a self-contained .ipynb file to download."""

import re
from pathlib import Path
from typing import Any

import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx

FOLDER = "_notebooks"
NEEDS = {
    "05_two_layers_from_scratch": ("examples/two_layer_regression.py",),
    "07_pytorch": ("examples/custom_layer.py", "examples/mnist_pytorch.py"),
    "10_fast": ("docs/performance.md",),
}
"""The files of this repository that a chapter reads; its notebook contains them."""
_ROLE = re.compile(r"\{py:\w+\}`([^`]+)`")
_TARGET = re.compile(r" <[^>]+>$")  # as in "optimizer <multilayer.numpy.Optimizer>"
_LINK = re.compile(r"\[([^\]]+)\]\((?:([^)#\s:]+)\.md(?:#[^)]*)?|#[^)]*)\)")
_CHAPTER = re.compile(r"\d\d_\w+")


def notebooks(source: Path) -> list[Path]:
    """Return the tutorial's chapters."""
    return sorted((source / "tutorial").glob("[0-9]*.md"))


def generate(app: Sphinx) -> None:
    """Write the notebooks without outputs, since readers run them."""
    source = Path(app.srcdir)
    (source / FOLDER).mkdir(exist_ok=True)
    for old in (source / FOLDER).glob("*.ipynb"):
        old.unlink()
    for path in notebooks(source):
        notebook = jupytext.read(path, fmt="md:myst")
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = plain_markdown(cell.source)
        notebook.cells[:0] = _files(source.parent, NEEDS.get(path.stem, ()))
        jupytext.write(notebook, source / FOLDER / f"{path.stem}.ipynb")


def plain_markdown(text: str) -> str:
    """Return a chapter's text for Jupyter: without roles, and only with links that work there.

    Names of the package become code, and links to other chapters lead to their notebooks. Of links
    to other pages or to sections, only the words remain.
    """

    def name(role: re.Match[str]) -> str:
        words, explicit = _TARGET.subn("", role[1])
        return words if explicit else f"`{words.rpartition('.')[2] if words[0] == '~' else words}`"

    def link(link: re.Match[str]) -> str:
        words, target = link.groups()
        return f"[{words}]({target}.ipynb)" if target and _CHAPTER.fullmatch(target) else words

    return _LINK.sub(link, _ROLE.sub(name, text))


def _files(root: Path, needed: tuple[str, ...]) -> list[Any]:
    """Return cells that write these files next to the notebook, for readers without a clone."""
    if not needed:
        return []
    names = ", ".join(f"`{name}`" for name in needed)
    text = f"*This chapter reads {names} from the repository. The next cells write the files.*"
    return [
        new_markdown_cell(text),
        *(
            new_code_cell(
                f"%%writefile {Path(name).name}\n{(root / name).read_text(encoding='utf-8')}",
                metadata={"jupyter": {"source_hidden": True}},
            )
            for name in needed
        ),
    ]


def add_link(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add the link to the notebook at the end of a chapter."""
    name = docname.rpartition("/")[2]
    if (Path(app.srcdir) / FOLDER / f"{name}.ipynb").exists() and docname.startswith("tutorial/"):
        source[0] += (
            "\n\n---\n\n"
            f"This chapter as a notebook: {{download}}`{name}.ipynb </{FOLDER}/{name}.ipynb>`\n"
        )


def unlink_unwritten(app: Sphinx, docname: str, source: list[str]) -> None:
    """Keep only the words of a link to a chapter that does not exist yet."""

    def replace(link: re.Match[str]) -> str:
        return link[0] if (Path(app.srcdir) / "tutorial" / link[2]).exists() else link[1]

    if docname.startswith("tutorial/"):
        source[0] = re.sub(r"\[([^\]]+)\]\((\d\d_\w+\.md)(?:#[^)]*)?\)", replace, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the notebooks before Sphinx reads the pages, and add the links while it does."""
    app.connect("builder-inited", generate)
    app.connect("source-read", add_link)
    app.connect("source-read", unlink_unwritten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
