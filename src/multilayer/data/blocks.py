"""Blocks: a table that is never whole in memory."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from multilayer import checks
from multilayer.caller import warn
from multilayer.data.alike import Alike
from multilayer.data.delimited import csv_errors
from multilayer.data.dialects import Opens, find_dialect, opened
from multilayer.data.entries import Origin
from multilayer.data.formats import PARQUET, format_of, opens_of, read_as
from multilayer.data.frames import Frames, find_frames
from multilayer.data.notes import TableWarning
from multilayer.data.readers import (
    CsvReader,
    FrameReader,
    ParquetReader,
    Reader,
    Share,
    TableReader,
)
from multilayer.data.reading import BAD_ROWS, Counted, refuse_broken
from multilayer.data.sources import STANDARD_INPUT, Sources, checked_reading, find_sources
from multilayer.data.table import Table
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = ["PLACES", "Blocks", "read_blocks"]

PLACES = 2**40
"""More rows than any file has."""


class _How(NamedTuple):
    """How files are read."""

    separator: str | None
    decimal: str | None
    encoding: str | None
    date_order: str | None
    missing: tuple[str, ...]
    bad_rows: str | None


class _Stamp(NamedTuple):
    """What changes when a file does."""

    n_bytes: int
    changed: int
    """In nanoseconds."""


class Blocks:
    """A table in blocks of rows, to be gone through as often as needed: see `read_blocks`.

    Attributes
    ----------
    name : str
        What messages call the table.
    columns : tuple of str
        The columns' names.
    n_bytes : int
        The size of the files; 0 if it is not known.
    """

    def __init__(self, source: Sources | Frames, n_rows: int, how: _How) -> None:
        self._n_rows, self._how = n_rows, how
        self._frames = source if isinstance(source, Frames) else None
        self.name, self._paths = Sources("X", ()) if isinstance(source, Frames) else source
        self._stamps = [_stamp(path) for path in self._paths]
        self.n_bytes = sum(stamp.n_bytes for stamp in self._stamps if stamp)
        self._share = Share()
        self._said: set[str] = set()
        self._standard_input: list[Opens] = []
        self._begun = [self._reader(0)]  # what has been read of it is not read again
        self.columns = self._begun[0].columns

    def __iter__(self) -> Iterator[Table]:
        """Yield the blocks."""
        for _, table in self.numbered():
            yield table

    def numbered(self) -> Iterator[tuple[int, Table]]:
        """Yield the blocks, each with the number of its first row.

        The rows of a block are numbered on from there. A row has the same number in every pass, in
        all parts, and whatever `n_rows` is: 2⁴⁰ times the number of its file, plus its own number
        in it, both counted from 0. Rows that are left out do not count.
        """
        how = self._how
        alike = Alike(self.columns, str(self._paths[0]) if self._paths else self.name)
        counted: list[Counted] = []
        for number in self._numbers():
            with self._unchanged(number):
                reader = self._reader(number) if number or not self._begun else self._begun.pop()
                for start, entries in reader.blocks(self._n_rows, self._share_of(number)):
                    table = Table(entries, decimal=how.decimal, date_order=how.date_order)
                    yield number * PLACES + start, alike.fitted(table).without(how.missing)
            counted.append(reader.counted)
            self._tell(f"{reader.counted.name}: {remark}" for remark in reader.remarks())
            del reader  # which may hold all of the file
        refuse_broken(counted, how.bad_rows)
        if self._share == Share() and all(each.n_rows == each.broken.n for each in counted):
            name = counted[0].name if len(counted) == 1 else self.name
            raise InvalidDataError("has a header but no rows", name)

    def part(self, rank: int, n_parts: int) -> Self:
        """Return the blocks that one of several processes is to read.

        They are those of whole files if there are at least as many files as processes. Otherwise
        all processes read all files, in turns of a block, or of the blocks that begin in a row
        group of a Parquet file; a process decodes no row group without a block of its own, and
        looks at the rows of others in CSV files only to count them. Whether too many rows are
        broken is decided by the files that are read.

        Parameters
        ----------
        rank : int
            The process, from 0.
        n_parts : int
            The number of processes.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If there is no such process.
        """
        checks.integer(n_parts, "n_parts", "part")
        checks.integer(rank, "rank", "part", minimum=0)
        if rank >= n_parts:
            raise InvalidArgumentError(f"must be below {n_parts}", "rank", "part", got=rank)
        part = copy(self)
        part._share = Share(rank, n_parts)
        return part

    def fingerprint(self) -> str | None:
        """Return the hash of the files' paths, sizes and times, and of how they are read.

        Returns
        -------
        str or None
            32 hexadecimal digits; None if the table is not in files, or in standard input.
        """
        if not all(self._stamps) or not self._paths:
            return None
        found = hashlib.blake2b(repr(self._how).encode(), digest_size=16)
        for path, stamp in zip(self._paths, self._stamps, strict=True):
            found.update(repr((str(Path(path).resolve()), stamp)).encode())
        return found.hexdigest()

    def _numbers(self) -> range:
        """Return the numbers of the files that are read."""
        share, n_files = self._share, len(self._paths) or 1
        return range(share.rank, n_files, share.n_parts) if self._by_files else range(n_files)

    @property
    def _by_files(self) -> bool:
        return len(self._paths) >= self._share.n_parts

    def _share_of(self, number: int) -> Share:
        """Return the share in a file: not everybody's first file begins with the first block."""
        rank, n_parts = self._share
        return Share() if self._by_files else Share((rank - number) % n_parts, n_parts)

    def _reader(self, number: int) -> Reader:
        """Return what reads a file, which is open and is a table, or the frames."""
        if self._frames is not None:
            return FrameReader(self._frames.begin(), Origin(self.name))
        path, how = self._paths[number], self._how
        opens = self._opens(path)
        origin = Origin(str(path), is_continued=number > 0)
        with checked_reading(path):
            form = format_of(opens, how.encoding, path)
            if form.mark == PARQUET:
                return ParquetReader(_seekable(opens), origin)
            if form.mark or form.is_json:
                return TableReader(read_as(form, opens, path, how.separator), origin)
            with csv_errors(path), opened(opens, form.encoding) as text:
                dialect = find_dialect(text, how.separator, path)
        dialect = dialect._replace(remarks=(*dialect.remarks, *form.remarks))
        return CsvReader(opens, form.encoding, dialect, how.bad_rows, origin)

    def _opens(self, path: Path | str) -> Opens:
        if path != STANDARD_INPUT:
            return opens_of(path, in_memory=False)
        if not self._standard_input:
            self._standard_input.append(opens_of(path, in_memory=True))
        return self._standard_input[0]

    @contextmanager
    def _unchanged(self, number: int) -> Iterator[None]:
        """Raise if a file is not what it was, before or after, or when something else is wrong."""

        def check() -> None:
            if self._paths and _stamp(self._paths[number]) != self._stamps[number]:
                rule = "has changed since it was looked at first; it must stay as it is"
                raise InvalidDataError(rule, self._paths[number])

        check()
        try:
            yield
        except Exception:
            check()
            raise
        check()

    def _tell(self, remarks: Iterator[str]) -> None:
        """Warn of what has not been said in an earlier pass."""
        for remark in remarks:
            if remark not in self._said:
                self._said.add(remark)
                warn(TableWarning(remark, ()))


