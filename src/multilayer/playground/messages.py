"""The messages that the page may send to the server, and the function that validates them."""

import json
from dataclasses import dataclass
from typing import Any

from multilayer.errors import InvalidArgumentError
from multilayer.json_text import read_json
from multilayer.playground.settings import (
    MAX_LAYERS,
    MAX_WIDTH,
    Settings,
    listed,
    or_none,
    real,
    whole,
)
from multilayer.registry import Names

__all__ = [
    "MAX_FILE",
    "MAX_HEAD",
    "MAX_TEXT",
    "PIXELS",
    "Ask",
    "Change",
    "Command",
    "Edit",
    "File",
    "Message",
    "Select",
    "Speed",
    "Walk",
    "parse",
]

MAX_TEXT = 200_000
"""Maximum number of characters in a message; the longest contain drawn points, of up to 50 each."""
MAX_FILE = 20 * 2**20
"""Maximum number of bytes in a table or a model file."""
MAX_HEAD = 1_000
MAX_SAMPLE, MAX_INPUT = 1_000_000, 1_000_000
WEIGHT = "[-1e6, 1e6]"
"""The interval of values that a weight may be set to."""
PIXELS = 64
"""Number of pixels of a drawn digit."""
COMMANDS = ("play", "pause", "step", "epoch", "reset", "seen", "save", "samples")
KINDS = Names("type", [*COMMANDS, "settings", "speed", "select", "ask", "edit", "walk"])
FILES = Names("type", ["table", "model"])


@dataclass(frozen=True)
class Command:
    """A command without arguments; its name is one of `COMMANDS`."""

    name: str


@dataclass(frozen=True)
class Change:
    """New settings, which replace all old ones."""

    settings: Settings


@dataclass(frozen=True)
class Speed:
    """The number of steps per second; None for as many as possible."""

    steps: float | None


@dataclass(frozen=True)
class Select:
    """The unit to show in detail.

    `layer` counts from 1; the output layer is the last one. `unit` counts from 0.
    """

    layer: int
    unit: int


@dataclass(frozen=True)
class Ask:
    """A drawn image to classify, row by row, with values in [0, 1]; None to stop."""

    image: tuple[float, ...] | None


@dataclass(frozen=True)
class Edit:
    """A weight set by hand: of a unit, as in `Select`, and a source, None for the bias."""

    layer: int
    unit: int
    source: int | None
    value: float


@dataclass(frozen=True)
class Walk:
    """The sample to walk through: its index among the drawn samples."""

    sample: int


@dataclass(frozen=True)
class File:
    """A table or a model file."""

    kind: str
    name: str
    content: bytes


Message = Command | Change | Speed | Select | Ask | Edit | Walk | File


def parse(said: str | bytes) -> Message:
    r"""Parse and validate a message from the page.

    A file is sent as bytes: a line of JSON with its type and name, followed by the content.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the message is not valid; the page itself never sends such a message.

    Examples
    --------
    >>> parse('{"type": "speed", "steps": 10}')
    Speed(steps=10.0)
    >>> parse(b'{"type": "table", "name": "x.csv"}\na,b\n1,2\n').content
    b'a,b\n1,2\n'
    >>> parse('{"type": "halt"}')
    Traceback (most recent call last):
    ...
    multilayer.errors.UnknownNameError: type of a message must be one of play, pause, step, epoch,
    reset, seen, save, samples, settings, speed, select, ask, edit, walk; got 'halt'
    """
    if isinstance(said, bytes):
        return _file(said)
    if len(said) > MAX_TEXT:
        rule = f"must have at most {MAX_TEXT:,} characters"
        raise InvalidArgumentError(rule, "a message", got=f"{len(said):,}")
    found = _object(said)
    owner = "a message"
    kind = KINDS.check(found.pop("type", None), owner)
    if kind in COMMANDS:
        _fields(found, ())
        return Command(kind)
    if kind == "settings":
        _fields(found, ("settings",))
        return Change(Settings.of(found["settings"]))
    if kind == "speed":
        _fields(found, ("steps",))
        return Speed(or_none(real("[0.1, 1e6]"))(found["steps"], "steps", owner))
    if kind == "ask":
        _fields(found, ("image",))
        pixels = listed(real("[0, 1]"), PIXELS, PIXELS)
        return Ask(or_none(pixels)(found["image"], "image", owner))
    if kind == "walk":
        _fields(found, ("sample",))
        return Walk(whole(0, MAX_SAMPLE)(found["sample"], "sample", owner))
    _fields(found, ("layer", "unit", *(("input", "value") if kind == "edit" else ())))
    layer = whole(1, MAX_LAYERS + 1)(found["layer"], "layer", owner)
    unit = whole(0, MAX_WIDTH)(found["unit"], "unit", owner)
    if kind == "select":
        return Select(layer, unit)
    source = or_none(whole(0, MAX_INPUT))(found["input"], "input", owner)
    return Edit(layer, unit, source, real(WEIGHT)(found["value"], "value", owner))


def _file(said: bytes) -> File:
    head, line, content = said.partition(b"\n")
    if not line or len(head) > MAX_HEAD:
        raise InvalidArgumentError("must begin with a line of JSON", "a file")
    try:
        found = _object(head.decode())
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"must begin with a line of JSON; {error}", "a file") from error
    kind = FILES.check(found.pop("type", None), "a file")
    _fields(found, ("name",))
    name = found["name"]
    if not isinstance(name, str):
        raise InvalidArgumentError("must be a text", "name", "a file")
    if len(content) > MAX_FILE:
        rule = f"must have at most {MAX_FILE // 2**20} MB"
        raise InvalidArgumentError(rule, "a file", got=f"{len(content) / 2**20:.1f} MB")
    return File(kind, name, content)


def _object(text: str) -> dict[str, Any]:
    found = read_json(text)
    if not isinstance(found, dict):
        got = type(found).__name__
        raise InvalidArgumentError("must be a JSON object", "a message", got=got)
    return found


def _fields(found: dict[str, Any], names: tuple[str, ...]) -> None:
    """Raise unless a message has exactly these fields."""
    if set(found) != set(names):
        rule = f"must have {', '.join(names) or 'nothing else'}"
        got = json.dumps(sorted(found))[:MAX_HEAD]
        raise InvalidArgumentError(rule, "a message", got=got)
