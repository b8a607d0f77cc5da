"""The computation graph of a network or a tensor, and its output formats."""

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.graph.dot import to_dot
from multilayer.graph.numpy import walk_network
from multilayer.graph.parts import Edge, Node
from multilayer.graph.svg import to_svg
from multilayer.model import one_network
from multilayer.numpy import MLP

if TYPE_CHECKING:
    import torch

    from multilayer.torch import MLP as TorchMLP

__all__ = ["Graph", "graph"]


@dataclass(frozen=True, repr=False)
class Graph:
    """A computation graph.

    Parameters
    ----------
    nodes : tuple of Node
    edges : tuple of Edge
        Edges between these nodes. If an operation uses a value twice, there are two.

    Raises
    ------
    InvalidArgumentError
        If two nodes share an id, or an edge ends at a node that does not exist.

    Examples
    --------
    >>> from multilayer.graph import Edge, Node
    >>> square = Graph(
    ...     (Node("x", "leaf", "x"), Node("y", "op", "mul")),
    ...     (Edge("x", "y", "forward"), Edge("x", "y", "forward")),
    ... )
    >>> square
    Graph(2 nodes, 2 edges)
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        known = {node.id for node in self.nodes}
        if len(known) != len(self.nodes):
            rule = f"must have different ids; {len(self.nodes)} share {len(known)}"
            raise InvalidArgumentError(rule, "nodes", "Graph")
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in known:
                    rule = "must be between its nodes"
                    raise InvalidArgumentError(rule, "edges", "Graph", got=f"one at {end!r}")

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes, {len(self.edges)} edges)"

    def to_dot(self) -> str:
        r"""Return the graph in the DOT language of Graphviz.

        Examples
        --------
        >>> print(Graph((Node("x", "input", "x", (1, 4)),), ()).to_dot())
        digraph {
          rankdir=TB
          node [fontname="monospace"]
          "x" [label="x\n(1, 4)", ..., shape=ellipse]
        }
        """
        return to_dot(self.nodes, self.edges)

    def to_svg(self) -> str:
        """Return the graph as a picture: a complete SVG document.

        Values flow from top to bottom. The kinds of nodes and edges differ in shape, line and
        lightness, so they remain distinct in greyscale.

        Raises
        ------
        MissingPackageError
            If networkx is not installed.
        InvalidArgumentError
            If the graph has a cycle, or no nodes.

        Examples
        --------
        >>> Graph((Node("x", "input", "x"),), ()).to_svg()[:38]
        '<svg xmlns="http://www.w3.org/2000/svg'
        """
        return to_svg(self.nodes, self.edges)

    def _repr_svg_(self) -> str:
        """Return the picture for notebooks."""
        return self.to_svg()

    def to_dict(self) -> dict[str, Any]:
        """Return nodes and edges as a dict, ready for JSON.

        Examples
        --------
        >>> Graph((Node("x", "input", "x", (1, 4)),), ()).to_dict()
        {'nodes': [{'id': 'x', 'kind': 'input', 'label': 'x', 'shape': [1, 4]}], 'edges': []}
        """
        return {
            "nodes": [
                asdict(node) | {"shape": None if node.shape is None else list(node.shape)}
                for node in self.nodes
            ],
            "edges": [asdict(edge) for edge in self.edges],
        }


def graph(
    net_or_tensor: "MLP | TorchMLP | torch.Tensor", *, module: "torch.nn.Module | None" = None
) -> Graph:
    """Return the computation graph of a network of either engine, or of a PyTorch tensor.

    For the engine from scratch: a node for each layer, each parameter array and the input, for one
    sample. Values flow forward; gradients flow backward to everything except the input, since
    training needs no gradient there.

    For PyTorch: what autograd has recorded. Each backward operation (`grad_fn`) is a node; at the
    end of the graph are an ``AccumulateGrad`` for each leaf, and the leaf itself. All edges are
    backward. A network of this package is evaluated on one sample of zeros in prediction mode, and
    stays unchanged. For any other module, call it and pass its output. Inputs appear only if they
    require a gradient.

    Parameters
    ----------
    net_or_tensor : MLP or torch.Tensor
        A network of either engine, or a tensor with a `grad_fn`.
    module : torch.nn.Module, optional
        The module whose parameter names label the tensor's leaves.

    Raises
    ------
    InvalidTypeError
        If it is neither a network nor a tensor.
    InvalidArgumentError
        If autograd has recorded nothing for the tensor.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> net = MLP(Architecture(in_features=4, hidden_features=(8,), out_features=3))
    >>> [node.label for node in graph(net).nodes]
    ['x', 'affine', 'W1', 'b1', 'relu', 'affine', 'W2', 'b2', 'identity']

    >>> import torch
    >>> model = torch.nn.Linear(4, 3)
    >>> found = graph(model(torch.zeros(1, 4)).tanh(), module=model)
    >>> [(node.kind, node.label) for node in found.nodes][:3]
    [('op', 'TanhBackward0'), ('op', 'AddmmBackward0'), ('accumulate', 'AccumulateGrad')]
    """
    one_network(net_or_tensor, "net_or_tensor", "graph")
    if isinstance(net_or_tensor, MLP):
        if module is not None:
            rule = "names a tensor's parameters; a network names its own"
            raise InvalidArgumentError(rule, "module", "graph")
        return Graph(*walk_network(net_or_tensor))
    # Without PyTorch loaded, this cannot be an object of PyTorch: no need to import it to check.
    if "torch" in sys.modules:
        from multilayer.graph.torch import walk_autograd

        found = walk_autograd(net_or_tensor, module)
        if found is not None:
            return Graph(*found)
    rule = (
        "must be an MLP of either engine or a tensor (for any other module, pass its output: "
        "graph(module(X), module=module))"
    )
    raise InvalidTypeError(rule, "net_or_tensor", "graph", got=type(net_or_tensor).__name__)
