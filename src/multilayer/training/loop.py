"""The training loop: epochs of steps, written once for any engine."""

import math
import operator
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.data.batches import Batches, Sampler
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidTypeError,
)
from multilayer.numpy.schedules import SCHEDULES, Plateau, Schedule
from multilayer.registry import resolve
from multilayer.training.arguments import (
    check_callbacks,
    check_data,
    check_options,
    check_shuffle,
    choose_monitor,
    split_data,
    take_rows,
)
from multilayer.training.callbacks import Callback
from multilayer.training.engine import Batch, Engine, Trainer
from multilayer.training.history import History
from multilayer.training.metrics import Metric, resolve_metrics
from multilayer.training.run import Run

__all__ = ["fit", "train"]

DEFAULT_BATCH_SIZE = 32


def fit(
    net: Engine,
    data: tuple[object, ...],
    *,
    loss: Any,
    optimizer: Any = "adam",
    n_epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool | Sampler = True,
    validation: float | tuple[object, ...] | None = None,
    metrics: Any = None,
    monitor: str | None = None,
    schedule: str | Schedule | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    callbacks: Sequence[Callback] = (),
    rng: np.random.Generator | None = None,
    **options: Any,
) -> History:
    """Train a network: forward, loss, backward, update, batch after batch, epoch after epoch.

    Parameters
    ----------
    net : MLP
        The network, of either engine; it is trained in place, from the weights that it has.
    data : tuple (X, y) or (X, y, sample_weight)
        Samples of shape (n_samples, in_features), their targets, and non-negative weights. A loss
        is the weighted mean over a batch.
    loss : str or Loss
        A name of ``multilayer.numpy.LOSSES``, or a loss with its parameters.
    optimizer : str, Optimizer or LBFGS
        A name of ``multilayer.numpy.OPTIMIZERS``, ``"lbfgs"``, or an object.
    n_epochs : int
        How often each sample is seen at most; with L-BFGS, the number of its iterations.
    batch_size : int, optional
        Samples a step, 32 by default; the last batch of an epoch may be shorter. L-BFGS takes all.
    shuffle : bool or sampler
        Whether each epoch has an order of its own; or an object with a length that gives that many
        row numbers each time it is gone through, such as one of ``torch.utils.data``'s samplers.
    validation : float or tuple (X, y) or (X, y, sample_weight), optional
        A share of the samples to set aside, drawn at random and by classes where there are any; or
        samples of their own.
    metrics : sequence of str, or mapping of str to callable, optional
        Names of ``METRICS``, or functions of (y, prediction), measured on the validation samples,
        without their weights. By default the accuracy of classes and labels; of several labels a
        sample, all must be right.
    monitor : str, optional
        The history's entry by which the best epoch is chosen: ``"validation_loss"`` by default, and
        ``"train_loss"`` without validation.
    schedule : str or Schedule, optional
        A name of ``multilayer.numpy.SCHEDULES`` or an object: multiplies the learning rate.
    l1, l2 : float
        Penalty λ₁ Σ|W| + λ₂/2 ‖W‖² on weights, not on biases; part of the training loss.
    clip_norm, clip_value : float, optional
        The gradient's largest length, and its entries' largest size; value first.
    callbacks : sequence of Callback
        `EarlyStopping`, `Progress`, or your own.
    rng : numpy.random.Generator, optional
        Draws validation split, order and dropout. The same seed gives the same bits.
    **options
        What only one engine can do: `multilayer.torch.Trainer` has precision, accumulate, ema and
        compile.

    Returns
    -------
    History
        Each metric's values, one an epoch.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an argument cannot be used; the network has not been changed then.
    DivergenceError
        If a loss becomes infinite or NaN. The network has its best epoch's weights then.

    Notes
    -----
    Ctrl-C ends the training, and the history so far is returned. At the end the network has the
    last step's weights (one that was interrupted may be half taken); with `EarlyStopping` those of
    the best epoch.

    An epoch's training loss is measured before each of its steps. So where it is what epochs are
    judged by, for want of validation samples, the best weights are those that the epoch with the
    least loss began with.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> net = MLP(Architecture(2, (16,), 2), rng=rng)
    >>> history = fit(net, (X, y), loss="cross_entropy", n_epochs=60, rng=rng)
    >>> bool((net(X).argmax(axis=1) == y).mean() > 0.9)
    True
    """
    if isinstance(net, type) or not callable(getattr(net, "trainer", None)):
        msg = f"net of fit must be a network, such as multilayer.numpy.MLP; got {net!r}"
        raise InvalidTypeError(msg)
    rng = checks.random_generator(rng, "fit")
    check_options(options, net)
    trainer = net.trainer(
        loss=loss,
        optimizer=optimizer,
        l1=l1,
        l2=l2,
        clip_norm=clip_norm,
        clip_value=clip_value,
        rng=rng.spawn(1)[0],  # masks of their own, so that the order is the same for any engine
        **options,
    )
    return train(
        trainer,
        data,
        n_epochs=n_epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        validation=validation,
        metrics=metrics,
        monitor=monitor,
        schedule=schedule,
        callbacks=callbacks,
        rng=rng,
    )


