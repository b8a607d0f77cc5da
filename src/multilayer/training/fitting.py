"""`fit` and `train`: build a loop from their arguments, and run it to its end, for any engine."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.data.batches import DEFAULT_BATCH_SIZE, Batches, Lockstep, Sampler
from multilayer.data.stream import Stream
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy.adversaries import Adversary
from multilayer.randomness import Generators
from multilayer.training.arguments import (
    check_callbacks,
    check_checkpoint,
    check_data,
    check_generator,
    check_metrics,
    check_options,
    check_orders,
    check_schedule,
    check_shuffle,
    check_size,
    check_splits,
    choose_monitor,
    each_its_own,
    mask_generator,
    split_data,
    split_each,
    streamed,
)
from multilayer.training.callbacks import Callback
from multilayer.training.checkpoint import Checkpoint
from multilayer.training.engine import Net, Trainer
from multilayer.training.keeper import Keeper
from multilayer.training.loop import Loop
from multilayer.training.run import Run

__all__ = ["fit", "train"]


def fit(
    net: Net,
    data: tuple[object, ...] | Stream,
    *,
    loss: Any,
    optimizer: Any = "adam",
    n_epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool | Sampler = True,
    validation: float | tuple[object, ...] | None = None,
    metrics: Any = None,
    monitor: str | None = None,
    schedule: Any = None,
    l1: Any = 0.0,
    l2: Any = 0.0,
    clip_norm: Any = None,
    clip_value: Any = None,
    max_norm: Any = None,
    ema: Any = None,
    adversary: Adversary | None = None,
    callbacks: Sequence[Callback] = (),
    rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
    checkpoint: str | PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
    splits: Iterable[tuple[object, object]] | None = None,
    **options: Any,
) -> Any:
    """Train a network: forward, loss, backward, update, batch after batch, epoch after epoch.

    An `Ensemble` of K networks is trained as one. Then `loss`, `optimizer`, `schedule`, `l1`, `l2`,
    `clip_norm`, `clip_value`, `max_norm` and `ema` are one value for all members, or a sequence of
    K; losses and optimizers must be of one class, but their parameters may differ. Each member has
    its own history, best weights and end, and equals the same network trained alone.

    Parameters
    ----------
    net : MLP, Ensemble or Ladder
        The network, of either engine; it is trained in place, starting from its current weights.
    data : tuple (X, y) or (X, y, sample_weight), or Stream
        Samples of shape (n_samples, in_features), their targets, and non-negative weights. The loss
        is the weighted mean over a batch. Members of an ensemble have the same samples, and may
        have their own weights, of shape (K, n_samples). For more samples than fit in memory, use a
        `multilayer.data.Stream`.
    loss : str or Loss
        A name in ``multilayer.numpy.LOSSES``, or a loss object.
    optimizer : str, Optimizer or LBFGS
        A name in ``multilayer.numpy.OPTIMIZERS``, or an optimizer object.
    n_epochs : int
        The largest number of passes over the samples; with L-BFGS, of iterations.
    batch_size : int, optional
        Samples per step, 32 by default; an epoch's last batch may be shorter. L-BFGS takes all.
    shuffle : bool or sampler
        Whether each epoch has a new order; or an object with a length that yields that many row
        numbers for each epoch, such as a sampler of ``torch.utils.data``.
    validation : float or tuple (X, y) or (X, y, sample_weight), optional
        The fraction of the samples to hold out, drawn at random, and stratified by class if there
        are classes; or separate samples, which a stream requires.
    metrics : sequence of str, or mapping of str to callable, optional
        Names in ``METRICS``, or functions of (y, prediction), measured on the validation samples,
        without their weights. The default is accuracy for classes and labels; a sample with several
        labels counts only if all are right. For an ensemble, also K mappings with the same names.
    monitor : str, optional
        The metric by which epochs are judged: ``"validation_loss"`` (the default with validation
        samples), ``"train_loss"`` (the default without them) or ``"validation_<metric>"``.
    schedule : str or Schedule, optional
        A name in ``multilayer.numpy.SCHEDULES``, or an object; it multiplies the learning rate.
    l1, l2 : float
        Penalty λ₁ Σ|W| + λ₂/2 ‖W‖² on weights, not on biases; part of the training loss.
    clip_norm, clip_value : float, optional
        The largest norm of the gradient; the largest size of its entries, which is applied first.
    max_norm : float, optional
        The largest norm of a unit's incoming weights, in all hidden layers and the output layer.
        After each step, larger norms are scaled down to it: see `multilayer.numpy.limit_norms`.
    ema : float, optional
        The decay, in (0, 1), of a running average of the weights, which is validated and which the
        network has in the end: see `multilayer.numpy.RunningAverage`.
    adversary : Adversarial or VirtualAdversarial, optional
        Makes additional training samples; the same adversary is used for all members.
    callbacks : sequence of Callback
        `EarlyStopping`, `Progress`, or your own.
    rng : numpy.random.Generator, or sequence of K, optional
        Draws the validation split, the order, dropout and noise. The same seed gives the same bits.
        For an ensemble, a single generator gives all members the same rows in the same order, which
        is fastest, but separate dropout and noise; with K, each member draws as it would alone.
    checkpoint : path or Checkpoint, optional
        A folder in which to save the training run, once a minute, so that it can be resumed if it
        is killed; for another interval, use a `Checkpoint`.
    resume : bool
        Whether to resume from an existing checkpoint. If false, its existence is an error.
    splits : iterable of K pairs (training rows, validation rows), optional
        For an ensemble: the rows of each member, such as the folds of ``cv.split(X, y)``. Rows may
        repeat, as in a bootstrap. Validation rows may be None. If `rng` is a single generator, each
        member draws its order as it would alone with that generator. For a stream, training rows
        are given as slots of the stream, and validation rows as rows of `validation`.
    **options
        For a PyTorch network: precision, accumulate and compile: see `multilayer.torch.Trainer`.

    Returns
    -------
    History, or list of K
        The values of each metric, one per epoch.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an argument cannot be used; the network is then unchanged. Also if a checkpoint exists,
        but `resume` is false, or the checkpoint belongs to another training run.
    DivergenceError
        If a loss or a weight becomes infinite or NaN. The network then has its best epoch's
        weights. In an ensemble, only that member ends; the error is raised if all diverge.
    ModelFileError
        If the checkpoint is damaged.

    Notes
    -----
    Ctrl-C ends training, and the history so far is returned. At the end, the network has the last
    step's weights (an interrupted step may be half taken), or their average with `ema`; with
    `EarlyStopping`, those of the best epoch.

    An epoch's training loss is measured before each of its steps. If epochs are judged by it, the
    best weights are those at the beginning of the epoch with the lowest loss.

    On the same machine, with the same number of threads, a resumed run ends with the same bits as
    one that was never killed. It must be given the same network, data and arguments. Training with
    L-BFGS, a sampler or several processes cannot be saved. If your own callback has a state,
    `Callback.state` must return it.

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

    Five folds as one ensemble, each with its own penalty:

    >>> from multilayer.numpy import Ensemble
    >>> ensemble = Ensemble(Architecture(2, (16,), 2), n_members=5, rng=rng)
    >>> rows = np.arange(200)
    >>> folds = [(rows[rows % 5 != k], rows[rows % 5 == k]) for k in range(5)]
    >>> histories = fit(ensemble, (X, y), loss="cross_entropy", n_epochs=20, splits=folds,
    ...                 l2=[0, 1e-4, 1e-3, 1e-2, 1e-1], rng=rng)
    >>> [len(history["validation_loss"]) for history in histories]
    [20, 20, 20, 20, 20]
    """
    if isinstance(net, type) or not callable(getattr(net, "trainer", None)):
        rule = "must be a network, such as multilayer.numpy.MLP"
        raise InvalidTypeError(rule, "net", "fit", got=repr(net))
    generator = check_generator(net, rng)
    check_options(options, net)
    trainer = net.trainer(
        loss=loss,
        optimizer=optimizer,
        l1=l1,
        l2=l2,
        clip_norm=clip_norm,
        clip_value=clip_value,
        max_norm=max_norm,
        ema=ema,
        adversary=adversary,
        # a separate generator for masks and noise, so that the order is the same for any engine
        rng=mask_generator(net, generator),
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
        splits=splits,
    )


def train(
    trainer: Trainer,
    data: tuple[object, ...] | Stream,
    *,
    n_epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool | Sampler = True,
    validation: float | tuple[object, ...] | None = None,
    metrics: Any = None,
    monitor: str | None = None,
    schedule: Any = None,
    callbacks: Sequence[Callback] = (),
    rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
    checkpoint: str | PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
    splits: Iterable[tuple[object, object]] | None = None,
) -> Any:
    """Train as `fit` does, with an existing trainer.

    A trainer keeps its optimizer's state from one call to the next; `fit` makes a new trainer each
    time.

    Parameters
    ----------
    trainer : Trainer
        The result of ``net.trainer``. Other parameters, the result and errors are as in `fit`.

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
    generator = check_generator(trainer.net, rng)
    callbacks = check_callbacks(callbacks)
    shuffle = check_shuffle(shuffle)
    takes_steps = trainer.learning_rate is not None
    if not takes_steps:
        for name, value in (("batch_size", batch_size), ("schedule", schedule)):
            if value is not None:
                rule = "cannot be combined with L-BFGS, which does not step batch by batch"
                raise InvalidArgumentError(rule, name)
    chosen_schedule = check_schedule(schedule, trainer.n_members)
    found_metrics = check_metrics(metrics, trainer)
    if metrics is not None and validation is None and splits is None:
        rule = "are measured on validation samples; {validation} is None"
        raise InvalidArgumentError(rule, "metrics", "fit", others=["validation"])
    chosen_checkpoint = check_checkpoint(checkpoint, resume, trainer, shuffle)
    checked = data if isinstance(data, Stream) else check_data(trainer, data, "data")
    keeper = None
    if chosen_checkpoint is not None:  # before any random number is drawn
        keeper = Keeper(chosen_checkpoint, generator, resume=resume, is_given=rng is not None)
    if splits is not None:
        generator = each_its_own(trainer, generator)
    if batch_size is None:
        batch_size = DEFAULT_BATCH_SIZE
    size = checks.integer(batch_size, "batch_size", "fit")
    least = 2 if trainer.net.architecture.normalization == "batch" else 1
    how: dict[str, Any] = {"shuffle": shuffle, "least": least}
    batches: Any
    held_out: Any
    training: Any = checked
    if isinstance(checked, Stream):
        if not takes_steps:
            rule = "cannot be a stream for L-BFGS, which takes all samples at once"
            raise InvalidArgumentError(rule, "data", "fit")
        check_size(size, checked.n_samples, least)
        how["batch_size"] = size
        batches, held_out = streamed(trainer, checked, validation, splits, generator, **how)
    else:
        rows: Any = None
        if splits is not None:
            training, rows, held_out = check_splits(trainer, checked, splits, validation)
        elif isinstance(generator, Generators):
            training, rows, held_out = split_each(trainer, checked, validation, generator)
        else:
            training, held_out = split_data(trainer, checked, validation, generator)
        n_samples = training.n_samples if rows is None else min(map(len, rows))
        check_size(size, n_samples, least)
        how["batch_size"] = size if takes_steps else n_samples
        if rows is None:
            batches = Batches(n_samples, training.weight, **how)
        else:
            how["shuffle"] = check_orders(shuffle, rows)
            batches = Lockstep(training.n_samples, rows, training.weight, **how)
    monitor, higher = choose_monitor(monitor, found_metrics[0], held_out is not None)
    loop = Loop(
        trainer,
        training,
        batches,
        n_epochs=n_epochs,
        held_out=held_out,
        metrics=found_metrics,
        monitor=monitor,
        higher_is_better=higher,
        schedule=chosen_schedule,
        rng=generator,
    )
    if keeper is None:
        return _drain(loop, callbacks, None)
    keeper.begin(loop, callbacks)
    with keeper:
        return _drain(loop, callbacks, keeper)


