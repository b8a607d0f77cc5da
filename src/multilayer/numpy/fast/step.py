"""Step: one fast training step on some rows of the samples.

Each worker computes the forward and backward pass of its own rows of the batch. Then it adds up the
gradients in its own part of the parameter vector, adds the penalty's, and updates that part. Each
sample's loss is weighted by its share of the mean, so the losses of a batch's parts add up.

K networks trained as one take a step in the same way; numbers such as the loss have shape (K,).
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.blocks import draw_normal
from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.adversary import n_passes
from multilayer.numpy.fast.batches import Batch, Batches, Part, Rows, chain_of
from multilayer.numpy.fast.criteria import criterion_of
from multilayer.numpy.fast.plan import may_wait
from multilayer.numpy.fast.source import Source
from multilayer.numpy.fast.stages import Turns
from multilayer.numpy.fast.updates import (
    add_penalty,
    add_up,
    clip_in_place,
    limit_in_place,
    matrices_of,
    numbers_of,
    update_of,
)
from multilayer.numpy.fast.workers import CHAINED, ROWS, Workers
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.randomness import Generators
from multilayer.samples import LazySamples

__all__ = ["Step", "n_operations"]

Array = npt.NDArray[Any]

PIECE = 8192
"""The maximum number of samples in a piece, when the loss of all samples is computed."""
PIECE_BYTES = 2**25
"""The maximum size of a piece in bytes; pieces of wide samples have fewer rows, at least `ROWS`."""
OVER = object()


class Step:
    """Takes optimizer steps on a network, as `take_step` does.

    Parameters
    ----------
    network : Network
        The network, whose parameters are changed.
    objective : Objective
    optimizer : Optimizer, optional
        None if no steps are taken.
    state : dict
        The optimizer's state, which is changed.
    clip : Clip
    max_norm : float, array of shape (K, 1) or None
        The largest norm of a unit's incoming weights: see `multilayer.numpy.limit_norms`.
    rng : numpy.random.Generator or Generators
        Draws masks and noise for the whole batch, in forward order, however the work is divided.
    adversary : Adversary, optional
    directions : numpy.random.Generator or Generators, optional
        Draws the random directions that a virtual adversary starts from.
    data : tuple (X, targets, weight)
        Checked samples.
    batch_size : int, optional
        The usual number of rows of a batch, which decides the number of threads; by default the
        number of rows of a piece in `loss_and_gradient`.
    workers : Workers, optional
        The threads among which to divide the work, by rows; by default as many as pay off.
    reorders : bool
        Whether small samples are reordered once per epoch.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        optimizer: Optimizer | None,
        state: State,
        clip: Clip,
        max_norm: Any,
        rng: np.random.Generator | Generators,
        adversary: Adversary | None = None,
        directions: np.random.Generator | Generators | None = None,
        data: tuple[Array | LazySamples, Array, Array | None],
        batch_size: int | None = None,
        workers: Workers | None = None,
        reorders: bool = True,
    ) -> None:
        self.network, self.objective = network, objective
        self.state, self.clip, self.rng = state, clip, rng
        self.adversary, self.directions = adversary, directions
        self.source = Source(*data, reorders=reorders)
        self._in_features = data[0].shape[-1]
        parameters = network.parameters
        self._is_one = parameters.ndim == 1
        self.criterion = criterion_of(objective.loss, network.link, data[1], is_one=self._is_one)
        self._theta = np.atleast_2d(parameters)
        n_networks = len(self._theta)
        self._l1, self._l2 = (numbers_of(v, n_networks) for v in (objective.l1, objective.l2))
        self._has_penalty = bool(self._l1.any() or self._l2.any())
        self._updates_parts = False
        if optimizer is not None:
            self._update, by_parts = update_of(optimizer, parameters, state)
            self._updates_parts = by_parts and clip.norm is None and clip.value is None
        self._max_norms = None
        if max_norm is not None:
            self._max_norms, self._matrices = numbers_of(max_norm, n_networks), matrices_of(network)
        self._has_state = bool(network.state)
        self._by_rows = all(layer.by_rows for layer in network.layers)
        self._piece = len(data[1])
        if self._by_rows:
            row_bytes = self._in_features * parameters.itemsize
            self._piece = min(self._piece, PIECE, max(ROWS, PIECE_BYTES // row_bytes))
        of_pass, usual = n_operations(network), batch_size or self._piece
        divides = self._by_rows or may_wait(network, usual * of_pass)
        of_step = of_pass * n_passes(adversary)
        chain = chain_of(network, self.source) if self._is_one and adversary is None else None
        work = None if chain is None else CHAINED
        self._workers = workers or Workers.for_batches(usual, of_step, work, by_rows=divides)
        self._batches = Batches(
            network,
            self.source,
            self.criterion,
            objective.loss,
            adversary,
            has_penalty=self._has_penalty,
            chain=chain,
            n_operations=of_step if divides else 0,
            work=work,
            n_workers=self._workers.n,
        )
        self._gradients = self._batches.gradients

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's rows; None means that of the samples."""
        self.source.begin_epoch(order)

    def take(self, start: int, stop: int, learning_rate: Any) -> Any:
        """Take a step on the rows at these positions of the order; return the loss before it.

        If that loss is infinite or NaN, or all weights of the rows are 0, the step changes nothing.
        Among K networks, this is decided for each network separately.
        """
        batch = self._batches.of(stop - start)
        is_empty = self.source.take_shares(start, stop, batch.shares)
        if is_empty is not None and is_empty.all():
            return 0.0 if self._is_one else np.zeros(len(self._theta))
        loss = self._pass(batch, start, is_empty)
        if self._is_one:
            if not math.isfinite(loss):
                return loss
            self._rate = learning_rate
            self._change(batch)
            if not self._has_penalty:
                return loss
            for part in batch.parts:
                loss += part.penalties.item()
            return loss
        self._rate = np.asarray(learning_rate)
        if is_empty is None and math.isfinite(loss.sum()):
            self._change(batch)
        else:
            stays = ~np.isfinite(loss) | (False if is_empty is None else is_empty)
            kept = [(array, array[stays].copy()) for array in self._changing()]
            self._change(batch)
            for array, old in kept:
                array[stays] = old
        for part in batch.parts if self._has_penalty else ():
            loss += part.penalties
        return loss

    def _change(self, batch: Batch) -> None:
        """Update parameters, optimizer state and statistics, after a pass."""
        self.state["step"] += 1
        if self._updates_parts and len(batch.parts) == 1:
            self._update_part(batch.parts[0])
        elif self._updates_parts:
            self._workers.map(self._update_part, batch.parts)
        else:
            self._workers.map(self._add_up_part, batch.parts)
            clip_in_place(self._gradients[0], self.clip)
            self._update(self._gradients, 1, 0, self._theta.shape[1], self._rate)
        # Every worker has the statistics of the whole batch.
        for rows in batch.rows[: None if self._by_rows else 1] if self._has_state else ():
            rows.plan.update_state()
        if self._max_norms is not None:
            limit_in_place.fastest(self._theta, self._matrices, self._max_norms)

    def _changing(self) -> list[Array]:
        """Return all arrays that a step of K networks changes; their first axis has length K."""
        state = [array for array in self.state.values() if isinstance(array, np.ndarray)]
        return [self._theta, *state, *self.network.state.values()]

    def loss_and_gradient(self, n_samples: int) -> tuple[float, Array]:
        """Return the loss of all samples, penalty included, and its gradient.

        Samples are processed in pieces, so that memory use does not grow with their number, unless
        a layer needs all of them at once. The loss of each piece, with the penalty, is weighted by
        the piece's share of the sample weights.
        """
        bounds = list(pairwise([*range(0, n_samples, self._piece), n_samples]))
        masses = [self.source.mass(start, stop) for start, stop in bounds]
        total, value = sum(masses), 0.0
        gradient = np.zeros(self.network.parameters.size)
        for (start, stop), mass in zip(bounds, masses, strict=True):
            batch = self._batches.of(stop - start)
            if self.source.take_shares(start, stop, batch.shares) is not None:
                continue
            loss = self._pass(batch, start)
            self._workers.map(self._add_up_part, batch.parts)
            penalty = sum(float(part.penalties[0]) for part in batch.parts)
            value += mass / total * (loss + penalty)
            gradient += mass / total * self._gradients[0, 0]
        return value, gradient

    def finish(self) -> None:
        """End the threads, and let BLAS use its own threads again."""
        self._batches.clear()
        self._workers.stop()

    def _pass(self, batch: Batch, start: int, is_empty: Array | None = None) -> Any:
        """Compute the forward and backward pass; return the loss without penalty.

        Networks whose samples all have weight 0 take no step, and draw no random numbers.
        """
        where = None if is_empty is None else ~is_empty
        for (layer, _), numbers in zip(self._batches.random_layers, batch.drawn, strict=True):
            layer.draw(self.rng, numbers, where)
        if batch.normals is not None:
            draw_normal(self.directions, batch.normals, where)
        self._start = start
        if self._by_rows or len(batch.rows) == 1:
            values = self._workers.map(self._pass_rows, batch.rows)
        else:
            values = self._pass_in_turns(batch.rows)
        if len(values) == 1:
            return values[0].item() if self._is_one else values[0].copy()
        total = sum(values[1:], values[0])
        return total.item() if self._is_one else total

    def _pass_rows(self, rows: Rows) -> Array:
        """Compute the passes of a worker's rows; return their loss."""
        return rows.plan.run(*self._arguments(rows))

    def _pass_in_turns(self, rows: list[Rows]) -> list[Array]:
        """Compute the passes of all workers' rows; they wait for each other at normalisations."""
        runs = [self._in_turns_of(each) for each in rows]
        while not any(self._workers.map(_is_over, runs)):
            pass
        return [each.plan.values for each in rows]

    def _in_turns_of(self, rows: Rows) -> Turns:
        yield from rows.plan.run_in_turns(*self._arguments(rows))

    def _arguments(self, rows: Rows) -> tuple[Array, Array, Array]:
        """Return a worker's samples, with their targets and shares."""
        start, stop = self._start + rows.start, self._start + rows.stop
        x = self.source.samples(start, stop, rows.x)
        return x, self.source.targets_of(start, stop), rows.shares

    def _add_up_part(self, part: Part) -> None:
        """Add up the gradients in a part of the vector, and add the penalty's."""
        gradients, penalties = self._gradients, part.penalties
        add_up.fastest(gradients, part.n_gradients, part.start, part.stop)
        penalties[:] = 0
        for start, stop in part.penalized:
            add_penalty.fastest(
                gradients[0], self._theta, start, stop, self._l1, self._l2, penalties
            )

    def _update_part(self, part: Part) -> None:
        """Add up the gradients in a part of the vector, and update that part."""
        n = part.n_gradients
        if part.penalized:
            self._add_up_part(part)
            n = 1
        self._update(self._gradients, n, part.start, part.stop, self._rate)


def _is_over(run: Turns) -> bool:
    """Run a worker's pass up to its next wait; return whether it has reached the end."""
    return next(run, OVER) is OVER


def n_operations(network: Network) -> int:
    """Return the floating-point operations of a step per row, without an adversary."""
    # Forward, dW and dx each take one multiplication and one addition per weight.
    n_networks = network.parameters.size // network.parameters.shape[-1]
    return 6 * n_networks * sum(W.stop - W.start for W in network.weight_slices)
