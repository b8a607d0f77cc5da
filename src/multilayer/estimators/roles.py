"""Roles: which columns of a table are targets, weights and groups."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.data import Notation, Note, Table, TableWarning, Tally, read_table
from multilayer.data.entries import Origin, TextEntries
from multilayer.data.large import LargeTable
from multilayer.data.table import in_memory, names_of_frame
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model.numeric import read_numbers, read_weights
from multilayer.model.target_column import (
    check_whole,
    for_fit,
    note_on_missing,
    notes_on_classes,
    read_target,
)
from multilayer.registry import Names

__all__ = ["Roles", "divided", "has_columns", "without_columns"]

Array = npt.NDArray[Any]


class Roles(NamedTuple):
    """The columns of a table that are not inputs."""

    target: str
    weight: str | None = None
    groups: str | None = None
    are_classes: bool = False
    """Whether targets are classes, even if they are numbers."""
    notation: Notation | None = None
    """How targets are written; None if they are names of classes."""
    weight_notation: Notation | None = None
    """How weights are written."""

    @classmethod
    def of(
        cls, table: Table | LargeTable, target: str, weight: Any, groups: Any, *, are_classes: bool
    ) -> Self:
        """Return the roles of a table's columns, from the arguments of `fit`.

        Raises
        ------
        InvalidArgumentError
            If a column does not exist, or has two roles.
        InvalidDataError
            If no input is left, targets or weights must be numbers and are not, or classes are
            dates.
        """
        _check(table, target, weight, groups)
        seen = table.sample if isinstance(table, LargeTable) else table
        found = read_target(seen, target, "classification" if are_classes else "regression")
        roles = cls(target, weight, groups, are_classes, found.notation)
        notes = found.notes
        if weight is not None:
            decimal = seen.decimal or roles.inputs_of(seen).shown_decimal()
            _, notation = read_numbers(seen[weight], notes, decimal=decimal)
            roles = roles._replace(weight_notation=notation)
        _warn(notes)
        return roles

    def inputs_of(self, table: Table) -> Table:
        """Return the other columns."""
        return table.select([name for name in table.columns if name not in self[:3]])

    def parts_of(self, table: Table) -> tuple[Table, Any, Array | None, Array | None]:
        """Return inputs, targets, weights and groups of a table, in the form that `fit` expects."""
        groups = None if self.groups is None else table[self.groups].objects()
        return (
            self.inputs_of(table),
            for_fit(self.targets_of(table)),
            self.weights_of(table),
            groups,
        )

    def targets_of(self, table: Table) -> Array:
        """Return the targets: numbers, or classes as whole numbers or texts.

        Raises
        ------
        InvalidDataError
            If a class is a number that is not whole; the message names the row.
        """
        entries = table[self.target]
        if self.notation is None:
            codes, names = entries.categories()
            return np.array(names, str)[codes]
        numbers = entries.numbers(self.notation, [])
        if not self.are_classes:
            return numbers
        check_whole(numbers, entries)
        return numbers.astype(np.int64)

    def classes_in(self, tally: Tally) -> Array:
        """Return the classes that were counted, without entries that are not classes."""
        names = list(tally.counts)
        if self.notation is None:
            return np.array(names, str)
        codes = np.arange(len(names), dtype=np.int32)
        entries = TextEntries(self.target, Origin(is_continued=True), codes, names)
        numbers = entries.numbers(self.notation, [])
        return numbers[numbers == np.rint(numbers)].astype(np.int64)

    def weights_of(self, table: Table) -> Array | None:
        """Return the weight of each row, if there are any.

        Raises
        ------
        InvalidDataError
            If a weight is missing or below 0; the message names the row.
        """
        if self.weight is None:
            return None
        return read_weights(table[self.weight], [], self.weight_notation)

    def lack_target(self, table: Table, _: object = None) -> Array:
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
            If no row has one, or more than 1 % of the rows, or of a sample, have other entries but
            no target; the message names the first of these.
        """
        seen = table.sample if isinstance(table, LargeTable) else table
        is_sample, are_missing = seen is not table, self.lack_target(seen)
        if are_missing.any():
            hint = ": leave such rows out"
            says = note_on_missing(self.target, seen, are_missing, is_sample=is_sample, hint=hint)
            warn(TableWarning(says, ()))
        elif isinstance(table, LargeTable):
            tally = table.tallies[self.target]
            if n := tally.n_rows - tally.n_present:
                says = f"has no {self.target!r} in {n:,} of {tally.n_rows:,} rows"
                warn(TableWarning(f"{table.name} {says}; they are left out", ()))
        if isinstance(table, LargeTable):
            return table.without(self.lack_target)
        return table.take(np.flatnonzero(~are_missing)) if are_missing.any() else table


def has_columns(X: Any) -> bool:
    """Return whether X is a frame or mapping, with named columns, each of its own type."""
    return isinstance(X, Mapping) or (hasattr(X, "columns") and not isinstance(X, Table))


def without_columns(X: Any, unused: Collection[str | None]) -> Any:
    """Return samples to predict without these columns, if there are any of them."""
    X = in_memory(X, "X")
    if not unused or not (isinstance(X, Table) or has_columns(X)):
        return X
    names = [*X] if isinstance(X, Mapping) else names_of_frame(X)
    if not set(names) & set(unused):
        return X
    return read_table(X).select([name for name in map(str, names) if name not in unused])


def divided(
    X: Any, target: str, weight: Any, groups: Any, *, are_classes: bool
) -> tuple[Table, Any, Any, Any]:
    """Return inputs, targets, weights and groups from the columns of a frame or mapping.

    Raises
    ------
    InvalidArgumentError, InvalidDataError
        As in `Roles.of`.
    """
    table = read_table(X)
    used = _check(table, target, weight, groups)
    inputs = table.select([name for name in table.columns if name not in used])
    if are_classes and isinstance(table[target], TextEntries):
        _warn(notes_on_classes(table[target]))
    parts = (None if name is None else X[name] for name in (target, weight, groups))
    y, own_weight, own_groups = parts
    return inputs, y, own_weight, own_groups


def _warn(notes: list[Note]) -> None:
    for note in notes:
        warn(TableWarning(str(note), (note,)))


def _check(table: Table | LargeTable, target: Any, weight: Any, groups: Any) -> list[str]:
    """Return the names of the columns that are not inputs."""
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
        raise InvalidArgumentError("must be a separate column", "target", "fit", got=got)
    if len(names) == len(table.columns):
        raise InvalidDataError(f"must have inputs besides {', '.join(names)}", table.name)
    return names
