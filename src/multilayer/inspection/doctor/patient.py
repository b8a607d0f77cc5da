"""Patient: a network in whatever it comes, as a model of the engine from scratch."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import ClassGroups, Model
from multilayer.numpy import (
    LOSSES,
    MLP,
    BinaryCrossEntropy,
    CrossEntropy,
    GroupedCrossEntropy,
    Loss,
    SquaredError,
)
from multilayer.registry import rebuild, resolve

__all__ = ["LOSS_OF_OUTPUT", "Patient", "admit", "network_of", "subject_of"]

LOSS_OF_OUTPUT = {
    "softmax": "cross_entropy",
    "log_softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "exp": "poisson",
}
"""The loss that belongs to an output's link function; identity leaves it open."""


class Patient(NamedTuple):
    """A model, and what is known of its training."""

    model: Model
    """Its network is a copy in float64, in which small gradients are numbers and not zero."""
    subject: str
    loss: Loss | None
    """None where neither the network nor what it stands in says which."""
    prepare: Callable[[Any], Any]
    """What a pipeline does to raw samples before the model takes them."""
    history: Any
    """What was measured in each epoch, by name."""
    settings: Mapping[str, Any]
    """How it was trained, as ``History.settings`` has it."""
    has_best_weights: bool
    """Whether the best epoch's weights were put back at the end of the training."""

    @property
    def net(self) -> MLP:
        """The model's network."""
        return self.model.net


def network_of(given: Any) -> Any:
    """Return the network in what `diagnose` is given, of whichever engine.

    Raises
    ------
    InvalidTypeError
        If there is none.
    """
    found = _opened(given)
    net = found.net if isinstance(found, Model) else found
    if hasattr(net, "architecture"):
        return net
    got = type(found).__name__
    if isinstance(found, (str, Path)):
        got += ": read a model's file with multilayer.load first"
    elif isinstance(found, list) or hasattr(found, "shape"):
        got += ": the order is diagnose(net_or_estimator, X, y)"
    rule = "must be an MLP of either engine, an estimator, a Model or a pipeline that ends in one"
    raise InvalidTypeError(rule, "net_or_estimator", "diagnose", got=got)


def subject_of(net: Any) -> str:
    """Return the network in one line, as the engine from scratch has it."""
    if isinstance(net, MLP):
        return repr(net)
    return repr(MLP(net.architecture, dtype=net.dtype, initializer="zeros"))


def admit(given: Any, loss: str | Loss | None = None, history: Any = None) -> Patient:
    """Return what to look at, of a network, an estimator, a model, or a pipeline that ends in one.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If there is no network in it; or
        if a model does not say which loss it was trained with, and none is given.
    """
    last, model = _last(given), _opened(given)
    if not isinstance(model, Model):
        net = network_of(given)
        model = Model(net if isinstance(net, MLP) else net.to_numpy())
    stops_early = bool(_part(model.information, "training").get("early_stopping"))
    if history is None:
        told = _part(model.information, "history")
        history, settings = _part(told, "metrics"), _part(told, "settings")
    else:
        settings = getattr(history, "settings", {})
        stops_early |= getattr(history, "stopped_by", "") == "early_stopping"
    return Patient(
        replace(model, net=model.net.copy("float64")),
        repr(model.net),
        _loss_of(last, model, settings) if loss is None else resolve(loss, LOSSES, Loss),
        given[:-1].transform if last is not given and len(given) > 1 else _as_it_is,
        history,
        settings,
        stops_early,
    )


def _last(given: Any) -> Any:
    """Return the last step of a pipeline; anything else as it is."""
    return given.steps[-1][1] if hasattr(given, "named_steps") else given


def _opened(given: Any) -> Any:
    """Return the model or the network in what is given: its last step, an estimator's model."""
    last = _last(given)
    # scikit-learn's error if it is not fitted
    return last.to_model() if hasattr(type(last), "to_model") else last


def _as_it_is(given: Any) -> Any:
    return given


def _part(information: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of what is told of a model; empty if there is none."""
    part = information.get(name)
    return part if isinstance(part, dict) else {}


def _loss_of(last: Any, model: Model, settings: Mapping[str, Any]) -> Loss | None:
    """Return the loss that a model was trained with: what is told of it, or that of its outputs."""
    told = rebuild(settings.get("loss"), LOSSES) or getattr(last, "loss", None)
    if isinstance(told, Loss):
        return told
    targets, training = model.targets, _part(model.information, "training")
    told = training.get("loss")
    if isinstance(told, str) and told in LOSSES:
        return LOSSES[told]()
    if told is not None or getattr(targets, "n_each", 1) > 1:
        rule = (
            "must be given for a model whose history does not tell it; it was trained with "
            f"{told or 'quantiles'}"
        )
        raise InvalidArgumentError(rule, "loss", "diagnose")
    smoothing = training.get("label_smoothing", 0.0)
    if isinstance(targets, ClassGroups):
        return GroupedCrossEntropy(targets.sizes, smoothing)
    name = LOSS_OF_OUTPUT.get(model.net.architecture.output)
    if name is None:
        return None if targets is None else SquaredError()
    loss = LOSSES[name]()
    if isinstance(loss, (CrossEntropy, BinaryCrossEntropy)):
        return replace(loss, label_smoothing=smoothing)
    return loss
