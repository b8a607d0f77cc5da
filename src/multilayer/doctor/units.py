"""Hidden units that no longer respond: dead units and saturated units."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.numpy import ACTIVATIONS, Elementwise

__all__ = ["are_dead", "are_saturated", "dead_units", "saturated_units", "slopes_of"]

Array = npt.NDArray[Any]

DEAD_SLOPE = 1e-3
"""Fraction of an activation's steepest slope below which a unit cannot learn. It is below the 0.01
of leaky relu, which keeps every unit alive by design."""
SATURATED_SLOPE = 0.05
"""Fraction of the steepest slope: tanh has it at |z| = 2.2, the logistic function at |z| = 4.4."""
MOST = 0.95
"""A unit is saturated if its slope is low for this share of the samples; it can still learn from a
few others."""
SHARE, WRONG_SHARE = 0.5, 0.8
"""Share of a layer's units. Good relu networks, with a penalty and more units than they need, lose
up to a third of a layer. With half of them gone, the network is not the one that was designed; with
four fifths gone, hardly anything passes."""
FAR = 10.0
"""A value of |z| where S-shaped functions are flat."""


def dead_units(case: Case) -> Iterator[Finding]:
    """Find layers where many units have slope 0 for every sample and cannot recover."""
    shares = _shares(case, False, are_dead)
    if shares:
        yield Finding(
            "dead_units",
            severity_of(max(shares.values()) >= WRONG_SHARE),
            shares,
            "This share of the layer's units has the same output, and slope 0, for every sample: "
            "no gradient reaches their weights, so they stay dead.",
            "Start again with a lower learning rate, scaled inputs and the initializer 'he', or "
            "with an activation that is never flat: 'leaky_relu', 'gelu', 'silu'.",
        )


def saturated_units(case: Case) -> Iterator[Finding]:
    """Find layers where many units are saturated for nearly all samples.

    Glorot & Bengio 2010, section 3, show how this happens and what it costs.
    """
    shares = _shares(case, True, are_saturated)
    if shares:
        yield Finding(
            "saturated_units",
            severity_of(max(shares.values()) >= WRONG_SHARE),
            shares,
            "This share of the layer's units is on the flat ends of its activation for nearly all "
            "samples: they hardly distinguish samples, and learn very slowly.",
            "Scale the inputs, start with smaller weights (initializer 'glorot') and a lower "
            "learning rate, or use normalization='batch' or 'layer'.",
        )


def are_dead(slope: Array) -> Array:
    """Return which units have slope 0 for every sample; slopes are of shape (samples, units)."""
    return np.all(slope <= DEAD_SLOPE, axis=0)


def are_saturated(slope: Array) -> Array:
    """Return which units have a low slope for nearly all samples."""
    return np.asarray((slope <= SATURATED_SLOPE).mean(axis=0) >= MOST)


def _shares(case: Case, two_sided: bool, are_so: Callable[[Array], Any]) -> dict[str, float]:
    """Return the share of such units in each layer where it is large.

    `two_sided` selects the layers, by the shape of their activation. `are_so` takes slopes of
    shape (n_samples, n_units) and returns whether each unit counts.
    """
    shares = {
        layer: float(are_so(slope).mean())
        for layer, slope, is_two_sided in _slopes(case)
        if is_two_sided == two_sided
    }
    return {layer: share for layer, share in shares.items() if share >= SHARE}


def _slopes(case: Case) -> Iterator[tuple[str, Array, bool]]:
    """Yield each hidden layer's name, its slopes, and whether its activation is flat on both sides.

    Activations that mix features, such as softmax, are left out: their units have no slope of their
    own.
    """
    for spec, layer in zip(case.net.architecture.hidden_layers, case.layers, strict=False):
        found = slopes_of(spec.activation, layer.z, layer.a)
        if found is not None:
            yield layer.name, *found


def slopes_of(activation: str, z: Array, a: Array) -> tuple[Array, bool] | None:
    """Return a layer's slopes, and whether its activation is flat on both sides.

    Slopes are |σ'(z)| as a fraction of the steepest. None if the activation mixes features.

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
