"""The loss that belongs to a network, by its link function or its targets."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from multilayer.errors import InvalidArgumentError
from multilayer.model.model import Model
from multilayer.numpy import LOSSES, BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError
from multilayer.registry import rebuild

__all__ = ["loss_of_data", "loss_of_model", "loss_of_output", "recorded_loss", "section_of"]


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
    """Return the loss for outputs without a link function, chosen by the targets.

    It is the cross-entropy if y is a vector of integers or booleans and there are several outputs,
    otherwise the squared error.
    """
    are_classes = y.ndim == 1 and y.dtype.kind in "biu" and out_features > 1
    return CrossEntropy() if are_classes else SquaredError()


def loss_of_model(
    model: Model,
    owner: str,
    *,
    given: Any = None,
    settings: Mapping[str, Any] | None = None,
) -> Loss | None:
    """Return the loss that a model was trained with, or else the one that belongs to its outputs.

    Parameters
    ----------
    model : Model
    owner : str
        The function that an error names; its argument ``loss`` is the remedy.
    given : object
        The object that the model comes from: an estimator's ``loss`` may be unregistered.
    settings : mapping, optional
        The settings in the model's history; by default those in its information, of the first
        member if there are several.

    Returns
    -------
    Loss or None
        None if only the data can decide: see `loss_of_data`.

    Raises
    ------
    InvalidArgumentError
        If the model was trained with an unknown loss, or with quantiles of unknown levels.
    """
    training, targets = section_of(model.information, "training"), model.targets
    if settings is None:
        history = model.information.get("history")
        history = history[0] if isinstance(history, list) and history else history
        settings = section_of(history, "settings")
    if (recorded := recorded_loss(settings, training)) is not None:
        return recorded
    if isinstance(own := getattr(given, "loss", None), Loss):
        return own
    named = training.get("loss") or settings.get("loss")
    if named is None:
        smoothing = training.get("label_smoothing", 0.0)
        if targets is None:
            return loss_of_output(model.net.architecture.output, smoothing)
        if (loss := targets.loss(smoothing)) is not None:
            return loss
    rule = "must be given for a model whose history does not name it; the model was trained with {}"
    raise InvalidArgumentError(rule.format(named or repr(targets)), "loss", owner)


def section_of(information: Any, name: str) -> Mapping[str, Any]:
    """Return a section of a model's information, or of another section; empty if there is none."""
    found = information.get(name) if isinstance(information, dict) else None
    return found if isinstance(found, dict) else {}


def recorded_loss(settings: Mapping[str, Any], training: Mapping[str, Any]) -> Loss | None:
    """Return the loss that a model was trained with, if its information records it.

    Parameters
    ----------
    settings : mapping
        The settings in its history.
    training : mapping
        The parameters of its estimator.

    Examples
    --------
    >>> recorded_loss({"loss": {"name": "quantile", "quantiles": [0.1, 0.9]}}, {})
    Quantile(quantiles=(0.1, 0.9))
    """
    recorded = rebuild(settings.get("loss"), LOSSES)
    if recorded is not None:
        return recorded
    name = training.get("loss")
    return LOSSES[name]() if isinstance(name, str) and name in LOSSES else None
