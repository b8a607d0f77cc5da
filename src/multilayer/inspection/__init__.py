"""What a network is and does."""

from multilayer.inspection.geometry import Hyperplane, decision_hyperplane
from multilayer.inspection.graph import Graph, graph
from multilayer.inspection.graph_parts import Edge, Node
from multilayer.inspection.parity import Difference, ParityReport, parity
from multilayer.inspection.summary import LayerRow, Summary, summary

__all__ = [
    "Difference",
    "Edge",
    "Graph",
    "Hyperplane",
    "LayerRow",
    "Node",
    "ParityReport",
    "Summary",
    "decision_hyperplane",
    "graph",
    "parity",
    "summary",
]
