"""Chain: what each layer computes for one sample, and the loss's gradients there, as numbers."""

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
    """What a normalisation makes of a layer's u: z = γ x̂ + β, with x̂ = (u − μ)/s.

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

    ∂ℓ/∂q is called dq, and has q's shape; x has shape (in_features,), W (out_features,
    in_features), and everything else (out_features,).
    """

    function: str
    """The activation σ, or the output's link function."""
    x: Array
    W: Array
    b: Array | None
    """None in front of batch normalisation, whose β takes its place."""
    u: Array
    normalized: Normalized | None
    z: Array
    a: Array
    da: Array | None
    """None for an output whose loss takes the logits z."""
    dz: Array
    du: Array
    """∂ℓ/∂b, too, if there is a b."""
    dW: Array  # noqa: N815 - the mathematics' own name


class Chain(NamedTuple):
    """A sample's way through a network, and back.

    Attributes
    ----------
    layers : list of LayerChain
        In forward order, the output layer last.
    target : array of shape (out_features,), or int
        As the loss takes it: a class's number for a cross-entropy over classes.
    loss : Loss
    value : float
        ℓ.
    """

    layers: list[LayerChain]
    target: Any
    loss: Loss
    value: float


def chain_of(net: MLP, x: Array, y: Array, loss: Loss) -> Chain:
    """Return a sample's way through a network that predicts, and back.

    Nothing is dropped, batch normalisation uses its running statistics, and ℓ has no penalty.

    Parameters
    ----------
    net : MLP
    x : array of shape (1, in_features)
    y : array of shape (1,), or (1, out_features)
        The target, as the loss takes it.
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
    """Fill in what an observation leaves out: before the normalisation, and before the σ."""
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
