"""Pages of the repository outside ``docs/``, and links to the repository's files."""

import re
from pathlib import Path

from sphinx.application import Sphinx

PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")


def moved(text: str) -> str:
    """Return a page of the root folder with its links rewritten for ``docs/``."""
    paths = {f"docs/{name}": name for name in PAGES.values()} | PAGES

    def replace(link: re.Match[str]) -> str:
        words, target, anchor = link.groups()
        target = paths.get(target, target)
        inside = target.removeprefix("docs/")
        target = inside if inside != target or target in PAGES.values() else f"../{target}"
        return f"[{words}]({target}{anchor or ''})"

    return _LINK.sub(replace, text)


def generate(app: Sphinx) -> None:
    """Write the root folder's pages into the documentation's folder."""
    source = Path(app.srcdir)
    for page, name in PAGES.items():
        text = moved((source.parent / page).read_text(encoding="utf-8"))
        if not (source / name).exists() or (source / name).read_text(encoding="utf-8") != text:
            (source / name).write_text(text, encoding="utf-8")


def mend_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Redirect links to the root's pages to their copies; reduce links to folders to their words.

    A page can offer files to download, but not folders.
    """
    here = (Path(app.srcdir) / docname).parent

    def replace(link: re.Match[str]) -> str:
        words, target, anchor = link.groups()
        if target.startswith("../") and target[3:] in PAGES:
            return f"[{words}]({PAGES[target[3:]]}{anchor or ''})"
        return words if (here / target).is_dir() else link[0]

    source[0] = _LINK.sub(replace, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx reads, and fix links while it does."""
    app.connect("builder-inited", generate)
    app.connect("source-read", mend_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
