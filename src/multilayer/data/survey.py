"""Survey: a summary of a table read once in blocks: a sample of its rows, and tallies."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data.blocks import PLACES
from multilayer.data.entries import Entries, Origin, TextEntries
from multilayer.data.table import Table, check_columns
from multilayer.data.tally import Tally
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.randomness import hashed

__all__ = ["Survey"]

Array = npt.NDArray[Any]

MANY = 256
"""With more parts than this, the parts of a sample are joined into one."""


@dataclass(frozen=True)
class Survey:
    """The result of one pass over a table in blocks: a sample of its rows, and tallies of all rows.

    The sample consists of the rows whose places have the smallest hashes. It is a uniform sample
    without replacement, and does not depend on the order or the size of the blocks, or on which
    process reads them. A column with numbers in one file and text in another is text, as in
    `Table.join`.

    Parameters
    ----------
    sample : Table
        Some of the rows, in the order of their places; all rows if there are at most `most_rows`.
    places : array of int64, of shape (len(sample),)
        The places of the sample's rows: see `of`.
    tallies : dict of str to Tally
        What all rows hold, by column.
    files : dict of int to Origin
        The files that the rows come from, by the place of each file's first row.
    most_rows, seed : int
        See `of`.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> blocks = [(0, read_table({"a": [3, 1, 4]})), (3, read_table({"a": [1, None]}))]
    >>> survey = Survey.of(blocks, most_rows=2, seed=0)
    >>> survey.sample, survey.n_rows, survey.is_whole
    (Table(2 rows: a), 5, False)
    >>> a = survey.tallies["a"]
    >>> a.n_present, a.least, a.greatest
    (4, 1, 4)
    """

    sample: Table
    places: Array
    tallies: Mapping[str, Tally]
    files: Mapping[int, Origin]
    most_rows: int
    seed: int

    @classmethod
    def of(
        cls,
        blocks: Iterable[tuple[int, Table]],
        *,
        most_rows: int,
        seed: int,
        counted: Collection[str] = (),
    ) -> Self:
        """Return the survey of a table in blocks.

        At any time, it keeps at most twice `most_rows` rows in memory, besides the current block.

        Parameters
        ----------
        blocks : iterable of pairs of int and Table
            Pairs of the place of a block's first row, and the block, whose rows have consecutive
            places. The place of a row is its index among all rows; or, if they come from several
            files, 2⁴⁰ times the index of its file plus its index in the file.
        most_rows : int
            The maximum number of rows in the sample.
        seed : int
            Draws the sample.
        counted : collection of str
            Columns whose numbers and dates are counted like texts, because they are categories.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If `most_rows` is not positive, or `seed` is negative.
        InvalidDataError
            If there are no blocks, or a block's columns differ from those of the first; the message
            names both.
        """
        checks.integer(most_rows, "most_rows", "Survey.of")
        checks.integer(seed, "seed", "Survey.of", minimum=0)
        pool: _Pool | None = None
        tallies: dict[str, Tally] = {}
        for place, table in blocks:
            if pool is None:
                pool = _Pool(table, most_rows, seed)
                tallies = {name: Tally(name, name in counted) for name in table.columns}
            pool.add(place, table)
            for name, tally in tallies.items():
                tally.add(table[name])
        if pool is None:
            raise InvalidDataError("must yield at least one table; got none", "blocks")
        return cls(*pool.sample(), tallies, pool.files, most_rows, seed)

    @property
    def n_rows(self) -> int:
        """The number of rows of the whole table."""
        return max(map(len, self.tallies.values()), default=0)

    @property
    def is_whole(self) -> bool:
        """Whether the sample contains all rows."""
        return len(self.sample) == self.n_rows

    def merge(self, other: "Survey") -> Self:
        """Return the survey of the rows of both, as if one pass had read all of them.

        Raises
        ------
        InvalidArgumentError
            If `most_rows`, `seed` or the counted columns differ.
        InvalidDataError
            If both samples have a row in common, or the columns differ.
        """
        if self._settings != other._settings:
            rule = "must have the same most_rows, seed and counted columns"
            raise InvalidArgumentError(rule, "surveys that are merged")
        pool = _Pool(self.sample, self.most_rows, self.seed)
        for survey in (self, other):
            pool.hold(survey._rows, survey.sample, survey.files)
        if len(np.intersect1d(self.places, other.places, assume_unique=True)):
            raise InvalidDataError("must be of different rows", "surveys that are merged")
        tallies = {name: own.merge(other.tallies[name]) for name, own in self.tallies.items()}
        return type(self)(*pool.sample(), tallies, pool.files, self.most_rows, self.seed)

    @property
    def _settings(self) -> tuple[int, int, set[str]]:
        counted = {name for name, tally in self.tallies.items() if tally.counts_all}
        return self.most_rows, self.seed, counted

    @property
    def _rows(self) -> Array:
        """The places of the sample's rows and their numbers, as in `_Pool.parts`."""
        numbers: Any = self.sample[self.sample.columns[0]].origin.rows
        start = next(iter(self.files)) if len(self.files) == 1 else 0
        return np.stack([self.places, start + numbers])


