"""Checks of the arguments of `fit`, and their conversion for the loop."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data.batches import Sampler
from multilayer.data.divided import StreamedInRanks
from multilayer.data.split import split_validation
from multilayer.data.stream import Stream
from multilayer.data.streamed import Streamed
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy.schedules import SCHEDULES, Schedule
from multilayer.numpy.stacking import for_each
from multilayer.randomness import Generators
from multilayer.registry import Names, resolve
from multilayer.samples import Data, Parts, check_weights
from multilayer.training.callbacks import Callback
from multilayer.training.checkpoint import Checkpoint
from multilayer.training.engine import Net, Trainer
from multilayer.training.metrics import Metric, resolve_metrics

__all__ = [
    "check_callbacks",
    "check_checkpoint",
    "check_data",
    "check_generator",
    "check_metrics",
    "check_options",
    "check_orders",
    "check_schedule",
    "check_shuffle",
    "check_size",
    "check_splits",
    "choose_monitor",
    "each_its_own",
    "mask_generator",
    "split_data",
    "split_each",
    "streamed",
]

Array = npt.NDArray[Any]


def check_options(options: dict[str, Any], net: Net) -> None:
    """Raise an error if this network has no such option."""
    package = ".".join(type(net).__module__.split(".")[:2])
    whose = f"{package}.{type(net).__name__}"
    for name in options:
        if name not in net.options:
            known = ", ".join(net.options) or "none"
            raise InvalidTypeError(f"fit has no parameter {name!r} (options of {whose}: {known})")


def check_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Return the callbacks as a tuple, or raise an error if they are not callbacks."""
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in found:
        if not isinstance(callback, Callback):
            rule = "must be a sequence of Callback objects"
            raise InvalidTypeError(rule, "callbacks", "fit", got=repr(callback))
    return found


def check_shuffle(shuffle: Any) -> Any:
    """Return `shuffle`, or raise an error unless it is a bool, a sampler or a list of samplers."""
    if isinstance(shuffle, (bool, np.bool_)):
        return bool(shuffle)
    if (
        hasattr(shuffle, "__iter__")
        and hasattr(shuffle, "__len__")
        and not isinstance(shuffle, str)
    ):
        return shuffle
    rule = "must be True, False or a sampler of row numbers"
    raise InvalidTypeError(rule, "shuffle", "fit", got=repr(shuffle))


def check_checkpoint(
    checkpoint: Any, resume: object, trainer: Trainer, shuffle: bool | Sampler
) -> Checkpoint | None:
    """Return the checkpoint, or None; raise an error if this training run cannot be saved."""
    if checks.flag(resume, "resume", "fit") and checkpoint is None:
        rule = "needs a checkpoint to resume from; checkpoint is None"
        raise InvalidArgumentError(rule, "resume", "fit")
    if checkpoint is None:
        return None
    refused = {
        "L-BFGS: SciPy does not expose its state": trainer.learning_rate is None,
        "a sampler: its state cannot be saved": not isinstance(shuffle, bool),
    }
    for what, is_asked_for in refused.items():
        if is_asked_for:
            raise InvalidArgumentError(f"cannot be combined with {what}", "checkpoint", "fit")
    return checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)


def check_data(trainer: Trainer, data: object, name: str) -> Data:
    """Return the checked samples, targets and weights of a tuple (X, y) or (X, y, weight)."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        rule = "must be a tuple (X, y) or (X, y, sample_weight)"
        got = f"{len(data)} parts" if isinstance(data, (tuple, list)) else type(data).__name__
        raise InvalidTypeError(rule, name, "fit", got=got)
    X, y, *weight = data
    return trainer.check(X, y, weight[0] if weight else None)


def check_generator(net: Net, rng: Any) -> Any:
    """Return the random generator; for an ensemble, optionally one for each member."""
    return checks.random_generators(rng, getattr(net, "n_members", 0), "fit")


def mask_generator(net: Net, generator: Any) -> Any:
    """Return the generator for dropout masks and noise; for an ensemble, one for each member."""
    if isinstance(generator, Generators):
        return Generators(rng.spawn(1)[0] for rng in generator)
    n_members = getattr(net, "n_members", 0)
    return Generators(generator.spawn(n_members)) if n_members else generator.spawn(1)[0]


def check_orders(shuffle: Any, rows: Sequence[Array]) -> Any:
    """Return `shuffle`, or raise an error unless it is a bool or has one sampler per member."""
    if isinstance(shuffle, bool) or (
        isinstance(shuffle, (list, tuple))
        and len(shuffle) == len(rows)
        and all(hasattr(sampler, "__iter__") for sampler in shuffle)
    ):
        return shuffle
    rule = "must be True, False or one sampler per member if each member has its own rows"
    raise InvalidArgumentError(rule, "shuffle", "fit", got="a sampler")


def check_schedule(schedule: Any, n_members: int) -> Any:
    """Return the schedule; for an ensemble, a list with one for each member."""

    def check(own: Any) -> Schedule | None:
        return None if own is None else resolve(own, SCHEDULES, Schedule)

    return for_each(schedule, n_members, "schedule", "fit", check) if n_members else check(schedule)


def check_metrics(metrics: Any, trainer: Trainer) -> list[dict[str, Metric]]:
    """Return each network's metrics by name."""
    task, n_members = trainer.loss.task, trainer.n_members
    is_each = isinstance(metrics, (list, tuple)) and any(isinstance(m, Mapping) for m in metrics)
    if is_each and len(metrics) != n_members:
        rule = "must be one mapping, or one for each member of an ensemble"
        raise InvalidArgumentError(rule, "metrics", "fit", got=f"{len(metrics)} of them")
    each = metrics if is_each else [metrics] * (n_members or 1)
    found = [resolve_metrics(own, task) for own in each]
    for k, own in enumerate(found):
        if set(own) != set(found[0]):
            rule = f"must have the same names as metrics[0], {', '.join(found[0]) or 'none'}"
            got = ", ".join(own) or "none"
            raise InvalidArgumentError(rule, f"metrics[{k}]", "fit", got=got)
    return found