def read_blocks(
    source: Any,
    n_rows: int = 50_000,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_order: str | None = None,
    missing: Sequence[str] = (),
    bad_rows: str | None = None,
) -> Blocks:
    r"""Read a table in blocks of rows, in the memory that two of them take.

    Each block is a table of its own, which knows the numbers of its rows in their file. What a
    column holds may look different from block to block; so take blocks for what has decided that
    already, such as a model's `multilayer.model.Columns`, and `read_file` to decide it.

    What is returned can be iterated as often as needed. Each time, the files are read anew, except
    standard input, which is held in memory; they must not change in between.

    CSV and Parquet files are read block by block. To find out its encoding, all of a CSV file is
    read before its first block. Other formats are read whole, file by file, and so are zstd and
    Parquet files that are themselves compressed.

    Parameters
    ----------
    source : path, iterable of paths, or tables
        Files, as in `read_file`. Or tables that `read_table` knows, with the same columns: an
        iterable of them, or a function that returns an iterator, such as a RecordBatchReader of
        pyarrow. Or a polars LazyFrame or a pyarrow Dataset, which is streamed. All of these must
        yield the same rows in the same order in each pass. An iterator, such as a generator, does
        for one pass.
    separator, decimal, encoding, date_order, missing
        As in `read_file`.
    n_rows : int
        The number of rows in a block. Fewer rows than that, left over at the end of a file, are
        added to its last block: none has fewer, unless the file has.
    bad_rows : {"skip", "fail"}, optional
        What to do if rows of a CSV file have more cells than the header: leave them out, or raise
        at the first. By default they are left out, and if they turn out to be more than 1 % of all
        rows, the end of the pass raises.

    Returns
    -------
    Blocks
        An iterable of `Table`.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        By the call if a file is not there, or if the first cannot be opened or is not a table. By
        the iterator, at the block concerned, if a file is damaged or has changed, or has other
        columns than the first or entries of another type; and if the source has no rows.

    Warns
    -----
    TableWarning
        After the last block of a file, about what was decided and is open to doubt.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "homes.csv"
    >>> _ = path.write_text("area;kind\n70,5;flat\n120;house\n95;flat\n80;flat\n81;flat\n")
    >>> blocks = read_blocks(path, 2)
    >>> for block in blocks:
    ...     print(block, block["area"].origin.row(0))
    Table(2 rows: area, kind) row 1 below its header
    Table(3 rows: area, kind) row 3 below its header
    >>> [(number, len(block)) for number, block in blocks.part(1, 2).numbered()]
    [(2, 3)]
    >>> tables = [{"area": [70.5, 120.0]}, {"area": [95.0]}]
    >>> [block["area"].values for block in read_blocks(tables)]
    [array([ 70.5, 120. ,  95. ])]
    """
    checks.integer(n_rows, "n_rows", "read_blocks")
    if bad_rows is not None:
        BAD_ROWS.check(bad_rows)
    how = _How(separator, decimal, encoding, date_order, tuple(missing), bad_rows)
    found = find_frames(source, n_rows)
    return Blocks(found if isinstance(found, Frames) else find_sources(found), n_rows, how)


def _stamp(path: Path | str) -> _Stamp | None:
    """Return a file's size and time; None for standard input."""
    if path == STANDARD_INPUT:
        return None
    with checked_reading(path):
        found = Path(path).stat()
    return _Stamp(found.st_size, found.st_mtime_ns)


def _seekable(opens: Opens) -> Opens:
    """Return what opens a file such that reading it here and there is fast."""
    with opens() as file:
        if isinstance(file, (io.BufferedReader, io.BytesIO)):
            return opens
        return partial(io.BytesIO, file.read())
