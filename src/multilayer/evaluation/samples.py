"""The samples that are given to `evaluate`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Table, read_table
from multilayer.data.vectors import is_missing
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model import Model
from multilayer.registry import Names

__all__ = ["OWNER", "Samples", "are_there", "samples_of"]

Array = npt.NDArray[Any]

OWNER = "evaluate"


class Samples(NamedTuple):
    """The samples that have a target."""

    X: Any
    """In the form that the model takes."""
    y: Array
    table: Table | None
    """All columns; None if they have no names."""
    groups: Array | None
    """The group of each sample as a number from 0; None without groups."""
    grouped_by: str | None
    """The column that holds the groups, if one does."""
    n_without_target: int


def samples_of(X: Any, y: Any, groups: Any, model: Model) -> Samples:
    """Return the samples that have a target.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If they do not fit the model or each other.
    """
    y = checks.array(y, "y", OWNER)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        rule = "must be a vector, one target per sample"
        raise InvalidDataError(rule, "y", OWNER, got=f"shape {y.shape}")
    table = _table_of(X, model)
    if table is None:
        X = X if hasattr(X, "shape") else checks.array(X, "X", OWNER)
    n = X.shape[0] if table is None else len(table)
    if n != len(y):
        rule = f"must have {n} targets, one per sample of X"
        raise InvalidDataError(rule, "y", OWNER, got=len(y))
    codes, column = _codes(groups, table, n)
    kept = np.flatnonzero(are_there(y))
    if len(kept) < 2:
        raise InvalidDataError("must have at least two targets", "y", OWNER, got=len(kept))
    if len(kept) < n:
        y, codes = y[kept], None if codes is None else codes[kept]
        X, table = (X[kept], None) if table is None else (X, table.take(kept))
    if codes is not None:
        names, codes = np.unique(codes, return_inverse=True)
        if len(names) < 2:
            raise InvalidDataError("must have at least two groups", "groups", OWNER)
    if table is not None:
        X = model.inputs.from_table(model.inputs.columns_of(table), [])
    return Samples(X, y, table, codes, column, n - len(y))


def _table_of(X: Any, model: Model) -> Table | None:
    """Return the samples as a table, or None if their columns have no names."""
    if not (isinstance(X, (Table, Mapping)) or hasattr(X, "columns")):
        return None
    return read_table(X).without(model.inputs.missing)


def are_there(y: Array) -> Array:
    """Return which targets are not missing."""
    if y.dtype.kind == "f":
        return ~np.isnan(y)
    return np.array([not is_missing(each) for each in y.tolist()], dtype=bool)


def _codes(groups: Any, table: Table | None, n: int) -> tuple[Array | None, str | None]:
    """Return the group of each sample as a number, and the column that holds it, if one does."""
    if groups is None:
        return None, None
    if isinstance(groups, str):
        if table is None:
            rule = "must be an array, or a column of a table"
            raise InvalidArgumentError(rule, "groups", OWNER, got=repr(groups))
        name = Names("groups", table.columns).check(groups, OWNER)
        codes, _ = table[name].categories()
        # A sample without a group is a group of its own.
        return np.where(codes < 0, -1 - np.arange(n), codes), name
    found = checks.array(groups, "groups", OWNER)
    if found.shape != (n,):
        rule = f"must have shape ({n},), one group per sample"
        raise InvalidDataError(rule, "groups", OWNER, got=found.shape)
    return np.unique(found, return_inverse=True)[1], None
