"""Blocks: a table in files that is never whole in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from multilayer import checks
from multilayer.caller import warn
from multilayer.data.delimited import Rows, csv_errors, entries_of, texts_of
from multilayer.data.dialects import Dialect, Opens, find_dialect, opened
from multilayer.data.entries import Entries, Origin
from multilayer.data.formats import (
    PARQUET,
    encoding_remark,
    format_of,
    import_pyarrow,
    opens_of,
    read_as,
)
from multilayer.data.notes import TableWarning
from multilayer.data.reading import Read, rule_of
from multilayer.data.sources import Source, checked_reading, find_sources
from multilayer.data.table import Table, read_table
from multilayer.errors import InvalidDataError

__all__ = ["read_blocks"]

T = TypeVar("T")

BUFFER = 2**20
"""Bytes of a Parquet column to read at a time."""


def read_blocks(
    source: Source | Iterable[Source],
    n_rows: int = 50_000,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_order: str | None = None,
    missing: Sequence[str] = (),
) -> Iterator[Table]:
    r"""Read a table in files in blocks of rows, in the memory that two of them take.

    Each block is a table of its own, which knows the numbers of its rows in their file. What a
    column holds may look different from block to block; so take blocks for what has decided that
    already, such as a model's `multilayer.model.Columns`, and `read_file` to decide it. Every row
    is there: a row with more cells than its header is an error.

    CSV and Parquet files are read block by block. To find out its encoding, all of a CSV file is
    read before its first block. Other formats are read whole, file by file, and so are standard
    input, zstd, and Parquet files that are themselves compressed.

    Parameters
    ----------
    source, separator, decimal, encoding, date_order, missing
        As in `read_file`.
    n_rows : int
        The number of rows in a block. Fewer rows than that, left over at the end of a file, are
        added to its last block: none has fewer, unless the file has.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As `read_file`: by the call if the first file cannot be opened or is not a table, and by the
        iterator, at the block that is damaged.

    Warns
    -----
    TableWarning
        After the last block of a file, about what was decided and is open to doubt.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "homes.csv"
    >>> _ = path.write_text("area;kind\n70,5;flat\n120;house\n95;flat\n80;flat\n81;flat\n")
    >>> for block in read_blocks(path, 2):
    ...     print(block, block["area"].origin.row(0))
    Table(2 rows: area, kind) row 1 below its header
    Table(3 rows: area, kind) row 3 below its header
    """
    checks.integer(n_rows, "n_rows", "read_blocks")
    first, *others = find_sources(source).paths
    begun = _blocks_of(first, n_rows, separator, encoding, is_continued=False)

    def blocks() -> Iterator[Sequence[Entries]]:
        yield from begun
        for path in others:
            yield from _blocks_of(path, n_rows, separator, encoding, is_continued=True)

    tables = (Table(entries, decimal=decimal, date_order=date_order) for entries in blocks())
    return (table.without(missing) for table in tables)


def _blocks_of(
    path: Path | str,
    n_rows: int,
    separator: str | None,
    encoding: str | None,
    *,
    is_continued: bool,
) -> Iterator[Sequence[Entries]]:
    """Return the blocks of a file, which is open and is a table."""
    opens = opens_of(path, in_memory=False)
    origin = Origin(str(path), is_continued=is_continued)
    with checked_reading(path):
        form = format_of(opens, encoding, path)
        if form.mark == PARQUET:
            return _of_parquet(path, opens, n_rows, origin)
        if form.mark or form.is_json:
            found = read_as(form, opens, path, separator, encoding)
            return _of_table(found, n_rows, origin)
        with csv_errors(path), opened(opens, form.encoding) as text:
            dialect = find_dialect(text, separator, path)
    remarks = (*dialect.remarks, *encoding_remark(form.encoding, encoding))
    dialect = dialect._replace(remarks=remarks)
    return _of_csv(opens, form.encoding, dialect, path, n_rows, origin)


def _of_table(found: Read, n_rows: int, origin: Origin) -> Iterator[Sequence[Entries]]:
    """Yield the blocks of a table in memory."""
    table = found.table
    if not len(table):
        raise InvalidDataError("has a header but no rows", origin.table)
    starts = range(0, max(len(table) - n_rows, 0) + 1, n_rows)
    for start, stop in pairwise([*starts, len(table)]):
        at = _at(origin, start, stop - start, is_file=False)
        yield [table[name].take(np.arange(start, stop), at) for name in table.columns]
    for remark in found.remarks:
        warn(TableWarning(f"{origin.table}: {remark}", ()))


def _of_csv(
    opens: Opens, encoding: str, dialect: Dialect, path: Path | str, n_rows: int, origin: Origin
) -> Iterator[Sequence[Entries]]:
    """Yield the blocks of a CSV file."""
    start = 0
    with checked_reading(path), csv_errors(path), opened(opens, encoding) as text:
        rows = Rows(text, dialect)
        each = iter(rows)
        for block in _full(iter(lambda: list(islice(each, n_rows)), []), n_rows, len):
            _refuse_broken(rows, dialect, path)
            texts = texts_of(block, dialect, path)
            yield entries_of(texts, dialect, _at(origin, start, len(block), is_file=True))
            start += len(block)
        _refuse_broken(rows, dialect, path)
    if not start:
        raise InvalidDataError("has a header but no rows", path)
    for remark in (*dialect.remarks, *rows.remarks()):
        warn(TableWarning(f"{path}: {remark}", ()))


def _refuse_broken(rows: Rows, dialect: Dialect, path: Path | str) -> None:
    if rows.broken:
        raise InvalidDataError(rule_of(len(dialect.names), rows.broken), path)


def _of_parquet(
    path: Path | str, opens: Opens, n_rows: int, origin: Origin
) -> Iterator[Sequence[Entries]]:
    """Yield the blocks of a Parquet file."""
    parquet = import_pyarrow("Parquet", "parquet")
    pyarrow = import_pyarrow("Parquet")
    start = 0
    try:
        with opens() as file, parquet.ParquetFile(file, buffer_size=BUFFER) as found:
            batches = _regrouped(found.iter_batches(n_rows), n_rows)
            for block in _full(batches, n_rows, _n_rows):
                table = read_table(pyarrow.Table.from_batches(block), str(path))
                rows = np.arange(len(table))
                at = _at(origin, start, len(rows), is_file=False)
                yield [table[name].take(rows, at) for name in table.columns]
                start += len(rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidDataError(f"must be a Parquet file: {error}", path) from error
    if not start:
        raise InvalidDataError("has a header but no rows", path)


def _at(origin: Origin, start: int, n_rows: int, *, is_file: bool) -> Origin:
    """Return the origin of a block of rows."""
    is_continued = origin.is_continued or start > 0
    rows = np.arange(start, start + n_rows)
    return replace(origin, is_file=is_file, rows=rows, is_continued=is_continued)


def _regrouped(batches: Iterable[Any], n_rows: int) -> Iterator[list[Any]]:
    """Yield record batches in lists of `n_rows` rows; the last has the rest."""
    block: list[Any] = []
    n = 0
    for each in batches:
        batch = each
        while batch.num_rows:
            block.append(batch.slice(0, n_rows - n))
            n += block[-1].num_rows
            batch = batch.slice(block[-1].num_rows)
            if n == n_rows:
                yield block
                block, n = [], 0
    if block:
        yield block


def _n_rows(block: list[Any]) -> int:
    return sum(batch.num_rows for batch in block)


def _full(
    blocks: Iterator[list[T]], n_rows: int, size: Callable[[list[T]], int]
) -> Iterator[list[T]]:
    """Yield blocks, with the last one added to the one before if it has fewer rows."""
    before: list[T] = []
    for block in blocks:
        if before and size(block) < n_rows:
            before += block
        else:
            if before:
                yield before
            before = block
    if before:
        yield before
