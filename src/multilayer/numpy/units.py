"""Finds hidden units that no longer respond, by the slopes of their activation."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations import ACTIVATIONS, Elementwise

__all__ = ["are_dead", "are_saturated", "slopes_of"]

Array = npt.NDArray[Any]

DEAD_SLOPE = 1e-3
"""Fraction of an activation's steepest slope below which a unit cannot learn. It is below the 0.01
of leaky relu, which keeps every unit alive by design."""
SATURATED_SLOPE = 0.05
"""Fraction of the steepest slope up to which a slope is low: tanh reaches it at |z| = 2.2, the
logistic function at |z| = 4.4."""
MOST = 0.95
"""A unit is saturated if its slope is low for this fraction of the samples; it can still learn from
the few others."""
FAR = 10.0
"""A value of |z| where S-shaped functions are flat."""


def slopes_of(activation: str, z: Array, a: Array) -> tuple[Array, bool] | None:
    """Return a layer's slopes, and whether its activation is flat on both sides.

    Slopes are |σ'(z)| as a fraction of the steepest. Return None if the activation mixes features.

    Examples
    --------
    >>> z = np.array([[-1.0, 3.0]])
    >>> slopes_of("relu", z, np.maximum(z, 0))
    (array([[0., 1.]]), False)
    """
    function = ACTIVATIONS[activation]
    if not isinstance(function, Elementwise):
        return None
    grid = np.linspace(-FAR, FAR, 401)
    on_grid = np.abs(function.derivative(grid, function.forward(grid)))
    steepest = on_grid.max()
    slope = np.abs(function.derivative(z, a)) / steepest
    return slope, bool(max(on_grid[0], on_grid[-1]) < SATURATED_SLOPE * steepest)


def are_dead(slope: Array) -> Array:
    """Return which units have almost slope 0 for all samples; `slope` is (n_samples, units)."""
    return np.all(slope <= DEAD_SLOPE, axis=0)


def are_saturated(slope: Array) -> Array:
    """Return which units have a low slope for nearly all samples."""
    return np.asarray((slope <= SATURATED_SLOPE).mean(axis=0) >= MOST)
