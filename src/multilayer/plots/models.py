"""Access to the predictions and the network of any kind of model, for the pictures."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MissingPackageError,
)
from multilayer.files import load_model
from multilayer.model import Model, Prediction, adopt, class_prediction, model_in

__all__ = [
    "Plane",
    "class_probabilities",
    "column_names",
    "model_of",
    "opened",
    "plane_grid",
    "predicted_values",
    "samples_of",
]

Array = npt.NDArray[Any]

MODELS = "must be a network, a Model, an estimator or a function of samples"


class Plane(NamedTuple):
    """A grid of points over a rectangle."""

    xx: Array
    """The first coordinates, of shape (resolution, resolution)."""
    yy: Array
    points: Array
    """The points, of shape (resolution², 2)."""


def class_probabilities(model: Any, X: Any, owner: str) -> Prediction:
    """Return the probability of each class, for any kind of classifier.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A network of either engine: its classes are the numbers of its outputs; softmax turns logits
        (outputs without a link function) into probabilities, or the logistic function a single
        logit. An estimator with ``predict_proba``; with ``predict`` alone, the predicted class gets
        probability 1. Or any function of samples that returns the probability of the second class,
        of shape (n_samples,), probabilities of shape (n_samples, n_classes), or classes, as
        integers, booleans or strings.
    X : array of shape (n_samples, in_features)
    owner : str
        The calling function, for error messages.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model has no classes, or returns anything else.

    Examples
    --------
    >>> X = np.array([[-1.0, 0.0], [2.0, 0.0]])
    >>> class_probabilities(lambda X: X[:, 0] > 0, X, "example").probabilities
    array([[1., 0.],
           [0., 1.]])
    """
    model = _with_targets(opened(model))
    if isinstance(model, Model):
        return class_prediction(model, X, owner)
    if hasattr(model, "predict_proba"):
        classes = model.classes_
        if isinstance(classes, list):
            raise InvalidArgumentError("must have one target", "model", owner, got=len(classes))
        probabilities = model.predict_proba(_with_names(model, X, owner))
        return Prediction(np.asarray(classes), np.asarray(probabilities))
    if hasattr(model, "predict"):
        known = getattr(model, "classes_", None)
        if known is None:
            rule = "must tell classes apart"
            raise InvalidArgumentError(rule, "model", owner, got=type(model).__name__)
        predicted = model.predict(_with_names(model, X, owner))
        return _certain(np.asarray(predicted), np.asarray(known))
    if hasattr(model, "state_dict"):  # a PyTorch module: takes tensors, and its link is unknown
        rule = (
            "must be a function that returns the module's probabilities: lambda X: "
            "module(torch.tensor(X).float()).softmax(1).detach().numpy()"
        )
        raise InvalidTypeError(rule, "model", owner, got=f"the {type(model).__name__} itself")
    if callable(model) and not isinstance(model, type):
        values = checks.array(model(X), f"what the model of {owner} returns")
        return _of_function(values, len(X), owner)
    raise InvalidTypeError(MODELS, "model", owner, got=type(model).__name__)


def predicted_values(model: Any, X: Any, owner: str) -> Array:
    """Return the predictions of any kind of regressor, of shape (n_samples,).

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A network of either engine, a regression Model, a regressor, or any function of samples.
    X : array or table of shape (n_samples, in_features)
    owner : str
        The calling function, for error messages.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model predicts classes, or more than one value per sample.
    """
    model = _with_targets(opened(model))
    targets = model.targets if isinstance(model, Model) else None
    if targets is not None and targets.task != "regression":
        got = f"a Model of {type(targets).__name__}"
        raise InvalidArgumentError("must predict values", "model", owner, got=got)
    if hasattr(model, "classes_"):
        rule = f"must predict values; {type(model).__name__} predicts classes"
        raise InvalidArgumentError(rule, "model", owner)
    predict = getattr(model, "predict", model)
    if not callable(predict) or isinstance(predict, type):
        raise InvalidTypeError(MODELS, "model", owner, got=type(model).__name__)
    found = np.asarray(predict(_with_names(model, X, owner)), dtype=np.float64)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (X.shape[0],):
        rule = "must predict one value per sample"
        raise InvalidDataError(rule, "model", owner, got=f"shape {found.shape}")
    return found


def model_of(model: Any, owner: str) -> Model:
    """Return any kind of network as a Model of the engine from scratch.

    Raises
    ------
    InvalidTypeError
        If it contains no network.
    """
    return adopt(model, owner, load_model)


def opened(model: Any) -> Any:
    """Return the Model in a file if given a path; return anything else unchanged."""
    return load_model(model) if isinstance(model, (str, os.PathLike)) else model


def column_names(model: Any) -> Sequence[str] | None:
    """Return the names of a model's input columns, if known."""
    own = model_in(model)
    return getattr(model, "feature_names_in_", None) if own is None else own.inputs.names


def samples_of(X: Any, owner: str) -> Any:
    """Return lists as an array; keep tables, since a model may need their column names."""
    return X if hasattr(X, "shape") else checks.array(X, "X", owner)


def plane_grid(low: Array, high: Array, resolution: int) -> Plane:
    """Return a grid over the rectangle between two corners."""
    xx, yy = np.meshgrid(*(np.linspace(*ends, resolution) for ends in zip(low, high, strict=True)))
    return Plane(xx, yy, np.column_stack([xx.ravel(), yy.ravel()]))


def _with_targets(model: Any) -> Any:
    """Return a network of either engine as a Model without targets; others unchanged."""
    return model if hasattr(model, "predict") else model_in(model) or model


def _with_names(estimator: Any, X: Any, owner: str) -> Any:
    """Return samples as a table if the estimator was fitted to one, since it expects names."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or hasattr(X, "columns"):
        return X
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingPackageError(
            f'{owner} needs pandas, since the model was fitted to a table: pip install "pandas"'
        ) from error
    return pd.DataFrame(X, columns=names)


def _of_function(values: Array, n_samples: int, owner: str) -> Prediction:
    """Return class probabilities for the values that a function returned."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != n_samples or not values.size:
        rule = "must return an array of shape (n_samples,) or (n_samples, n_classes)"
        raise InvalidDataError(rule, "model", owner, got=f"{values.shape} for {n_samples} samples")
    if values.ndim == 1 and values.dtype.kind != "f":
        values = values.astype(int) if values.dtype.kind == "b" else values
        classes = np.unique(values)
        whole = classes.dtype.kind in "iu" and classes.min() >= 0
        # Some class between 0 and the largest may not occur among these samples.
        return _certain(values, np.arange(max(2, classes.max() + 1)) if whole else classes)
    p = checks.finite_array(values, f"what the model of {owner} returns", np.float64)
    if p.min() < -1e-6 or p.max() > 1 + 1e-6:
        rule = "must return probabilities in [0, 1], or classes as integers"
        raise InvalidDataError(rule, "model", owner, got=f"values from {p.min():g} to {p.max():g}")
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    return Prediction(np.arange(p.shape[1]), p)


def _certain(predicted: Array, classes: Array) -> Prediction:
    """Return probability 1 for each predicted class."""
    return Prediction(classes, (predicted[:, None] == classes[None, :]).astype(float))
