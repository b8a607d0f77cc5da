"""Readers: each reads one file of a table, or a series of frames, once, in blocks of rows."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain, islice, pairwise, repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from multilayer.data.alike import Alike
from multilayer.data.delimited import Rows, csv_errors, entries_of, texts_of
from multilayer.data.dialects import Dialect, Opens, opened
from multilayer.data.entries import Entries, Origin
from multilayer.data.formats import import_pyarrow
from multilayer.data.reading import Counted, FirstFew, Read, refuse_broken
from multilayer.data.sources import checked_reading
from multilayer.data.table import Table, read_table
from multilayer.errors import InvalidDataError

__all__ = ["CsvReader", "FrameReader", "ParquetReader", "Reader", "Share", "TableReader"]

Array = npt.NDArray[Any]
Sized = TypeVar("Sized", bound=Any)
"""An object that has a length and can be sliced: a `Table`, a pyarrow table, or a list."""
Block = tuple[int, Sequence[Entries]]
"""The number of the first row, and the columns."""

BUFFER = 2**20
"""Bytes of a Parquet column to read at a time."""


class Share(NamedTuple):
    """The blocks of a file that belong to one of several processes; by default, all blocks."""

    rank: int = 0
    n_parts: int = 1

    def has(self, i: int) -> bool:
        """Return whether the share includes the block with this number."""
        return i % self.n_parts == self.rank


class Reader(ABC):
    """Reads rows once, in blocks.

    Attributes
    ----------
    columns : tuple of str
        The columns' names.
    """

    columns: tuple[str, ...]

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._n_rows = 0

    @abstractmethod
    def blocks(self, n_rows: int, share: Share) -> Iterator[Block]:
        """Yield the blocks of a share, each of at least `n_rows` rows if there are that many."""

    @property
    def counted(self) -> Counted:
        """The number of rows in all shares, after the last block."""
        return Counted(self._origin.table, len(self.columns), self._n_rows, FirstFew())

    def remarks(self) -> Iterable[str]:
        """Yield remarks on what is open to doubt, after the last block."""
        return ()

    def _at(self, rows: Array, *, is_file: bool = False) -> Origin:
        """Return the origin of a block of rows."""
        is_continued = self._origin.is_continued or bool(rows[0])
        return Origin(self._origin.table, is_file=is_file, rows=rows, is_continued=is_continued)


class CsvReader(Reader):
    """Reads a CSV file."""

    def __init__(
        self, opens: Opens, encoding: str, dialect: Dialect, bad_rows: str | None, origin: Origin
    ) -> None:
        super().__init__(origin)
        self.columns = dialect.names
        self._opens, self._encoding, self._dialect = opens, encoding, dialect
        self._bad_rows = bad_rows
        self._rows = Rows((), dialect)

    def blocks(self, n_rows: int, share: Share) -> Iterator[Block]:
        name, dialect, start = self._origin.table, self._dialect, 0
        with (
            checked_reading(name),
            csv_errors(name),
            opened(self._opens, self._encoding) as text,
        ):
            rows = self._rows = Rows(text, dialect)
            each = iter(rows)
            parts = iter(lambda: list(islice(each, n_rows)), [])
            for i, block in enumerate(_full(parts, n_rows, len)):
                self._refuse_at_once()
                stop = start + len(block)
                if share.has(i):
                    at = self._at(rows.numbers(start, stop), is_file=True)
                    texts = texts_of(block, dialect, name)
                    block.clear()  # rows take more memory than columns
                    yield start, entries_of(texts, dialect, at)
                start = stop
            self._refuse_at_once()

    @property
    def counted(self) -> Counted:
        rows = self._rows
        return Counted(self._origin.table, len(self.columns), rows.n_rows, rows.broken)

    def remarks(self) -> Iterator[str]:
        yield from self._dialect.remarks
        yield from self._rows.remarks()

    def _refuse_at_once(self) -> None:
        if self._bad_rows == "fail":
            refuse_broken([self.counted], self._bad_rows, is_whole=False)


class ParquetReader(Reader):
    """Reads a Parquet file, and decodes only the row groups that have blocks of its share."""

    def __init__(self, opens: Opens, origin: Origin) -> None:
        super().__init__(origin)
        self._opens = opens
        self._library = import_pyarrow("Parquet", "parquet")
        with self._errors("must be a Parquet file"), self._opened() as file:
            metadata = file.metadata
            self.columns = read_table(file.schema_arrow.empty_table(), origin.table).columns
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._starts = [*accumulate(sizes, initial=0)]
        self._n_rows = self._starts[-1]

    def blocks(self, n_rows: int, share: Share) -> Iterator[Block]:
        table_of = import_pyarrow("Parquet").Table.from_batches
        name = self._origin.table
        own = self._own(n_rows, share)
        with self._errors("cannot be read"), self._opened() as file:
            batches = self._batches(file, own, n_rows)
            sizes = [stop - start for start, stop in own]
            for (start, stop), block in zip(own, _regrouped(batches, sizes), strict=True):
                table = read_table(table_of(block), name)
                at = self._at(np.arange(start, stop))
                yield start, [table[column].at(at) for column in table.columns]

    def _own(self, n_rows: int, share: Share) -> list[tuple[int, int]]:
        """Return the first row of each block of a share, and the row after its last row.

        Blocks that begin in the same row group go to the same process, unless there are fewer such
        row groups than processes.
        """
        blocks = list(pairwise(_edges(self._n_rows, n_rows)))
        groups = [bisect_right(self._starts, start) for start, _ in blocks]
        numbers = {group: i for i, group in enumerate(dict.fromkeys(groups))}
        if len(numbers) < share.n_parts:
            return [block for i, block in enumerate(blocks) if share.has(i)]
        pairs = zip(groups, blocks, strict=True)
        return [block for group, block in pairs if share.has(numbers[group])]

    def _batches(self, file: Any, own: list[tuple[int, int]], n_rows: int) -> Iterator[Any]:
        """Yield record batches with the rows of some blocks."""
        runs: list[list[int]] = []
        for start, stop in own:
            if runs and runs[-1][1] == start:
                runs[-1][1] = stop
            else:
                runs.append([start, stop])
        for start, stop in runs:
            # One row group at a time, so that an error can name the damaged one.
            for group in range(bisect_right(self._starts, start) - 1, len(self._starts) - 1):
                at = self._starts[group]
                if at >= stop:
                    break
                with self._errors(f"has a row group that cannot be read, number {group + 1:,}"):
                    for batch in file.iter_batches(n_rows, row_groups=[group]):
                        if at >= stop:
                            break
                        yield batch[max(start - at, 0) : stop - at]
                        at += len(batch)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        # By default, pyarrow keeps everything it has read from a file until the file is closed.
        how = {"buffer_size": BUFFER, "pre_buffer": False, "page_checksum_verification": True}
        with self._opens() as file, self._library.ParquetFile(file, **how) as found:
            yield found

    @contextmanager
    def _errors(self, rule: str) -> Iterator[None]:
        """Turn errors of pyarrow into errors that name the file."""
        arrow = import_pyarrow("Parquet")
        try:
            yield
        except (arrow.ArrowException, OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                with checked_reading(self._origin.table):
                    raise
            what = str(error).partition("\n")[0]
            raise InvalidDataError(f"{rule}: {what}", self._origin.table) from error


class TableReader(Reader):
    """Reads a file in another format, from a table in memory."""

    def __init__(self, found: Read, origin: Origin) -> None:
        super().__init__(origin)
        self._found = found
        self.columns = found.table.columns
        self._n_rows = len(found.table)

    def blocks(self, n_rows: int, share: Share) -> Iterator[Block]:
        table = self._found.table
        for i, (start, stop) in enumerate(pairwise(_edges(len(table), n_rows))):
            if share.has(i):
                rows = np.arange(start, stop)
                at = self._at(rows)
                yield start, [table[name].take(rows, at) for name in table.columns]

    def remarks(self) -> Iterable[str]:
        return self._found.remarks


class FrameReader(Reader):
    """Reads a series of frames of any library."""

    def __init__(self, frames: Iterator[Any], origin: Origin) -> None:
        super().__init__(origin)
        found = (read_table(frame, origin.table) for frame in frames)
        first = next(found, None)
        if first is None:
            raise InvalidDataError("must yield at least one table; got none", origin.table)
        self.columns = first.columns
        self._tables = chain([first], found)

    def blocks(self, n_rows: int, share: Share) -> Iterator[Block]:
        name, start = self._origin.table, 0
        alike = Alike(self.columns, name)
        tables = (alike.fitted(table, i) for i, table in enumerate(self._tables, 1))
        for i, block in enumerate(_full(_regrouped(tables, repeat(n_rows)), n_rows, _n_rows)):
            stop = start + _n_rows(block)
            if share.has(i):
                table, at = Table.join(block, name), self._at(np.arange(start, stop))
                yield start, [table[column].at(at) for column in table.columns]
            start = self._n_rows = stop


def _edges(n_rows: int, of_block: int) -> list[int]:
    """Return the first row of each block, and the number of rows."""
    return [*range(0, max(n_rows - of_block, 0) + 1, of_block), n_rows] if n_rows else []


def _regrouped(parts: Iterable[Sized], sizes: Iterable[int]) -> Iterator[list[Sized]]:
    """Yield lists of parts of a table, with these numbers of rows; the last may have fewer."""
    each = iter(sizes)
    block: list[Sized] = []
    room = next(each, 0)
    for part in parts:
        rest = part
        while len(rest):
            block.append(rest if len(rest) <= room else rest[:room])
            room -= len(block[-1])
            rest = rest[len(block[-1]) :]
            if not room:
                yield block
                block, room = [], next(each, 0)
    if block:
        yield block


def _n_rows(block: list[Any]) -> int:
    return sum(map(len, block))


def _full(
    blocks: Iterable[list[Sized]], n_rows: int, size: Callable[[list[Sized]], int]
) -> Iterator[list[Sized]]:
    """Yield blocks; if the last one has fewer rows than `n_rows`, add it to the one before."""
    before: list[Sized] = []
    for block in blocks:
        if before and size(block) < n_rows:
            before += block
        else:
            if before:
                yield before
            before = block
    if before:
        yield before
