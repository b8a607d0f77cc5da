"""scikit-learn's checks of samples and targets, whose messages also say where the fault is."""

import datetime
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from numbers import Number
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array, check_consistent_length, compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data

from multilayer.caller import warn
from multilayer.data import Table, TableWarning, read_table
from multilayer.data.notation import Notation, find_notation
from multilayer.data.table import are_numbered, names_of_frame, without_index
from multilayer.data.vectors import is_missing
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model import Columns

__all__ = [
    "check_same_columns",
    "checked_weights",
    "numbers_of_targets",
    "plain_targets",
    "table_of",
    "validated",
]

DTYPES = (np.float64, np.float32)
NOT_FINITE = re.compile(r"Input (X|y) contains (NaN|infinity)[^.]*\.")
NO_NUMBER = "could not convert string to float"
TAKES_TABLES = " With columns='auto' tables with text and missing entries are taken."


def validated(
    estimator: Any,
    *data: Any,
    reset: bool,
    is_encoded: bool = False,
    names: tuple[str, str] = ("X", "y"),
    **settings: Any,
) -> Any:
    """Return samples, and targets if they are given, as scikit-learn checks them.

    Parameters
    ----------
    estimator : BaseMLP
        Whose number and names of features count.
    *data : X, or X and y
    reset : bool
        Whether number and names of features are taken from `X`.
    is_encoded : bool
        Whether X is what `Columns` has made of a table: the targets alone are checked.
    names : tuple of str
        What `fit` calls them.
    **settings
        Those of `sklearn.utils.validation.validate_data`.

    Raises
    ------
    ValueError
        In scikit-learn's words; of what is not finite or no number with row and column.
    """
    check = partial(_check_targets, estimator=estimator)
    if not is_encoded:
        of_samples = {"accept_sparse": "csr", "dtype": DTYPES}
        check = partial(validate_data, estimator, reset=reset, **of_samples)
    try:
        return check(*data, **settings)
    except ValueError as error:
        text = str(error)
        found = NOT_FINITE.match(text)
        if found is None and not text.startswith(NO_NUMBER):
            raise
        is_bad = _is_not_finite if found else _is_no_number
        if found is None:  # which does not say of what
            which = 0 if len(data) == 1 or _place(data[0], is_bad) else 1
        else:
            which = ("X", "y").index(found[1])
        place = _place(data[which], is_bad)
        end = found.end() if found else len(text)
        said = text[:end].replace("Input X", f"Input {names[0]}")
        said = said.replace("Input y", f"Input {names[1]}")
        if found is None:
            said += f" in {names[which]}."
        if which == 0 and (found is None or found[2] == "NaN"):
            place += TAKES_TABLES
        raise ValueError(f"{said}{place}{text[end:]}") from error


def table_of(estimator: Any, X: Any, *, reset: bool, name: str = "X") -> Table:
    """Return samples as a table, whose columns are those that the estimator knows.

    Parameters
    ----------
    estimator : BaseMLP
        Whose number and names of features count.
    X : data frame, Table, mapping or array-like of shape (n_samples, n_columns)
    reset : bool
        Whether number and names of features are taken from `X`.
    name : str
        What `fit` calls it.

    Raises
    ------
    ValueError, TypeError
        If it is no table, or has other columns.
    """
    columns = None if reset else estimator._columns
    if hasattr(X, "collect"):  # a lazy frame, which is refused before it computes anything
        return read_table(X, name)
    X = without_index(X)
    is_frame, is_mapping = hasattr(X, "columns"), _is_of_mappings(X)
    if not (is_frame or is_mapping or isinstance(X, np.ma.MaskedArray)):  # whose mask it would drop
        kind = None if isinstance(X, np.ndarray) else object  # rows of numbers and text
        X = check_array(X, dtype=kind, ensure_all_finite=False, input_name=name)
    # scikit-learn knows names that are text, each once, and has words of its own for others.
    by_scikit_learn = not (is_mapping or isinstance(X, Table))
    if is_frame and by_scikit_learn:
        by_scikit_learn = not _has_odd_names(names_of_frame(X))
    if by_scikit_learn and (columns is None or not _has_those(X, columns)):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    table = read_table(X, name) if columns is None else columns.read(X, name)
    if reset and not by_scikit_learn:
        estimator.feature_names_in_ = np.array(table.columns, dtype=object)
        estimator.n_features_in_ = table.shape[1]
    if not len(table):
        raise InvalidDataError(
            f"Found array with 0 sample(s) in {name} while a minimum of 1 is required."
        )
    return table


