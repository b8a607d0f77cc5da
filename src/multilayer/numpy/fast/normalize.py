"""Normalize: batch normalisation as a stage, in compiled passes; for the equations see `BatchNorm`.

The statistics are those of the whole batch, but each worker has only some of its rows. So each
worker measures its own rows, waits for the others, and then combines the results of all workers.
They share nothing else.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.numpy.fast.passes import Passes, fastest
from multilayer.numpy.fast.stages import Places, Stage, Turns, stacked
from multilayer.numpy.normalization import BatchNorm, check_batch

__all__ = ["Measured", "Normalize", "moments", "normalize", "normalize_backward", "sum_products"]

Array = npt.NDArray[Any]


def _moments(x: Array, mean: Array, squares: Array) -> None:
    np.mean(x, axis=-2, out=mean)
    centred = x - mean[:, np.newaxis]
    np.sum(centred * centred, axis=-2, out=squares)


@kernel(plain=_moments)
def moments(xs, means, squares):  # type: ignore[no-untyped-def]
    """Compute μ and Σ (x − μ)² over these rows."""
    for m in range(xs.shape[0]):
        x, mean, square = xs[m], means[m], squares[m]
        n_rows = x.dtype.type(x.shape[0])
        mean[:] = 0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                mean[j] += x[i, j]
        for j in range(mean.size):
            mean[j] /= n_rows
        square[:] = 0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                centred = x[i, j] - mean[j]
                square[j] += centred * centred


def _normalize(
    x: Array, gamma: Array, mean: Array, inverse_std: Array, x_hat: Array, y: Array
) -> None:
    x_hat[:] = (x - mean[:, np.newaxis]) * inverse_std[:, np.newaxis]
    np.multiply(x_hat, gamma[:, np.newaxis], out=y)


@kernel(plain=_normalize)
def normalize(xs, gammas, means, inverse_stds, x_hats, ys):  # type: ignore[no-untyped-def]
    """Compute x̂ = (x − μ)/s and y = γ x̂."""
    for m in range(xs.shape[0]):
        x, gamma, x_hat, y = xs[m], gammas[m], x_hats[m], ys[m]
        mean, inverse_std = means[m], inverse_stds[m]
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                value = (x[i, j] - mean[j]) * inverse_std[j]
                x_hat[i, j] = value
                y[i, j] = value * gamma[j]


def _sum_products(dy: Array, x_hat: Array, dgamma: Array) -> None:
    np.sum(dy * x_hat, axis=-2, out=dgamma)


@kernel(plain=_sum_products)
def sum_products(dys, x_hats, dgammas):  # type: ignore[no-untyped-def]
    """Compute dγ = Σ dy x̂."""
    for m in range(dys.shape[0]):
        dy, x_hat, dgamma = dys[m], x_hats[m], dgammas[m]
        dgamma[:] = 0
        for i in range(dy.shape[0]):
            for j in range(dy.shape[1]):
                dgamma[j] += dy[i, j] * x_hat[i, j]


def _normalize_backward(
    dy: Array, x_hat: Array, scale: Array, dgamma: Array, dbeta: Array, n_rows: int
) -> None:
    dy -= (dbeta / n_rows)[:, np.newaxis]
    dy -= x_hat * (dgamma / n_rows)[:, np.newaxis]
    dy *= scale[:, np.newaxis]


@kernel(plain=_normalize_backward)
def normalize_backward(dys, x_hats, scales, dgammas, dbetas, n_rows):  # type: ignore[no-untyped-def]
    """Compute dy ← dx = γ/s (dy − dβ/n − x̂ dγ/n) for some rows of a batch of n."""
    for m in range(dys.shape[0]):
        dy, x_hat, scale, dgamma, dbeta = dys[m], x_hats[m], scales[m], dgammas[m], dbetas[m]
        share = dy.dtype.type(1) / dy.dtype.type(n_rows)
        for i in range(dy.shape[0]):
            for j in range(dy.shape[1]):
                slope = dy[i, j] - share * (dbeta[j] + x_hat[i, j] * dgamma[j])
                dy[i, j] = scale[j] * slope


class Measured:
    """What the workers measure in one layer, each on its own rows of the batch.

    Parameters
    ----------
    layer : BatchNorm
    sizes : list of int
        The number of rows of each worker.
    """

    def __init__(self, layer: BatchNorm, sizes: list[int]) -> None:
        check_batch(sum(sizes))
        self.n_rows = sum(sizes)
        self.counts = np.array(sizes, layer.gamma.dtype)[:, np.newaxis, np.newaxis]
        shape = (len(sizes), *stacked(layer.gamma, 2).shape)
        self.means, self.squares, self.dgammas, self.dbetas = np.empty(
            (4, *shape), layer.gamma.dtype
        )

    def statistics(self) -> tuple[Array, Array]:
        """Return μ and v of all rows (Chan, Golub & LeVeque 1983, eq. 2.1)."""
        if len(self.means) == 1:
            return self.means[0], self.squares[0] / self.n_rows
        mean = (self.counts * self.means).sum(axis=0) / self.n_rows
        between = self.counts * np.square(self.means - mean)
        return mean, (self.squares + between).sum(axis=0) / self.n_rows


class Normalize(Stage):
    """a = σ(γ x̂ + β), batch normalisation with the activation after it.

    Parameters
    ----------
    layer : BatchNorm
    passes : Passes
        The passes of the activation.
    gradients : (dγ, dβ)
    n_rows : int
        The number of this worker's rows.
    measured : Measured
    part : int
        The number of this worker.
    """

    def __init__(
        self,
        layer: BatchNorm,
        passes: Passes,
        gradients: Places,
        n_rows: int,
        measured: Measured,
        part: int,
    ) -> None:
        self.layer, self.gradients, self.measured, self.part = layer, gradients, measured, part
        shape, dtype = (*layer.gamma.shape[:-1], n_rows, layer.gamma.shape[-1]), layer.gamma.dtype
        self.x_hat, self.y = np.empty((2, *shape), dtype)
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest

    def forward(self, x: Array) -> Array:
        self._measure(x)
        return self._normalize(x)

    def backward(self, dy: Array) -> Array:
        self._measure_back(dy)
        return self._back(dy)

    def forward_in_turns(self, x: Array) -> Turns:
        self._measure(x)
        yield
        return self._normalize(x)

    def backward_in_turns(self, dy: Array) -> Turns:
        self._measure_back(dy)
        yield
        return self._back(dy)

    def update_state(self) -> None:
        self.layer.average(*self.moments, self.measured.n_rows)

    def _measure(self, x: Array) -> None:
        moments.fastest(
            stacked(x), self.measured.means[self.part], self.measured.squares[self.part]
        )

    def _normalize(self, x: Array) -> Array:
        gamma, beta = (
            np.ascontiguousarray(stacked(v, 2)) for v in (self.layer.gamma, self.layer.beta)
        )
        mean, variance = self.measured.statistics()
        inverse_std = 1 / np.sqrt(variance + variance.dtype.type(self.layer.epsilon))
        shape = self.layer.gamma.shape
        self.moments = mean.reshape(shape), variance.reshape(shape)
        self.scale = gamma * inverse_std
        y = stacked(self.y)
        normalize.fastest(stacked(x), gamma, mean, inverse_std, stacked(self.x_hat), y)
        self.forward_pass(y, beta)
        return self.y

    def _measure_back(self, dy: Array) -> None:
        dys, measured = stacked(dy), self.measured
        dgamma, dbeta = measured.dgammas[self.part], measured.dbetas[self.part]
        self.backward_pass(dys, stacked(self.y), dbeta)
        sum_products.fastest(dys, stacked(self.x_hat), dgamma)
        for place, own in zip(self.gradients, (dgamma, dbeta), strict=True):
            if place is not None:  # the workers' gradients are added up later
                stacked(place, 2)[:] = own

    def _back(self, dy: Array) -> Array:
        measured = self.measured
        dgamma, dbeta = measured.dgammas.sum(axis=0), measured.dbetas.sum(axis=0)
        normalize_backward.fastest(
            stacked(dy), stacked(self.x_hat), self.scale, dgamma, dbeta, measured.n_rows
        )
        return dy
