"""Settings: a network, its data and how it is trained, as the page says it; each checked."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from multilayer import checks
from multilayer.architecture import ACTIVATIONS, NORMALIZATIONS
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import INITIALIZERS, OPTIMIZERS, SCHEDULES
from multilayer.playground.features import NAMES
from multilayer.registry import Names

__all__ = [
    "DATA_KINDS",
    "LOSSES",
    "MAX_EPOCHS",
    "MAX_LAYERS",
    "MAX_NAME",
    "MAX_POINTS",
    "MAX_WIDTH",
    "PLAIN",
    "STEPPING",
    "DataSettings",
    "Settings",
    "listed",
    "or_none",
    "real",
    "whole",
]

MAX_LAYERS, MAX_WIDTH = 12, 1_000
MAX_SAMPLES, MAX_POINTS, MAX_CLASSES = 5_000, 2_000, 8
MAX_EPOCHS = 100_000
PLAIN = ("x1", "x2")
"""The features of a point that are the point itself."""
MAX_NAME = 200
"""Characters in the name of a column, and in a formula."""
TOY = ("circles", "moons", "xor", "spirals", "blobs", "plane", "curve")
DATA_KINDS = Names("kind", [*TOY, "formula", "iris", "digits", "points", "table"])
LOSSES = Names("loss", ["cross_entropy", "squared_error", "absolute_error", "huber"])
STEPPING = Names("optimizer", [name for name, cls in OPTIMIZERS.items() if cls.takes_steps])
"""The optimizers that take steps, which one can watch."""
LIVE = ("learning_rate", "schedule", "epochs", "patience", "l1", "l2")
Check = Callable[[object, str, str], Any]


def whole(low: int, high: int) -> Check:
    """Return the check of a whole number between two."""

    def check(value: object, name: str, owner: str) -> int:
        number = checks.integer(value, name, owner, minimum=low)
        if number > high:
            raise InvalidArgumentError(f"must be at most {high:,}", name, owner, got=f"{number:,}")
        return number

    return check


def real(interval: str) -> Check:
    """Return the check of a number in an interval."""
    return lambda value, name, owner: checks.real(value, name, owner, interval)


def _one_of(names: Names) -> Check:
    return lambda value, _, owner: names.check(value, owner)


def or_none(check: Check) -> Check:
    """Return the check of what passes another one, or is None."""
    return lambda value, name, owner: None if value is None else check(value, name, owner)


def _text(value: object, name: str, owner: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        rule = f"must be a text of at most {MAX_NAME} characters"
        raise InvalidTypeError(rule, name, owner, got=type(value).__name__)
    return value


def listed(check: Check, most: int, least: int = 0) -> Check:
    """Return the check of a list, each of whose entries passes `check`."""

    def check_all(value: object, name: str, owner: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
            span = str(most) if least == most else f"{least} to {most:,}"
            got = type(value).__name__
            if isinstance(value, (list, tuple)):
                got = f"{len(value):,} of them"
            raise InvalidTypeError(f"must be a list of {span} entries", name, owner, got=got)
        return tuple(check(each, f"{name}[{i}]", owner) for i, each in enumerate(value))

    return check_all


def _point(value: object, name: str, owner: str) -> tuple[float, float, int]:
    x, y, label = listed(lambda each, *_: each, 3, 3)(value, name, owner)
    place = real("[-1000, 1000]")
    of_class = whole(0, MAX_CLASSES - 1)
    return place(x, name, owner), place(y, name, owner), of_class(label, name, owner)


_SEED = whole(0, 2**32 - 1)


class Checked:
    """Fields that are read from JSON, each by its own check."""

    _checks: dict[str, Check]

    @classmethod
    def of(cls, values: object) -> Self:
        """Return the object with these fields, all of which must be there.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            The message names the field, what is allowed, and what came.
        """
        owner = cls.__name__
        if not isinstance(values, dict):
            raise InvalidTypeError("must be an object", owner, got=type(values).__name__)
        if absent := [name for name in cls._checks if name not in values]:
            raise InvalidArgumentError(f"must have {', '.join(absent)}", owner)
        for name in values:
            Names("field", cls._checks).check(name, owner)
        return cls(
            **{name: check(values[name], name, owner) for name, check in cls._checks.items()}
        )


@dataclass(frozen=True)
class DataSettings(Checked):
    """Which samples there are.

    Attributes
    ----------
    kind : str
        One of ``DATA_KINDS``: a small data set, points drawn by hand, or a table, as iris is one.
    n_samples, noise, seed
        How many samples a data set has, their noise, and what draws them and the split.
    validation : float
        The share of the samples to validate on.
    formula : str
        What ``toy.formula`` takes.
    points : tuple of (x, y, class)
        Those drawn by hand.
    target : str
        The column of a table to predict; the last one if it is empty.
    features : tuple of str
        What the network is given of points of the plane; names in ``FEATURES``.
    shown : tuple of str
        The two inputs of a table that the picture shows; none for two principal components.
    """

    kind: str
    n_samples: int
    noise: float
    seed: int
    validation: float
    formula: str
    points: tuple[tuple[float, float, int], ...]
    target: str
    features: tuple[str, ...]
    shown: tuple[str, ...]

    _checks = {
        "kind": _one_of(DATA_KINDS),
        "n_samples": whole(4, MAX_SAMPLES),
        "noise": real("[0, 2]"),
        "seed": _SEED,
        "validation": real("[0, 0.9]"),
        "formula": _text,
        "points": listed(_point, MAX_POINTS),
        "target": _text,
        "features": listed(_one_of(NAMES), len(NAMES), 1),
        "shown": listed(_text, 2),
    }


@dataclass(frozen=True)
class Settings(Checked):
    """A network, its data and how it is trained.

    Attributes
    ----------
    data : DataSettings
    hidden : tuple of int
        The width of each hidden layer.
    activation : tuple of str
        The activation of each.
    normalization, dropout, initializer
        As in `multilayer.Architecture` and `multilayer.numpy.MLP`.
    loss : str or None
        One of ``LOSSES``; None for the one that belongs to the targets.
    optimizer, learning_rate, schedule, batch_size, l1, l2, seed
        As in `multilayer.training.fit`.
    epochs : int or None
        How many there are; None for no end. Some schedules need one.
    patience : int or None
        The epochs without improvement that end the training: see `EarlyStopping`.

    Examples
    --------
    >>> Settings.of({"hidden": [4]})
    Traceback (most recent call last):
    ...
    multilayer.errors.InvalidArgumentError: Settings must have data, activation, normalization,
    dropout, initializer, loss, optimizer, learning_rate, schedule, epochs, patience,
    batch_size, l1, l2, seed
    """

    data: DataSettings
    hidden: tuple[int, ...]
    activation: tuple[str, ...]
    normalization: str | None
    dropout: float
    initializer: str
    loss: str | None
    optimizer: str
    learning_rate: float
    schedule: str | None
    epochs: int | None
    patience: int | None
    batch_size: int
    l1: float
    l2: float
    seed: int

    _checks = {
        "data": lambda value, *_: DataSettings.of(value),
        "hidden": listed(whole(1, MAX_WIDTH), MAX_LAYERS),
        "activation": listed(_one_of(ACTIVATIONS), MAX_LAYERS),
        "normalization": or_none(_one_of(NORMALIZATIONS)),
        "dropout": real("[0, 0.95]"),
        "initializer": _one_of(INITIALIZERS.names),
        "loss": or_none(_one_of(LOSSES)),
        "optimizer": _one_of(STEPPING),
        "learning_rate": real("[1e-6, 100]"),
        "schedule": or_none(_one_of(SCHEDULES.names)),
        "epochs": or_none(whole(1, MAX_EPOCHS)),
        "patience": or_none(whole(1, MAX_EPOCHS)),
        "batch_size": whole(1, MAX_SAMPLES),
        "l1": real("[0, 10]"),
        "l2": real("[0, 10]"),
        "seed": _SEED,
    }

    @property
    def live(self) -> dict[str, Any]:
        """What may change during a training: the rate, its schedule, the end, the penalties."""
        return {name: getattr(self, name) for name in LIVE}

    @property
    def fixed(self) -> dict[str, Any]:
        """Everything else: if it changes, the training starts anew."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if name not in self.live}

    def to_dict(self) -> dict[str, Any]:
        """Return what `of` reads, as values for JSON."""
        return asdict(self)