def _is_of_mappings(X: Any) -> bool:
    """Return whether it is columns by name, or rows that are; some of SciPy's matrices look so."""
    if isinstance(X, (list, tuple)):
        return bool(X) and isinstance(X[0], Mapping)
    return isinstance(X, Mapping) and not issparse(X)


def plain_targets(y: Any, name: str, *, are_numbers: bool) -> Any:
    """Return targets without what only their library knows, such as nullable integers.

    Raises
    ------
    InvalidDataError
        If an entry is masked or missing, or they are dates, or classes of several types.
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        raise InvalidDataError("must not have masked entries: fill or drop them first", name)
    if issparse(y) or y is None:
        return y
    values = np.asarray(y)
    if not values.ndim:
        return y  # which scikit-learn refuses
    if values.dtype.kind == "U" and isinstance(y, (list, tuple)):
        values = np.array(y, dtype=object)  # in which 1 is no "1", and NaN no "nan"
    is_missing = _are_missing(values)
    if is_missing.any():
        index = np.unravel_index(int(np.argmax(is_missing)), values.shape)
        place = f"index {index[0]}" if len(index) == 1 else f"row {index[0]}, column {index[1]}"
        raise InvalidDataError(f"must not have missing entries; the first is at {place}", name)
    types = set(map(type, values.ravel())) if values.dtype.kind in "OT" else set()
    times = (datetime.date, datetime.timedelta, datetime.time)
    has_times = any(issubclass(kind, times) or kind.__name__ == "Period" for kind in types)
    if values.dtype.kind in "Mm" or has_times:
        rule = f"must hold {'numbers' if are_numbers else 'classes'}"
        raise InvalidDataError(rule, name, got="dates or durations")
    if not types:
        return _without_library(y, values)
    if all(issubclass(kind, (Number, np.bool_)) for kind in types):
        plain = [float(each) if isinstance(each, Decimal) else each for each in values.ravel()]
        return np.array(plain).reshape(values.shape)
    if not are_numbers and values.ndim == 1 and len({_base(kind) for kind in types}) > 1:
        kinds = " and ".join(sorted(kind.__name__ for kind in types))
        raise InvalidDataError("must hold classes of one type", name, got=kinds)
    return _without_library(y, values)


def _without_library(y: Any, values: Any) -> Any:
    return y if isinstance(y, (list, tuple, np.ndarray)) else values


def _base(kind: type) -> type:
    """Return str of all kinds of text."""
    return str if issubclass(kind, str) else kind


def _are_missing(values: Any) -> Any:
    """Return which targets are missing; NaN among numbers is left to scikit-learn's words."""
    if values.dtype.kind == "U":  # which NumPy writes so, where it makes one array of both
        return values == "nan"
    if values.dtype.kind not in "OT":
        return np.zeros(values.shape, dtype=bool)
    found = [is_missing(value) for value in values.ravel()]
    return np.array(found, dtype=bool).reshape(values.shape)


