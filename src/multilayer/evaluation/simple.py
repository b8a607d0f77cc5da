"""Simple models to compare with, fitted to the same samples by cross-validation."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.folds import Split, k_folds
from multilayer.evaluation.task import Task

__all__ = ["N_FOLDS", "baseline", "folds_of", "linear"]

Array = npt.NDArray[Any]

N_FOLDS = 5
LEAST_PER_FOLD = 4
MOST_PRODUCTS = 2 * 10**8
"""The most products in an iteration of a linear model, which limits the rows it is fitted to."""
LEAST_ROWS = 1_000


def folds_of(task: Task, groups: Array | None, seed: int) -> list[Split]:
    """Return five pairs of rows to fit and rows to predict; none if there are too few rows.

    Groups stay whole, and classes are divided evenly.
    """
    n, strata = len(task.y), task.strata()
    n_units = n if groups is None else len(np.unique(groups))
    if n < N_FOLDS * LEAST_PER_FOLD or n_units < N_FOLDS:
        return []
    if strata is not None and np.bincount(strata).max() < N_FOLDS:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may have fewer rows than folds
        return k_folds(n, N_FOLDS, seed, strata, groups)


def baseline(task: Task, folds: list[Split]) -> Array:
    """Return, for each row, the constant prediction that suits the other folds best."""
    return _predicted(task, folds, lambda train, _: task.baseline_of(task.y[train]))


def linear(task: Task, x: Any, folds: list[Split], seed: int) -> Array:
    """Return, for each row, the prediction of a linear model fitted to the other folds.

    Raises
    ------
    ValueError
        If the fit would take too long.
    """
    rng = np.random.default_rng(seed)
    most = MOST_PRODUCTS // (x.shape[1] * task.n_outputs())
    if most < min(LEAST_ROWS, len(x)):
        raise ValueError("it would take too long")

    def predict(train: Array, held_out: Array) -> Array:
        if len(train) > most:
            train = rng.choice(train, most, replace=False)
        return task.linear_of(x[train], task.y[train], x[held_out])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a rough fit will do
        return _predicted(task, folds, predict)


def _predicted(task: Task, folds: list[Split], predict: Callable[[Array, Array], Array]) -> Array:
    found: Array | None = None
    for train, held_out in folds:
        own = predict(train, held_out)
        if found is None:
            found = np.empty((len(task.y), own.shape[-1]))
        found[held_out] = own
    assert found is not None
    return found
