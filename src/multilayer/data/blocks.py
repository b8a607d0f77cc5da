"""Blocks: a table in a file that is never whole in memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from multilayer import checks
from multilayer.caller import warn
from multilayer.data.dialects import Dialect, Opens, opened
from multilayer.data.entries import Entries, Origin
from multilayer.data.files import (
    COMPRESSED,
    PARQUET,
    checked_reading,
    csv_columns,
    csv_dialect,
    csv_rows,
    import_parquet,
)
from multilayer.data.notes import TableWarning
from multilayer.data.table import Table, read_table
from multilayer.errors import InvalidDataError

__all__ = ["read_blocks"]

T = TypeVar("T")

BUFFER = 2**20
"""Bytes of a Parquet column to read at a time."""


def read_blocks(
    path: str | os.PathLike[str],
    n_rows: int = 50_000,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_order: str | None = None,
    missing: Sequence[str] = (),
) -> Iterator[Table]:
    r"""Read a CSV or a Parquet file in blocks of rows, in the memory that two of them take.

    Each block is a table of its own, which knows the numbers of its rows in the file. What a column
    holds may look different from block to block; so take blocks for what has decided that already,
    such as a model's `multilayer.model.Columns`, and `read_file` to decide it.

    To find out its encoding, all of a CSV file is read before the first block. A Parquet file that
    is itself compressed, with gzip for example, is read whole.

    Parameters
    ----------
    path, separator, decimal, encoding, date_order, missing
        As in `read_file`.
    n_rows : int
        The number of rows in a block. Fewer rows than that, left over at the end, are added to the
        last block: none has fewer, unless the file has.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As `read_file`: by the call if the file cannot be opened or is not a table, and by the
        iterator, at the block that is damaged.

    Warns
    -----
    TableWarning
        After the last block, about what was decided and is open to doubt.

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
    path = Path(path)
    checks.integer(n_rows, "n_rows", "read_blocks")
    with checked_reading(path):
        decompress = _decompressor(path)
        opens: Opens = partial(decompress or open, path, "rb")
        with opens() as file:
            is_parquet = file.read(len(PARQUET)) == PARQUET
        if is_parquet:
            blocks = _of_parquet(path, path if decompress is None else opens, n_rows)
        else:
            encoding, dialect = csv_dialect(opens, path, separator, encoding)
            blocks = _of_csv(opens, encoding, dialect, path, n_rows)
    tables = (Table(entries, decimal=decimal, date_order=date_order) for entries in blocks)
    return (table.without(missing) for table in tables)


def _decompressor(path: Path) -> Callable[..., Any] | None:
    """Return what opens a compressed file; None if it is not compressed."""
    with path.open("rb") as file:
        first = file.read(100)
    return next((opens for mark, opens in COMPRESSED.items() if first.startswith(mark)), None)


def _of_csv(
    opens: Opens, encoding: str, dialect: Dialect, path: Path, n_rows: int
) -> Iterator[list[Entries]]:
    remarks = list(dialect.remarks)
    start = 0
    with checked_reading(path), opened(opens, encoding) as text:
        rows = csv_rows(text, dialect, path, remarks)
        for block in _full(iter(lambda: list(islice(rows, n_rows)), []), n_rows, len):
            yield csv_columns(block, dialect, path, _origin(path, start, len(block), is_file=True))
            start += len(block)
    if not start:
        raise InvalidDataError("has a header but no rows", path)
    for remark in remarks:
        warn(TableWarning(f"{path}: {remark}", ()))


def _of_parquet(path: Path, source: Path | Opens, n_rows: int) -> Iterator[list[Entries]]:
    pyarrow, parquet = import_parquet()
    start = 0
    try:
        if callable(source):
            with source() as file:
                source = pyarrow.BufferReader(file.read())
        with parquet.ParquetFile(source, buffer_size=BUFFER) as found:
            batches = _regrouped(found.iter_batches(n_rows), n_rows)
            for block in _full(batches, n_rows, _n_rows):
                table = read_table(pyarrow.Table.from_batches(block), str(path))
                rows = np.arange(len(table))
                origin = _origin(path, start, len(rows), is_file=False)
                yield [table[name].take(rows, origin) for name in table.columns]
                start += len(rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidDataError(f"must be a Parquet file: {error}", path) from error
    if not start:
        raise InvalidDataError("has a header but no rows", path)


def _origin(path: Path, start: int, n_rows: int, *, is_file: bool) -> Origin:
    return Origin(str(path), is_file, np.arange(start, start + n_rows), is_continued=start > 0)


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
