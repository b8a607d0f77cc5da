"""Entries: one column of a table, typed once: numbers, texts, dates, or what no network can use.

Wherever a column came from, it can be read as numbers, dates or categories. A kind of column
(`multilayer.model`) reads one of them, and need not know about the others.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound, find_date_format
from multilayer.data.dates import LEAST_COMPACT, compact_dates, iso_texts, moment
from multilayer.data.evidence import are_few, sample
from multilayer.data.notation import TIMES, Notation, NotationFound, find_notation
from multilayer.data.notes import Note
from multilayer.data.numerals import numeral, plain
from multilayer.errors import InvalidDataError

__all__ = [
    "DateEntries",
    "Entries",
    "NumberEntries",
    "Origin",
    "TextEntries",
    "UnusableEntries",
    "category",
    "cleaned",
]

Array = npt.NDArray[Any]

LARGEST = 2**53
"""float64 holds every whole number up to this one."""


@dataclass(frozen=True)
class Origin:
    """What messages call a table and its rows.

    Parameters
    ----------
    table : str
        ``"X"``, or a file's name.
    is_file : bool
        Whether rows are lines of a file, below a header.
    rows : array of int, optional
        The numbers of these rows in a larger table, counted from 0.
    """

    table: str = "X"
    is_file: bool = False
    rows: Array | None = None

    def row(self, index: int) -> str:
        """Return what messages call a row: ``row 3``, counted from 0, or from 1 in a file."""
        number = index if self.rows is None else int(self.rows[index])
        return f"row {number + 1:,} below its header" if self.is_file else f"row {number}"

    def part(self, rows: Array) -> "Origin":
        """Return the origin of some of the rows."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])


class Entries:
    """A column's entries.

    Attributes
    ----------
    column : str
        The column's name.
    origin : Origin
        The table that the column belongs to.
    what : str
        What the entries are, in messages.
    is_usable : bool
        Whether any kind of column can use them.
    """

    what: ClassVar[str]
    is_usable: ClassVar[bool] = True

    def __init__(self, column: str, origin: Origin) -> None:
        self.column, self.origin = column, origin

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def where(self) -> str:
        """What messages call the column."""
        return f"column {self.column!r} of {self.origin.table}"

    @property
    def n_present(self) -> int:
        """How many entries are not missing."""
        raise NotImplementedError

    @property
    def is_constant(self) -> bool:
        """Whether all entries that are not missing are the same."""
        raise NotImplementedError

    def take(self, rows: Array, origin: Origin) -> "Entries":
        """Return some of the rows, with their origin."""
        raise NotImplementedError

    def without(self, missing: Sequence[str]) -> "Entries":
        """Return the entries with these texts, and the numbers that they denote, missing."""
        return self

    def find_notation(
        self, decimal: str | None = None, *, is_asked: bool = False
    ) -> NotationFound | None:
        """Return how numbers are written, or None if the entries are not numbers."""
        return None

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound | None:
        """Return how dates are written, or None if the entries are not dates."""
        return None

    def numbers(self, notation: Notation, notes: list[Note]) -> Array:
        """Return the entries as float64, NaN if missing.

        What is not a finite number becomes missing, and a note in `notes` says so.

        Raises
        ------
        InvalidDataError
            If there is something, but no number at all: it is then another column.
        """
        raise self._mismatch("numbers")

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        """Return the entries as seconds since 1970, NaN if missing; otherwise as `numbers`."""
        raise self._mismatch("dates")

    def categories(self) -> tuple[Array, list[str]]:
        """Return each entry's position among the categories, −1 if missing; and the categories."""
        raise self._mismatch("numbers, text, dates or booleans")

    def objects(self) -> Array:
        """Return the entries as Python objects, None if missing, to show them."""
        codes, names = self.categories()
        return np.array([*names, None], dtype=object)[codes]

    def _strays(self, rows: Array, first: str, wanted: str) -> Note:
        """Return a note on entries that are not what is wanted, and become missing."""
        row = self.origin.row(int(rows[0]))
        a_wanted = f"a {wanted.removesuffix('s')}"
        if len(rows) == 1:
            says = f"has {first!r} at {row}, which is not {a_wanted} and is treated as missing"
        else:
            says = (
                f"has {len(rows):,} entries that are not {wanted}, the first of them {first!r} at "
                f"{row}; they are treated as missing"
            )
        return Note(self.column, self.origin.table, says)

    def _mismatch(self, wanted: str, got: str = "") -> InvalidDataError:
        column = f"column {self.column!r}"
        return InvalidDataError(
            f"must hold {wanted}", column, self.origin.table, got=got or self.what
        )


