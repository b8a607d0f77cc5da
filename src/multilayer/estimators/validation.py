"""scikit-learn's checks of samples and targets, with messages that also say where the fault is."""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import is_regressor
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array, check_consistent_length, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data

from multilayer import checks
from multilayer.caller import warn
from multilayer.data import Table, read_table
from multilayer.data.notation import Notation
from multilayer.data.table import are_numbered, in_memory, names_of_frame, without_index
from multilayer.data.tally import Tally
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.estimators.targets import numbers_of_targets, plain_targets
from multilayer.model import Columns

__all__ = ["Checked", "are_given", "check_data", "check_same_columns", "check_samples"]

Array = npt.NDArray[Any]

DTYPES = (np.float64, np.float32)
NOT_FINITE = re.compile(r"Input (X|y) contains (NaN|infinity)[^.]*\.")
NO_NUMBER = "could not convert string to float"
COLUMN = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
    "(n_samples, ), for example using ravel()."
)
"""scikit-learn's message."""
TAKES_TABLES = " With columns='auto', tables with text and missing values are accepted."


class Checked(NamedTuple):
    """Checked samples, targets and weights, and what was found about them.

    Attributes
    ----------
    X : array, sparse matrix or LazySamples of shape (n_samples, in_features)
        The network's inputs.
    y : array of shape (n_samples,) or (n_samples, n_targets)
    weight : array of shape (n_samples,) or None
    columns : Columns or None
        The columns of a table; None if samples are plain numbers.
    notation : Notation or None
        How targets are written, if they are text.
    is_sparse : bool
        Whether the targets came as a sparse matrix.
    features : dict
        The attributes that describe the features, if scikit-learn has not set them.
    """

    X: Any
    y: Array
    weight: Array | None
    columns: Columns | None
    notation: Notation | None
    is_sparse: bool
    features: dict[str, Any]


def check_data(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    columns: Columns | None = None,
    notation: Notation | None = None,
    *,
    reset: bool,
    suffix: str = "",
    tallies: Mapping[str, Tally] | None = None,
) -> Checked:
    """Check samples, targets and weights for training or validation.

    Parameters
    ----------
    estimator : BaseMLP
        Provides the parameters, and the number and names of the features.
    X, y, sample_weight
        As in `fit`.
    columns : Columns, optional
        The columns of a table; found from `X` by default.
    notation : Notation, optional
        How targets are written, if they are text; found from `y` by default.
    reset : bool
        Whether to take the number and names of features from `X`.
    suffix : str
        The suffix of the names of the data in `fit`, such as ``"_val"``.
    tallies : mapping of str to Tally, optional
        Counts of each column over all rows, if X is a sample of a table.

    Raises
    ------
    ValueError, TypeError
        If the data cannot be used; the message says what and where.
    """
    are_numbers = is_regressor(estimator)
    names = (f"X{suffix}", f"y{suffix}")
    settings: dict[str, Any] = {"multi_output": True, "y_numeric": are_numbers}
    y = plain_targets(y, names[1], are_numbers=are_numbers)
    if estimator.columns is None and isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        rule = "must not have masked entries: fill them, or set columns='auto'"
        raise InvalidDataError(rule, names[0])
    table, features = None, dict[str, Any]()
    if estimator.columns is not None:
        table, features = _table_of(estimator, X, columns, names[0])
        settings["is_table"] = True
    if are_numbers:
        y, notation = numbers_of_targets(y, names[1], notation, table)
    given = X if table is None else table
    X, y = _validated(estimator, given, y, reset=reset, names=names, **settings)
    is_sparse = issparse(y)
    y = y.toarray() if is_sparse else y
    if y.ndim == 2 and y.shape[1] == 1:
        warn(DataConversionWarning(COLUMN))
        y = y.ravel()
    class_weight = getattr(estimator, "class_weight", None)
    weight = _weights(X, y, sample_weight, class_weight, f"sample_weight{suffix}")
    if table is not None:
        if columns is None:
            kinds = None if estimator.columns == "auto" else estimator.columns
            embedded = estimator.takes_embeddings
            # Rows without a weight have no effect on the encoding. The size of a weight must not
            # matter: class weights depend on the target, and would show it in rare categories.
            columns = Columns.of(
                table.weighted(weight), kinds, names[0], embedded=embedded, tallies=tallies
            )
        X = columns.encode(table, names[0])
    return Checked(X, y, weight, columns, notation, is_sparse, features)


