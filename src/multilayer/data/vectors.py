"""Vectors: convert a column from any library to typed entries."""

import datetime
import enum
import pathlib
import reprlib
import uuid
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.data.entries import (
    LARGEST,
    DateEntries,
    Entries,
    NumberEntries,
    Origin,
    TextEntries,
    UnusableEntries,
    category,
)
from multilayer.errors import InvalidDataError

__all__ = ["entries_of", "is_missing"]

Array = npt.NDArray[Any]

TEXTS = (datetime.date, uuid.UUID, pathlib.PurePath)
"""Types whose text is the category's name. The type of pandas intervals is checked by its name."""
EPOCH = datetime.datetime(1970, 1, 1)


def entries_of(values: Any, column: str, origin: Origin) -> Entries:
    """Return a column as typed entries.

    Missing values are None, NaN, a library's own marks, masked entries, and empty texts.

    Parameters
    ----------
    values : sequence, array or series
        A NumPy or Python vector, or a column of pandas, polars, pyarrow or another library that
        narwhals supports.
    column : str
    origin : Origin
        The table that the column belongs to.

    Raises
    ------
    InvalidDataError
        If `values` is not a vector.
    """
    name = f"column {column!r}"
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise InvalidDataError(
                "must be a vector", name, origin.table, got=f"shape {values.shape}"
            )
        return _of_array(values, column, origin)
    if isinstance(values, (list, tuple)):
        return _of_objects(list(values), column, origin)
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__len__"):
        rule = "must be a vector"
        if values is None or isinstance(values, (str, bytes, Real, *TEXTS)):
            rule += f"; for one row, write {{{column!r}: [{reprlib.repr(values)}], …}}"
        raise InvalidDataError(rule, name, origin.table, got=type(values).__name__)
    with forks.imports:
        import narwhals as nw  # imported here: prediction from vectors needs only NumPy

    series = nw.from_native(_as_column(values), series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        return _of_series(series, column, origin)
    return _of_objects(list(values), column, origin)


def _as_column(values: Any) -> Any:
    """Return a pandas or pyarrow array as a column of the same library; all else as it is."""
    library = type(values).__module__.partition(".")[0]
    with forks.imports:
        if library == "pandas":
            import pandas as pd

            return values if isinstance(values, pd.Series) else pd.Series(values)
        if library == "pyarrow":
            import pyarrow as pa

            return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return values


def _of_array(values: Array, column: str, origin: Origin) -> Entries:
    """Return the entries of a NumPy vector."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        if values.dtype.kind in "biuf":
            return NumberEntries(column, origin, values.data, mask)
        return _of_objects(values.tolist(), column, origin)  # masked entries become None
    kind = values.dtype.kind
    if kind in "biuf":
        return NumberEntries(column, origin, values)
    if kind == "M":
        return DateEntries(column, origin, _seconds(values), has_zone=False)
    if kind == "m":
        return NumberEntries(column, origin, _seconds(values), are_times=True)
    items = values.tolist()
    if kind == "U":  # what NumPy writes for NaN in an array of texts
        items = [None if item == "nan" else item for item in items]
    if kind in "OUT":
        return _of_objects(items, column, origin)
    what = {"c": "complex numbers", "S": "bytes"}.get(kind, f"entries of dtype {values.dtype}")
    return UnusableEntries(column, origin, len(values), what)


def _seconds(times: Array) -> Array:
    """Return NumPy dates or durations in seconds, NaN for NaT."""
    kind = "datetime64[us]" if times.dtype.kind == "M" else "timedelta64[us]"
    seconds = times.astype(kind).astype(np.int64) / 1e6
    return np.where(np.isnat(times), np.nan, seconds)


def _of_series(series: Any, column: str, origin: Origin) -> Entries:
    """Return the entries of a column of a frame."""
    with forks.imports:
        import narwhals as nw

    dtype = series.dtype
    if dtype in (nw.Int128, nw.UInt128) or dtype.is_decimal():  # NumPy has no such types
        return _of_objects(series.to_list(), column, origin)
    if dtype.is_float() or dtype.is_integer() or dtype == nw.Boolean:
        is_missing = None
        if not dtype.is_float() and series.null_count():
            is_missing = series.is_null().to_numpy()
            series = series.fill_null(False if dtype == nw.Boolean else 0)
        values = np.asarray(series.to_numpy())
        if values.dtype.kind not in "biuf":  # pandas' own float types, with pandas.NA
            values = values.astype(np.float64)
        return NumberEntries(column, origin, values, is_missing)
    if dtype in (nw.Categorical, nw.Enum):
        return _of_categories(series, column, origin)
    of_objects = isinstance(getattr(series.to_native(), "dtype", None), np.dtype)
    if dtype == nw.String and not of_objects:  # narwhals looks at only a few pandas objects
        return _of_texts(series, column, origin)
    if dtype == nw.Datetime:
        has_zone = dtype.time_zone is not None
        if has_zone:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return DateEntries(column, origin, _seconds(_times(series)), has_zone)
    if dtype == nw.Date:
        series = series.cast(nw.Datetime("us"))
        return DateEntries(column, origin, _seconds(_times(series)), has_zone=False)
    if dtype == nw.Duration:
        return NumberEntries(column, origin, _seconds(_times(series)), are_times=True)
    if dtype in (nw.List, nw.Array, nw.Struct, nw.Binary):
        return UnusableEntries(column, origin, len(series), f"entries of type {dtype}")
    return _of_objects(series.to_list(), column, origin)


def _times(series: Any) -> Array:
    """Return dates or durations as a NumPy array, with NaT for missing values."""
    times = np.asarray(series.to_numpy())
    return times if times.dtype.kind in "Mm" else np.array(series.to_list(), "datetime64[us]")


def _of_categories(series: Any, column: str, origin: Origin) -> Entries:
    """Return the entries of a library's own categories, by their codes."""
    native = series.to_native()
    if hasattr(native, "cat") and hasattr(native.cat, "codes"):  # pandas
        names = native.cat.categories.to_numpy()
        return _of_codes(native.cat.codes.to_numpy(), names, column, origin)
    found = _encoded(series)
    if found is None:
        names = [None if value is None else _name(value) for value in series.to_list()]
        return _factorized(names, column, origin, is_category=True)
    return _of_codes(*found, column, origin)


def _of_codes(codes: Array, names: Iterable[Any], column: str, origin: Origin) -> Entries:
    """Return the entries of category codes, −1 if missing."""
    try:
        texts = ["" if _or_none(name) is None else _name(_or_none(name)) for name in names]
    except TypeError as error:
        return UnusableEntries(column, origin, len(codes), str(error))
    return TextEntries(column, origin, codes.astype(np.int32), texts, is_category=True)


def _of_texts(series: Any, column: str, origin: Origin) -> Entries:
    """Return the entries of a column of texts."""
    found = _encoded(series)
    if found is None:
        return _of_objects(series.to_list(), column, origin)
    codes, texts = found
    return TextEntries(column, origin, codes.astype(np.int32), [text or "" for text in texts])


def _encoded(series: Any) -> tuple[Array, list[Any]] | None:
    """Return codes and the distinct entries, by pyarrow; None if pyarrow is not installed."""
    try:
        with forks.imports:
            import pyarrow as pa
    except ImportError:
        return None
    found = series.to_arrow()
    if isinstance(found, pa.ChunkedArray):
        found = found.unify_dictionaries().combine_chunks()
    if not isinstance(found, pa.DictionaryArray):
        found = found.dictionary_encode()
    codes = found.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, found.dictionary.to_pylist()


def _of_objects(values: list[Any], column: str, origin: Origin) -> Entries:
    """Return the entries of Python objects, by their types."""
    types = set(map(type, values))
    if types <= {str, type(None)} and str in types:  # a fast path for the usual case
        return _factorized(values, column, origin)
    values = [value if type(value) is str else _or_none(value) for value in values]
    types = set(map(type, values)) - {type(None)}
    if all(issubclass(kind, (Real, np.bool_)) for kind in types):
        return _of_numbers(values, types, column, origin)
    if all(issubclass(kind, datetime.date) for kind in types):
        return _of_dates(values, column, origin)
    if all(issubclass(kind, (datetime.timedelta, datetime.time)) for kind in types):
        seconds = [np.nan if value is None else _duration(value) for value in values]
        return NumberEntries(column, origin, np.array(seconds), are_times=True)
    try:
        names = [v if v is None or type(v) is str else _name(v) for v in values]
    except TypeError as error:
        return UnusableEntries(column, origin, len(values), str(error))
    return _factorized(names, column, origin)


def is_missing(value: Any) -> bool:
    """Return whether a value marks a missing value, in any library."""
    return _or_none(value) is None


def _or_none(value: Any) -> Any:
    """Return a value as a Python object, or None if it marks a missing value."""
    if value is None or value is np.ma.masked:
        return None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if type(value).__name__ == "Period":
        return value.start_time
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return None if np.isnat(value) else value.astype(f"{type(value).__name__}[us]").item()
    if isinstance(value, Decimal):
        if value.is_nan():  # a signaling NaN cannot be compared
            return None
        is_whole = value.is_finite() and value.adjusted() < 20 and value % 1 == 0
        return int(value) if is_whole else float(value)  # an int keeps all digits
    if isinstance(value, Real) and value != value:
        return None
    return value


def _of_numbers(values: list[Any], types: set[type], column: str, origin: Origin) -> Entries:
    """Return the entries of numbers; whole numbers keep all digits."""
    is_missing = np.array([value is None for value in values], dtype=bool)
    filled = [0 if value is None else value for value in values]
    dtypes: list[Any] = [np.float64]
    are_booleans = [issubclass(kind, (bool, np.bool_)) for kind in types]
    if any(are_booleans):  # among numbers, booleans are names
        dtypes = [np.bool_] if all(are_booleans) else []
    elif types and all(issubclass(kind, Integral) for kind in types):
        dtypes = [np.int64, np.uint64]
    elif all(issubclass(kind, np.floating) for kind in types) and len(types) == 1:
        dtypes = [*types]
    elif any(_is_another(value) for value in values):
        dtypes = []
    for dtype in dtypes:
        with suppress(OverflowError):
            return NumberEntries(column, origin, np.array(filled, dtype), is_missing)
    names = [None if value is None else category(value) for value in values]
    return _factorized(names, column, origin)  # no NumPy vector can hold such numbers


def _is_another(value: Any) -> bool:
    """Return whether float64 would change a number's name: a large integer, or a short float."""
    if isinstance(value, Integral):
        return abs(int(value)) > LARGEST
    return isinstance(value, np.floating) and not isinstance(value, float)


def _of_dates(values: list[Any], column: str, origin: Origin) -> Entries:
    """Return the entries of dates; they are unusable if only some have a time zone."""
    zones = {getattr(value, "tzinfo", None) is not None for value in values if value is not None}
    if len(zones) > 1:
        what = "dates with a time zone and dates without one"
        return UnusableEntries(column, origin, len(values), what)
    seconds = [np.nan if value is None else _since_1970(value) for value in values]
    return DateEntries(column, origin, np.array(seconds), zones == {True})


def _since_1970(value: datetime.date) -> float:
    """Return a date as seconds since the beginning of 1970."""
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return (value - EPOCH).total_seconds()


def _duration(value: datetime.timedelta | datetime.time) -> float:
    """Return a duration, or a time of day, in seconds."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.hour * 3600.0 + value.minute * 60.0 + value.second + value.microsecond / 1e6


def _name(value: Any) -> str:
    """Return the name of a category.

    Raises
    ------
    TypeError
        If the value cannot be a category; the message names its type.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (Real, np.bool_)):
        return category(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, datetime.datetime) and value.timetz() == datetime.time():
        value = value.date()
    if isinstance(value, (datetime.time, datetime.timedelta)):
        return str(datetime.timedelta(seconds=_duration(value)))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC)
    if isinstance(value, TEXTS) or type(value).__name__ == "Interval":
        return str(value)
    raise TypeError(f"an entry of type {type(value).__name__}")


def _factorized(
    names: list[str | None], column: str, origin: Origin, *, is_category: bool = False
) -> TextEntries:
    """Return texts as entries: the distinct texts, and their positions."""
    places: dict[str | None, int] = dict.fromkeys(names, -1)
    places.pop(None, None)
    texts: list[Any] = list(places)
    places = {text: place for place, text in enumerate(texts)} | {None: -1}
    codes = np.fromiter(map(places.__getitem__, names), np.int32, len(names))
    return TextEntries(column, origin, codes, texts, is_category=is_category)
