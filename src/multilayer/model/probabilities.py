"""The probabilities of classes from the outputs of a network whose targets are not known."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError
from multilayer.numpy import MLP, OUTPUTS, Ensemble

__all__ = ["Prediction", "of_outputs"]

Array = npt.NDArray[Any]


class Prediction(NamedTuple):
    """The probability of each class for some samples."""

    classes: Array
    """The class of each column, of shape (n_classes,)."""
    probabilities: Array
    """Rows that add up to 1, of shape (n_samples, n_classes)."""


def of_outputs(net: MLP | Ensemble, outputs: Array, owner: str) -> Prediction:
    """Return the class probabilities for a network's outputs; the classes are their numbers.

    Logits, which are outputs without a link function, become probabilities by softmax, or a single
    one by the logistic function.

    Raises
    ------
    InvalidArgumentError
        If it predicts rates or labels; the message names `owner`.
    """
    output = net.architecture.output
    if output == "exp" or (output == "sigmoid" and outputs.shape[1] > 1):
        raise InvalidArgumentError(
            "must tell classes apart",
            "model",
            owner,
            got=f"a network with output {output!r} and {outputs.shape[1]} outputs",
        )
    outputs = outputs.astype(np.float64)
    if output == "log_softmax":
        outputs = np.exp(outputs)
    elif output == "identity":
        link = "softmax" if outputs.shape[1] > 1 else "sigmoid"
        outputs = OUTPUTS[link].forward(outputs)
    if outputs.shape[1] == 1:
        outputs = np.hstack([1 - outputs, outputs])
    return Prediction(np.arange(outputs.shape[1]), outputs)