def train(
    trainer: Trainer,
    data: tuple[object, ...],
    *,
    n_epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool | Sampler = True,
    validation: float | tuple[object, ...] | None = None,
    metrics: Any = None,
    monitor: str | None = None,
    schedule: str | Schedule | None = None,
    callbacks: Sequence[Callback] = (),
    rng: np.random.Generator | None = None,
) -> History:
    """Train as `fit` does, with a trainer that is there already.

    A trainer keeps its optimizer's state: what it has learned of the gradients in one call is used
    in the next. `fit` makes a new one each time.

    Parameters
    ----------
    trainer : Trainer
        What ``net.trainer`` returns.
    data, n_epochs, batch_size, shuffle, validation, metrics, monitor, schedule, callbacks, rng
        As in `fit`.

    Returns
    -------
    History

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError, DivergenceError
        As `fit` does.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> net = MLP(Architecture(4, (8,), 2), rng=np.random.default_rng(0))
    >>> trainer = net.trainer(loss="cross_entropy", optimizer="adam")
    >>> for _ in range(3):
    ...     history = train(trainer, (X, y), n_epochs=1)
    >>> trainer.optimizer_state["step"]
    3
    """
    n_epochs = checks.integer(n_epochs, "n_epochs", "fit")
    rng = checks.random_generator(rng, "fit")
    callbacks = check_callbacks(callbacks)
    if not trainer.takes_steps:
        for name, value in (("batch_size", batch_size), ("schedule", schedule)):
            if value is not None:
                msg = f"{name} cannot be combined with L-BFGS, which takes no steps of a batch"
                raise InvalidArgumentError(msg)
    chosen_schedule = None if schedule is None else resolve(schedule, SCHEDULES, Schedule)
    found_metrics = resolve_metrics(metrics, trainer.loss.task)
    if metrics is not None and validation is None:
        msg = "metrics of fit are measured on validation samples; validation is None"
        raise InvalidArgumentError(msg)
    training, held_out = split_data(trainer, check_data(trainer, data, "data"), validation, rng)

    least = 2 if trainer.net.architecture.normalization == "batch" else 1
    if batch_size is None:
        batch_size = DEFAULT_BATCH_SIZE
    if min(checks.integer(batch_size, "batch_size", "fit"), len(training[0])) < least:
        msg = (
            "batch normalisation needs batches of at least 2 samples; got batch_size "
            f"{batch_size} of {len(training[0])}"
        )
        raise InvalidArgumentError(msg)
    batches = Batches(
        len(training[0]),
        training[2],
        batch_size=batch_size if trainer.takes_steps else len(training[0]),
        shuffle=check_shuffle(shuffle),
        least=least,
    )
    monitor, higher = choose_monitor(monitor, found_metrics, held_out is not None)
    run = Run(
        trainer,
        n_epochs=n_epochs,
        n_steps=len(batches),
        monitor=monitor,
        higher_is_better=higher,
    )
    loop = _Loop(run, trainer, training, held_out, found_metrics, chosen_schedule, callbacks)
    return loop.train(batches, rng) if trainer.takes_steps else loop.minimize()


class _Loop:
    """The state of one call of `fit`."""

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        training: Batch,
        held_out: Batch | None,
        metrics: dict[str, Metric],
        schedule: Schedule | None,
        callbacks: Sequence[Callback],
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.training = training
        self.held_out = held_out
        self.metrics = metrics
        self.schedule = schedule
        self.plateau = Plateau()
        self.callbacks = callbacks
        self.step_hooks = [
            callback.on_step_end
            for callback in callbacks
            if type(callback).on_step_end is not Callback.on_step_end
        ]
        self.started = 0.0
        self.last_rows = np.arange(0)

    def train(self, batches: Batches, rng: np.random.Generator) -> History:
        """Train by steps."""

        def epochs() -> None:
            self.trainer.begin(self.training)
            for _ in range(self.run.n_epochs):
                self._begin_epoch()
                train_loss = self._steps(batches, rng)
                self._end_epoch({"train_loss": train_loss, "learning_rate": self.run.learning_rate})
                if self.run.stopped_by:
                    break
            if self.held_out is None and self.trainer.shard == (0, 1):
                # Nothing else has seen what the last step did.
                last_batch = take_rows(self.training, self.last_rows)
                self._check_finite("train_loss", self.trainer.evaluate(last_batch)[0])
            self.run.stop("n_epochs")

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

    def _guarded(self, epochs: Callable[[], None]) -> History:
        """Run epochs; whatever ends them, leave good weights and tell the callbacks."""
        run = self.run
        begun: list[Callback] = []
        try:
            self._try_metrics()
            for callback in self.callbacks:
                callback.on_train_begin(run)
                begun.append(callback)
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
        self.run.begin_epoch()
        self.started = time.perf_counter()

    def _steps(self, batches: Batches, rng: np.random.Generator) -> float:
        """Take an epoch's steps; return the mean loss of its samples."""
        run, step, hooks = self.run, self.trainer.step, self.step_hooks
        rate = base_rate = run.learning_rate = self.trainer.learning_rate
        sync_every = self.trainer.sync_every
        losses: list[float] = []
        pending: list[Any] = []  # losses that may still be on their way on a device
        order, masses = batches.epoch(rng)
        self.trainer.begin_epoch(order)
        for start, stop in batches.bounds:
            if self.schedule is not None:
                t = run.epoch - 1 + run.step / run.n_steps
                rate = base_rate * self.schedule.factor(t, run.n_epochs, self.plateau)
                run.learning_rate = rate
            pending.append(step(start, stop, rate))
            run.step += 1
            if len(pending) >= sync_every:
                self._look_at(pending, losses)
            for hook in hooks:
                hook(run)
            if run.stopped_by:
                break
        self._look_at(pending, losses)
        self.last_rows = np.arange(start, stop) if order is None else order[start:stop].copy()
        return math.fsum(map(operator.mul, losses, masses)) / math.fsum(masses[: len(losses)])

    def _look_at(self, pending: list[Any], losses: list[float]) -> None:
        """Move steps' losses, as numbers, to those that are known; raise if one is not finite."""
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
