"""The mathematics: a page for each kind of part, written from registries and docstrings.

Every registered part gets a section automatically: its formulas are the attributes that the tests
check, and its derivation is its docstring.
"""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

import math_pictures
from api_pages import heading, homes, public_names, write
from docutils import nodes
from names import typeset
from sphinx import addnodes
from sphinx.application import Sphinx

from multilayer import numpy as engine
from multilayer.numpy.decoder import Decoder, Denoise


class Kind(NamedTuple):
    """The subject of a page."""

    title: str
    module: str
    """The module of the parts; its docstring begins the page."""
    parts: dict[str, Any]
    """The parts on the page, by the names that select them."""


def kinds() -> dict[str, Kind]:
    """Return the pages, by their file names."""
    layers = {
        name: thing
        for name in engine.__all__
        if inspect.isclass(thing := getattr(engine, name)) and issubclass(thing, engine.Layer)
    }
    base = {"every loss": engine.Loss}
    return {
        "activations": Kind(
            "Activations and outputs",
            "multilayer.numpy.activations",
            {**engine.ACTIVATIONS, **engine.OUTPUTS},
        ),
        "losses": Kind("Losses", "multilayer.numpy.losses", base | dict(engine.LOSSES)),
        "layers": Kind("Layers", "multilayer.numpy.layers", layers),
        "initializers": Kind(
            "Initializers", "multilayer.numpy.initializers", dict(engine.INITIALIZERS)
        ),
        "optimizers": Kind(
            "Optimizers",
            "multilayer.numpy.optimizers",
            dict(engine.OPTIMIZERS)
            | {
                part.__name__: part
                for part in (
                    engine.clip_by_norm,
                    engine.clip_by_value,
                    engine.limit_norms,
                    engine.RunningAverage,
                )
            },
        ),
        "adversaries": Kind(
            "Adversaries",
            "multilayer.numpy.adversaries",
            {cls.__name__: cls for cls in (engine.Adversarial, engine.VirtualAdversarial)},
        ),
        "ladder": Kind(
            "The ladder",
            "multilayer.numpy.decoder",
            {cls.__name__: cls for cls in (engine.Ladder, Decoder, Denoise)},
        ),
        "schedules": Kind("Schedules", "multilayer.numpy.schedules", dict(engine.SCHEDULES)),
    }


def escape(formula: str) -> str:
    """Return a plain-text formula as reStructuredText that renders the same."""
    for mark in "\\*_`|":
        formula = formula.replace(mark, f"\\{mark}")
    return re.sub(r"\b(\w)\\_(\w)\b", r"\1\\ :sub:`\2`", typeset(formula))


def formulas(name: str, part: Any) -> str:
    """Return a table of a part's formulas; an empty string if it has none."""
    derivative = getattr(part, "derivative_formula", "")
    label = "σ'(z)"
    if derivative.startswith("dz = "):  # the product with the Jacobian, which is not diagonal
        label, _, derivative = derivative.partition(" = ")
    kinks = ", ".join(f"z = {kink:g}" for kink in getattr(part, "kinks", ()))
    rows = {
        "σ(z)" if derivative else "ℓ": getattr(part, "formula", ""),
        label: derivative,
        "values": getattr(part, "range", ""),
        "kinks": kinks.replace("-", "−"),
        "belongs to": ", ".join(getattr(part, "outputs", ())),
        "takes": {True: "logits", False: "outputs"}.get(getattr(part, "takes_logits", None), ""),
    }
    cells = "".join(
        f"   * - {escape(row)}\n     - {escape(text)}\n" for row, text in rows.items() if text
    )
    return f".. list-table::\n   :class: formulas\n   :widths: 15 85\n\n{cells}\n" if cells else ""


def section(name: str, part: Any, picture: str, home: dict[int, str]) -> str:
    """Return the section of a part: its formulas, its picture and its derivation."""
    described = part if inspect.isclass(part) or inspect.isroutine(part) else type(part)
    directive = "autoclass" if inspect.isclass(described) else "autofunction"
    # An activation is public only by its name in the registry; its class is documented here alone.
    private = f"{described.__module__}.{described.__qualname__}"
    path = home.get(id(described), private)
    option = "" if path == private else "   :no-index:\n"
    text = "over a training run" if picture.startswith("schedules") else "and its derivative"
    image = f".. image:: {picture}\n   :alt: {name} {text}\n\n" if picture else ""
    title = f"{name}\n{'-' * len(name)}\n"
    label = f".. _math-{name.replace('_', '-').replace(' ', '-').lower()}:\n"
    return f"{label}\n{title}\n{formulas(name, part)}{image}.. {directive}:: {path}\n{option}"


def generate(app: Sphinx) -> None:
    """Write all pages and their pictures into ``math/``, next to its index."""
    folder = Path(app.srcdir) / "math"
    home = homes(public_names())
    pages, drawn = {}, set()
    for file, (title, module, parts) in kinds().items():
        sections = []
        for name, part in parts.items():
            picture = math_pictures.draw(file, name, part, folder)
            drawn.add(picture)
            sections.append(section(name, part, picture, home))
        introduction = inspect.getdoc(importlib.import_module(module)) or ""
        introduction = introduction.replace("CONTRIBUTING.md", ":doc:`/contributing`")
        pages[file] = f"{heading(title)}\n{introduction}\n\n" + "\n".join(sections)
    write(folder, pages)
    for old in folder.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()


def shorten(app: Sphinx, doctree: nodes.document) -> None:
    """Remove the module path of classes that users do not import, and their extra toc entries.

    `multilayer.numpy.` stays.
    """
    if app.env.current_document.docname.startswith("math/"):
        for path in list(doctree.findall(addnodes.desc_addname)):
            if path.astext().count(".") > 2:
                path.parent["_toc_name"] = ""
                path.parent.remove(path)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", generate)
    app.connect("doctree-read", shorten, priority=400)  # before the entries are collected
    return {"parallel_read_safe": True, "parallel_write_safe": True}
