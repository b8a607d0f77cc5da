"""Converting targets from any library to plain arrays, and text to numbers."""

import datetime
from collections import Counter
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
from scipy.sparse import issparse

from multilayer import checks
from multilayer.caller import warn
from multilayer.data import Table, TableWarning
from multilayer.data.notation import Notation, find_notation
from multilayer.data.vectors import is_missing
from multilayer.errors import InvalidDataError

__all__ = ["numbers_of_targets", "plain_targets", "shown"]


def plain_targets(y: Any, name: str, *, are_numbers: bool) -> Any:
    """Return targets without their library's own types, such as nullable integers.

    If targets are numbers, durations become seconds.

    Raises
    ------
    InvalidDataError
        If an entry is masked or missing, or targets are dates, classes that are durations, or
        classes of several types.
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        raise InvalidDataError("must not have masked entries: fill or drop them first", name)
    if issparse(y) or y is None:
        return y
    given = values = np.asarray(y)
    if not values.ndim:
        return y  # scikit-learn refuses it
    if values.dtype.kind == "U" and not isinstance(y, np.ndarray):
        values = np.array(y, dtype=object)  # keeps 1 apart from "1", and NaN from "nan"
    is_missing = _are_missing(values)
    if is_missing.any():
        index = np.unravel_index(int(np.argmax(is_missing)), values.shape)
        rule = f"must not have missing values; the first is at {checks.place(index)}"
        raise InvalidDataError(rule, name)
    types = set(map(type, values.ravel())) if values.dtype.kind in "OT" else set()
    if are_numbers and types and all(issubclass(kind, datetime.timedelta) for kind in types):
        values = values.astype("m8[us]")
    if are_numbers and values.dtype.kind == "m":
        return values / np.timedelta64(1, "s")  # NaN where missing
    times = (datetime.date, datetime.timedelta, datetime.time)
    has_times = any(issubclass(kind, times) or kind.__name__ == "Period" for kind in types)
    if values.dtype.kind in "Mm" or has_times:
        rule = f"must hold {'numbers' if are_numbers else 'classes'}"
        raise InvalidDataError(rule, name, got="dates or durations")
    if not types:
        return _without_library(y, given)
    if all(issubclass(kind, (Number, np.bool_)) for kind in types):
        plain = [float(each) if isinstance(each, Decimal) else each for each in values.ravel()]
        return np.array(plain).reshape(values.shape)
    if not are_numbers and values.ndim == 1 and len({_base(kind) for kind in types}) > 1:
        kinds = " and ".join(sorted(kind.__name__ for kind in types))
        raise InvalidDataError("must hold classes of one type", name, got=kinds)
    return _without_library(y, given)


def _without_library(y: Any, values: Any) -> Any:
    return y if isinstance(y, (list, tuple, np.ndarray)) else values


def _base(kind: type) -> type:
    """Return str for any kind of text, and other types as they are."""
    return str if issubclass(kind, str) else kind


def _are_missing(values: Any) -> Any:
    """Return which targets are missing; scikit-learn reports NaN among numbers."""
    if values.dtype.kind == "U":  # NumPy turns NaN among texts into "nan"
        return values == "nan"
    if values.dtype.kind not in "OT":
        return np.zeros(values.shape, dtype=bool)
    found = [is_missing(value) for value in values.ravel()]
    return np.array(found, dtype=bool).reshape(values.shape)


def numbers_of_targets(
    y: Any, name: str, notation: Notation | None = None, table: Table | None = None
) -> tuple[Any, Notation | None]:
    """Return targets as numbers if they are text, such as ``"208,500"``; others unchanged.

    Parameters
    ----------
    y : array-like
    name : str
        The name of the targets in messages.
    notation : Notation, optional
        How the training targets were written; found from the targets by default.
    table : Table, optional
        The samples; their decimal mark decides if the targets are ambiguous.

    Returns
    -------
    y : array-like
    notation : Notation or None
        How they are written; None if they are not text.

    Raises
    ------
    InvalidDataError
        If a text is not a number; the message says which.

    Warns
    -----
    TableWarning
        If the notation may be wrong.
    """
    values = np.asarray(y)
    if values.dtype.kind not in "OUT" or not values.ndim:
        return y, notation
    items = values.ravel().tolist()
    texts = [value.strip() if isinstance(value, str) else None for value in items]
    different = Counter(text for text in texts if text is not None)
    if not different:
        return y, notation
    if notation is None:
        decimal = None if table is None else table.decimal or table.shown_decimal()
        counts = np.array([*different.values()])
        found = find_notation([*different], counts, decimal, is_asked=True)
        if found is None or found.notation is None:
            raise InvalidDataError("must hold numbers", name, got=repr(next(iter(different))))
        notation = found.notation
        for says, _ in found.doubts:
            warn(TableWarning(f"{name} {says}", ()))
    numbers = [
        value if text is None else notation.number(text)
        for text, value in zip(texts, items, strict=True)
    ]
    if None in numbers:
        index = np.unravel_index(numbers.index(None), values.shape)
        got = f"{texts[numbers.index(None)]!r} at {checks.place(index)}"
        raise InvalidDataError("must hold numbers", name, got=got)
    return np.array(numbers, dtype=np.float64).reshape(values.shape), notation


def shown(target: Any) -> str:
    """Return a target as messages show it: NumPy's scalars without their type."""
    return repr(target.item() if isinstance(target, np.generic) else target)
