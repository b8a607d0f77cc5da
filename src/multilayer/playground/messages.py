"""Messages: what the page may say to the server, checked before anything is done with it."""

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
    "MAX_TEXT",
    "PIXELS",
    "Ask",
    "Change",
    "Command",
    "Edit",
    "File",
    "Select",
    "Speed",
    "Walk",
    "parse",
]

MAX_TEXT = 200_000
"""Characters of a message; drawn points, the longest, take 50 each at most."""
MAX_FILE = 20 * 2**20
"""Bytes of a table or a model file."""
MAX_HEAD = 1_000
MAX_SAMPLE, MAX_INPUT = 1_000_000, 1_000_000
WEIGHT = "[-1e6, 1e6]"
"""What a weight may be set to."""
PIXELS = 64
"""Of a drawn digit."""
COMMANDS = ("play", "pause", "step", "epoch", "reset", "seen", "save", "samples")
KINDS = Names("type", [*COMMANDS, "settings", "speed", "select", "ask", "edit", "walk"])
FILES = Names("type", ["table", "model"])


@dataclass(frozen=True)
class Command:
    """A word: play, pause, one step, one epoch, back to the start; a frame was seen; a file."""

    name: str


@dataclass(frozen=True)
class Change:
    """New settings, as a whole."""

    settings: Settings


@dataclass(frozen=True)
class Speed:
    """How many steps a second; None for as many as possible."""

    steps: float | None


@dataclass(frozen=True)
class Select:
    """The unit to look into: of a hidden layer, from 1, or of the output, behind the last one."""

    layer: int
    unit: int


@dataclass(frozen=True)
class Ask:
    """A drawn image, row after row, from 0 to 1: what is it? None for no question."""

    image: tuple[float, ...] | None


@dataclass(frozen=True)
class Edit:
    """A weight that is set by hand: of a unit, as in `Select`, and an input; None for the bias."""

    layer: int
    unit: int
    source: int | None
    value: float


@dataclass(frozen=True)
class Walk:
    """The sample to walk through: its number among those that are drawn."""

    sample: int


@dataclass(frozen=True)
class File:
    """A table or a model file."""

    kind: str
    name: str
    content: bytes


Message = Command | Change | Speed | Select | Ask | Edit | Walk | File


def parse(said: str | bytes) -> Message:
    r"""Return what the page says.

    A file is bytes: a line of JSON with its type and name, and then the content.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If it is no such message; the page never sends one.

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
    """Raise unless these are the fields."""
    if set(found) != set(names):
        rule = f"must have {', '.join(names) or 'nothing else'}"
        got = json.dumps(sorted(found))[:MAX_HEAD]
        raise InvalidArgumentError(rule, "a message", got=got)
