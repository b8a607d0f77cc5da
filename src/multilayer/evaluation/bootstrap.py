"""Confidence intervals by the bootstrap."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.evaluation.measures import Measure

__all__ = ["CONFIDENCE", "Estimate", "estimates"]

Array = npt.NDArray[Any]

CONFIDENCE = 0.95
N_RESAMPLES = 1_000
"""Enough to know the ends of a 95 % interval of normal values to a tenth of a deviation."""
MOST_DRAWS = 3 * 10**7
"""The most draws, a few seconds' work: many samples get fewer resamples, but at least 200."""
FEWEST_RESAMPLES = 200
PIECE = 2**17
"""How many weights are drawn at a time, so that they stay in the cache."""


class Estimate(NamedTuple):
    """A value with its confidence interval; None where they are not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def estimates(
    measures: Mapping[str, Measure],
    n_samples: int,
    groups: Array | None = None,
    seed: int = 0,
    *,
    cost: int = 1,
) -> dict[str, Estimate]:
    r"""Return measures of samples, each with its bootstrap percentile interval.

    A resample draws n samples with replacement; the 95 % interval lies between the quantiles 0.025
    and 0.975 of a measure's values on 1,000 resamples (Efron & Tibshirani 1993, chapter 13). For
    more than 30,000 samples there are fewer resamples, but at least 200. All measures see the same
    resamples. If all samples are predicted correctly, so are all resamples: the interval then has
    no width, and says nothing.

    Parameters
    ----------
    measures : mapping of str to measure
    n_samples : int
    groups : array of shape (n_samples,), optional
        The group of each sample as a number from 0; a resample then draws whole groups.
    seed : int
    cost : int
        About how many of the measures sort all samples; a higher cost means fewer resamples, just
        as more samples do.

    Examples
    --------
    >>> from multilayer.evaluation.measures import mean
    >>> y = np.random.default_rng(0).normal(size=400)
    >>> found = estimates({"mean": mean(y)}, 400)["mean"]
    >>> deviation = 1.96 * y.std() / 20
    >>> bool(abs(found.high - y.mean() - deviation) < 0.02)
    True
    """
    ones = np.ones((n_samples, 1))
    values = {name: float(measure(ones)[0]) for name, measure in measures.items()}
    drawn: dict[str, list[Array]] = {name: [] for name in measures}
    for weight in _weights(n_samples, groups, seed, cost):
        for name, measure in measures.items():
            drawn[name].append(measure(weight))
    tail = (1 - CONFIDENCE) / 2
    found = {}
    for name, value in values.items():
        each = np.concatenate(drawn[name])
        each = each[~np.isnan(each)]
        if np.isnan(value) or not each.size:
            found[name] = Estimate(None)
        else:
            found[name] = Estimate(value, *np.quantile(each, [tail, 1 - tail]).tolist())
    return found


def _weights(n_samples: int, groups: Array | None, seed: int, cost: int) -> Iterator[Array]:
    """Yield how often each sample is drawn, in pieces of shape (n_samples, n_resamples)."""
    rng = np.random.default_rng(seed)
    n_units = n_samples if groups is None else int(groups.max()) + 1
    left = min(N_RESAMPLES, max(MOST_DRAWS // (n_samples * cost), FEWEST_RESAMPLES))
    while left:
        size = min(left, max(PIECE // n_samples, 1))
        # Resample by resample, so that the size of a piece does not change what is drawn.
        drawn = rng.integers(n_units, size=(size, n_units))
        places = drawn * size + np.arange(size)[:, None]
        counts = np.bincount(places.ravel(), minlength=n_units * size).reshape(n_units, size)
        weight = counts.astype(np.float64)
        yield weight if groups is None else weight[groups]
        left -= size
