"""Pictures drawn with matplotlib: each function draws in given or new Axes, and returns them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multilayer.plots.activations import activations
from multilayer.plots.approximation import approximation
from multilayer.plots.boundaries import decision_boundaries, decision_boundary
from multilayer.plots.features import hidden_units, learned_features
from multilayer.plots.fixed import fixed_features
from multilayer.plots.fooling import adversarial_examples, robustness
from multilayer.plots.geometry import hyperplane
from multilayer.plots.graph import computation_graph
from multilayer.plots.history import history
from multilayer.plots.images import first_samples
from multilayer.plots.layers import gradient_flow, layer_statistics
from multilayer.plots.looking import saliency
from multilayer.plots.lr_finder import lr_finder
from multilayer.plots.mistakes import most_wrong
from multilayer.plots.network import network_diagram
from multilayer.plots.relu import why_relu
from multilayer.plots.search import search
from multilayer.plots.weights import first_layer_weights

if TYPE_CHECKING:
    from multilayer.plots.calibration import ReliabilityDisplay, reliability
    from multilayer.plots.confusion import ConfusionDisplay, confusion_matrix
    from multilayer.plots.permutation import importance
    from multilayer.plots.regression import ResidualsDisplay, residuals

__all__ = [
    "ConfusionDisplay",
    "ReliabilityDisplay",
    "ResidualsDisplay",
    "activations",
    "adversarial_examples",
    "approximation",
    "computation_graph",
    "confusion_matrix",
    "decision_boundaries",
    "decision_boundary",
    "first_layer_weights",
    "first_samples",
    "fixed_features",
    "gradient_flow",
    "hidden_units",
    "history",
    "hyperplane",
    "importance",
    "layer_statistics",
    "learned_features",
    "lr_finder",
    "most_wrong",
    "network_diagram",
    "reliability",
    "residuals",
    "robustness",
    "saliency",
    "search",
    "why_relu",
]

_LATE = {
    "ConfusionDisplay": "confusion",
    "ReliabilityDisplay": "calibration",
    "ResidualsDisplay": "regression",
    "confusion_matrix": "confusion",
    "importance": "permutation",
    "reliability": "calibration",
    "residuals": "regression",
}
"""Names imported on first use, because scikit-learn's displays are slow to import."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'multilayer.plots' has no attribute {name!r}")
    return getattr(import_module(f"multilayer.plots.{_LATE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
