"""The API's pages, one per public name, written from each module's ``__all__`` before a build."""

import importlib
import inspect
import re
from dataclasses import MISSING, fields, is_dataclass
from itertools import accumulate
from pathlib import Path
from types import UnionType
from typing import Any

from names import plain
from sphinx.application import Sphinx

import multilayer
from multilayer.registry import Registry

_LONG_NUMBER = re.compile(r"\d\.\d{8,}(e-?\d+)?")
ROOMS = (
    "multilayer",
    *(f"multilayer.{room}" for room in sorted(multilayer._ROOMS)),
    "multilayer.errors",
    "multilayer.registry",
    "multilayer.samples",
)


def public_names() -> dict[str, dict[str, Any]]:
    """Return the objects that each public module (a room) exports, by name."""
    rooms = {room: importlib.import_module(room) for room in ROOMS}
    return {
        room: {name: getattr(module, name) for name in module.__all__ if name != "__version__"}
        for room, module in rooms.items()
    }


def homes(names: dict[str, dict[str, Any]]) -> dict[int, str]:
    """Return the path of each object's one page: in its room, if the package exports it too."""
    found: dict[int, str] = {}
    for room in sorted(names, key=lambda room: room == "multilayer"):
        for name, thing in names[room].items():
            found.setdefault(id(thing), f"{room}.{name}")
    return found


def first_line(thing: Any) -> str:
    """Return a sentence that describes an object; for a registry, its entries."""
    if isinstance(thing, Registry):
        return f"The registry of: {', '.join(thing)}."
    if isinstance(thing, UnionType):  # an alias
        return f"{' or '.join(f'`{cls.__name__}`' for cls in thing.__args__)}."
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return plain(" ".join(paragraph.split()))


def page(path: str, thing: Any) -> str:
    """Return the page of one public name."""
    room, _, name = path.rpartition(".")
    if inspect.isclass(thing):
        # Members inherited from other packages are documented there.
        foreign = ", ".join(cls.__name__ for cls in thing.__mro__ if _is_foreign(cls))
        body = (
            f".. autoclass:: {path}\n   :members:\n   :inherited-members: {foreign}\n"
            "   :exclude-members: set_fit_request, set_partial_fit_request, set_predict_request, "
            "set_score_request\n"
        )
    elif inspect.isroutine(thing):
        body = f".. autofunction:: {path}\n"
    elif inspect.ismodule(thing):
        body = f".. automodule:: {path}\n   :members:\n"
    else:
        body = f".. py:data:: {name}\n\n   {first_line(thing)}\n"
    # The title includes the room, since each engine has an MLP.
    title = path.removeprefix("multilayer.")
    return f"{heading(title)}\n.. currentmodule:: {room}\n\n{body}"


def _is_foreign(cls: type) -> bool:
    return not cls.__module__.startswith("multilayer.")


def room_page(room: str, names: dict[str, Any], home: dict[int, str]) -> str:
    """Return the page of a room: its docstring, and a table of its names."""
    module = importlib.import_module(room)
    rows = "".join(
        f"   * - :py:obj:`{name} <{home[id(thing)]}>`\n     - {first_line(thing)}\n"
        for name, thing in names.items()
    )
    own = [name for name, thing in names.items() if home[id(thing)] == f"{room}.{name}"]
    # Second names of objects that have a page under another name, such as `multilayer.load`.
    aliases = "".join(
        f".. py:data:: {name}\n   :no-typesetting:\n\n"
        for name, thing in names.items()
        if home[id(thing)].rpartition(".")[2] != name
    )
    table = f".. list-table::\n   :widths: 30 70\n\n{rows}"
    tree = ".. toctree::\n   :hidden:\n\n" + "".join(f"   {name} <{room}.{name}>\n" for name in own)
    top = f"{heading(room)}\n.. py:module:: {room}\n\n{inspect.getdoc(module)}\n\n"
    return f"{top}{aliases}{table}\n{tree}"


def heading(text: str) -> str:
    """Return a page's title."""
    return f"{text}\n{'=' * len(text)}\n"


def write(folder: Path, pages: dict[str, str], suffix: str = ".rst") -> None:
    """Write the pages that have changed, and remove those that no longer exist."""
    for path in folder.glob(f"*{suffix}"):
        if path.stem not in pages and path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / f"{name}{suffix}"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def generate(app: Sphinx) -> None:
    """Write all pages into ``api/``, next to its index."""
    names = public_names()
    home = homes(names)
    pages = {room: room_page(room, names[room], home) for room in names}
    for room, of_room in names.items():
        for name, thing in of_room.items():
            path = f"{room}.{name}"
            if home[id(thing)] == path:
                pages[path] = page(path, thing)
    write(Path(app.srcdir) / "api", pages)


def sign(
    app: Sphinx,
    what: str,
    name: str,
    thing: Any,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Shorten a signature: show the values of default factories, and round long numbers."""
    if signature is None:  # an attribute
        return None
    if getattr(thing, "_is_protocol", False):  # never called
        return "", returns
    for field in fields(thing) if is_dataclass(thing) else ():
        if field.default_factory is not MISSING:
            made = f"{field.name}={field.default_factory()!r}"
            signature = signature.replace(f"{field.name}=<factory>", made)
    return _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.3g}", signature), returns


def lead_back(app: Sphinx) -> list[Any]:
    """Make each source link back to the page that has its anchor.

    Sphinx links to the page that it read last, under the room in which it first found the name.
    """
    documented = app.env.get_domain("py").objects
    modules: dict[str, Any] = getattr(app.env, "_viewcode_modules", {})
    for module, found in modules.items():
        code, tags, used, _ = found or ("", {}, {}, "")
        for room in accumulate(module.split("."), "{}.{}".format):
            places = {name: documented.get(f"{room}.{name}") for name in used}
            if any(places.values()):
                pages = {name: place.docname for name, place in places.items() if place}
                modules[module] = code, tags, pages, room
                break
    return []  # no pages of its own


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", generate)
    app.connect("autodoc-process-signature", sign)
    app.connect("html-collect-pages", lead_back, priority=400)  # before the sources are written
    return {"parallel_read_safe": True, "parallel_write_safe": True}
