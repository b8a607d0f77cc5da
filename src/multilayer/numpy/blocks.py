"""Dropout, noise and residual blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.layers import Gradients, Layer, Stack
from multilayer.randomness import Generators

__all__ = ["Dropout", "GaussianNoise", "RandomLayer", "Residual", "draw_normal", "with_caches"]

Array = npt.NDArray[Any]


class RandomLayer(Layer):
    """A layer that draws random numbers for each training batch; in prediction, y = x.

    The numbers are float32, so that networks of either dtype draw the same ones.
    """

    def draw(self, rng: Any, out: Array, where: Any = None) -> None:
        """Fill `out` with the random numbers for a batch, one for each entry.

        Parameters
        ----------
        rng : numpy.random.Generator, or Generators of K networks
        out : array of float32
        where : array of bool, of shape (K,), optional
            Which of K networks draw.
        """
        raise NotImplementedError

    def apply(self, x: Array, drawn: Array) -> tuple[Array, Array]:
        """Return y, and the cache: the factors or the noise made from the numbers."""
        raise NotImplementedError

    def forward(
        self, x: Array, *, training: bool = False, rng: Any = None
    ) -> tuple[Array, Array | None]:
        if not training:
            return x, None
        if rng is None:
            rule = "must be a numpy.random.Generator while training"
            raise InvalidArgumentError(rule, "rng", type(self).__name__, got="None")
        # K networks may share x, but each draws its own numbers.
        lead = (len(rng),) if isinstance(rng, Generators) else x.shape[:-2]
        drawn = np.zeros((*lead, *x.shape[-2:]), np.float32)
        self.draw(rng, drawn)
        return self.apply(x, drawn)


class Dropout(RandomLayer):
    """y = x m/(1 − rate), with a mask m of zeros and ones, drawn anew for each batch.

    A unit is dropped (m = 0) with probability `rate`, independently for every sample. Dividing by
    1 − rate keeps the expected value the same, so prediction needs no scaling. The mask does not
    depend on x: dx = dy m/(1 − rate) (Srivastava et al. 2014, section 4, scaled in training as
    their section 10 describes).

    Parameters
    ----------
    rate : float, or array of shape (K, 1, 1) for K networks
        In [0, 1).
    """

    def __init__(self, rate: Any) -> None:
        is_number = not isinstance(rate, np.ndarray)
        self.rate = checks.real(rate, "rate", "Dropout", "[0, 1)") if is_number else rate

    def draw(self, rng: Any, out: Array, where: Any = None) -> None:
        if isinstance(rng, Generators):  # networks without dropout in this layer draw nothing
            drops = np.broadcast_to(np.ravel(self.rate) > 0, len(rng))
            rng.random(out=out, dtype=np.float32, where=drops if where is None else drops & where)
        else:
            rng.random(out=out, dtype=np.float32)

    def apply(self, x: Array, drawn: Array) -> tuple[Array, Array]:
        kept = drawn >= self.rate
        scaled_mask = kept / np.asarray(1 - self.rate, x.dtype)
        return x * scaled_mask, scaled_mask

    def backward(
        self, dy: Array, cache: Array | None, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        return dy if cache is None else dy * cache, ()


class GaussianNoise(RandomLayer):
    r"""y = x + σ n, with standard normal numbers n, drawn anew for each batch.

    The noise does not depend on x, so dx = dy. Its mean is 0, and prediction adds none.

    To second order in σ, noise on the inputs acts as a penalty on the network's derivatives with
    respect to them (Bishop 1995). For the squared error of a linear network, the penalty is exactly
    that of ridge regression,

    .. math:: E\left[\tfrac12 ‖W (x + σ n) + b - y‖^2\right]
              = \tfrac12 ‖W x + b - y‖^2 + \tfrac{σ^2}{2} ‖W‖^2 .

    In hidden layers the noise is added before the activation, and after the normalisation if there
    is one, as in the noisy path of ladder networks (Rasmus et al. 2015, algorithm 1). There γ and β
    are applied after the noise, here before it.

    Parameters
    ----------
    std : float
        σ ≥ 0.

    Examples
    --------
    >>> layer = GaussianNoise(0.1)
    >>> y, _ = layer.forward(np.zeros((1000, 5)), training=True, rng=np.random.default_rng(0))
    >>> bool(abs(y.std() - 0.1) < 0.01)
    True
    """

    def __init__(self, std: float) -> None:
        self.std = checks.real(std, "std", "GaussianNoise", "[0, inf)")

    def draw(self, rng: Any, out: Array, where: Any = None) -> None:
        draw_normal(rng, out, where)

    def apply(self, x: Array, drawn: Array) -> tuple[Array, Array]:
        noise = np.asarray(self.std * drawn, x.dtype)
        return x + noise, noise

    def backward(
        self, dy: Array, cache: Array | None, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        return dy, ()


class Residual(Layer):
    """y = x + f(x), with f a stack of layers (He et al. 2016, eq. 1).

    ∂y/∂x = 1 + ∂f/∂x: the gradient dy reaches x directly as well as through f, which keeps it from
    vanishing on its way through many blocks.
    """

    def __init__(self, inner: Stack) -> None:
        self.inner = inner

    def parts(self) -> list[Layer]:
        return self.inner.parts()

    @property
    def parameters(self) -> tuple[Array, ...]:
        return self.inner.parameters

    @property
    def state(self) -> dict[str, Array]:
        return self.inner.state

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, list[Any]]:
        y, cache = self.inner.forward(x, training=training, rng=rng)
        return x + y, cache

    def backward(
        self, dy: Array, cache: list[Any], *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        dx, gradients = self.inner.backward(dy, cache, need_dx=need_dx)
        return None if dx is None else dy + dx, gradients

    def update_state(self, cache: list[Any]) -> None:
        self.inner.update_state(cache)


def draw_normal(rng: Any, out: Array, where: Any = None) -> None:
    """Fill `out` with standard normal numbers; for the arguments, see `RandomLayer.draw`."""
    if isinstance(rng, Generators):
        rng.standard_normal(out=out, dtype=out.dtype, where=where)
    else:
        rng.standard_normal(out=out, dtype=out.dtype)


def with_caches(layer: Layer, cache: Any) -> Iterator[tuple[Layer, Any]]:
    """Yield each of a layer's parts, in forward order, with its cache from a forward pass."""
    while isinstance(layer, Residual):
        layer = layer.inner
    if isinstance(layer, Stack):
        for inner, own in zip(layer.layers, cache, strict=True):
            yield from with_caches(inner, own)
    else:
        yield layer, cache
