"""Optimizers: hyperparameters, an explicit state, and one update of the flat parameter vector.

They are data. An optimizer never prints, schedules or stops, and holds nothing between updates:
what it must remember is in the state that `initial_state` returns and `update` changes in place.
Throughout, θ is the parameter vector, g the gradient, η the learning rate, t the number of the
step from 1; products and roots are taken element by element.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.registry import Names, Registry

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "State",
    "clip_by_norm",
    "clip_by_value",
]

Array = npt.NDArray[Any]
State = dict[str, Any]

_INTERVALS = {
    "learning_rate": "(0, inf)",
    "momentum": "[0, 1)",
    "weight_decay": "[0, inf)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "decay": "[0, 1)",
    "momentum_decay": "[0, inf)",
    "epsilon": "(0, inf)",
}


@dataclass(frozen=True)
class Optimizer:
    """What every optimizer offers.

    Parameters
    ----------
    learning_rate : float
        η > 0.
    """

    learning_rate: float

    vectors: ClassVar[tuple[str, ...]] = ()
    """The names of the state's vectors, each of the parameters' shape and zero at first."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _INTERVALS:
                value = checks.real(value, field.name, owner, _INTERVALS[field.name])
            else:
                value = checks.flag(value, field.name, owner)
            object.__setattr__(self, field.name, value)

    def initial_state(self, parameters: Array) -> State:
        """Return the state before the first step."""
        return {"step": 0} | {name: np.zeros_like(parameters) for name in self.vectors}

    def update(
        self,
        parameters: Array,
        gradient: Array,
        state: State,
        learning_rate: float | None = None,
    ) -> None:
        """Take one step: change `parameters` and `state` in place, and leave `gradient` alone.

        Parameters
        ----------
        parameters, gradient : array of shape (n_parameters,)
            θ and g.
        state : dict
            What `initial_state` returned, or an earlier update left.
        learning_rate : float, optional
            η of this step, where a schedule sets it; the optimizer's own otherwise.
        """
        if getattr(gradient, "shape", None) != parameters.shape:
            msg = (
                f"gradient of {type(self).__name__}.update must be one vector of shape "
                f"{parameters.shape}, as net.flatten(gradients) makes; got "
                f"{getattr(gradient, 'shape', type(gradient).__name__)}"
            )
            raise InvalidDataError(msg)
        state["step"] += 1
        rate = self.learning_rate if learning_rate is None else learning_rate
        self._step(parameters, gradient, state, rate)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, θ ← θ − η v, with momentum.

    With g ← g + λ θ (`weight_decay`, added to the gradient, of biases too) and v ← μ v + g; with
    Nesterov's momentum θ ← θ − η (g + μ v) (Sutskever et al. 2013, eqs. 1–4, in PyTorch's form,
    where η stands outside v: a change of η acts on the momentum at once).

    Parameters
    ----------
    learning_rate : float
        η > 0.
    momentum : float
        μ in [0, 1).
    nesterov : bool
        Whether to look ahead; needs a momentum.
    weight_decay : float
        λ ≥ 0.

    Examples
    --------
    >>> theta = np.array([1.0])
    >>> optimizer = SGD(learning_rate=0.1)
    >>> optimizer.update(theta, np.array([2.0]), optimizer.initial_state(theta))
    >>> theta
    array([0.8])
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            msg = "nesterov of SGD needs a momentum above 0; got momentum 0"
            raise InvalidArgumentError(msg)

    def initial_state(self, parameters: Array) -> State:
        """Return the state before the first step; without momentum there is no velocity."""
        velocity = {"velocity": np.zeros_like(parameters)} if self.momentum else {}
        return {"step": 0} | velocity

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameters
        if self.momentum:
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += gradient
            gradient = gradient + self.momentum * velocity if self.nesterov else velocity
        parameters -= rate * gradient


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moment estimation (Kingma & Ba 2015, algorithm 1).

    m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², both starting at 0 and therefore too small by
    1 − βᵗ: m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), θ ← θ − η m̂/(√v̂ + ε).

    The ε stands outside the root, beside the corrected √v̂, as in the algorithm and in PyTorch;
    TensorFlow and scikit-learn add it to the uncorrected √v.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    vectors = ("m", "v")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        m_hat, v_hat = _adam_moments(gradient, state, self.beta_1, self.beta_2)
        parameters -= rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


