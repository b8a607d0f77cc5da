"""Batch normalisation of a batch as two compiled passes: see `BatchNorm` for the equations."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel

__all__ = ["normalize", "normalize_backward"]

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
