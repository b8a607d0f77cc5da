"""Folds: rows divided into parts, each of which judges what the others train."""

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
"""The rows to train on, and those to judge by."""

FIRST = 0.5
"""The share of the rows, in order of time, that every member trains on."""


def k_folds(
    n_samples: int,
    n_folds: int,
    random_state: int | np.random.RandomState,
    strata: Array | None = None,
    groups: Array | None = None,
) -> list[Split]:
    """Return folds at random, as scikit-learn's `KFold` and its kin draw them.

    Parameters
    ----------
    n_samples, n_folds : int
    random_state : int or numpy.random.RandomState
    strata : array of shape (n_samples,), optional
        Classes, which have equal shares of all folds.
    groups : array of shape (n_samples,), optional
        What no fold divides.

    Raises
    ------
    ValueError
        scikit-learn's, if there are fewer than two folds, or more than samples, groups, or samples
        of any class. It warns if some classes have fewer samples than there are folds.
    """
    with forks.imports:
        from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    kinds = (KFold, StratifiedKFold) if groups is None else (GroupKFold, StratifiedGroupKFold)
    splitter = kinds[strata is not None](n_folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.empty(n_samples), strata, groups))


def stratified_folds(strata: Array, n_folds: int, rng: np.random.RandomState) -> list[Split]:
    """Return folds that have equal shares of each class, or of each range of values.

    Parameters
    ----------
    strata : array of shape (n_samples,)
        Classes as whole numbers, or real values. Rows are dealt out in order: of each `n_folds`
        neighbours, each goes to a fold of its own.
    n_folds : int
        From 2 to n_samples. A class with fewer rows is in as many folds as it has rows.
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
    """Return the number of each sample's group.

    Raises
    ------
    InvalidDataError
        If there is not one group for each sample.
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
    """Return folds none of which divides a group; classes have shares as equal as groups allow.

    Raises
    ------
    InvalidArgumentError
        If there are fewer groups than two.
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
    """Return folds of which each judges by rows that are later than all that it trains on.

    The later half of the rows is cut into `n_folds` blocks of equal length. Member k is judged by
    block k, and trains on everything before it. Rows of the same time stay together.

    Parameters
    ----------
    time : array of float of shape (n_samples,)
        NaN where it is missing; such rows judge no member, and train all.

    Raises
    ------
    InvalidDataError
        If there are not two different times.

    Examples
    --------
    >>> folds = ordered_folds(np.arange(8.0), 2)
    >>> [(training.tolist(), judging.tolist()) for training, judging in folds]
    [([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4, 5], [6, 7])]
    """
    starts = ordered_starts(time, n_folds)
    splits = []
    for start, end in zip(starts, [*starts[1:], np.inf], strict=True):
        is_judging = (time >= start) & (time < end)
        splits.append((np.flatnonzero(~(time >= start)), np.flatnonzero(is_judging)))
    return splits


def ordered_starts(time: Array, n_folds: int) -> Array:
    """Return the times at which the blocks of `ordered_folds` start."""
    known = np.sort(time[~np.isnan(time)])
    if not len(known) or known[0] == known[-1]:
        raise InvalidDataError("must have two different times at least", "time", "fit")
    places = np.linspace(FIRST, 1, n_folds + 1)[:-1] * len(known)
    starts = np.unique(known[places.astype(np.intp)])
    starts = starts[starts > known[0]]
    return starts if len(starts) else known[known > known[0]][:1]


def _split(is_judging: Array) -> Split:
    return np.flatnonzero(~is_judging), np.flatnonzero(is_judging)
