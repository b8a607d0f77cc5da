"""Blocks: a table that is read in blocks of rows, so that it need not fit into memory."""

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
"""More than the number of rows in any file."""


class _How(NamedTuple):
    """How files are read."""

    separator: str | None
    decimal: str | None
    encoding: str | None
    date_order: str | None
    missing: tuple[str, ...]
    bad_rows: str | None


class _Stamp(NamedTuple):
    """What shows that a file has changed."""

    n_bytes: int
    changed: int
    """In nanoseconds."""


class Blocks:
    """A table in blocks of rows, which can be iterated over repeatedly: see `read_blocks`.

    Attributes
    ----------
    name : str
        What messages call the table.
    columns : tuple of str
        The columns' names.
    n_bytes : int
        The size of the files; 0 if it is unknown.
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
        self._begun = [self._reader(0)]  # so that the first pass need not open the file again
        self.columns = self._begun[0].columns

    def __iter__(self) -> Iterator[Table]:
        """Yield the blocks."""
        for _, table in self.numbered():
            yield table

    def numbered(self) -> Iterator[tuple[int, Table]]:
        """Yield the blocks, each with the number of its first row; its rows are consecutive.

        A row's number is 2⁴⁰ times the index of its file, plus its index within the file, both
        counted from 0; rows that are left out are not counted. It is the same in every pass, in
        every part, and for any `n_rows`.

        Raises
        ------
        InvalidDataError
            As described in `read_blocks`.
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
            del reader  # it may hold the whole file
        refuse_broken(counted, how.bad_rows)
        if self._share == Share() and all(each.n_rows == each.broken.n for each in counted):
            name = counted[0].name if len(counted) == 1 else self.name
            raise InvalidDataError("has a header but no rows", name)

    def part(self, rank: int, n_parts: int) -> Self:
        """Return the blocks that one of several processes is to read.

        If there are at least as many files as processes, each process gets whole files. Otherwise
        all processes read all files and take blocks in turn; in a Parquet file, all blocks that
        begin in the same row group go to the same process if there are enough row groups. Of a
        Parquet file, a process decodes only row groups with blocks of its own; of a CSV file, it
        parses all rows, but only counts those of the other processes. Each process checks the share
        of broken rows in the files that it reads.

        Parameters
        ----------
        rank : int
            The number of the process, from 0.
        n_parts : int
            The number of processes.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If `rank` is not from 0 to n_parts − 1.
        """
        checks.integer(n_parts, "n_parts", "part")
        checks.integer(rank, "rank", "part", minimum=0)
        if rank >= n_parts:
            raise InvalidArgumentError(f"must be below {n_parts}", "rank", "part", got=rank)
        part = copy(self)
        part._share = Share(rank, n_parts)
        return part

    def fingerprint(self) -> str | None:
        """Return a hash of the files' paths, sizes and modification times, and the read options.

        Returns
        -------
        str or None
            32 hexadecimal digits; None if the table does not come from files, or some of it comes
            from standard input.
        """
        if not all(self._stamps) or not self._paths:
            return None
        found = hashlib.blake2b(repr(self._how).encode(), digest_size=16)
        for path, stamp in zip(self._paths, self._stamps, strict=True):
            found.update(repr((str(Path(path).resolve()), stamp)).encode())
        return found.hexdigest()

    def _numbers(self) -> range:
        """Return the indices of the files to read."""
        share, n_files = self._share, len(self._paths) or 1
        return range(share.rank, n_files, share.n_parts) if self._by_files else range(n_files)

    @property
    def _by_files(self) -> bool:
        return len(self._paths) >= self._share.n_parts

    def _share_of(self, number: int) -> Share:
        """Return the share of a file; the first block of each file goes to a different rank."""
        rank, n_parts = self._share
        return Share() if self._by_files else Share((rank - number) % n_parts, n_parts)

    def _reader(self, number: int) -> Reader:
        """Return a reader for the frames, or for a file after checking that it is a table."""
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
        """Raise if a file has changed, before or after reading; this explains other errors too."""

        def check() -> None:
            if self._paths and _stamp(self._paths[number]) != self._stamps[number]:
                rule = "has changed since it was first opened; it must stay the same"
                raise InvalidDataError(rule, self._paths[number])

        check()
        try:
            yield
        except Exception:
            check()
            raise
        check()

    def _tell(self, remarks: Iterator[str]) -> None:
        """Warn of each remark, unless an earlier pass did."""
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
    r"""Read a table in blocks of rows, using about as much memory as two blocks need.

    Each block is a `Table` that knows the numbers of its rows in their file. A column's type may
    look different from block to block. Use blocks where the types have already been decided, such
    as by a model's `multilayer.model.Columns`, and `read_file` to decide them.

    The result can be iterated over repeatedly. Each pass reads the files again, except standard
    input, which is kept in memory; the files must not change in between.

    CSV and Parquet files are read block by block; a CSV file is first read once from end to end to
    find its encoding. Files in other formats are each read whole, and so are files compressed with
    zstd, and Parquet files inside a compressed file.

    Parameters
    ----------
    source : path, iterable of paths, or tables
        Files, as in `read_file`. Or tables that `read_table` accepts, with the same columns: an
        iterable of them, or a function that returns an iterator, such as a pyarrow
        RecordBatchReader. Or a polars LazyFrame or a pyarrow Dataset, which is streamed. All of
        these must yield the same rows in the same order in each pass. An iterator, such as a
        generator, allows only one pass.
    separator, decimal, encoding, date_order, missing
        As in `read_file`.
    n_rows : int
        The number of rows in a block. Rows left over at the end of a file are added to its last
        block, so no block has fewer rows, unless the file has.
    bad_rows : {"skip", "fail"}, optional
        What to do with rows of a CSV file that have more cells than the header: leave them out, or
        raise at the first one. By default they are left out, and if they turn out to be more than
        1 % of all rows, an error is raised at the end of the pass.

    Returns
    -------
    Blocks
        An iterable of `Table`.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        By the call, if a file does not exist, or the first file cannot be opened or is not a table.
        By the iterator, at the block concerned, if a file is damaged or has changed, or its columns
        or their types differ from those of the first; and at the end, if the source has no rows.

    Warns
    -----
    TableWarning
        After the last block of a file, about decisions that may be wrong.

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
    """Return a file's size and modification time; None for standard input."""
    if path == STANDARD_INPUT:
        return None
    with checked_reading(path):
        found = Path(path).stat()
    return _Stamp(found.st_size, found.st_mtime_ns)


def _seekable(opens: Opens) -> Opens:
    """Return a function that opens the file for fast random access."""
    with opens() as file:
        if isinstance(file, (io.BufferedReader, io.BytesIO)):
            return opens
        return partial(io.BytesIO, file.read())
