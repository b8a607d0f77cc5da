"""What an estimator's parameters mean in the words of the parts that do the work."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.estimators.convergence import Convergence, InverseScalingByEpoch, RateOf
from multilayer.model import Targets
from multilayer.numpy import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer, Schedule, ScikitLearn
from multilayer.numpy.trainer import OPTIMIZER_NAMES
from multilayer.training import Callback

__all__ = [
    "CONSTRAINTS",
    "make_architecture",
    "make_initializer",
    "make_optimizer",
    "make_schedule",
    "uses_torch",
]

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [str, "array-like"],
    "solver": [str, Optimizer, LBFGS],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [str, Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "normalization": [None, StrOptions({"batch", "layer"})],
    "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
    "clip_value": [None, Interval(Real, 0, None, closed="neither")],
    "callbacks": ["array-like", tuple, list, Callback],
    "engine": [StrOptions({"auto", "numpy", "torch"})],
    "device": [str],
    "precision": [None, StrOptions({"bfloat16", "float16"})],
}
"""What each parameter may be, as scikit-learn checks and words it."""

SYNONYMS = {"logistic": "sigmoid"}
"""scikit-learn's names of what the field calls otherwise."""
RATES = ("constant", "invscaling", "adaptive")
LOSS_TOLERANCE = 1e7 * 2.220446049250313e-16
"""What SciPy's L-BFGS stops at by default, as scikit-learn has it."""


def make_architecture(estimator: Any, in_features: int, targets: Targets) -> Architecture:
    """Return the network that the parameters describe."""
    sizes = estimator.hidden_layer_sizes
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(size <= 0 for size in sizes):
        msg = f"hidden_layer_sizes must be > 0, got {sizes}."
        raise InvalidArgumentError(msg)
    activation = estimator.activation
    if isinstance(activation, str):
        activation = SYNONYMS.get(activation, activation)
    else:
        activation = [SYNONYMS.get(name, name) for name in activation]
    return Architecture(
        in_features,
        tuple(sizes),
        targets.out_features,
        activation=activation if sizes else "identity",
        output=targets.output,
        dropout=estimator.dropout,
        normalization=estimator.normalization,
    )


def make_initializer(estimator: Any) -> ScikitLearn:
    """Return scikit-learn's way to draw the first weights."""
    return ScikitLearn(2.0 if estimator.activation in ("logistic", "sigmoid") else 6.0)


def make_optimizer(estimator: Any) -> Optimizer | LBFGS:
    """Return the optimizer that `solver` names or is."""
    solver, name = estimator.solver, type(estimator).__name__
    if isinstance(solver, (Optimizer, LBFGS)):
        if estimator.learning_rate_init != 0.001:
            msg = (
                f"learning_rate_init of {name} cannot be combined with a solver that is an object: "
                "its own learning rate counts"
            )
            raise InvalidArgumentError(msg)
        return solver
    rate = estimator.learning_rate_init
    if solver == "lbfgs":
        return LBFGS(
            tolerance=estimator.tol,
            max_evaluations=estimator.max_fun,
            loss_tolerance=LOSS_TOLERANCE,
        )
    if solver == "sgd":
        momentum = estimator.momentum
        return SGD(rate, momentum, nesterov=estimator.nesterovs_momentum and momentum > 0)
    if solver == "adam":
        return Adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    return OPTIMIZERS[OPTIMIZER_NAMES.check(solver, name)](learning_rate=rate)


def make_schedule(
    estimator: Any, n_samples: int, n_before: float, convergence: Convergence, *, is_new: bool
) -> Any:
    """Return the schedule that `learning_rate` names or is; None for a constant rate.

    As in scikit-learn, its own three names act on ``solver="sgd"`` alone.
    """
    rate = estimator.learning_rate
    if isinstance(rate, Schedule) or rate not in RATES:
        return rate
    if estimator.solver != "sgd" or rate == "constant":
        return None
    if rate == "adaptive":
        return RateOf(convergence)
    return InverseScalingByEpoch(estimator.power_t, n_samples, n_before, is_new)


def uses_torch(estimator: Any) -> bool:
    """Return whether PyTorch trains: where it is named, or a device or precision needs it."""
    name = type(estimator).__name__
    engine = estimator.engine
    needs_torch = {
        "device": estimator.device not in ("auto", "cpu"),
        "precision": estimator.precision is not None,
    }
    if engine == "numpy":
        for parameter, needed in needs_torch.items():
            if needed:
                msg = (
                    f"{parameter} of {name} cannot be {getattr(estimator, parameter)!r} with "
                    "engine 'numpy': it needs 'torch'"
                )
                raise InvalidArgumentError(msg)
    return engine == "torch" or (engine == "auto" and any(needs_torch.values()))
