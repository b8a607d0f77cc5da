"""Optimizers, which update θ, the vector of all parameters, given the gradient g.

An optimizer holds nothing but its hyperparameters. What must be remembered between steps is in a
state, which `initial_state` makes and `update` changes in place. Throughout, η is the learning rate
and t = 1, 2, … the number of the step; products and roots are elementwise.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from multilayer.numpy.optimizers.hyperparameters import check_gradient, check_hyperparameters

__all__ = ["Array", "Optimizer", "State"]

Array = npt.NDArray[Any]
State = dict[str, Any]


@dataclass(frozen=True)
class Optimizer:
    """The interface of every optimizer.

    Parameters
    ----------
    learning_rate : float
        η > 0.
    """

    learning_rate: float

    vectors: ClassVar[tuple[str, ...]] = ()
    """The names of the vectors in the state; `initial_state` makes them zeros of θ's shape."""
    takes_steps: ClassVar[Literal[True]] = True
    """False only for `LBFGS`, which is not driven step by step, and no subclass of this."""

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    def initial_state(self, parameters: Array) -> State:
        """Return the state before the first step: zeros, and a count of steps for each network."""
        step = 0 if parameters.ndim == 1 else np.zeros((len(parameters), 1), dtype=int)
        return {"step": step} | {name: np.zeros_like(parameters) for name in self.vectors}

    def update(
        self,
        parameters: Array,
        gradient: Array,
        state: State,
        learning_rate: Any = None,
    ) -> None:
        """Take one step: change `parameters` and `state` in place, but not `gradient`.

        Parameters
        ----------
        parameters, gradient : array of shape (n_parameters,), or (K, n_parameters)
            θ and g, of one network or of K.
        state : dict
            The dict that `initial_state` returned, with the changes of earlier updates.
        learning_rate : float or array of shape (K, 1), optional
            η of this step, such as a schedule's; by default, the optimizer's own.
        """
        check_gradient(self, gradient, parameters)
        state["step"] += 1
        rate = self.learning_rate if learning_rate is None else learning_rate
        self._step(parameters, gradient, state, rate)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: Any) -> None:
        raise NotImplementedError
