"""Measures of predictions, as functions of the samples' weights.

A bootstrap resample draws each sample some number of times. With these numbers as weights, one
function measures the samples themselves, a resample, or many resamples at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Measure", "area", "mean", "mean_recall", "median", "r_squared", "root"]

Array = npt.NDArray[Any]
Measure = Callable[[Array], Array]
"""A function from weights of shape (n_samples, n_resamples) to values of shape (n_resamples,), NaN
where the measure is not defined."""


def mean(values: Array) -> Measure:
    r"""Return :math:`\sum_i w_i v_i / \sum_i w_i` as a measure.

    Examples
    --------
    >>> mean(np.array([1.0, 2.0, 6.0]))(np.ones((3, 1)))
    array([3.])
    """
    return lambda weight: values @ weight / weight.sum(axis=0)


def root(measure: Measure) -> Measure:
    """Return the square root of a measure."""
    return lambda weight: np.sqrt(measure(weight))


def median(values: Array) -> Measure:
    """Return the median as a measure, for weights that are whole numbers."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]

    def of(weight: Array) -> Array:
        count = np.cumsum(weight[order], axis=0)
        low, high = (count[-1] - 1) // 2, count[-1] // 2
        # The value at a position, counted from 0, is the first whose count exceeds it.
        places = [(count <= position).sum(axis=0) for position in (low, high)]
        return ranked[places].mean(axis=0)

    return of


def r_squared(y: Array, predicted: Array) -> Measure:
    r"""Return :math:`1 - \sum_i w_i (y_i - ŷ_i)^2 / \sum_i w_i (y_i - \bar y)^2` as a measure."""
    centred = y - y.mean()  # else the variance below is a difference of large numbers
    squares, moments = np.square(y - predicted), np.stack([centred, np.square(centred)])

    def of(weight: Array) -> Array:
        first, second = moments @ weight / weight.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - mean(squares)(weight) / (second - np.square(first))
        return np.where(np.isfinite(found), found, np.nan)

    return of


def mean_recall(truth: Array, is_right: Array) -> Measure:
    """Return the balanced accuracy, which is the mean recall of the classes, as a measure.

    Classes that do not occur in a resample are left out of its mean.
    """
    order = np.argsort(truth, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(truth[order]) != 0])
    right = is_right[order, None]

    def of(weight: Array) -> Array:
        weight = weight[order]
        n = np.add.reduceat(weight, starts, axis=0)
        with np.errstate(invalid="ignore"):
            return np.nanmean(np.add.reduceat(weight * right, starts, axis=0) / n, axis=0)

    return of


def area(happened: Array, score: Array) -> Measure:
    """Return the area under the ROC curve as a measure.

    It is the probability that a sample with the event has a higher score than one without it; ties
    count one half (Hanley & McNeil 1982). It is NaN if a resample has samples of one kind only.
    """
    order = np.argsort(score, kind="stable")
    ranked, yes = score[order], np.flatnonzero(happened[order])
    # For each event, the number of samples with a lower score, and with a lower or equal one.
    first, last = (np.searchsorted(ranked, ranked[yes], side) for side in ("left", "right"))
    first_yes, last_yes = (np.searchsorted(yes, own) for own in (first, last))

    def of(weight: Array) -> Array:
        weight = weight[order]
        own = weight[yes]
        count, of_events = _counted(weight), _counted(own)
        # Twice the weight of the samples without the event below each event, and half of its ties.
        below = count[first] + count[last] - of_events[first_yes] - of_events[last_yes]
        n_yes = of_events[-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return (own * below).sum(axis=0) / (2 * n_yes * (count[-1] - n_yes))

    return of


def _counted(weight: Array) -> Array:
    """Return the sum of the weights before each sample, and the total, of shape (n + 1, …)."""
    count = np.zeros((len(weight) + 1, weight.shape[1]))
    np.cumsum(weight, axis=0, out=count[1:])
    return count
