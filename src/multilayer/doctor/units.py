"""Hidden units that no longer respond: dead units and saturated units."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.numpy.units import are_dead, are_saturated, slopes_of

__all__ = ["dead_by", "dead_units", "saturated_by", "saturated_units"]

Array = npt.NDArray[Any]

SHARE, WRONG_SHARE = 0.5, 0.8
"""Share of a layer's units. Good relu networks, with a penalty and more units than they need, lose
up to a third of a layer. With half of the units gone, the network is not the one that was designed;
with four fifths gone, hardly anything passes."""


def dead_units(case: Case) -> Iterator[Finding]:
    """Find layers where many units have slope 0 for every sample and cannot recover."""
    yield from dead_by(_shares(case, False, are_dead))


def dead_by(shares: Mapping[str, float]) -> Iterator[Finding]:
    """Find layers where the share of dead units is large."""
    shares = _large(shares)
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
    yield from saturated_by(_shares(case, True, are_saturated))


def saturated_by(shares: Mapping[str, float]) -> Iterator[Finding]:
    """Find layers where the share of saturated units is large."""
    shares = _large(shares)
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


def _shares(case: Case, two_sided: bool, are_so: Callable[[Array], Any]) -> dict[str, float]:
    """Return the share of units in each layer for which `are_so` holds.

    `two_sided` selects the layers by the shape of their activation. `are_so` takes slopes of shape
    (n_samples, n_units) and returns a boolean for each unit.
    """
    return {
        layer: float(are_so(slope).mean())
        for layer, slope, is_two_sided in _slopes(case)
        if is_two_sided == two_sided
    }


def _large(shares: Mapping[str, float]) -> dict[str, float]:
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
