"""The probabilities of classes, also for a network without known targets; and true classes."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model.model import Model
from multilayer.numpy import MLP, OUTPUTS, Ensemble

__all__ = ["Prediction", "class_places", "class_prediction", "of_outputs"]

Array = npt.NDArray[Any]


class Prediction(NamedTuple):
    """The probability of each class for some samples."""

    classes: Array
    """The class of each column, of shape (n_classes,)."""
    probabilities: Array
    """Rows that add up to 1, of shape (n_samples, n_classes)."""


def of_outputs(net: MLP | Ensemble, outputs: Array, owner: str) -> Prediction:
    """Return the class probabilities for a network's outputs; the classes are 0, 1, ….

    Outputs without a link function are logits: several become probabilities by softmax, a single
    one by the logistic function.

    Raises
    ------
    InvalidArgumentError
        If the network predicts rates or labels; the message names `owner`.
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


def class_prediction(model: Model, X: Any, owner: str) -> Prediction:
    """Return the class probabilities of a model; without targets, its classes are 0, 1, ….

    Raises
    ------
    InvalidArgumentError
        If the model does not tell classes apart; the message names `owner`.
    """
    if model.targets is None:
        return of_outputs(model.net, model(X), owner)
    if not model.targets.has_one_class:
        kind = type(model.targets).__name__
        rule = "must tell classes apart"
        raise InvalidArgumentError(rule, "model", owner, got=f"a Model of {kind}")
    return Prediction(model.targets.classes, np.asarray(model.predict_proba(X)))


def class_places(y: Any, classes: Array, n_samples: int, owner: str) -> Array:
    """Return the position of each sample's class in `classes`, of shape (n_samples,).

    Raises
    ------
    InvalidDataError
        If there is not exactly one class per sample, or the model does not know a class.
    """
    found = checks.array(y, "y", owner)
    if found.shape == (n_samples, 1):
        found = found[:, 0]
    if found.shape != (n_samples,):
        rule = f"must have shape ({n_samples},), one class per sample"
        raise InvalidDataError(rule, "y", owner, got=found.shape)
    places = found[:, None] == classes[None, :]
    if not places.any(axis=1).all():
        row = int(np.argmin(places.any(axis=1)))
        shown = ", ".join(map(str, classes))
        rule = f"must hold the model's classes {shown}"
        raise InvalidDataError(rule, "y", owner, got=f"{found[row]} at index {row}")
    return np.asarray(places.argmax(axis=1))
