"""Tables in CSV files of any dialect."""

import csv
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, filterfalse, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.dialects import (
    Dialect,
    Opens,
    cells,
    find_dialect,
    is_blank,
    named,
    opened,
)
from multilayer.data.entries import Origin, TextEntries
from multilayer.data.reading import BrokenRow, FirstFew, Read, shown
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError

__all__ = ["Rows", "csv_errors", "entries_of", "read_delimited", "texts_of"]

Array = npt.NDArray[Any]

MOST_LINES = 10
"""If a cell has more lines than this that look like rows, a quote must be misplaced."""
LAST = 3
"""How many rows at the end of a file may be totals."""
TOTALS = frozenset(
    form(word) + end
    for word in (
        "total", "totals", "grand total", "sum", "average", "mean", "summe", "gesamt",
        "gesamtsumme", "insgesamt", "mittelwert", "durchschnitt", "somme", "moyenne",
        "total général", "totale", "somma", "suma", "media", "promedio", "soma", "média",
        "totaal", "gemiddelde", "итого",
    )
    for form in (str.lower, str.upper, str.title, str.capitalize)
    for end in ("", ":")
)  # fmt: skip
"""How totals begin. All usual cases are listed: looking up a set is faster than ignoring case."""
BLOCK = 10_000
"""Rows to process at a time."""


def read_delimited(opens: Opens, encoding: str, path: object, separator: str | None = None) -> Read:
    """Return the table in a CSV file.

    Parameters
    ----------
    opens : callable
        Opens the file.
    encoding : str
    path : path or str
        The file's name in messages.
    separator : str, optional
        What separates cells; found from the text if it is None.

    Raises
    ------
    InvalidDataError
        If the file does not hold a table.
    """
    with csv_errors(path):
        with opened(opens, encoding) as text:
            dialect = find_dialect(text, separator, path)
        with opened(opens, encoding) as text:
            rows = Rows(text, dialect)
            found = texts_of(rows, dialect, path)
    numbers = rows.numbers(0, len(found[0][0])) if rows.broken.n else None
    columns = entries_of(found, dialect, Origin(str(path), is_file=True, rows=numbers))
    return Read(Table(columns), (*dialect.remarks, *rows.remarks()), rows.broken)


@contextmanager
def csv_errors(path: object) -> Iterator[None]:
    """Turn errors of the csv module into errors that name the file.

    Raises
    ------
    InvalidDataError
        If the csv module cannot read the file.
    """
    try:
        yield
    except csv.Error as error:
        rule = f"must be a CSV file: {error} (a quote that is never closed?)"
        raise InvalidDataError(rule, path) from error


def texts_of(
    rows: Iterable[tuple[str, ...]], dialect: Dialect, path: object
) -> list[tuple[Array, list[str]]]:
    """Return, for each column, the code of each row's text and the distinct texts."""
    places: list[dict[str, int]] = [{} for _ in dialect.names]  # in order of appearance
    codes: list[list[Array]] = [[np.empty(0, np.int32)] for _ in dialect.names]
    each = iter(rows)
    while block := list(islice(each, BLOCK)):
        for column, known, found in zip(zip(*block, strict=True), places, codes, strict=True):
            new = filterfalse(known.__contains__, dict.fromkeys(column))
            known.update(zip(new, count(len(known))))
            found.append(np.fromiter(map(known.__getitem__, column), np.int32, len(block)))
    texts = [list(places.pop(0)) for _ in dialect.names]  # frees the dicts, which are large
    for name, kept in zip(dialect.names, texts, strict=True):
        _check_quotes(name, kept, dialect, path)
    return [(np.concatenate(found), kept) for found, kept in zip(codes, texts, strict=True)]


def entries_of(
    texts: Iterable[tuple[Array, list[str]]], dialect: Dialect, origin: Origin
) -> list[TextEntries]:
    """Return the columns that `texts_of` found, as entries."""
    pairs = zip(dialect.names, texts, strict=True)
    return [TextEntries(name, origin, codes, kept) for name, (codes, kept) in pairs]