def _drain(loop: Loop, callbacks: Sequence[Callback], keeper: Keeper | None) -> Any:
    """Run a loop; however it ends, leave usable weights and notify the callbacks."""
    run, trainer = loop.run, loop.trainer
    step_hooks: list[Callable[[Run], None]] = [
        callback.on_step_end
        for callback in callbacks
        if type(callback).on_step_end is not Callback.on_step_end
    ]
    epoch_hooks = [callback.on_epoch_end for callback in callbacks]
    if keeper is not None:  # after the callbacks, whose state it saves
        step_hooks.append(keeper)
        epoch_hooks.append(keeper)

    def visit(run: Run) -> None:
        for hook in step_hooks if run.is_under_way else epoch_hooks:
            hook(run)

    begun: list[Callback] = []
    try:
        loop.try_metrics()
        for callback in callbacks:
            callback.on_train_begin(run)
            begun.append(callback)
            if keeper is not None:
                keeper.remind(callback)
        # An overflow becomes an infinite loss, which is reported with epoch and step.
        with np.errstate(over="ignore", invalid="ignore"):
            if keeper is not None:
                keeper(run)
            if trainer.learning_rate is None:
                loop.minimize(visit)
            else:
                for moment in loop:
                    if step_hooks or not moment.is_under_way:
                        visit(moment)
        if keeper is not None:
            keeper.write()
    except KeyboardInterrupt:
        run.stop("interrupt")
    except DivergenceError:
        run.stop("divergence")
        raise
    finally:
        for member in run.members:
            member.history.stopped_by = member.stopped_by
        try:
            trainer.finish()
        finally:  # a second Ctrl-C may come while threads end
            run.restore_best(
                [
                    member
                    for member in run.members
                    if member.stopped_by == "divergence" or (run.keep_best and member.is_judged)
                ]
            )
            for callback in begun:
                callback.on_train_end(run)
    return run.history
