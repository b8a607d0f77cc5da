"""Metrics of predictions, from scikit-learn except for the accuracy of several targets at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.registry import Names, Registry

__all__ = ["DEFAULT_METRICS", "METRICS", "Metric", "accuracy", "resolve_metrics"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """A function of targets and predictions.

    Parameters
    ----------
    function : callable
        Takes (y_true, y_pred), integers for classes and labels, and returns a number.
    higher_is_better : bool, optional
        Whether a higher value is better. If None, epochs cannot be judged by this metric.
    """

    function: Callable[[Array, Array], float]
    higher_is_better: bool | None = None

    def __call__(self, y: Array, prediction: Array) -> float:
        """Return the value of the metric for targets y and predictions."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if prediction.ndim == 2 and prediction.shape[1] == 1:
            prediction = prediction[:, 0]
        return float(self.function(y, prediction))


def _sklearn(name: str) -> Callable[[Array, Array], float]:
    """Return scikit-learn's function of that name, which is imported when it is first called."""

    def metric(y: Array, prediction: Array) -> float:
        with forks.imports:
            from sklearn import metrics

        return float(getattr(metrics, name)(y, prediction))

    return metric


def accuracy(y: Any, prediction: Array, sample_weight: Any = None) -> float:
    """Return the share of samples whose labels or targets are all predicted correctly.

    Parameters
    ----------
    y, prediction : array of shape (n_samples,) or (n_samples, n_targets)
    sample_weight : array of shape (n_samples,), optional

    Examples
    --------
    >>> accuracy(np.array([[0, 2], [1, 1]]), np.array([[0, 2], [1, 0]]))
    0.5
    """
    if prediction.ndim == 1:
        with forks.imports:
            from sklearn.metrics import accuracy_score

        return float(accuracy_score(y, prediction, sample_weight=sample_weight))
    truth = np.asarray(y)
    if truth.shape != prediction.shape:
        got = f"{truth.shape}, {prediction.shape}"
        raise InvalidDataError("y and prediction must have the same shape", got=got)
    # scikit-learn has no accuracy for several targets with more than two classes.
    return float(np.average((truth == prediction).all(axis=1), weights=sample_weight))


METRICS: Registry[Metric] = Registry(
    Names("metric", []),
    {
        "accuracy": Metric(accuracy, higher_is_better=True),
        "balanced_accuracy": Metric(_sklearn("balanced_accuracy_score"), higher_is_better=True),
        "r2": Metric(_sklearn("r2_score"), higher_is_better=True),
        "mean_absolute_error": Metric(_sklearn("mean_absolute_error"), higher_is_better=False),
        "root_mean_squared_error": Metric(
            _sklearn("root_mean_squared_error"), higher_is_better=False
        ),
    },
)

DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "multilabel": ("accuracy",),
    "regression": (),
}
"""What is measured for each task by default."""


def resolve_metrics(metrics: object, task: str) -> dict[str, Metric]:
    """Return metrics by name, from a sequence of names or a mapping of names to functions."""
    if metrics is None:
        metrics = DEFAULT_METRICS[task]
    if isinstance(metrics, Mapping):
        found = {}
        for name, metric in metrics.items():
            if not callable(metric):
                rule = "must be a function (y, prediction)"
                raise InvalidTypeError(rule, f"metrics[{name!r}]", "fit", got=repr(metric))
            found[str(name)] = metric if isinstance(metric, Metric) else Metric(metric)
    elif isinstance(metrics, Iterable) and not isinstance(metrics, str):
        found = {str(name): METRICS[name] for name in metrics}
    else:
        rule = "must be a sequence of names or a mapping"
        raise InvalidTypeError(rule, "metrics", "fit", got=repr(metrics))
    if "loss" in found:
        raise InvalidArgumentError(
            "a metric cannot be named 'loss': validation_loss is measured already"
        )
    return found
