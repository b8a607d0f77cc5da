"""Tables as columns, whatever library made them; entries as numbers or as words."""

import datetime
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.errors import InvalidDataError, InvalidTypeError

__all__ = ["as_numbers", "as_words", "holds_numbers", "read_table"]

Array = npt.NDArray[Any]

TWICE = "the columns of {} must have a name each; got {!r} twice"


class Table(dict[str, Array]):
    """A table's columns by name, as `read_table` has read them; it reads them no second time."""


def read_table(X: object, name: str = "X", names: Sequence[str] | None = None) -> Table:
    """Return a table's columns by name, each as an array of numbers or of Python's objects.

    Among objects there are numbers and strings, and None for gaps. A gap is None, NaN, what a
    library has for it, a masked entry, or an empty string. Booleans are the numbers 1 and 0, the
    entries of a column of categories are words (see `as_words`).

    Parameters
    ----------
    X : data frame, mapping or array-like of shape (n_samples, n_columns)
        A frame of pandas, polars, pyarrow or another library that narwhals knows; names with a
        vector each; or rows. A frame whose columns are not all named by strings is taken as rows.
    name : str
        What messages call it.
    names : sequence of str, optional
        What the columns of rows are called; ``x0``, ``x1``, … by default.

    Raises
    ------
    InvalidDataError
        If columns have one name twice or different lengths, or hold dates, lists or other things
        than numbers, text and booleans; or there are not as many as `names`. The message names the
        column.
    InvalidTypeError
        If it is no table.

    Examples
    --------
    >>> table = read_table({"age": [39, None], "job": ["baker", ""], "size": np.array([1.5, 2])})
    >>> table["age"], table["job"], table["size"]
    (array([39, None], dtype=object), array(['baker', None], dtype=object), array([1.5, 2. ]))
    """
    if isinstance(X, Table):
        return X
    if isinstance(X, Mapping):
        pairs: Iterable[tuple[Any, Any]] = X.items()
    elif isinstance(X, (np.ndarray, list, tuple)):
        pairs = _of_rows(X, name, names)
    else:
        pairs = _of_frame(X, name, names)
    columns = Table()
    for column, values in pairs:
        if not isinstance(column, str):
            msg = f"the columns of {name} must be named by strings; got {column!r}"
            raise InvalidDataError(msg)
        if column in columns:
            raise InvalidDataError(TWICE.format(name, column))
        columns[column] = _entries(values, f"column {column!r} of {name}")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"the columns of {name} must have one length; got {lengths}"
        raise InvalidDataError(msg)
    return columns


def holds_numbers(entries: Array) -> bool:
    """Return whether a column that `read_table` has read holds numbers and gaps alone."""
    return entries.dtype != object or all(v is None or isinstance(v, Real) for v in entries)


def as_numbers(entries: Array, name: str) -> Array:
    """Return entries that `read_table` has read as float64, with NaN for gaps.

    Raises
    ------
    InvalidDataError
        If there is a word, or a number that is not finite in float64; the message says in which
        row. `name` is what it calls the column.

    Examples
    --------
    >>> as_numbers(np.array([39, None], dtype=object), "column 'age'")
    array([39., nan])
    """
    if not holds_numbers(entries):
        row = next(i for i, entry in enumerate(entries) if isinstance(entry, str))
        msg = f"{name} must hold numbers; got {entries[row]!r} at row {row}"
        raise InvalidDataError(msg)
    try:
        numbers = entries.astype(np.float64)  # of None it makes NaN
    except OverflowError as error:
        msg = f"{name} must hold numbers that float64 holds: {error}"
        raise InvalidDataError(msg) from error
    if np.isinf(numbers).any():
        row = int(np.argmax(np.isinf(numbers)))
        msg = f"{name} must hold finite numbers; got {numbers[row]} at row {row}"
        raise InvalidDataError(msg)
    return numbers


def as_words(entries: Array) -> list[str | None]:
    """Return entries that `read_table` has read as words, with None for gaps.

    A number's word is the shortest that says it in its own type, of whole ones without a decimal
    point: the words of 7, 7.0 and ``numpy.float32(7)`` are the same.

    Examples
    --------
    >>> as_words(np.array([7, 2.5, np.nan], dtype=np.float32))
    ['7', '2.5', None]
    """
    if entries.dtype.kind == "f" and entries.dtype != np.float64:
        return [_word(value) for value in entries]
    return [_word(value) for value in entries.tolist()]


