"""A compiled step of K networks, one member after the other, each within the cache.

`Step` computes a layer for all members before the next layer. With many small networks, it spends
most of its time on loading their arrays again and again, and on calls. Here, one member's forward
pass, backward pass and update are completed before the next member begins, so that its arrays stay
in the cache. Only one member's activations are kept at a time. The compiled code is in
`fused_loops`.

This module needs numba; it is imported only if numba is installed. It covers the parts that most
ensembles use: see `fits`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.blocks import Dropout
from multilayer.numpy.clipping import Clip
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast import criteria, embed, fused_loops, updates
from multilayer.numpy.fast.chain import arrays_for, is_ready, layers_of
from multilayer.numpy.fast.fused_loops import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    DROP,
    IN,
    OUT,
    SQUARED_ERROR,
)
from multilayer.numpy.fast.product import product_address
from multilayer.numpy.fast.updates import matrices_of, numbers_of, settings_of
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers import Optimizer, State
from multilayer.randomness import Generators

__all__ = ["FusedStep", "fits"]

Array = npt.NDArray[Any]

CRITERIA = {
    criteria.cross_entropy: CROSS_ENTROPY,
    criteria.binary_cross_entropy: BINARY_CROSS_ENTROPY,
    criteria.squared_error: SQUARED_ERROR,
}
"""The number by which the compiled loops know each loss kernel."""


def fits(
    network: Network, objective: Objective, optimizer: Optimizer, X: object, targets: Array
) -> bool:
    """Return whether a `FusedStep` can train these networks.

    Their hidden layers must be affine, with ReLU, leaky ReLU or no activation, and optionally
    dropout, after optional embeddings. Loss and optimizer must have kernels. The samples must be a
    contiguous array with the networks' dtype.
    """
    return (
        isinstance(X, np.ndarray)
        and is_ready(X, network)
        and type(optimizer) in updates.KERNELS
        and criteria.kernel_of(objective.loss, network.link, targets) in CRITERIA
        and layers_of(network, 1) is not None
    )


class FusedStep:
    """Takes optimizer steps on K networks, as `Step` does; for the arguments, see there."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        optimizer: Any,
        state: State,
        clip: Clip,
        max_norm: Any,
        rng: Generators,
        data: tuple[Array, Array, Array | None],
    ) -> None:
        X, targets, weight = data
        self.theta, self.rng, self.state = network.parameters, rng, state
        self.gemm = product_address(self.theta.dtype)
        n_members, size = self.theta.shape
        dtype = self.theta.dtype

        self.network = network
        self.X, self.n_samples = X, len(X)
        criterion = criteria.kernel_of(objective.loss, network.link, targets)
        assert criterion is not None
        self.criterion = CRITERIA[criterion]
        has_labels = criterion is criteria.cross_entropy
        self.labels = np.ascontiguousarray(targets if has_labels else np.zeros(0), np.intp)
        width = network.last.W.shape[-2]
        self.values = np.ascontiguousarray(
            np.zeros((0, width)) if has_labels else targets.reshape(-1, width), dtype
        )
        self.weights = np.ascontiguousarray(
            np.zeros((0, 0)) if weight is None else np.atleast_2d(weight), dtype
        )
        self.penalized = np.array([(p.start, p.stop) for p in network.weight_slices])
        self.l1, self.l2 = (
            numbers_of(penalty, n_members) for penalty in (objective.l1, objective.l2)
        )
        self.norms, self.limits = (
            numbers_of(np.inf if limit is None else limit, n_members)
            for limit in (clip.norm, clip.value)
        )
        self.matrices = matrices_of(network)
        self.max_norms = numbers_of(np.inf if max_norm is None else max_norm, n_members)
        self.is_adam = updates.KERNELS[type(optimizer)] is updates.adam
        self.nesterov = bool(getattr(optimizer, "nesterov", False))
        self.settings = settings_of(optimizer, n_members)
        empty = np.zeros((n_members, 0), dtype)
        self.first = state.get("m" if self.is_adam else "velocity", empty)
        self.second = state.get("v", empty)
        self.steps = np.zeros(n_members, np.int64)
        drops = [layer.rate for layer in network.layers if isinstance(layer, Dropout)]
        rates = np.array([numbers_of(rate, n_members) for rate in drops]).reshape(-1, n_members)
        self.dropout_rates = np.ascontiguousarray(rates.T)
        layer = network.layers[0]
        self.embeddings: tuple[Any, ...] = np.zeros(0, np.intp), np.zeros((0, 4), np.intp), 1.0
        if isinstance(layer, Embedding):
            self.embeddings = *embed.description_of(layer), layer.embeddings.speed
        self.gradient = np.zeros((1, 1, size), dtype)
        self.losses = np.zeros(n_members)
        self.rates = np.zeros(n_members)
        self._work: dict[int, tuple[Array, ...]] = {}
        self.begin_epoch(None)

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's rows, of shape (n,) or (K, n)."""
        given = np.arange(self.n_samples) if order is None else order
        self.orders = np.ascontiguousarray(np.atleast_2d(given), dtype=np.intp)

    def take(self, start: int, stop: int, learning_rate: Any) -> Array:
        """Take a step on the rows at these positions of the order; return the losses before it."""
        layers, uniforms, *work = self._work.get(stop - start) or self._prepare(stop - start)
        idle = self._idle(start, stop) if len(self.weights) else None
        begin = 0
        for row in layers[layers[:, DROP] >= 0]:
            end = begin + (stop - start) * row[OUT]
            drops = self.dropout_rates[:, row[DROP]] > 0
            where = drops if idle is None else drops & ~idle
            self.rng.random(out=uniforms[:, begin:end], dtype=np.float32, where=where)
            begin = end
        self.rates[:] = learning_rate
        self.steps[:] = self.state["step"][:, 0]
        run: Any = fused_loops.take_steps
        run(
            self.gemm, layers, self.penalized, self.criterion, self.X, self.labels, self.values,
            self.weights, self.orders, start, stop, self.theta, self.first, self.second,
            self.steps, uniforms, self.dropout_rates, self.rates, self.l1, self.l2, self.norms,
            self.limits, self.matrices, self.max_norms, self.is_adam, self.nesterov, self.settings,
            *self.embeddings, *work, self.losses,
        )  # fmt: skip
        self.state["step"][:, 0] = self.steps
        return self.losses

    def finish(self) -> None:
        """Release the work arrays."""
        self._work = {}

    def _idle(self, start: int, stop: int) -> Array:
        """Return which members' rows all have weight 0; these take no step and draw no masks."""
        n_members = len(self.theta)
        rows = np.broadcast_to(self.orders, (n_members, self.orders.shape[1]))[:, start:stop]
        weights = np.broadcast_to(self.weights, (n_members, self.weights.shape[1]))
        return np.asarray(~np.take_along_axis(weights, rows, axis=1).any(axis=1))

    def _prepare(self, n_rows: int) -> tuple[Array, ...]:
        """Make, keep and return the arrays for batches of this many rows."""
        layers = layers_of(self.network, n_rows)
        assert layers is not None
        dtype, n_members = self.theta.dtype, len(self.theta)
        n_uniforms = int(layers[layers[:, DROP] >= 0, OUT].sum()) * n_rows
        arrays, slopes, no_bias = arrays_for(layers, n_rows, dtype)
        work = self._work[n_rows] = (
            layers,
            np.zeros((n_members, n_uniforms), np.float32),
            arrays,
            slopes,
            self.gradient,
            np.empty((n_rows, self.X.shape[1]), dtype),
            np.empty((n_rows, layers[0, IN]), dtype),
            np.zeros((1, n_rows), np.intp),
            np.zeros((1, n_rows, layers[-1, OUT]), dtype),
            np.empty((1, n_rows), dtype),
            no_bias,
        )
        return work
