"""Inside: the weights of one unit, their gradients, and its formulas for one sample."""

from typing import Any

import numpy as np

from multilayer.playground.pictures import SHOWN, observed
from multilayer.playground.training import Training, affine_pairs
from multilayer.playground.walk import steps_of_unit

__all__ = ["look_into"]


def look_into(training: Training, layer: int, unit: int, sample: int) -> dict[str, Any] | None:
    """Return the weights and the bias of a unit, their gradients, and the unit's formulas.

    Parameters
    ----------
    training : Training
    layer, unit : int
        The layer, from 1, where the output layer is the last one; and the unit, from 0.
    sample : int
        The sample whose numbers are inserted into the formulas: its index among the drawn samples.

    Returns
    -------
    dict or None
        None if there is no such unit. ``loss`` is J, penalty included, on ``n_samples`` training
        samples; ``rules`` and ``numbers`` are TeX.
    """
    net, samples = training.net, training.samples
    pairs = affine_pairs(net)
    if not 1 <= layer <= len(pairs) or not 0 <= unit < len(pairs[layer - 1][0]):
        return None
    rows = observed(samples)
    settings = training.settings
    with np.errstate(all="ignore"):  # a network that diverges is shown until it is stopped
        loss, gradients = net.loss_and_gradients(
            samples.X[rows],
            training.targets[rows],
            loss=training.loss,
            l1=settings.l1,
            l2=settings.l2,
            training=False,
        )
    W, b = pairs[layer - 1]
    dW, db = affine_pairs(net, gradients)[layer - 1]
    steps = steps_of_unit(training, sample, layer, unit)
    return {
        "layer": layer,
        "unit": unit,
        "weights": W[unit, :SHOWN].tolist(),
        "weight_gradients": dW[unit, :SHOWN].tolist(),
        "n_weights": W.shape[1],
        "bias": None if b is None else float(b[unit]),
        "bias_gradient": None if db is None else float(db[unit]),
        "loss": loss,
        "n_samples": len(rows),
        "sample": sample,
        "rules": [step.rule for step in steps],
        "numbers": [step.numbers for step in steps],
    }
