"""The computation graph in Axes: the boxes and lines of its SVG, drawn with matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multilayer.graph import Graph, Node
from multilayer.graph import graph as graph_of
from multilayer.graph.layout import Point, lay_out
from multilayer.graph.style import EDGE_STYLES, NODE_STYLES, NodeStyle
from multilayer.plots.models import own_model
from multilayer.plots.style import one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["computation_graph"]

# Lengths are points, 1/72 inch, of a new figure; in Axes of another size all of it scales.
FONT_SIZE = 11.0
LINE_HEIGHT = 14.0
BOX_HEIGHT = 40.0
PADDING = 11.0
MARGIN = 12.0
SWATCH = (30.0, 14.0)
HEAD = 8.0


def computation_graph(net_or_graph: Any, *, module: Any = None, ax: "Axes | None" = None) -> "Axes":
    """Draw a computation graph: operations, parameters, and what flows between them.

    Values flow from top to bottom, gradients back up; kinds differ in shape, line and lightness.
    Nothing but matplotlib draws it; the places of boxes and lines are those of ``Graph.to_svg``.

    Parameters
    ----------
    net_or_graph : MLP, torch.Tensor, Graph, or what holds a network
        What `multilayer.graph.graph` takes, what it returns, or a Model or estimator.
    module : torch.nn.Module, optional
        Names the parameters among a tensor's leaves.
    ax : matplotlib Axes, optional
        Where to draw, letters and all scaled to it; new ones by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidTypeError
        If matplotlib or networkx is not installed, or there is no such graph.

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
    letter = _letter_width()
    widths = {node.id: max(map(len, node.text)) * letter + 2 * PADDING for node in found.nodes}
    links = [(*edge.in_data_order, edge.kind) for edge in found.edges]
    layout = lay_out(widths, links, height=BOX_HEIGHT)
    signs = _signs(found, letter)
    legend_width = signs[-1][0] if signs else 0.0
    width = max(layout.width, legend_width)
    height = layout.height + MARGIN + SWATCH[1]
    size = ((width + 2 * MARGIN) / 72, (height + 2 * MARGIN) / 72)
    ax = one_axes(ax, "computation_graph", size)
    shift = (width - layout.width) / 2
    for edge, route in zip(found.edges, layout.routes, strict=True):
        _draw_edge(ax, edge.kind, [(x + shift, y) for x, y in route])
    for node in found.nodes:
        x, y = layout.centres[node.id]
        _draw_node(ax, node, x + shift, y, widths[node.id])
    _draw_legend(ax, signs, layout.height + MARGIN + SWATCH[1] / 2)
    ax.set(xlim=(-MARGIN, width + MARGIN), ylim=(height + MARGIN, -MARGIN), aspect="equal")
    ax.set_axis_off()
    return ax


def _graph(given: Any, module: Any) -> Graph:
    if isinstance(given, Graph):
        return given
    model = own_model(given)
    return graph_of(given if model is None else model.net, module=module)


def _letter_width() -> float:
    """Return the width of each letter of the font, which has one width for all."""
    return float(np.ptp(_text_path("M" * 10, 0, 0).vertices[:, 0]) / 9.9)


