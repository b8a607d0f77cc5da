"""Readers of the files given to a command, with notes and progress."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from rich.console import Console

from multilayer.cli import options
from multilayer.cli.notes import note, notes
from multilayer.data import Table, read_blocks, read_file
from multilayer.data.large import LargeTable, is_large, open_table
from multilayer.data.reading import SKIP
from multilayer.errors import InvalidDataError
from multilayer.ranks import ALONE, Ranks

__all__ = ["read", "read_any", "sampled", "with_progress"]

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds after which progress is shown."""


def read(
    files: Path | Sequence[Path], separator: str | None, encoding: str | None, **how: Any
) -> Table:
    """Return the table in some files, or a sample of one that is too large for memory.

    Notes and progress are printed.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As in `multilayer.data.read_file`, which gets the arguments `how`.
    """
    how |= {"separator": separator, "encoding": encoding}
    return sampled(read_any(files, **how))


def read_any(
    files: Path | Sequence[Path],
    counted: Collection[str | None] = (),
    *,
    separator: str | None,
    ranks: Ranks = ALONE,
    **how: Any,
) -> Table | LargeTable:
    """Return the table in some files: in memory, or as a `LargeTable` if it is too large.

    `counted` is that of `open_table`, in which None means the last column.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As in `multilayer.data.large.open_table`.
    """
    how["separator"] = options.read_separator(separator)
    first, *others = [files] if isinstance(files, Path) else files
    source = [first, *others] if others else first
    try:
        with notes():
            if is_large(source):
                blocks = read_blocks(source, **how)
                names = [name or blocks.columns[-1] for name in counted]
                return open_table(Watched(blocks), names, ranks=ranks)
            with Console(stderr=True).status(f"reading {first} …"):
                return read_file(source, **how)
    except InvalidDataError as error:
        if SKIP in error.others:
            error.others[SKIP] = "--bad-rows skip"
        raise


def sampled(table: Table | LargeTable) -> Table:
    """Return a table; if it is too large for memory, return its sample and print a note."""
    if isinstance(table, Table):
        return table
    n, n_rows = len(table.sample), table.n_rows
    note(f"{table.name} is too large for memory: a sample of {n:,} of its {n_rows:,} rows is used")
    return table.sample


class Watched:
    """A table in blocks that shows, in a terminal, how many rows have been read.

    Parameters
    ----------
    blocks : Blocks
    """

    def __init__(self, blocks: Any) -> None:
        self._blocks = blocks
        self.name, self.columns, self.n_bytes = blocks.name, blocks.columns, blocks.n_bytes
        self.fingerprint = blocks.fingerprint

    def part(self, rank: int, n_parts: int) -> Self:
        """Return the part of the table that one of several processes reads."""
        return type(self)(self._blocks.part(rank, n_parts))

    def numbered(self) -> Iterator[tuple[int, Table]]:
        """Yield each block with its number, and show the progress."""
        doing = f"reading {self._blocks.name}"
        return with_progress(self._blocks.numbered(), lambda block: len(block[1]), doing)


def with_progress(items: Iterable[T], n_rows_of: Callable[[T], int], doing: str) -> Iterator[T]:
    """Yield items; if that takes long, show in a terminal how many rows they had, and how fast."""
    began, n_rows = time.monotonic(), 0
    with Console(stderr=True).status(f"{doing} …") as status:
        for item in items:
            yield item
            n_rows += n_rows_of(item)
            seconds = time.monotonic() - began
            if seconds > PATIENCE:
                status.update(f"{doing}: {n_rows:,} rows, {n_rows / seconds:,.0f} a second …")
