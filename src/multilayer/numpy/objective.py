"""Objective: what training makes small; and the step that does so, which is all of training.

Everything faster than this (``fast/``) is held equal to it by the tests.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.numpy.clipping import Clip
from multilayer.numpy.losses.base import Loss
from multilayer.numpy.network import Network, Pass
from multilayer.numpy.optimizers.base import Optimizer, State

__all__ = ["Batch", "Objective", "take_step"]

Array = npt.NDArray[Any]


class Batch(NamedTuple):
    """Samples with their targets and weights, checked."""

    x: Array
    """Of shape (n_samples, in_features)."""
    targets: Array
    """As the loss takes them."""
    weight: Array | None = None
    """Of shape (n_samples,)."""


@dataclass(frozen=True)
class Objective:
    r"""J(θ) = L(f(x), y) + λ₂/2 Σ W² + λ₁ Σ |W|.

    The sums run over the weights of affine layers, not over biases and normalisations.

    Parameters
    ----------
    loss : Loss
        L.
    l1, l2 : float
        λ₁, λ₂ ≥ 0.
    """

    loss: Loss
    l1: float = 0.0
    l2: float = 0.0

    def value(self, network: Network, batch: Batch, **mode: Any) -> float:
        """Return J. `mode` is `training` and `rng`: see `Layer.forward`."""
        forward = network.forward(batch.x, **mode)
        return self.at_logits(network, forward.logits, batch)[0] + self.penalty(network)

    def value_and_gradient(
        self, network: Network, batch: Batch, **mode: Any
    ) -> tuple[float, Array, Pass]:
        """Return J, its gradient in θ, and the way forward that led to it."""
        forward = network.forward(batch.x, **mode)
        value, dz = self.at_logits(network, forward.logits, batch)
        gradient = network.backward(dz, forward)
        return value + self.penalty(network, gradient), gradient, forward

    def at_logits(self, network: Network, z: Array, batch: Batch) -> tuple[float, Array]:
        """Return L and its gradient in the logits, through the link function if L takes outputs."""
        if self.loss.takes_logits:
            return self.loss.value_and_gradient(z, batch.targets, batch.weight)
        a = network.link.forward(z)
        value, da = self.loss.value_and_gradient(a, batch.targets, batch.weight)
        return value, network.link.backward(da, z, a)

    def penalty(self, network: Network, gradient: Array | None = None) -> float:
        """Return λ₂/2 Σ W² + λ₁ Σ |W|, and add its gradient, λ₂ W + λ₁ sign(W), to `gradient`."""
        penalty = 0.0
        for place in network.matrices if self.l1 or self.l2 else ():
            W = network.parameters[place]
            penalty += 0.5 * self.l2 * float(W @ W) + self.l1 * float(np.abs(W).sum())
            if gradient is not None:
                gradient[place] += self.l2 * W
                if self.l1:
                    gradient[place] += self.l1 * np.sign(W)
        return penalty


def take_step(
    network: Network,
    objective: Objective,
    optimizer: Optimizer,
    state: State,
    batch: Batch,
    learning_rate: float | None = None,
    *,
    clip: Clip | None = None,
    rng: np.random.Generator | None = None,
) -> float:
    """Take one step of training on a batch: change the network and `state`; return J before it.

    Parameters
    ----------
    network : Network
    objective : Objective
    optimizer : Optimizer
    state : dict
        What ``optimizer.initial_state(network.parameters)`` returned, or an earlier step left.
    batch : Batch
    learning_rate : float, optional
        The optimizer's own by default.
    clip : Clip, optional
    rng : numpy.random.Generator, optional
        Draws the dropout masks.

    Examples
    --------
    >>> from multilayer.numpy import SGD, Affine, SquaredError, Stack
    >>> from multilayer.numpy.activations import OUTPUTS
    >>> theta = np.array([1.0, 0.0])  # of f(x) = θ₀ x + θ₁
    >>> last = Affine(theta[:1].reshape(1, 1), theta[1:])
    >>> network = Network(Stack([]), last, OUTPUTS["identity"], theta)
    >>> batch = Batch(np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]]))
    >>> sgd = SGD(learning_rate=0.1)
    >>> take_step(network, Objective(SquaredError()), sgd, sgd.initial_state(theta), batch)
    3.25
    >>> theta.round(2)
    array([1.4 , 0.25])
    """
    value, gradient, forward = objective.value_and_gradient(network, batch, training=True, rng=rng)
    gradient = gradient if clip is None else clip(gradient)
    optimizer.update(network.parameters, gradient, state, learning_rate)
    network.update_state(forward)
    return value
