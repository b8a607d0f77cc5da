"""Roles: which columns of a table are targets, weights and groups."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.data import Notation, Table, TableWarning
from multilayer.data.entries import NumberEntries, TextEntries
from multilayer.data.files import are_too_many
from multilayer.data.large import LargeTable
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model.numeric import read_numbers, read_weights
from multilayer.registry import Names

__all__ = ["Roles"]

Array = npt.NDArray[Any]


class Roles(NamedTuple):
    """The columns of a table that are no inputs."""

    target: str
    weight: str | None = None
    groups: str | None = None
    notation: Notation | None = None
    """How numbers to be predicted are written, if they are text."""

    @classmethod
    def of(
        cls, table: Table | LargeTable, target: str, weight: Any, groups: Any, *, are_numbers: bool
    ) -> Self:
        """Return the roles of a table's columns, as `fit` is told them.

        Raises
        ------
        InvalidArgumentError
            If there is no such column, two are the same, or no input is left.
        InvalidDataError
            If targets must be numbers, and are not.
        """
        said = {"target": target, "sample_weight": weight, "groups": groups}
        given = {parameter: name for parameter, name in said.items() if name is not None}
        for parameter, name in given.items():
            if not isinstance(name, str):
                rule = "must be the name of a column, as {target} is"
                got = type(name).__name__
                raise InvalidArgumentError(rule, parameter, "fit", got=got, others=["target"])
            Names(parameter, table.columns).check(name, "fit")
        if len(set(given.values())) < len(given):
            got = ", ".join(f"{parameter} {name!r}" for parameter, name in given.items())
            raise InvalidArgumentError("must be a column of its own", "target", "fit", got=got)
        if len(given) == len(table.columns):
            raise InvalidDataError(f"must have inputs beside {', '.join(given.values())}", table.name)
        entries = (table.sample if isinstance(table, LargeTable) else table)[target]
        notation = None
        if are_numbers and isinstance(entries, TextEntries):
            notation = read_numbers(entries, [])[1]
        return cls(target, weight, groups, notation)

    def inputs_of(self, table: Table) -> Table:
        """Return the other columns."""
        return table.select([name for name in table.columns if name not in self[:3]])

    def parts_of(self, table: Table) -> tuple[Table, Array, Array | None, Array | None]:
        """Return inputs, targets, weights and groups."""
        entries = table[self.target]
        if isinstance(entries, NumberEntries):
            y = np.ma.MaskedArray(entries.values, entries.is_missing)
            y = y if entries.is_missing.any() else y.data
        else:
            y = entries.objects()
        weight = None if self.weight is None else read_weights(table[self.weight], [])
        groups = None if self.groups is None else table[self.groups].objects()
        return self.inputs_of(table), y, weight, groups

    def lack_target(self, table: Table) -> Array:
        """Return which rows have no target."""
        entries = table[self.target]
        if self.notation is not None:
            return np.isnan(entries.numbers(self.notation, []))
        if isinstance(entries, NumberEntries):
            return entries.is_missing
        return entries.categories()[0] < 0

    def with_target(self, table: Table | LargeTable) -> Table | LargeTable:
        """Return the rows that have a target; warn of the others.

        Raises
        ------
        InvalidDataError
            If more than 1 % have none, judging by a sample; the message names the first one.
        """
        seen = table.sample if isinstance(table, LargeTable) else table
        lacking = self.lack_target(seen)
        if not lacking.any() and seen is table:
            return table
        if n := np.count_nonzero(lacking):
            first = seen[self.target].origin.row(int(np.argmax(lacking)))
            of = "" if seen is table else " of a sample"
            says = f"has no {self.target!r} in {n:,} of {len(seen):,} rows{of}, such as {first}"
            if are_too_many(n, len(seen), None):
                raise InvalidDataError(f"{says}: leave such rows out", table.name)
            warn(TableWarning(f"{table.name} {says}; they are left out", ()))
        if isinstance(table, LargeTable):
            return table.without(lambda part, _: self.lack_target(part))
        return table.take(np.flatnonzero(~lacking))
