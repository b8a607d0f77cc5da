"""Normalisation layers: over a batch, or over a sample's features."""

from typing import NamedTuple

import numpy as np

from multilayer.errors import InvalidDataError
from multilayer.numpy.layers import Array, Gradients, Layer

__all__ = ["BatchNorm", "LayerNorm", "check_batch"]


class _Normalized(NamedTuple):
    """What the backward pass needs: x̂, 1/s and, in training, the batch's moments."""

    x_hat: Array
    inverse_std: Array
    mean: Array | None = None
    variance: Array | None = None


class BatchNorm(Layer):
    r"""y = γ x̂ + β, with x̂ = (x − μ)/s and s = √(v + ε), each feature over the batch.

    In training, μ and v are the batch's mean and (biased) variance; in prediction, their running
    averages (Ioffe & Szegedy 2015, algorithms 1 and 2).

    The backward pass, for one feature over N samples: with dx̂ = γ dy,
    :math:`∂\hat x_i/∂x_j = (δ_{ij} - 1/N - \hat x_i \hat x_j/N)/s`, since
    :math:`∂μ/∂x_j = 1/N` and :math:`∂s/∂x_j = \hat x_j/N`. Therefore

    .. math:: dx_j = \frac{1}{s}\Big(d\hat x_j - \frac1N \sum_i d\hat x_i
                     - \frac{\hat x_j}{N} \sum_i d\hat x_i \hat x_i\Big), \qquad
              dγ = \sum_i dy_i \hat x_i, \qquad dβ = \sum_i dy_i.

    With running averages, μ and s are constants: dx = dx̂/s.

    Parameters
    ----------
    gamma, beta : array of shape (features,)
        Scale and shift.
    momentum : float
        The weight of a new batch in the running averages, which use the unbiased variance, as in
        PyTorch. (TensorFlow's momentum is 1 minus this one, and its variance is the biased one.)
    epsilon : float
        ε > 0.
    """

    by_rows = False

    def __init__(
        self, gamma: Array, beta: Array, momentum: float = 0.1, epsilon: float = 1e-5
    ) -> None:
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.epsilon = epsilon
        self.running_mean = np.zeros_like(gamma)
        self.running_variance = np.ones_like(gamma)

    @property
    def parameters(self) -> tuple[Array, ...]:
        return self.gamma, self.beta

    @property
    def state(self) -> dict[str, Array]:
        return {"running_mean": self.running_mean, "running_variance": self.running_variance}

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, _Normalized]:
        if training:
            check_batch(x.shape[-2])
            mean, variance = x.mean(axis=-2), x.var(axis=-2)
            inverse_std = 1 / np.sqrt(variance + self.epsilon)
            x_hat = (x - _row(mean)) * _row(inverse_std)
            y = _row(self.gamma) * x_hat + _row(self.beta)
            return y, _Normalized(x_hat, _row(inverse_std), mean, variance)
        inverse_std = 1 / np.sqrt(self.running_variance + self.epsilon)
        x_hat = (x - _row(self.running_mean)) * _row(inverse_std)
        return _row(self.gamma) * x_hat + _row(self.beta), _Normalized(x_hat, _row(inverse_std))

    def backward(
        self, dy: Array, cache: _Normalized, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        x_hat = cache.x_hat
        dx_hat = dy * _row(self.gamma)
        if cache.mean is not None:
            through_scale = x_hat * (dx_hat * x_hat).mean(axis=-2, keepdims=True)
            dx_hat = dx_hat - dx_hat.mean(axis=-2, keepdims=True) - through_scale
        return dx_hat * cache.inverse_std, ((dy * x_hat).sum(axis=-2), dy.sum(axis=-2))

    def update_state(self, cache: _Normalized) -> None:
        if cache.mean is None or cache.variance is None:
            return
        self.average(cache.mean, cache.variance, cache.x_hat.shape[-2])

    def average(self, mean: Array, variance: Array, n_samples: int) -> None:
        """Update the running averages with the moments of a batch."""
        unbiased = variance * (n_samples / (n_samples - 1))
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_variance += self.momentum * (unbiased - self.running_variance)


class LayerNorm(Layer):
    r"""y = γ x̂ + β, with x̂ = (x − μ)/s and s = √(v + ε), each sample over its features.

    It is the same in training and in prediction (Ba et al. 2016, eq. 3). The backward pass is
    BatchNorm's, with means over the n features of a sample instead of over samples:

    .. math:: dx_k = \frac{1}{s}\Big(d\hat x_k - \frac1n \sum_l d\hat x_l
                     - \frac{\hat x_k}{n} \sum_l d\hat x_l \hat x_l\Big), \qquad d\hat x = γ \, dy.

    Parameters
    ----------
    gamma, beta : array of shape (features,)
        Scale and shift.
    epsilon : float
        ε > 0.
    """

    def __init__(self, gamma: Array, beta: Array, epsilon: float = 1e-5) -> None:
        self.gamma = gamma
        self.beta = beta
        self.epsilon = epsilon

    @property
    def parameters(self) -> tuple[Array, ...]:
        return self.gamma, self.beta

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, _Normalized]:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        inverse_std = 1 / np.sqrt(variance + self.epsilon)
        x_hat = (x - mean) * inverse_std
        return _row(self.gamma) * x_hat + _row(self.beta), _Normalized(x_hat, inverse_std)

    def backward(
        self, dy: Array, cache: _Normalized, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        x_hat = cache.x_hat
        dx_hat = dy * _row(self.gamma)
        dx = dx_hat - dx_hat.mean(axis=-1, keepdims=True)
        dx -= x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
        return dx * cache.inverse_std, ((dy * x_hat).sum(axis=-2), dy.sum(axis=-2))


def check_batch(n_samples: int) -> None:
    """Raise if a batch is too small to have a variance."""
    if n_samples < 2:
        rule = f"batch normalisation needs at least 2 samples to train on; got {n_samples}"
        raise InvalidDataError(rule)


def _row(vector: Array) -> Array:
    """Return a vector of one number per feature as a row that broadcasts over the samples."""
    return vector[..., np.newaxis, :]
