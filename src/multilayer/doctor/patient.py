"""Patient: the object given to `diagnose`, as a model of the engine from scratch."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from multilayer.doctor.finding import Finding
from multilayer.errors import InvalidTypeError
from multilayer.model import (
    Model,
    loss_of_model,
    model_in,
    network_in,
    one_network,
    section_of,
)
from multilayer.numpy import LOSSES, MLP, Loss
from multilayer.registry import resolve

__all__ = ["Patient", "admit", "findings_of_fit", "members_of", "network_of", "subject_of"]


class Patient(NamedTuple):
    """A model, and what is known about its training."""

    model: Model
    """A model whose network is a float64 copy, so that small gradients do not underflow."""
    subject: str
    loss: Loss | None
    """The training loss; None if unknown."""
    prepare: Callable[[Any], Any]
    """Applies the steps of a pipeline that come before the model."""
    history: Any
    """The metrics of each epoch, by name."""
    settings: Mapping[str, Any]
    """The training settings, as in ``History.settings``."""
    has_best_weights: bool
    """Whether training ended by restoring the weights of the best epoch."""

    @property
    def net(self) -> MLP:
        """The model's network."""
        return one_network(self.model.net, "net_or_estimator", "diagnose")


def network_of(given: Any) -> Any:
    """Return the network or ensemble, of either engine, that was given to `diagnose`.

    Raises
    ------
    InvalidTypeError
        If there is no network in it.
    """
    found = _last(given)
    net = network_in(found)
    if net is not None:
        return net
    got = type(found).__name__
    if isinstance(found, (str, Path)):
        got += ": read a model's file with multilayer.load first"
    elif isinstance(found, list) or hasattr(found, "shape"):
        got += ": the order is diagnose(net_or_estimator, X, y)"
    rule = "must be an MLP of either engine, an estimator, a Model or a pipeline that ends in one"
    raise InvalidTypeError(rule, "net_or_estimator", "diagnose", got=got)


def members_of(given: Any) -> list[Any]:
    """Return each network of an ensemble in the form in which the ensemble was given."""
    last = _last(given)
    model = model_in(last)
    assert model is not None  # `network_of` has rejected everything else
    recorded = model.information.get("history")
    each: list[Any] = []
    for k, member in enumerate(model.members):
        if isinstance(recorded, list) and k < len(recorded):  # one history per member
            member = replace(member, information=model.information | {"history": recorded[k]})
        each.append(member)
    if last is given:
        return each
    return [type(given)([*given.steps[:-1], ("model", member)]) for member in each]


def findings_of_fit(given: Any) -> list[Finding]:
    """Return the findings of an estimator for tables at `fit`, from the estimator or its file."""
    model = model_in(_last(given))
    assert model is not None
    recorded = model.information.get("findings")
    found = map(Finding.from_dict, recorded if isinstance(recorded, list) else [])
    return [each for each in found if each is not None]


def subject_of(net: Any) -> str:
    """Return a one-line description of the network, the same for both engines."""
    if isinstance(net, MLP):
        return repr(net)
    return repr(MLP(net.architecture, dtype=net.dtype, initializer="zeros"))


def admit(given: Any, loss: str | Loss | None = None, history: Any = None) -> Patient:
    """Return the patient in a network, an estimator, a model, or a pipeline that ends in one.

    Raises
    ------
    InvalidArgumentError
        If the training loss is neither known nor given.
    """
    last = _last(given)
    model = model_in(last)
    assert model is not None  # `network_of` has rejected everything else
    stops_early = bool(section_of(model.information, "training").get("early_stopping"))
    if history is None:
        recorded = section_of(model.information, "history")
        history, settings = section_of(recorded, "metrics"), section_of(recorded, "settings")
    else:
        settings = getattr(history, "settings", {})
        stops_early |= getattr(history, "stopped_by", "") == "early_stopping"
    if loss is None:
        known = loss_of_model(model, "diagnose", given=last, settings=settings)
    else:
        known = resolve(loss, LOSSES, Loss)
    return Patient(
        replace(model, net=one_network(model.net, "net_or_estimator", "diagnose").copy("float64")),
        repr(model.net),
        known,
        given[:-1].transform if last is not given and len(given) > 1 else _as_it_is,
        history,
        settings,
        stops_early,
    )


def _last(given: Any) -> Any:
    """Return the last step of a pipeline, or the object itself."""
    return given.steps[-1][1] if hasattr(given, "named_steps") else given


def _as_it_is(given: Any) -> Any:
    return given