def each_its_own(trainer: Trainer, generator: Any) -> Any:
    """Return one generator per member, all in the same state: each draws as it would alone."""
    if isinstance(generator, Generators) or not trainer.n_members:
        return generator
    return Generators([generator, *(deepcopy(generator) for _ in range(trainer.n_members - 1))])


def check_splits(
    trainer: Trainer, data: Data, splits: Any, validation: object
) -> tuple[Data, list[Array], Parts | None]:
    """Return the data, each member's training rows, and the members' validation rows, if any."""
    n_members = trainer.n_members
    if not n_members:
        rule = "are for an Ensemble; for one network, give its rows as data and validation"
        raise InvalidArgumentError(rule, "splits", "fit")
    if validation is not None:
        rule = "hold validation rows already; {validation} must be None"
        raise InvalidArgumentError(rule, "splits", "fit", others=["validation"])
    try:
        pairs = [(training, held_out) for training, held_out in splits]
    except (TypeError, ValueError) as error:
        rule = "must be pairs (training rows, validation rows), as cv.split(X, y) gives"
        raise InvalidTypeError(rule, "splits", "fit", got=type(splits).__name__) from error
    if len(pairs) != n_members:
        rule = f"must be {n_members} pairs of rows, one for each member"
        raise InvalidArgumentError(rule, "splits", "fit", got=len(pairs))
    n = data.n_samples
    rows = [_rows(pair[0], f"splits[{k}][0]", n) for k, pair in enumerate(pairs)]
    held_out = [
        _rows([] if pair[1] is None else pair[1], f"splits[{k}][1]", n)
        for k, pair in enumerate(pairs)
    ]
    labels = _classes(trainer, np.asarray(data.targets))
    n_classes = 0 if labels is None else len(np.unique(labels))
    for k, own in enumerate(rows):
        if not len(own):
            raise InvalidDataError("must have rows to train on; got none", f"splits[{k}][0]", "fit")
        if n_classes > 1 and len(np.unique(labels[own])) == 1:
            rule = f"must have rows of at least 2 of the {n_classes} classes"
            got = f"only class {labels[own][0]}"
            raise InvalidDataError(rule, f"splits[{k}][0]", "fit", got=got)
        if len(held_out[k]) == 0 and any(map(len, held_out)):
            rule = "must have rows to validate on, as other members have; got none"
            raise InvalidDataError(rule, f"splits[{k}][1]", "fit")
    has_validation = any(map(len, held_out))
    _check_weights(data, rows, held_out if has_validation else [None] * n_members)
    return data, rows, Parts(data, held_out) if has_validation else None


def streamed(
    trainer: Trainer,
    stream: Stream,
    validation: object,
    splits: Any,
    generator: Any,
    **how: Any,
) -> tuple[Streamed, Data | Parts | None]:
    """Return the batches of a stream, and the samples to validate on, if any."""
    if validation is not None and not isinstance(validation, (tuple, list)):
        rule = "must be separate samples for a stream: a tuple (X, y)"
        raise InvalidArgumentError(rule, "validation", "fit", got=repr(validation))
    if not isinstance(how["shuffle"], bool):
        rule = "must be True or False for a stream, which draws its own order"
        raise InvalidArgumentError(rule, "shuffle", "fit", got=type(how["shuffle"]).__name__)
    check, n_members = trainer.check, trainer.n_members
    held_out = None if validation is None else check_data(trainer, validation, "validation")
    is_divided = stream.ranks.n_ranks > 1
    if splits is None and is_divided:
        rule = "must be given if each process has a part of the stream"
        raise InvalidArgumentError(rule, "splits", "fit")
    if splits is None:
        how["n_members"] = n_members if isinstance(generator, Generators) else 0
        return Streamed(stream, check, **how), held_out
    pairs = list(splits)
    if held_out is None or len(pairs) != n_members:
        rule = "must be a pair (slots, rows of {validation}) for each member"
        raise InvalidArgumentError(rule, "splits", "fit", others=["validation"])
    # This process's part of the stream may lack the last slots.
    n_slots = max(stream.counts.shape[1], *(1 + max(slots, default=-1) for slots, _ in pairs))
    trains_on = np.zeros((n_members, n_slots), bool)
    for own, (slots, _) in zip(trains_on, pairs, strict=True):
        own[slots] = True
    parts = Parts(held_out, [rows for _, rows in pairs])
    kind = StreamedInRanks if is_divided else Streamed
    return kind(stream, check, trains_on=trains_on, n_members=n_members, **how), parts


