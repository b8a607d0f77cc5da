"""Gradients that vanish or explode on their way back through the layers."""

from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding

__all__ = ["exploding_gradients", "gradient_sizes", "vanishing_gradients"]

VANISHED = 1e-3
"""First layer's gradient in parts of the output's. A layer that does its work has a factor near 1;
PyTorch's default weights with relu have 0.4, so that five such layers still pass. Below it, a rate
that suits the last layers moves the first ones by a thousandth."""
EXPLODED = 1 / VANISHED
"""The same the other way round: a rate that suits the first layers leaves the last ones still."""


def gradient_sizes(case: Case) -> dict[str, float]:
    r"""Return for each layer the root mean square, over samples, of ‖∂ℓ/∂z‖.

    Each sample's gradient is taken by itself: means over samples are near 0 at the end of a
    training, whatever the layers do.
    """
    n_samples = len(case.training)
    return {
        # observe's gradients are those of the mean loss
        layer.name: n_samples * float(np.sqrt((dz * dz).sum(axis=1).mean()))
        for layer, dz in zip(case.layers, case.dz, strict=True)
    }


def vanishing_gradients(case: Case) -> Iterator[Finding]:
    """Find whether hardly anything of the output's gradient reaches the first layer."""
    sizes = gradient_sizes(case)
    if _ratio(sizes) < VANISHED:
        yield Finding(
            "vanishing_gradients",
            "wrong",
            sizes,
            "The loss's gradient in each layer's z shrinks on its way back: the first layers learn "
            "next to nothing.",
            "Use 'relu' or another activation of slope near 1 with the initializer 'he', "
            "normalization='batch' or 'layer', residual=True, or fewer layers.",
        )


def exploding_gradients(case: Case) -> Iterator[Finding]:
    """Find whether the output's gradient grows beyond measure on its way to the first layer."""
    sizes = gradient_sizes(case)
    if _ratio(sizes) > EXPLODED:
        yield Finding(
            "exploding_gradients",
            "wrong",
            sizes,
            "The loss's gradient in each layer's z grows on its way back: steps are far too large "
            "for the first layers, or far too small for the last.",
            "Begin with smaller weights (initializer 'he' for relu, 'glorot' for tanh), use "
            "normalization='batch' or 'layer', and clip gradients with clip_norm.",
        )


def _ratio(sizes: dict[str, float]) -> float:
    """Return the first layer's gradient in parts of the output's; 1 where that is 0."""
    by_layer = [*sizes.values()]
    first, last = by_layer[0], by_layer[-1]
    return first / last if last > 0 else 1.0
