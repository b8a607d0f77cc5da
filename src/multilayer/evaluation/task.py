"""Task: how predictions of one kind of target are judged."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy.typing as npt

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.measures import Measure
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.results import ClassScore

__all__ = ["Task"]

Array = npt.NDArray[Any]


class Task(ABC):
    """The true targets of samples, and how predictions for them are judged.

    Predictions are arrays with a row for each sample: probabilities of the classes, or values.

    Attributes
    ----------
    name : {"classification", "regression"}
    has_probabilities : bool
        Whether the bins of `reliability` hold probabilities.
    width : float or None
        The share of samples that should lie between the outer of several quantiles.
    main : str
        The measure by which models are compared; lower is better.
    error : str
        What `errors` returns, in words.
    bias : str
        What `bias_of` measures, in words.
    calibration : str
        What the bins of `reliability` hold, in words.
    baseline, linear : str
        Short descriptions of the simple models.
    y : array of shape (n_samples,)
        The targets: positions of classes, or values.
    """

    name: ClassVar[str]
    has_probabilities: ClassVar[bool] = False
    width: float | None = None
    main: str
    error: str
    bias: str
    calibration: str
    baseline: str
    linear: str
    y: Array

    @abstractmethod
    def measures(self, predicted: Array) -> dict[str, Measure]:
        """Return the measures of predictions by name."""

    @abstractmethod
    def errors(self, predicted: Array) -> Array:
        """Return the error of each prediction, whose means are compared among groups."""

    @abstractmethod
    def bias_of(self, predicted: Array) -> Measure:
        """Return by how much predictions are too sure, or too high."""

    @abstractmethod
    def reliability(self, predicted: Array) -> Reliability:
        """Return predictions and observations in bins."""

    @abstractmethod
    def meaning(self, predicted: Array, bias: Estimate) -> str:
        """Return a sentence about `bias`, which must have a value and an interval."""

    def scores(self, predicted: Array) -> tuple[tuple[ClassScore, ...], list[list[int]] | None]:
        """Return how each class is predicted, and the confusion matrix; neither for values."""
        return (), None

    @abstractmethod
    def baseline_of(self, y: Array) -> Array:
        """Return the best prediction for new samples that ignores inputs, of shape (n_columns,)."""

    @abstractmethod
    def linear_of(self, x: Array, y: Array, x_new: Array) -> Array:
        """Return the predictions of a linear model, fitted to x and y, for new samples."""

    def n_outputs(self) -> int:
        """Return how many outputs a linear model has; its time is estimated from them."""
        return 1

    def strata(self) -> Array | None:
        """Return the class of each sample, to be divided evenly among folds; None for values."""
        return None
