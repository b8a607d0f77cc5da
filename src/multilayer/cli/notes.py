"""What a command warns of, as lines for people."""

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
"""What says of a file's columns what in Python a kind does."""


def note(text: str) -> None:
    """Print a line beside the results."""
    Console(stderr=True).print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """Print what is said of columns, in a line each: before the error, if there is one."""
    said: list[Note] = []
    try:
        yield said
    finally:
        for each in said:
            note(line_of(each))


@contextmanager
def notes(*silent: type[Warning]) -> Iterator[None]:
    """Print what is warned of, but for these kinds, in a line each, in the words of the command."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:  # before the error, if there is one, which they may explain
        heard = [w for w in caught if not issubclass(w.category, (DeprecationWarning, *silent))]
        lines = [line for warning in heard for line in _lines(warning.message)]
        for line in dict.fromkeys(lines):
            note(line)


def _lines(message: Warning | str) -> list[str]:
    """Return a line for each thing that is warned of."""
    if isinstance(message, TableWarning) and message.notes:
        return [line_of(each) for each in message.notes]
    text = str(message)
    for kind, option in HINTS.items():
        text = text.replace(repr(kind), option)
    return [text]


def line_of(said: Note) -> str:
    """Return what is said of a column, with the option that says otherwise."""
    hint = HINTS.get(said.otherwise, f"--{said.otherwise} {shlex.quote(said.column)}")
    says = f"column {said.column!r} {said.says}"
    return f"{says}; {hint} says otherwise" if said.otherwise else says
