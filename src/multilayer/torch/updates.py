"""The optimizers' steps on K networks at once, each with its own hyperparameters.

PyTorch's optimizers take one number for all rows of a tensor. Here a hyperparameter is a float, or
a tensor of shape (K, 1) if networks differ in it, one row for each network. The formulas are those
of `multilayer.numpy.optimizers`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from multilayer.errors import InvalidArgumentError
from multilayer.numpy import optimizers as hyperparameters
from multilayer.numpy.clipping import Clip

__all__ = ["Update", "clip_each", "with_tensors"]

Tensor = torch.Tensor
State = dict[str, Tensor]


def with_tensors(value: Any, device: torch.device, dtype: torch.dtype | None = None) -> Any:
    """Return a number, or a changed object of `stacked`, with tensors in place of arrays.

    Their dtype is float64 by default, which coefficients such as 1 − β₂ᵗ need.
    """
    if dtype is None:
        dtype = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs lack it
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).to(device=device, dtype=dtype)
    for name, number in getattr(value, "__dict__", {}).items():
        if isinstance(number, np.ndarray):
            object.__setattr__(value, name, with_tensors(number, device, dtype))
    return value


class Update:
    """The steps of K optimizers of one class on K networks, with their state.

    Parameters
    ----------
    optimizer : Optimizer
        The object that `stacked` made of the K optimizers.
    parameters : sequence of Parameter
        The networks' parameters, each of shape (K, …).

    Raises
    ------
    InvalidArgumentError
        If there is no formula for the optimizer.
    """

    def __init__(
        self,
        optimizer: hyperparameters.Optimizer,
        parameters: Sequence[torch.nn.Parameter],
    ) -> None:
        self._parameters = list(parameters)
        if type(optimizer) not in FORMULAS:
            known = ", ".join(kind.__name__ for kind in FORMULAS)
            rule = f"must be one of {known} for a PyTorch Ensemble"
            raise InvalidArgumentError(rule, "optimizer", "fit", got=type(optimizer).__name__)
        self._formula = FORMULAS[type(optimizer)]
        # With two columns as parameters, a state with one value per network has one column.
        initial = optimizer.initial_state(np.zeros((len(self._parameters[0]), 2)))
        self._state: list[State] = []
        for p in self._parameters:
            rows = p.detach().view(len(p), -1)
            state = {
                name: torch.zeros_like(rows)
                if value.shape[1] == 2
                else with_tensors(value.astype(float), p.device)
                for name, value in initial.items()
            }
            self._state.append(state)
        self._numbers = with_tensors(optimizer, self._parameters[0].device)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The state by name, each with an axis of networks in front."""
        return {
            f"{i}.{name}": tensor
            for i, state in enumerate(self._state)
            for name, tensor in state.items()
        }

    @torch.no_grad()
    def take(self, rates: Tensor) -> None:
        """Take a step with the parameters' gradients, at rates of shape (K, 1)."""
        for p, state in zip(self._parameters, self._state, strict=True):
            if p.grad is None:
                continue
            state["step"] += 1
            rows = p.view(len(p), -1)  # shares p's memory
            self._formula(self._numbers, rows, p.grad.reshape(rows.shape), state, rates)


def clip_each(parameters: Sequence[torch.nn.Parameter], clip: Clip) -> None:
    """Clip each network's gradients, by value first; limits are numbers or of shape (K, 1)."""
    rows = [p.grad.view(len(p), -1) for p in parameters if p.grad is not None]
    if clip.value is not None:
        limit = _like(clip.value, rows[0])
        for gradient in rows:
            gradient.clamp_(-limit, limit)
    if clip.norm is not None:
        norms = [torch.linalg.vector_norm(gradient, dim=1, keepdim=True) for gradient in rows]
        norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        factor = (_like(clip.norm, norm) / norm).clamp(max=1.0)
        for gradient in rows:
            gradient.mul_(factor)


def _like(number: Any, other: Tensor) -> Any:
    """Return a number in the dtype of the tensor that it multiplies."""
    return number.to(other.dtype) if isinstance(number, Tensor) else number


def _sgd(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    if isinstance(o.weight_decay, Tensor) or o.weight_decay:
        g = g + _like(o.weight_decay, p) * p
    if "velocity" in state:
        momentum = _like(o.momentum, p)
        velocity = state["velocity"].mul_(momentum).add_(g)
        g = g + momentum * velocity if o.nesterov else velocity
    p.sub_(_like(rate, p) * g)


def _adam(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    m, v = _moments(o, g, state)
    _adaptive_step(o, p, m, v, state, rate)


def _amsgrad(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    m, v = _moments(o, g, state)
    largest = torch.maximum(state["v_max"], v, out=state["v_max"])
    _adaptive_step(o, p, m, largest, state, rate)


def _adamw(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    p.mul_(_like(1 - rate * o.weight_decay, p))
    _adam(o, p, g, state, rate)


def _nadam(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    m, v = _moments(o, g, state)
    now, following = (
        o.beta_1 * (1 - 0.5 * 0.96 ** (t * o.momentum_decay))
        for t in (state["step"], state["step"] + 1)
    )
    product = state["momentum_product"].mul_(now)
    direction = _like(following / (1 - product * following), p) * m
    direction += _like((1 - now) / (1 - product), p) * g
    p.sub_(_like(rate, p) * direction / _root(o, v, state))


def _rmsprop(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    v = state["v"].lerp_(g * g, _like(1 - o.decay, p))
    p.sub_(_like(rate, p) * g / (v.sqrt() + _like(o.epsilon, p)))


def _adagrad(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    total = state["sum_of_squares"].addcmul_(g, g)
    p.sub_(_like(rate, p) * g / (total.sqrt() + _like(o.epsilon, p)))


def _lion(o: Any, p: Tensor, g: Tensor, state: State, rate: Tensor) -> None:
    m = state["m"]
    direction = torch.sign(_like(o.beta_1, p) * m + _like(1 - o.beta_1, p) * g)
    p.sub_(_like(rate, p) * (direction + _like(o.weight_decay, p) * p))
    m.lerp_(g, _like(1 - o.beta_2, p))


def _moments(o: Any, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """Update the running means m and v with the gradient, and return them."""
    m, v = state["m"], state["v"]
    return m.lerp_(g, _like(1 - o.beta_1, g)), v.lerp_(g * g, _like(1 - o.beta_2, g))


def _adaptive_step(o: Any, p: Tensor, m: Tensor, v: Tensor, state: State, rate: Tensor) -> None:
    """θ ← θ − η m̂/(√v̂ + ε)."""
    p.addcdiv_(m * _like(rate / (1 - o.beta_1 ** state["step"]), p), _root(o, v, state), value=-1)


def _root(o: Any, v: Tensor, state: State) -> Tensor:
    """Return √v̂ + ε."""
    corrected = v.sqrt().div_(_like((1 - o.beta_2 ** state["step"]).sqrt(), v))
    return corrected.add_(_like(o.epsilon, v))


FORMULAS: dict[type, Callable[[Any, Tensor, Tensor, State, Tensor], None]] = {
    hyperparameters.SGD: _sgd,
    hyperparameters.Adam: _adam,
    hyperparameters.AMSGrad: _amsgrad,
    hyperparameters.AdamW: _adamw,
    hyperparameters.NAdam: _nadam,
    hyperparameters.RMSprop: _rmsprop,
    hyperparameters.Adagrad: _adagrad,
    hyperparameters.Lion: _lion,
}
"""For each class of optimizer, a function of its hyperparameters, the parameters, their gradient,
the state and η, which changes parameters and state in place."""
