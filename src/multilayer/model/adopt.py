"""Make a `Model` from a network, an estimator or a file."""

import os
from collections.abc import Callable
from typing import Any

from multilayer.architecture import Architecture
from multilayer.errors import InvalidTypeError
from multilayer.model.model import Model
from multilayer.numpy import MLP, Ensemble

__all__ = ["adopt", "model_in", "network_in"]


def adopt(given: Any, owner: str, read: Callable[[Any], Model] | None = None) -> Model:
    """Return the model in `given`, as `model_in` does, or raise an error if there is none.

    Parameters
    ----------
    given : MLP, Ensemble, Model, estimator or path
        A network or an ensemble of either engine, a model, a fitted estimator of this package, or,
        with `read`, the path of a model file.
    owner : str
        The name of the function that takes `given` as ``model``, for messages.
    read : callable, optional
        A function that reads a model file: `multilayer.files.load_model`, which this package
        cannot import.

    Raises
    ------
    InvalidTypeError
        If `given` contains no network.

    Examples
    --------
    >>> adopt(MLP(Architecture(2, (3,), 1)), "example").inputs
    Numbers(2, no scaling)
    """
    is_path = isinstance(given, (str, os.PathLike))
    found = read(given) if is_path and read is not None else model_in(given)
    if found is None:
        hint = ": read a model's file with multilayer.load first" if is_path else ""
        rule = "must be a network, a Model or an MLP estimator"
        raise InvalidTypeError(rule, "model", owner, got=f"{type(given).__name__}{hint}")
    return found


def model_in(given: Any) -> Model | None:
    """Return the model in a network, ensemble, estimator or model; None for anything else.

    A PyTorch network is copied to the NumPy engine; any other network is shared.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If `given` is an estimator that is not fitted.
    """
    held = _opened(given)
    if isinstance(held, Model):
        return held
    net = network_in(held)
    if net is None:
        return None
    return Model(net if isinstance(net, (MLP, Ensemble)) else net.to_numpy())


def network_in(given: Any) -> Any:
    """Return the network or ensemble in what `model_in` accepts, of either engine; else None."""
    held = _opened(given)
    net = held.net if isinstance(held, Model) else held
    return net if isinstance(getattr(net, "architecture", None), Architecture) else None


def _opened(given: Any) -> Any:
    """Return an estimator's model, and anything else unchanged."""
    return given.to_model() if hasattr(type(given), "to_model") else given
