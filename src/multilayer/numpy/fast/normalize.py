"""Normalize: batch normalisation as a stage, in compiled passes; for equations see `BatchNorm`."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.numpy.fast.passes import Passes, fastest
from multilayer.numpy.fast.stages import Places, Stage, stacked
from multilayer.numpy.normalization import BatchNorm, Normalized, check_batch

__all__ = ["Normalize", "normalize", "normalize_backward"]

Array = npt.NDArray[Any]


def _normalize(
    x: Array,
    gamma: Array,
    epsilon: float,
    x_hat: Array,
    mean: Array,
    variance: Array,
    inverse_std: Array,
    y: Array,
) -> None:
    np.mean(x, axis=-2, out=mean)
    np.var(x, axis=-2, out=variance)
    inverse_std[:] = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    x_hat[:] = (x - mean[:, np.newaxis]) * inverse_std[:, np.newaxis]
    np.multiply(x_hat, gamma[:, np.newaxis], out=y)


@kernel(plain=_normalize)
def normalize(xs, gammas, epsilon, x_hats, means, variances, inverse_stds, ys):  # type: ignore[no-untyped-def]
    """Compute x̂ = (x − μ)/s with the batch's moments, and y = γ x̂."""
    for m in range(xs.shape[0]):
        x, gamma, x_hat, y = xs[m], gammas[m], x_hats[m], ys[m]
        mean, variance, inverse_std = means[m], variances[m], inverse_stds[m]
        one, n_rows = x.dtype.type(1), x.dtype.type(x.shape[0])
        mean[:] = 0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                mean[j] += x[i, j]
        for j in range(mean.size):
            mean[j] /= n_rows
        variance[:] = 0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                centred = x[i, j] - mean[j]
                x_hat[i, j] = centred
                variance[j] += centred * centred
        for j in range(mean.size):
            variance[j] /= n_rows
            inverse_std[j] = one / np.sqrt(variance[j] + x.dtype.type(epsilon))
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                value = x_hat[i, j] * inverse_std[j]
                x_hat[i, j] = value
                y[i, j] = value * gamma[j]


def _normalize_backward(
    dy: Array, x_hat: Array, gamma: Array, inverse_std: Array, dgamma: Array, dbeta: Array
) -> None:
    n_rows = dy.shape[-2]
    np.sum(dy * x_hat, axis=-2, out=dgamma)
    dy -= (dbeta / n_rows)[:, np.newaxis]
    dy -= x_hat * (dgamma / n_rows)[:, np.newaxis]
    dy *= (gamma * inverse_std)[:, np.newaxis]


@kernel(plain=_normalize_backward)
def normalize_backward(dys, x_hats, gammas, inverse_stds, dgammas, dbetas):  # type: ignore[no-untyped-def]
    """Compute dγ = Σ dy x̂ and dy ← dx = γ/s (dy − dβ/n − x̂ dγ/n), for dβ = Σ dy."""
    for m in range(dys.shape[0]):
        dy, x_hat, gamma, inverse_std = dys[m], x_hats[m], gammas[m], inverse_stds[m]
        dgamma, dbeta = dgammas[m], dbetas[m]
        share = dy.dtype.type(1) / dy.dtype.type(dy.shape[0])
        dgamma[:] = 0
        for i in range(dy.shape[0]):
            for j in range(dy.shape[1]):
                dgamma[j] += dy[i, j] * x_hat[i, j]
        for i in range(dy.shape[0]):
            for j in range(dy.shape[1]):
                slope = dy[i, j] - share * (dbeta[j] + x_hat[i, j] * dgamma[j])
                dy[i, j] = gamma[j] * inverse_std[j] * slope


class Normalize(Stage):
    """a = σ(γ x̂ + β), batch normalisation with the activation after it."""

    def __init__(self, layer: BatchNorm, passes: Passes, gradients: Places, n_rows: int) -> None:
        check_batch(n_rows)
        self.layer = layer
        *networks, width = layer.gamma.shape
        dtype = layer.gamma.dtype
        self.dgamma, self.dbeta = (
            np.empty_like(layer.gamma) if g is None else g for g in gradients
        )
        self.x_hat, self.y = np.empty((2, *networks, n_rows, width), dtype)
        self.mean, self.variance, self.inverse_std = np.empty((3, *networks, width), dtype)
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest
        self.sums = np.empty((2, len(stacked(self.mean, 2)), width), dtype)

    def forward(self, x: Array) -> Array:
        layer, y = self.layer, stacked(self.y)
        normalize.fastest(
            stacked(x), np.ascontiguousarray(stacked(layer.gamma, 2)), layer.epsilon,
            stacked(self.x_hat), stacked(self.mean, 2), stacked(self.variance, 2),
            stacked(self.inverse_std, 2), y,
        )  # fmt: skip
        self.forward_pass(y, np.ascontiguousarray(stacked(layer.beta, 2)))
        return self.y

    def backward(self, dy: Array) -> Array:
        dys, (dgamma, dbeta) = stacked(dy), self.sums
        self.backward_pass(dys, stacked(self.y), dbeta)
        normalize_backward.fastest(
            dys, stacked(self.x_hat), np.ascontiguousarray(stacked(self.layer.gamma, 2)),
            stacked(self.inverse_std, 2), dgamma, dbeta,
        )  # fmt: skip
        stacked(self.dgamma, 2)[:], stacked(self.dbeta, 2)[:] = dgamma, dbeta
        return dy

    def update_state(self) -> None:
        found = Normalized(self.x_hat, self.inverse_std, self.mean, self.variance)
        self.layer.update_state(found)
