"""A computation graph in Graphviz's language."""

from collections.abc import Sequence

from multilayer.graph.parts import Edge, Node
from multilayer.graph.style import EDGE_STYLES, NODE_STYLES

__all__ = ["to_dot"]

SHAPES = {
    "ellipse": 'style="filled", shape=ellipse',
    "box": 'style="filled", shape=box',
    "rounded": 'style="filled,rounded", shape=box',
    "dashed": 'style="filled,dashed", shape=box',
}


def to_dot(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    r"""Return the source text of a digraph, without a line break at its end.

    Examples
    --------
    >>> print(to_dot([Node('say "x"', "op", r"a\b")], []).splitlines()[3])
      "say \"x\"" [label="a\\b", ..., shape=box]
    """
    lines = ["digraph {", "  rankdir=TB", '  node [fontname="monospace"]']
    for node in nodes:
        style = NODE_STYLES[node.kind]
        label = r"\n".join(map(_escaped, node.text))
        lines.append(
            f'  "{_escaped(node.id)}" [label="{label}", fillcolor="{style.fill}", '
            f'color="{style.line}", fontcolor="{style.text}", {SHAPES[style.shape]}]'
        )
    for edge in edges:
        look = EDGE_STYLES[edge.kind]
        attributes = f'color="{look.line}"' + (", style=dashed" if look.dashed else "")
        if look.points_up:
            # Graphviz puts an edge's first node above: named in the data's order, with the arrow
            # at the first, gradients neither turn the picture round nor make cycles.
            attributes += ", dir=back"
        above, below = map(_escaped, edge.in_data_order)
        lines.append(f'  "{above}" -> "{below}" [{attributes}]')
    return "\n".join([*lines, "}"])


def _escaped(text: str) -> str:
    r"""Return what a quoted string of Graphviz's reads as `text`: it knows \\, \" and \n.

    A zero character would end the text for Graphviz.
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\n", r"\n").replace("\0", "�")