@dataclass(frozen=True)
class AMSGrad(Optimizer):
    """Adam whose second moment never shrinks (Reddi et al. 2018, algorithm 2).

    With Adam's m̂ and v, u ← max(u, v) and θ ← θ − η m̂/(√(u/(1 − β₂ᵗ)) + ε), with PyTorch's bias
    corrections, which the paper leaves out.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    vectors = ("m", "v", "v_max")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        m_hat, _ = _adam_moments(gradient, state, self.beta_1, self.beta_2)
        np.maximum(state["v_max"], state["v"], out=state["v_max"])
        largest = state["v_max"] / (1 - self.beta_2 ** state["step"])
        parameters -= rate * m_hat / (np.sqrt(largest) + self.epsilon)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    θ ← (1 − η λ) θ before Adam's step: the decay (of biases too) does not pass through the moments.
    As in PyTorch λ is multiplied by η; in the paper only by the schedule.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01

    vectors = ("m", "v")

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        parameters *= 1 - rate * self.weight_decay
        m_hat, v_hat = _adam_moments(gradient, state, self.beta_1, self.beta_2)
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
        """Return the state before the first step, P₀ = 1 with it."""
        return super().initial_state(parameters) | {"momentum_product": 1.0}

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        _, v_hat = _adam_moments(gradient, state, self.beta_1, self.beta_2)
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
        ρ in [0, 1); 0.99 as in PyTorch, where it is called alpha. The lecture has 0.9.
    epsilon : float
        ε > 0, outside the root; TensorFlow has it inside.
    """

    learning_rate: float = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8

    vectors = ("v",)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
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

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        total = state["sum_of_squares"]
        total += gradient * gradient
        parameters -= rate * gradient / (np.sqrt(total) + self.epsilon)


@dataclass(frozen=True)
class Lion(Optimizer):
    """θ ← θ − η (sign(β₁ m + (1 − β₁) g) + λ θ), then m ← β₂ m + (1 − β₂) g.

    Every parameter moves by the same amount, so η is 3 to 10 times smaller than Adam's; the
    `weight_decay` λ is decoupled and acts on biases too (Chen et al. 2023, algorithm 2).
    """

    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.0

    vectors = ("m",)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        m = state["m"]
        direction = np.sign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        parameters -= rate * (direction + self.weight_decay * parameters)
        m *= self.beta_2
        m += (1 - self.beta_2) * gradient


def _adam_moments(
    gradient: Array, state: State, beta_1: float, beta_2: float
) -> tuple[Array, Array]:
    """Take the gradient into the running moments m and v; return them corrected for their start."""
    m, v, t = state["m"], state["v"], state["step"]
    m *= beta_1
    m += (1 - beta_1) * gradient
    v *= beta_2
    v += (1 - beta_2) * gradient * gradient
    return m / (1 - beta_1**t), v / (1 - beta_2**t)


def clip_by_norm(gradient: Array, max_norm: float) -> Array:
    """Return the gradient, no longer than `max_norm` (Pascanu et al. 2013, algorithm 1).

    One that is short enough is returned itself, not a copy.

    Examples
    --------
    >>> clip_by_norm(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    max_norm = checks.real(max_norm, "max_norm", "clip_by_norm", "(0, inf)")
    largest = float(np.abs(gradient).max())
    if largest == 0 or not math.isfinite(largest):
        return gradient
    # Against its largest entry first: squares overflow, and vanish, where the gradient does not.
    scaled = gradient / largest
    norm = math.sqrt(float(scaled @ scaled))
    return scaled * (max_norm / norm) if norm * largest > max_norm else gradient


def clip_by_value(gradient: Array, max_value: float) -> Array:
    """Return the gradient with each entry clipped to [−max_value, max_value].

    Examples
    --------
    >>> clip_by_value(np.array([3.0, -0.5]), 1.0)
    array([ 1. , -0.5])
    """
    max_value = checks.real(max_value, "max_value", "clip_by_value", "(0, inf)")
    return np.clip(gradient, -max_value, max_value)


OPTIMIZERS: Registry[type[Optimizer]] = Registry(
    Names("optimizer", []),
    {
        "sgd": SGD,
        "adam": Adam,
        "amsgrad": AMSGrad,
        "adamw": AdamW,
        "nadam": NAdam,
        "rmsprop": RMSprop,
        "adagrad": Adagrad,
        "lion": Lion,
    },
)
