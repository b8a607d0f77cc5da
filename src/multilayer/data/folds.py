"""Folds: splits of the rows into those to train on and those to validate on."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.data.vectors import is_missing
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = [
    "Split",
    "check_groups",
    "grouped_folds",
    "k_folds",
    "ordered_folds",
    "ordered_starts",
    "stratified_folds",
]

Array = npt.NDArray[Any]
Split = tuple[Array, Array]
"""The rows to train on, and the rows to validate on."""

FIRST = 0.5
"""The share of the rows, earliest first, that every member of `ordered_folds` trains on."""


def k_folds(
    n_samples: int,
    n_folds: int,
    random_state: int | np.random.RandomState,
    strata: Array | None = None,
    groups: Array | None = None,
) -> list[Split]:
    """Return random folds, drawn by scikit-learn's `KFold` or one of its variants.

    Parameters
    ----------
    n_samples, n_folds : int
    random_state : int or numpy.random.RandomState
    strata : array of shape (n_samples,), optional
        Classes; each class has about the same share in all folds.
    groups : array of shape (n_samples,), optional
        Samples of the same group are kept in the same fold.

    Raises
    ------
    ValueError
        By scikit-learn, if there are fewer than two folds, or more folds than samples, groups, or
        samples of the largest class. It warns if some class has fewer samples than there are folds.
    """
    with forks.imports:
        from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    kinds = (KFold, StratifiedKFold) if groups is None else (GroupKFold, StratifiedGroupKFold)
    splitter = kinds[strata is not None](n_folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.empty(n_samples), strata, groups))


def stratified_folds(strata: Array, n_folds: int, rng: np.random.RandomState) -> list[Split]:
    """Return folds that have equal shares of each class, or of each range of values.

    Rows are sorted by `strata`, and each run of `n_folds` neighbours is dealt out to different
    folds.

    Parameters
    ----------
    strata : array of shape (n_samples,)
        Classes as integers, or real values as floats.
    n_folds : int
        From 2 to n_samples. A class with fewer rows than that is in as many folds as it has rows.
    rng : numpy.random.RandomState

    Examples
    --------
    >>> y = np.arange(12.0)
    >>> folds = stratified_folds(y, 3, np.random.RandomState(0))
    >>> [int(rows.size) for _, rows in folds]
    [4, 4, 4]
    >>> all(np.array_equal(np.sort(y[rows] // 3), range(4)) for _, rows in folds)
    True
    """
    n = len(strata)
    order = np.lexsort((rng.random_sample(n), strata))
    n_rounds = -(-n // n_folds)
    if strata.dtype.kind == "f":
        deals = np.concatenate([rng.permutation(n_folds) for _ in range(n_rounds)])
    else:  # in the same order each time, so that each class is dealt out evenly
        deals = np.tile(rng.permutation(n_folds), n_rounds)
    fold = np.empty(n, np.intp)
    fold[order] = deals[:n]
    return [_split(fold == k) for k in range(n_folds)]


def check_groups(groups: Any, n_samples: int) -> Array:
    """Return the number of each sample's group, from 0.

    Raises
    ------
    InvalidDataError
        If `groups` does not have shape (n_samples,), or has missing values.
    """
    given = np.asarray(groups)
    if given.shape != (n_samples,):
        rule = f"must hold the group of each of the {n_samples} samples"
        raise InvalidDataError(rule, "groups", "fit", got=f"shape {given.shape}")
    missing = np.array([is_missing(group) for group in given])
    if missing.any():
        rule = "must not have missing values: give each such sample a group of its own"
        got = f"{given[missing][0]} at index {np.argmax(missing)}"
        raise InvalidDataError(rule, "groups", "fit", got=got)
    given = given.astype(str) if given.dtype == object else given
    return np.unique(given, return_inverse=True)[1]


def grouped_folds(
    groups: Array, strata: Array, n_folds: int, rng: np.random.RandomState
) -> list[Split]:
    """Return folds that keep groups together, with class shares as equal as the groups allow.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two groups.
    """
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise InvalidArgumentError("must be at least two", "groups", "fit", got=n_groups)
    n_folds = min(n_folds, n_groups)
    has_shares = strata.dtype.kind != "f" and np.bincount(strata).max() >= n_folds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class may have fewer rows than folds
        return k_folds(len(strata), n_folds, rng, strata if has_shares else None, groups)


def ordered_folds(time: Array, n_folds: int) -> list[Split]:
    """Return folds that validate on rows that are later than all rows they train on.

    The later half of the rows is cut into `n_folds` blocks of about equal length. Member k trains
    on all rows before block k, and is validated on block k. Rows with the same time stay together,
    so there may be fewer folds.

    Parameters
    ----------
    time : array of float of shape (n_samples,)
        NaN where the time is missing; all members train on such rows, and none is validated on
        them.
    n_folds : int

    Raises
    ------
    InvalidDataError
        If there are fewer than two different times.

    Examples
    --------
    >>> folds = ordered_folds(np.arange(8.0), 2)
    >>> [(training.tolist(), held_out.tolist()) for training, held_out in folds]
    [([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4, 5], [6, 7])]
    """
    starts = ordered_starts(time, n_folds)
    splits = []
    for start, end in zip(starts, [*starts[1:], np.inf], strict=True):
        is_held_out = (time >= start) & (time < end)
        splits.append((np.flatnonzero(~(time >= start)), np.flatnonzero(is_held_out)))
    return splits


def ordered_starts(time: Array, n_folds: int) -> Array:
    """Return the times at which the blocks of `ordered_folds` start."""
    known = np.sort(time[~np.isnan(time)])
    if not len(known) or known[0] == known[-1]:
        raise InvalidDataError("must have at least two different times", "time", "fit")
    places = np.linspace(FIRST, 1, n_folds + 1)[:-1] * len(known)
    starts = np.unique(known[places.astype(np.intp)])
    starts = starts[starts > known[0]]
    return starts if len(starts) else known[known > known[0]][:1]


def _split(is_held_out: Array) -> Split:
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
