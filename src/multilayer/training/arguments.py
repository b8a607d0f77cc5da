"""The arguments of `fit`: checked, and turned into what the loop works with."""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from multilayer import checks
from multilayer.data.batches import Sampler
from multilayer.data.split import split_validation
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.registry import Names
from multilayer.samples import Data
from multilayer.training.callbacks import Callback
from multilayer.training.checkpoint import Checkpoint
from multilayer.training.engine import Net, Trainer
from multilayer.training.metrics import Metric

__all__ = [
    "check_callbacks",
    "check_checkpoint",
    "check_data",
    "check_options",
    "check_shuffle",
    "choose_monitor",
    "split_data",
]


def check_options(options: dict[str, Any], net: Net) -> None:
    """Raise for an argument that this engine does not know."""
    for name in options:
        if name not in net.options:
            known = ", ".join(net.options) or "none"
            raise InvalidTypeError(
                f"fit has no parameter {name!r} (options of this network's engine: {known})"
            )


def check_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Return the callbacks as a tuple, if they are a sequence of them."""
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in found:
        if not isinstance(callback, Callback):
            rule = "must be a sequence of Callback objects"
            raise InvalidTypeError(rule, "callbacks", "fit", got=repr(callback))
    return found


def check_shuffle(shuffle: Any) -> bool | Sampler:
    """Return `shuffle` if it is a bool, or an iterable with a length."""
    if isinstance(shuffle, (bool, np.bool_)):
        return bool(shuffle)
    if (
        hasattr(shuffle, "__iter__")
        and hasattr(shuffle, "__len__")
        and not isinstance(shuffle, str)
    ):
        return cast("Sampler", shuffle)
    rule = "must be True, False or a sampler of row numbers"
    raise InvalidTypeError(rule, "shuffle", "fit", got=repr(shuffle))


def check_checkpoint(
    checkpoint: Any, resume: object, trainer: Trainer, shuffle: bool | Sampler
) -> Checkpoint | None:
    """Return the checkpoint at a path, or the one given, if the training can be saved."""
    if checks.flag(resume, "resume", "fit") and checkpoint is None:
        rule = "needs a checkpoint to go on from; checkpoint is None"
        raise InvalidArgumentError(rule, "resume", "fit")
    if checkpoint is None:
        return None
    refused = {
        "L-BFGS, whose line search SciPy holds": trainer.learning_rate is None,
        "a sampler, whose state is its own": not isinstance(shuffle, bool),
    }
    for what, is_asked_for in refused.items():
        if is_asked_for:
            raise InvalidArgumentError(f"cannot be combined with {what}", "checkpoint", "fit")
    return checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)


def check_data(trainer: Trainer, data: object, name: str) -> Data:
    """Return the samples, targets and weights of a tuple of two or three, checked."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        rule = "must be a tuple (X, y) or (X, y, sample_weight)"
        got = f"{len(data)} parts" if isinstance(data, (tuple, list)) else type(data).__name__
        raise InvalidTypeError(rule, name, "fit", got=got)
    X, y, *weight = data
    return trainer.check(X, y, weight[0] if weight else None)


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
    """Return what a split is stratified by: labels, or a single column of zeros and ones."""
    if trainer.loss.task == "classification" and y.ndim == 1:
        return y
    if trainer.loss.task == "multilabel" and y.shape[1] == 1 and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(int)
    return None


def choose_monitor(
    monitor: object, metrics: dict[str, Metric], has_validation: bool
) -> tuple[str, bool]:
    """Return the name of the monitored entry of the history, and whether higher is better."""
    names = ["train_loss"]
    if has_validation:
        names = ["validation_loss", "train_loss", *(f"validation_{name}" for name in metrics)]
    chosen = names[0] if monitor is None else Names("monitor", names).check(monitor, "fit")
    if chosen in ("train_loss", "validation_loss"):
        return chosen, False
    metric = metrics[chosen.removeprefix("validation_")]
    if metric.higher_is_better is None:
        rule = (
            f"cannot be {chosen!r}: of a plain function it is not known whether higher is better; "
            "give multilayer.training.Metric(function, higher_is_better=…)"
        )
        raise InvalidArgumentError(rule, "monitor", "fit")
    return chosen, metric.higher_is_better
