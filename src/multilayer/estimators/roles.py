"""Roles: which columns of a table are targets, weights and groups."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.data import Notation, Note, Table, TableWarning, read_table
from multilayer.data.large import LargeTable
from multilayer.data.reading import are_too_many
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model.numeric import read_numbers, read_weights
from multilayer.registry import Names

__all__ = ["Roles", "divided"]

Array = npt.NDArray[Any]


class Roles(NamedTuple):
    """The columns of a table that are no inputs."""

    target: str
    weight: str | None = None
    groups: str | None = None
    notation: Notation | None = None
    """How targets are written; None if they are names of classes."""
    are_classes: bool = False
    """Whether targets are classes, even if they are numbers."""

    @classmethod
    def of(
        cls, table: Table | LargeTable, target: str, weight: Any, groups: Any, *, are_classes: bool
    ) -> Self:
        """Return the roles of a table's columns, as `fit` is told them.

        Raises
        ------
        InvalidArgumentError
            If there is no such column, two are the same, or no input is left.
        InvalidDataError
            If targets must be numbers, and are not.
        """
        _check(table, target, weight, groups)
        seen = table.sample if isinstance(table, LargeTable) else table
        notation = _notation(seen, target, are_classes=are_classes)
        return cls(target, weight, groups, notation, are_classes)

    def inputs_of(self, table: Table) -> Table:
        """Return the other columns."""
        return table.select([name for name in table.columns if name not in self[:3]])

    def parts_of(self, table: Table) -> tuple[Table, Array, Array | None, Array | None]:
        """Return inputs, targets, weights and groups of rows from files."""
        weight = None if self.weight is None else read_weights(table[self.weight], [])
        groups = None if self.groups is None else table[self.groups].objects()
        return self.inputs_of(table), self._targets_of(table), weight, groups

    def _targets_of(self, table: Table) -> Array:
        """Return numbers to be predicted; or classes, as whole numbers or texts."""
        entries = table[self.target]
        if self.notation is None:
            return np.array([str(each) for each in entries.objects()])
        numbers = entries.numbers(self.notation, [])
        return numbers.astype(np.int64) if self.are_classes else numbers

    def lack_target(self, table: Table) -> Array:
        """Return which rows have no target."""
        entries = table[self.target]
        if self.notation is not None:
            return np.isnan(entries.numbers(self.notation, []))
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
        if n := int(np.count_nonzero(lacking)):
            first = seen[self.target].origin.row(int(np.argmax(lacking)))
            of = "" if seen is table else " of a sample"
            says = f"has no {self.target!r} in {n:,} of {len(seen):,} rows{of}, such as {first}"
            if are_too_many(n, len(seen), None):
                raise InvalidDataError(f"{says}: leave such rows out", table.name)
            warn(TableWarning(f"{table.name} {says}; they are left out", ()))
        if isinstance(table, LargeTable):
            return table.without(lambda part, _: self.lack_target(part))
        return table.take(np.flatnonzero(~lacking))


def divided(X: Any, target: str, weight: Any, groups: Any) -> tuple[Table, Any, Any, Any]:
    """Return inputs, targets, weights and groups of a table in memory, of which these are columns.

    Raises
    ------
    InvalidArgumentError, InvalidDataError
        As `Roles.of`.
    """
    table = read_table(X)
    used = _check(table, target, weight, groups)
    inputs = table.select([name for name in table.columns if name not in used])
    parts = (None if name is None else X[name] for name in (target, weight, groups))
    y, own_weight, own_groups = parts
    return inputs, y, own_weight, own_groups


def _check(table: Table | LargeTable, target: Any, weight: Any, groups: Any) -> list[str]:
    """Return the names of the columns that are no inputs."""
    said = {"target": target, "sample_weight": weight, "groups": groups}
    given = {parameter: name for parameter, name in said.items() if name is not None}
    for parameter, name in given.items():
        if not isinstance(name, str):
            rule = "must be the name of a column, as {target} is"
            got = type(name).__name__
            raise InvalidArgumentError(rule, parameter, "fit", got=got, others=["target"])
        Names(parameter, table.columns).check(name, "fit")
    names = list(given.values())
    if len(set(names)) < len(names):
        got = ", ".join(f"{parameter} {name!r}" for parameter, name in given.items())
        raise InvalidArgumentError("must be a column of its own", "target", "fit", got=got)
    if len(names) == len(table.columns):
        raise InvalidDataError(f"must have inputs beside {', '.join(names)}", table.name)
    return names


def _notation(table: Table, target: str, *, are_classes: bool) -> Notation | None:
    """Return how targets are written: as numbers, of which those of classes are whole; or None."""
    entries = table[target]
    found = entries.find_notation(table.decimal)
    if not are_classes:
        said: list[Note] = []
        notation = read_numbers(entries, said, found and found.notation, table.decimal)[1]
        for note in said:
            warn(TableWarning(str(note), (note,)))
        return notation
    if found is None or found.notation is None or found.notation.is_boolean:
        return None
    numbers = entries.numbers(found.notation, [])
    present = numbers[~np.isnan(numbers)]
    if (present != np.rint(present)).any():
        rule = "must hold names or whole numbers to be predicted as classes"
        raise InvalidDataError(rule, entries.where)
    return found.notation
