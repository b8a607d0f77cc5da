"""Step: one fast training step on some rows of the samples.

Each worker runs its own rows of the batch forward and backward; then each adds up the gradients of
its own part of the parameter vector, with the penalty's, and updates that part. A batch's loss is
the sum of its samples' shares of the mean, so parts of a batch simply add up.
"""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.criteria import criterion_of
from multilayer.numpy.fast.plan import Plan, dropout_widths
from multilayer.numpy.fast.source import Source
from multilayer.numpy.fast.updates import add_penalty, add_up, clip_in_place, update_of
from multilayer.numpy.fast.workers import ROWS, Workers, n_parts
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.samples import LazySamples

__all__ = ["Step"]

Array = npt.NDArray[Any]

PIECE = 8192
"""The maximum number of samples at a time when the loss of all samples is computed."""
PIECE_BYTES = 2**25
"""The maximum size of these samples; of wide ones, fewer are taken at a time."""
LONG = 200_000
"""From this many parameters on, several threads update them."""
ALIGN = 16
"""Parts of the parameter vector begin at multiples of this: a cache line of float32."""


class _Rows(NamedTuple):
    """A worker's rows of a batch, with the arrays and the plan for them."""

    start: int
    stop: int
    x: Array
    share: Array
    plan: Plan


class _Part(NamedTuple):
    """A worker's part of the parameter vector."""

    start: int
    stop: int
    penalized: list[tuple[int, int]]
    n_gradients: int
    """The number of workers with a gradient, each of its own rows."""


class _Batch(NamedTuple):
    """The arrays for batches of one size, and the division of the work on them."""

    share: Array
    """Each row's share of the mean."""
    uniforms: list[Array]
    """The numbers that decide what each dropout layer drops."""
    rows: list[_Rows]
    parts: list[_Part]