def numbers_of_targets(
    y: Any, name: str, notation: Notation | None = None, table: Table | None = None
) -> tuple[Any, Notation | None]:
    """Return targets that are written as text, such as ``"208,500"``, as numbers; others as is.

    Parameters
    ----------
    y : array-like
    name : str
        What `fit` calls them.
    notation : Notation, optional
        How those of the training were written; by default as it fits.
    table : Table, optional
        The samples, whose decimal mark decides where the targets leave it open.

    Returns
    -------
    y : array-like
    notation : Notation or None
        How they are written; None where they are no text.

    Raises
    ------
    InvalidDataError
        If a text is no number; the message says which.

    Warns
    -----
    TableWarning
        Of what is open to doubt.
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
        place = f"index {index[0]}" if len(index) == 1 else f"row {index[0]}, column {index[1]}"
        rule = "must hold numbers"
        raise InvalidDataError(rule, name, got=f"{texts[numbers.index(None)]!r} at {place}")
    return np.array(numbers, dtype=np.float64).reshape(values.shape), notation


def _has_odd_names(names: list[Any]) -> bool:
    """Return whether names are no text, unless there are none, or stand twice."""
    are_texts = all(isinstance(name, str) for name in names)
    return not (are_texts or are_numbered(names)) or len(set(names)) < len(names)


def _has_those(X: Any, columns: Columns) -> bool:
    """Return whether a frame has the columns in their order, but for such as are left out."""
    if not hasattr(X, "columns"):
        return False
    found = names_of_frame(X)
    return found == [c.name for c in columns.columns if c.input_names or c.name in found]


def _check_targets(X: Any, y: Any, *, estimator: Any, **settings: Any) -> tuple[Any, Any]:
    """Return inputs that a table has made, as they are, and checked targets."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    y = _check_y(y, **settings, estimator=estimator)
    check_consistent_length(X, y)
    return X, y


def check_same_columns(columns: Columns | None, before: Any, now: Any) -> None:
    """Raise if the parameter `columns` is no longer what it was in the first fit.

    Raises
    ------
    InvalidArgumentError
        Naming both.
    """
    if before != now:
        raise InvalidArgumentError(
            "warm_start and partial_fit go on with the inputs that are there, "
            f"{columns or 'numbers'}; columns was {before!r} and is now {now!r}"
        )


def checked_weights(X: Any, y: Any, sample_weight: Any, class_weight: Any, name: str) -> Any:
    """Return what each sample counts, as `sample_weight` and `class_weight` say; or None.

    Raises
    ------
    InvalidDataError
        If a weight is negative or no finite number, or all are zero; the message names which.
    ValueError
        In scikit-learn's words.
    """
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if not weight.any():
            raise InvalidDataError("must not be zero for every sample", name)
    if class_weight is None:
        return weight
    by_class = compute_sample_weight(class_weight, y)
    wrong = ~(np.isfinite(by_class) & (by_class >= 0))
    if wrong.any():
        rule = "must hold finite numbers of at least 0"
        raise InvalidArgumentError(rule, "class_weight", got=f"{by_class[wrong][0]:g}")
    weight = by_class if weight is None else weight * by_class
    if not weight.any():
        rule = "must leave samples of which some count"
        raise InvalidArgumentError(rule, "class_weight", got="zero for every one")
    return weight


def _place(data: Any, is_bad: Callable[[Any], bool]) -> str:
    """Say where the first bad entry is; nothing of sparse matrices."""
    if hasattr(data, "tocsr"):
        return ""
    values = np.asarray(data, dtype=object)
    columns = getattr(data, "columns", None)
    for index in np.ndindex(values.shape):
        if is_bad(values[index]):
            if len(index) == 1:
                return f" The first is at index {index[0]}."
            name = "" if columns is None else f" ({columns[index[1]]!r})"
            return f" The first is at row {index[0]}, column {index[1]}{name}."
    return ""


def _is_not_finite(value: Any) -> bool:
    try:
        return not math.isfinite(value)
    except TypeError:  # None and pandas' NA are missing
        return value is None or type(value).__name__ == "NAType"


def _is_no_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return True
    return False
