"""Scores of a network, and of simple models to compare it with."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case, Sample
from multilayer.numpy import Loss

__all__ = [
    "constant_answer",
    "constant_loss",
    "linear_score",
    "neighbours_score",
    "rightness",
    "score",
    "simple_scores",
]

Array = npt.NDArray[Any]

RIDGE = 1e-3
"""λ as a fraction of n: small enough to shrink the fit very little, large enough for columns that
depend on each other or are nonzero in a single sample."""
LEAST_SAMPLES = 10
"""With fewer samples, the others cannot predict the one that is left out."""
N_NEIGHBOURS = 5
MAX_NEIGHBOURS_SAMPLES = 1_000
"""With this many samples, all pairwise distances take a few milliseconds."""


def rightness(sample: Sample, loss: Loss) -> Array | None:
    """Return whether each prediction is right; None for regression."""
    if loss.task == "regression":
        return None
    p = sample.logits if loss.takes_logits else sample.outputs
    right = loss.predict(p) == loss.truth(sample.targets)
    return right if right.ndim == 1 else right.all(axis=1)


def score(sample: Sample, loss: Loss) -> float:
    """Return the accuracy, or R² for regression; NaN if neither is defined."""
    right = rightness(sample, loss)
    if right is not None:
        return float(right.mean())
    if sample.outputs.shape != sample.targets.shape:  # quantiles
        return math.nan
    return _r_squared(sample.targets, sample.outputs)


def _r_squared(y: Array, predicted: Array) -> float:
    """Return 1 − Σ(y − ŷ)²/Σ(y − ȳ)², averaged over the columns."""
    variance = y.var(axis=0)
    if not (variance > 0).all():
        return math.nan
    return float(1 - (np.square(y - predicted).mean(axis=0) / variance).mean())


def constant_answer(case: Case, sample: Sample) -> Sample | None:
    """Return `sample` with the best constant answer as every prediction; None if unknown."""
    width = case.net.architecture.out_features
    constant = case.loss.best_constant(sample.targets, width, np.ones(len(sample)))
    if constant is None:
        return None
    p = np.tile(constant, (len(sample), 1))
    values, _ = case.loss.per_sample(p, sample.targets)
    return Sample(sample.X, sample.y, sample.targets, p, p, values)


def constant_loss(case: Case, sample: Sample) -> float:
    """Return the loss of the best constant answer; NaN if unknown."""
    constant = constant_answer(case, sample)
    return math.nan if constant is None else constant.loss


def _as_columns(case: Case, sample: Sample) -> Array | None:
    """Return targets as real columns for a least-squares fit; None if that is not possible."""
    if case.loss.task == "classification":
        truth = case.loss.truth(sample.targets)
        return None if truth.ndim > 1 else np.eye(case.net.architecture.out_features)[truth]
    return sample.targets if sample.outputs.shape == sample.targets.shape else None


def _score_of(case: Case, y: Array, predicted: Array) -> float:
    if case.loss.task == "classification":
        return float((predicted.argmax(axis=1) == y.argmax(axis=1)).mean())
    if case.loss.task == "multilabel":
        return float(((predicted > 0.5) == (y > 0.5)).all(axis=1).mean())
    return _r_squared(y, predicted)


def linear_score(case: Case) -> float:
    r"""Return the leave-one-out score of a linear fit to the inputs; NaN if there is none.

    The fit is least squares with a small penalty λ on the weights of the standardised columns. Its
    prediction for a sample that is left out follows from the fit to all samples:

    .. math:: y_i - \hat y_{-i} = \frac{y_i - \hat y_i}{1 - h_i}, \qquad
              h_i = \frac1n + x_i^⊤ (X^⊤ X + λI)^{-1} x_i,

    with the leverage :math:`h_i` (Hastie et al. 2009, eq. 7.64). It measures performance on new
    samples, so a network that fits its training samples scores higher.
    """
    sample = case.training
    y = _as_columns(case, sample)
    if y is None or len(sample) < LEAST_SAMPLES:
        return math.nan
    spread = sample.X.std(axis=0)
    X = (sample.X - sample.X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if X.shape[1] > len(X):  # the fit depends only on X Xᵀ, which equals RᵀR for Xᵀ = QR
        X = np.linalg.qr(X.T).R.T
    inverse = np.linalg.inv(X.T @ X + RIDGE * len(X) * np.eye(X.shape[1]))
    fitted = y.mean(axis=0) + X @ (inverse @ (X.T @ (y - y.mean(axis=0))))
    leverage = 1 / len(X) + ((X @ inverse) * X).sum(axis=1, keepdims=True)
    return _score_of(case, y, y - (y - fitted) / (1 - leverage))


def neighbours_score(case: Case) -> float:
    """Return the score of predicting the mean of each sample's neighbours; NaN if undefined."""
    from sklearn.neighbors import NearestNeighbors

    sample = case.training
    y = _as_columns(case, sample)
    if y is None or len(sample) < LEAST_SAMPLES:
        return math.nan
    rows = np.linspace(0, len(y) - 1, min(len(y), MAX_NEIGHBOURS_SAMPLES)).astype(np.intp)
    X, y = sample.X[rows], y[rows]
    nearest = NearestNeighbors(n_neighbors=N_NEIGHBOURS).fit(X).kneighbors(return_distance=False)
    return _score_of(case, y, y[nearest].mean(axis=1))


def simple_scores(case: Case) -> dict[str, float]:
    """Return the scores of simple models on new samples, leaving out those that are NaN."""
    scores = {
        "score of linear fit": linear_score(case),
        "score of nearest neighbours": neighbours_score(case),
    }
    return {name: value for name, value in scores.items() if not math.isnan(value)}
