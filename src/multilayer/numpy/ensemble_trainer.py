"""EnsembleTrainer: K networks with their losses and optimizers, driven by the training loop."""

from collections.abc import Sequence
from importlib import import_module
from itertools import groupby, pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.architecture import Architecture
from multilayer.compiled import numba
from multilayer.groups import join, part_of
from multilayer.numpy.assembly import copies_of, members_of
from multilayer.numpy.average import RunningAverages
from multilayer.numpy.clipping import Clip
from multilayer.numpy.fast.adversary import n_passes
from multilayer.numpy.fast.blas import n_threads
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.fast.step import Step, n_operations
from multilayer.numpy.fast.workers import ALONE, Workers, n_rewarding
from multilayer.numpy.judging import judge, judge_parts
from multilayer.numpy.members import Members
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.stacking import (
    check_loss,
    check_state,
    numbers_for_each,
    part_of_stack,
)
from multilayer.numpy.state import (
    extras,
    network_arrays,
    set_extras,
    set_members,
    set_network_arrays,
)
from multilayer.randomness import Generators, generator_state, set_generator_state
from multilayer.samples import Data, Guarded, LazySamples, Parts

__all__ = ["EnsembleTrainer"]

Array = npt.NDArray[Any]

UNEVEN = 1.25
"""Members are divided among threads if no thread gets more than this many times the average number
of them; otherwise, the rows of a batch are."""


class Net(Protocol):
    """The part of an `Ensemble` that its trainer uses."""

    architectures: tuple[Architecture, ...]
    dtype: np.dtype[Any]
    network: Network

    @property
    def architecture(self) -> Architecture: ...

    @property
    def n_members(self) -> int: ...


class _Piece(NamedTuple):
    """A piece of a thread's work in a step: some members, and the positions of their rows."""

    first: int
    last: int
    start: int
    stop: int


