"""NumberEntries: a column of numbers or booleans; and the names that numbers have as categories."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound
from multilayer.data.dates import LEAST_COMPACT, compact_dates
from multilayer.data.entries.base import Entries, Origin
from multilayer.data.evidence import are_few, sample
from multilayer.data.notation import TIMES, Notation, NotationFound
from multilayer.data.notes import Note
from multilayer.data.numerals import plain

__all__ = ["LARGEST", "NumberEntries", "category", "numbers_among"]

Array = npt.NDArray[Any]

LARGEST = 2**53
"""float64 holds every whole number up to this one."""


class NumberEntries(Entries):
    """Numbers, or booleans.

    Parameters
    ----------
    values : array of shape (n_rows,)
        Booleans, integers or floats; NaN for missing values.
    is_missing : array of bool, optional
        Which other values are missing.
    are_times : bool
        Whether the numbers are durations, or times of day, in seconds.
    """

    what = "numbers"

    def __init__(
        self,
        column: str,
        origin: Origin,
        values: Array,
        is_missing: Array | None = None,
        *,
        are_times: bool = False,
    ) -> None:
        super().__init__(column, origin)
        self.values, self.are_times = values, are_times
        self._is_missing = is_missing

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def is_missing(self) -> Array:
        """Which entries are missing."""
        is_missing = np.isnan(self.values) if self.values.dtype.kind == "f" else None
        if self._is_missing is None:
            return np.zeros(len(self), dtype=bool) if is_missing is None else is_missing
        return self._is_missing if is_missing is None else self._is_missing | is_missing

    @property
    def n_present(self) -> int:
        return len(self) - int(np.count_nonzero(self.is_missing))

    @property
    def present(self) -> Array:
        """The values that are not missing."""
        return self.values[~self.is_missing]

    @property
    def is_constant(self) -> bool:
        present = self.present
        return not len(present) or bool((present == present[0]).all())

    def take(self, rows: Array, origin: Origin) -> Self:
        is_missing = None if self._is_missing is None else self._is_missing[rows]
        return type(self)(
            self.column, origin, self.values[rows], is_missing, are_times=self.are_times
        )

    def without(self, missing: Sequence[str]) -> Self:
        kind = self.values.dtype.kind
        if kind == "b" or self.are_times:
            return self
        with np.errstate(over="ignore"):
            numbers = np.array(numbers_among(missing), self.values.dtype if kind == "f" else None)
        is_missing = np.isin(self.values, numbers)
        if not is_missing.any():
            return self
        is_missing |= self.is_missing
        return type(self)(
            self.column, self.origin, self.values, is_missing, are_times=self.are_times
        )

    def find_notation(
        self, decimal: str | None = None, *, is_asked: bool = False
    ) -> NotationFound | None:
        present = self.present
        is_whole = self.values.dtype.kind in "iu" and len(present)
        if is_whole and not is_asked and not -LARGEST <= present.min() <= present.max() <= LARGEST:
            return None  # numbers too large for float64 are codes
        scale = "clock" if self.are_times else ""
        return NotationFound(Notation(scale=scale, is_boolean=self.values.dtype.kind == "b"))

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound | None:
        present = self.present
        some = compact_dates(sample(present).astype(np.float64))
        if self.are_times or 2 * np.count_nonzero(np.isnan(some)) >= max(len(some), 1):
            return None
        values, counts = np.unique(present, return_counts=True)
        is_other = np.isnan(compact_dates(values.astype(np.float64)))
        others = np.flatnonzero(is_other).tolist()
        n_dates = len(values) - len(others)
        if not is_asked and (n_dates < LEAST_COMPACT or not are_few(others, counts)):
            return None
        return DateFormatFound(DateFormat(), tuple(category(value) for value in values[others]))

    def numbers(self, notation: Notation, notes: list[Note]) -> Array:
        wanted = "durations" if notation.scale in TIMES else "numbers with units"
        wanted = wanted if notation.scale not in ("", "multiple") else "numbers"
        got = "durations" if self.are_times else "numbers"
        if got != wanted and self.n_present:
            raise self._mismatch(f"{wanted}, as in training", got)
        if notation.unit == "%" and self.n_present:
            says = "has numbers without a percent sign, which are read as percentages"
            notes.append(Note(self.column, self.origin.table, says))
        numbers = self._floats()
        is_infinite = np.isinf(numbers)
        if is_infinite.any():
            rows = np.flatnonzero(is_infinite)
            notes.append(self._strays(rows, category(numbers[rows[0]]), "finite numbers"))
            numbers = np.where(is_infinite, np.nan, numbers)
        return numbers

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        numbers = self._floats()
        seconds = compact_dates(numbers)
        others = np.flatnonzero(np.isnan(seconds) & ~np.isnan(numbers))
        if form.missing:
            others = others[[category(value) not in form.missing for value in numbers[others]]]
        if len(others):
            are_dates = self.origin.is_continued or not np.isnan(seconds).all()
            if not are_dates and numbers[others].any():  # zeros may mark missing dates
                raise self._mismatch("dates")
            notes.append(self._strays(others, category(numbers[others[0]]), "dates"))
        return seconds

    def categories(self) -> tuple[Array, list[str]]:
        values, places = np.unique(self.present, return_inverse=True)
        codes = np.full(len(self), -1, np.int32)
        codes[~self.is_missing] = places
        if self.are_times:
            return codes, [str(timedelta(seconds=value)) for value in values.tolist()]
        return codes, [category(value) for value in values]

    def objects(self) -> Array:
        objects = self.values.astype(object)
        objects[self.is_missing] = None
        return objects

    def _floats(self) -> Array:
        numbers: Array = self.values.astype(np.float64, copy=False)
        if self._is_missing is not None:
            numbers = np.where(self._is_missing, np.nan, numbers)
        return numbers


def category(value: Any) -> str:
    """Return the name of a number or boolean as a category.

    The name is the shortest text that identifies the value in its own type, without a decimal point
    if it is whole: 7, 7.0 and ``numpy.float32(7)`` have the same name.

    Examples
    --------
    >>> category(7.0), category(np.float32(0.1)), category(True)
    ('7', '0.1', 'True')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    number = float(str(value)) if isinstance(value, np.floating) else float(value)
    # Several whole numbers may round to the same larger float, so it is not named like any of them.
    is_whole = number.is_integer() and abs(number) <= LARGEST
    return str(int(number)) if is_whole else repr(number)


def numbers_among(texts: Sequence[str]) -> list[float]:
    """Return the plain numbers among some texts, as floats."""
    return [float(text) for text in texts if plain(text)]
