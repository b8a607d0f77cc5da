"""Notes on standard error: remarks of a command, and warnings of the package."""

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console

from multilayer.data import Note, TableWarning

__all__ = ["BlockNotes", "line_of", "note", "notes", "noting", "says_of"]


HINTS = {
    "numeric: decimal comma": "--decimal ,",
    "numeric: decimal point": "--decimal .",
    "date: day first": "--day-first",
    "date: month first": "--month-first",
}
"""The option of the command that corresponds to a column's kind in Python."""


def note(text: str) -> None:
    """Print a note on standard error."""
    Console(stderr=True).print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """Yield a list, and print the notes that were added to it, even if an error was raised."""
    said: list[Note] = []
    try:
        yield said
    finally:
        for each in said:
            note(line_of(each))


@contextmanager
def notes(*silent: type[Warning]) -> Iterator[None]:
    """Print warnings as notes that name options; ignore warnings of the `silent` kinds."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:  # printed before any error, since they may explain it
        heard = [w for w in caught if not issubclass(w.category, (DeprecationWarning, *silent))]
        lines = [line for warning in heard for line in _lines(warning.message)]
        for line in dict.fromkeys(lines):
            note(line)


class BlockNotes:
    """A context manager that prints notes and warnings on a table that is read in blocks.

    Notes on a column are printed for the first block that has any; at the end, one line names the
    columns with further notes.

    Attributes
    ----------
    said : list of Note
        Notes that the next call of `tell` prints, besides warnings.
    """

    def __enter__(self) -> Self:
        self.said: list[Note] = []
        self._columns: set[str] = set()
        self._again: dict[str, None] = {}
        self._lines: set[str] = set()
        self._catching = warnings.catch_warnings(record=True)
        caught = self._catching.__enter__()
        assert caught is not None  # because record=True
        self._caught = caught
        warnings.simplefilter("always")
        return self

    def __exit__(self, *error: Any) -> None:
        self.tell()
        self._catching.__exit__(*error)
        if self._again:
            names = ", ".join(map(repr, self._again))
            note(f"later rows have more such entries in {names}")

    def tell(self) -> None:
        """Print the notes and warnings that are new since the last call."""
        messages = [each.message for each in self._caught]
        self._caught.clear()
        found = [each for m in messages if isinstance(m, TableWarning) for each in m.notes]
        found += self.said
        self.said.clear()
        self._again |= dict.fromkeys(n.column for n in found if n.column in self._columns)
        lines = [line_of(each) for each in found if each.column not in self._columns]
        self._columns |= {each.column for each in found}
        for message in messages:
            if isinstance(message, DeprecationWarning):
                continue
            if not isinstance(message, TableWarning) or not message.notes:
                lines += _lines(message)
        for line in lines:
            if line not in self._lines:
                self._lines.add(line)
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
    """Return a note on a column as a line, with the option that changes the decision."""
    return f"column {said.column!r} {says_of(said)}"


def says_of(said: Note) -> str:
    """Return the text of a note on a column without the column's name."""
    if said.marks:
        return f"{said.says}, pass {' '.join(f'--na {shlex.quote(mark)}' for mark in said.marks)}"
    hint = HINTS.get(said.otherwise, f"--{said.otherwise} {shlex.quote(said.column)}")
    return f"{said.says}; to change this, pass {hint}" if said.otherwise else said.says
