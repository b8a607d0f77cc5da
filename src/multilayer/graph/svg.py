"""A computation graph as a picture: a complete SVG document, without any external program."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from multilayer.graph.layout import Point, lay_out
from multilayer.graph.parts import Edge, Node
from multilayer.graph.style import EDGE_STYLES, NODE_STYLES, NodeStyle

__all__ = ["to_svg"]

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
FONT_SIZE = 13
# In the widest of the usual monospace fonts, a letter is 0.602 em wide.
LETTER_WIDTH = 0.61 * FONT_SIZE
LINE_HEIGHT = 17
BOX_HEIGHT = 46
BOX_PADDING = 14
MARGIN = 20
SWATCH_WIDTH = 34
SWATCH_HEIGHT = 16
LEGEND_GAP = 8
HEAD = 9
# Distance from the middle of a line of text down to its baseline.
DROP = 0.35 * FONT_SIZE
# Characters that XML 1.0 does not allow, escaped or not.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return the picture, with a legend of the kinds it contains.

    Raises
    ------
    MissingPackageError, InvalidArgumentError
        See `Graph.to_svg`.

    Examples
    --------
    >>> picture = to_svg([Node("x", "input", "x < 1")], [])
    >>> "x &lt; 1" in picture
    True
    """
    widths = {node.id: max(map(_text_width, node.text)) + 2 * BOX_PADDING for node in nodes}
    links = [(*edge.in_data_order, edge.kind) for edge in edges]
    layout = lay_out(widths, links, height=BOX_HEIGHT)

    legend, legend_end = _legend(nodes, edges, layout.height + 2 * MARGIN)
    width = max(layout.width + MARGIN, legend_end) + MARGIN
    height = layout.height + 3 * MARGIN + SWATCH_HEIGHT
    left = (width - layout.width) / 2
    drawn = [
        _edge(edge.kind, [(x + left, y + MARGIN) for x, y in route])
        for edge, route in zip(edges, layout.routes, strict=True)
    ]
    for node in nodes:
        x, y = layout.centres[node.id]
        drawn.append(_node(node, x + left, y + MARGIN, widths[node.id]))
    title = f"computation graph: {len(nodes)} nodes, {len(edges)} edges"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" '
            f'font-size="{FONT_SIZE}" role="img">',
            f"<title>{title}</title>",
            '<rect class="paper" width="100%" height="100%" fill="#ffffff"/>',
            *drawn,
            *legend,
            "</svg>",
        ]
    )


def _text_width(text: str) -> float:
    """Estimate the width of a line; East Asian characters count twice."""
    n_places = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return n_places * LETTER_WIDTH


def _node(node: Node, x: float, y: float, width: float) -> str:
    style = NODE_STYLES[node.kind]
    first = y + DROP - (len(node.text) - 1) * LINE_HEIGHT / 2
    texts = "".join(
        f'<text x="{x:.1f}" y="{first + i * LINE_HEIGHT:.1f}" text-anchor="middle" '
        f'fill="{style.text}">{_escaped(line)}</text>'
        for i, line in enumerate(node.text)
    )
    box = _box(style, x - width / 2, y - BOX_HEIGHT / 2, width, BOX_HEIGHT)
    return f'<g class="node {node.kind}">{box}{texts}</g>'


def _box(style: NodeStyle, left: float, top: float, width: float, height: float) -> str:
    round_ends = {"ellipse": height / 2, "rounded": height / 5}.get(style.shape, 2.0)
    dashes = ' stroke-dasharray="3 3"' if style.shape == "dashed" else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{round_ends:.1f}" fill="{style.fill}" stroke="{style.line}" '
        f'stroke-width="1.4"{dashes}/>'
    )


def _edge(kind: str, points: Sequence[Point]) -> str:
    """Draw a line through points: curved between ranks, straight across them.

    It always starts at the box above, so that the dashes of lines that leave a box together
    coincide. It meets boxes vertically, so arrowheads need no rotation.
    """
    path = [f"M {_places(points[0])}"]
    for i, ((x, y), end) in enumerate(pairwise(points)):
        middle = (y + end[1]) / 2
        bends = [] if i % 2 else [(x, middle), (end[0], middle)]
        path.append(f"{'C' if bends else 'L'} {_places(*bends, end)}")
    (x, y), along = (points[0], HEAD) if EDGE_STYLES[kind].points_up else (points[-1], -HEAD)
    line = _line(kind, " ".join(path), (x, y), (x + 4, y + along), (x - 4, y + along))
    return f'<g class="edge {kind}">{line}</g>'


def _line(kind: str, path: str, *head: Point) -> str:
    style = EDGE_STYLES[kind]
    dashes = ' stroke-dasharray="5 3"' if style.dashed else ""
    return (
        f'<path d="{path}" fill="none" stroke="{style.line}" stroke-width="1.4"{dashes}/>'
        f'<path d="M {_places(head[0])} L {_places(*head[1:])} Z" fill="{style.line}"/>'
    )


def _places(*points: Point) -> str:
    return " ".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _legend(nodes: Sequence[Node], edges: Sequence[Edge], top: float) -> tuple[list[str], float]:
    """Return the legend, a row with the kinds in the picture, and its right end."""
    kinds = {node.kind for node in nodes} | {edge.kind for edge in edges}
    left, middle = float(MARGIN), top + SWATCH_HEIGHT / 2
    drawn: list[str] = []
    for kind, style in (NODE_STYLES | EDGE_STYLES).items():
        if kind not in kinds:
            continue
        end = left + SWATCH_WIDTH
        if isinstance(style, NodeStyle):
            sign = _box(style, left, top, SWATCH_WIDTH, SWATCH_HEIGHT)
        else:
            tip, foot = (end, middle), end - HEAD
            path = f"M {_places((left, middle))} L {_places(tip)}"
            sign = _line(kind, path, tip, (foot, middle + 4), (foot, middle - 4))
        text = f'<text x="{end + LEGEND_GAP:.1f}" y="{middle + DROP:.1f}">{style.meaning}</text>'
        drawn.append(f'<g class="legend">{sign}{text}</g>')
        left = end + 3 * LEGEND_GAP + _text_width(style.meaning)
    return drawn, left - 2 * LEGEND_GAP


def _escaped(text: str) -> str:
    return escape(NOT_XML.sub("\ufffd", text))
