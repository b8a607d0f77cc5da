"""The column of a table that is to be predicted: whether it has classes or numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import DateEntries, Entries
from multilayer.data.notation import Notation
from multilayer.data.notes import Note
from multilayer.data.numerals import is_missing_mark
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError
from multilayer.model.numeric import read_numbers

__all__ = [
    "MOST_CLASSES",
    "TargetColumn",
    "check_whole",
    "for_fit",
    "notes_on_classes",
    "read_target",
]

MOST_CLASSES = 20
"""With more distinct whole numbers, the task is regression, unless it is given."""
MOST_MARKED = 0.1
"""Above this share of entries, a mark of missing values is taken for a class without a word."""
LISTED = 5
"""How many classes with several spellings a note lists."""
OUTER = " .,;:'\"`"
"""What may precede or follow a class; other signs have a meaning, as in C++, A- and >50K."""
YES_AND_NO = {"yes": "yes", "y": "yes", "true": "yes", "1": "yes"}
YES_AND_NO |= {"no": "no", "n": "no", "false": "no", "0": "no"}


class TargetColumn(NamedTuple):
    """The target of each row, and what is to be done with it."""

    values: npt.NDArray[np.generic]
    """Names of classes, None if missing; or numbers, which may be classes, NaN if missing."""
    task: str
    """``"classification"`` or ``"regression"``."""
    notation: Notation | None
    """How numbers are written; None if the values are names."""
    notes: list[Note]
    """What is open to doubt."""


def read_target(
    table: Table, name: str, task: str | None = None, *, hint: str = ""
) -> TargetColumn:
    """Return a table's column as targets.

    Truth values and what is no number are names. Numbers are classes if they are whole and at most
    `MOST_CLASSES` distinct ones. Where the decimal mark is open, it is that of the other columns.

    Parameters
    ----------
    table : Table
    name : str
        The column's.
    task : {"classification", "regression"}, optional
        By default the one that suits the entries.
    hint : str
        Added to the error if numbers may be dates, and a task would decide.

    Raises
    ------
    InvalidDataError
        If they do not suit the task. Dates are no classes, unless they are text and the task is
        given.
    """
    entries, decimal = table[name], table.decimal
    found = entries.find_notation(decimal)
    if found is not None and found.is_open and decimal is None:
        decimal = table.select(other for other in table.columns if other != name).shown_decimal()
        found = entries.find_notation(decimal)
    are_names = found is None or found.notation is None or found.notation.is_boolean
    # Dates written as text are classes if somebody says so.
    may_be_dates = task is None or (task == "classification" and isinstance(entries, DateEntries))
    if may_be_dates and entries.find_date_format() is not None:
        raise InvalidDataError(
            f"{entries.where}, the target, must hold numbers or classes; it holds dates"
            f"{'' if are_names else hint}"
        )
    if are_names and task != "regression":
        codes, names = entries.categories()
        texts = np.array([*map(str, names), None], dtype=object)[codes]  # the code -1 is the last
        return TargetColumn(texts, "classification", None, notes_on_classes(entries))
    notes: list[Note] = []
    numbers, notation = read_numbers(entries, notes, decimal=decimal)
    present = numbers[~np.isnan(numbers)]
    if task is None:
        are_few = len(np.unique(present)) <= MOST_CLASSES
        are_classes = are_few and bool((present == np.rint(present)).all())
        task = "classification" if are_classes else "regression"
    elif task == "classification":
        check_whole(numbers, entries)
    return TargetColumn(numbers, task, notation, notes)


def notes_on_classes(entries: Entries) -> list[Note]:
    """Return notes on classes that may be missing values, or several spellings of one class."""
    names, counts = entries.counted()
    where = entries.column, entries.origin.table
    notes: list[Note] = []
    marks = tuple(name for name in names if is_missing_mark(name))
    n_marked = sum(n for name, n in zip(names, counts.tolist(), strict=True) if name in marks)
    # What is left must be a task, or it is not what is meant: + and -, none and fraud.
    if 0 < n_marked <= MOST_MARKED * len(entries) and len(names) - len(marks) > 1:
        several = len(marks) > 1
        says = (
            f"has the class{'es' * several} {_listed(marks)} in {n_marked:,} of {len(entries):,} "
            f"rows; if {'these mark missing values' if several else 'that marks a missing value'}"
        )
        notes.append(Note(*where, says, marks=marks))
    alike: dict[str, list[str]] = {}
    folded = ["".join(name.casefold().split()) for name in names]
    are_words = set(folded) <= YES_AND_NO.keys()
    for name, plain in zip(names, folded, strict=True):
        key = YES_AND_NO[plain] if are_words else plain.strip(OUTER) or plain
        alike.setdefault(key, []).append(name)
    spellings = [_listed(several) for several in alike.values() if len(several) > 1]
    if spellings:
        more = [f"and {len(spellings) - LISTED:,} more"] * (len(spellings) > LISTED)
        listed = "; ".join(spellings[:LISTED] + more)
        says = f"writes what may be one class in several ways: {listed}; each is a class of its own"
        notes.append(Note(*where, says))
    return notes


def _listed(names: Sequence[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} and {last}" if others else last


def for_fit(values: npt.NDArray[np.generic]) -> object:
    """Return targets as `fit` takes them: names as a list, since it takes nan in an array for NaN.

    Numbers stay an array.
    """
    return values.tolist() if values.dtype.kind == "U" else values


def check_whole(numbers: npt.NDArray[np.float64], entries: Entries) -> None:
    """Raise if there are fractions, which are no classes; the message names the row."""
    wrong = ~(np.isnan(numbers) | (numbers == np.rint(numbers)))
    if wrong.any():
        row = int(np.argmax(wrong))
        rule = "must hold names or whole numbers to be predicted as classes"
        got = f"{numbers[row]:g} at {entries.origin.row(row)}"
        raise InvalidDataError(rule, entries.where, got=got)
