"""What a computation graph is made of: nodes and edges."""

from dataclasses import dataclass

from multilayer.registry import Names

__all__ = ["EDGE_KINDS", "NODE_KINDS", "Edge", "Node"]

NODE_KINDS = Names("kind", ["input", "leaf", "parameter", "op", "accumulate"])
EDGE_KINDS = Names("kind", ["forward", "backward"])


@dataclass(frozen=True)
class Node:
    """A value that comes from outside, or an operation.

    Examples
    --------
    >>> Node("W1", "parameter", "W1", (32, 64)).text
    ('W1', '(32, 64)')
    """

    id: str
    """Its name in edges, different from all others of the graph."""
    kind: str
    """``"input"`` (samples), ``"leaf"`` (a tensor that no operation made), ``"parameter"``,
    ``"op"``, or ``"accumulate"``, where autograd adds a gradient to a leaf's ``grad``."""
    label: str
    """What people call it: ``"affine"``, ``"AddmmBackward0"``, ``"hidden.0.0.weight"``."""
    shape: tuple[int, ...] | None = None
    """Of the value, or of what the operation puts out; None where it is not known."""

    def __post_init__(self) -> None:
        NODE_KINDS.check(self.kind, "Node")

    @property
    def text(self) -> tuple[str, ...]:
        """The lines that pictures show of it: the label, and the shape if there is one."""
        return (self.label,) if self.shape is None else (self.label, str(self.shape))


@dataclass(frozen=True)
class Edge:
    """What flows from one node into another."""

    source: str
    target: str
    kind: str
    """``"forward"``: a value on its way to the output; ``"backward"``: the loss's gradient in such
    a value, on its way back."""

    def __post_init__(self) -> None:
        EDGE_KINDS.check(self.kind, "Edge")

    @property
    def in_data_order(self) -> tuple[str, str]:
        """The two nodes, the one nearer to the inputs first."""
        if self.kind == "forward":
            return self.source, self.target
        return self.target, self.source
