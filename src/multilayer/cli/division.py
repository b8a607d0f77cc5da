"""The division of a table's rows into training and test rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.cli.notes import note, notes
from multilayer.data import Table, TableWarning
from multilayer.data.split import are_alone, split_rows
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model import Columns
from multilayer.registry import Names

__all__ = ["Division"]

Array = npt.NDArray[Any]

LEAST_ROWS = 20
"""Minimum number of training rows: a tenth of them decides when to stop, and must be two rows."""


class Division(NamedTuple):
    """How to divide rows: at random, by group, or by time."""

    test: float
    """The share of test rows, in (0, 1)."""
    seed: int
    group: str | None = None
    """The column of groups; rows of one group stay together."""
    time: str | None = None
    """The column of times; the latest rows are test rows."""
    kinds: Mapping[str, str] = {}
    """The kinds of columns that options or a schema file set."""

    def check(self, names: Sequence[str], target: str, drop: Sequence[str]) -> str | None:
        """Check the settings; return the group column, which is not an input, or None."""
        checks.real(self.test, "test", "mlp", "(0, 1)")
        for option, name in (("group", self.group), ("time", self.time)):
            if name is not None and Names(option, names).check(name) == target:
                raise InvalidArgumentError(f"cannot be {target!r}, which is the target", option)
        if self.group is not None and self.time is not None:
            raise InvalidArgumentError("cannot be combined with --time", "group")
        if self.time in drop:
            raise InvalidArgumentError(f"cannot be {self.time!r}, which is dropped", "time")
        return self.group

    def of(self, table: Table, y: Array, task: str) -> tuple[Array, Array]:
        """Return the indices of the training rows and of the test rows.

        Raises
        ------
        InvalidDataError, InvalidArgumentError
            If there are too few rows, groups or times to divide.
        """
        if self.group is not None:
            train, held_out = self._by_group(table)
        elif self.time is not None:
            train, held_out = self._by_time(table)
        else:
            train, held_out = self._at_random(table.name, y, task)
        if task == "classification":
            is_known = np.isin(y[held_out], y[train])
            if not is_known.all():
                n = np.count_nonzero(~is_known)
                rows = "row has" if n == 1 else "rows have"
                dropped = f"{'is' if n == 1 else 'are'} dropped"
                note(f"{n:,} test {rows} a class that no training row has, and {dropped}")
            held_out = held_out[is_known]
        if len(held_out) < 2 or len(train) < LEAST_ROWS:
            rule = (
                f"must leave {LEAST_ROWS} rows to train on and 2 to test on; with --test "
                f"{self.test:g} it leaves {len(train)} and {len(held_out)}"
            )
            raise InvalidDataError(rule, table.name)
        if len(np.unique(y[train])) < 2:
            raise InvalidDataError(
                f"must leave two different targets to train on; all are {y[train[0]]}",
                table.name,
            )
        return train, held_out

    def tested(self, table: Table, places: Any, held_out: Array) -> Callable[[Table, Array], Array]:
        """Return a function that finds the test rows in any part of the table.

        It extends the division of a sample: its arguments are a part of the table and the row
        numbers of that part in the whole, and it returns an array of bool.

        Parameters
        ----------
        table : Table
            The sample.
        places : array of int
            The row numbers of the sample in the whole table.
        held_out : array of int
            The test rows of the sample, as indices into the sample.
        """
        if self.group is not None:
            has_group = table[self.group].categories()[0][held_out] >= 0
            names = np.unique(self.groups(table)[held_out[has_group]])
            alone = np.sort(places[held_out[~has_group]])  # rows without a group
            return lambda part, own: np.isin(self.groups(part), names) | np.isin(own, alone)
        if self.time is not None:
            times = self._time_reader(table)
            start = times(table)[held_out].min()
            return lambda part, _: times(part) >= start
        chosen = np.sort(places[held_out])
        return lambda _, own: np.isin(own, chosen)

    def groups(self, table: Table) -> Array:
        """Return the group of each row; a row without one is a separate group."""
        assert self.group is not None
        codes, names = table[self.group].categories()  # 7 and 7.0 are one group
        without = np.flatnonzero(codes < 0)
        codes = codes.copy()
        codes[without] = len(names) + np.arange(len(without))
        return np.array([*names, *(f"\0{row}" for row in without.tolist())])[codes]

    def _at_random(self, name: str, y: Array, task: str) -> tuple[Array, Array]:
        """Divide at random, with each class in both parts if it has enough rows."""
        strata = kept = None
        if task == "classification":
            kept = are_alone(y)
            n_classes = len(np.unique(y[~kept]))
            n_least = min(self.test, 1 - self.test) * np.count_nonzero(~kept)
            strata = y if n_least >= n_classes else None
        rule = "cannot be divided to train and to test on"
        return split_rows(
            len(y), self.test, self.seed, strata, kept=kept, rule=rule, parameter=name
        )

    def _by_group(self, table: Table) -> tuple[Array, Array]:
        """Draw whole groups until there are enough test rows."""
        assert self.group is not None
        _, codes = np.unique(self.groups(table), return_inverse=True)
        sizes, n_present = np.bincount(codes), table[self.group].n_present
        if len(sizes) < 2 or not n_present:
            raise InvalidArgumentError("must have at least two groups", "group", got=self.group)
        if n := len(codes) - n_present:
            have, each = ("have", "each is") if n > 1 else ("has", "it is")
            rows = f"{n:,} of {len(codes):,} rows {have} no {self.group!r}"
            note(f"{rows}: {each} a group of its own")
        order = np.random.default_rng(self.seed).permutation(len(sizes))
        n_groups = 1 + np.searchsorted(np.cumsum(sizes[order]), self.test * len(codes))
        is_held_out = np.isin(codes, order[: min(n_groups, len(sizes) - 1)])
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    def _by_time(self, table: Table) -> tuple[Array, Array]:
        """Hold out the latest rows; rows of the same time stay together."""
        assert self.time is not None
        times = self._time_reader(table)(table)
        known = np.unique(times[~np.isnan(times)], return_counts=True)
        if len(known[0]) < 2:
            raise InvalidArgumentError("must have at least two times", "time", got=self.time)
        n_before = np.append(0, np.cumsum(known[1])[:-1])
        start = np.searchsorted(n_before, (1 - self.test) * known[1].sum(), side="right") - 1
        is_held_out = times >= known[0][max(start, 1)]
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    def _time_reader(self, table: Table) -> Callable[[Table], Array]:
        """Return a function that reads the time of each row as a number."""
        assert self.time is not None
        own = {name: kind for name, kind in self.kinds.items() if name == self.time}
        try:
            with notes(TableWarning):  # the model reports doubtful entries itself
                (column,) = Columns.of(table.select([self.time]), own).columns
        except InvalidDataError as error:
            error.add_note(f"pass --numeric {self.time}, or --date {self.time} with --day-first")
            raise

        def times(rows: Table) -> Array:
            values = column.values(rows[column.name], [])
            if values is None:
                rule = "must be a column of numbers or dates"
                raise InvalidArgumentError(rule, "time", got=repr(self.time))
            return values

        return times
