"""The computation graph of a network or a tensor: read, laid out, drawn."""

from multilayer.graph.graph import Graph, graph
from multilayer.graph.parts import Edge, Node

__all__ = ["Edge", "Graph", "Node", "graph"]
