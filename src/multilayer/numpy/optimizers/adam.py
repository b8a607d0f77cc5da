"""Adam."""

from dataclasses import dataclass

import numpy as np

from multilayer.numpy.optimizers.base import Array, Optimizer, State

__all__ = ["Adam", "moments"]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moment estimation (Kingma & Ba 2015, algorithm 1).

    ::

        m ← β₁ m + (1 − β₁) g       m̂ = m/(1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²      v̂ = v/(1 − β₂ᵗ)      θ ← θ − η m̂/(√v̂ + ε)

    The running means m and v start at 0, so they begin too small; dividing by 1 − βᵗ, the sum of
    their weights, corrects that. ε is added to √v̂, as in the algorithm and in PyTorch;
    TensorFlow and scikit-learn add it to √v.

    Parameters
    ----------
    learning_rate : float
        η > 0.
    beta_1, beta_2 : float
        β₁, β₂ in [0, 1).
    epsilon : float
        ε > 0.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    vectors = ("m", "v")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float | Array) -> None:
        m_hat, v_hat = moments(gradient, state, self.beta_1, self.beta_2)
        parameters -= rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


def moments(gradient: Array, state: State, beta_1: float, beta_2: float) -> tuple[Array, Array]:
    """Update the running means m and v with the gradient; return m̂ and v̂."""
    m, v, t = state["m"], state["v"], state["step"]
    m *= beta_1
    m += (1 - beta_1) * gradient
    v *= beta_2
    v += (1 - beta_2) * gradient * gradient
    return m / (1 - beta_1**t), v / (1 - beta_2**t)
