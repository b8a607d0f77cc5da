"""Dialects of CSV: how a file is encoded, what separates its cells, where its table begins."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from multilayer.data.numerals import plain
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = ["Dialect", "cells", "decoded", "find_dialect"]

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""The bytes that some programs write first, and the encoding that they stand for."""
SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 2**18
"""Characters that are looked at."""


class Dialect(NamedTuple):
    """How a file is written."""

    separator: str
    names: tuple[str, ...]
    """The columns', in order; those without one are called ``Unnamed: 0`` by their place."""
    n_above: int
    """How many lines stand above the first row, the header among them."""
    remarks: tuple[str, ...] = ()
    """What was decided and is open to doubt."""


def decoded(content: bytes, encoding: str | None, path: object) -> tuple[str, str]:
    """Return a file's text, and its encoding: as asked, as its first bytes say, or as it fits.

    Raises
    ------
    InvalidArgumentError
        If there is no such encoding.
    InvalidDataError
        If the file has another one.
    """
    if encoding is None:
        encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:100]:  # UTF-16 without its mark
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    for name in [encoding] if encoding else ["utf-8", "cp1252", "latin-1"]:
        try:
            codecs.lookup(name)
            return content.decode(name), name
        except LookupError as error:
            msg = f"encoding must be one that Python knows, such as utf-8, cp1252; got {name!r}"
            raise InvalidArgumentError(msg) from error
        except UnicodeError as error:
            if encoding:
                msg = f"{path} must be text in {name}: {error}"
                raise InvalidDataError(msg) from error
    raise AssertionError  # latin-1 decodes everything


def cells(text: str, separator: str, *, is_whole: bool = True) -> Iterator[list[str]]:
    """Yield the cells of each line, of an empty one none; quotes hold several lines together.

    Raises
    ------
    csv.Error
        If the text is whole, and a quote in it is never closed, or not at the end of its cell; the
        message says in which line.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=is_whole)
    try:
        for row in reader:
            yield row if len(row) > 1 or any(map(str.strip, row)) else []
    except csv.Error as error:
        msg = f"line {reader.line_num:,}: {error}"
        raise csv.Error(msg) from error


def find_dialect(text: str, separator: str | None, path: object) -> Dialect:
    """Return how a file's text is written.

    The separator is the one by which the most lines have the same number of cells, and of several
    such the one that makes the most cells. The header is the first line of so many cells, or of one
    less, where rows have names or end in a separator; what stands above it is passed over. A first
    line of numbers alone is a row.

    Raises
    ------
    InvalidDataError
        If there is nothing in it, or two columns have one name.
    """
    told = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)  # what Excel writes for itself
    separator, n_told = separator or (told and told[1]), int(told is not None)
    samples = {
        each: _sample(text, each)[n_told:] for each in ([separator] if separator else SEPARATORS)
    }
    best = max(samples, key=lambda each: _consistency([*filter(None, samples[each])]))
    places = [n_told + i for i, row in enumerate(samples[best]) if row]
    rows = [*filter(None, samples[best])]
    if not rows:
        msg = f"{path} must have a header, and rows below it; it is empty"
        raise InvalidDataError(msg)
    names, n_rows_above, remarks = _header(rows)
    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(names)]
    twice, n = Counter(names).most_common(1)[0]
    if n > 1:
        msg = f"{path} must have a name of its own for each column; got {twice!r} twice"
        raise InvalidDataError(msg)
    n_above = places[n_rows_above - 1] + 1 if n_rows_above else places[0]
    return Dialect(best, tuple(names), n_above, tuple(remarks))


def _sample(text: str, separator: str) -> list[list[str]]:
    """Return the cells of the first lines."""
    rows = list(cells(text[:SAMPLE], separator, is_whole=False))
    return rows if len(text) <= SAMPLE else rows[:-1]  # of which the last may be cut


def _consistency(rows: list[list[str]]) -> tuple[float, int]:
    """Return the share of lines that have one number of cells, which is above 1; and that."""
    width = _width(rows)
    n = sum(len(row) == width for row in rows)
    return (n / len(rows) if width > 1 else 0.0), width  # there are rows where the width is above 1


def _width(rows: list[list[str]]) -> int:
    """Return the number of cells that most lines have; of several the largest."""
    counts = Counter(map(len, rows))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _header(rows: list[list[str]]) -> tuple[list[str], int, list[str]]:
    """Return the columns' names, how many lines stand above the first row, and remarks."""
    width = _width(rows)
    if len(rows) > 1 and 1 < len(rows[0]) == width - 1 and len(rows[1]) == width:
        ends = [row[-1] for row in rows[1:] if len(row) == width]
        return ([*rows[0], ""] if not any(map(str.strip, ends)) else ["", *rows[0]]), 1, []
    n_above = next(i for i, row in enumerate(rows) if len(row) == width)
    names, remarks = rows[n_above], []
    if n_above:
        lines = "a line" if n_above == 1 else f"{n_above} lines"
        remarks.append(f"{lines} above its header: passed over")
    if _is_row(names, rows[n_above + 1 :]):
        remarks.append("its first line is like the others, and is taken as a row: it has no header")
        return [f"column {i}" for i in range(1, width + 1)], n_above, remarks
    return names, n_above + 1, remarks


def _is_row(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether what stands where names are is a row: numbers, and texts that come again."""
    texts = [{row[i].strip() for row in rows if i < len(row)} for i in range(len(names))]
    cells = [name.strip() for name in names]
    has_numbers = any(map(plain, cells))
    return has_numbers and all(
        plain(cell) or cell in found for cell, found in zip(cells, texts, strict=True)
    )
