"""Probabilities that do not mean what they say."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case, Sample
from multilayer.doctor.finding import Finding, severity_of
from multilayer.doctor.measures import simple_scores
from multilayer.numpy import OUTPUTS, Loss

__all__ = ["Calibration", "calibration", "miscalibrated"]

Array = npt.NDArray[Any]

N_BINS = 15
"""The number of bins in Guo et al. 2017."""
ALIKE = 1e-6
"""Smaller differences between probabilities are rounding: float32 resolves logits of size 10 to
1e-6."""
ERROR, WRONG_ERROR = 0.1, 0.2
"""Error in excess of chance: predictions with 90 % confidence are right 80 % of the time, or 70 %.
Networks that stop early or use a penalty are often underconfident by half of that."""
STANDARD_DEVIATIONS = 3.0
"""Excess in standard deviations of the error that correct probabilities have by chance."""


class Calibration(NamedTuple):
    """The adaptive calibration error, and the error expected by chance."""

    error: float
    """Σ nᵦ/n |p̄ᵦ − ȳᵦ| over the bins b: how far probabilities are from frequencies."""
    by_chance: float
    """The mean error of correct probabilities."""
    deviation: float
    """Its standard deviation."""


def calibration(p: Array, happened: Array) -> Calibration:
    r"""Return the adaptive calibration error, and the error expected by chance.

    The bins hold equal numbers of samples (Nixon et al. 2019), unlike those of the expected
    calibration error, which have equal widths. Samples with the same probability share a bin.

    If the probabilities are correct, the frequency in a bin of n samples is roughly normal around
    their mean, with variance :math:`s^2 = \sum p_i(1 - p_i)/n^2`. Its absolute deviation has mean
    :math:`s\sqrt{2/π}` and variance :math:`s^2(1 - 2/π)`. Weighted by the bins' shares, these add
    up to the mean and variance of the whole error. The mean is not 0, and not small in small
    samples (Bröcker & Smith 2007 make the same point by resampling).

    Parameters
    ----------
    p : array of shape (n_samples,)
        Probabilities.
    happened : array of shape (n_samples,)
        1 where the predicted event happened, otherwise 0.

    Examples
    --------
    >>> found = calibration(np.full(1000, 0.9), np.arange(1000) % 2)
    >>> round(found.error, 3), round(found.by_chance, 3)
    (0.4, 0.008)
    """
    order = np.argsort(p, kind="stable")
    cuts = np.arange(1, N_BINS) * len(p) // N_BINS
    cuts = np.searchsorted(p[order], p[order[cuts]] - ALIKE)  # back to the first equal one
    error = mean = variance = 0.0
    for rows in np.split(order, np.unique(cuts[cuts > 0])):
        share = len(rows) / len(p)
        error += share * abs(float(p[rows].mean() - happened[rows].mean()))
        s = math.sqrt(float((p[rows] * (1 - p[rows])).sum())) / len(rows)
        mean += share * s * math.sqrt(2 / math.pi)
        variance += share**2 * s**2 * (1 - 2 / math.pi)
    return Calibration(error, mean, math.sqrt(variance))


def miscalibrated(case: Case) -> Iterator[Finding]:
    """Find probabilities whose error is large and not due to chance.

    On its training samples, a healthy network may look underconfident, since its answers are right
    more often there than elsewhere. So without validation samples, it is reported as underconfident
    only if simple models are right on new samples much more often than its probabilities claim.
    """
    answers = _answers(case.held_out, case.loss)
    if answers is None:
        return
    p, happened = answers
    found = calibration(p, happened)
    excess = found.error - found.by_chance
    if excess < max(ERROR, STANDARD_DEVIATIONS * found.deviation):
        return
    is_sure = p.mean() > happened.mean()
    if case.validation is None and not is_sure:
        known = max(simple_scores(case).values(), default=0.0)
        noise = math.sqrt(max(known * (1 - known), 0) / len(case.training))
        if known - p.mean() < max(ERROR, STANDARD_DEVIATIONS * noise):
            return
    yield Finding(
        "miscalibrated",
        severity_of(excess > WRONG_ERROR),
        {
            "calibration error": found.error,
            "by chance": found.by_chance,
            "mean probability": float(p.mean()),
            "frequency": float(happened.mean()),
        },
        "The probabilities do not match how often the answers are right: "
        + ("the network is too sure." if is_sure else "the network is not sure enough."),
        "Stop early, use l2 or label smoothing, or calibrate with "
        "sklearn.calibration.CalibratedClassifierCV."
        if is_sure
        else "Train longer, use less l2, alpha, dropout, noise or label smoothing, or calibrate "
        "with sklearn.calibration.CalibratedClassifierCV.",
    )


def _answers(sample: Sample, loss: Loss) -> tuple[Array, Array] | None:
    """Return the probability of each answer and whether it was right; None for other tasks.

    For classes, the answer is the most likely class; for labels, each label has an answer, yes or
    no.
    """
    if loss.task == "multilabel":
        p = OUTPUTS["sigmoid"].forward(sample.logits)
        right = (p > 0.5) == (sample.targets > 0.5)
        return np.maximum(p, 1 - p).ravel(), right.ravel()
    if loss.task == "regression" or (truth := loss.truth(sample.targets)).ndim > 1:
        return None
    p = OUTPUTS["softmax"].forward(sample.logits)
    return p.max(axis=1), p.argmax(axis=1) == truth
