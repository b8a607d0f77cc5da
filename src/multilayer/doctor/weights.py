"""Weights that cannot work: not finite, all alike, or of the wrong size."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding
from multilayer.numpy import ACTIVATIONS

__all__ = ["initializer_misfit", "non_finite_weights"]

SHRUNK, GROWN = 1e-2, 50.0
"""Spread of the last hidden layer's outputs over samples, as a fraction of the first layer's. Good
weights keep it near 1 at any depth (He et al. 2015, section 2.2). With PyTorch's default and relu,
it falls by a factor of 0.4 per layer, so five hidden layers still pass."""
ALIKE = 1e-6
"""Smaller differences between units, as a fraction of the largest weight, are rounding."""


def non_finite_weights(net: Any) -> Iterator[Finding]:
    """Find weights that are infinite or NaN; all other measurements would be meaningless.

    Parameters
    ----------
    net : MLP
        A network of either engine; such weights cannot be copied to the other.
    """
    arrays = [array for pair in net.weights for array in pair if array is not None]
    n_bad = sum(int((~np.isfinite(array)).sum()) for array in arrays)
    if n_bad:
        yield Finding(
            "non_finite_weights",
            "wrong",
            {"not finite": n_bad, "parameters": sum(array.size for array in arrays)},
            "Weights are infinite or NaN: the training has diverged.",
            "Train again with a lower learning rate, scaled inputs and targets, or clip_norm; "
            "multilayer.inspection.lr_finder shows which rates work.",
        )


def initializer_misfit(case: Case) -> Iterator[Finding]:
    """Find units that are all alike, and signals that shrink or grow through the layers."""
    hidden = case.layers[:-1]
    alike: dict[str, float] = {
        layer.name: len(layer.W)
        for layer in hidden
        if len(layer.W) > 1 and np.ptp(layer.W, axis=0).max() <= ALIKE * np.abs(layer.W).max()
    }
    activations = dict.fromkeys(spec.activation for spec in case.net.architecture.hidden_layers)
    advice = " and ".join(f"{ACTIVATIONS[name].initializer!r} for {name}" for name in activations)
    if alike:
        yield Finding(
            "initializer_misfit",
            "wrong",
            alike,
            "All units of the layer have the same weights, and therefore the same gradients: they "
            "stay alike, and the layer works like a single unit.",
            f"Draw the weights at random: initializer {advice}.",
        )
        return
    if len(hidden) < 2:
        return
    spread: dict[str, float] = {
        layer.name: float(np.sqrt(layer.a.var(axis=0).mean())) for layer in hidden
    }
    first, *_, last = spread.values()
    factor = last / first if first > 0 else 0.0
    if not SHRUNK <= factor <= GROWN:
        shrinks = factor < SHRUNK
        yield Finding(
            "initializer_misfit",
            "warning",
            spread,
            "The spread of the units' outputs over the samples "
            + ("shrinks" if shrinks else "grows")
            + " from layer to layer: the size of the weights does not suit the activation"
            + (", and to the deep layers all samples look nearly the same." if shrinks else "."),
            f"Use initializer {advice}, or normalization='batch' or 'layer'.",
        )
