"""Settings: a network, its data and its training, read from the page's JSON and validated."""

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
"""The default features of a point: its coordinates."""
MAX_NAME = 200
"""Maximum number of characters in the name of a column, and in a formula."""
TOY = ("circles", "moons", "xor", "spirals", "blobs", "plane", "curve")
DATA_KINDS = Names("kind", [*TOY, "formula", "iris", "digits", "points", "table"])
LOSSES = Names("loss", ["cross_entropy", "squared_error", "absolute_error", "huber"])
STEPPING = Names("optimizer", [name for name, cls in OPTIMIZERS.items() if cls.takes_steps])
"""The optimizers that take steps, so that the page can show each step."""
LIVE = ("learning_rate", "schedule", "epochs", "patience", "l1", "l2")
Check = Callable[[object, str, str], Any]


def whole(low: int, high: int) -> Check:
    """Return a check for an integer between two bounds, inclusive."""

    def check(value: object, name: str, owner: str) -> int:
        number = checks.integer(value, name, owner, minimum=low)
        if number > high:
            raise InvalidArgumentError(f"must be at most {high:,}", name, owner, got=f"{number:,}")
        return number

    return check


def real(interval: str) -> Check:
    """Return a check for a number in an interval."""
    return lambda value, name, owner: checks.real(value, name, owner, interval)


def _one_of(names: Names) -> Check:
    return lambda value, _, owner: names.check(value, owner)


def or_none(check: Check) -> Check:
    """Return a check that accepts None, and whatever another check accepts."""
    return lambda value, name, owner: None if value is None else check(value, name, owner)


def _text(value: object, name: str, owner: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        rule = f"must be a text of at most {MAX_NAME} characters"
        raise InvalidTypeError(rule, name, owner, got=type(value).__name__)
    return value


def listed(check: Check, most: int, least: int = 0) -> Check:
    """Return a check for a list of `least` to `most` entries, each of which passes `check`."""

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
    """Base class of settings that are read from JSON, with a check for each field."""

    _checks: dict[str, Check]

    @classmethod
    def of(cls, values: object) -> Self:
        """Return an object with these fields, none of which may be missing.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If a field is missing, unknown or invalid. The message says what is allowed, and what
            was given.
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
    """Settings of the data.

    Attributes
    ----------
    kind : str
        One of ``DATA_KINDS``: a toy data set, a formula, iris, digits, points drawn by hand, or a
        table.
    n_samples, noise, seed
        The number of samples of a toy data set, their noise, and the seed of samples and split.
    validation : float
        The share of validation samples.
    formula : str
        An argument of ``toy.formula``.
    points : tuple of (x, y, class)
        The points drawn by hand.
    target : str
        The column of a table to predict; if empty, the last one.
    features : tuple of str
        The inputs of the network for points of the plane; names in ``FEATURES``.
    shown : tuple of str
        The two inputs of a table that the picture shows; if empty, two principal components.
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
    """Settings of a network, its data and its training.

    Attributes
    ----------
    data : DataSettings
    hidden : tuple of int
        The width of each hidden layer.
    activation : tuple of str
        The activation of each hidden layer.
    normalization, dropout, initializer
        As in `multilayer.Architecture` and `multilayer.numpy.MLP`.
    loss : str or None
        One of ``LOSSES``; None for the default loss of the targets.
    optimizer, learning_rate, schedule, batch_size, l1, l2, seed
        As in `multilayer.training.fit`.
    epochs : int or None
        Number of epochs; None for no limit. Some schedules require a number.
    patience : int or None
        Number of epochs without improvement after which training stops: see `EarlyStopping`.

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
        """The settings that may change during training: rate, schedule, end and penalties."""
        return {name: getattr(self, name) for name in LIVE}

    @property
    def fixed(self) -> dict[str, Any]:
        """The other settings: if one of them changes, training restarts."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if name not in self.live}

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as values for JSON, which `of` reads."""
        return asdict(self)
