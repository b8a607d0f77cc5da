"""Tally: a summary of all rows of a column, counted block by block."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import DateEntries, Entries, NumberEntries, Origin, TextEntries

__all__ = ["MOST_TEXTS", "Tally"]

Array = npt.NDArray[Any]

MOST_TEXTS = 2**16
"""How many distinct texts of a column are counted at most: a dict of them takes about 10 MB. A
column of numbers written as text may have that many."""
TEXT = TextEntries.what
IN_UTC = "dates with a time zone"


@dataclass
class Tally:
    """A summary of all rows of a column: their number, their texts, the least and greatest value.

    Counts of distinct texts are exact as long as there are at most `MOST_TEXTS` of them. Whenever
    there are more, the (`MOST_TEXTS` + 1)-th largest count is subtracted from all counts, and only
    positive counts are kept. Each count is then too low by at most `n_missed`, and for n rows,
    `n_missed` is at most n/(`MOST_TEXTS` + 1) (Misra and Gries 1982). This is also true of merged
    tallies (Agarwal et al. 2013, "Mergeable summaries", theorem 2.2).

    Parameters
    ----------
    column : str
        The column's name.
    counts_all : bool
        Whether numbers and dates are counted too, as categories.

    Attributes
    ----------
    n_rows, n_present : int
        The number of rows, and how many of them are not missing.
    kinds : set of str
        The types of the entries.
    unusable : set of str
        The types of entries that no network can use.
    least, greatest : number or None
        The least and greatest of all numbers, or of all dates in seconds since 1970.
    counts : dict of str to int
        How often each text occurs, at least: see `n_missed`.
    n_missed : int
        By how much a count may be too low; a text without a count occurs at most this often.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> jobs = Tally("job")
    >>> for block in ["cook", "baker", None], ["cook", "cook"]:
    ...     jobs.add(read_table({"job": block})["job"])
    >>> len(jobs), jobs.n_present, jobs.counts, jobs.n_missed
    (5, 4, {'cook': 3, 'baker': 1}, 0)
    """

    column: str
    counts_all: bool = False
    n_rows: int = 0
    n_present: int = 0
    kinds: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    least: Any = None
    greatest: Any = None
    counts: dict[str, int] = field(default_factory=dict)
    n_missed: int = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    @property
    def what(self) -> str:
        """The type of the entries, for messages."""
        if self.unusable:
            return min(self.unusable)
        if self.kinds == {IN_UTC, DateEntries.what}:
            return "dates with a time zone and dates without one"
        return min(self.kinds) if len(self.kinds) == 1 else TEXT

    @property
    def is_usable(self) -> bool:
        """Whether any kind of column can use the entries, by the rules of `joined`."""
        return not self.unusable and self.kinds != {IN_UTC, DateEntries.what}

    @property
    def is_constant(self) -> bool:
        """Whether all entries that are not missing are the same."""
        if self.kinds <= {TEXT}:
            return len(self.counts) < 2 and not self.n_missed
        return len(self.kinds) == 1 and bool(self.least == self.greatest)

    def counted(self) -> tuple[list[str], Array] | None:
        """Return the counted texts, and how often each occurs.

        Return None if there are no counts: all texts are too rare, or entries were not counted.
        """
        if not self.counts or not (self.counts_all or self.kinds <= {TEXT}):
            return None
        return list(self.counts), np.fromiter(self.counts.values(), np.int64, len(self.counts))

    def different(self) -> Entries:
        """Return entries that represent the column: the counted texts, or the extreme values."""
        origin = Origin(is_continued=True)
        ends = np.array([self.least, self.greatest])
        if len(self.kinds) != 1 or self.kinds == {TEXT}:
            codes = np.arange(len(self.counts), dtype=np.int32)
            return TextEntries(self.column, origin, codes, list(self.counts))
        if self.what in (IN_UTC, DateEntries.what):
            return DateEntries(self.column, origin, ends, self.what == IN_UTC)
        are_times = self.what != NumberEntries.what
        return NumberEntries(self.column, origin, ends, are_times=are_times)

    def add(self, entries: Entries) -> None:
        """Count the entries of a block."""
        n_present = entries.n_present
        self.n_rows += len(entries)
        self.n_present += n_present
        if not entries.is_usable:
            self.unusable.add(entries.what)
        elif n_present:
            self.kinds.add(_kind(entries))
            if isinstance(entries, TextEntries) or self.counts_all:
                self._count(*entries.counted())
            self._reach(*_ends(entries))

    def merge(self, other: "Tally") -> Self:
        """Return the tally of the rows of both."""
        merged = replace(
            self,
            n_rows=self.n_rows + other.n_rows,
            n_present=self.n_present + other.n_present,
            kinds=self.kinds | other.kinds,
            unusable=self.unusable | other.unusable,
            counts=dict(self.counts),
            n_missed=self.n_missed + other.n_missed,
        )
        merged._count(list(other.counts), np.array(list(other.counts.values())))
        merged._reach(other.least, other.greatest)
        return merged

    def _count(self, texts: Sequence[str], counts: Array) -> None:
        known = self.counts
        for text, count in zip(texts, counts.tolist(), strict=True):
            known[text] = known.get(text, 0) + count
        n_over = len(known) - MOST_TEXTS
        if n_over > 0:
            all_counts = np.fromiter(known.values(), np.int64, len(known))
            least = int(np.partition(all_counts, n_over - 1)[n_over - 1])
            self.counts = {text: n - least for text, n in known.items() if n > least}
            self.n_missed += least

    def _reach(self, least: Any, greatest: Any) -> None:
        if least is not None:
            self.least = least if self.least is None else min(self.least, least)
            self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)


def _kind(entries: Entries) -> str:
    if isinstance(entries, DateEntries) and entries.has_zone:
        return IN_UTC
    return "times" if isinstance(entries, NumberEntries) and entries.are_times else entries.what


def _ends(entries: Entries) -> tuple[Any, Any]:
    """Return the least and the greatest number or date; None for texts."""
    if isinstance(entries, NumberEntries):
        present = entries.present
    elif isinstance(entries, DateEntries):
        present = entries.seconds[~np.isnan(entries.seconds)]
    else:
        return None, None
    return present.min().item(), present.max().item()
