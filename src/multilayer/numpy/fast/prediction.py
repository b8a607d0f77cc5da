"""Predictor: the way forward alone, in pieces that fit the cache, on all cores.

Few rows are computed by plain NumPy, so that a single prediction loads nothing. Many are cut into
pieces, which threads take one after the other, whoever comes first: a thread that is held up leaves
the rest to the others, and the result does not depend on who computed which piece.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations import ACTIVATIONS
from multilayer.numpy.activations.base import Activation
from multilayer.numpy.blocks import Dropout, Residual
from multilayer.numpy.fast.blas import n_threads, single_threaded
from multilayer.numpy.fast.passes import Form, add_bias, bias_of, fastest, passes_of, plain
from multilayer.numpy.fast.plan import fused
from multilayer.numpy.fast.step import n_rewarding
from multilayer.numpy.fast.workers import Workers
from multilayer.numpy.layers import Affine, Layer, Stack
from multilayer.numpy.network import Network
from multilayer.samples import LazySamples, reader

__all__ = ["Predictor"]

Array = npt.NDArray[Any]
Forward = Callable[[Array], Array]

PIECE = 512
"""Rows computed at a time, at most."""
PIECE_BYTES = 2**24
"""What they may take as inputs; wide ones are fewer at a time."""


class Predictor:
    """Computes a network's features and logits; it holds no arrays but the network's own.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._hidden, self._last = network.hidden, network.last
        self._n_weights = sum(place.stop - place.start for place in network.weight_slices)
        self._few = self._ways(plain)
        self._many: tuple[Forward, Forward] | None = None

    def features(self, x: Array | LazySamples) -> Array:
        """Return the last hidden layer's output of checked samples; x itself if there is none."""
        return self._compute(x, 0, self._last.W.shape[1])

    def logits(self, x: Array | LazySamples) -> Array:
        """Return the last layer's values of checked samples, before the link function."""
        return self._compute(x, 1, len(self._last.W))

    def _ways(self, form: Form) -> tuple[Forward, Forward]:
        """Return the ways to the features and to the logits."""
        features = _way(self._hidden, form)
        last = _dense(self._last, ACTIVATIONS["identity"], form)
        return features, lambda x: last(features(x))

    def _compute(self, x: Array | LazySamples, way: int, width: int) -> Array:
        n_rows, dtype = len(x), self._last.W.dtype
        length = min(PIECE, max(1, PIECE_BYTES // (x.shape[1] * dtype.itemsize)))
        if n_rows <= length:
            with np.errstate(invalid="ignore"):  # BLAS may set the flag for lanes beside the result
                return self._few[way](np.asarray(x, dtype=dtype))
        if self._many is None:
            self._many = self._ways(fastest)
        forward = self._many[way]
        out = np.empty((n_rows, width), dtype)
        read = reader(x) if isinstance(x, LazySamples) else None
        starts = itertools.count(0, length)  # each number is taken by one thread only
        failed: list[int] = []

        def work(part: int) -> None:
            try:
                for start in starts:
                    if start >= n_rows or failed:
                        return
                    piece = slice(start, min(start + length, n_rows))
                    if read is None:
                        rows = x[piece]
                    else:
                        rows = np.empty((piece.stop - start, x.shape[1]), dtype)
                        read(piece, rows)
                    out[piece] = forward(rows)
            except BaseException:
                failed.append(part)  # the others need not go on
                raise

        n = n_rewarding(2 * n_rows * self._n_weights, n_threads())
        with np.errstate(invalid="ignore"):
            if n == 1:
                work(0)
                return out
            with single_threaded():
                workers = Workers(n)
                try:
                    workers.run(work, n)
                finally:
                    workers.stop()
        return out


def _way(layer: Layer, form: Form) -> Forward:
    """Return a layer's way forward in prediction mode."""
    if isinstance(layer, Residual):
        inner = _way(layer.inner, form)
        return lambda x: x + inner(x)
    if not isinstance(layer, Stack):
        return lambda x: layer.forward(x)[0]
    ways = [
        _dense(part, activation or ACTIVATIONS["identity"], form)
        if isinstance(part, Affine)
        else _way(part, form)
        for part, activation in fused(layer.layers)
        if not isinstance(part, Dropout)
    ]

    def forward(x: Array) -> Array:
        for way in ways:
            x = way(x)
        return x

    return forward


def _dense(layer: Affine, activation: Activation, form: Form) -> Forward:
    """Return a = σ(x Wᵀ + b)."""
    passes = passes_of(activation)
    WT = layer.W.T
    b = bias_of(layer.W, layer.b)
    epilogue = form(add_bias) if passes is None else passes.forward(form)

    def forward(x: Array) -> Array:
        z = np.dot(x, WT)
        epilogue(z, b)
        return z if passes is not None else activation.forward(z)

    return forward