def split_each(
    trainer: Trainer, data: Data, validation: object, rngs: Generators
) -> tuple[Data, list[Array], Data | Parts | None]:
    """Return the data, each member's training rows, drawn by its own generator, and the rest."""
    everything = [np.arange(data.n_samples)] * len(rngs)
    if validation is None:
        return data, everything, None
    if isinstance(validation, (tuple, list)):
        return data, everything, check_data(trainer, validation, "validation")
    fraction = checks.real(validation, "validation", "fit", "(0, 1)")
    classes = _classes(trainer, np.asarray(data.targets))
    pairs = [split_validation(data.n_samples, fraction, rng, classes) for rng in rngs]
    rows, held_out = ([pair[i] for pair in pairs] for i in (0, 1))
    _check_weights(data, rows, held_out)
    return data, rows, Parts(data, held_out)


def _rows(rows: Any, name: str, n_samples: int) -> Array:
    """Return the row numbers as an array, or raise an error if they are not row numbers."""
    array = checks.array(rows, name)
    if array.size == 0:
        return np.zeros(0, dtype=np.intp)
    if array.dtype.kind == "b":
        rule = "must hold row numbers, not a mask: use numpy.flatnonzero(mask)"
        raise InvalidTypeError(rule, name, "fit", got="bool")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        rule = "must be a vector of row numbers"
        got = f"dtype {array.dtype}, shape {array.shape}"
        raise InvalidTypeError(rule, name, "fit", got=got)
    wrong = (array < 0) | (array >= n_samples)
    if wrong.any():
        rule = f"must hold row numbers 0 to {n_samples - 1}"
        raise InvalidDataError(rule, name, "fit", got=f"{array[wrong][0]}")
    return array.astype(np.intp)


def _check_weights(data: Data, rows: Sequence[Array], held_out: Sequence[Array | None]) -> None:
    for k, (own, judged) in enumerate(zip(rows, held_out, strict=True)):
        check_weights(data.of_member(k).weight, own, judged, f" of member {k}")


def split_data(
    trainer: Trainer, data: Data, validation: object, rng: np.random.Generator
) -> tuple[Data, Data | None]:
    """Return the samples to train on, and those to validate on, if any."""
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)):
        return data, check_data(trainer, validation, "validation")
    fraction = checks.real(validation, "validation", "fit", "(0, 1)")
    classes = _classes(trainer, np.asarray(data.targets))
    return data.divided(*split_validation(data.n_samples, fraction, rng, classes))


def _classes(trainer: Trainer, y: Any) -> Any:
    """Return the classes by which to stratify a split: labels, or one column of zeros and ones."""
    if trainer.loss.task == "classification" and y.ndim == 1:
        return y
    if trainer.loss.task == "multilabel" and y.shape[1] == 1 and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(int)
    return None


def choose_monitor(
    monitor: object, metrics: dict[str, Metric], has_validation: bool
) -> tuple[str, bool]:
    """Return the name of the monitored history entry, and whether higher values are better."""
    names = ["train_loss"]
    if has_validation:
        names = ["validation_loss", "train_loss", *(f"validation_{name}" for name in metrics)]
    chosen = names[0] if monitor is None else Names("monitor", names).check(monitor, "fit")
    if chosen in ("train_loss", "validation_loss"):
        return chosen, False
    metric = metrics[chosen.removeprefix("validation_")]
    if metric.higher_is_better is None:
        rule = (
            f"cannot be {chosen!r}: for a plain function, it is unknown whether higher is better; "
            "give multilayer.training.Metric(function, higher_is_better=…)"
        )
        raise InvalidArgumentError(rule, "monitor", "fit")
    return chosen, metric.higher_is_better


def check_size(batch_size: int, n_samples: int, least: int) -> None:
    """Raise an error if a batch would have fewer samples than batch normalisation needs."""
    if min(batch_size, n_samples) < least:
        rule = "must give batches of at least 2 samples to batch normalisation"
        got = f"{batch_size} of {n_samples} samples"
        raise InvalidArgumentError(rule, "batch_size", "fit", got=got)
