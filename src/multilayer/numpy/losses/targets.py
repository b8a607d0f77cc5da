"""Targets as the losses take them, checked."""

from typing import Any

import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["check_lengths", "target_matrix"]

Array = npt.NDArray[Any]


def check_lengths(y: Array, n_samples: int) -> None:
    """Raise if there is not one target for each sample."""
    if y.ndim == 0 or len(y) != n_samples:
        came = f"shape {y.shape}" if y.ndim == 0 else len(y)
        rule = f"must have one target for each of the {n_samples} samples"
        raise InvalidDataError(rule, "y", got=came)


def target_matrix(y: object, n_samples: int, n_targets: int, dtype: npt.DTypeLike) -> Array:
    """Return real targets as a matrix (n_samples, n_targets); one target may come as a vector."""
    array = checks.finite_array(y, "y", dtype)
    check_lengths(array, n_samples)
    if array.ndim == 1 and n_targets == 1:
        array = array.reshape(-1, 1)
    if array.shape != (n_samples, n_targets):
        rule = f"must have shape ({n_samples}, {n_targets})"
        raise InvalidDataError(rule, "y", got=f"shape {array.shape}")
    return array