def _of_rows(X: Any, name: str, names: Sequence[str] | None) -> list[tuple[Any, Any]]:
    """Return the columns of rows."""
    try:
        rows = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    except ValueError as error:
        msg = f"{name} must be a table: {error}"
        raise InvalidDataError(msg) from error
    if rows.ndim != 2:
        msg = f"{name} must be a table, of shape (n_samples, n_columns); got {rows.shape}"
        raise InvalidDataError(msg)
    return _named([rows[:, i] for i in range(rows.shape[1])], name, names)


def _named(columns: list[Any], name: str, names: Sequence[str] | None) -> list[tuple[Any, Any]]:
    """Give columns their names by their places."""
    if names is None:
        names = [f"x{i}" for i in range(len(columns))]
    if len(names) != len(columns):
        msg = f"{name} must have {len(names)} columns ({', '.join(names)}); got {len(columns)}"
        raise InvalidDataError(msg)
    return list(zip(names, columns, strict=True))


def _of_frame(X: Any, name: str, names: Sequence[str] | None) -> list[tuple[Any, Any]]:
    """Return a frame's columns."""
    with forks.imports:
        import narwhals as nw  # prediction from vectors needs NumPy alone

    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError as error:
        msg = f"{name} must be a data frame in memory, a mapping or rows; got {type(X).__name__}"
        raise InvalidTypeError(msg) from error
    except nw.exceptions.DuplicateError as error:
        found = list(X.columns)
        raise InvalidDataError(TWICE.format(name, max(found, key=found.count))) from error
    columns = [_of_series(frame[:, i]) for i in range(len(frame.columns))]
    if all(isinstance(column, str) for column in frame.columns):
        return list(zip(frame.columns, columns, strict=True))
    return _named(columns, name, names)


def _of_series(series: Any) -> Array:
    """Return a column of a frame: numbers as they are where they can be, all else as objects."""
    with forks.imports:
        import narwhals as nw

    if series.dtype in (nw.Categorical, nw.Enum):
        values = series.to_list()
        return _objects(_word(v) if isinstance(v, (str, Real, np.bool_)) else v for v in values)
    if series.dtype.is_float():
        numbers: Array = series.to_numpy()
        return numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    if series.dtype.is_decimal():
        return series.cast(nw.Float64()).to_numpy().astype(np.float64)
    return _objects(series.to_list())


def _entries(values: Any, name: str) -> Array:
    """Return one column as numbers, or as objects of which each is a number, a string or None."""
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__len__"):
        msg = f"{name} must be a vector; got {type(values).__name__}"
        raise InvalidDataError(msg)
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()
    if isinstance(getattr(values, "dtype", None), np.dtype):
        array = np.asarray(values)
    else:  # another library's own types would become numbers with fewer digits
        array = _objects(values.tolist() if hasattr(values, "tolist") else values)
    if array.ndim != 1:
        msg = f"{name} must be a vector; got shape {array.shape}"
        raise InvalidDataError(msg)
    if array.dtype.kind in "iuf":
        return array
    if array.dtype.kind in "Mm":
        raise InvalidDataError(_unusable(name, "a date or a duration"))
    # NumPy writes the gap among words, where it has made one array of both, as a word.
    gap = "nan" if array.dtype.kind == "U" else ""
    return _objects(_entry(value, name, gap) for value in array.tolist())


def _entry(value: Any, name: str, gap: str) -> Any:
    """Return a number, a string, or None."""
    if isinstance(value, str):
        return None if value in ("", gap) else value
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, Real):
        return None if value != value else value
    is_time = isinstance(value, (datetime.date, datetime.time, datetime.timedelta))
    kind = "a date or a duration" if is_time else "an entry"
    raise InvalidDataError(_unusable(name, f"{kind} of type {type(value).__name__}"))


def _unusable(name: str, what: str) -> str:
    return (
        f"{name} must hold numbers, text or booleans; got {what}: leave it out, or give what "
        "counts of it as numbers"
    )


def _objects(values: Iterable[Any]) -> Array:
    """Return a vector of Python's objects, even of such as have a length."""
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _word(value: Any) -> str | None:
    """Return what a category is called."""
    if isinstance(value, (bool, np.bool_, Integral)):
        return str(int(value))
    if isinstance(value, Real):
        # The shortest that says it in its type.
        number = float(str(value)) if isinstance(value, np.floating) else float(value)
        if number != number:
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    return value or None