class NumberEntries(Entries):
    """Numbers, or booleans.

    Parameters
    ----------
    values : array of shape (n_rows,)
        Booleans, integers or floats; NaN is missing.
    is_missing : array of bool, optional
        Which others are missing.
    are_times : bool
        Whether they are durations, or times of day, in seconds.
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
    def is_constant(self) -> bool:
        present = self._present()
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
            numbers = np.array(_numbers_among(missing), self.values.dtype if kind == "f" else None)
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
        present = self._present()
        is_whole = self.values.dtype.kind in "iu" and len(present)
        if is_whole and not is_asked and not -LARGEST <= present.min() <= present.max() <= LARGEST:
            return None  # numbers that float64 cannot tell apart are codes
        scale = "clock" if self.are_times else ""
        return NotationFound(Notation(scale=scale, is_boolean=self.values.dtype.kind == "b"))

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound | None:
        present = self._present()
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
            says = "has numbers without a percent sign, which are read as percent"
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
            if np.isnan(seconds).all() and numbers[others].any():  # zeros are missing dates
                raise self._mismatch("dates")
            notes.append(self._strays(others, category(numbers[others[0]]), "dates"))
        return seconds

    def categories(self) -> tuple[Array, list[str]]:
        values, places = np.unique(self._present(), return_inverse=True)
        codes = np.full(len(self), -1, np.int32)
        codes[~self.is_missing] = places
        if self.are_times:
            return codes, [str(timedelta(seconds=value)) for value in values.tolist()]
        return codes, [category(value) for value in values]

    def objects(self) -> Array:
        objects = self.values.astype(object)
        objects[self.is_missing] = None
        return objects

    def _present(self) -> Array:
        return self.values[~self.is_missing]

    def _floats(self) -> Array:
        numbers: Array = self.values.astype(np.float64, copy=False)
        if self._is_missing is not None:
            numbers = np.where(self._is_missing, np.nan, numbers)
        return numbers


class TextEntries(Entries):
    """Texts: each distinct one once, and the position of each row's text among them.

    Texts have no surrounding blanks, and their characters are in Unicode's normal form C: what
    looks the same is the same. An empty text is missing.

    Parameters
    ----------
    codes : array of int32, of shape (n_rows,)
        −1 for missing values.
    texts : sequence of str
    is_category : bool
        Whether a library calls them categories: plain numbers among them are then names.
    """

    what = "text"

    def __init__(
        self,
        column: str,
        origin: Origin,
        codes: Array,
        texts: Sequence[str],
        *,
        is_category: bool = False,
    ) -> None:
        super().__init__(column, origin)
        self.codes, self.texts, self.counts = _tidied(codes, texts)
        self.is_category = is_category
        self._found: dict[Any, Any] = {}
        """What has been read from the distinct texts: training reads them several times."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def n_present(self) -> int:
        return int(self.counts.sum())

    @property
    def is_constant(self) -> bool:
        return len(self.texts) < 2

    def take(self, rows: Array, origin: Origin) -> Self:
        return type(self)(
            self.column, origin, self.codes[rows], self.texts, is_category=self.is_category
        )

    def without(self, missing: Sequence[str]) -> Self:
        known, numbers = set(missing), _numbers_among(missing)
        texts = [
            "" if text in known or (numbers and _number_in(text) in numbers) else text
            for text in self.texts
        ]
        if texts == self.texts:
            return self
        return type(self)(self.column, self.origin, self.codes, texts, is_category=self.is_category)

    def find_notation(
        self, decimal: str | None = None, *, is_asked: bool = False
    ) -> NotationFound | None:
        if self.is_category and not is_asked and all(map(plain, self.texts)):
            return None
        how = decimal, is_asked
        if how not in self._found:
            found = find_notation(self.texts, self.counts, decimal, is_asked=is_asked)
            self._found[how] = found
        return self._found[how]

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound | None:
        return find_date_format(self.texts, self.counts, order, is_asked=is_asked)

    def numbers(self, notation: Notation, notes: list[Note]) -> Array:
        return self._read(notation, notation.numbers, "numbers", notes)

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        return self._read(form, form.dates, "dates", notes)

    def categories(self) -> tuple[Array, list[str]]:
        return self.codes, self.texts

    def _read(
        self,
        form: Notation | DateFormat,
        read: Callable[[Sequence[str]], tuple[Array, list[int]]],
        wanted: str,
        notes: list[Note],
    ) -> Array:
        """Return each row's value."""
        bare = replace(form, missing=())  # marks of missing values are known after a first look
        if bare not in self._found:
            self._found[bare] = read(self.texts)
        values, others = self._found[bare]
        others = [i for i in others if self.texts[i] not in form.missing]
        if others:
            rows = np.flatnonzero(np.isin(self.codes, others))
            first = self.texts[self.codes[rows[0]]]
            if np.isnan(values).all():
                raise self._mismatch(wanted, f"{first!r} at {self.origin.row(int(rows[0]))}")
            notes.append(self._strays(rows, first, wanted))
        return np.append(values, np.nan)[self.codes]  # the last for −1


