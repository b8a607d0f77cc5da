"""The computation graph of a network of the engine from scratch, read from its layers."""

from multilayer.graph.parts import Edge, Node
from multilayer.numpy import MLP
from multilayer.numpy.blocks import Dropout, GaussianNoise, Residual
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.normalization import BatchNorm, LayerNorm

__all__ = ["walk_network"]

INPUT = "x"
NAMES = {BatchNorm: "γβ", LayerNorm: "γβ", Embedding: "V"}
"""The letters of the layers' parameters; those of other layers are W and b."""


def walk_network(net: MLP) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Return the nodes and edges of a network, for one sample.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> nodes, edges = walk_network(MLP(Architecture(2, (), 1)))
    >>> [node.id for node in nodes]
    ['x', '1.affine', '1.W', '1.b', 'output']
    >>> [(edge.source, edge.target) for edge in edges if edge.kind == "backward"]
    [('1.affine', '1.W'), ('1.affine', '1.b'), ('output', '1.affine')]
    """
    walk = _Walk(net.architecture.in_features)
    blocks = list(net.network.hidden.layers)
    if net.architecture.input_noise:
        walk.noisy_input(blocks.pop(0))
    for block, spec in zip(blocks, net.architecture.hidden_layers, strict=True):
        walk.number += 1
        walk.add(block, spec.activation)
    walk.number += 1
    walk.add(net.network.last, "")
    walk.operation("output", net.architecture.output)
    return tuple(walk.nodes), tuple(walk.edges)


class _Walk:
    """A graph that grows at its end, layer by layer."""

    def __init__(self, in_features: int) -> None:
        self.nodes = [Node(INPUT, "input", INPUT, (1, in_features))]
        self.edges: list[Edge] = []
        self.number = 0
        self.width = in_features
        self.end = INPUT  # the node whose value the next operation takes
        self.inputs = {INPUT}  # where no gradient goes

    def noisy_input(self, noise: Layer) -> None:
        """Add noise on the inputs."""
        self.add(noise, "")
        self.inputs.add(self.end)

    def add(self, layer: Layer, activation: str) -> None:
        """Add a layer; stacks and residual blocks are expanded."""
        if isinstance(layer, Stack):
            for inner in layer.layers:
                self.add(inner, activation)
        elif isinstance(layer, Residual):
            entry = self.end
            self.add(layer.inner, activation)
            self.operation(f"{self.number}.add", "+ input")
            self._connect(entry, self.end)
        else:
            if isinstance(layer, Affine):
                self.width = len(layer.W)
            elif isinstance(layer, Embedding):
                self.width = layer.embeddings.out_features(layer.in_features)
            label = _label(layer, activation)
            self.operation(f"{self.number}.{label}", label)
            names = NAMES.get(type(layer), "Wb")
            for name, array in zip(names, layer.parameters, strict=False):
                node = Node(f"{self.number}.{name}", "parameter", f"{name}{self.number}",
                            array.shape)  # fmt: skip
                self.nodes.append(node)
                self._connect(node.id, self.end)

    def operation(self, name: str, label: str) -> None:
        """Add an operation on the last operation's value."""
        self.nodes.append(Node(name, "op", label, (1, self.width)))
        self._connect(self.end, name)
        self.end = name

    def _connect(self, source: str, target: str) -> None:
        """Connect two nodes, with a gradient back unless the source is an input."""
        self.edges.append(Edge(source, target, "forward"))
        if source not in self.inputs:
            self.edges.append(Edge(target, source, "backward"))


def _label(layer: Layer, activation: str) -> str:
    if isinstance(layer, Activate):
        return activation
    if isinstance(layer, Dropout):
        return f"dropout {layer.rate:g}"
    if isinstance(layer, GaussianNoise):
        return f"noise {layer.std:g}"
    labels = {
        Affine: "affine",
        Embedding: "embeddings",
        BatchNorm: "batch norm",
        LayerNorm: "layer norm",
    }
    return labels.get(type(layer), type(layer).__name__)
