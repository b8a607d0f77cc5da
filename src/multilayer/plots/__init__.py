"""Pictures, with matplotlib: each takes the Axes to draw in, and returns it."""

from multilayer.plots.activations import activations
from multilayer.plots.images import first_samples

__all__ = ["activations", "first_samples"]
