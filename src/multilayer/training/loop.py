"""The training loop: epochs of steps, written once for any engine."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.data.batches import Batch, Batches
from multilayer.data.split import split_validation
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy.lbfgs import LBFGS
from multilayer.numpy.schedules import SCHEDULES, Plateau, Schedule
from multilayer.registry import Names, resolve
from multilayer.training.callbacks import Callback
from multilayer.training.engine import Engine, Trainer
from multilayer.training.history import History
from multilayer.training.metrics import Metric, resolve_metrics
from multilayer.training.run import Run

__all__ = ["fit"]

DEFAULT_BATCH_SIZE = 32


def fit(
    net: Engine,
    data: tuple[object, ...],
    *,
    loss: Any,
    optimizer: Any = "adam",
    n_epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool = True,
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
    shuffle : bool
        Whether each epoch has an order of its own.
    validation : float or tuple (X, y) or (X, y, sample_weight), optional
        A share of the samples to set aside, drawn at random and by classes where there are any; or
        samples of their own.
    metrics : sequence of str, or mapping of str to callable, optional
        Names of ``METRICS``, or functions of (y, prediction), measured on the validation samples,
        without their weights. By default the accuracy of classes and labels.
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
    Ctrl-C ends the training after the step under way, and the history so far is returned. At the
    end the network has the last epoch's weights; with `EarlyStopping` those of the best.

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
    if not hasattr(net, "trainer"):
        msg = f"net of fit must be a network, such as multilayer.numpy.MLP; got {net!r}"
        raise InvalidTypeError(msg)
    n_epochs = checks.integer(n_epochs, "n_epochs", "fit")
    rng = checks.random_generator(rng, "fit")
    callbacks = _callbacks(callbacks)
    trainer = net.trainer(
        loss=loss,
        optimizer=optimizer,
        l1=l1,
        l2=l2,
        clip_norm=clip_norm,
        clip_value=clip_value,
        rng=rng,
    )
    steps = not isinstance(trainer.optimizer, LBFGS)
    if not steps:
        for name, value in (("batch_size", batch_size), ("schedule", schedule)):
            if value is not None:
                msg = f"{name} cannot be combined with L-BFGS, which takes no steps of a batch"
                raise InvalidArgumentError(msg)
    chosen_schedule = None if schedule is None else resolve(schedule, SCHEDULES, Schedule)
    found_metrics = resolve_metrics(metrics, trainer.loss.task)
    if metrics is not None and validation is None:
        msg = "metrics of fit are measured on validation samples; validation is None"
        raise InvalidArgumentError(msg)
    training, held_out = _split(trainer, _check(trainer, data, "data"), validation, rng)

    if batch_size is None:
        batch_size = DEFAULT_BATCH_SIZE
    batches = Batches(
        *training,
        batch_size=checks.integer(batch_size, "batch_size", "fit"),
        shuffle=checks.flag(shuffle, "shuffle", "fit"),
        least=2 if net.architecture.normalization == "batch" else 1,
    )
    monitor, higher = _monitor(monitor, found_metrics, held_out is not None)
    run = Run(
        net,
        trainer,
        n_epochs=n_epochs,
        n_steps=len(batches),
        monitor=monitor,
        higher_is_better=higher,
    )
    loop = _Loop(run, trainer, held_out, found_metrics, chosen_schedule, callbacks)
    return loop.train(batches, rng) if steps else loop.minimize(training)


class _Loop:
    """The state of one call of `fit`."""

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        held_out: Batch | None,
        metrics: dict[str, Metric],
        schedule: Schedule | None,
        callbacks: Sequence[Callback],
    ) -> None:
        self.run = run
        self.trainer = trainer
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

    def train(self, batches: Batches, rng: np.random.Generator) -> History:
        """Train by steps."""

        def epochs() -> None:
            for _ in range(self.run.n_epochs):
                self._begin_epoch()
                train_loss = self._steps(batches, rng)
                self._end_epoch({"train_loss": train_loss, "learning_rate": self.run.learning_rate})
                if self.run.stopped_by:
                    return
            self.run.stop("n_epochs")

        return self._guarded(epochs)

    def minimize(self, data: Batch) -> History:
        """Train by L-BFGS: an epoch is one of its iterations."""
        run = self.run

        def after_iteration(train_loss: float) -> bool:
            run.step = 1
            self._check_finite("train_loss", train_loss)
            self._end_epoch({"train_loss": train_loss})
            if not run.stopped_by and run.epoch < run.n_epochs:
                self._begin_epoch()
            return bool(run.stopped_by)

        def iterations() -> None:
            self._begin_epoch()
            converged = self.trainer.minimize(data, run.n_epochs, after_iteration)
            if converged:
                run.stop("converged")
            run.stop("n_epochs" if run.history.n_epochs == run.n_epochs else "max_evaluations")

        return self._guarded(iterations)

    def _guarded(self, epochs: Callable[[], None]) -> History:
        """Run epochs; whatever ends them, leave good weights and tell the callbacks."""
        run = self.run
        try:
            for callback in self.callbacks:
                callback.on_train_begin(run)
            # What overflows ends as an infinite loss, which is reported with epoch and step.
            with np.errstate(over="ignore", invalid="ignore"):
                epochs()
        except KeyboardInterrupt:
            run.stop("interrupt")
        except DivergenceError:
            run.stop("divergence")
            run.keep_best = True
            raise
        finally:
            run.history.stopped_by = run.stopped_by
            if run.keep_best:
                run.restore_best()
            for callback in self.callbacks:
                callback.on_train_end(run)
        return run.history

    def _begin_epoch(self) -> None:
        self.run.epoch += 1
        self.run.step = 0
        self.started = time.perf_counter()

    def _steps(self, batches: Batches, rng: np.random.Generator) -> float:
        """Take an epoch's steps; return the mean loss of its samples."""
        run, step, hooks = self.run, self.trainer.step, self.step_hooks
        run.learning_rate = self.trainer.optimizer.learning_rate
        total, n_seen = 0.0, 0
        for batch in batches.epoch(rng):
            if self.schedule is not None:
                t = run.epoch - 1 + run.step / run.n_steps
                factor = self.schedule.factor(t, run.n_epochs, self.plateau)
                run.learning_rate = self.trainer.optimizer.learning_rate * factor
            run.loss = step(batch, run.learning_rate)
            run.step += 1
            if not math.isfinite(run.loss):
                self._check_finite("train_loss", run.loss)
            total += run.loss * len(batch[0])
            n_seen += len(batch[0])
            for hook in hooks:
                hook(run)
            if run.stopped_by:
                break
        return total / n_seen

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        """Validate, record, and tell schedule and callbacks."""
        if self.held_out is not None:
            value, p = self.trainer.evaluate(self.held_out)
            self._check_finite("validation_loss", value)
            metrics["validation_loss"] = value
            prediction = self.trainer.loss.predict(p)
            for name, metric in self.metrics.items():
                metrics[f"validation_{name}"] = metric(self.held_out[1], prediction)
        metrics["seconds"] = time.perf_counter() - self.started
        self.run.record(metrics)
        if self.schedule is not None:
            watched = metrics.get("validation_loss", metrics["train_loss"])
            self.plateau = self.schedule.observe(watched, self.plateau)
        for callback in self.callbacks:
            callback.on_epoch_end(self.run)

    def _check_finite(self, name: str, value: float) -> None:
        if math.isfinite(value):
            return
        run = self.run
        rate = "" if math.isnan(run.learning_rate) else f" (learning rate {run.learning_rate:g})"
        msg = (
            f"{name} became {value} in epoch {run.epoch}, step {run.step}{rate}. Try a smaller "
            "learning rate, clip_norm=1, or inputs scaled to zero mean and unit variance"
        )
        raise DivergenceError(msg, epoch=run.epoch, step=run.step, learning_rate=run.learning_rate)


