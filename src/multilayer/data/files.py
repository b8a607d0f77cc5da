"""Tables in files: CSV in its dialects, and Parquet."""

import bz2
import csv
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.caller import warn
from multilayer.data.dialects import (
    Dialect,
    Opens,
    cells,
    find_dialect,
    find_encoding,
    is_blank,
    named,
    opened,
)
from multilayer.data.entries import Entries, Origin, TextEntries
from multilayer.data.notes import TableWarning
from multilayer.data.table import Table, read_table
from multilayer.errors import InvalidDataError, MissingPackageError

__all__ = [
    "COMPRESSED",
    "PARQUET",
    "checked_reading",
    "csv_columns",
    "csv_dialect",
    "csv_rows",
    "import_parquet",
    "read_file",
]

Array = npt.NDArray[Any]

COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
"""The first bytes of compressed files, and what opens them."""
PARQUET = b"PAR1"
OTHERS = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook or an archive",
    b"%PDF": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"@relation": "an ARFF file",
    b"@RELATION": "an ARFF file",
}
"""The first bytes of files that are something else."""
MARKUP = re.compile(r"\s*(?:<(?:!doctype|html|\?xml|table)|\{\s*[\"}]|\[\s*[\[{])", re.IGNORECASE)
MOST_LINES = 10
"""More lines than this in one cell that look like rows mean that a quote is misplaced."""
BLOCK = 10_000
"""Rows to process at a time; equal texts are stored once."""


def read_file(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_order: str | None = None,
    missing: Sequence[str] = (),
) -> Table:
    r"""Read a table from a CSV or a Parquet file, which may be compressed with gzip, bz2 or xz.

    Every cell of a CSV file is read as text, and all cells of a column decide what it holds:
    ``02139`` stays a code, and ``NA`` a category, unless it is among numbers.

    Parameters
    ----------
    path : path
    separator : str, optional
        What separates cells; by default whichever fits of comma, semicolon, tab and ``|``.
    decimal : {".", ","}, optional
        The decimal mark, if a column leaves it open.
    encoding : str, optional
        By default that of the file's first bytes, else UTF-8, else Windows-1252.
    date_order : {"day first", "month first"}, optional
        The order of dates such as 5/1/2024, if a column leaves it open.
    missing : sequence of str
        Texts that mark missing values, in any column; empty cells always do.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If there is no such file, or it is not a table; the message names the line.
    MissingPackageError
        If it is a Parquet file and pyarrow is not installed.

    Warns
    -----
    TableWarning
        About what was decided and is open to doubt.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "homes.csv"
    >>> _ = path.write_text("area;kind\n70,5;flat\n120;house\n")
    >>> homes = read_file(path)
    >>> homes, homes["area"].find_notation().notation.decimal
    (Table(2 rows: area, kind), ',')
    """
    path = Path(path)
    content = _decompressed(_content(path), path)
    if content.startswith(PARQUET):
        table = _parquet(content, path)
    else:
        table = Table(_columns(partial(io.BytesIO, content), path, separator, encoding))
    if not len(table):
        raise InvalidDataError("has a header but no rows", path)
    entries = [table[name] for name in table.columns]
    return Table(entries, decimal=decimal, date_order=date_order).without(missing)


def _content(path: Path) -> bytes:
    with checked_reading(path):
        return path.read_bytes()


@contextmanager
def checked_reading(path: Path) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read, or not be decompressed.

    Raises
    ------
    InvalidDataError
        The message names the file.
    """
    try:
        yield
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        rule = f"is compressed, but damaged or cut short: {error}"
        raise InvalidDataError(rule, path) from error
    except FileNotFoundError as error:
        raise InvalidDataError(f"there is no file {path}") from error
    except OSError as error:
        if error.errno is None:  # bz2's
            rule = f"is compressed, but damaged or cut short: {error}"
            raise InvalidDataError(rule, path) from error
        what = "is a folder; give a file" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise InvalidDataError(what, path) from error


def _decompressed(content: bytes, path: Path) -> bytes:
    for mark, opens in COMPRESSED.items():
        if content.startswith(mark):
            with checked_reading(path), opens(io.BytesIO(content)) as file:
                found: bytes = file.read()
                return found
    return content


def import_parquet() -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet files."""
    try:
        with forks.imports:
            import pyarrow
            from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError('reading Parquet needs pyarrow: pip install "pyarrow"') from error
    return pyarrow, parquet


def _parquet(content: bytes, path: Path) -> Table:
    pyarrow, parquet = import_parquet()
    try:
        found = parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidDataError(f"must be a Parquet file: {error}", path) from error
    return read_table(found, str(path))


