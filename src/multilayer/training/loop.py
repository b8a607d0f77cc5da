"""Loop: a training as an iterator, for any engine."""

import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multilayer.data.batches import Batches
from multilayer.data.fingerprint import fingerprint
from multilayer.errors import DivergenceError, InvalidArgumentError
from multilayer.groups import Arrays, join, part_of
from multilayer.numpy.losses import LOSSES
from multilayer.numpy.optimizers import OPTIMIZERS
from multilayer.numpy.schedules import Plateau, Schedule
from multilayer.randomness import generator_state, set_generator_state
from multilayer.registry import describe
from multilayer.samples import Data
from multilayer.training.engine import Trainer
from multilayer.training.metrics import Metric
from multilayer.training.run import Run

__all__ = ["Loop"]

LATE = 100
"""Steps after which to wait for losses that a device is still computing."""


class Loop:
    """A training as an iterator: it yields its `Run` after each step and after each epoch.

    ``run.is_under_way`` is true after a step, and false after an epoch, whose metrics are then in
    ``run.history``. Between two of these moments the training stands still: you may inspect the
    network, change ``run.factor``, which multiplies the learning rate, call ``run.stop``, or simply
    stop iterating. At the end, ``trainer.finish()`` releases what the engine holds.

    `train` runs a loop to its end and adds what a whole training needs: callbacks, checkpoints, and
    good weights whatever ends it.

    Parameters
    ----------
    trainer : Trainer
        Takes the steps.
    training : Data
        The checked samples to train on: see ``trainer.check``.
    batches : Batches
        Which of them each step takes.
    n_epochs : int
        The largest number of epochs.
    held_out : Data, optional
        The checked samples to validate on.
    metrics : mapping of str to Metric
        What to measure on them.
    monitor : str
        The metric by which epochs are judged.
    higher_is_better : bool
        Whether a higher value of it is better.
    schedule : Schedule, optional
        Multiplies the learning rate.
    rng : numpy.random.Generator, optional
        Draws the order of each epoch.

    Attributes
    ----------
    run : Run
        What it yields.

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
        training: Data,
        batches: Batches,
        *,
        n_epochs: int,
        held_out: Data | None = None,
        metrics: Mapping[str, Metric] | None = None,
        monitor: str = "train_loss",
        higher_is_better: bool = False,
        schedule: Schedule | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.trainer, self.training, self.batches = trainer, training, batches
        self.held_out, self.metrics = held_out, dict(metrics or {})
        self.schedule, self.plateau = schedule, Plateau()
        self.rng = np.random.default_rng() if rng is None else rng
        self.run = Run(
            trainer,
            n_epochs=n_epochs,
            n_steps=len(batches),
            monitor=monitor,
            higher_is_better=higher_is_better,
        )
        self.run.history.settings = self.settings()
        # Of the epoch under way:
        self._losses: list[float] = []
        self._n_late = 0  # steps whose losses a device is still computing
        self._drawn: Any = None  # its order, and the masses of its batches
        self._drawn_from: Any = None  # the generator's state before it drew the order
        self._started = 0.0
        self._is_over = False

    def __iter__(self) -> Iterator[Run]:
        run, trainer = self.run, self.trainer
        if trainer.learning_rate is None:
            raise InvalidArgumentError("a Loop over L-BFGS has no steps: call its minimize, or fit")
        if self._is_over:
            return
        trainer.begin(self.training, self.batch_size)
        last_batch = None
        while run.history.n_epochs < run.n_epochs:
            if not run.is_under_way:
                self._begin_epoch()
            if self._drawn is None:
                self._drawn = self.batches.epoch(self.rng)
            order, masses = self._drawn
            yield from self._steps(order)
            self._settle_all()
            start, stop = self.batches.bounds[run.step - 1]
            last_batch = np.arange(start, stop) if order is None else order[start:stop].copy()
            losses = self._losses
            total = math.fsum(map(operator.mul, losses, masses))
            mean = total / math.fsum(masses[: len(losses)])
            self._end_epoch({"train_loss": mean, "learning_rate": run.learning_rate})
            yield run
            if run.stopped_by:
                break
        self._is_over = True
        if self.held_out is None and last_batch is not None:
            # Nothing else has checked the last step.
            value, _ = trainer.evaluate(self.training.part(last_batch))
            self._check_finite("train_loss", value)
        run.stop("n_epochs")

    def minimize(self, visit: Callable[[Run], None]) -> None:
        """Train by L-BFGS: an epoch is one of its iterations.

        SciPy drives it, so there is nothing to iterate over: `visit` is called after each epoch.
        """
        run = self.run
        if self._is_over:
            return

        def after_iteration(train_loss: float) -> bool:
            run.step, run.loss = 1, train_loss
            self._check_finite("train_loss", train_loss)
            self._settle_all()
            self._end_epoch({"train_loss": train_loss})
            visit(run)
            if not run.stopped_by and run.epoch < run.n_epochs:
                self._begin_epoch()
            return bool(run.stopped_by)

        self._begin_epoch()
        run.stop(self.trainer.minimize(self.training, run.n_epochs, after_iteration))

    @property
    def batch_size(self) -> int:
        """The number of samples in a full batch."""
        start, stop = self.batches.bounds[0]
        return stop - start

    def settle(self) -> bool:
        """Wait for losses that are still being computed; return whether all weights are finite.

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

    def settings(self) -> dict[str, Any]:
        """Return how the network is trained, for the history."""
        return {
            "loss": describe(self.trainer.loss, LOSSES),
            "optimizer": describe(self.trainer.optimizer, OPTIMIZERS),
            "batch_size": self.batch_size,
            "monitor": self.run.monitor,
        }

    def description(self) -> dict[str, Any]:
        """Return what is trained, on what, and how, by name, as values for JSON."""
        return self.trainer.description() | {
            "n_epochs": self.run.n_epochs,
            "batch_size": self.batch_size,
            "shuffle": self.batches.shuffle,
            "schedule": repr(self.schedule),
            "validation": self.held_out is not None,
            "metrics": list(self.metrics),
            "monitor": self.run.monitor,
            # What follows from the arguments comes last: differences are listed in this order.
            "n_samples": self.batches.n_samples,
            "data": fingerprint(*self.training),
            "validation_data": None if self.held_out is None else fingerprint(*self.held_out),
        }

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return what the rest of the training depends on: values for JSON, and arrays by name.

        It can be called between any two moments.
        """
        self.settle()
        run, snapshots = self.run.state()
        under_way = self.run.is_under_way  # then its order is drawn again
        epoch = {
            "losses": np.array(self._losses),
            "drawn_from": self._drawn_from if under_way else generator_state(self.rng),
        }
        numbers = {
            "run": run,
            "plateau": self.plateau._asdict(),
            "seconds": time.perf_counter() - self._started,
        }
        return numbers, join({"run": snapshots, "trainer": self.trainer.state(), "epoch": epoch})

    def set_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Restore what `state` returned, in a loop with the same arguments."""
        self.run.set_state(numbers["run"], part_of(arrays, "run"))
        self.run.history.settings = self.settings()
        self.trainer.set_state(part_of(arrays, "trainer"))
        self.plateau = Plateau(**numbers["plateau"])
        self._started = time.perf_counter() - numbers["seconds"]
        self._losses = arrays["epoch.losses"].tolist()
        self._drawn_from = arrays["epoch.drawn_from"]
        set_generator_state(self.rng, self._drawn_from)
        self._drawn, self._is_over = None, bool(self.run.stopped_by)

    def _begin_epoch(self) -> None:
        self.run.begin_epoch()
        self._drawn, self._drawn_from = None, generator_state(self.rng)
        self._losses.clear()
        self._started = time.perf_counter()

    def _steps(self, order: Any) -> Iterator[Run]:
        """Take the steps that are left in an epoch."""
        run, step, schedule = self.run, self.trainer.step, self.schedule
        base_rate = self.trainer.learning_rate
        assert base_rate is not None
        self.trainer.begin_epoch(order)
        for start, stop in self.batches.bounds[run.step :]:
            rate = base_rate * run.factor
            if schedule is not None:
                t = run.epoch - 1 + run.step / run.n_steps
                rate *= schedule.factor(t, run.n_epochs, self.plateau)
            run.learning_rate = rate
            loss = step(start, stop, rate)
            run.step += 1
            if loss is not None:
                self._note(loss)
            else:
                self._n_late += 1
                if self._n_late == LATE:
                    self.settle()
            yield run
            if run.stopped_by:
                break

    def _note(self, loss: float) -> None:
        self._losses.append(loss)
        if not math.isfinite(loss):
            self._check_finite("train_loss", loss, step=len(self._losses))
        self.run.loss = loss

    def _settle_all(self) -> None:
        """Wait for the losses; raise if a weight is not finite, which losses may not show."""
        if not self.settle():
            self._check_finite("a weight", math.inf)

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        """Validate, and record the metrics."""
        run = self.run
        if self.held_out is not None:
            value, p = self.trainer.evaluate(self.held_out)
            self._check_finite("validation_loss", value)
            metrics["validation_loss"] = value
            metrics |= self._measure(self.held_out, p)
        metrics["seconds"] = time.perf_counter() - self._started
        run.record(metrics)
        if self.schedule is not None:
            watched = metrics.get("validation_loss", metrics["train_loss"])
            self.plateau = self.schedule.observe(watched, self.plateau)

    def try_metrics(self) -> None:
        """Measure once before the first step, so that a metric that fails does so now."""
        if self.held_out is not None and self.metrics:
            self._measure(self.held_out, self.trainer.evaluate(self.held_out)[1])

    def _measure(self, held_out: Data, p: Any) -> dict[str, float]:
        loss = self.trainer.loss
        truth, prediction = loss.truth(np.asarray(held_out.targets)), loss.predict(p)
        measured = {}
        for name, metric in self.metrics.items():
            try:
                measured[f"validation_{name}"] = float(metric(truth, prediction))
            except (TypeError, ValueError) as error:
                raise InvalidArgumentError(
                    f"metric {name!r} cannot be measured: {error}"
                ) from error
        return measured

    def _check_finite(self, name: str, value: float, step: int | None = None) -> None:
        if math.isfinite(value):
            return
        run = self.run
        step = step or run.step
        rate = "" if math.isnan(run.learning_rate) else f" (learning rate {run.learning_rate:g})"
        raise DivergenceError(
            f"{name} became {value} in epoch {run.epoch}, step {step}{rate}. Try a smaller "
            "learning rate, clip_norm=1, or inputs scaled to zero mean and unit variance",
            epoch=run.epoch,
            step=step,
            learning_rate=run.learning_rate,
        )
