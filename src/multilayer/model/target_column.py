"""The target column of a table: reading it, and deciding whether it holds classes or numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import DateEntries, Entries
from multilayer.data.notation import Notation
from multilayer.data.notes import Note
from multilayer.data.numerals import is_missing_mark
from multilayer.data.reading import are_too_many
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError
from multilayer.model.numeric import read_numbers

__all__ = [
    "MOST_CLASSES",
    "TargetColumn",
    "check_whole",
    "for_fit",
    "note_on_missing",
    "notes_on_classes",
    "read_target",
]

MOST_CLASSES = 20
"""With more distinct whole numbers, the task is regression, unless it is given."""
MOST_MARKED = 0.1
"""A mark of missing values in more than this share of entries is a class, without a note."""
LISTED = 5
"""The most classes with several spellings that a note lists."""
OUTER = " .,;:'\"`"
"""Ignored around classes when spellings are compared; other characters matter: C++, A-, >50K."""
YES_AND_NO = {"yes": "yes", "y": "yes", "true": "yes", "1": "yes"}
YES_AND_NO |= {"no": "no", "n": "no", "false": "no", "0": "no"}


class TargetColumn(NamedTuple):
    """The target of each row, and the task."""

    values: npt.NDArray[np.generic]
    """Names of classes, None if missing; or numbers (possibly classes), NaN if missing."""
    task: str
    """``"classification"`` or ``"regression"``."""
    notation: Notation | None
    """How numbers are written; None if the values are names."""
    notes: list[Note]
    """Notes on decisions that may be wrong."""


def read_target(
    table: Table, name: str, task: str | None = None, *, hint: str = ""
) -> TargetColumn:
    """Return a table's column as targets.

    Booleans and texts that are not numbers are names of classes. Numbers are classes if they are
    whole, with at most `MOST_CLASSES` distinct values. An ambiguous decimal mark is read as the
    other columns show.

    Parameters
    ----------
    table : Table
    name : str
        The column's name.
    task : {"classification", "regression"}, optional
        By default, the one that suits the entries.
    hint : str
        Added to the error about dates if the entries may also be numbers: giving the task helps.

    Raises
    ------
    InvalidDataError
        If the entries do not suit the task. Dates are not classes, unless they are text and the
        task is given.
    """
    entries, decimal = table[name], table.decimal
    found = entries.find_notation(decimal)
    if found is not None and found.is_open and decimal is None:
        decimal = table.select(other for other in table.columns if other != name).shown_decimal()
        found = entries.find_notation(decimal)
    are_names = found is None or found.notation is None or found.notation.is_boolean
    # Dates written as text are classes only if the user says so.
    may_be_dates = task is None or (task == "classification" and isinstance(entries, DateEntries))
    if may_be_dates and entries.find_date_format() is not None:
        raise InvalidDataError(
            f"{entries.where}, the target, must hold numbers or classes; it holds dates"
            f"{'' if are_names else hint}"
        )
    if are_names and task != "regression":
        codes, names = entries.categories()
        texts = np.array([*map(str, names), None], dtype=object)[codes]  # code −1 picks the last
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


def note_on_missing(
    target: str,
    table: Table,
    are_missing: npt.NDArray[np.bool_],
    bad_rows: str | None = None,
    *,
    is_sample: bool = False,
    hint: str = "",
) -> str:
    """Return a note on the rows that are left out because they have no target.

    Parameters
    ----------
    target : str
        The column's name.
    table : Table
    are_missing : array of bool, of shape (n_rows,)
        Which rows have no target; at least one.
    bad_rows : {"skip", "fail"}, optional
        As in `multilayer.data.read_file`; rows without any entry are not bad.
    is_sample : bool
        Whether the table is a sample of a larger one.
    hint : str
        Added to the error about too many bad rows: what to do.

    Raises
    ------
    InvalidDataError
        If no row has a target, or more rows are bad than `bad_rows` allows.
    """
    of = " of a sample" if is_sample else ""
    if are_missing.all():
        rule = f"the target, must have entries; all{of} are missing"
        raise InvalidDataError(f"{table[target].where}, {rule}")
    rows = np.flatnonzero(are_missing)

    def says(rows: npt.NDArray[np.intp]) -> str:
        n, first = len(rows), table[target].origin.row(int(rows[0]))
        which = f"the first of them {first}" if n > 1 else first
        return f"has no {target!r} in {n:,} of {len(table):,} rows{of}, {which}"

    if are_too_many(len(rows), len(table), bad_rows):
        bad = rows[_have_entries(table.take(rows))]
        if are_too_many(len(bad), len(table), bad_rows):
            raise InvalidDataError(f"{says(bad)}{hint}", table.name)
    left_out = "they are left out" if is_sample or len(rows) > 1 else "it is left out"
    return f"{table.name} {says(rows)}; {left_out}"


def _have_entries(table: Table) -> npt.NDArray[np.bool_]:
    """Return which rows have at least one entry."""
    usable = table.select(name for name in table.columns if table[name].is_usable)
    return np.array([any(entry is not None for entry in row) for row in np.asarray(usable)])


def notes_on_classes(entries: Entries) -> list[Note]:
    """Return notes on classes that may be missing values, or several spellings of one class."""
    names, counts = entries.counted()
    where = entries.column, entries.origin.table
    notes: list[Note] = []
    marks = tuple(name for name in names if is_missing_mark(name))
    n_marked = sum(n for name, n in zip(names, counts.tolist(), strict=True) if name in marks)
    # Without two other classes, the marks must be classes themselves: + and -, none and fraud.
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
    """Return targets in the form that `fit` expects.

    Names become a list, since `fit` treats the name nan in an array as missing; numbers stay an
    array.
    """
    return values.tolist() if values.dtype.kind == "U" else values


def check_whole(numbers: npt.NDArray[np.float64], entries: Entries) -> None:
    """Raise if there are fractions, which cannot be classes; the message names the row."""
    wrong = ~(np.isnan(numbers) | (numbers == np.rint(numbers)))
    if wrong.any():
        row = int(np.argmax(wrong))
        rule = "must hold names or whole numbers to be predicted as classes"
        got = f"{numbers[row]:g} at {entries.origin.row(row)}"
        raise InvalidDataError(rule, entries.where, got=got)
