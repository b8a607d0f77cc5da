"""Checks of arguments: each returns the value, normalised, or raises with a full message.

A message names the parameter and its owner, what is allowed, and what came:
``hidden_features[1] of Architecture must be a positive integer; got 0``.
"""

import math
import numbers
import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MultilayerError,
)
from multilayer.samples import LazySamples

__all__ = [
    "array",
    "finite_array",
    "flag",
    "integer",
    "number_array",
    "random_generator",
    "real",
    "renamed",
    "sample_matrix",
    "sample_weights",
    "samples",
]

Array = npt.NDArray[Any]

MANY = 10_000
"""Numbers from which adding them up is faster than looking at each."""
SUBJECT = re.compile(
    r"(?<![\w-])(?P<name>\w+)(?P<index>(\[\d+\])*)( of [\w.]+)? "
    r"(?P<verb>must|cannot|acts|needs|was)\b"
)
"""What a message is about: ``hidden_features[1] of Architecture must``, ``dropout cannot``."""


def integer(value: object, parameter: str, owner: str, *, minimum: int = 1) -> int:
    """Return `value` as an int, if it is an integer (not a bool) of at least `minimum`."""
    kind = {0: "a non-negative integer", 1: "a positive integer"}.get(
        minimum, f"an integer of at least {minimum}"
    )
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        msg = f"{parameter} of {owner} must be {kind}; got {value!r}"
        raise InvalidTypeError(msg)
    number = operator.index(value)
    if number < minimum:
        msg = f"{parameter} of {owner} must be {kind}; got {number}"
        raise InvalidArgumentError(msg)
    return number


def real(value: object, parameter: str, owner: str, interval: str = "(-inf, inf)") -> float:
    """Return `value` as a float, if it lies in `interval`.

    Parameters
    ----------
    interval : str
        In mathematical notation, ``"(0, inf)"`` or ``"[0, 1)"``: a square bracket takes in its end.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        msg = f"{parameter} of {owner} must be a number in {interval}; got {value!r}"
        raise InvalidTypeError(msg)
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond every float
        number = math.inf
    above = number >= low if interval[0] == "[" else number > low
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below and math.isfinite(number)):
        short = f"{number:g}"
        shown = short if math.isnan(number) or float(short) == number else repr(number)
        msg = f"{parameter} of {owner} must be a number in {interval}; got {shown}"
        raise InvalidArgumentError(msg)
    return number


def flag(value: object, parameter: str, owner: str) -> bool:
    """Return `value`, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        msg = f"{parameter} of {owner} must be True or False; got {value!r}"
        raise InvalidTypeError(msg)
    return bool(value)


def random_generator(value: object, owner: str) -> np.random.Generator:
    """Return `value` if it is a Generator; a fresh one, seeded by the system, if it is None."""
    if value is None:
        return np.random.default_rng()
    if not isinstance(value, np.random.Generator):
        msg = f"rng of {owner} must be a numpy.random.Generator or None; got {value!r}"
        raise InvalidTypeError(msg)
    return value


@contextmanager
def renamed(names: Mapping[str, str], owner: str) -> Iterator[None]:
    """Let the messages of errors name parameters as the user wrote them.

    Parameters
    ----------
    names : mapping of str to str
        What a parameter is called here, and what the user calls it; others stay as they are.
    owner : str
        What the user has given them to.

    Examples
    --------
    >>> with renamed({"n_epochs": "--epochs"}, "mlp train"):
    ...     integer(0, "n_epochs", "fit")
    Traceback (most recent call last):
    ...
    multilayer.errors.InvalidArgumentError: --epochs of mlp train must be a positive integer; got 0
    """

    def as_written(found: re.Match[str]) -> str:
        if found["name"] not in names:
            return found[0]
        whose = "" if found["verb"] == "was" else f" of {owner}"
        return f"{names[found['name']]}{found['index']}{whose} {found['verb']}"

    try:
        yield
    except MultilayerError as error:
        error.args = (SUBJECT.sub(as_written, str(error)),)
        raise