def _callbacks(callbacks: object) -> tuple[Callback, ...]:
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in found:
        if not isinstance(callback, Callback):
            msg = f"callbacks of fit must be a sequence of Callback objects; got {callback!r}"
            raise InvalidTypeError(msg)
    return found


def _check(trainer: Trainer, data: object, name: str) -> Batch:
    """Return samples, targets and weights, checked, of a tuple of two or three."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        msg = f"{name} of fit must be a tuple (X, y) or (X, y, sample_weight); got " + (
            f"{len(data)} parts" if isinstance(data, (tuple, list)) else type(data).__name__
        )
        raise InvalidTypeError(msg)
    X, y, *weight = data
    return trainer.check(X, y, weight[0] if weight else None)


def _split(
    trainer: Trainer, data: Batch, validation: object, rng: np.random.Generator
) -> tuple[Batch, Batch | None]:
    """Return the samples to train on, and those to validate on if any."""
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)):
        return data, _check(trainer, validation, "validation")
    fraction = checks.real(validation, "validation", "fit", "(0, 1)")
    X, y, weight = data
    classes = y if trainer.loss.task == "class" and y.ndim == 1 else None
    parts = split_validation(len(X), fraction, rng, classes)
    training, held_out = (
        (X[rows], y[rows], None if weight is None else weight[rows]) for rows in parts
    )
    return training, held_out


def _monitor(monitor: object, metrics: dict[str, Metric], has_validation: bool) -> tuple[str, bool]:
    """Return the name of the monitored entry of the history, and whether higher is better."""
    names = ["train_loss"]
    if has_validation:
        names = ["validation_loss", "train_loss", *(f"validation_{name}" for name in metrics)]
    chosen = names[0] if monitor is None else Names("monitor", names).check(monitor, "fit")
    metric = metrics.get(chosen.removeprefix("validation_"))
    return chosen, metric is not None and metric.higher_is_better
