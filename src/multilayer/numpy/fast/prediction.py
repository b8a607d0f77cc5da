"""Predictor: the forward pass alone, in pieces that fit the cache, on all cores.

Few rows are computed in plain NumPy, so that a single prediction need not load numba. Many rows are
cut into pieces, and each thread takes the next piece when it is free: if one thread is held up, the
others do the rest. The result does not depend on which thread computed which piece.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.blocks import Residual
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast.blas import n_threads
from multilayer.numpy.fast.embed import description_of, embed, embed_few
from multilayer.numpy.fast.passes import PASSES, Form, Passes, bias_of, fastest, plain
from multilayer.numpy.fast.stages import stacked, stages_of
from multilayer.numpy.fast.workers import Workers, n_rewarding
from multilayer.numpy.layers import Activate, Affine, Layer
from multilayer.numpy.network import Network
from multilayer.samples import LazySamples, reader

__all__ = ["Predictor"]

Array = npt.NDArray[Any]
Forward = Callable[[Array], Array]

PIECE = 512
"""The maximum number of rows computed at a time."""
PIECE_BYTES = 2**24
"""The maximum size of a piece's inputs in bytes; pieces of wide inputs have fewer rows."""


class Predictor:
    """`Network.forward` in prediction mode; it keeps no arrays except the network's own.

    The results of K networks have shape (K, n_samples, width). Their inputs are the same samples
    for all, or separate samples for each, of shape (K, n_samples, in_features).

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._networks = network.parameters.shape[:-1]
        self._n_weights = math.prod(self._networks) * sum(
            place.stop - place.start for place in network.weight_slices
        )
        self._few = self._stages(plain)
        self._many: list[Forward] | None = None

    def features(self, x: Array | LazySamples) -> Array:
        """Return the last hidden layer's output for checked samples; x without hidden layers."""
        return self._compute(x, self._network.last.W.shape[-1], slice(-1))

    def logits(self, x: Array | LazySamples) -> Array:
        """Return the last layer's output for checked samples, before the link function."""
        return self._compute(x, self._network.last.W.shape[-2], slice(None))

    def piece(self, in_features: int) -> int:
        """Return how many rows are computed at a time.

        If samples are passed in blocks of a multiple of this number, each more than one piece, the
        results have the same bits as for all samples at once.
        """
        itemsize = self._network.parameters.dtype.itemsize
        length = min(PIECE, max(1, PIECE_BYTES // (in_features * itemsize)))
        return max(1, length // math.prod(self._networks))

    def _stages(self, form: Form) -> list[Forward]:
        network = self._network
        return [*_stages(network.hidden, form), _dense(network.last, PASSES[Identity], form)]

    def _compute(self, x: Array | LazySamples, width: int, stages: slice) -> Array:
        n_rows, dtype = x.shape[-2], self._network.parameters.dtype
        length = self.piece(x.shape[-1])
        if n_rows <= length:
            with np.errstate(invalid="ignore"):  # BLAS may set the flag for unused lanes
                return _forward(self._few[stages], np.asarray(x, dtype=dtype))
        if self._many is None:
            self._many = self._stages(fastest)
        many = self._many[stages]
        out = np.empty((*self._networks, n_rows, width), dtype)
        read = reader(x) if isinstance(x, LazySamples) else None
        starts = itertools.count(0, length)  # only one thread gets each number
        failed: list[int] = []

        def work(part: int) -> None:
            try:
                for start in starts:
                    if start >= n_rows or failed:
                        return
                    piece = slice(start, min(start + length, n_rows))
                    if read is None:
                        rows = x[..., piece, :]
                    else:
                        rows = np.empty((piece.stop - start, x.shape[1]), dtype)
                        read(piece, rows)
                    out[..., piece, :] = _forward(many, rows)
            except BaseException:
                failed.append(part)  # stops the others
                raise

        n = n_rewarding(2 * n_rows * self._n_weights, n_threads())
        workers = Workers(n, keep_blas=n == 1)
        try:
            with np.errstate(invalid="ignore"):
                workers.map(work, range(n))
        finally:
            workers.stop()
        return out


def _stages(layer: Layer, form: Form) -> list[Forward]:
    """Return a layer's forward pass in prediction mode, as a list of functions."""
    return [
        _dense(part, passes, form) if isinstance(part, Affine) else _other(part, form)
        for part, passes in stages_of(layer, training=False)
    ]


def _dense(layer: Affine, passes: Passes, form: Form) -> Forward:
    """Return a function of x that computes a = σ(x Wᵀ + b)."""
    WT, b, forward_pass = layer.W.mT, bias_of(layer.W, layer.b), passes.forward(form)
    bs = stacked(b, 2)
    product: Callable[[Array, Array], Array] = np.dot if WT.ndim == 2 else np.matmul

    def forward(x: Array) -> Array:
        z = product(x, WT)
        forward_pass(stacked(z), np.ascontiguousarray(bs))
        return z

    return forward


def _embedding(layer: Embedding, run: Callable[..., None]) -> Forward:
    """Return a function of x that computes the layer's forward pass for many rows."""
    (plain_inputs, embedded), speed = description_of(layer), layer.embeddings.speed
    width = layer.embeddings.out_features(layer.in_features)
    *networks, _, _ = layer.V.shape

    def forward(x: Array) -> Array:
        y = np.empty((*networks, x.shape[-2], width), layer.V.dtype)
        xs = np.broadcast_to(x, (*networks, *x.shape[-2:]))
        for k in np.ndindex(*networks):
            run(np.ascontiguousarray(xs[k]), np.ascontiguousarray(layer.V[k]), plain_inputs,
                embedded, speed, y[k])  # fmt: skip
        return y

    return forward


def _other(layer: Layer, form: Form) -> Forward:
    if isinstance(layer, Residual):
        inner = _stages(layer.inner, form)
        return lambda x: x + _forward(inner, x)
    if isinstance(layer, Activate):
        return layer.activation.forward
    if isinstance(layer, Embedding):
        return embed_few(layer) if form is plain else _embedding(layer, form(embed))
    return lambda x: layer.forward(x)[0]


def _forward(stages: list[Forward], x: Array) -> Array:
    for stage in stages:
        x = stage(x)
    return x
