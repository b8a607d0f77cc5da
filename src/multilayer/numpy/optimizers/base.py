"""What an optimizer is: hyperparameters, an explicit state, and one update of the flat vector.

They are data. An optimizer never prints, schedules or stops, and holds nothing between updates:
what it must remember is in the state that `initial_state` returns and `update` changes in place.
Throughout, θ is the parameter vector, g the gradient, η the learning rate, t the number of the
step from 1; products and roots are taken element by element.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError
from multilayer.numpy.optimizers.hyperparameters import check_hyperparameters

__all__ = ["Array", "Optimizer", "State"]

Array = npt.NDArray[Any]
State = dict[str, Any]


@dataclass(frozen=True)
class Optimizer:
    """What every optimizer offers.

    Parameters
    ----------
    learning_rate : float
        η > 0.
    """

    learning_rate: float

    takes_steps: ClassVar[bool] = True
    """Whether it is driven by `update`, step by step; L-BFGS, which minimises by itself, is not."""
    vectors: ClassVar[tuple[str, ...]] = ()
    """The names of the state's vectors, each of the parameters' shape and zero at first."""

    def __post_init__(self) -> None:
        check_hyperparameters(self)

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
            raise InvalidDataError(
                f"must be one vector of shape {parameters.shape}, as net.flatten(gradients) makes",
                "gradient",
                f"{type(self).__name__}.update",
                got=getattr(gradient, "shape", type(gradient).__name__),
            )
        state["step"] += 1
        rate = self.learning_rate if learning_rate is None else learning_rate
        self._step(parameters, gradient, state, rate)

    def _step(self, parameters: Array, gradient: Array, state: State, rate: float) -> None:
        raise NotImplementedError