def check_samples(estimator: Any, X: Any, columns: Columns | None) -> Any:
    """Check samples to predict, and return the network's inputs."""
    if columns is None:
        return _validated(estimator, X, reset=False)
    row = None if isinstance(X, np.ndarray) else columns.row(X)
    if row is not None and _has_those([*row], columns):  # a row with all the right names
        return columns.encode_row(row, X)
    X, _ = _checked_table(estimator, X, columns, "X")
    inputs = columns.encode(X)
    _check_rows(inputs, "X")
    return inputs


def are_given(X_val: Any, y_val: Any, sample_weight_val: Any) -> bool:
    """Return whether there is validation data; raise if it is incomplete."""
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            rule = "must be given with X_val and y_val"
            raise InvalidArgumentError(rule, "sample_weight_val", "fit")
        return False
    for name, other, value in (("X_val", "y_val", X_val), ("y_val", "X_val", y_val)):
        if value is None:
            raise InvalidArgumentError(f"must be given with {other}", name, "fit", got=None)
    return True


def _validated(
    estimator: Any,
    *data: Any,
    reset: bool,
    is_table: bool = False,
    names: tuple[str, str] = ("X", "y"),
    **settings: Any,
) -> Any:
    """Check samples, and targets if given, as scikit-learn does.

    Parameters
    ----------
    estimator : BaseMLP
        The number and names of its features apply.
    *data : X, or X and y
    reset : bool
        Whether to take the number and names of features from `X`.
    is_table : bool
        Whether X is a table, for `Columns` to encode; then only the targets are checked.
    names : tuple of str
        Their names in messages.
    **settings
        Arguments of `sklearn.utils.validation.validate_data`.

    Raises
    ------
    ValueError
        As in scikit-learn, with row and column if an entry is not finite or not a number.
    """
    check = partial(_check_targets, estimator=estimator)
    if not is_table:
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
        if found is None:  # the message names neither X nor y
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


def _table_of(
    estimator: Any, X: Any, columns: Columns | None, name: str
) -> tuple[Table, dict[str, Any]]:
    """Return samples as a table with the expected columns, and the features as in `Checked`.

    Parameters
    ----------
    estimator : BaseMLP
        The number and names of its features apply.
    X : data frame, Table, mapping or array-like of shape (n_samples, n_columns)
    columns : Columns, optional
        If None, the estimator takes the number and names of its features from `X`.
    name : str
        The table's name in messages.

    Raises
    ------
    ValueError, TypeError
        If `X` is not a table, or has other columns.
    """
    X, by_scikit_learn = _checked_table(estimator, X, columns, name)
    table = read_table(X, name) if columns is None else columns.read(X, name)
    if not table.columns:
        raise InvalidDataError("must have at least one column", name, got=0)
    _check_rows(table, name)
    if columns is not None or by_scikit_learn:
        return table, {}
    names = np.array(table.columns, dtype=object)
    return table, {"feature_names_in_": names, "n_features_in_": len(names)}


def _checked_table(estimator: Any, X: Any, columns: Columns | None, name: str) -> tuple[Any, bool]:
    """Return X for `read_table`, checked as in `_table_of`; and whether scikit-learn checked it."""
    if isinstance(X, (str, PathLike)):
        rule = f"must be a table; got {str(X)!r}: read the file with multilayer.data.read_file"
        raise InvalidTypeError(rule, name)
    X = without_index(in_memory(X, name))
    is_frame, is_mapping = hasattr(X, "columns"), _is_of_mappings(X)
    # `check_array` would drop the mask of a masked array.
    if not (is_frame or is_mapping or isinstance(X, np.ma.MaskedArray)):
        kind = None if isinstance(X, np.ndarray) else object  # rows may mix numbers and text
        X = check_array(X, dtype=kind, ensure_all_finite=False, input_name=name)
    # scikit-learn only handles names that are text and distinct.
    by_scikit_learn = not (is_mapping or isinstance(X, Table))
    if is_frame and by_scikit_learn:
        found = names_of_frame(X)
        if columns is not None and _has_those(found, columns):
            return X, True
        by_scikit_learn = not _has_odd_names(found)
    if by_scikit_learn:
        validate_data(estimator, X, reset=columns is None, skip_check_array=True)
    return X, by_scikit_learn


