"""Compare predictions with observations in bins, and measure the expected calibration error."""

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

__all__ = ["N_BINS", "Reliability"]

Array = npt.NDArray[np.float64]

N_BINS = 10


class Reliability(NamedTuple):
    """The mean prediction and the mean observation in bins of samples.

    Examples
    --------
    >>> found = Reliability.of_probabilities(np.array([0.1, 0.2, 0.9]), np.array([0, 0, 1]), 2)
    >>> found.n.tolist(), found.predicted.round(2).tolist(), found.observed.tolist()
    ([2, 1], [0.15, 0.9], [0.0, 1.0])
    >>> round(found.error, 3)
    0.133
    """

    n: npt.NDArray[np.intp]
    """The number of samples in each bin, of shape (n_bins,)."""
    predicted: Array
    """The mean prediction in each bin; NaN if it is empty."""
    observed: Array
    """The mean observation in each bin: for an event, how often it happened."""

    @classmethod
    def of_probabilities(cls, p: Array, happened: Array, n_bins: int = N_BINS) -> Self:
        """Return bins of equal width for the probabilities of an event.

        Parameters
        ----------
        p : array of shape (n_samples,)
            Probabilities.
        happened : array of shape (n_samples,)
            1 where the event happened, otherwise 0.
        n_bins : int
        """
        inner = np.linspace(0, 1, n_bins + 1)[1:-1]
        return cls._of(np.searchsorted(inner, p), p, happened, n_bins)

    @classmethod
    def of_values(cls, predicted: Array, y: Array, n_bins: int = N_BINS) -> Self:
        """Return bins of the predicted values, with equal numbers of samples.

        Equal predictions share a bin, so there may be fewer bins.
        """
        inner = np.quantile(predicted, np.arange(1, n_bins) / n_bins)
        inner = np.unique(inner[(inner > predicted.min()) & (inner < predicted.max())])
        return cls._of(np.searchsorted(inner, predicted), predicted, y, len(inner) + 1)

    @classmethod
    def _of(cls, bins: npt.NDArray[np.intp], predicted: Array, observed: Array, size: int) -> Self:
        n = np.bincount(bins, minlength=size)
        with np.errstate(invalid="ignore"):  # 0/0 in an empty bin
            means = [np.bincount(bins, own, size) / n for own in (predicted, observed)]
        return cls(n, *means)

    @property
    def error(self) -> float:
        r"""The expected calibration error, of probabilities.

        It is :math:`\sum_b \frac{n_b}{N} |\text{observed}_b - \text{predicted}_b|` over the bins b
        (Guo et al. 2017, eq. 3).
        """
        return float(self.n @ np.nan_to_num(np.abs(self.observed - self.predicted)) / self.n.sum())

    @property
    def by_chance(self) -> float:
        r"""The approximate error that correct probabilities would have with as few samples.

        The frequency in a bin is roughly normal around the mean probability :math:`\bar p_b`, with
        variance :math:`s_b^2 = \bar p_b (1 - \bar p_b)/n_b`, and its mean absolute deviation is
        :math:`s_b \sqrt{2/π}`.
        """
        there = self.n > 0
        p, n = self.predicted[there], self.n[there]
        return float(np.sqrt(n * p * (1 - p) * 2 / math.pi).sum() / n.sum())
