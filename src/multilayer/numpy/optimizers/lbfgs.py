"""L-BFGS, through SciPy: a full-batch method with its own line search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from multilayer import checks, forks

__all__ = ["LBFGS"]

Array = npt.NDArray[Any]
Objective = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS (Liu & Nocedal 1989; SciPy's L-BFGS-B without bounds).

    It estimates the curvature from its last `memory` steps, evaluates the loss on all samples, and
    is hard to beat on small data. One iteration is one epoch of training.

    Parameters
    ----------
    tolerance : float
        Stop when no entry of the gradient is larger in absolute value.
    max_evaluations : int
        Stop after this many evaluations of the loss.
    memory : int
        Number of steps from which the curvature is estimated.
    loss_tolerance : float
        Stop when an iteration lowers the loss by less than this fraction of it; the default, 64 ε
        of float64, is the size of rounding errors.
    """

    takes_steps: ClassVar[Literal[False]] = False

    tolerance: float = 1e-4
    max_evaluations: int = 15_000
    memory: int = 10
    loss_tolerance: float = 64 * float(np.finfo(np.float64).eps)

    def __post_init__(self) -> None:
        checks.real(self.tolerance, "tolerance", "LBFGS", "[0, inf)")
        checks.real(self.loss_tolerance, "loss_tolerance", "LBFGS", "[0, inf)")
        checks.integer(self.max_evaluations, "max_evaluations", "LBFGS")
        checks.integer(self.memory, "memory", "LBFGS")

    def minimize(
        self,
        objective: Objective,
        start: Array,
        n_iterations: int,
        after_iteration: Callable[[Array, float], bool],
    ) -> str:
        """Minimise the objective, and return the reason for stopping.

        The reason is ``"converged"``, ``"n_epochs"``, ``"max_evaluations"``, or ``"line_search"``
        if no step along the last direction lowered the loss.

        Parameters
        ----------
        objective : callable
            Takes the parameters, and returns the loss and its gradient.
        start : array of shape (n_parameters,)
            The parameters to start from.
        n_iterations : int
            The largest number of iterations.
        after_iteration : callable
            Takes the parameters and the loss after each iteration, and returns True to stop. It is
            also called, once, if `start` is a minimum and there is no iteration.
        """
        with forks.imports:
            from scipy.optimize import OptimizeResult, minimize

        def callback(intermediate_result: OptimizeResult) -> None:
            if after_iteration(intermediate_result.x, float(intermediate_result.fun)):
                raise StopIteration

        result = minimize(
            objective,
            start.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            callback=callback,
            options={
                "maxiter": n_iterations,
                "maxfun": self.max_evaluations,
                "maxcor": self.memory,
                "gtol": self.tolerance,
                "ftol": self.loss_tolerance,
            },
        )
        if result.nit == 0:
            after_iteration(result.x, float(result.fun))
        if result.status == 0:
            return "converged"
        if result.status == 1:
            return "n_epochs" if result.nit >= n_iterations else "max_evaluations"
        return "line_search"
