"""Slices: groups of samples in which a model is worse than in the others."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data import Table
from multilayer.evaluation.bootstrap import CONFIDENCE
from multilayer.model import Columns

__all__ = ["LEAST", "Slice", "parts_of", "slices"]

Array = npt.NDArray[Any]

LEAST = 30
"""The fewest samples of a slice, and of the rest."""
LEAST_GROUPS = 5
FEW_VALUES = 8
"""With at most this many values, a numeric column has a slice per value, else one per quarter."""


class Slice(NamedTuple):
    """The error in the samples that share a value of a column, or a range of values."""

    column: str
    value: str
    n: int
    error: float
    """The mean error in the slice."""
    low: float
    """The ends of its interval; all slices' intervals hold at once with 95 % confidence."""
    high: float
    rest: float
    """The mean error in all other samples."""
    p_value: float
    """The probability that any slice would be this much worse by chance."""
    linear: float | None = None
    """The mean error of a linear model in the slice: it shows whether these samples are hard."""

    @property
    def is_worse(self) -> bool:
        """Whether the slice is worse than the rest by more than chance."""
        return self.p_value < 1 - CONFIDENCE


def slices(
    parts: list[tuple[str, str, Array]],
    errors: Array,
    groups: Array | None = None,
    linear: Array | None = None,
) -> list[Slice]:
    r"""Return the slices; those that are worse than the rest by more than chance come first.

    By chance, the means in a slice S and in the rest R differ with the variance

    .. math:: s^2 = \sum_{A \in \{S, R\}} \frac{1}{n_A^2}
              \sum_g \Bigl(\sum_{i \in g \cap A} (e_i - \bar e_A)\Bigr)^2,

    where g are the groups of samples, or single samples. The variance under equal variances in S
    and R replaces it if it is larger, as it is for a slice with nothing but errors. The difference
    divided by s approximately follows Student's t distribution, with one degree of freedom less
    than the slice has groups. The one-sided p-value is multiplied by the number of slices
    (Bonferroni), which is valid however they overlap.

    Parameters
    ----------
    parts : list of (column, value, rows)
        Rows as an array of booleans.
    errors : array of shape (n_samples,)
    groups : array of shape (n_samples,), optional
        The group of each sample as a number from 0.
    linear : array of shape (n_samples,), optional
        The errors of a linear model.

    Examples
    --------
    >>> errors = np.random.default_rng(0).random(1000) < np.repeat([0.1, 0.3], 500)
    >>> is_late = np.arange(1000) >= 500
    >>> late, early = slices([("t", "late", is_late), ("t", "early", ~is_late)], errors * 1.0)
    >>> late.value, late.is_worse, early.is_worse
    ('late', True, False)
    """
    from scipy.stats import t

    groups = np.arange(len(errors)) if groups is None else groups
    residuals = errors - errors.mean()
    variance = len(errors) * _squared_deviation(residuals, groups)  # of a sample, with its group
    tail = (1 - CONFIDENCE) / 2 / max(len(parts), 1)
    found = []
    for column, value, rows in parts:
        own, rest = errors[rows], errors[~rows]
        n, freedom = len(own), len(np.unique(groups[rows])) - 1
        difference = float(own.mean() - rest.mean())
        within = _squared_deviation(own - own.mean(), groups[rows])
        apart = within + _squared_deviation(rest - rest.mean(), groups[~rows])
        deviation = float(np.sqrt(max(apart, variance * (1 / n + 1 / len(rest)))))
        p = float(t.sf(difference / deviation, freedom)) if deviation > 0 else 1.0
        reach = float(t.isf(tail, freedom) * np.sqrt(within))
        mean = float(own.mean())
        found.append(
            Slice(
                column,
                value,
                n=n,
                error=mean,
                low=max(mean - reach, float(errors.min())),
                high=min(mean + reach, float(errors.max())),
                rest=float(rest.mean()),
                p_value=min(p * len(parts), 1.0),
                linear=None if linear is None else float(linear[rows].mean()),
            )
        )
    return sorted(found, key=lambda each: (not each.is_worse, each.rest - each.error))


def _squared_deviation(residuals: Array, groups: Array) -> float:
    """Return the squared standard error of a mean, from its samples' deviations."""
    sums = np.bincount(groups, residuals)
    return float(sums @ sums) / len(residuals) ** 2


def parts_of(
    table: Table, columns: Columns, groups: Array | None = None
) -> Iterator[tuple[str, str, Array]]:
    """Yield the column, value and rows of each slice that is large enough, in order of values.

    Parameters
    ----------
    table : Table
    columns : Columns
        The columns to divide by, with their kinds.
    groups : array of shape (n_samples,), optional
        The group of each sample as a number; a slice must have samples of at least five groups.
    """
    for column in columns.columns:
        entries = table[column.name]
        values = column.values(entries, [])
        codes, names = entries.categories() if values is None else _quarters(values, column.shown)
        n_each = np.bincount(codes + 1, minlength=len(names) + 1)
        for code in [*range(len(names)), -1]:
            if not LEAST <= n_each[code + 1] <= len(codes) - LEAST:
                continue
            rows = codes == code
            if groups is None or len(np.unique(groups[rows])) >= LEAST_GROUPS:
                yield column.name, "missing" if code < 0 else names[code], rows


def _quarters(values: Array, shown: Callable[[float], str]) -> tuple[Array, list[str]]:
    """Return the quarter of each number (its value if there are few), −1 if missing; and names."""
    codes = np.full(len(values), -1)
    present = ~np.isnan(values)
    own = values[present]
    limits = np.unique(own)
    if len(limits) > FEW_VALUES:
        limits = np.unique(np.quantile(own, [0.25, 0.5, 0.75, 1], method="lower"))
    codes[present] = np.searchsorted(limits, own)
    names = []
    for code in range(len(limits)):
        inside = own[codes[present] == code]
        low, high = shown(inside.min()), shown(inside.max())
        names.append(low if low == high else f"{low} to {high}")
    return codes, names
