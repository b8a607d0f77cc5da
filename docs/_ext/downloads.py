"""Each chapter as an .ipynb to download, which opens by itself in Jupyter."""

import re
from pathlib import Path

import jupytext
from sphinx.application import Sphinx

FOLDER = "_notebooks"


def notebooks(source: Path) -> list[Path]:
    """Return the tutorial's chapters."""
    return sorted((source / "tutorial").glob("[0-9]*.md"))


def generate(app: Sphinx) -> None:
    """Write the notebooks, without outputs: who opens one runs it."""
    source = Path(app.srcdir)
    (source / FOLDER).mkdir(exist_ok=True)
    for old in (source / FOLDER).glob("*.ipynb"):
        old.unlink()
    for path in notebooks(source):
        notebook = jupytext.read(path, fmt="md:myst")
        jupytext.write(notebook, source / FOLDER / f"{path.stem}.ipynb")


def add_link(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the link to the notebook at a chapter's end."""
    name = docname.rpartition("/")[2]
    if (Path(app.srcdir) / FOLDER / f"{name}.ipynb").exists() and docname.startswith("tutorial/"):
        source[0] += (
            "\n\n---\n\n"
            f"This chapter as a notebook: {{download}}`{name}.ipynb </{FOLDER}/{name}.ipynb>`\n"
        )


def unlink_unwritten(app: Sphinx, docname: str, source: list[str]) -> None:
    """Leave only the words of a link to a chapter that is not written yet."""

    def replace(link: re.Match[str]) -> str:
        return link[0] if (Path(app.srcdir) / "tutorial" / link[2]).exists() else link[1]

    if docname.startswith("tutorial/"):
        source[0] = re.sub(r"\[([^\]]+)\]\((\d\d_\w+\.md)(?:#[^)]*)?\)", replace, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Write before Sphinx reads; link while it does."""
    app.connect("builder-inited", generate)
    app.connect("source-read", add_link)
    app.connect("source-read", unlink_unwritten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
