"""Variants of Adam, and other optimizers that scale the step of each parameter separately."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from multilayer.numpy.optimizers.adam import moments
from multilayer.numpy.optimizers.base import Array, Optimizer, State

__all__ = ["AMSGrad", "Adagrad", "AdamW", "Lion", "NAdam", "RMSprop"]


@dataclass(frozen=True)
class AMSGrad(Optimizer):
    """Adam whose second moment never shrinks (Reddi et al. 2018, algorithm 2).

    With Adam's m̂ and v, u ← max(u, v) and θ ← θ − η m̂/(√(u/(1 − β₂ᵗ)) + ε). The bias corrections
    are PyTorch's; the paper has none.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    vectors = ("m", "v", "v_max")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        m_hat, _ = moments(gradient, state, self.beta_1, self.beta_2)
        np.maximum(state["v_max"], state["v"], out=state["v_max"])
        largest = state["v_max"] / (1 - self.beta_2 ** state["step"])
        parameters -= rate * m_hat / (np.sqrt(largest) + self.epsilon)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    θ ← (1 − η λ) θ before Adam's step: the decay (of biases too) does not enter the moments. As in
    PyTorch, λ is multiplied by η; in the paper, only by the schedule's factor.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01

    vectors = ("m", "v")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        parameters *= 1 - rate * self.weight_decay
        m_hat, v_hat = moments(gradient, state, self.beta_1, self.beta_2)
        parameters -= rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


@dataclass(frozen=True)
class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum (Dozat 2016, algorithm 2).

    With :math:`μ_t = β_1 (1 - \tfrac12 \, 0.96^{tψ})` for `momentum_decay` ψ,
    :math:`P_t = μ_1 μ_2 \cdots μ_t`, and Adam's m, v, v̂,

    .. math:: θ ← θ - \frac{η}{\sqrt{\hat v} + ε} \Big(\frac{μ_{t+1} m}{1 - P_{t+1}}
                       + \frac{(1 - μ_t) g}{1 - P_t}\Big).
    """

    learning_rate: float = 2e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3

    vectors = ("m", "v")

    def initial_state(self, parameters: Array) -> State:
        """Return the state before the first step, including P₀ = 1."""
        state = super().initial_state(parameters)
        return state | {"momentum_product": state["step"] + 1.0}

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        _, v_hat = moments(gradient, state, self.beta_1, self.beta_2)
        now, following = self._momentum(state["step"]), self._momentum(state["step"] + 1)
        state["momentum_product"] *= now
        product = state["momentum_product"]
        direction = following / (1 - product * following) * state["m"]
        direction += (1 - now) / (1 - product) * gradient
        parameters -= rate * direction / (np.sqrt(v_hat) + self.epsilon)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """θ ← θ − η g/(√v + ε), with v ← ρ v + (1 − ρ) g² (Tieleman & Hinton 2012, lecture 6.5).

    Parameters
    ----------
    learning_rate : float
        η > 0.
    decay : float
        ρ in [0, 1); 0.99 as in PyTorch, where it is called alpha. The lecture uses 0.9.
    epsilon : float
        ε > 0, added outside the root; TensorFlow adds it inside.
    """

    learning_rate: float = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8

    vectors = ("v",)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        v = state["v"]
        v *= self.decay
        v += (1 - self.decay) * gradient * gradient
        parameters -= rate * gradient / (np.sqrt(v) + self.epsilon)


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """θ ← θ − η g/(√G + ε), with G ← G + g² (Duchi et al. 2011, in its diagonal form)."""

    learning_rate: float = 0.01
    epsilon: float = 1e-10

    vectors = ("sum_of_squares",)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        total = state["sum_of_squares"]
        total += gradient * gradient
        parameters -= rate * gradient / (np.sqrt(total) + self.epsilon)


@dataclass(frozen=True)
class Lion(Optimizer):
    """θ ← θ − η (sign(β₁ m + (1 − β₁) g) + λ θ), then m ← β₂ m + (1 − β₂) g.

    Every parameter moves by the same amount, so choose η 3 to 10 times smaller than for Adam. The
    `weight_decay` λ is decoupled and acts on biases too (Chen et al. 2023, algorithm 2).
    """

    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.0

    vectors = ("m",)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        m = state["m"]
        direction = np.sign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        parameters -= rate * (direction + self.weight_decay * parameters)
        m *= self.beta_2
        m += (1 - self.beta_2) * gradient
