"""The loss that belongs to a network, by its link function or its targets."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from multilayer.numpy import LOSSES, BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError
from multilayer.registry import rebuild

__all__ = ["loss_of_data", "loss_of_output", "recorded_loss"]


def loss_of_output(output: str, label_smoothing: float = 0.0) -> Loss | None:
    """Return the loss that belongs to a link function; None for identity, which leaves it open.

    Examples
    --------
    >>> loss_of_output("softmax", label_smoothing=0.1)
    CrossEntropy(label_smoothing=0.1)
    """
    if output in ("softmax", "log_softmax"):
        return CrossEntropy(label_smoothing)
    if output == "sigmoid":
        return BinaryCrossEntropy(label_smoothing)
    return Poisson() if output == "exp" else None


def loss_of_data(y: npt.NDArray[Any], out_features: int) -> Loss:
    """Return the loss for outputs without a link function, by the targets.

    It is the cross-entropy if y is a vector of integers and there are several outputs; else the
    squared error.
    """
    are_classes = y.ndim == 1 and y.dtype.kind in "biu" and out_features > 1
    return CrossEntropy() if are_classes else SquaredError()


def recorded_loss(settings: Mapping[str, Any], training: Mapping[str, Any]) -> Loss | None:
    """Return the loss that a model was trained with, if its information tells it.

    Parameters
    ----------
    settings : mapping
        Those of its history.
    training : mapping
        The parameters of its estimator.

    Examples
    --------
    >>> recorded_loss({"loss": {"name": "quantile", "quantiles": [0.1, 0.9]}}, {})
    Quantile(quantiles=(0.1, 0.9))
    """
    told = rebuild(settings.get("loss"), LOSSES)
    if told is not None:
        return told
    name = training.get("loss")
    return LOSSES[name]() if isinstance(name, str) and name in LOSSES else None