class Step:
    """Takes optimizer steps on a network, as `take_step` does.

    Parameters
    ----------
    network : Network
        The network whose parameters it changes.
    objective : Objective
    optimizer : Optimizer, optional
        None if no steps are taken.
    state : dict
        The optimizer's state, which it changes.
    clip : Clip
    rng : numpy.random.Generator
        Draws the dropout masks of the whole batch, in forward order, however the work is divided.
    data : tuple (X, targets, weight)
        Checked samples.
    batch_size : int, optional
        The usual number of rows of a batch, which decides the number of threads; by default the
        number that `loss_and_gradient` takes at a time.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        optimizer: Optimizer | None,
        state: State,
        clip: Clip,
        rng: np.random.Generator,
        data: tuple[Array | LazySamples, Array, Array | None],
        batch_size: int | None = None,
    ) -> None:
        self.network, self.objective = network, objective
        self.state, self.clip, self.rng = state, clip, rng
        self.source = Source(*data)
        self.criterion = criterion_of(objective.loss, network.link, data[1])
        parameters = network.parameters
        self._updates_parts = False
        if optimizer is not None:
            self._update, by_parts = update_of(optimizer, parameters, state)
            self._updates_parts = by_parts and clip == Clip()
        self._has_state = bool(network.state)
        self._by_rows = all(layer.by_rows for layer in network.layers)
        self._piece = len(data[1])
        if self._by_rows:
            row_bytes = network.in_features * parameters.itemsize
            self._piece = min(self._piece, PIECE, max(ROWS, PIECE_BYTES // row_bytes))
        # Forward, dW and dx each take one multiplication and one addition per weight.
        self._n_operations = 6 * sum(W.stop - W.start for W in network.weight_slices)
        self._workers = Workers.for_batches(
            batch_size or self._piece, self._n_operations, by_rows=self._by_rows
        )
        self._gradients = np.zeros((self._workers.n, parameters.size), parameters.dtype)
        self._batches: dict[int, _Batch] = {}

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's rows; None keeps that of the samples."""
        self.source.begin_epoch(order)

    def take(self, start: int, stop: int, learning_rate: float) -> float:
        """Take a step on the rows at these positions of the order; return the loss before it.

        If that loss is infinite or NaN, or all weights are 0, nothing is changed.
        """
        batch = self._batches.get(stop - start) or self._prepare(stop - start)
        if not self.source.take_shares(start, stop, batch.share):
            return 0.0
        loss = self._pass(batch, start)
        if not math.isfinite(loss):
            return loss
        self.state["step"] += 1
        if self._updates_parts:
            self._learning_rate = learning_rate
            penalties = self._workers.map(self._update_part, batch.parts)
        else:
            penalties = self._workers.map(self._add_up_part, batch.parts)
            clip_in_place(self._gradients[0], self.clip)
            self._update(self._gradients, 1, 0, self.network.parameters.size, learning_rate)
        for rows in batch.rows if self._has_state else ():
            rows.plan.update_state()
        return loss + sum(penalties)

    def loss_and_gradient(self, n_samples: int) -> tuple[float, Array]:
        """Return the loss of all samples, penalty included, and its gradient.

        They are taken in pieces, so that memory does not grow with them, unless a layer needs all
        at once. Each piece counts by its share of the weights, and so does its penalty.
        """
        bounds = list(pairwise([*range(0, n_samples, self._piece), n_samples]))
        masses = [self.source.mass(start, stop) for start, stop in bounds]
        total, value = sum(masses), 0.0
        gradient = np.zeros(self.network.parameters.size)
        for (start, stop), mass in zip(bounds, masses, strict=True):
            batch = self._batches.get(stop - start) or self._prepare(stop - start)
            if not self.source.take_shares(start, stop, batch.share):
                continue
            loss = self._pass(batch, start)
            penalties = self._workers.map(self._add_up_part, batch.parts)
            value += mass / total * (loss + sum(penalties))
            gradient += mass / total * self._gradients[0]
        return value, gradient

    def finish(self) -> None:
        """End the threads, and give BLAS its own back."""
        self._batches = {}
        self._workers.stop()

    def _pass(self, batch: _Batch, start: int) -> float:
        """Run forward and backward; return the loss without penalty."""
        for uniform in batch.uniforms:
            self.rng.random(out=uniform, dtype=np.float32)
        self._start = start
        return sum(self._workers.map(self._pass_rows, batch.rows))

    def _pass_rows(self, rows: _Rows) -> float:
        """Run a worker's rows forward and backward; return their loss."""
        start, stop = self._start + rows.start, self._start + rows.stop
        x = self.source.samples(start, stop, rows.x)
        return rows.plan.run(x, self.source.targets_of(start, stop), rows.share)

    def _add_up_part(self, part: _Part) -> float:
        """Add up the gradients of a part of the vector, with the penalty's; return the penalty."""
        gradients, objective = self._gradients, self.objective
        add_up.fastest(gradients, part.n_gradients, part.start, part.stop)
        theta, l1, l2 = self.network.parameters, objective.l1, objective.l2
        penalty = 0.0
        for start, stop in part.penalized:
            penalty += add_penalty.fastest(gradients[0], theta, start, stop, l1, l2)
        return penalty

    def _update_part(self, part: _Part) -> float:
        """Add up and update a part of the vector; return the penalty."""
        penalty, n = 0.0, part.n_gradients
        if part.penalized:
            penalty, n = self._add_up_part(part), 1
        self._update(self._gradients, n, part.start, part.stop, self._learning_rate)
        return penalty

    def _prepare(self, n_rows: int) -> _Batch:
        """Make and keep the arrays for batches of this many rows."""
        network, dtype = self.network, self._gradients.dtype
        n = n_parts(n_rows, self._n_operations, self._workers.n) if self._by_rows else 1
        share = np.full(n_rows, 1 / n_rows, dtype)
        uniforms = [np.empty((n_rows, width), np.float32) for width in dropout_widths(network)]
        rows = []
        for (start, stop), gradient in zip(_cuts(n_rows, n), self._gradients[:n], strict=True):
            cut = slice(start, stop)
            own = [uniform[cut] for uniform in uniforms]
            plan = Plan(network, network.pairs(gradient), own, self.criterion, stop - start)
            x = np.empty((stop - start, network.in_features), dtype)
            rows.append(_Rows(start, stop, x, share[cut], plan))
        weights = network.weight_slices if self.objective.l1 or self.objective.l2 else []
        parts = []
        size = network.parameters.size
        # A short vector is updated before another thread would wake up.
        for start, stop in _cuts(size, n if size >= LONG else 1, ALIGN):
            inside = [(max(start, w.start), min(stop, w.stop)) for w in weights]
            parts.append(_Part(start, stop, [(lo, hi) for lo, hi in inside if lo < hi], n))
        batch = self._batches[n_rows] = _Batch(share, uniforms, rows, parts)
        return batch


def _cuts(size: int, n: int, align: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of n nearly equal parts of a range."""
    bounds = [size * part // n // align * align for part in range(n)]
    return list(pairwise([*bounds, size]))
