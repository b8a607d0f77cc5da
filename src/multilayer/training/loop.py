"""Loop: a training run as an iterator, for any engine."""

import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from multilayer.data.batches import Batches, Lockstep
from multilayer.data.fingerprint import fingerprint
from multilayer.data.stream import Stream
from multilayer.data.streamed import Streamed
from multilayer.errors import InvalidArgumentError
from multilayer.groups import Arrays, join, part_of
from multilayer.numpy.losses import LOSSES
from multilayer.numpy.optimizers import OPTIMIZERS
from multilayer.numpy.schedules import Schedule
from multilayer.randomness import Generators, as_bytes, current_state, set_generator_state
from multilayer.registry import describe
from multilayer.samples import Data, Parts
from multilayer.training.course import Course
from multilayer.training.engine import Trainer, trains_ensemble
from multilayer.training.metrics import Metric
from multilayer.training.run import Run
from multilayer.training.schedules import Schedules
from multilayer.training.validation import Validation

__all__ = ["Loop"]

LATE = 100
"""The number of steps after which to wait for losses that a device is still computing."""


class Loop:
    """A training run as an iterator, which yields its `Run` after each step and after each epoch.

    ``run.is_under_way`` is true after a step, and false after an epoch, whose metrics are then in
    ``run.history``. Each time that it yields, training pauses: you may inspect the network, change
    ``run.factor``, which multiplies the learning rate, call ``run.stop``, or simply stop iterating.
    At the end, ``trainer.finish()`` releases the engine's threads and work arrays.

    `train` runs a loop to its end, with callbacks and checkpoints, and leaves the network with
    usable weights even after divergence or Ctrl-C.

    Parameters
    ----------
    trainer : Trainer
        Takes the steps.
    training : Data or Stream
        The checked samples to train on: see ``trainer.check``.
    batches : Batches, Lockstep or Streamed
        Determines which samples each step takes.
    n_epochs : int
        The largest number of epochs.
    held_out : Data or Parts, optional
        The checked samples to validate on; in an ensemble, they may differ by member.
    metrics : mapping of str to Metric or sequence of K, optional
        The metrics to compute on the validation samples.
    monitor : str
        The metric by which epochs are judged.
    higher_is_better : bool
        Whether higher values of this metric are better.
    schedule : Schedule or sequence of K, optional
        Multiplies the learning rate.
    rng : numpy.random.Generator or Generators, optional
        Draws the order of each epoch.

    Attributes
    ----------
    run : Run
        The object that it yields.

    Raises
    ------
    DivergenceError
        During iteration, if a loss or a weight becomes infinite or NaN.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.data import Batches
    >>> from multilayer.numpy import MLP
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> net = MLP(Architecture(4, (8,), 2), rng=np.random.default_rng(0))
    >>> trainer = net.trainer(loss="cross_entropy", optimizer="sgd")
    >>> loop = Loop(trainer, trainer.check(X, y, None), Batches(4, batch_size=2), n_epochs=2)
    >>> for run in loop:
    ...     print(f"step {run.step}" if run.is_under_way else f"end of epoch {run.epoch}")
    step 1
    step 2
    end of epoch 1
    step 1
    step 2
    end of epoch 2
    >>> trainer.finish()
    """

    def __init__(
        self,
        trainer: Trainer,
        training: Data | Stream,
        batches: Batches | Lockstep | Streamed,
        *,
        n_epochs: int,
        held_out: Data | Parts | None = None,
        metrics: Mapping[str, Metric] | Sequence[Mapping[str, Metric]] | None = None,
        monitor: str = "train_loss",
        higher_is_better: bool = False,
        schedule: Schedule | Sequence[Schedule | None] | None = None,
        rng: np.random.Generator | Generators | None = None,
    ) -> None:
        self.trainer, self.batches = trainer, batches
        self.training: Any = training
        losses, optimizers = [trainer.loss], [trainer.optimizer]
        if trains_ensemble(trainer):
            losses, optimizers = list(trainer.losses), list(trainer.optimizers)
        self._parts = list(zip(losses, optimizers, strict=True))
        self.validation = Validation(held_out, metrics, losses)
        self._members = list(range(len(losses)))  # those that still take steps
        self.rng: Any = np.random.default_rng() if rng is None else rng
        self.run = Run(
            trainer,
            training,
            n_epochs=n_epochs,
            n_steps=max(batches.n_steps),
            monitor=monitor,
            higher_is_better=higher_is_better,
        )
        self.schedules = Schedules(schedule, self.run)
        self._note_settings()
        # The state of the current epoch:
        self._losses: list[Any] = []
        self._n_late = 0  # steps whose losses a device is still computing
        self._course: Course | None = None
        self._drawn_from: Any = None  # the generator's state before its order was drawn
        self._started = 0.0
        self._is_over = False

    def __iter__(self) -> Iterator[Run]:
        run, trainer = self.run, self.trainer
        if trainer.learning_rate is None:
            rule = "a Loop has no steps with L-BFGS: call its minimize method, or fit"
            raise InvalidArgumentError(rule)
        if self._is_over:
            return
        if isinstance(self.training, Data):  # for a stream, at each part
            trainer.begin(self.training, self.batch_size)
        while run.n_complete < run.n_epochs:
            if not run.is_under_way:
                self._begin_epoch()
            yield from self._steps()
            self._settle_all()
            self._end_epoch(self._means())
            yield run
            if not run.n_active:
                break
            if ended := [k for k in self._members if run.members[k].stopped_by]:
                self._check_last_step(ended)
                self._leave_out_stopped()
        self._is_over = True
        self._check_last_step(self._members)
        run.stop("n_epochs")

    def _check_last_step(self, members: Sequence[int]) -> None:
        """Check that the last step of these members did not diverge, if there is no validation."""
        if self.validation.data is not None or self._course is None:
            return
        found = self._evaluate(self._course.last_samples(self.run.step, self.training))
        for k in [k for k in members if k in found]:
            self._check_finite("train_loss", found[k][0], k)

    def minimize(self, visit: Callable[[Run], None]) -> None:
        """Train by L-BFGS: an epoch is one of its iterations.

        SciPy runs the iterations, so the loop cannot yield; `visit` is called after each epoch.
        """
        run = self.run
        if self._is_over:
            return

        def after_iteration(train_loss: float) -> bool:
            run.step, run.loss = 1, train_loss
            self._check_finite("train_loss", train_loss)
            self._settle_all()
            self._end_epoch({0: {"train_loss": train_loss}})
            visit(run)
            if not run.stopped_by and run.epoch < run.n_epochs:
                self._begin_epoch()
            return bool(run.stopped_by)

        self._begin_epoch()
        run.stop(self.trainer.minimize(self.training, run.n_epochs, after_iteration))

    @property
    def batch_size(self) -> int:
        """The number of samples in a full batch."""
        return int(np.max(self.batches.size))

    def settle(self) -> Any:
        """Wait for losses that are still being computed; return whether all weights are finite.

        For an ensemble, return a list with one value for each member.

        Raises
        ------
        DivergenceError
            If one of these losses is infinite or NaN.
        """
        self._n_late = 0
        losses, is_finite = self.trainer.settle()
        for loss in losses:
            self._note(loss)
        return is_finite

    def _note_settings(self) -> None:
        """Fill in the histories' `settings`."""
        members = self.run.members
        sizes = np.broadcast_to(self.batches.size, len(members)).tolist()
        for member, size, (loss, optimizer) in zip(members, sizes, self._parts, strict=True):
            member.history.settings = {
                "loss": describe(loss, LOSSES),
                "optimizer": describe(optimizer, OPTIMIZERS),
                "batch_size": size,
                "monitor": self.run.monitor,
            }

    def description(self) -> dict[str, Any]:
        """Return what is trained, on what, and how, by name, as values for JSON."""
        arrays = self.training if isinstance(self.training, Data) else [self.training]
        return self.trainer.description() | {
            "n_epochs": self.run.n_epochs,
            "batch_size": self.batch_size,
            "shuffle": self.batches.shuffle,
            "schedule": repr(self.schedules),
            "validation": self.validation.data is not None,
            "metrics": list(self.validation.metrics[0]),
            "monitor": self.run.monitor,
            # Differences are listed in this order; what follows from other arguments comes last.
            "n_samples": self.batches.n_samples,
            "data": fingerprint(*arrays, *self.batches.member_rows),
            "validation_data": self.validation.fingerprint(),
        }

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return what the rest of the run depends on: values for JSON, and arrays by name.

        It can be called whenever the loop has yielded, and before it begins.
        """
        self.settle()
        run, snapshots = self.run.state()
        under_way = self.run.is_under_way  # on resuming, the epoch's order is drawn again
        epoch = {
            "losses": np.array(self._losses),
            "drawn_from": as_bytes(self._drawn_from if under_way else current_state(self.rng)),
        }
        numbers = {
            "run": run,
            "plateaus": self.schedules.state(),
            "seconds": time.perf_counter() - self._started,
        }
        return numbers, join({"run": snapshots, "trainer": self.trainer.state(), "epoch": epoch})

    def set_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Restore what `state` returned, in a loop with the same arguments."""
        self.run.set_state(numbers["run"], part_of(arrays, "run"))
        self._note_settings()
        self.trainer.set_state(part_of(arrays, "trainer"))
        self._leave_out_stopped()
        self.schedules.set_state(numbers["plateaus"])
        self._started = time.perf_counter() - numbers["seconds"]
        losses = arrays["epoch.losses"]
        self._losses = losses.tolist() if losses.ndim == 1 else list(losses)
        set_generator_state(self.rng, arrays["epoch.drawn_from"])
        self._drawn_from = current_state(self.rng)
        self._course = None
        self._is_over = bool(self.run.stopped_by)

    def _begin_epoch(self) -> None:
        self.run.begin_epoch()
        self._course, self._drawn_from = None, current_state(self.rng)
        self._losses.clear()
        self._started = time.perf_counter()

    def _steps(self) -> Iterator[Run]:
        """Take the remaining steps of the epoch."""
        run, trainer = self.run, self.trainer
        if self._course is None:
            self._course = Course(self.batches.draw(self.rng))
        course, begun = self._course, None
        run.n_steps = max(course.n_steps)
        base_rate: Any = trainer.learning_rate
        scheduled = self.schedules.factor(course.n_steps)
        factors, is_ensemble, step = run.factors, run.is_ensemble, trainer.step
        while (part := course.part_of(run.step)) is not None:
            if part.data is not None and part is not begun:
                self.settle()
                trainer.begin(part.data, self.batch_size)
            begun = part
            trainer.begin_epoch(part.order)
            for start, stop in part.batches.bounds[run.step - course.n_before :]:
                rate = base_rate * (factors if is_ensemble else factors.item())
                if scheduled is not None:
                    rate *= scheduled()
                loss = step(start, stop, rate)
                if is_ensemble:  # a member that takes no step keeps its last rate
                    rate = np.where(stop > start, rate, run.learning_rate)
                run.learning_rate = rate
                run.step += 1
                if loss is not None:
                    self._note(loss)
                else:
                    self._n_late += 1
                    if self._n_late == LATE:
                        self.settle()
                yield run
                if not run.n_active:
                    return

    def _note(self, loss: Any) -> None:
        self._losses.append(loss)
        is_ensemble = self.run.is_ensemble
        if not math.isfinite(loss.sum() if is_ensemble else loss):
            for k in list(self._members):
                value = loss[k] if is_ensemble else loss
                self._check_finite("train_loss", value, k, step=len(self._losses))
        self.run.loss = loss

    def _settle_all(self) -> None:
        """Wait for the losses; check the weights too, since losses may hide that one is NaN."""
        is_finite = np.atleast_1d(self.settle())
        for k in list(self._members):
            self._check_finite("a weight", 0.0 if is_finite[k] else math.inf, k)

    def _means(self) -> dict[int, dict[str, float]]:
        """Return each member's mean loss over the epoch so far, and its last learning rate."""
        run, n_steps = self.run, len(self._losses)
        losses = np.transpose(self._losses).tolist() if run.is_ensemble else [self._losses]
        rates = np.atleast_1d(run.learning_rate)
        masses = [] if self._course is None else self._course.masses
        means = {}
        for k in self._members:
            mass = (masses[k] if isinstance(masses[0], list) else masses)[:n_steps]
            total = math.fsum(map(operator.mul, losses[k], mass))
            mean = total / (math.fsum(mass) or 1.0)  # 0 if all samples so far have weight 0
            means[k] = {"train_loss": mean, "learning_rate": float(rates[k])}
        return means

    def _end_epoch(self, metrics: dict[int, dict[str, float]]) -> None:
        """Validate, and record each member's metrics."""
        run = self.run
        if self.validation.data is not None:
            found = self._evaluate(self.validation.data)
            run.outputs = {k: p for k, (_, p) in found.items()}
            for k, (value, p) in found.items():
                self._check_finite("validation_loss", value, k)
                if math.isfinite(value):  # otherwise the member has just ended
                    metrics[k]["validation_loss"] = value
                    metrics[k] |= self.validation.measure(k, p)
        seconds = time.perf_counter() - self._started
        metrics = {k: metrics[k] | {"seconds": seconds} for k in self._members}
        run.record(metrics)
        self.schedules.observe(metrics)

    def _leave_out(self, members: Sequence[int]) -> None:
        """Compute nothing more for these members, which have ended."""
        self._members = [k for k in self._members if k not in members]
        if members and self._members and trains_ensemble(self.trainer):
            self.trainer.keep(self._members)

    def _leave_out_stopped(self) -> None:
        if self.run.is_ensemble:
            self._leave_out([k for k in self._members if self.run.members[k].stopped_by])

    def _evaluate(self, data: Data | Parts) -> dict[int, tuple[float, Any]]:
        """Return each member's loss on its samples, and the argument of its loss function."""
        trainer: Any = self.trainer
        found = trainer.evaluate(data)
        return {k: found[k] for k in self._members} if self.run.is_ensemble else {0: found}

    def try_metrics(self) -> None:
        """Compute all metrics once before the first step, so that a failing metric fails now."""
        if self.validation.data is not None and any(self.validation.metrics):
            for k, (_, p) in self._evaluate(self.validation.data).items():
                self.validation.measure(k, p)

    def _check_finite(self, name: str, value: float, k: int = 0, step: int | None = None) -> None:
        """End a member if this value is not finite; raise an error if all members diverged."""
        if math.isfinite(value):
            return
        run = self.run
        step = step or run.step
        if run.is_ensemble:
            run.members[k].diverge(run.divergence(name, value, k, step))
            self._leave_out([k])
            if any(member.stopped_by != "divergence" for member in run.members):
                return
            name += f" of member {k}, the last that had not diverged,"
        raise run.divergence(name, value, k, step)
