"""One row of a table as plain values, so that a prediction for it needs no typed columns."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from multilayer.data.entries import LARGEST
from multilayer.data.vectors import is_missing

__all__ = ["OTHER", "Entry", "plain_row"]

Entry = str | float | None
"""A text, a number (finite or infinite) or a boolean, of Python or NumPy; None if missing."""


class _Other:
    def __repr__(self) -> str:
        return "OTHER"


OTHER: Final = _Other()
"""Marks an entry that only `entries_of` can read."""

WHOLE = frozenset((
    bool, int, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
    np.uint64,
))  # fmt: skip
REAL = frozenset((float, np.float32, np.float64))
NULLABLE = frozenset((
    "boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float64",
))  # fmt: skip
"""The pandas types whose entries are missing or the same as those of a NumPy type."""


def plain_row(X: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """Return the entries of a table with one row, by column, each an `Entry` or `OTHER`.

    The table may be a pandas data frame, a dict of vectors, a list of one dict, or a matrix, whose
    columns get these `names`. Return None if it has another form, or does not have exactly one row.

    Examples
    --------
    >>> plain_row({"age": [39], "job": ["baker"], "since": [np.datetime64("2024-01-05")]}, ())
    {'age': 39, 'job': 'baker', 'since': OTHER}
    """
    if type(X) is list and len(X) == 1 and isinstance(X[0], Mapping):
        return _row_of(X[0], list(X[0].values()))
    if isinstance(X, Mapping):
        columns = list(X.values())
        if not all(map(_is_vector_of_one, columns)):
            return None
        return _row_of(X, [column[0] for column in columns])
    if type(X) is np.ndarray:
        if X.ndim != 2 or X.shape != (1, len(names)) or X.dtype.kind not in "biufO":
            return None
        return _row_of(names, list(X[0]))
    pandas: Any = sys.modules.get("pandas")  # if X is a data frame, pandas has been imported
    is_frame = isinstance(X, getattr(pandas, "DataFrame", ()))
    if not is_frame or len(X) != 1:
        return None
    kinds, get = (pandas.StringDtype, pandas.CategoricalDtype), X.iat
    entries = [
        entry if type(entry := get[0, i]) is str else _of_pandas(entry, dtype, kinds)
        for i, dtype in enumerate(X.dtypes.tolist())
    ]
    return _row_of(X.columns.tolist(), entries)


def _is_vector_of_one(column: Any) -> bool:
    if type(column) is np.ndarray:
        return column.shape == (1,) and column.dtype.kind in "biufO"
    return type(column) in (list, tuple) and len(column) == 1


def _row_of(names: Iterable[Any], entries: Sequence[Any]) -> dict[str, Any] | None:
    """Return a row; None if some column's name is not a string, or occurs twice."""
    row = dict(zip(names, map(_plain, entries), strict=True))
    is_named = len(row) == len(entries) and all(type(name) is str for name in row)
    return row if is_named else None


def _plain(entry: Any) -> Any:
    """Return a plain entry unchanged, None if it marks a missing value, and otherwise `OTHER`."""
    kind = type(entry)
    if kind is str or entry is None:
        return entry
    if kind in REAL:
        return entry if entry == entry else None
    if kind in WHOLE:
        return entry if -LARGEST <= entry <= LARGEST else OTHER
    return None if kind.__name__ in ("NAType", "NaTType") else OTHER


def _of_pandas(entry: Any, dtype: Any, kinds: tuple[type, ...]) -> Any:
    """Return an entry that is not text, or `OTHER` if it must be read by its column's type."""
    if isinstance(dtype, np.dtype):
        if dtype.kind == "f":
            return dtype.type(entry)  # pandas may return a Python float
        return entry if dtype.kind in "biuO" else OTHER
    if isinstance(dtype, kinds):  # for example, numbers among categories are names
        return entry if is_missing(entry) else OTHER
    return entry if dtype.name in NULLABLE else OTHER
