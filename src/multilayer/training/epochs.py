"""Loop: epochs of steps, one after the other, for any engine."""

import math
import operator
import time
from collections.abc import Callable, Sequence
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
from multilayer.training.arguments import take_rows
from multilayer.training.callbacks import Callback
from multilayer.training.engine import Batch, Trainer
from multilayer.training.history import History
from multilayer.training.keeper import Keeper
from multilayer.training.metrics import Metric
from multilayer.training.run import Run

__all__ = ["Loop"]


class Loop:
    """One training, from its first step or from where a checkpoint has left it.

    Parameters
    ----------
    run : Run
        What callbacks see of it.
    trainer : Trainer
        What takes the steps.
    training, held_out : tuple (X, targets, weight)
        Checked samples to train on, and to validate on if any.
    batches : Batches
        Which of them a step takes.
    metrics : dict of str to Metric
        What is measured of the held-out samples.
    schedule : Schedule, optional
        What multiplies the learning rate.
    callbacks : sequence of Callback
        Who looks on.
    rng : numpy.random.Generator
        Draws the order of each epoch.
    keeper : Keeper, optional
        What keeps it in a checkpoint: called after each step and before each epoch.
    """

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        *,
        training: Batch,
        held_out: Batch | None,
        batches: Batches,
        metrics: dict[str, Metric],
        schedule: Schedule | None,
        callbacks: Sequence[Callback],
        rng: np.random.Generator,
        keeper: Keeper | None = None,
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.training = training
        self.held_out = held_out
        self.batches = batches
        self.metrics = metrics
        self.schedule = schedule
        self.callbacks = callbacks
        self.rng = rng
        self.keeper = keeper
        self.step_hooks: list[Callable[[Run], None]] = [
            callback.on_step_end
            for callback in callbacks
            if type(callback).on_step_end is not Callback.on_step_end
        ]
        if keeper is not None:  # after the callbacks, whose state it keeps
            self.step_hooks.append(keeper)
        self.plateau = Plateau()
        # Of the epoch under way:
        self.losses: list[float] = []
        self.pending: list[Any] = []  # losses that may still be on their way on a device
        self.drawn_from: Any = None  # where the generator was before it drew the order
        self.started = 0.0
        self.last_rows = np.arange(0)
        self._callback_states: list[dict[str, Any]] = []

    def train(self) -> History:
        """Train by steps."""
        run = self.run
        is_finished = bool(run.stopped_by)

        def epochs() -> None:
            if is_finished:
                return
            self.trainer.begin(self.training, self.batch_size)
            for _ in range(run.history.n_epochs, run.n_epochs):
                if not run.is_under_way:
                    self._begin_epoch()
                train_loss = self._steps()
                self._end_epoch({"train_loss": train_loss, "learning_rate": run.learning_rate})
                if run.stopped_by:
                    break
            if self.held_out is None and self.trainer.shard == (0, 1):
                # Nothing else has seen what the last step did.
                last_batch = take_rows(self.training, self.last_rows)
                self._check_finite("train_loss", self.trainer.evaluate(last_batch)[0])
            run.stop("n_epochs")
            if self.keeper is not None:
                self.keeper.write()

        return self._guarded(epochs)

    def minimize(self) -> History:
        """Train by L-BFGS: an epoch is one of its iterations."""
        run = self.run

        def after_iteration(train_loss: float) -> bool:
            run.step = 1
            run.loss = train_loss
            self._check_finite("train_loss", train_loss)
            self._end_epoch({"train_loss": train_loss})
            if not run.stopped_by and run.epoch < run.n_epochs:
                self._begin_epoch()
            return bool(run.stopped_by)

        def iterations() -> None:
            self._begin_epoch()
            run.stop(self.trainer.minimize(self.training, run.n_epochs, after_iteration))

        return self._guarded(iterations)

    @property
    def batch_size(self) -> int:
        """How many samples a full batch has."""
        start, stop = self.batches.bounds[0]
        return stop - start

    def settings(self) -> dict[str, Any]:
        """Return how it trains, as the history tells it."""
        return {
            "loss": describe(self.trainer.loss, LOSSES),
            "optimizer": describe(self.trainer.optimizer, OPTIMIZERS),
            "batch_size": self.batch_size,
            "monitor": self.run.monitor,
        }

    def description(self) -> dict[str, Any]:
        """Return what is trained, on what, and how, by name, as values that go into JSON."""
        return self.trainer.description() | {
            "n_epochs": self.run.n_epochs,
            "batch_size": self.batch_size,
            "shuffle": self.batches.shuffle,
            "schedule": repr(self.schedule),
            "validation": self.held_out is not None,
            "metrics": list(self.metrics),
            "monitor": self.run.monitor,
            "callbacks": [_name(callback) for callback in self.callbacks if _has_state(callback)],
            # What follows from the arguments comes last: a message tells differences in this order.
            "n_samples": self.batches.n_samples,
            "data": fingerprint(*self.training),
            "validation_data": None if self.held_out is None else fingerprint(*self.held_out),
        }

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return all that decides how it goes on: what goes into JSON, and arrays by name.

        It may be asked for between two steps and between two epochs.
        """
        self._look_at_losses()
        run, snapshots = self.run.state()
        under_way = self.run.is_under_way  # then its order is drawn again
        epoch = {
            "losses": np.array(self.losses),
            "drawn_from": self.drawn_from if under_way else generator_state(self.rng),
        }
        numbers = {
            "run": run,
            "plateau": self.plateau._asdict(),
            "seconds": time.perf_counter() - self.started,
            "callbacks": [callback.state() for callback in self.callbacks if _has_state(callback)],
        }
        return numbers, join({"run": snapshots, "trainer": self.trainer.state(), "epoch": epoch})

    def set_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Put back what `state` returned, of a loop with the same arguments."""
        self.run.set_state(numbers["run"], part_of(arrays, "run"))
        self.trainer.set_state(part_of(arrays, "trainer"))
        self.plateau = Plateau(**numbers["plateau"])
        self.started = time.perf_counter() - numbers["seconds"]
        self.losses = arrays["epoch.losses"].tolist()
        self.drawn_from = arrays["epoch.drawn_from"]
        set_generator_state(self.rng, self.drawn_from)
        self._callback_states = numbers["callbacks"]

    def _guarded(self, epochs: Callable[[], None]) -> History:
        """Run epochs; whatever ends them, leave good weights and tell the callbacks."""
        run = self.run
        run.history.settings = self.settings()  # of one that is gone on with, too
        begun: list[Callback] = []
        try:
            self._try_metrics()
            states = iter(self._callback_states)
            for callback in self.callbacks:
                callback.on_train_begin(run)
                begun.append(callback)
                if self._callback_states and _has_state(callback):
                    callback.set_state(next(states))
            # What overflows ends as an infinite loss, which is reported with epoch and step.
            with np.errstate(over="ignore", invalid="ignore"):
                epochs()
        except KeyboardInterrupt:
            run.stop("interrupt")
        except DivergenceError:
            run.stop("divergence")
            run.restore_best()
            raise
        finally:
            run.history.stopped_by = run.stopped_by
            try:
                self.trainer.finish()
            finally:  # a second Ctrl-C may come while threads end
                if run.keep_best and run.is_judged:
                    run.restore_best()
                for callback in begun:
                    callback.on_train_end(run)
        return run.history

    def _begin_epoch(self) -> None:
        if self.keeper is not None:
            self.keeper(self.run)
            self.drawn_from = generator_state(self.rng)
        self.run.begin_epoch()
        self.run.learning_rate = self.trainer.learning_rate
        self.losses.clear()
        self.started = time.perf_counter()

    def _steps(self) -> float:
        """Take an epoch's steps, or those that are left of it; return its samples' mean loss."""
        run, step, hooks = self.run, self.trainer.step, self.step_hooks
        pending, look_at_losses = self.pending, self._look_at_losses
        rate = base_rate = self.trainer.learning_rate
        sync_every = self.trainer.sync_every
        order, masses = self.batches.epoch(self.rng)
        self.trainer.begin_epoch(order)
        for start, stop in self.batches.bounds[run.step :]:
            if self.schedule is not None:
                t = run.epoch - 1 + run.step / run.n_steps
                rate = base_rate * self.schedule.factor(t, run.n_epochs, self.plateau)
                run.learning_rate = rate
            pending.append(step(start, stop, rate))
            run.step += 1
            if len(pending) >= sync_every:
                look_at_losses()
            for hook in hooks:
                hook(run)
            if run.stopped_by:
                break
        self._look_at_losses()
        start, stop = self.batches.bounds[run.step - 1]
        self.last_rows = np.arange(start, stop) if order is None else order[start:stop].copy()
        losses = self.losses
        return math.fsum(map(operator.mul, losses, masses)) / math.fsum(masses[: len(losses)])

    def _look_at_losses(self) -> None:
        """Move steps' losses, as numbers, to those that are known; raise if one is not finite."""
        pending, losses = self.pending, self.losses
        if not pending:
            return
        for value in self.trainer.losses(pending):
            losses.append(value)
            if not math.isfinite(value):
                self._check_finite("train_loss", value, step=len(losses))
        self.run.loss = losses[-1]
        pending.clear()

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        """Validate, record, and tell schedule and callbacks."""
        if not self.trainer.is_finite():  # a gradient may overflow where the loss does not
            self._check_finite("a weight", math.inf)
        if self.held_out is not None:
            value, p = self.trainer.evaluate(self.held_out)
            self._check_finite("validation_loss", value)
            metrics["validation_loss"] = value
            metrics |= self._measure(self.held_out, p)
        metrics["seconds"] = time.perf_counter() - self.started
        self.run.record(metrics)
        if self.schedule is not None:
            watched = metrics.get("validation_loss", metrics["train_loss"])
            self.plateau = self.schedule.observe(watched, self.plateau)
        for callback in self.callbacks:
            callback.on_epoch_end(self.run)

    def _try_metrics(self) -> None:
        """Measure once before the first step: a metric that fails shall fail now."""
        if self.held_out is not None and self.metrics:
            self._measure(self.held_out, self.trainer.evaluate(self.held_out)[1])

    def _measure(self, held_out: Batch, p: Any) -> dict[str, float]:
        loss = self.trainer.loss
        truth, prediction = loss.truth(np.asarray(held_out[1])), loss.predict(p)
        measured = {}
        for name, metric in self.metrics.items():
            try:
                measured[f"validation_{name}"] = float(metric(truth, prediction))
            except (TypeError, ValueError) as error:
                msg = f"metric {name!r} cannot be measured: {error}"
                raise InvalidArgumentError(msg) from error
        return measured

    def _check_finite(self, name: str, value: float, step: int | None = None) -> None:
        if math.isfinite(value):
            return
        run = self.run
        step = step or run.step
        rate = "" if math.isnan(run.learning_rate) else f" (learning rate {run.learning_rate:g})"
        msg = (
            f"{name} became {value} in epoch {run.epoch}, step {step}{rate}. Try a smaller "
            "learning rate, clip_norm=1, or inputs scaled to zero mean and unit variance"
        )
        raise DivergenceError(msg, epoch=run.epoch, step=step, learning_rate=run.learning_rate)


def _has_state(callback: Callback) -> bool:
    return type(callback).state is not Callback.state


def _name(callback: Callback) -> str:
    """Return what tells a callback from others: its repr, but for one that has an address."""
    kind = type(callback)
    return kind.__name__ if kind.__repr__ is object.__repr__ else repr(callback)
