"""Patient: a network in whatever it comes, as the engine from scratch has it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import Classes, ClassGroups, Labels, Model, Targets
from multilayer.numpy import LOSSES, MLP, GroupedCrossEntropy, Loss
from multilayer.registry import resolve

__all__ = ["Patient", "admit", "network_of", "subject_of"]

Array = npt.NDArray[Any]

LOSS_OF_OUTPUT = {
    "softmax": "cross_entropy",
    "log_softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "exp": "poisson",
}
"""The loss that belongs to an output's link function; identity leaves it open."""


class Patient(NamedTuple):
    """A network, and how raw samples and targets become its own."""

    net: MLP
    """A copy in float64, in which small gradients are numbers and not zero."""
    subject: str
    loss: Loss | None
    """None where neither the network nor what it stands in says which."""
    inputs: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    history: Mapping[str, Any]
    has_best_weights: bool
    """Whether the best epoch's weights were put back at the end of the training."""


def network_of(given: Any) -> Any:
    """Return the network in what `diagnose` is given, of whichever engine.

    Raises
    ------
    InvalidTypeError
        If there is none.
    """
    found = given
    if hasattr(found, "named_steps"):
        found = found.steps[-1][1]
    if hasattr(type(found), "network_"):
        found = found.network_  # scikit-learn's error if it is not fitted
    elif isinstance(found, Model):
        found = found.net
    if isinstance(found, MLP) or callable(getattr(found, "to_numpy", None)):
        return found
    msg = (
        "net_or_estimator of diagnose must be an MLP of either engine, an estimator, a Model or a "
        f"pipeline that ends in one; got {type(found).__name__}"
    )
    raise InvalidTypeError(msg)


def subject_of(net: Any) -> str:
    """Return the network in one line, as the engine from scratch has it."""
    if isinstance(net, MLP):
        return repr(net)
    return repr(MLP(net.architecture, dtype=net.dtype, initializer="zeros"))


def admit(given: Any, loss: str | Loss | None) -> Patient:
    """Return what to look at, of a network, an estimator, a model, or a pipeline that ends in one.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If there is no network in it; or
        if its outputs do not say which loss they are trained with, and none is given.
    """
    chosen = None if loss is None else resolve(loss, LOSSES, Loss)
    if hasattr(given, "named_steps"):
        *_, (_, last) = given.steps
        patient = admit(last, loss)
        before = given[:-1]

        def inputs(X: Any) -> Any:
            return patient.inputs(before.transform(X) if len(before) else X)

        return patient._replace(inputs=inputs)
    net = network_of(given)
    if hasattr(type(given), "network_"):
        return _patient(
            net,
            chosen or given._loss(),
            given._checked,
            lambda y: given._targets.encode(np.asarray(y)),
            getattr(given, "history_", {}),
            has_best_weights=bool(given.early_stopping),
        )
    if isinstance(given, Model):
        return _patient(
            net,
            chosen or _loss_of_targets(given.targets, net),
            given.inputs.encode,
            lambda y: y if given.targets is None else given.targets.encode(np.asarray(y)),
            _history_of(given.information),
            has_best_weights=bool(_training_of(given.information).get("early_stopping")),
        )
    if not isinstance(net, MLP):
        net = net.to_numpy()
    return _patient(net, chosen or _loss_of_output(net), _as_it_is, _as_it_is, {})


def _patient(
    net: MLP,
    loss: Loss | None,
    inputs: Any,
    encode: Any,
    history: Any,
    has_best_weights: bool = False,
) -> Patient:
    twin = net.copy("float64")
    return Patient(twin, repr(net), loss, inputs, encode, history, has_best_weights)


def _as_it_is(given: Any) -> Any:
    return given


def _loss_of_output(net: MLP) -> Loss | None:
    name = LOSS_OF_OUTPUT.get(net.architecture.output)
    return None if name is None else LOSSES[name]()


def _loss_of_targets(targets: Targets | None, net: MLP) -> Loss | None:
    if isinstance(targets, ClassGroups):
        return GroupedCrossEntropy(targets.sizes)
    if targets is None or isinstance(targets, (Classes, Labels)):
        return _loss_of_output(net)
    if getattr(targets, "n_each", 1) > 1:
        msg = (
            "loss of diagnose must be given for a model of quantiles, such as "
            "multilayer.numpy.Quantile((0.1, 0.9)); got None"
        )
        raise InvalidArgumentError(msg)
    return _loss_of_output(net) or LOSSES["squared_error"]()


def _history_of(information: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was measured in each epoch, as far as a model's information tells it."""
    history = information.get("history")
    metrics = history.get("metrics") if isinstance(history, dict) else None
    return metrics if isinstance(metrics, dict) else {}


def _training_of(information: Mapping[str, Any]) -> Mapping[str, Any]:
    training = information.get("training")
    return training if isinstance(training, dict) else {}
