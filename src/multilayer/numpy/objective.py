"""`Objective`, what training minimises, and `take_step`, the step that training repeats.

Training runs the faster code in ``fast/``; tests check that it computes what `take_step` defines.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from multilayer.numpy.activations.base import Array
from multilayer.numpy.clipping import Clip
from multilayer.numpy.losses.base import Loss, number
from multilayer.numpy.network import Network, Pass
from multilayer.numpy.optimizers.base import Optimizer, State

__all__ = ["Batch", "Objective", "take_step"]


class Batch(NamedTuple):
    """The samples of one step, with targets and weights, as `MLP.batch` returns them."""

    x: Array
    """Of shape (n_samples, in_features)."""
    targets: Array
    """As the loss's `targets` returns them; real values have shape (n_samples, n_targets)."""
    weight: Array | None = None
    """Of shape (n_samples,)."""


@dataclass(frozen=True)
class Objective:
    """J(θ) = L + λ₂/2 Σ W² + λ₁ Σ |W|, the loss of a batch with a penalty on weights.

    L is applied to the logits z or to the outputs σ(z): see `Loss.takes_logits`. The sums run over
    the weights of affine layers and embeddings, not over biases and normalisations. At 0, the slope
    of |W| is taken to be 0.

    Parameters
    ----------
    loss : Loss
        L.
    l1, l2 : float, or array of shape (K, 1) for K networks
        λ₁, λ₂ ≥ 0.
    """

    loss: Loss
    l1: Any = 0.0
    l2: Any = 0.0

    def value(self, network: Network, batch: Batch, **mode: Any) -> Any:
        """Return J, a float or of shape (K,); `mode` is passed to `Network.forward`."""
        passed = network.forward(batch.x, **mode)
        return self.loss_and_dz(network, passed.logits, batch)[0] + self.penalty(network)

    def value_and_gradient(
        self, network: Network, batch: Batch, **mode: Any
    ) -> tuple[Any, Array, Pass]:
        """Return J, its gradient with respect to θ, and the forward pass."""
        passed = network.forward(batch.x, **mode)
        value, dz = self.loss_and_dz(network, passed.logits, batch)
        gradient = network.backward(dz, passed)
        if np.any(self.l1) or np.any(self.l2):
            value = value + self.penalty(network)
            self.add_penalty_gradient(network, gradient)
        return value, gradient, passed

    def loss_and_dz(self, network: Network, z: Array, batch: Batch) -> tuple[Any, Array]:
        """Return L and dz, going through the link function if L takes outputs."""
        if self.loss.takes_logits:
            return self.loss.value_and_gradient(z, batch.targets, batch.weight)
        p = network.link.forward(z)
        value, dp = self.loss.value_and_gradient(p, batch.targets, batch.weight)
        return value, network.link.backward(dp, z, p)

    def penalty(self, network: Network) -> Any:
        """Return λ₂/2 Σ W² + λ₁ Σ |W|."""
        w = np.concatenate([network.parameters[..., at] for at in network.weight_slices], axis=-1)
        squares, sizes = (v.sum(axis=-1, dtype=float, keepdims=True) for v in (w * w, np.abs(w)))
        return number((0.5 * self.l2 * squares + self.l1 * sizes)[..., 0])  # (K, 1) → (K,)

    def add_penalty_gradient(self, network: Network, gradient: Array) -> None:
        """Add λ₂ W + λ₁ sign(W) to a gradient with respect to θ, in place."""
        for place in network.weight_slices:
            w = network.parameters[..., place]
            gradient[..., place] += self.l2 * w
            if np.any(self.l1):
                gradient[..., place] += self.l1 * np.sign(w)


def take_step(
    network: Network,
    objective: Objective,
    optimizer: Optimizer,
    optimizer_state: State,
    batch: Batch,
    learning_rate: Any = None,
    *,
    clip: Clip | None = None,
    rng: np.random.Generator | None = None,
) -> Any:
    """Take one step of training: change the network and the optimizer's state.

    Training takes such a step for each batch, until all samples have had their turn (an epoch), and
    starts again, for many epochs.

    For one hidden layer (affine, then σ₁) and sample weights w_i, with s_i = w_i / Σ_k w_k::

        z₁ = x W₁ᵀ + b₁           a = σ₁(z₁)        z = a Wᵀ + b      L = Σ_i s_i ℓ_i
        dz_i = s_i ∂ℓ_i/∂z_i      dW = dzᵀ a        db = Σ_i dz_i     da = dz W
        dz₁ = da · σ₁'(z₁)        dW₁ = dz₁ᵀ x      db₁ = Σ_i (dz₁)_i

    The penalty's gradient is added to g = (dW₁, db₁, dW, db), one vector, which `clip` may limit;
    the optimizer updates θ with g (SGD: θ ← θ − η g); and running statistics are updated.

    Parameters
    ----------
    network : Network
    objective : Objective
    optimizer : Optimizer
    optimizer_state : dict
        From ``optimizer.initial_state(network.parameters)``; each step changes it.
    batch : Batch
    learning_rate : float or array of shape (K, 1), optional
        The optimizer's own by default.
    clip : Clip, optional
        Limits g's entries, and then its norm.
    rng : numpy.random.Generator, optional
        Draws dropout masks and noise, if there are any.

    Returns
    -------
    value : float or array of shape (K,)
        J before the step, with dropout, noise and penalty.

    Examples
    --------
    >>> from multilayer.numpy.activations import OUTPUTS
    >>> from multilayer.numpy.layers import Affine, Stack
    >>> from multilayer.numpy.losses import SquaredError
    >>> from multilayer.numpy.optimizers import SGD
    >>> theta = np.array([1.0, 0.0])  # of f(x) = W x + b
    >>> last = Affine(theta[:1].reshape(1, 1), theta[1:])
    >>> network = Network(Stack([]), last, OUTPUTS["identity"], theta)
    >>> batch = Batch(np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]]))
    >>> sgd = SGD(learning_rate=0.1)
    >>> state = sgd.initial_state(theta)
    >>> take_step(network, Objective(SquaredError()), sgd, state, batch)  # mean of ½ 2² and ½ 3²
    3.25
    >>> theta.round(2)  # dz = (−1, −1.5), so dW = −1 · 1 − 1.5 · 2 = −4 and db = −2.5
    array([1.4 , 0.25])
    """
    value, gradient, passed = objective.value_and_gradient(network, batch, training=True, rng=rng)
    if clip is not None:
        gradient = clip(gradient)
    optimizer.update(network.parameters, gradient, optimizer_state, learning_rate)
    network.update_state(passed)
    return value
