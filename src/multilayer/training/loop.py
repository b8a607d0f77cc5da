"""`fit` and `train`: from arguments to a loop of epochs, for any engine."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.data.batches import DEFAULT_BATCH_SIZE, Batches, Sampler
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy.schedules import SCHEDULES, Schedule
from multilayer.registry import resolve
from multilayer.training.arguments import (
    check_callbacks,
    check_checkpoint,
    check_data,
    check_options,
    check_shuffle,
    choose_monitor,
    split_data,
)
from multilayer.training.callbacks import Callback
from multilayer.training.checkpoint import Checkpoint
from multilayer.training.engine import Engine, Trainer
from multilayer.training.epochs import Loop
from multilayer.training.history import History
from multilayer.training.keeper import Keeper
from multilayer.training.metrics import resolve_metrics
from multilayer.training.run import Run

__all__ = ["fit", "train"]


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
    checkpoint: str | PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
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
    checkpoint : path or Checkpoint, optional
        A folder in which the training is kept, once a minute, so that one that was killed can go
        on; a `Checkpoint` has another interval. One that is there is never overwritten.
    resume : bool
        Whether to go on from the checkpoint, if there is one: the same call with ``resume=True``
        starts a training, and takes it up again as often as it is killed.
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
        If an argument cannot be used; the network has not been changed then. Also if there is a
        checkpoint, and it is not to be resumed or is of another training.
    DivergenceError
        If a loss becomes infinite or NaN. The network has its best epoch's weights then.
    ModelFileError
        If the checkpoint is damaged.

    Notes
    -----
    Ctrl-C ends the training, and the history so far is returned. At the end the network has the
    last step's weights (one that was interrupted may be half taken); with `EarlyStopping` those of
    the best epoch.

    An epoch's training loss is measured before each of its steps. So where it is what epochs are
    judged by, for want of validation samples, the best weights are those that the epoch with the
    least loss began with.

    A training that goes on ends with the same bits as one that was never killed, its history too
    but for ``seconds``, on the same machine with the same number of threads. It takes its weights
    and generators from the checkpoint; network, data and arguments must be those it was begun with.
    L-BFGS, samplers and several processes cannot be kept. A callback of your own that remembers
    something says what in `Callback.state`.

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
        rule = "must be a network, such as multilayer.numpy.MLP"
        raise InvalidTypeError(rule, "net", "fit", got=repr(net))
    generator = checks.random_generator(rng, "fit")
    check_options(options, net)
    trainer = net.trainer(
        loss=loss,
        optimizer=optimizer,
        l1=l1,
        l2=l2,
        clip_norm=clip_norm,
        clip_value=clip_value,
        # masks of their own, so that the order is the same for any engine
        rng=generator.spawn(1)[0],
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
        checkpoint=checkpoint,
        resume=resume,
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
    checkpoint: str | PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
) -> History:
    """Train as `fit` does, with a trainer that is there already.

    A trainer keeps its optimizer's state: what it has learned of the gradients in one call is used
    in the next. `fit` makes a new one each time.

    Parameters
    ----------
    trainer : Trainer
        What ``net.trainer`` returns.
    data, n_epochs, batch_size, shuffle, validation, metrics, monitor, schedule, callbacks, rng, \
checkpoint, resume
        As in `fit`.

    Returns
    -------
    History

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError, DivergenceError, ModelFileError
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
    generator = checks.random_generator(rng, "fit")
    callbacks = check_callbacks(callbacks)
    shuffle = check_shuffle(shuffle)
    if not trainer.takes_steps:
        for name, value in (("batch_size", batch_size), ("schedule", schedule)):
            if value is not None:
                rule = "cannot be combined with L-BFGS, which takes no steps of a batch"
                raise InvalidArgumentError(rule, name)
    chosen_schedule = None if schedule is None else resolve(schedule, SCHEDULES, Schedule)
    found_metrics = resolve_metrics(metrics, trainer.loss.task)
    if metrics is not None and validation is None:
        msg = "metrics of fit are measured on validation samples; validation is None"
        raise InvalidArgumentError(msg)
    chosen_checkpoint = check_checkpoint(checkpoint, resume, trainer, shuffle)
    checked = check_data(trainer, data, "data")
    keeper = None
    if chosen_checkpoint is not None:  # before anything is drawn
        keeper = Keeper(chosen_checkpoint, generator, resume=resume, is_given=rng is not None)
    training, held_out = split_data(trainer, checked, validation, generator)

    least = 2 if trainer.net.architecture.normalization == "batch" else 1
    if batch_size is None:
        batch_size = DEFAULT_BATCH_SIZE
    if min(checks.integer(batch_size, "batch_size", "fit"), len(training[0])) < least:
        raise InvalidArgumentError(
            "must give batches of at least 2 samples to batch normalisation",
            "batch_size",
            "fit",
            got=f"{batch_size} of {len(training[0])} samples",
        )
    batches = Batches(
        len(training[0]),
        training[2],
        batch_size=batch_size if trainer.takes_steps else len(training[0]),
        shuffle=shuffle,
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
    loop = Loop(
        run,
        trainer,
        training=training,
        held_out=held_out,
        batches=batches,
        metrics=found_metrics,
        schedule=chosen_schedule,
        callbacks=callbacks,
        rng=generator,
        keeper=keeper,
    )
    if keeper is None:
        return loop.train() if trainer.takes_steps else loop.minimize()
    keeper.begin(loop)
    with keeper:
        return loop.train()