class DateEntries(Entries):
    """Moments, as seconds since the beginning of 1970.

    Parameters
    ----------
    seconds : array of float64, of shape (n_rows,)
        NaN is missing.
    has_zone : bool
        Whether they are in UTC; otherwise they are what a clock on the wall shows.
    """

    what = "dates"

    def __init__(self, column: str, origin: Origin, seconds: Array, has_zone: bool) -> None:
        super().__init__(column, origin)
        self.seconds, self.has_zone = seconds, has_zone

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def n_present(self) -> int:
        return len(self) - int(np.count_nonzero(np.isnan(self.seconds)))

    @property
    def is_constant(self) -> bool:
        present = self.seconds[~np.isnan(self.seconds)]
        return not len(present) or bool((present == present[0]).all())

    def take(self, rows: Array, origin: Origin) -> Self:
        return type(self)(self.column, origin, self.seconds[rows], self.has_zone)

    def without(self, missing: Sequence[str]) -> Self:
        moments = [found.since_1970() for text in missing if (found := moment(text)) is not None]
        is_missing = np.isin(self.seconds, np.array(moments, dtype=np.float64))  # None becomes NaN
        if not is_missing.any():
            return self
        seconds = np.where(is_missing, np.nan, self.seconds)
        return type(self)(self.column, self.origin, seconds, self.has_zone)

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound:
        return DateFormatFound(DateFormat(has_zone=self.has_zone))

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        if self.has_zone != form.has_zone and self.n_present:
            zones = {True: "dates with a time zone", False: "dates without a time zone"}
            raise self._mismatch(f"{zones[form.has_zone]}, as in training", zones[self.has_zone])
        return self.seconds

    def categories(self) -> tuple[Array, list[str]]:
        is_present = ~np.isnan(self.seconds)
        values, places = np.unique(self.seconds[is_present], return_inverse=True)
        codes = np.full(len(self), -1, np.int32)
        codes[is_present] = places
        texts = iso_texts(values)
        if self.has_zone:  # as Python writes it
            texts = [text if " " in text else f"{text} 00:00:00" for text in texts]
            texts = [f"{text}+00:00" for text in texts]
        return codes, texts


class UnusableEntries(Entries):
    """What no network can use: lists, bytes, complex numbers.

    Parameters
    ----------
    n_rows : int
    what : str
        What they are.
    """

    is_usable = False

    def __init__(self, column: str, origin: Origin, n_rows: int, what: str) -> None:
        super().__init__(column, origin)
        self._n_rows = n_rows
        self.what = what  # type: ignore[misc]  # differs between objects

    def __len__(self) -> int:
        return self._n_rows

    @property
    def n_present(self) -> int:
        return self._n_rows

    @property
    def is_constant(self) -> bool:
        return False

    def take(self, rows: Array, origin: Origin) -> Self:
        n_rows = len(np.arange(len(self))[rows])
        return type(self)(self.column, origin, n_rows, self.what)


def category(value: Any) -> str:
    """Return the name of a number or boolean as a category.

    It is the shortest text that denotes it in its own type, without a decimal point if it is whole:
    7, 7.0 and ``numpy.float32(7)`` are the same.

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
    # A larger float may be the rounding of many whole numbers: it is none of them.
    is_whole = number.is_integer() and abs(number) <= LARGEST
    return str(int(number)) if is_whole else repr(number)


def _number_in(text: str) -> float | None:
    """Return the number in a text, whatever its decimal mark and unit, or None."""
    found = numeral(text)
    if found is None or found.qualifier or found.factor != 1:
        return None
    try:
        number = float(found.body.replace(",", ".") + found.exponent)
    except ValueError:  # with thousands separators
        return None
    return -number if found.is_negative else number


def _numbers_among(texts: Sequence[str]) -> list[float]:
    return [float(text) for text in texts if plain(text)]


def _tidied(codes: Array, texts: Sequence[str]) -> tuple[Array, list[str], Array]:
    """Return codes of tidy texts that all occur, these texts, and how often each occurs."""
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
    tidy: dict[str, int] = {}
    places = np.full(len(texts) + 1, -1, np.int32)  # the last for −1
    for i, (text, count) in enumerate(zip(texts, counts.tolist(), strict=True)):
        if count and (clean := cleaned(text)):
            places[i] = tidy.setdefault(clean, len(tidy))
    kept = list(tidy)
    if kept != list(texts):
        codes = places[codes]
        counts = np.bincount(codes + 1, minlength=len(kept) + 1)[1:]
    return codes, kept, counts


def cleaned(text: str) -> str:
    """Return a text without surrounding blanks, in Unicode's normal form C."""
    text = text.strip()
    if (
        len(text) > 2 and text.startswith('="') and text.endswith('"')
    ):  # what programs write to make Excel keep zeros
        text = text[2:-1].strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)
