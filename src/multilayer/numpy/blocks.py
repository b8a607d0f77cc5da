"""Dropout and residual blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.numpy.layers import Gradients, Layer, Stack
from multilayer.randomness import Generators

__all__ = ["Dropout", "Residual", "with_caches"]

Array = npt.NDArray[Any]


class Dropout(Layer):
    """y = x m/(1 − rate), with a mask m of zeros and ones, drawn anew for each batch.

    A unit is dropped (m = 0) with probability `rate`, independently for every sample. Dividing by
    1 − rate keeps the expected value, so that prediction needs no scaling. The mask is a constant
    of the batch: dx = dy m/(1 − rate) (Srivastava et al. 2014, section 4, scaled in training as
    their section 10 describes).

    Parameters
    ----------
    rate : float, or array of shape (K, 1, 1) for K networks
        In [0, 1).
    """

    def __init__(self, rate: Any) -> None:
        is_one = not isinstance(rate, np.ndarray)
        self.rate = checks.real(rate, "rate", "Dropout", "[0, 1)") if is_one else rate

    def forward(
        self, x: Array, *, training: bool = False, rng: Any = None
    ) -> tuple[Array, Array | None]:
        if not training:
            return x, None
        if rng is None:
            rule = "must be a numpy.random.Generator while training"
            raise InvalidArgumentError(rule, "rng", "Dropout", got="None")
        if isinstance(rng, Generators):  # those without dropout here draw nothing
            drops = np.broadcast_to(np.ravel(self.rate) > 0, len(rng))
            uniform = rng.random(x.shape, dtype=np.float32, where=drops)
        else:
            uniform = rng.random(x.shape, dtype=np.float32)
        kept = uniform >= self.rate
        scaled_mask = kept / np.asarray(1 - self.rate, x.dtype)
        return x * scaled_mask, scaled_mask

    def backward(
        self, dy: Array, cache: Array | None, *, need_dx: bool = True
    ) -> tuple[Array | None, Gradients]:
        return dy if cache is None else dy * cache, ()


class Residual(Layer):
    """y = x + f(x), with f a stack of layers (He et al. 2016, eq. 1).

    ∂y/∂x = 1 + ∂f/∂x: the gradient dy reaches x directly as well as through f, so it cannot vanish
    on its way through many blocks.
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


def with_caches(layer: Layer, cache: Any) -> Iterator[tuple[Layer, Any]]:
    """Yield each of a layer's parts, in forward order, with its cache of a forward pass."""
    while isinstance(layer, Residual):
        layer = layer.inner
    if isinstance(layer, Stack):
        for inner, own in zip(layer.layers, cache, strict=True):
            yield from with_caches(inner, own)
    else:
        yield layer, cache
