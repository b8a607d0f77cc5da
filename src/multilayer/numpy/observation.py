"""Observation: what a network's layers compute for some samples, and the loss's gradients."""

from typing import Any, NamedTuple

import numpy.typing as npt

from multilayer import checks
from multilayer.numpy.blocks import GaussianNoise, with_caches
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.mlp import MLP
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.registry import resolve

__all__ = ["HiddenLayer", "LayerObservation", "hidden_layers", "observe", "outputs_after"]

Array = npt.NDArray[Any]


class HiddenLayer(NamedTuple):
    """What one hidden layer computes for some samples."""

    z: Array
    """The activation's input, of shape (n_samples, out_features)."""
    a: Array
    """The activation's output, of the same shape."""
    output: Array
    """The next layer's input: a, plus what a residual block adds to it."""


class LayerObservation(NamedTuple):
    """What a layer computes for some samples, and the loss's gradients in the layer."""

    name: str
    """``hidden 1``, …, ``output``."""
    z: Array
    """The activation's input, of shape (n_samples, out_features): x Wᵀ + b, normalised if there is
    a normalisation; for the output layer, the logits."""
    a: Array
    """The activation's output, of the same shape, before a residual block adds its input; for the
    output layer, the link function's output."""
    da: Array
    """∂J/∂a of a hidden layer; for the output layer, ∂J/∂z. J is a mean over samples, so each row
    has the factor 1/n_samples."""
    W: Array
    """The affine layer's weights, of shape (out_features, in_features)."""
    dW: Array  # noqa: N815 - the mathematics' own name
    """∂J/∂W."""


def observe(
    net: MLP, X: object, y: object, *, loss: str | Loss, sample_weight: object = None
) -> list[LayerObservation]:
    r"""Return what each layer computes for some samples, and the loss's gradients in the layer.

    The network is in prediction mode: nothing is dropped, no noise is added, batch normalisation
    uses its running statistics, and nothing changes. The gradients are those of the loss without
    penalty,

    .. math:: da_l = \frac{∂J}{∂a_l}, \qquad dW_l = \frac{∂J}{∂W_l}.

    Parameters
    ----------
    net : MLP
        A network of this engine; a PyTorch network can be converted with its ``to_numpy()``.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,) or (n_samples, out_features)
        Targets, as the loss takes them.
    loss : str or Loss
        See ``LOSSES``.
    sample_weight : array of shape (n_samples,), optional
        Non-negative weights.

    Returns
    -------
    list of LayerObservation
        In forward order, the output layer last.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> net = MLP(Architecture(2, (3,), 2), rng=np.random.default_rng(0))
    >>> for layer in observe(net, [[0.5, -1.0], [1.0, 2.0]], [0, 1], loss="cross_entropy"):
    ...     print(layer.name, layer.a.shape, layer.dW.shape, int((layer.a == 0).sum()))
    hidden 1 (2, 3) (3, 2) 3
    output (2, 2) (2, 3) 0
    """
    chosen = resolve(loss, LOSSES, Loss)
    batch, network = net.batch(X, y, sample_weight, chosen), net.network
    features, z, caches = network.forward(batch.x)
    _, dz = Objective(chosen).loss_and_dz(network, z, batch)
    d: Any
    d, of_last = network.last.backward(dz, features)
    a, W = network.link.forward(z), network.last.W
    found = [LayerObservation("output", z, a, dz, W, of_last[0])]
    layers = _hidden_layers(network, caches, features)
    for i, (block, of_block) in reversed([*enumerate(_blocks(network, caches))]):
        # Nothing is dropped, and what a residual block adds does not depend on a: the gradient with
        # respect to the block's output is da.
        da = d
        d, gradients = block.backward(da, of_block)
        z, a, _ = layers[i]
        affine = next(layer for layer in block.parts() if isinstance(layer, Affine))
        dW = next(g for W, g in zip(block.parameters, gradients, strict=True) if W is affine.W)
        found.append(LayerObservation(f"hidden {i + 1}", z, a, da, affine.W, dW))
    return found[::-1]


def hidden_layers(net: MLP, X: object) -> list[HiddenLayer]:
    """Return what each hidden layer computes in prediction mode, in forward order.

    Parameters
    ----------
    net : MLP
    X : array of shape (n_samples, in_features)

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If X does not fit this network.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> net = MLP(Architecture(2, (3, 4), 1), rng=np.random.default_rng(0))
    >>> [layer.a.shape for layer in hidden_layers(net, np.zeros((5, 2)))]
    [(5, 3), (5, 4)]
    """
    features, _, caches = net.network.forward(_samples(net, X, 0))
    return _hidden_layers(net.network, caches, features)


def outputs_after(net: MLP, n: int, a: object) -> Array:
    """Return the network's outputs, given the output `a` of hidden layer `n`, counted from 1.

    Parameters
    ----------
    net : MLP
    n : int
        0 for the inputs, which pass through the whole network.
    a : array of shape (n_samples, width of the layer)

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If `a` does not fit the layer.
    """
    network = net.network
    blocks = [layer for layer in network.hidden.layers if not isinstance(layer, GaussianNoise)]
    features, _ = Stack(blocks[n:]).forward(_samples(net, a, n))
    return network.link.forward(network.last.forward(features)[0])


def _samples(net: MLP, X: object, n: int) -> Array:
    """Return the outputs of hidden layer `n`, or the inputs if it is 0, checked."""
    widths = (net.architecture.in_features, *net.architecture.hidden_features)
    return checks.sample_matrix(X, widths[n], net.dtype)


def _blocks(network: Network, caches: list[Any]) -> list[tuple[Layer, Any]]:
    """Return the hidden layers, each with its cache, without the noise on the inputs."""
    pairs = zip(network.hidden.layers, caches, strict=True)
    return [pair for pair in pairs if not isinstance(pair[0], GaussianNoise)]


def _hidden_layers(network: Network, caches: list[Any], features: Array) -> list[HiddenLayer]:
    """Read a forward pass from its caches; the first cache of a block is the block's input."""
    blocks = _blocks(network, caches)
    outputs = [*(of_block[0] for _, of_block in blocks[1:]), features]
    found = []
    for (block, of_block), output in zip(blocks, outputs, strict=False):
        parts = with_caches(block, of_block)
        z, a = next(cache for layer, cache in parts if isinstance(layer, Activate))
        found.append(HiddenLayer(z, a, output))
    return found
