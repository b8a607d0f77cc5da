"""What a network is and does."""

from multilayer.inspection.activations import ActivationMeasurement, measure_activations
from multilayer.inspection.doctor import Diagnosis, Finding, diagnose
from multilayer.inspection.geometry import Hyperplane, decision_hyperplane
from multilayer.inspection.graph import Graph, graph
from multilayer.inspection.graph_parts import Edge, Node
from multilayer.inspection.parity import Difference, ParityReport, parity
from multilayer.inspection.range_test import RangeTest, lr_finder
from multilayer.inspection.summary import LayerRow, Summary, summary

__all__ = [
    "ActivationMeasurement",
    "Diagnosis",
    "Difference",
    "Edge",
    "Finding",
    "Graph",
    "Hyperplane",
    "LayerRow",
    "Node",
    "ParityReport",
    "RangeTest",
    "Summary",
    "decision_hyperplane",
    "diagnose",
    "graph",
    "lr_finder",
    "measure_activations",
    "parity",
    "summary",
]
