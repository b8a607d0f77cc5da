"""How predicted values are judged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.linear import linear_model
from multilayer.evaluation.measures import Measure, mean, median, r_squared, root
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.task import Task
from multilayer.evaluation.words import number, sentence, share
from multilayer.numpy import Loss

__all__ = ["RegressionTask"]

Array = npt.NDArray[Any]

N_ITERATIONS = 300
TINY = float(np.finfo(np.float32).tiny)
"""The lowest rate; the deviance of a rate that has rounded to 0 would be infinite."""


class RegressionTask(Task):
    """The task of predicting a real value for each sample, by a number or by quantiles.

    The measures follow the loss that the model was trained with: the Poisson deviance for rates,
    the pinball loss and the coverage for quantiles, and errors and R² for a number or the median.

    Parameters
    ----------
    y : array of shape (n_samples,)
    loss : Loss

    Attributes
    ----------
    levels : tuple of float
        The quantiles' levels; () if a number is predicted.
    middle : int or None
        The column of the predicted number or median; None for quantiles without the median.
    width : float or None
        The share of samples that should lie between the outer quantiles.
    """

    name = "regression"

    def __init__(self, y: Array, loss: Loss) -> None:
        self.y = y
        self.is_rate = loss.link == "exp"
        self.levels = loss.levels
        self.middle: int | None = 0
        if self.levels:
            self.middle = self.levels.index(0.5) if 0.5 in self.levels else None
        self.width = self.levels[-1] - self.levels[0] if len(self.levels) > 1 else None
        if self.is_rate and (y < 0).any():
            row = int(np.argmax(y < 0))
            rule, got = "must be at least 0, for a model of rates", f"{y[row]:g} at index {row}"
            raise InvalidDataError(rule, "y", got=got)
        checks.finite_squares(y, "y")
        self.is_median = loss.centre == "median"
        if self.is_rate:
            self.main, self.error = "deviance", "mean deviance"
        elif self.levels:
            self.main, self.error = "pinball", "pinball loss"
        else:
            self.main = "mae" if self.is_median else "rmse"
            self.error = "mean absolute error"
        self.bias, self.calibration = "bias", "predicted value"
        self.baseline = "the median" if self.is_median else "the mean"
        self.linear = "Poisson regression" if self.is_rate else "ridge regression"
        if self.levels:
            self.bias = "missing coverage" if self.width else "missing share"
            self.calibration = "level of a quantile"
            self.baseline = "the quantiles"
            self.linear += ", with the quantiles of its residuals"

    def measures(self, predicted: Array) -> dict[str, Measure]:
        found: dict[str, Measure] = {}
        if self.is_rate:
            found["deviance"] = mean(self._deviances(predicted))
        if self.levels:
            found["pinball"] = mean(self._pinballs(predicted))
        if self.width:
            found["coverage"] = mean(self._covered(predicted))
        if self.middle is not None:
            own = predicted[:, self.middle]
            absolute = np.abs(self.y - own)
            found |= {
                "rmse": root(mean(np.square(absolute))),
                "mae": mean(absolute),
                "median_absolute_error": median(absolute),
                "r2": r_squared(self.y, own),
            }
        return found

    def errors(self, predicted: Array) -> Array:
        if self.is_rate:
            return self._deviances(predicted)
        if self.levels:
            return self._pinballs(predicted)
        return np.abs(self.y - predicted[:, 0])

    def bias_of(self, predicted: Array) -> Measure:
        if self.width:
            return mean(self.width - self._covered(predicted))
        if self.levels:
            return mean(self.levels[0] - (self.y <= predicted[:, 0]))
        return mean(predicted[:, 0] - self.y)

    def meaning(self, predicted: Array, bias: Estimate) -> str:
        assert bias.value is not None
        if self.width:
            return sentence(
                "The interval between the outer quantiles is", bias, ("too narrow", "too wide"),
                share, f"it should hold {share(self.width)} of the values, and holds "
                f"{share(self.width - bias.value)}",
            )  # fmt: skip
        if self.levels:
            level = self.levels[0]
            return sentence(
                "The quantile is", bias, ("too low", "too high"), share,
                f"{share(level)} of the values should lie below it, and "
                f"{share(level - bias.value)} do",
            )  # fmt: skip
        return sentence(
            "The predictions are", bias, ("too high", "too low"), number,
            "the mean of their differences from the values",
        )  # fmt: skip

    def reliability(self, predicted: Array) -> Reliability:
        if not self.levels:
            return Reliability.of_values(predicted[:, 0], self.y)
        below = (self.y[:, None] <= predicted).mean(axis=0)
        n = np.full(len(self.levels), len(self.y))
        return Reliability(n, np.array(self.levels), below)

    def baseline_of(self, y: Array) -> Array:
        if self.levels:
            return np.quantile(y, self.levels)
        return np.atleast_1d(np.median(y) if self.is_median else y.mean())

    def linear_of(self, x: Array, y: Array, x_new: Array) -> Array:
        if self.is_rate:
            from sklearn.linear_model import PoissonRegressor

            mean = y.mean() or 1.0
            model = PoissonRegressor(alpha=1 / len(y), max_iter=N_ITERATIONS).fit(x, y / mean)
            return (mean * model.predict(x_new))[:, None]
        model = linear_model(self.name).fit(x, y)
        found = np.asarray(model.predict(x_new), dtype=np.float64)[:, None]
        return found + np.quantile(y - model.predict(x), self.levels) if self.levels else found

    def _covered(self, predicted: Array) -> Array:
        is_between = (predicted[:, 0] <= self.y) & (self.y <= predicted[:, -1])
        return is_between.astype(np.float64)

    def _pinballs(self, predicted: Array) -> Array:
        """Return the mean over the quantiles of max(τ (y − ŷ), (τ − 1) (y − ŷ))."""
        residual, levels = self.y[:, None] - predicted, np.array(self.levels)
        return np.maximum(levels * residual, (levels - 1) * residual).mean(axis=1)

    def _deviances(self, predicted: Array) -> Array:
        """Return 2 (y log(y/ŷ) − y + ŷ)."""
        rate = np.maximum(predicted[:, 0], TINY)
        y = self.y
        return 2 * (y * np.log(np.where(y > 0, y, rate) / rate) - y + rate)
