"""Checks of arguments: each returns the normalised value, or raises with a full message.

A message names the parameter and its owner, what is allowed, and what was given:
``hidden_features[1] of Architecture must be a positive integer; got 0``.
"""

import math
import numbers
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from multilayer.randomness import Generators
from multilayer.samples import LazySamples

__all__ = [
    "array",
    "finite_array",
    "finite_squares",
    "flag",
    "in_terms_of",
    "integer",
    "number_array",
    "place",
    "random_generator",
    "random_generators",
    "real",
    "sample_matrix",
    "sample_weights",
    "samples",
    "sequence",
    "vector",
]

Array = npt.NDArray[Any]

MANY = 10_000
"""Above this many numbers, adding them up is faster than checking each."""


def integer(value: object, parameter: str, owner: str, *, minimum: int = 1) -> int:
    """Return `value` as an int, if it is an integer (not a bool) of at least `minimum`."""
    kind = {0: "a non-negative integer", 1: "a positive integer"}.get(
        minimum, f"an integer of at least {minimum}"
    )
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise InvalidTypeError(f"must be {kind}", parameter, owner, got=repr(value))
    number = operator.index(value)
    if number < minimum:
        raise InvalidArgumentError(f"must be {kind}", parameter, owner, got=number)
    return number


def real(value: object, parameter: str, owner: str, interval: str = "(-inf, inf)") -> float:
    """Return `value` as a float, if it lies in `interval`.

    Parameters
    ----------
    interval : str
        In mathematical notation, ``"(0, inf)"`` or ``"[0, 1)"``; a square bracket includes its end.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise InvalidTypeError(f"must be a number in {interval}", parameter, owner, got=repr(value))
    try:
        number = float(value)
    except OverflowError:  # an integer too large for a float
        number = math.inf
    above = number >= low if interval[0] == "[" else number > low
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below and math.isfinite(number)):
        short = f"{number:g}"
        shown = short if math.isnan(number) or float(short) == number else repr(number)
        raise InvalidArgumentError(f"must be a number in {interval}", parameter, owner, got=shown)
    return number


def flag(value: object, parameter: str, owner: str) -> bool:
    """Return `value`, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError("must be True or False", parameter, owner, got=repr(value))
    return bool(value)


def sequence(values: object, parameter: str, owner: str) -> list[Any]:
    """Return `values` as a list, if it is a sequence and not a string."""
    try:
        if not isinstance(values, (str, set, frozenset, dict)):
            return list(values)  # type: ignore[call-overload]
    except TypeError:
        pass
    raise InvalidTypeError("must be a sequence", parameter, owner, got=repr(values))


def random_generator(value: object, owner: str, name: str = "rng") -> np.random.Generator:
    """Return `value` if it is a Generator; a fresh one, seeded by the system, if it is None."""
    if value is None:
        return np.random.default_rng()
    if not isinstance(value, np.random.Generator):
        rule = "must be a numpy.random.Generator or None"
        raise InvalidTypeError(rule, name, owner, got=repr(value))
    return value


def random_generators(value: Any, n_members: int, owner: str) -> np.random.Generator | Generators:
    """Return one generator for all K networks, or one for each, as given."""
    if isinstance(value, np.random.Generator) or not isinstance(value, Iterable):
        return random_generator(value, owner)
    found = [random_generator(one, owner, f"rng[{k}]") for k, one in enumerate(value)]
    if len(found) != n_members:
        rule = "must be one generator"
        rule += f", or one for each of the {n_members} members" if n_members else ""
        raise InvalidArgumentError(rule, "rng", owner, got=len(found))
    return Generators(found)


@contextmanager
def in_terms_of(owner: str, names: Mapping[str, str]) -> Iterator[None]:
    """Make errors raised inside name parameters as the user knows them.

    Parameters
    ----------
    owner : str
        The function, class or command that the user called.
    names : mapping of str to str
        The user's name for each parameter; parameters that are not listed keep their names.

    Examples
    --------
    >>> with in_terms_of("mlp train", {"n_epochs": "--epochs"}):
    ...     integer(0, "n_epochs", "fit")
    Traceback (most recent call last):
    ...
    multilayer.errors.InvalidArgumentError: --epochs of mlp train must be a positive integer; got 0
    """
    try:
        yield
    except MultilayerError as error:
        name, bracket, index = error.parameter.partition("[")
        if name in names and not error.is_file:
            error.parameter, error.owner = f"{names[name]}{bracket}{index}", owner
        elif error.owner in names:  # a column of X
            error.owner = f"{names[error.owner]} of {owner}"
        error.others = {own: names.get(shown, shown) for own, shown in error.others.items()}
        raise


def finite_squares(values: npt.NDArray[Any], name: str) -> None:
    """Raise if values are so large that the sum of their squares is infinite."""
    with np.errstate(over="ignore"):  # reported below
        if not np.isfinite(np.square(values, dtype=np.float64).sum()):
            rule = "must be numbers whose squares are finite"
            raise InvalidDataError(rule, name, got=f"{np.abs(values).max():g}")