def finite_array(values: object, what: str, dtype: npt.DTypeLike) -> Array:
    """Return `values` as a contiguous array of `dtype`, if all of them are finite numbers.

    `what` is the array's name in messages, such as ``"X"``. The input is not changed.
    """
    found = number_array(values, what)
    if found.dtype != dtype or not found.flags.c_contiguous:
        with np.errstate(over="ignore"):  # what becomes infinite in `dtype` is reported below
            found = np.asarray(found, dtype=dtype, order="C")
    if not _all_finite(found):
        finite = np.isfinite(found)
        first = tuple(np.argwhere(~finite)[0].tolist())
        n_more = int((~finite).sum()) - 1
        more = f" (and {n_more} more)" if n_more else ""
        msg = f"{what} must be finite in {found.dtype}; got {found[first]} at {_place(first)}{more}"
        raise InvalidDataError(msg)
    return found


def _all_finite(values: Array) -> bool:
    """Return whether all are finite: of many, from their sum, where that is finite."""
    if values.size > MANY:
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(values.sum()):
                return True
    return bool(np.isfinite(values).all())


def array(values: object, what: str) -> Array:
    """Return `values` as an array of whatever type, if it is one: nested lists may be ragged."""
    if type(values) is np.ndarray:
        return values
    if hasattr(values, "toarray"):
        msg = f"{what} must be a dense array; got {type(values).__name__}, which has toarray()"
        raise InvalidTypeError(msg)
    if np.ma.is_masked(values):
        msg = f"{what} must not have masked entries: fill or drop them first"
        raise InvalidDataError(msg)
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # PyTorch's is a RuntimeError
        msg = f"{what} must be an array; {error}"
        raise InvalidTypeError(msg) from error


def number_array(values: object, what: str) -> Array:
    """Return `values` as an array of booleans, integers or floats, of whatever width."""
    if values is None:
        msg = f"{what} must be an array of numbers; got None"
        raise InvalidTypeError(msg)
    found = array(values, what)
    try:
        if found.dtype.kind == "O":  # a table of mixed columns, None for a gap
            found = found.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{what} must be an array of numbers; {error}"
        raise InvalidTypeError(msg) from error
    if found.dtype.kind not in "biuf":
        msg = f"{what} must be an array of numbers; got dtype {found.dtype}"
        raise InvalidTypeError(msg)
    return found


def _place(index: tuple[int, ...]) -> str:
    """Say where an entry is: in a matrix its row and column, elsewhere its index."""
    if len(index) == 2:
        return f"row {index[0]}, column {index[1]}"
    return f"index {index[0] if len(index) == 1 else index}"


def sample_matrix(X: object, in_features: int, dtype: npt.DTypeLike) -> Array:
    """Return the samples as a contiguous matrix of shape (n_samples, in_features).

    Images and other arrays of more than two axes are flattened, a sample a row.
    """
    found = number_array(X, "X")
    if found.ndim < 2:
        msg = (
            f"X must have shape (n_samples, {in_features}); got shape {found.shape}. "
            "Reshape a single sample with X.reshape(1, -1)"
        )
        raise InvalidDataError(msg)
    if found.shape[0] == 0:
        msg = f"X must have at least one sample; got shape {found.shape}"
        raise InvalidDataError(msg)
    if math.prod(found.shape[1:]) != in_features:
        msg = (
            f"X must have {in_features} features, as the network has inputs; got shape "
            f"{found.shape}"
        )
        raise InvalidDataError(msg)
    return finite_array(found.reshape(len(found), -1), "X", dtype)


def samples(X: object, in_features: int, dtype: npt.DTypeLike) -> Array | LazySamples:
    """Return lazy samples as they are, if they have that many features; else `sample_matrix`."""
    if not isinstance(X, LazySamples):
        return sample_matrix(X, in_features, dtype)
    if X.shape[0] == 0 or X.shape[1] != in_features:
        msg = f"X must have shape (n_samples, {in_features}); got shape {X.shape}"
        raise InvalidDataError(msg)
    return X


def sample_weights(weight: object, n_samples: int, dtype: npt.DTypeLike) -> Array | None:
    """Return one non-negative weight a sample, not all of them zero; None stays None."""
    if weight is None:
        return None
    weights = finite_array(weight, "sample_weight", dtype)
    if weights.shape != (n_samples,):
        msg = f"sample_weight must have shape ({n_samples},), one a sample; got {weights.shape}"
        raise InvalidDataError(msg)
    if (weights < 0).any():
        index = int(np.argmax(weights < 0))
        msg = f"sample_weight must not be negative; got {weights[index]} at index {index}"
        raise InvalidDataError(msg)
    if not weights.any():
        msg = "sample_weight must not be zero for every sample"
        raise InvalidDataError(msg)
    return weights
