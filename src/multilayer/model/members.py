"""What a model computes with a network or with an ensemble."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidTypeError
from multilayer.model.targets import Targets
from multilayer.numpy import MLP, Ensemble
from multilayer.numpy.activations.outputs import log_softmax

__all__ = ["features_of", "mean_outputs", "one_network", "outputs_of", "softmax_sizes"]

Array = npt.NDArray[Any]
N = TypeVar("N")


def outputs_of(
    net: MLP | Ensemble, x: object, targets: Targets | None = None, mean_of: str = "outputs"
) -> Array:
    """Return the outputs for encoded samples, of shape (n_samples, out_features).

    The outputs of an ensemble are the mean over its members: see `mean_outputs`. With
    ``mean_of="logits"``, they are the link function applied to the mean of the members' logits.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> ensemble = Ensemble(Architecture(2, (), 2, output="softmax"), 5)
    >>> x = np.ones((1, 2))
    >>> bool(np.allclose(outputs_of(ensemble, x), ensemble(x).mean(axis=0)))
    True
    """
    if isinstance(net, MLP):
        return net(x)
    if mean_of == "logits":
        mean: Array = net.logits(x).mean(axis=0)
        return net.network.link.forward(mean)
    outputs = net(x)
    every = slice(None)
    return mean_outputs(((every, own) for own in outputs), outputs[0], softmax_sizes(net, targets))


def mean_outputs(
    each: Iterable[tuple[Any, Array]], like: Array, sizes: tuple[int, ...] = ()
) -> Array:
    """Return each sample's mean outputs over the networks that predicted it.

    Parameters
    ----------
    each : iterable of (rows, array of shape (n_rows, out_features))
        A slice or an array of row numbers, and a network's outputs for these rows: probabilities,
        rates, values, or with `sizes` logits.
    like : array of shape (n_samples, out_features)
        An array of the shape and type of the result.
    sizes : tuple of int
        See `Targets.softmax_sizes`. If given, probabilities are averaged, and the result is the
        logarithm of their mean.

    Returns
    -------
    array of shape (n_samples, out_features)
        NaN for samples that no network predicted.
    """
    total = np.full_like(like, -np.inf if sizes else 0)
    count = np.zeros((len(like), 1), dtype=like.dtype)
    for rows, outputs in each:
        if sizes:
            parts = np.split(outputs, np.cumsum(sizes)[:-1], axis=1)
            log_p = np.concatenate([log_softmax(part) for part in parts], axis=1)
            total[rows] = np.logaddexp(total[rows], log_p)
        else:
            total[rows] += outputs
        count[rows] += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return total - np.log(count) if sizes else total / count


def softmax_sizes(net: MLP | Ensemble, targets: Targets | None) -> tuple[int, ...]:
    """Return the sizes of the groups of outputs that softmax turns into probabilities, or ()."""
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
    """Return a network of either engine, or raise if it is an ensemble.

    Parameters
    ----------
    net : MLP or Ensemble
    name, owner : str
        The argument and its function, for the message.

    Raises
    ------
    InvalidTypeError
        If `net` is an ensemble.
    """
    if getattr(net, "n_members", 0):
        rule = "must be one network; a member of an ensemble is ensemble[k]"
        raise InvalidTypeError(rule, name, owner, got=repr(net))
    return cast("N", net)
