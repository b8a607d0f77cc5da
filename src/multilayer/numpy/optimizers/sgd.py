"""Stochastic gradient descent."""

from dataclasses import dataclass

import numpy as np

from multilayer.errors import InvalidArgumentError
from multilayer.numpy.optimizers.base import Array, Optimizer, State

__all__ = ["SGD"]


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, θ ← θ − η g, with momentum.

    With λ the `weight_decay` (of biases too), μ the `momentum`, and a velocity v that starts at 0:
    g ← g + λ θ; v ← μ v + g; θ ← θ − η v, or θ ← θ − η (g + μ v) with Nesterov's momentum
    (Sutskever et al. 2013, eqs. 1–4: their velocity is −η v, and with Nesterov's momentum θ here is
    their θ + μ v, where they evaluate g). As in PyTorch, a change of η takes full effect at once.

    Parameters
    ----------
    learning_rate : float
        η > 0.
    momentum : float
        μ in [0, 1).
    nesterov : bool
        Whether to use Nesterov's momentum; needs μ > 0.
    weight_decay : float
        λ ≥ 0.

    Examples
    --------
    >>> theta = np.array([1.0])
    >>> optimizer = SGD(learning_rate=0.1, momentum=0.5)
    >>> state = optimizer.initial_state(theta)
    >>> for _ in range(2):  # v = 2, then 0.5 · 2 + 2 = 3
    ...     optimizer.update(theta, np.array([2.0]), state)
    >>> theta
    array([0.5])
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            rule = "needs a momentum above 0"
            raise InvalidArgumentError(rule, "nesterov", "SGD", got="momentum 0")

    def initial_state(self, parameters: Array) -> State:
        """Return the state before the first step; without momentum there is no velocity."""
        velocity = {"velocity": np.zeros_like(parameters)} if np.any(self.momentum) else {}
        return super().initial_state(parameters) | velocity

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float | Array) -> None:
        if np.any(self.weight_decay):
            gradient = gradient + self.weight_decay * parameters
        if np.any(self.momentum):
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += gradient
            gradient = (gradient + self.momentum * velocity) if self.nesterov else velocity
        parameters -= rate * gradient
