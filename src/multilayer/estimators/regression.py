"""What the estimators for regression share: a loss, its form of targets, and its score."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_pinball_score,
    mean_poisson_deviance,
    r2_score,
)

from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators.validation import Checked
from multilayer.model import Values
from multilayer.numpy import LOSSES, AbsoluteError, Loss
from multilayer.registry import Names, resolve

__all__ = [
    "form_of",
    "mean_and_deviation",
    "resolved_loss",
    "score_of",
    "values_of",
]

Array = npt.NDArray[Any]
Score = Callable[..., float]


def resolved_loss(loss: Any, owner: str) -> Loss:
    """Return a loss for regression from its name, or the object itself.

    Raises
    ------
    InvalidArgumentError
        If there is no such loss, or it is for classes; the message names the estimator `owner`.
    """
    names = Names("loss", [name for name in LOSSES if LOSSES[name].task == "regression"])
    if isinstance(loss, str):
        names.check(loss, owner)
    found = resolve(loss, LOSSES, Loss)
    if found.task != "regression":
        rule = f"must be one of {', '.join(names)}"
        raise InvalidArgumentError(rule, "loss", owner, got=repr(found.name))
    return found


# The form of targets -----------------------------------------------------------------------


def form_of(loss: Loss, y: Array) -> tuple[int, int, str]:
    """Return the number of targets, the number of outputs for each, and the link function."""
    return (1 if y.ndim == 1 else y.shape[1]), loss.n_each, loss.link


def values_of(loss: Loss, found: Checked, *, is_scaled: bool, has_limits: bool = False) -> Values:
    """Return the targets of a new network with this loss.

    Scaled targets are (y − mean)/deviation. Scaling targets and predictions alike multiplies
    squared errors, absolute errors and quantile losses by a constant, which does not change what is
    best. Huber's δ is then in deviations, and a custom loss gets scaled targets. Counts and rates
    stay ≥ 0: they are divided by their mean, and so is their deviance. A network whose logits start
    around 0 then starts at the mean rate, whatever the unit.

    Parameters
    ----------
    loss : Loss
    found : Checked
    is_scaled : bool
        Whether targets are scaled.
    has_limits : bool
        Whether predictions stay within the range of the targets.

    Raises
    ------
    InvalidDataError
        If the loss does not accept the targets, or float64 cannot hold their range.
    """
    n_targets, n_each, output = form_of(loss, found.y)
    y = found.y.astype(np.float64).reshape(-1, n_targets)
    mean = scale = None
    if is_scaled:
        loss.targets(y, len(y), n_targets * n_each, np.float64)  # raises in the user's own units
        mean, scale = mean_and_deviation(y, found.weight)
        if output == "exp":
            if not (mean > 0).all():
                rule = f"must be above 0 in some row with a weight, for loss {loss.name!r}"
                raise InvalidDataError(rule, _name_of(y, int(np.argmin(mean > 0))))
            mean, scale = np.zeros(n_targets), mean
    limits = None
    if has_limits:
        used = y if found.weight is None else y[found.weight > 0]
        limits = np.stack([used.min(axis=0), used.max(axis=0)])
    return Values(
        n_targets,
        n_each=n_each,
        mean=mean,
        scale=scale,
        output=output,
        notation=found.notation,
        limits=limits,
    )


def mean_and_deviation(y: Array, weight: Array | None) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each column, for numbers of any size.

    Parameters
    ----------
    y : array of shape (n_samples, n_targets)
    weight : array of shape (n_samples,), optional

    Returns
    -------
    mean, deviation : array of shape (n_targets,)
        The deviation of a constant column is set to 1.

    Raises
    ------
    InvalidDataError
        If the range of a column is infinite.

    Examples
    --------
    >>> mean, deviation = mean_and_deviation(np.array([[1e200], [3e200]]), None)
    >>> mean.tolist(), deviation.tolist()
    ([2e+200], [1e+200])
    """
    weight = None if weight is None else weight / weight.max()
    found = []
    for j, column in enumerate(y.T):
        low, high = column.min(), column.max()
        with np.errstate(over="ignore"):
            spread = high - low or 1.0
        if not np.isfinite(spread):
            rule, got = (
                "must have a range that float64 can hold",
                f"values from {low:g} to {high:g}",
            )
            raise InvalidDataError(rule, _name_of(y, j), got=got)
        shares = (column - low) / spread  # the squares neither overflow nor vanish
        mean = np.average(shares, weights=weight)
        deviation = np.sqrt(np.average((shares - mean) ** 2, weights=weight)) or 1.0
        found.append((low + spread * mean, spread * deviation))
    means, deviations = np.array(found).T
    return means, deviations


def _name_of(y: Array, column: int) -> str:
    return f"y[:, {column}]" if y.shape[1] > 1 else "y"


# Scores ------------------------------------------------------------------------------------


def score_of(loss: Loss) -> tuple[str, Score]:
    """Return the name and the function of the score that fits a loss.

    It is the share of the best constant's loss that predictions explain: D² for quantiles (averaged
    over them), absolute errors and the Poisson deviance; for any other loss R², the share of
    squared errors. For several targets, it is the mean.

    Examples
    --------
    >>> from multilayer.numpy import Quantile
    >>> name, score = score_of(Quantile((0.1, 0.9)))
    >>> name, round(score([1.0, 2.0, 3.0], np.array([[1.0, 3.0]] * 3)), 2)
    ('D²', 0.0)
    """
    if loss.levels:
        return "D²", partial(_d2_of_quantiles, loss.levels)
    if isinstance(loss, AbsoluteError):
        return "D²", d2_absolute_error_score
    if loss.link == "exp":
        return "D²", _d2_of_rates
    return "R²", r2_score


def _d2_of_quantiles(
    quantiles: tuple[float, ...], y: Any, prediction: Array, sample_weight: Any = None
) -> float:
    """Return the mean D² of the quantiles' columns."""
    y = np.asarray(y).reshape(len(prediction), -1)
    by_quantile = prediction.reshape(len(y), y.shape[1], len(quantiles))
    return float(
        np.mean(
            [
                d2_pinball_score(y, by_quantile[:, :, j], alpha=tau, sample_weight=sample_weight)
                for j, tau in enumerate(quantiles)
            ]
        )
    )


def _d2_of_rates(y: Any, prediction: Array, sample_weight: Any = None) -> float:
    """Return the mean D² of rates, each as scikit-learn's ``d2_tweedie_score`` with power 1.

    If there is no deviance to explain, it is 1 or 0, as for R². Rates that have been rounded to 0
    are raised to the smallest normal float32.
    """
    y = np.asarray(y).reshape(len(prediction), -1)
    rates = np.maximum(prediction.reshape(y.shape), np.finfo(np.float32).tiny)
    deviance = partial(mean_poisson_deviance, sample_weight=sample_weight)
    scores = []
    for own, rate in zip(y.T, rates.T, strict=True):
        mean = np.average(own, weights=sample_weight)
        to_explain = deviance(own, np.full(len(own), mean)) if mean > 0 else 0.0
        left = deviance(own, rate)
        scores.append(1 - left / to_explain if to_explain > 0 else float(left == 0))
    return float(np.mean(scores))