def _text_path(text: str, x: float, y: float) -> Any:
    """Return a text's outlines with its middle at (x, y), y downwards: they scale with the Axes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), text, size=FONT_SIZE, prop=FontProperties(family="monospace"))
    left, right = path.vertices[:, 0].min(), path.vertices[:, 0].max()
    return path.transformed(
        Affine2D().translate(-(left + right) / 2, -0.36 * FONT_SIZE).scale(1, -1).translate(x, y)
    )


def _draw_text(ax: "Axes", text: str, x: float, y: float, colour: str) -> None:
    from matplotlib.patches import PathPatch

    # As an artist, which does not measure each letter for the limits of the Axes.
    ax.add_artist(PathPatch(_text_path(text, x, y), facecolor=colour, linewidth=0, zorder=4))


def _draw_node(ax: "Axes", node: Node, x: float, y: float, width: float) -> None:
    style = NODE_STYLES[node.kind]
    _draw_box(ax, style, x, y, (width, BOX_HEIGHT), node.id)
    for i, line in enumerate(node.text):
        offset = (i - (len(node.text) - 1) / 2) * LINE_HEIGHT
        _draw_text(ax, line, x, y + offset, style.text)


def _draw_box(
    ax: "Axes", style: NodeStyle, x: float, y: float, size: tuple[float, float], gid: str = ""
) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = size
    rounding = {"ellipse": height / 2, "rounded": height / 5}.get(style.shape, 1.5)
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=style.fill,
            edgecolor=style.line,
            linestyle="--" if style.shape == "dashed" else "-",
            linewidth=1.1,
            zorder=3,
            gid=gid or None,
        )
    )


def _draw_edge(ax: "Axes", kind: str, points: Sequence[Point]) -> None:
    """Draw a line through points, bent between ranks and straight across them, and its head."""
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    vertices, codes = [points[0]], [Path.MOVETO]
    for i, (x, y) in enumerate(points[1:]):
        from_x, from_y = vertices[-1]
        if i % 2:
            vertices.append((x, y))
            codes.append(Path.LINETO)
        else:
            middle = (from_y + y) / 2
            vertices += [(from_x, middle), (x, middle), (x, y)]
            codes += [Path.CURVE4] * 3
    style = EDGE_STYLES[kind]
    ax.add_patch(
        PathPatch(
            Path(vertices, codes),
            facecolor="none",
            edgecolor=style.line,
            linewidth=1.1,
            linestyle=(0, (4, 2.5)) if style.dashed else "-",
            zorder=1,
        )
    )
    (x, y), away = (points[0], HEAD) if style.points_up else (points[-1], -HEAD)
    corners = [(x, y), (x + HEAD / 2.4, y + away), (x - HEAD / 2.4, y + away)]
    ax.add_patch(Polygon(corners, facecolor=style.line, linewidth=0, zorder=2))


def _signs(found: Graph, letter: float) -> list[tuple[float, str, str, str]]:
    """Return, of the legend's signs, where each ends, what it is of, its kind and its meaning."""
    node_kinds = {node.kind for node in found.nodes}
    edge_kinds = {edge.kind for edge in found.edges}
    kinds = [("node", k, style.meaning) for k, style in NODE_STYLES.items() if k in node_kinds]
    kinds += [("edge", k, style.meaning) for k, style in EDGE_STYLES.items() if k in edge_kinds]
    signs: list[tuple[float, str, str, str]] = []
    end = 0.0
    for of, kind, meaning in kinds:
        end += SWATCH[0] + len(meaning) * letter + (3 * MARGIN if signs else MARGIN / 2)
        signs.append((end, of, kind, meaning))
    return signs


def _draw_legend(ax: "Axes", signs: list[tuple[float, str, str, str]], y: float) -> None:
    letter = _letter_width()
    for end, of, kind, meaning in signs:
        text_width = len(meaning) * letter
        x = end - text_width - MARGIN / 2 - SWATCH[0] / 2
        if of == "node":
            _draw_box(ax, NODE_STYLES[kind], x, y, SWATCH)
        else:
            style = EDGE_STYLES[kind]
            half = SWATCH[0] / 2
            ax.plot([x - half, x + half - HEAD], [y, y], color=style.line, linewidth=1.1,
                    linestyle=(0, (4, 2.5)) if style.dashed else "-")  # fmt: skip
            ax.fill([x + half, x + half - HEAD, x + half - HEAD], [y, y - 3.3, y + 3.3],
                    color=style.line, linewidth=0)  # fmt: skip
        _draw_text(ax, meaning, end - text_width / 2, y, "#000000")
