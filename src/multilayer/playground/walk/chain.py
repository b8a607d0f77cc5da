"""Chain: the numbers that each layer computes for one sample, and the loss's gradients."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.numpy import MLP, Loss
from multilayer.numpy.layers import Activate, Affine
from multilayer.numpy.normalization import BatchNorm, LayerNorm
from multilayer.numpy.observation import LayerObservation, observe

__all__ = ["Chain", "LayerChain", "Normalized", "chain_of"]

Array = npt.NDArray[Any]


class Normalized(NamedTuple):
    """The numbers of a normalisation: z = γ x̂ + β, with x̂ = (u − μ)/s.

    Every array has shape (out_features,).
    """

    mean: Array
    """μ."""
    std: Array
    """s."""
    x_hat: Array
    gamma: Array
    beta: Array
    dgamma: Array
    dbeta: Array


class LayerChain(NamedTuple):
    """A layer, forward and back: u = W x + b, z = u or normalised, a = σ(z).

    dq is ∂ℓ/∂q, with the shape of q. x has shape (in_features,), W has shape (out_features,
    in_features), and the other arrays have shape (out_features,).
    """

    function: str
    """The activation σ, or the output's link function."""
    x: Array
    W: Array
    b: Array | None
    """None before batch normalisation, whose β takes its place."""
    u: Array
    normalized: Normalized | None
    z: Array
    a: Array
    da: Array | None
    """None for an output layer if the loss takes the logits z."""
    dz: Array
    du: Array
    """This is also ∂ℓ/∂b, if there is a b."""
    dW: Array  # noqa: N815 - the mathematical name


class Chain(NamedTuple):
    """The numbers of one sample's pass through a network, forward and back.

    Attributes
    ----------
    layers : list of LayerChain
        In forward order, the output layer last.
    target : array of shape (out_features,), or int
        In the form that the loss takes: for the cross-entropy over classes, the class's number.
    loss : Loss
    value : float
        The loss ℓ of the sample.
    """

    layers: list[LayerChain]
    target: Any
    loss: Loss
    value: float


def chain_of(net: MLP, x: Array, y: Array, loss: Loss) -> Chain:
    """Return the numbers of one sample's pass through a network, forward and back.

    As in prediction, nothing is dropped, and batch normalisation uses its running statistics. The
    loss has no penalty.

    Parameters
    ----------
    net : MLP
    x : array of shape (1, in_features)
    y : array of shape (1,), or (1, out_features)
        The target in the form that the loss takes.
    loss : Loss

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import LOSSES
    >>> net = MLP(Architecture(2, (3,), 1, output="sigmoid"), rng=np.random.default_rng(0))
    >>> x, y = np.array([[0.5, -1.0]]), np.array([[1]])
    >>> chain = chain_of(net, x, y, LOSSES["binary_cross_entropy"]())
    >>> last = chain.layers[-1]
    >>> bool(np.isclose(last.dz[0], last.a[0] - 1))
    True
    """
    observed = observe(net, x, y, loss=loss)
    batch = net.batch(x, y, None, loss)
    layers, inputs = list[LayerChain](), batch.x[0]
    for spec, block, seen in zip(
        net.architecture.hidden_layers, net.network.hidden.layers, observed, strict=False
    ):
        layers.append(_hidden(spec.activation, block.parts(), inputs, seen))
        inputs = layers[-1].a
    seen = observed[-1]
    z, a, dz = seen.z[0], seen.a[0], seen.da[0]
    value, dp = loss.value_and_gradient(seen.z if loss.takes_logits else seen.a, batch.targets)
    da = None if loss.takes_logits else dp[0]
    link, b = net.architecture.output, net.network.last.b
    layers.append(LayerChain(link, inputs, seen.W, b, z, None, z, a, da, dz, dz, seen.dW))
    return Chain(layers, batch.targets[0], loss, float(value))


def _hidden(function: str, parts: list[Any], x: Array, seen: LayerObservation) -> LayerChain:
    """Return a hidden layer, with u, the normalisation, dz and du, which `seen` does not have."""
    affine = next(part for part in parts if isinstance(part, Affine))
    activate = next(part for part in parts if isinstance(part, Activate))
    u = affine.forward(x[None])[0]
    dz = du = activate.activation.backward(seen.da, seen.z, seen.a)
    normalized = None
    for part in parts:
        if isinstance(part, (BatchNorm, LayerNorm)):
            _, cache = part.forward(u)
            through, (dgamma, dbeta) = part.backward(dz, cache)
            assert through is not None
            du = through
            x_hat, std = cache.x_hat[0], np.broadcast_to(1 / cache.inverse_std, u.shape)[0]
            mean = u[0] - std * x_hat
            normalized = Normalized(mean, std, x_hat, part.gamma, part.beta, dgamma, dbeta)
    return LayerChain(
        function,
        x,
        affine.W,
        affine.b,
        u[0],
        normalized,
        seen.z[0],
        seen.a[0],
        seen.da[0],
        dz[0],
        du[0],
        seen.dW,
    )
