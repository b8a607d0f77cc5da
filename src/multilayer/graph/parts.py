"""The parts of a computation graph: nodes and edges."""

from dataclasses import dataclass

from multilayer.registry import Names

__all__ = ["EDGE_KINDS", "NODE_KINDS", "Edge", "Node"]

NODE_KINDS = Names("kind", ["input", "leaf", "parameter", "op", "accumulate"])
EDGE_KINDS = Names("kind", ["forward", "backward"])


@dataclass(frozen=True)
class Node:
    """An input value or an operation.

    Examples
    --------
    >>> Node("W1", "parameter", "W1", (32, 64)).text
    ('W1', '(32, 64)')
    """

    id: str
    """The node's name in edges, unique in the graph."""
    kind: str
    """``"input"`` (samples), ``"leaf"`` (a tensor that no operation made), ``"parameter"``,
    ``"op"``, or ``"accumulate"``, where autograd adds a gradient to a leaf's ``grad``."""
    label: str
    """A readable name: ``"affine"``, ``"AddmmBackward0"``, ``"hidden.0.0.weight"``."""
    shape: tuple[int, ...] | None = None
    """The shape of the value, or of the operation's output; None if unknown."""

    def __post_init__(self) -> None:
        NODE_KINDS.check(self.kind, "Node")

    @property
    def text(self) -> tuple[str, ...]:
        """The lines to show in pictures: the label, and the shape if there is one."""
        return (self.label,) if self.shape is None else (self.label, str(self.shape))


@dataclass(frozen=True)
class Edge:
    """A value or gradient that flows from one node to another."""

    source: str
    target: str
    kind: str
    """``"forward"``: a value on its way to the output; ``"backward"``: the gradient of the loss
    with respect to a value, on its way back."""

    def __post_init__(self) -> None:
        EDGE_KINDS.check(self.kind, "Edge")

    @property
    def in_data_order(self) -> tuple[str, str]:
        """The two nodes, starting with the one nearer to the inputs."""
        if self.kind == "forward":
            return self.source, self.target
        return self.target, self.source
