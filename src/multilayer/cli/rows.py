"""The training and test rows of a file, with their targets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.cli.division import Division
from multilayer.cli.notes import note, notes, noting
from multilayer.data import Table, TableWarning
from multilayer.data.entries import Entries
from multilayer.data.large import LargeTable
from multilayer.data.notation import Notation
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.evaluation.samples import are_there
from multilayer.model import Targets
from multilayer.model.numeric import read_numbers, read_weights
from multilayer.model.target_column import (
    MOST_CLASSES,
    TargetColumn,
    for_fit,
    note_on_missing,
    read_target,
)
from multilayer.registry import Names

__all__ = ["Rows", "truth", "with_target"]

Array = npt.NDArray[Any]

TASKS = Names("task", ["classification", "regression"])
TOO_MANY = 0.5
"""A target with a larger share of distinct values does not consist of classes."""


class Rows(NamedTuple):
    """The training and test rows of a table, with their targets."""

    X_train: Table
    X_test: Table
    y_train: Array
    y_test: Array
    target: str
    task: str
    notation: Notation | None = None
    """How the target's numbers are written."""
    groups: Array | None = None
    """The group of each training row."""
    weight_train: Array | None = None
    weight_test: Array | None = None
    """The weight of each row."""
    large: LargeTable | None = None
    """All training rows of a table too large for memory; the other fields then hold a sample."""
    weight: str | None = None
    group: str | None = None
    """The names of the columns of weights and of groups."""

    @property
    def targets(self) -> Any:
        """The training targets in the form that `fit` takes."""
        return for_fit(self.y_train)

    @classmethod
    def of(
        cls,
        given: Table | LargeTable,
        target: str | None,
        task: str | None,
        drop: Sequence[str],
        division: Division,
        bad_rows: str | None = None,
        weight: str | None = None,
    ) -> "Rows":
        """Return the rows for the arguments of ``mlp train table``.

        Raises
        ------
        InvalidDataError, InvalidArgumentError
            If the table has no such column, or is not suitable for training.
        """
        large = given if isinstance(given, LargeTable) else None
        table = given.sample if isinstance(given, LargeTable) else given
        names = table.columns
        for name in drop:
            Names("drop", names).check(name)
        target = Names("target", names).check(target) if target else _last(table)
        if target in drop:
            raise InvalidArgumentError(f"cannot be {target!r}, which is dropped", "target")
        if weight is not None and Names("weight", names).check(weight) == target:
            raise InvalidArgumentError(f"cannot be {target!r}, which is the target", "weight")
        left_out = {target, weight, division.check(names, target, drop), *drop}
        inputs = [name for name in names if name not in left_out]
        if not inputs:
            rule = (
                f"must have at least one input besides the target {target!r} (--sep sets the "
                "separator of columns)"
            )
            raise InvalidDataError(rule, table.name)
        y, task, notation, doubts = _target(table, target, task)
        with noting() as said:
            said += doubts if large is None else []  # otherwise the estimator reports them
        places = np.arange(len(y)) if large is None else large.places
        places = places[are_there(y)]
        table, y = with_target(table, y, target, bad_rows, is_sample=large is not None)
        if task == "classification":
            y = _classes(table[target], y)
        else:
            _check_values(table[target], y)
        train, held_out = division.of(table, y, task)
        if large is not None:
            tested = division.tested(table, places, held_out)
            train = np.flatnonzero(~tested(table, places))
            large = _with_target(large.without(tested), target, task)
            roles = [name for name in (target, weight, division.group) if name is not None]
            large = large.select([*inputs, *roles])
        groups = None if division.group is None else division.groups(table)[train]
        X = table.select(inputs)
        parts = X.take(train), X.take(held_out), y[train], y[held_out]
        weights: tuple[Array | None, Array | None] = (None, None)
        if weight is not None:
            with noting() as said:
                w = read_weights(table[weight], said)
            weights = w[train], w[held_out]
            for own, part in zip(weights, ("training", "test"), strict=True):
                if not own.any():
                    rule = f"must not be 0 in all {part} rows"
                    raise InvalidDataError(rule, table[weight].where)
        return cls(*parts, target, task, notation, groups, *weights, large, weight, division.group)

    def network(self, **parameters: Any) -> Any:
        """Return an estimator for the task that consists of one network."""
        from multilayer.estimators import MLPClassifier, MLPRegressor

        if self.task == "classification":
            return MLPClassifier(**parameters)
        return MLPRegressor(scale_targets=True, **parameters)

    def tabular(self, **parameters: Any) -> Any:
        """Return a tabular estimator for the task."""
        from multilayer.estimators import TabularClassifier, TabularRegressor

        return (TabularClassifier if self.task == "classification" else TabularRegressor)(
            **parameters
        )


