"""Entries: the base class of a column's typed entries, and the origin of a column."""

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound
from multilayer.data.notation import Notation, NotationFound
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError

__all__ = ["Entries", "Origin", "UnusableEntries"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Origin:
    """The names of a table and its rows in messages.

    Parameters
    ----------
    table : str
        ``"X"``, or a file's name.
    is_file : bool
        Whether rows are lines of a CSV file, below a header.
    rows : array of int, optional
        The numbers of these rows in a larger table, counted from 0.
    parts : tuple of (int, Origin)
        If the table is made of several files, each file's first row and origin.
    is_continued : bool
        Whether these rows follow other rows, which have already shown the types of the columns.
    """

    table: str = "X"
    is_file: bool = False
    rows: Array | None = None
    parts: tuple[tuple[int, "Origin"], ...] = ()
    is_continued: bool = False

    def row(self, index: int) -> str:
        """Return a row's name in messages: ``row 3``, counted from 0, or from 1 in a CSV file."""
        number = index if self.rows is None else int(self.rows[index])
        if self.parts:
            start, part = self.parts[bisect_right(self.parts, number, key=itemgetter(0)) - 1]
            return f"{part.row(number - start)} in {part.table}"
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
        The type of the entries, for messages.
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
        """The column's name in messages."""
        return f"column {self.column!r} of {self.origin.table}"

    @property
    def n_present(self) -> int:
        """The number of entries that are not missing."""
        raise NotImplementedError

    @property
    def is_constant(self) -> bool:
        """Whether all entries that are not missing are the same."""
        raise NotImplementedError

    def take(self, rows: Array, origin: Origin) -> "Entries":
        """Return some of the rows, with the given origin."""
        raise NotImplementedError

    def at(self, origin: Origin) -> Self:
        """Return the same entries, with another origin."""
        found = copy(self)
        found.origin = origin
        return found

    def without(self, missing: Sequence[str]) -> "Entries":
        """Return entries in which these texts, and the numbers they denote, are missing values."""
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

        Entries that are not finite numbers become missing, and a note on them is added to `notes`.

        Raises
        ------
        InvalidDataError
            If entries are present, but none is a number: this is probably a different column.
        """
        raise self._mismatch("numbers")

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        """Return the entries as seconds since 1970, NaN if missing; otherwise as `numbers`."""
        raise self._mismatch("dates")

    def categories(self) -> tuple[Array, list[str]]:
        """Return each entry's position among the categories, −1 if missing; and the categories."""
        raise self._mismatch("numbers, text, dates or booleans")

    def counted(self) -> tuple[list[str], Array]:
        """Return the categories, and how many entries each has."""
        codes, names = self.categories()
        return names, np.bincount(codes[codes >= 0], minlength=len(names))

    def objects(self) -> Array:
        """Return the entries as Python objects, None if missing, for display."""
        codes, names = self.categories()
        return np.array([*names, None], dtype=object)[codes]

    def _strays(self, rows: Array, first: str, wanted: str) -> Note:
        """Return a note on entries of the wrong type, which become missing."""
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


class UnusableEntries(Entries):
    """Entries that no network can use: lists, bytes, complex numbers.

    Parameters
    ----------
    n_rows : int
    what : str
        The type of the entries, for messages.
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
