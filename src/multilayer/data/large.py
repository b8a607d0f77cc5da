"""LargeTable: a table in files that keeps a sample in memory and can read all rows again."""

from collections.abc import Callable, Collection, Iterable, Iterator
from copy import copy
from functools import reduce
from itertools import chain
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.blocks import Blocks, read_blocks
from multilayer.data.files import read_file
from multilayer.data.sources import Source, size_of
from multilayer.data.survey import Survey
from multilayer.data.table import Table
from multilayer.errors import InvalidDataError
from multilayer.ranks import ALONE, Ranks

__all__ = ["LargeTable", "is_in_files", "is_large", "open_table"]

Array = npt.NDArray[Any]

IN_MEMORY = 2**27
"""Tables whose files have at most this many bytes in total are read whole."""
N_ENTRIES = 2**23
"""About how many entries a sample has. With 20 columns, these are 420,000 rows; their quantiles
differ from those of all rows by at most about 0.1 % of the rows."""
LEAST_ROWS = 2**14
"""A sample has at least this many rows, however many columns there are."""
SEED = 0
"""The seed of the sample: a fixed one, so that every run, process and model has the same sample."""


class LargeTable:
    """A table that is too large for memory.

    Parameters
    ----------
    blocks : Blocks
        The table, as `read_blocks` returns it; with several processes, this process's part.
    survey : Survey
        The result of one pass over the whole table.
    left_out : callable, optional
        Takes some rows as a table, and their places; returns an array of bool, which is True for
        the rows to leave out.
    ranks : Ranks
        The processes among which the table is divided.

    Attributes
    ----------
    name : str
        The table's name in messages.
    sample : Table
        A sample of the rows.
    places : array of int
        The places of the sample's rows: see `Survey`.
    tallies : mapping of str to Tally
        What all rows hold, by column.
    n_rows : int
        The number of rows, including rows that are left out.
    """

    def __init__(
        self,
        blocks: Blocks,
        survey: Survey,
        left_out: Callable[[Table, Array], Array] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.blocks, self._survey, self._left_out = blocks, survey, left_out
        self.ranks = ranks
        self.sample, self.places = survey.sample, survey.places
        self.name, self.columns = self.sample.name, self.sample.columns
        self.tallies = survey.tallies
        self.n_rows = survey.n_rows
        if left_out is not None:
            kept = np.flatnonzero(~left_out(self.sample, self.places))
            self.sample, self.places = self.sample.take(kept), self.places[kept]

    def __repr__(self) -> str:
        return (
            f"LargeTable({self.n_rows:,} row{'s' * (self.n_rows != 1)}: {', '.join(self.columns)})"
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    def without(self, left_out: Callable[[Table, Array], Array]) -> Self:
        """Return the table with more rows left out: see the parameter `left_out`."""
        before = self._left_out

        def both(table: Table, places: Array) -> Array:
            found = left_out(table, places)
            return found if before is None else before(table, places) | found

        return type(self)(self.blocks, self._survey, both, self.ranks).select(self.columns)

    def select(self, names: Iterable[str]) -> Self:
        """Return the table with only some of its columns."""
        chosen = copy(self)
        chosen.columns = tuple(names)
        chosen.sample = self.sample.select(chosen.columns)
        return chosen

    def parts(self) -> Iterator[tuple[Array, Table]]:
        """Read all rows again, and yield the places of each block's rows, and the block.

        With several processes, each yields only the rows of its own part.
        """
        for place, table in self.blocks.numbered():
            places = np.arange(place, place + len(table))
            if self._left_out is not None:
                kept = np.flatnonzero(~self._left_out(table, places))
                table, places = table.take(kept), places[kept]
            yield places, table.select(self.columns)


def is_in_files(X: object) -> bool:
    """Return whether X is in files: a path, a list of paths, a `Blocks` or a `LargeTable`."""
    if isinstance(X, (list, tuple)):
        return bool(X) and all(isinstance(each, (str, PathLike)) for each in X)
    return isinstance(X, (str, PathLike, Blocks, LargeTable))


def is_large(source: Source | Iterable[Source]) -> bool:
    """Return whether files are too large to be read whole."""
    return size_of(source) > IN_MEMORY


def open_table(
    source: Any, counted: Collection[str] = (), *, ranks: Ranks = ALONE, **how: Any
) -> Table | LargeTable:
    """Return a table in files: a `Table` if it is small enough, otherwise a `LargeTable`.

    Parameters
    ----------
    source : path, iterable of paths, LargeTable, Blocks, or similar
        Paths as in `read_file`; or an object with the attributes of `Blocks`.
    counted : collection of str
        Columns whose numbers name classes or groups, so that each distinct number is counted.
    ranks : Ranks
        The processes that do this together: each reads its part of a large table, and all get the
        same sample.
    **how
        Arguments of `read_file`.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As by `read_file`; or if there are more processes than parts.
    """
    if isinstance(source, LargeTable):
        return source
    has_blocks = hasattr(source, "numbered")
    if not (has_blocks or is_large(source)):
        return read_file(source, **how)
    blocks = source if has_blocks else read_blocks(source, **how)
    most_rows = max(N_ENTRIES // len(blocks.columns), LEAST_ROWS)
    sampling: dict[str, Any] = {"most_rows": most_rows, "seed": SEED, "counted": counted}
    if ranks.n_ranks > 1:
        blocks = blocks.part(ranks.rank, ranks.n_ranks)
        survey = _joined(blocks, ranks, **sampling)
    else:
        survey = Survey.of(blocks.numbered(), **sampling)
    return survey.sample if survey.is_whole else LargeTable(blocks, survey, ranks=ranks)


def _joined(part: Blocks, ranks: Ranks, **sampling: Any) -> Survey:
    """Return the survey of all rows, merged from those of the ranks' parts."""
    numbered = part.numbered()
    first = next(numbered, None)
    own = None if first is None else Survey.of(chain([first], numbered), **sampling)
    found = ranks.gather_late(own)
    if lacking := [rank for rank, each in enumerate(found) if each is None]:
        rule = f"must have files or row groups for each of {ranks.n_ranks} processes; there are "
        rule += "none for rank " + ", ".join(map(str, lacking))
        raise InvalidDataError(rule, part.name)
    return reduce(Survey.merge, found)
