"""The look of each kind of node and edge, in every format.

The colours are Okabe and Ito's, which colour-blind readers can tell apart. Shapes, line styles and
lightness differ too, for greyscale.
"""

from typing import NamedTuple

__all__ = ["EDGE_STYLES", "NODE_STYLES", "EdgeStyle", "NodeStyle"]


class NodeStyle(NamedTuple):
    """The look of one kind of node."""

    meaning: str
    fill: str
    line: str
    text: str
    shape: str
    """``"ellipse"`` (round ends), ``"box"``, ``"rounded"`` or ``"dashed"`` (a box with a dashed
    outline)."""


class EdgeStyle(NamedTuple):
    """The look of one kind of edge."""

    meaning: str
    line: str
    dashed: bool
    points_up: bool
    """Whether the arrow is at the end nearer to the inputs, which are at the top."""


NODE_STYLES = {
    "input": NodeStyle("input", "#0072b2", "#004a75", "#ffffff", "ellipse"),
    "leaf": NodeStyle("leaf tensor", "#0072b2", "#004a75", "#ffffff", "ellipse"),
    "parameter": NodeStyle("parameter", "#f3c04d", "#7a5200", "#000000", "rounded"),
    "op": NodeStyle("operation", "#eef5fb", "#333333", "#000000", "box"),
    "accumulate": NodeStyle("adds to .grad", "#ffffff", "#666666", "#000000", "dashed"),
}
EDGE_STYLES = {
    "forward": EdgeStyle("values", "#222222", dashed=False, points_up=False),
    "backward": EdgeStyle("gradients", "#c04a00", dashed=True, points_up=True),
}