class _Pool:
    """The rows with the smallest hashes so far: up to twice `most_rows`.

    Parameters
    ----------
    first : Table
        A table with the columns that all tables must have.
    """

    def __init__(self, first: Table, most_rows: int, seed: int) -> None:
        self.first = first.take(np.arange(0))
        self.most_rows, self.seed = most_rows, seed
        self.limit = np.uint64(2**64 - 1)
        """Rows with larger hashes are not in the sample."""
        self.parts: list[tuple[Array, Table]] = []
        """Each part's rows as a table, after an array of shape (2, n_rows) with their places and
        their numbers: the place of the file, plus the number of the row in the file. The two differ
        if rows of the file were left out."""
        self.files: dict[int, Origin] = {}
        """The files of all rows, by the place of each file's first row."""

    def add(self, place: int, table: Table) -> None:
        """Add the rows of a block."""
        origin = table[table.columns[0]].origin
        start = place - place % PLACES
        places = np.arange(place, place + len(table))
        numbers = places if origin.rows is None else start + origin.rows
        files = {start: replace(origin, rows=None, is_continued=False)}
        self.hold(np.stack([places, numbers]), table, files)

    def hold(self, rows: Array, table: Table, files: Mapping[int, Origin]) -> None:
        """Keep those rows of a table that may be in the sample."""
        check_columns(table, self.first.columns, self.first.name)
        self.files |= files
        hashes = hashed(rows[0], self.seed)
        kept = np.flatnonzero(hashes <= self.limit)
        n_held = sum(len(held) for _, held in self.parts)
        if n_held + len(kept) > 2 * self.most_rows:
            self._lower(hashes[kept])
            kept = kept[hashes[kept] <= self.limit]
        if len(kept):
            self.parts.append((rows[:, kept], table.take(kept)))
        if len(self.parts) > MANY:
            self.parts = [self._joined()]

    def sample(self) -> tuple[Table, Array]:
        """Return the sample, in the order of places, and the places."""
        self._lower(np.empty(0, np.uint64))
        (places, numbers), table = self._joined()
        order = np.argsort(places)
        origin = self._origin(numbers[order])
        columns = [_in_order(table[name].take(order, origin)) for name in self.first.columns]
        return self.first.with_columns(columns), places[order]

    def _origin(self, numbers: Array) -> Origin:
        """Return the origin of rows with these numbers."""
        files = sorted(self.files.items(), key=itemgetter(0))
        if len(files) == 1:
            start, file = files[0]
            return file.part(numbers - start)
        names = [file.table for _, file in files]
        return Origin(f"{names[0]} and {len(names) - 1:,} more", rows=numbers, parts=tuple(files))

    def _lower(self, more: Array) -> None:
        """Lower the limit to the largest hash in the sample, given the hashes of new rows."""
        held = [hashed(rows[0], self.seed) for rows, _ in self.parts]
        hashes = np.concatenate([*held, more])
        if len(hashes) <= self.most_rows:
            return
        self.limit = np.partition(hashes, self.most_rows - 1)[self.most_rows - 1]
        for i, own in enumerate(held):
            rows, table = self.parts[i]
            kept = np.flatnonzero(own <= self.limit)
            self.parts[i] = rows[:, kept], table.take(kept)
        self.parts = [self._joined()]

    def _joined(self) -> tuple[Array, Table]:
        """Return all parts as one, in an order that does not depend on when they were added."""
        parts = sorted(self.parts, key=lambda part: part[0][0].min(initial=0))
        rows = np.concatenate([np.empty((2, 0), np.int64), *(rows for rows, _ in parts)], axis=1)
        tables = [table for _, table in parts] or [self.first]
        return rows, Table.join(tables, self.first.name)


def _in_order(entries: Entries) -> Entries:
    """Return entries with their texts in order of appearance, as in a table that is read whole."""
    if not isinstance(entries, TextEntries):
        return entries
    _, first = np.unique(entries.codes[entries.codes >= 0], return_index=True)
    order = np.argsort(first)
    places = np.full(len(order) + 1, -1, np.int32)  # the last for −1
    places[order] = np.arange(len(order))
    return TextEntries(
        entries.column,
        entries.origin,
        places[entries.codes],
        [entries.texts[i] for i in order.tolist()],
        is_category=entries.is_category,
        are_tidy=True,
    )
