"""A computation graph in the DOT language of Graphviz."""

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
    r"""Return the source text of a digraph, without a final line break.

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
            # Graphviz draws an edge's first node above. With the nodes in data order and the arrow
            # at the first, gradients neither turn the picture upside down nor make cycles.
            attributes += ", dir=back"
        above, below = map(_escaped, edge.in_data_order)
        lines.append(f'  "{above}" -> "{below}" [{attributes}]')
    return "\n".join([*lines, "}"])


def _escaped(text: str) -> str:
    r"""Return `text` escaped for a quoted string in DOT, which knows \\, \" and \n.

    A null character is replaced, since Graphviz would end the text there.
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\n", r"\n").replace("\0", "�")
