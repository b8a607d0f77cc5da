"""Sensitivity: the derivatives of a loss, and of the outputs, with respect to the inputs."""

import numpy as np

from multilayer.errors import InvalidDataError
from multilayer.numpy.activations.base import Array
from multilayer.numpy.losses.base import Loss
from multilayer.numpy.network import Network, Pass
from multilayer.numpy.objective import Batch, Objective

__all__ = ["input_gradients", "jacobian", "to_inputs"]

CHUNK = 4096
"""Number of samples in one forward and backward pass."""


def input_gradients(network: Network, batch: Batch, loss: Loss) -> Array:
    """Return ∂ℓᵢ/∂xᵢ for each sample, of x's shape; see `MLP.input_gradients`.

    The backward pass is that of training, taken one step further: to the first layer's dx = dz W,
    which training leaves out. The samples do not affect each other, so one pass serves many; the
    factor n undoes the 1/n of a mean.
    """
    found, objective = np.empty_like(batch.x), Objective(loss)
    for start in range(0, len(batch.x), CHUNK):
        rows = slice(start, start + CHUNK)
        part = Batch(batch.x[rows], batch.targets[rows])
        passed = network.forward(part.x)
        _, dz = objective.loss_and_dz(network, passed.logits, part)
        found[rows] = to_inputs(network, len(part.x) * dz, passed)
    return found


def jacobian(network: Network, x: Array, *, of_logits: bool) -> Array:
    """Return ∂f_k/∂x_j for each sample, of shape (n_samples, out_features, in_features).

    Row k is the result of a backward pass from the unit vector e_k; see `MLP.jacobian`.
    """
    n_outputs = network.last.W.shape[0]
    found = np.empty((len(x), n_outputs, x.shape[1]), dtype=x.dtype)
    for start in range(0, len(x), CHUNK):
        rows = slice(start, start + CHUNK)
        passed = network.forward(x[rows])
        p = network.link.forward(passed.logits)
        for k in range(n_outputs):
            dp = np.zeros_like(p)
            dp[:, k] = 1
            dz = dp if of_logits else network.link.backward(dp, passed.logits, p)
            found[rows, k] = to_inputs(network, dz, passed)
    return found


def to_inputs(network: Network, dz: Array, passed: Pass) -> Array:
    """Return dx, given dz for the logits z."""
    dx, _ = network.last.backward(dz, passed.features)
    assert dx is not None
    dx, _ = network.hidden.backward(dx, passed.caches)
    if dx is None:
        raise InvalidDataError(
            "must not be embedded: an embedding has no gradient with respect to its inputs", "X"
        )
    return dx
