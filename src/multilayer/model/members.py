"""A network or an ensemble of several: what a model computes with either."""

import math
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidTypeError
from multilayer.model.targets import Targets
from multilayer.numpy import MLP, Ensemble
from multilayer.numpy.activations.outputs import log_softmax

__all__ = ["features_of", "one_network", "outputs_of", "softmax_sizes"]

Array = npt.NDArray[Any]
N = TypeVar("N")


def outputs_of(net: MLP | Ensemble, x: object, targets: Targets | None = None) -> Array:
    """Return the outputs for encoded samples, of shape (n_samples, out_features).

    Those of an ensemble are the mean of its members' outputs: of probabilities, rates or values.
    Where outputs are logits or logarithms, the mean is that of the probabilities, and the result
    its logarithm.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> ensemble = Ensemble(Architecture(2, (), 2, output="softmax"), 5)
    >>> x = np.ones((1, 2))
    >>> bool(np.allclose(outputs_of(ensemble, x), ensemble(x).mean(axis=0)))
    True
    """
    outputs = net(x)
    if isinstance(net, MLP):
        return outputs
    sizes = softmax_sizes(net, targets)
    if not sizes:
        return np.asarray(outputs.mean(axis=0))
    parts = np.split(outputs, np.cumsum(sizes)[:-1], axis=-1)
    sums = [np.logaddexp.reduce(log_softmax(part), axis=0) for part in parts]
    return np.concatenate(sums, axis=-1) - math.log(net.n_members)


def softmax_sizes(net: MLP | Ensemble, targets: Targets | None) -> tuple[int, ...]:
    """Return the sizes of groups of outputs whose softmax are probabilities; () if none are."""
    if targets is not None:
        return targets.softmax_sizes
    architecture = net.architecture
    return (architecture.out_features,) if architecture.output == "log_softmax" else ()


def features_of(net: MLP | Ensemble, x: object) -> Array:
    """Return the last hidden layer's output; of an ensemble, those of its members side by side."""
    if isinstance(net, MLP):
        return net.features(x)
    return np.concatenate([member.features(x) for member in net], axis=1)


def one_network(net: N | Ensemble, name: str, owner: str) -> N:
    """Return a network of either engine, unless it is an ensemble.

    Parameters
    ----------
    net : MLP or Ensemble
    name, owner : str
        The argument that it is, and the function, for the message.

    Raises
    ------
    InvalidTypeError
        If it is an ensemble.
    """
    if getattr(net, "n_members", 0):
        rule = "must be one network; a member of an ensemble is ensemble[k]"
        raise InvalidTypeError(rule, name, owner, got=repr(net))
    return cast("N", net)
