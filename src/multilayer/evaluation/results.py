"""The parts of an evaluation."""

from dataclasses import dataclass

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.reliability import Reliability

__all__ = ["Calibration", "ClassScore", "Peer"]


@dataclass(frozen=True)
class Peer:
    """A simple model on the same samples, fitted to them by cross-validation.

    Attributes
    ----------
    what : str
        A short description, such as ``"logistic regression"``.
    metrics : dict of str to float or None
    gain : Estimate
        By how much the evaluated model is better, in `Evaluation.main`.
    """

    what: str
    metrics: dict[str, float | None]
    gain: Estimate


@dataclass(frozen=True)
class Calibration:
    """Predictions and observations in bins.

    Attributes
    ----------
    of : str
        What is predicted: a probability, a value, or the level of a quantile.
    bins : Reliability
    bias : Estimate
        By how much the predictions are too sure (classes), too high (values) or too narrow (the
        interval between quantiles).
    meaning : str
        The bias in a sentence.
    error, by_chance : float or None
        The expected calibration error of probabilities, and its approximate value if they were
        correct; None for values.
    """

    of: str
    bins: Reliability
    bias: Estimate
    meaning: str
    error: float | None = None
    by_chance: float | None = None


@dataclass(frozen=True)
class ClassScore:
    """How the samples of one class are predicted.

    Attributes
    ----------
    name : str
    n : int
        The number of samples of the class.
    n_predicted : int
        The number of samples for which the class is predicted.
    precision, recall : float or None
        None if no sample is predicted as the class, or no sample is of the class.
    is_known : bool
        Whether the model knows the class; if not, all its samples count as errors.
    """

    name: str
    n: int
    n_predicted: int
    precision: float | None
    recall: float | None
    is_known: bool
