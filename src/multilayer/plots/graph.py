"""Computation graphs in Axes: the boxes, lines and texts of the SVG, drawn with matplotlib."""

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from multilayer.graph import Graph
from multilayer.graph import graph as graph_of
from multilayer.model import network_in
from multilayer.plots.models import opened
from multilayer.plots.style import one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    Element = ElementTree.Element[str]

__all__ = ["computation_graph"]

SVG = "{http://www.w3.org/2000/svg}"
POINTS = 0.85
"""Size of an SVG unit in a new figure, in points; in given Axes all but line widths is scaled."""


def computation_graph(net_or_graph: Any, *, module: Any = None, ax: "Axes | None" = None) -> "Axes":
    """Draw a computation graph: operations, parameters, and what flows between them.

    Values flow from top to bottom, gradients back up; kinds of nodes differ in shape, line and
    lightness. The picture is that of ``Graph.to_svg``, drawn with matplotlib alone.

    Parameters
    ----------
    net_or_graph : MLP, torch.Tensor, Graph, Model or estimator
        A graph, or an object to get the graph from, as in `multilayer.graph.graph`.
    module : torch.nn.Module, optional
        The module whose parameter names label the tensor's leaves.
    ax : matplotlib Axes, optional
        Where to draw, scaled to fit; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidTypeError
        If matplotlib or networkx is not installed, or there is no graph.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> ax = computation_graph(MLP(Architecture(4, (8,), 3)))
    >>> sorted(patch.get_gid() for patch in ax.patches if patch.get_gid())[:3]
    ['1.W', '1.affine', '1.b']
    """
    found = _graph(net_or_graph, module)
    svg = ElementTree.fromstring(found.to_svg())
    width, height = _numbers(svg, "width", "height")
    ax = one_axes(ax, "computation_graph", (width * POINTS / 72, height * POINTS / 72))
    size = float(svg.get("font-size", ""))
    names = iter([node.id for node in found.nodes])
    for group in svg.iterfind(f"{SVG}g"):
        for element in group:
            if element.tag == f"{SVG}rect":
                patch = _box(element)
                if group.get("class") != "legend":
                    patch.set_gid(next(names))
            elif element.tag == f"{SVG}path":
                patch = _path(element)
            elif (element.text or "").strip():
                patch = _text(element, size)
            else:
                continue
            ax.add_artist(patch)
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.set_axis_off()
    return ax


def _graph(given: Any, module: Any) -> Graph:
    if isinstance(given, Graph):
        return given
    given = opened(given)
    net = network_in(given)
    return graph_of(given if net is None else net, module=module)


def _numbers(element: "Element", *names: str) -> list[float]:
    return [float(element.get(name, 0)) for name in names]


def _look(element: "Element") -> dict[str, Any]:
    """Return the fill and stroke of an element as settings of a patch."""
    (width,) = _numbers(element, "stroke-width")
    dashes = [float(length) / width for length in element.get("stroke-dasharray", "").split()]
    return {
        "facecolor": element.get("fill", "#000000"),
        "edgecolor": element.get("stroke", "none"),
        "linewidth": width * POINTS,
        "linestyle": (0, dashes) if dashes else "-",
    }


def _box(element: "Element") -> "Patch":
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height, radius = _numbers(element, "x", "y", "width", "height", "rx")
    style = f"round,pad=0,rounding_size={radius}"
    return FancyBboxPatch((left, top), width, height, boxstyle=style, **_look(element))


def _path(element: "Element") -> "Patch":
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    code_of = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4, "Z": Path.CLOSEPOLY}
    vertices: list[tuple[float, float]] = []
    codes: list[Any] = []
    for letter, numbers in re.findall(r"([A-Z])([^A-Z]*)", element.get("d", "")):
        values = [float(number) for number in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True)) or [(0.0, 0.0)]
        vertices += points
        codes += [code_of[letter]] * len(points)
    return PathPatch(Path(vertices, codes), **_look(element))


def _text(element: "Element", size: float) -> "Patch":
    """Return the outlines of a text, which scale with the Axes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    outline = TextPath((0, 0), element.text or "", size, prop=FontProperties(family="monospace"))
    left, right = outline.vertices[:, 0].min(), outline.vertices[:, 0].max()
    start = (left + right) / 2 if element.get("text-anchor") == "middle" else left
    upright = Affine2D().translate(-start, 0).scale(1, -1).translate(*_numbers(element, "x", "y"))
    return PathPatch(outline.transformed(upright), **_look(element))