def _last(table: Table) -> str:
    """Return the last column that has a name and entries, since lines may end in separators."""
    named = [n for n in table.columns if not n.startswith("Unnamed: ")]
    full = [n for n in named if table[n].n_present]
    if full and full[-1] != named[-1]:
        note(f"the last column, {named[-1]!r}, is empty: the target is {full[-1]!r}")
    return full[-1] if full else table.columns[-1]


def truth(entries: Entries, targets: Targets | None) -> Array:
    """Return a column's entries as targets of the model: numbers, or its classes.

    Missing targets are NaN or None.
    """
    with noting() as said:
        if targets is None:
            return read_numbers(entries, said)[0]
        return targets.from_entries(entries, said)


def _target(table: Table, target: str, asked: str | None) -> TargetColumn:
    """Return the targets, and print a note if numbers are treated as classes.

    Raises
    ------
    InvalidDataError
        If the entries do not suit the task.
    """
    task = None if asked is None else TASKS.check(asked)
    found = read_target(table, target, task, hint=": --task regression takes them as numbers")
    if task is None and found.notation is not None and found.task == "classification":
        n_kinds = len(np.unique(found.values[are_there(found.values)]))
        if n_kinds > 2:
            note(
                f"the {n_kinds} whole numbers of {target!r} are treated as classes; to "
                "predict them as numbers, pass --task regression"
            )
    return found


def with_target(
    table: Table,
    y: Array,
    target: str,
    bad_rows: str | None = "skip",
    *,
    is_sample: bool = False,
) -> tuple[Table, Array]:
    """Return the rows that have a target, and print a note on the others: see `note_on_missing`.

    Raises
    ------
    InvalidDataError
        If no row has a target, or more rows are bad than `bad_rows` allows.
    """
    is_there = are_there(y)
    if is_there.all():
        return table, y
    hint = "" if bad_rows else "; to leave such rows out, pass --bad-rows skip"
    says = note_on_missing(target, table, ~is_there, bad_rows, is_sample=is_sample, hint=hint)
    note(says)
    kept = np.flatnonzero(is_there)
    return table.take(kept), y[kept]


def _with_target(large: LargeTable, target: str, task: str) -> LargeTable:
    """Return the rows of a large table that have a target."""
    from multilayer.estimators.roles import Roles

    with notes(TableWarning):  # the estimator reports doubtful entries itself
        roles = Roles.of(large, target, None, None, are_classes=task == "classification")
    return large.without(roles.lack_target)


def _check_values(entries: Entries, y: Array) -> None:
    """Raise if all values are equal, or so large that their squares overflow."""
    if len(np.unique(y)) < 2:
        raise InvalidDataError(
            f"{entries.where}, the target, must have different values; all are {y[:1]}"
        )
    checks.finite_squares(y, "targets")


def _classes(entries: Entries, y: Array) -> Array:
    """Return classes as whole numbers or texts.

    Raises
    ------
    InvalidDataError
        If there are fewer than two, or too many.
    """
    classes = y.astype(np.int64) if y.dtype.kind == "f" else y.astype(str)
    n_classes = len(np.unique(classes))
    if n_classes < 2:
        got = repr(classes[0].item()) if len(classes) else "no entry"
        raise InvalidDataError(
            f"{entries.where}, the target, must have at least two classes; all are {got}"
        )
    if n_classes > max(MOST_CLASSES, TOO_MANY * len(classes)):
        raise InvalidDataError(
            f"{entries.where}, the target, must have classes that repeat; it has "
            f"{n_classes:,} in {len(classes):,} rows, such as {classes[0].item()!r}"
        )
    return classes
