"""Pictures, with matplotlib: each takes the Axes to draw in, and returns it."""

from multilayer.plots.activations import activations
from multilayer.plots.boundaries import decision_boundaries, decision_boundary
from multilayer.plots.classification import (
    ConfusionDisplay,
    ReliabilityDisplay,
    confusion_matrix,
    reliability,
)
from multilayer.plots.geometry import hyperplane
from multilayer.plots.history import history
from multilayer.plots.images import first_samples
from multilayer.plots.importance import importance
from multilayer.plots.mistakes import most_wrong
from multilayer.plots.regression import ResidualsDisplay, residuals

__all__ = [
    "ConfusionDisplay",
    "ReliabilityDisplay",
    "ResidualsDisplay",
    "activations",
    "confusion_matrix",
    "decision_boundaries",
    "decision_boundary",
    "first_samples",
    "history",
    "hyperplane",
    "importance",
    "most_wrong",
    "reliability",
    "residuals",
]
