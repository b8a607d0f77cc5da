"""Step: one training step on some rows of the samples, for speed.

Each worker takes its own rows of the batch forward and back; then each adds up the gradients of its
own part of the parameter vector, with the penalty's, and updates that part. A batch's loss is the
sum of its samples' shares of the mean, so parts of a batch simply add up.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.clipping import Clip, clip_by_norm
from multilayer.numpy.fast.blas import n_threads, single_threaded
from multilayer.numpy.fast.criteria import criterion_of
from multilayer.numpy.fast.plan import Plan, dropout_widths, is_by_rows
from multilayer.numpy.fast.source import Source
from multilayer.numpy.fast.updates import Update, add_penalty, add_up, update_of
from multilayer.numpy.fast.workers import Workers
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.samples import LazySamples

__all__ = ["Step", "n_rewarding"]

Array = npt.NDArray[Any]

WORK = 1e7
"""Floating-point operations below which a thread is not worth waking: about 0.3 ms of one core."""
ROWS = 16
"""Rows of a batch that a worker gets at least: products of fewer waste a core."""
PIECE = 8192
"""Samples of which the loss is computed at a time, where it is one of all of them, at most."""
PIECE_BYTES = 2**25
"""What they may take; wide ones are fewer at a time."""
LONG = 200_000
"""Parameters from which several threads update them."""
ALIGN = 16
"""Parts of the parameter vector begin at multiples of this: a cache line of float32."""


def n_rewarding(n_operations: float, n_available: int) -> int:
    """Return how many of the available threads so many floating-point operations reward."""
    return max(1, min(n_available, int(n_operations / WORK)))


class Step:
    """Takes optimizer steps on a network, as `take_step` does.

    Parameters
    ----------
    network : Network
        Whose parameters it changes.
    objective : Objective
    optimizer : Optimizer, optional
        None, if no steps are taken.
    state : dict
        The optimizer's, which it changes.
    clip : Clip
    rng : numpy.random.Generator
        Draws the dropout masks, of the whole batch and in forward order, whoever computes it.
    data : tuple (X, targets, weight)
        Checked samples.
    batch_size : int, optional
        The rows that most batches have, by which the number of threads is decided; by default those
        of the first batch.
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
        self._update: Update | None = None
        self._in_one_go = False
        if optimizer is not None:
            self._update, by_parts = update_of(optimizer, network.parameters, state)
            self._in_one_go = by_parts and clip == Clip()
        self._has_state = bool(network.state)
        self._by_rows = is_by_rows(network.hidden)
        self._batches: dict[int, _Batch] = {}
        self._workers: Workers | None = None
        self._exit = ExitStack()
        if batch_size is not None:
            self._prepare(batch_size)

    def begin_epoch(self, order: Array | None) -> None:
        """Take the order of the next epoch's rows; None is that of the samples."""
        self.source.begin_epoch(order)

    def take(self, start: int, stop: int, learning_rate: float) -> float:
        """Take a step on the rows at these places of the order; return the loss before it.

        If the rows' loss is infinite or NaN, or no row has a weight, nothing is changed.
        """
        assert self._update is not None
        batch = self._batch(start, stop)
        if batch is None:
            return 0.0
        value = self._pass(batch)
        if not math.isfinite(value):
            return value
        self.state["step"] += 1
        batch.learning_rate = learning_rate
        if self._in_one_go:
            self._run(batch.update_part, len(batch.parts))
        else:
            self._run(batch.add_up_part, len(batch.parts))
            self._clip(self.gradients[0])
            self._update(self.gradients, 1, 0, self.network.parameters.size, learning_rate)
        if self._has_state:
            for plan in batch.plans:
                plan.update_state()
        has_penalty = self.objective.l1 or self.objective.l2
        return value + sum(batch.penalties) if has_penalty else value

    def loss_and_gradient(self, n_samples: int) -> tuple[float, Array]:
        """Return the loss of all samples, penalty included, and its gradient.

        They are taken piece by piece, so that memory does not grow with them, unless a layer needs
        all at once. Each piece counts by its share of the weights, and so does its penalty.
        """
        row_bytes = self.network.in_features * self.network.parameters.itemsize
        length = min(PIECE, max(ROWS, PIECE_BYTES // row_bytes)) if self._by_rows else n_samples
        starts = range(0, n_samples, length)
        masses = [self.source.mass(start, min(start + length, n_samples)) for start in starts]
        total, value = sum(masses), 0.0
        gradient = np.zeros(self.network.parameters.size)
        for start, mass in zip(starts, masses, strict=True):
            batch = self._batch(start, min(start + length, n_samples))
            if batch is None:  # none of these has a weight
                continue
            loss = self._pass(batch)
            self._run(batch.add_up_part, len(batch.parts))
            value += mass / total * (loss + sum(batch.penalties))
            gradient += mass / total * self.gradients[0]
        return value, gradient

    def finish(self) -> None:
        """End the threads, and give BLAS back its own."""
        self._batches = {}
        self._exit.close()

    def _batch(self, start: int, stop: int) -> "_Batch | None":
        """Return what these rows are worked on with, weights taken; None if they have none."""
        batch = self._batches.get(stop - start) or self._prepare(stop - start)
        weight = self.source.weights_of(start, stop)
        if weight is not None and not batch.take_weights(weight):
            return None
        batch.start = start
        return batch

    def _pass(self, batch: "_Batch") -> float:
        """Go forward and back; return the loss without penalty."""
        for uniform in batch.uniforms:
            self.rng.random(out=uniform, dtype=np.float32)
        self._run(batch.pass_rows, batch.n)
        return sum(batch.losses)

    def _run(self, work: Callable[[int], None], n: int) -> None:
        if n == 1:
            work(0)
        else:
            assert self._workers is not None
            self._workers.run(work, n)

    def _clip(self, gradient: Array) -> None:
        norm, value = self.clip.norm, self.clip.value
        if value is not None:
            np.clip(gradient, -value, value, out=gradient)
        if norm is not None:
            square = float(np.dot(gradient, gradient))
            if not 0 < square < math.inf:  # squares that vanish or overflow
                gradient[:] = clip_by_norm(gradient, norm)
            elif math.sqrt(square) > norm:
                gradient *= norm / math.sqrt(square)

    def _prepare(self, n_rows: int) -> "_Batch":
        """Return the arrays for batches of so many rows; the first call decides on the threads."""
        parameters = self.network.parameters
        # Forward, dW and dx are a multiplication and an addition each, for every row and weight.
        n_operations = 6 * n_rows * sum(W.stop - W.start for W in self.network.weight_slices)
        if self._workers is None:
            rewarding = n_rewarding(n_operations, n_threads())
            n = self._cut(n_rows, rewarding)
            # Where a batch cannot be cut, or has rows for few of many cores, BLAS uses the others.
            if rewarding >= 2 and ((n == 1 and not self._by_rows) or 4 * n <= rewarding):
                n = 1
            else:
                self._exit.enter_context(single_threaded())
            self._workers = Workers(n)
            self._exit.callback(self._workers.stop)
            self.gradients = np.zeros((n, parameters.size), parameters.dtype)
        n = self._cut(n_rows, n_rewarding(n_operations, self._workers.n))
        batch = self._batches[n_rows] = _Batch(self, n_rows, n)
        return batch

    def _cut(self, n_rows: int, n: int) -> int:
        """Return among how many of n workers the rows of a batch are divided."""
        return max(1, min(n, n_rows // ROWS)) if self._by_rows else 1


class _Batch:
    """What a step on so many rows works with: plans and cuts, one for each worker."""

    def __init__(self, step: Step, n_rows: int, n: int) -> None:
        network = self.network = step.network
        size, dtype = network.parameters.size, network.parameters.dtype
        self.step, self.n = step, n
        self.start, self.learning_rate = 0, 0.0
        self.losses = [0.0] * n
        self.share = np.full(n_rows, 1 / n_rows, dtype)
        self.uniforms = [
            np.empty((n_rows, width), np.float32) for width in dropout_widths(network.hidden)
        ]
        self.rows = _cuts(n_rows, n)
        # A short vector is updated sooner than another thread wakes.
        n_parts = n if size >= LONG else 1
        self.parts = _cuts(size, n_parts, ALIGN)
        self.penalties = [0.0] * n_parts
        self.plans, self.inputs, self.shares = [], [], []
        for part, (lo, hi) in enumerate(self.rows):
            gradients = network.pairs(step.gradients[part])
            uniforms = [uniform[lo:hi] for uniform in self.uniforms]
            self.plans.append(Plan(network, gradients, uniforms, step.criterion, hi - lo))
            self.inputs.append(np.empty((hi - lo, network.in_features), dtype))
            self.shares.append(self.share[lo:hi])
        has_penalty = step.objective.l1 or step.objective.l2
        self.penalized = [
            [
                (max(lo, w.start), min(hi, w.stop))
                for w in network.weight_slices
                if has_penalty and max(lo, w.start) < min(hi, w.stop)
            ]
            for lo, hi in self.parts
        ]

    def take_weights(self, weight: Array) -> bool:
        """Take each row's share wᵢ/Σw of the mean; return whether any has one."""
        largest = weight.max()
        if largest <= 0:
            return False
        np.divide(weight, largest, out=self.share)  # a sum of large weights could overflow
        self.share /= self.share.sum()
        return True

    def pass_rows(self, part: int) -> None:
        """Go forward and back with a worker's rows."""
        source = self.step.source
        lo, hi = self.rows[part]
        lo, hi = lo + self.start, hi + self.start
        x = source.samples(lo, hi, self.inputs[part])
        self.losses[part] = self.plans[part].run(x, source.targets_of(lo, hi), self.shares[part])

    def add_up_part(self, part: int) -> None:
        """Add up the gradients of a worker's part of the vector, and the penalty's."""
        gradients, objective = self.step.gradients, self.step.objective
        add_up.fastest(gradients, self.n, *self.parts[part])
        theta, l1, l2 = self.network.parameters, objective.l1, objective.l2
        self.penalties[part] = sum(
            add_penalty.fastest(gradients[0], theta, lo, hi, l1, l2)
            for lo, hi in self.penalized[part]
        )

    def update_part(self, part: int) -> None:
        """Add up and update a worker's part of the vector."""
        step, n = self.step, self.n
        assert step._update is not None
        if self.penalized[part]:
            self.add_up_part(part)
            n = 1
        step._update(step.gradients, n, *self.parts[part], self.learning_rate)


def _cuts(size: int, n: int, align: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of n parts of a range, about equal."""
    bounds = [size * part // n // align * align for part in range(n)]
    return list(pairwise([*bounds, size]))
