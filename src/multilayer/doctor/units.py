"""Hidden units that no longer answer: dead ones and saturated ones."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.numpy import ACTIVATIONS, Elementwise

__all__ = ["dead_units", "saturated_units"]

Array = npt.NDArray[Any]

DEAD_SLOPE = 1e-3
"""Of an activation's steepest slope: less is no slope to learn by. It is below leaky relu's 0.01,
which keeps every unit alive by design."""
SATURATED_SLOPE = 0.05
"""Of the steepest slope: tanh has it at |z| = 2.2, the logistic function at |z| = 4.4."""
MOST = 0.95
"""A unit counts as saturated if it is so for this share of the samples: a few that it still tells
apart are what it has learned from, and can go on with."""
SHARE, WRONG_SHARE = 0.5, 0.8
"""Of a layer's units: relu networks that learn well, with a penalty and more units than they need,
lose up to a third of a layer. With half of them gone the network is another one than was meant, and
through a fifth that remains hardly anything passes."""
FAR = 10.0
"""A z at which the S-shaped functions have levelled off on both sides."""


def dead_units(case: Case) -> Iterator[Finding]:
    """Find layers where many units have no slope at any sample: nothing can wake them."""
    shares = _shares(case, False, lambda slope: (slope <= DEAD_SLOPE).all(axis=0))
    if shares:
        yield Finding(
            "dead_units",
            severity_of(max(shares.values()) >= WRONG_SHARE),
            shares,
            "This share of the layer's units puts out a constant for every sample, with slope 0: "
            "no gradient reaches their weights, so that they stay dead.",
            "Begin again with a lower learning rate, scaled inputs and the initializer 'he', or "
            "with an activation that is never flat: 'leaky_relu', 'gelu', 'silu'.",
        )


def saturated_units(case: Case) -> Iterator[Finding]:
    """Find layers where many units are at the end of an S-shaped function for nearly all samples.

    Glorot & Bengio 2010, section 3, show how it comes about and what it costs.
    """
    shares = _shares(case, True, lambda slope: (slope <= SATURATED_SLOPE).mean(axis=0) >= MOST)
    if shares:
        yield Finding(
            "saturated_units",
            severity_of(max(shares.values()) >= WRONG_SHARE),
            shares,
            "This share of the layer's units is at the flat ends of its activation for nearly all "
            "samples: they hardly tell samples apart, and learn very slowly.",
            "Scale the inputs, begin with smaller weights (initializer 'glorot') and a lower "
            "learning rate, or put normalization='batch' or 'layer' before the activation.",
        )


def _shares(case: Case, two_sided: bool, are_so: Callable[[Array], Any]) -> dict[str, float]:
    """Return the share of units that are so, of each layer of a kind where it is a large one.

    `are_so` takes slopes, of shape (n_samples, n_units), and says it of each unit.
    """
    shares = {
        layer: float(are_so(slope).mean())
        for layer, slope, is_two_sided in _slopes(case)
        if is_two_sided == two_sided
    }
    return {layer: share for layer, share in shares.items() if share >= SHARE}


def _slopes(case: Case) -> Iterator[tuple[str, Array, bool]]:
    """Yield each hidden layer's name, its slopes |σ'(z)| in parts of the steepest, and its kind.

    The kind is whether the activation levels off on both sides. Activations that mix features, such
    as softmax, have no slope of one unit.
    """
    for spec, layer in zip(case.net.architecture.hidden_layers, case.layers, strict=False):
        activation = ACTIVATIONS[spec.activation]
        if not isinstance(activation, Elementwise):
            continue
        grid = np.linspace(-FAR, FAR, 401)
        on_grid = np.abs(activation.derivative(grid, activation.forward(grid)))
        steepest = on_grid.max()
        slope = np.abs(activation.derivative(layer.z, layer.a)) / steepest
        yield layer.name, slope, bool(max(on_grid[0], on_grid[-1]) < SATURATED_SLOPE * steepest)