class EnsembleTrainer(Members):
    """Takes optimizer steps on K networks at once: the `Trainer` of an `Ensemble`."""

    engine = "numpy"

    def __init__(self, net: Net, **settings: Any) -> None:
        super().__init__(net, **settings)
        check_state(self.optimizer, self.optimizers, self.n_members)
        self._whole_state = self.optimizer.initial_state(net.network.parameters)
        # The members that take steps: all, or copies of some.
        self._members = list(range(self.n_members))
        self._network, self.optimizer_state = net.network, self._whole_state
        self._whole_average: RunningAverages | None = None
        if (decays := self.decays) is not None:
            averages = copies_of(net.network, net.architectures, self._members)
            begun = np.zeros(self.n_members, bool)
            self._whole_average = RunningAverages(net.network, averages, begun, decays)
        self._average = self._whole_average
        self._predictor = Predictor(self._validated)
        self._data: Data | None = None
        self._order: Array | None = None
        self._steps: dict[tuple[int, int], Any] = {}
        self._workers: Workers | None = None

    @property
    def net(self) -> Any:
        """The ensemble, up to date."""
        self._write_back()
        return self._ensemble

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights; weights may have the shape (K, n_samples)."""
        data = self._checked(X, y, weight)
        width = self._ensemble.architecture.out_features
        check_loss(self.losses[0], data.targets[:3], width, self._ensemble.dtype)
        return data

    def begin(self, data: Data, batch_size: int) -> None:
        """Set the samples to take steps on."""
        self._release()
        if isinstance(data.X, LazySamples):  # several threads read them, each by its own reader
            data = data._replace(X=Guarded(data.X))
        self._data, self._batch_size = data, batch_size

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's samples: of shape (n,), or (K, n) if members differ."""
        self._order = order
        for piece, step in self._steps.items():
            step.begin_epoch(self._order_of(*piece))

    def step(self, start: Any, stop: Any, learning_rate: Array) -> Array:
        """Take an optimizer step on each member's samples at these positions of its order.

        Positions are two numbers, or two arrays of shape (K,); if a member's two are equal, it
        takes no step. Return the losses before the step, penalty included, of shape (K,), with 0
        for members that took no step. A member is not changed if its loss is infinite or NaN, or if
        all its samples have weight 0.
        """
        if self._workers is None:
            self._divide()
        is_whole = len(self._members) == self.n_members
        rates = learning_rate if is_whole else learning_rate[self._members]
        losses = np.zeros(len(self._members))
        average, counts = self._average, self.optimizer_state["step"]
        before = counts if average is None else counts.copy()

        def take(pieces: list[_Piece]) -> None:
            for first, last, begin, end in pieces:
                step = self._steps.get((first, last)) or self._make_step(first, last)
                losses[first:last] = step.take(begin, end, rates[first:last])
                if average is not None:
                    moved = np.flatnonzero(counts[first:last] != before[first:last])
                    for k in moved.tolist():
                        average.update(first + k)

        assert self._workers is not None
        self._workers.map(take, self._pieces(start, stop))
        if is_whole:
            return losses
        found = np.zeros(self.n_members)
        found[self._members] = losses
        return found

    def settle(self) -> tuple[list[Array], Array]:
        """Return losses that `step` deferred (here none), and whose weights are finite."""
        is_finite = np.ones(self.n_members, dtype=bool)
        is_finite[self._members] = np.isfinite(self._network.parameters).all(axis=1)
        return [], is_finite

    def evaluate(self, data: Data | Parts) -> dict[int, tuple[float, Array]]:
        """Return each member's loss without penalty, in prediction mode, and p: see `judge`."""
        if isinstance(data, Parts):
            return judge_parts(
                self._validated, self._architectures(), self.loss, self._members, data
            )
        weight = data.weight
        if weight is not None and weight.ndim == 2:
            weight = weight[self._members]
        z = self._predictor.logits(data.X)
        return judge(self._validated, self.loss, self._members, z, data.targets, weight)

    def keep(self, members: Sequence[int]) -> None:
        """Let only these members take steps from now on."""
        self._write_back()
        self._release()
        self._members = list(members)
        self._read()

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of what is validated: all members' parameters and states, or averages."""
        self._write_back()
        whole = self._whole_average
        return network_arrays(self._ensemble.network if whole is None else whole.network)

    def state(self) -> dict[str, Array]:
        """Return a copy of everything the next step depends on, as arrays by name."""
        found = {
            "network": network_arrays(self.net.network),
            "optimizer": {name: np.array(v) for name, v in self._whole_state.items()},
            "masks": {"generator": generator_state(self.generators)},
        }
        return join(found | extras(self.directions, self._whole_average))

    def state_of(self, k: int) -> dict[str, Array]:
        """Return the state of member k without its network, as its own `Trainer` would have it."""
        steps = {name: np.array(array[k]) for name, array in self._whole_state.items()}
        steps["step"] = steps["step"].reshape(())
        found = {"optimizer": steps, "masks": {"generator": generator_state(self.generators[k])}}
        if self.directions is not None:
            found["directions"] = {"generator": generator_state(self.directions[k])}
        if self.emas[k] is not None and self._whole_average is not None:
            averages = self._whole_average.arrays()
            found["average"] = {name: np.array(array[k]) for name, array in averages.items()}
        return join(found)

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Parts of the state that are absent stay unchanged.
        """
        self._write_back()
        if network := part_of(state, "network"):
            set_network_arrays(self._ensemble.network, network)
        if optimizer := part_of(state, "optimizer"):
            for name, array in self._whole_state.items():
                array[:] = optimizer[name]
        if masks := part_of(state, "masks"):
            set_generator_state(self.generators, masks["generator"])
        set_extras(state, self.directions, self._whole_average)
        self._read()

    def finish(self) -> None:
        """Release threads and work arrays, and give the networks their final weights.

        From then on all members take steps again.
        """
        self._release()
        final = self.snapshot()
        if self._whole_average is not None:
            set_network_arrays(self._ensemble.network, final)
        self._members = list(range(self.n_members))
        self._network, self.optimizer_state = self._ensemble.network, self._whole_state
        self._average = self._whole_average
        self._predictor = Predictor(self._validated)

    # The members that take steps -------------------------------------------------------------

    @property
    def _validated(self) -> Network:
        """The networks that are validated: those in training, or their running averages."""
        return self._network if self._average is None else self._average.network

    def _architectures(self) -> list[Architecture]:
        return [self._ensemble.architectures[k] for k in self._members]

    def _write_back(self) -> None:
        """Copy what the steps have changed back to the ensemble, if they work on a copy."""
        if len(self._members) == self.n_members:
            return
        set_members(self._ensemble.network, self._members, self._network)
        if self._whole_average is not None and self._average is not None:
            set_members(self._whole_average.network, self._members, self._average.network)
            self._whole_average.begun[self._members] = self._average.begun
        for name, array in self._whole_state.items():
            array[self._members] = self.optimizer_state[name]

    def _read(self) -> None:
        """Copy the members that take steps to contiguous memory, unless these are all members."""
        if len(self._members) == self.n_members:
            return
        architectures = self._ensemble.architectures
        self._release()
        self._network = copies_of(self._ensemble.network, architectures, self._members)
        if (whole := self._whole_average) is not None:
            averages = copies_of(whole.network, architectures, self._members)
            own = whole.begun[self._members], whole.decays[self._members]
            self._average = RunningAverages(self._network, averages, *own)
        self._predictor = Predictor(self._validated)
        self.optimizer_state = {
            name: array[self._members] for name, array in self._whole_state.items()
        }

    # How the work is divided -----------------------------------------------------------------

    def _release(self) -> None:
        """Stop the threads, and drop the arrays of the steps."""
        for step in self._steps.values():
            step.finish()
        self._steps = {}
        if self._workers is not None:
            self._workers.stop()
            self._workers = None

    def _divide(self) -> None:
        """Divide the members among threads, if that pays."""
        n_members, data = len(self._members), self._data
        assert data is not None
        self._is_fused = (
            self.adversary is None
            and numba() is not None
            and _fused().fits(
                self._network, Objective(self.loss), self.optimizer, data.X, data.targets
            )
        )
        work = self._batch_size * n_operations(self._network) * n_passes(self.adversary)
        available = n_rewarding(work, n_threads())
        n = min(available, n_members)
        by_rows = all(layer.by_rows for layer in self._network.layers)
        is_uneven = n < available or -(-n_members // n) * n > UNEVEN * n_members
        if by_rows and is_uneven and not self._is_fused:
            n = 1  # a single step for all members, which divides the rows
        self._divides_rows = n == 1 and available > 1
        self._bounds = list(pairwise(n_members * part // n for part in range(n + 1)))
        self._workers = Workers(n, keep_blas=self._divides_rows)

    def _pieces(self, start: Any, stop: Any) -> list[list[_Piece]]:
        """Return the pieces of each thread's work in a step."""
        if np.ndim(start) == 0:
            return [[_Piece(first, last, start, stop)] for first, last in self._bounds]
        pairs = list(zip(start[self._members].tolist(), stop[self._members].tolist(), strict=True))
        found = []
        for first, last in self._bounds:
            pieces = []
            for (begin, end), group in groupby(range(first, last), key=pairs.__getitem__):
                members = list(group)
                if begin < end:
                    pieces.append(_Piece(members[0], members[-1] + 1, begin, end))
            found.append(pieces)
        return found

    def _make_step(self, first: int, last: int) -> Step:
        """Make the step of some of the members that take steps, `first` to `last` − 1 of them."""
        own = slice(first, last)
        members = self._members[own]
        l1, l2 = (numbers_for_each([self.penalties[k][i] for k in members]) for i in (0, 1))
        norm = numbers_for_each([self.clips[k].norm for k in members])
        value = numbers_for_each([self.clips[k].value for k in members])
        data = self._data
        assert data is not None
        weight = data.weight
        if weight is not None and weight.ndim == 2:
            weight = weight[members]
        network = members_of(self._network, self._architectures(), own)
        objective = Objective(part_of_stack(self.loss, members), l1, l2)
        settings: dict[str, Any] = {
            "optimizer": part_of_stack(self.optimizer, members),
            "state": {name: array[own] for name, array in self.optimizer_state.items()},
            "clip": Clip(norm, value),
            "max_norm": numbers_for_each([self.max_norms[k] for k in members]),
            "rng": Generators([self.generators[k] for k in members]),
            "data": (data.X, data.targets, weight),
        }
        step: Any
        if self._is_fused:
            step = _fused().FusedStep(network, objective, **settings)
        else:
            step = Step(
                network,
                objective,
                **settings,
                adversary=self.adversary,
                directions=self.directions and Generators(self.directions[k] for k in members),
                batch_size=self._batch_size,
                workers=None if self._divides_rows else ALONE,
                reorders=(first, last) in self._bounds,
            )
        self._steps[first, last] = step
        step.begin_epoch(self._order_of(first, last))
        return step

    def _order_of(self, first: int, last: int) -> Array | None:
        order = self._order
        return order if order is None or order.ndim == 1 else order[self._members[first:last]]


def _fused() -> Any:
    """Return ``fast.fused``, imported only when used because it needs numba."""
    with forks.imports:
        return import_module("multilayer.numpy.fast.fused")