def finite_array(values: object, what: str, dtype: npt.DTypeLike, owner: str = "") -> Array:
    """Return `values` as a contiguous array of `dtype`, if all are finite; never change the input.

    In messages, `what` is the array's name, such as ``"X"``, and `owner` is the function or class
    that takes it.
    """
    found = number_array(values, what, owner)
    if found.dtype != dtype or not found.flags.c_contiguous:
        with np.errstate(over="ignore"):  # what becomes infinite in `dtype` is reported below
            found = np.asarray(found, dtype=dtype, order="C")
    if not _all_finite(found):
        finite = np.isfinite(found)
        first = tuple(np.argwhere(~finite)[0].tolist())
        n_more = int((~finite).sum()) - 1
        more = f" (and {n_more} more)" if n_more else ""
        rule = f"must be finite in {found.dtype}"
        raise InvalidDataError(rule, what, owner, got=f"{found[first]} at {place(first)}{more}")
    return found


def vector(
    values: object,
    what: str,
    length: int,
    dtype: npt.DTypeLike = np.float64,
    *,
    owner: str = "",
    each: str = "",
) -> Array:
    """Return `values` as a vector of finite numbers, if there are `length` of them.

    In messages, `each` is what one number belongs to, such as ``"sample"``.
    """
    found = finite_array(values, what, dtype, owner)
    if found.shape != (length,):
        rule = f"must have shape ({length},)" + (f", one per {each}" if each else "")
        raise InvalidDataError(rule, what, owner, got=found.shape)
    return found


def _all_finite(values: Array) -> bool:
    """Return whether all values are finite; for many, a finite sum is enough to show it."""
    if values.size > MANY:
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(values.sum()):
                return True
    return bool(np.isfinite(values).all())


def array(values: object, what: str, owner: str = "") -> Array:
    """Return `values` as an array of any type; raise if they form none, as ragged lists do."""
    if type(values) is np.ndarray:
        return values
    if hasattr(values, "toarray"):
        rule = "must be a dense array"
        got = f"{type(values).__name__}, which has toarray()"
        raise InvalidTypeError(rule, what, owner, got=got)
    if np.ma.is_masked(values):
        raise InvalidDataError("must not have masked entries: fill or drop them first", what, owner)
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # PyTorch's is a RuntimeError
        raise InvalidTypeError(f"must be an array; {error}", what, owner) from error


def number_array(values: object, what: str, owner: str = "") -> Array:
    """Return `values` as an array of booleans, integers or floats of any width."""
    if values is None:
        raise InvalidTypeError("must be an array of numbers", what, owner, got="None")
    found = array(values, what, owner)
    try:
        if found.dtype.kind == "O":  # a table of mixed columns, with None for missing values
            found = found.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidTypeError(f"must be an array of numbers; {error}", what, owner) from error
    if found.dtype.kind not in "biuf":
        got = f"dtype {found.dtype}"
        raise InvalidTypeError("must be an array of numbers", what, owner, got=got)
    return found


def place(index: Sequence[Any]) -> str:
    """Say where an entry is: by row and column in a matrix, else by index."""
    if len(index) == 2:
        return f"row {index[0]}, column {index[1]}"
    return f"index {index[0] if len(index) == 1 else index}"


def sample_matrix(X: object, in_features: int, dtype: npt.DTypeLike) -> Array:
    """Return the samples as a contiguous matrix of shape (n_samples, in_features).

    Images and other arrays of more than two axes are flattened, one row per sample.
    """
    found = number_array(X, "X")
    if found.ndim < 2:
        raise InvalidDataError(
            f"must have shape (n_samples, {in_features})",
            "X",
            got=f"shape {found.shape}. Reshape a single sample with X.reshape(1, -1)",
        )
    if found.shape[0] == 0:
        raise InvalidDataError("must have at least one sample", "X", got=f"shape {found.shape}")
    if math.prod(found.shape[1:]) != in_features:
        rule = f"must have {in_features} features, one per input of the network"
        raise InvalidDataError(rule, "X", got=f"shape {found.shape}")
    return finite_array(found.reshape(len(found), -1), "X", dtype)


def samples(X: object, in_features: int, dtype: npt.DTypeLike) -> Array | LazySamples:
    """Return lazy samples of `in_features` features unchanged, and other samples as a matrix."""
    if not isinstance(X, LazySamples):
        return sample_matrix(X, in_features, dtype)
    if X.shape[0] == 0:
        raise InvalidDataError("must have at least one sample", "X", got=0)
    if X.shape[1] != in_features:
        rule = f"must have shape (n_samples, {in_features})"
        raise InvalidDataError(rule, "X", got=f"shape {X.shape}")
    return X


def sample_weights(
    weight: object, n_samples: int, dtype: npt.DTypeLike, name: str = "sample_weight"
) -> Array | None:
    """Return non-negative weights, one per sample and not all zero; None stays None."""
    if weight is None:
        return None
    weights = vector(weight, name, n_samples, dtype, each="sample")
    if (weights < 0).any():
        index = int(np.argmax(weights < 0))
        rule = "must not be negative"
        raise InvalidDataError(rule, name, got=f"{weights[index]} at index {index}")
    if not weights.any():
        raise InvalidDataError("must not be zero for every sample", name)
    return weights