def _columns(opens: Opens, path: Path, separator: str | None, asked: str | None) -> list[Entries]:
    """Return the columns of a CSV file, and warn about what is open to doubt."""
    encoding, dialect = csv_dialect(opens, path, separator, asked)
    remarks = list(dialect.remarks)
    with opened(opens, encoding) as text:
        rows = csv_rows(text, dialect, path, remarks)
        columns = csv_columns(rows, dialect, path, Origin(str(path), is_file=True))
    for remark in remarks:
        warn(TableWarning(f"{path}: {remark}", ()))
    return columns


def csv_dialect(
    opens: Opens, path: Path, separator: str | None, asked: str | None
) -> tuple[str, Dialect]:
    """Return a CSV file's encoding and how it is written, with remarks on both.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If it is not a CSV file, or not in the encoding asked for.
    """
    with opens() as file:
        first = file.read(100)
    for mark, what in OTHERS.items():
        if first.startswith(mark):
            raise InvalidDataError(f"is {what}: save its table as CSV and give that", path)
    encoding = find_encoding(opens, asked, path)
    with opened(opens, encoding) as text:
        if MARKUP.match(beginning := text.read(1_000)):
            rule = f"is not a table but HTML or JSON: {beginning.lstrip()[:20]!r}"
            raise InvalidDataError(rule, path)
    remarks = []
    if not (asked or encoding.startswith("utf")):
        remarks.append(
            f"it is not UTF-8 and is read as {encoding}; if that is wrong, give its encoding"
        )
    with opened(opens, encoding) as text, _csv_errors(path):
        dialect = find_dialect(text, separator, path)
    return encoding, dialect._replace(remarks=(*dialect.remarks, *remarks))


@contextmanager
def _csv_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        rule = f"must be a CSV file: {error} (a quote that is never closed?)"
        raise InvalidDataError(rule, path) from error


def csv_columns(
    rows: Iterable[list[str]], dialect: Dialect, path: Path, origin: Origin
) -> list[Entries]:
    """Return the columns of rows, with each distinct text stored once."""
    places = [_Places() for _ in dialect.names]
    codes: list[list[Array]] = [[np.empty(0, np.int32)] for _ in dialect.names]
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        for column, known, found in zip(zip(*block, strict=True), places, codes, strict=True):
            found.append(np.fromiter(map(known.__getitem__, column), np.int32, len(block)))
    texts = [list(places.pop(0)) for _ in dialect.names]  # one by one: dicts are large
    columns: list[Entries] = []
    for name, kept, found in zip(dialect.names, texts, codes, strict=True):
        _check_quotes(name, kept, dialect, path)
        columns.append(TextEntries(name, origin, np.concatenate(found), kept))
    return columns


class _Places(dict[str, int]):
    """The position of each distinct text, in order of appearance."""

    def __missing__(self, text: str) -> int:
        return self.setdefault(text, len(self))


def csv_rows(
    lines: Iterable[str], dialect: Dialect, path: Path, remarks: list[str]
) -> Iterator[list[str]]:
    """Yield the rows below the header, all with its number of cells; then add remarks.

    An empty line is a row only in a file with one column. If the header is repeated, files were
    concatenated.
    """
    names, n_rows = dialect.names, 0
    short: list[int] = []
    again: list[int] = []
    for row in _filled(_cells(lines, dialect, path), len(names)):
        if len(names) > 1 and row[0].strip() in (names[0], "") and named(row) == names:
            again.append(n_rows)
            continue
        n_rows += 1
        if len(row) == len(names):
            yield row
        elif len(row) < len(names):
            short.append(n_rows)
            yield row + [""] * (len(names) - len(row))
        elif is_blank(row[len(names) :]):
            yield row[: len(names)]
        else:
            rule = (
                f"must have {len(names)} cells in each row, as in its header; row {n_rows:,} "
                f"below it has {len(row)}"
            )
            raise InvalidDataError(rule, path)
    if short:
        rows_have = "a row has" if len(short) == 1 else f"{len(short):,} rows have"
        remarks.append(
            f"{rows_have} fewer cells than its header, row {short[0]:,} below it"
            f"{' first' * (len(short) > 1)}; the rest are taken as missing"
        )
    if again:
        times = "" if len(again) == 1 else f" {len(again):,} times, first"
        remarks.append(f"its header is repeated{times} below row {again[0]:,}, and skipped there")


def _cells(lines: Iterable[str], dialect: Dialect, path: Path) -> Iterator[list[str]]:
    with _csv_errors(path):
        yield from islice(cells(lines, dialect.separator), dialect.n_above, None)


def _filled(rows: Iterable[list[str]], n_columns: int) -> Iterator[list[str]]:
    """Yield rows but not empty lines; with one column, those before a row are missing values."""
    n_empty = 0
    for row in rows:
        if n_columns > 1:
            if len(row) > 1 or not is_blank(row):
                yield row
        elif row:
            yield from [[""]] * n_empty
            yield row
            n_empty = 0
        else:
            n_empty += 1


def _check_quotes(name: str, texts: Iterable[str], dialect: Dialect, path: Path) -> None:
    """Raise if a quote that is closed too late has made many lines one cell."""
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
