"""Tables as columns, whatever library made them: numbers with NaN, words with None, for gaps."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError, InvalidTypeError

__all__ = ["as_words", "read_table"]

Array = npt.NDArray[Any]

TWICE = "the columns of {} must have a name each; got {!r} twice"


def read_table(X: object, name: str = "X") -> dict[str, Array]:
    """Return a table's columns by name.

    A column of numbers becomes float64, with NaN for gaps. Any other becomes an array of Python's
    strings, with None for gaps: booleans are the words ``True`` and ``False``, and so is a column
    of text, of categories (numbers among them), or of both numbers and text. A gap is None, NaN,
    what a library has for it, or an empty string.

    Parameters
    ----------
    X : data frame, mapping or array-like of shape (n_samples, n_columns)
        A frame of pandas, polars, pyarrow or another library that narwhals knows; names with a
        vector each; or rows, whose columns are then named ``x0``, ``x1``, ….
    name : str
        What messages call it.

    Raises
    ------
    InvalidDataError
        If columns have one name twice or different lengths, or hold dates, lists or
        other things than numbers, text and booleans. The message names the column.
    InvalidTypeError
        If it is no table.

    Examples
    --------
    >>> table = read_table({"age": [39, None], "job": ["baker", ""], "owner": [True, False]})
    >>> table["age"]
    array([39., nan])
    >>> table["job"], table["owner"]
    (array(['baker', None], dtype=object), array(['True', 'False'], dtype=object))
    """
    columns: dict[str, Array] = {}
    for column, values in _pairs(X, name):
        if str(column) in columns:
            raise InvalidDataError(TWICE.format(name, column))
        columns[str(column)] = _column(values, f"column {str(column)!r} of {name}")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"the columns of {name} must have one length; got {lengths}"
        raise InvalidDataError(msg)
    return columns


def as_words(values: Array) -> Array:
    """Return numbers as words, whole ones without a decimal point, and gaps as None.

    Examples
    --------
    >>> as_words(np.array([7.0, 2.5, np.nan]))
    array(['7', '2.5', None], dtype=object)
    """
    return values if values.dtype == object else _objects(map(_word, values.tolist()))


def _pairs(X: Any, name: str) -> Iterable[tuple[Any, Any]]:
    """Return names and columns, as they come."""
    if isinstance(X, Mapping):
        return X.items()
    if not isinstance(X, (np.ndarray, list, tuple)):
        return _of_frame(X, name)
    try:
        rows = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    except ValueError as error:
        msg = f"{name} must be a table: {error}"
        raise InvalidDataError(msg) from error
    if rows.ndim != 2:
        msg = f"{name} must be a table, of shape (n_samples, n_columns); got {rows.shape}"
        raise InvalidDataError(msg)
    return [(f"x{i}", rows[:, i]) for i in range(rows.shape[1])]


def _of_frame(X: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield a frame's columns: categories as words, numbers with NaN, all else as objects."""
    import narwhals as nw  # prediction from vectors needs NumPy alone

    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError as error:
        msg = f"{name} must be a data frame in memory, a mapping or rows; got {type(X).__name__}"
        raise InvalidTypeError(msg) from error
    except nw.exceptions.DuplicateError as error:
        names = list(X.columns)
        raise InvalidDataError(TWICE.format(name, max(names, key=names.count))) from error
    for i, column in enumerate(frame.columns):
        series = frame[:, i]
        if series.dtype.is_numeric():
            yield column, series.cast(nw.Float64()).to_numpy().astype(np.float64)
        elif series.dtype in (nw.Categorical, nw.Enum):
            yield column, _objects(None if _is_gap(v) else _word(v) for v in series.to_list())
        else:
            yield column, _objects(series.to_list())


def _column(values: Any, name: str) -> Array:
    """Return one column as numbers or as words."""
    array = values if isinstance(values, np.ndarray) else _objects(values)
    if array.ndim != 1:
        msg = f"{name} must be a vector; got shape {array.shape}"
        raise InvalidDataError(msg)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64)
    gaps = [_is_gap(value) for value in array.tolist()]
    present = [value for value, gap in zip(array.tolist(), gaps, strict=True) if not gap]
    if array.dtype.kind == "O" and all(_is_number(value) for value in present):
        numbers = np.full(len(array), np.nan)
        try:
            numbers[~np.array(gaps, dtype=bool)] = present
        except OverflowError as error:
            msg = f"{name} must hold numbers of float64: {error}"
            raise InvalidDataError(msg) from error
        return numbers
    for value in present:
        if not isinstance(value, (str, bool, np.bool_)) and not _is_number(value):
            what = "a date" if isinstance(value, (datetime.date, datetime.time)) else "an entry"
            msg = (
                f"{name} must hold numbers, text or booleans; got {what} of type "
                f"{type(value).__name__}: leave it out, or give what counts of it as numbers"
            )
            raise InvalidDataError(msg)
    return _objects(
        None if gap else _word(value) for value, gap in zip(array.tolist(), gaps, strict=True)
    )


def _objects(values: Iterable[Any]) -> Array:
    """Return a vector of Python's objects, even of such as have a length."""
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _is_gap(value: Any) -> bool:
    if isinstance(value, str):
        return not value
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or value is np.ma.masked
        or (isinstance(value, Real) and value != value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _word(value: Any) -> str | None:
    if isinstance(value, float):
        if value != value:
            return None
        return str(int(value)) if value.is_integer() else repr(float(value))
    return str(value)
