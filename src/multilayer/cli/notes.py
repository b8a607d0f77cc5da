"""A command's warnings, printed as notes."""

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from multilayer.data import Note, TableWarning

__all__ = ["line_of", "note", "notes", "noting"]


HINTS = {
    "numeric: decimal comma": "--decimal ,",
    "numeric: decimal point": "--decimal .",
    "date: day first": "--day-first",
    "date: month first": "--month-first",
}
"""The option that does for a file what a column's kind does in Python."""


def note(text: str) -> None:
    """Print a line on standard error."""
    Console(stderr=True).print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """Print notes on columns, one per line, before any error."""
    said: list[Note] = []
    try:
        yield said
    finally:
        for each in said:
            note(line_of(each))


@contextmanager
def notes(*silent: type[Warning]) -> Iterator[None]:
    """Print warnings, except of these kinds, one per line, in terms of the command's options."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:  # before any error, which they may explain
        heard = [w for w in caught if not issubclass(w.category, (DeprecationWarning, *silent))]
        lines = [line for warning in heard for line in _lines(warning.message)]
        for line in dict.fromkeys(lines):
            note(line)


def _lines(message: Warning | str) -> list[str]:
    """Return the lines of a warning."""
    if isinstance(message, TableWarning) and message.notes:
        return [line_of(each) for each in message.notes]
    text = str(message)
    for kind, option in HINTS.items():
        text = text.replace(repr(kind), option)
    return [text]


def line_of(said: Note) -> str:
    """Return a note on a column, with the option that changes the decision."""
    hint = HINTS.get(said.otherwise, f"--{said.otherwise} {shlex.quote(said.column)}")
    says = f"column {said.column!r} {said.says}"
    return f"{says}; to change this, pass {hint}" if said.otherwise else says