def _check_rows(X: Any, name: str) -> None:
    """Raise if there are no rows, with scikit-learn's message."""
    if not len(X):
        raise InvalidDataError(
            f"Found array with 0 sample(s) in {name} while a minimum of 1 is required."
        )


def _is_of_mappings(X: Any) -> bool:
    """Return whether X is a mapping or a list of mappings; SciPy's matrices are neither."""
    if isinstance(X, (list, tuple)):
        return bool(X) and isinstance(X[0], Mapping)
    return isinstance(X, Mapping) and not issparse(X)


def _has_odd_names(names: list[Any]) -> bool:
    """Return whether columns have names that are not text, or duplicate names."""
    are_texts = all(isinstance(name, str) for name in names)
    return not (are_texts or are_numbered(names)) or len(set(names)) < len(names)


def _has_those(names: list[Any], columns: Columns) -> bool:
    """Return whether a frame has the columns in order; ignored ones may be missing."""
    kept = {*columns.needed, *names}
    return names == [name for name in columns.names if name in kept]


def _check_targets(X: Any, y: Any, *, estimator: Any, **settings: Any) -> tuple[Any, Any]:
    """Return a table unchanged, and the targets, checked."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    y = _check_y(y, **settings, estimator=estimator)
    check_consistent_length(X, y)
    return X, y


def check_same_columns(columns: Columns | None, before: Any, now: Any) -> None:
    """Raise if the parameter `columns` has changed since the first fit.

    Raises
    ------
    InvalidArgumentError
        If so; the message names both values.
    """
    if before != now:
        raise InvalidArgumentError(
            "warm_start and partial_fit continue with the existing inputs, "
            f"{columns or 'numbers'}; columns was {before!r} and is now {now!r}"
        )


def _weights(X: Any, y: Any, sample_weight: Any, class_weight: Any, name: str) -> Any:
    """Return the weight of each sample from `sample_weight` and `class_weight`; or None.

    Raises
    ------
    InvalidArgumentError, InvalidDataError
        If a class weight is negative or not finite, or all weights are zero.
    ValueError
        Raised by scikit-learn if weights or classes cannot be used.
    """
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if not weight.any():
            raise InvalidDataError("must not be zero for every sample", name)
    if class_weight is None:
        return weight
    if y.ndim == 1:
        check_classification_targets(y)  # its error explains what is wrong with real numbers
    by_class = compute_sample_weight(class_weight, y)
    wrong = ~(np.isfinite(by_class) & (by_class >= 0))
    if wrong.any():
        rule = "must hold finite numbers of at least 0"
        raise InvalidArgumentError(rule, "class_weight", got=f"{by_class[wrong][0]:g}")
    weight = by_class if weight is None else weight * by_class
    if not weight.any():
        rule = "must leave some samples with a weight above 0"
        raise InvalidArgumentError(rule, "class_weight", got="zero for all of them")
    return weight


def _place(data: Any, is_bad: Callable[[Any], bool]) -> str:
    """Return a sentence that locates the first bad entry; an empty one for a sparse matrix."""
    if hasattr(data, "tocsr"):
        return ""
    values = np.asarray(data, dtype=object)
    columns = getattr(data, "columns", None)
    for index in np.ndindex(values.shape):
        if is_bad(values[index]):
            name = "" if columns is None or len(index) == 1 else f" ({columns[index[1]]!r})"
            return f" The first is at {checks.place(index)}{name}."
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
