"""Gradients that vanish or explode on their way back through the layers."""

from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding

__all__ = ["exploding_gradients", "gradient_sizes", "vanishing_gradients"]

VANISHED = 1e-3
"""The first layer's gradient as a fraction of the output's. A healthy layer has a factor near 1;
PyTorch's default weights with relu have 0.4, so five such layers still pass. Below the limit, a
learning rate that suits the last layers hardly moves the first ones."""
EXPLODED = 1 / VANISHED
"""The reverse: a learning rate that suits the first layers hardly moves the last ones."""


def gradient_sizes(case: Case) -> dict[str, float]:
    r"""Return the root mean square of ‖∂ℓ/∂z‖ over samples, for each layer.

    The samples' gradients are not averaged first: at the end of training, their mean is near 0 in
    any layer.
    """
    n_samples = len(case.training)
    return {
        # `observe` returns gradients of the mean loss, which are smaller by a factor of n_samples.
        layer.name: n_samples * float(np.sqrt((dz * dz).sum(axis=1).mean()))
        for layer, dz in zip(case.layers, case.dz, strict=True)
    }


def vanishing_gradients(case: Case) -> Iterator[Finding]:
    """Find gradients that hardly reach the first layer."""
    sizes = gradient_sizes(case)
    if _ratio(sizes) < VANISHED:
        yield Finding(
            "vanishing_gradients",
            "wrong",
            sizes,
            "The gradient shrinks on its way back through the layers: the first layers learn "
            "almost nothing.",
            "Use 'relu' or another activation with a slope near 1 and the initializer 'he', "
            "normalization='batch' or 'layer', residual=True, or fewer layers.",
        )


def exploding_gradients(case: Case) -> Iterator[Finding]:
    """Find gradients that explode on their way to the first layer."""
    sizes = gradient_sizes(case)
    if _ratio(sizes) > EXPLODED:
        yield Finding(
            "exploding_gradients",
            "wrong",
            sizes,
            "The gradient grows on its way back through the layers: steps are far too large for "
            "the first layers, or far too small for the last.",
            "Start with smaller weights (initializer 'he' for relu, 'glorot' for tanh), use "
            "normalization='batch' or 'layer', and clip gradients with clip_norm.",
        )


def _ratio(sizes: dict[str, float]) -> float:
    """Return the first layer's gradient as a fraction of the output's; 1 if that is 0."""
    by_layer = [*sizes.values()]
    first, last = by_layer[0], by_layer[-1]
    return first / last if last > 0 else 1.0