class Rows:
    """The rows below the header, each with as many cells as the header, and remarks on them.

    An empty line is a row only in a file with one column. A repeated header, as in concatenated
    files, is skipped. Cells missing at the end of a row become empty; a row with more cells than
    the header is broken, and left out.
    """

    def __init__(self, lines: Iterable[str], dialect: Dialect) -> None:
        self.lines, self.dialect = lines, dialect
        self.n_rows = 0
        self.broken: FirstFew[BrokenRow] = FirstFew()
        self._n_before = array("q")
        """The number of rows kept before each broken one."""
        self._short: FirstFew[int] = FirstFew()
        self._again: FirstFew[int] = FirstFew()
        self._totals: FirstFew[tuple[int, int, str]] = FirstFew()
        """The number, line and first text of each row that may be a total."""

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows, as tuples: the garbage collector stops tracking tuples of strings."""
        names, n_columns = self.dialect.names, len(self.dialect.names)
        rows = islice(cells(self.lines, self.dialect.separator), self.dialect.n_above, None)
        for line, row in _filled(rows, n_columns):
            if n_columns > 1 and row[0].strip() in (names[0], "") and named(row) == names:
                self._again.add(self.n_rows)
                continue
            if (begins := row[0] or next(filter(None, row), "")) in TOTALS:
                self._totals.add((self.n_rows, line, begins))
            self.n_rows += 1
            if len(row) == n_columns:
                yield tuple(row)
            elif len(row) < n_columns:
                self._short.add(self.n_rows)
                yield (*row, *[""] * (n_columns - len(row)))
            elif is_blank(row[n_columns:]):
                yield tuple(row[:n_columns])
            else:
                self.broken.add(BrokenRow(line, len(row)))
                self._n_before.append(self.n_rows - self.broken.n)

    def numbers(self, start: int, stop: int) -> Array:
        """Return the numbers in the file, counted from 0, of yielded rows from start to stop."""
        kept = np.arange(start, stop)
        return kept + np.searchsorted(np.array(self._n_before), kept, side="right")

    def remarks(self) -> Iterator[str]:
        """Yield remarks on what is open to doubt."""
        short, again, broken = self._short, self._again, self.broken
        if short.n:
            rows_have = "a row has" if short.n == 1 else f"{short.n:,} rows have"
            yield (
                f"{rows_have} fewer cells than its header, row {short.first[0]:,} below it"
                f"{' first' * (short.n > 1)}; the rest are treated as missing"
            )
        if again.n:
            times = "" if again.n == 1 else f" {again.n:,} times, first"
            yield f"its header is repeated{times} below row {again.first[0]:,}, and skipped there"
        if broken.n:
            rows_are = "a row is" if broken.n == 1 else f"{broken.n:,} rows are"
            yield f"{rows_are} left out, with more cells than its header: {shown(broken)}"
        first = next(iter(self._totals.first), (0, 0, ""))[0]
        if max(self.n_rows - LAST, LAST) <= first:  # no earlier row looks like a total
            for _, line, begins in self._totals.first:
                yield (
                    f"line {line:,} begins with {begins!r} and is read like any other row; if it "
                    "is a total of the others, remove it"
                )


def _filled(
    rows: Iterable[tuple[int, list[str]]], n_columns: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield rows without empty lines; in one column, empty lines above a row are missing values."""
    n_empty = 0
    for line, row in rows:
        if n_columns > 1:
            if len(row) > 1 or not is_blank(row):
                yield line, row
        elif row:
            yield from [(line, [""])] * n_empty
            yield line, row
            n_empty = 0
        else:
            n_empty += 1


def _check_quotes(name: str, texts: Iterable[str], dialect: Dialect, path: object) -> None:
    """Raise if a quote that is closed too late has turned many lines into one cell."""
    n_separators = max(len(dialect.names) - 1, 1)
    for text in texts:
        if "\n" not in text:
            continue
        n_lines = sum(line.count(dialect.separator) == n_separators for line in text.splitlines())
        if n_lines > MOST_LINES:
            rule = (
                f"must not have {n_lines:,} lines in one cell; column {name!r} has: a quote "
                f"before {text[:20]!r} is never closed, or closed too late"
            )
            raise InvalidDataError(rule, path)
