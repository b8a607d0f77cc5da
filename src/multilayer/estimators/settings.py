"""What an estimator's parameters mean in the words of the parts that do the work."""

import inspect
from collections.abc import Iterable
from dataclasses import asdict, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from multilayer.architecture import ACTIVATIONS, Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.estimators.convergence import Convergence, InverseScalingByEpoch, RateOf
from multilayer.model import Targets
from multilayer.numpy import (
    LBFGS,
    MLP,
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Optimizer,
    Schedule,
    ScikitLearn,
)
from multilayer.registry import Names
from multilayer.training import Callback

__all__ = [
    "CONSTRAINTS",
    "NAMES",
    "check_precision",
    "check_same_network",
    "check_takes_steps",
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
    "early_stopping": ["boolean", StrOptions({"loss"})],
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
    "columns": [None, StrOptions({"auto"}), dict],
    "callbacks": ["array-like", tuple, list, Callback],
    "engine": [StrOptions({"auto", "numpy", "torch"})],
    "device": [str],
    "precision": [None, StrOptions({"bfloat16", "float16"})],
}
"""What each parameter may be, as scikit-learn checks and words it."""

NAMES = {name: name for name in CONSTRAINTS} | {"hidden_features": "hidden_layer_sizes"}
"""What the parts call a parameter in their messages, and what it is called here."""
SYNONYMS = {"logistic": "sigmoid"}
"""scikit-learn's names of what the field calls otherwise."""
SOLVERS = ("sgd", "adam", "lbfgs")
"""scikit-learn's."""
SOLVER_PARAMETERS = (
    "learning_rate_init",
    "momentum",
    "nesterovs_momentum",
    "power_t",
    "beta_1",
    "beta_2",
    "epsilon",
)
RATES = ("constant", "invscaling", "adaptive")
LOSS_TOLERANCE = 1e7 * 2.220446049250313e-16
"""What SciPy's L-BFGS stops at by default, as scikit-learn has it."""


def make_architecture(estimator: Any, in_features: int, targets: Targets) -> Architecture:
    """Return the network that the parameters describe."""
    sizes = estimator.hidden_layer_sizes
    known = Names("activation", [*ACTIVATIONS, *SYNONYMS])
    is_one = isinstance(estimator.activation, str)
    words = [estimator.activation] if is_one else estimator.activation
    words = [known.check(word, type(estimator).__name__) for word in words]
    activations = tuple(SYNONYMS.get(word, word) for word in words)
    dropout = estimator.dropout
    return Architecture(
        in_features,
        tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,),
        targets.out_features,
        activation=activations[0] if is_one else activations,
        output=targets.output,
        dropout=tuple(dropout) if hasattr(dropout, "__iter__") else dropout,
        normalization=estimator.normalization,
    )


def check_same_network(before: Architecture, now: Architecture) -> None:
    """Raise if the parameters describe another network than the one that is gone on with.

    Raises
    ------
    InvalidArgumentError
        Naming what differs.
    """
    pairs = zip(asdict(before).items(), asdict(now).values(), strict=True)
    differences = {
        name: f"{{{name}}} was {was!r}, is {value!r}"
        for (name, was), value in pairs
        if was != value
    }
    if differences:
        raise InvalidArgumentError(
            "warm_start and partial_fit go on with the network that is there: "
            + "; ".join(differences.values()),
            others=differences,
        )


def check_takes_steps(estimator: Any) -> bool:
    """Return True, or raise for a solver that cannot go on by steps."""
    if estimator.solver == "lbfgs" or isinstance(estimator.solver, LBFGS):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not "
            "stochastic."
        )
    return True


def make_initializer(architecture: Architecture) -> ScikitLearn:
    """Return scikit-learn's way to draw the first weights."""
    return ScikitLearn(2.0 if architecture.activation == "sigmoid" else 6.0)


def make_optimizer(estimator: Any) -> Optimizer | LBFGS:
    """Return the optimizer that `solver` names or is.

    scikit-learn ignores what does not apply to one of its three solvers; beside another, or beside
    an object, a parameter that has no effect is refused.
    """
    e = estimator
    if e.solver == "lbfgs":
        return LBFGS(tolerance=e.tol, max_evaluations=e.max_fun, loss_tolerance=LOSS_TOLERANCE)
    if e.solver == "sgd":
        nesterov = bool(e.nesterovs_momentum and e.momentum > 0)
        return SGD(e.learning_rate_init, e.momentum, nesterov=nesterov)
    if e.solver == "adam":
        return Adam(e.learning_rate_init, e.beta_1, e.beta_2, e.epsilon)
    given = _changed(e, SOLVER_PARAMETERS)
    if isinstance(e.solver, LBFGS):
        given |= _changed(e, ("max_fun", *(() if e.early_stopping else ("tol",))))
    if isinstance(e.solver, (Optimizer, LBFGS)):
        _refuse(e, given, "a solver that is an object: its own parameters count")
        return e.solver
    cls: Any = OPTIMIZERS[Names("solver", OPTIMIZERS).check(e.solver, type(e).__name__)]
    known = {field.name for field in fields(cls)}
    settings = {name: value for name, value in given.items() if name in known}
    _refuse(e, given.keys() - {*settings, "learning_rate_init"}, f"solver {e.solver!r}")
    return cls(learning_rate=e.learning_rate_init, **settings)


def make_schedule(
    estimator: Any,
    optimizer: Optimizer | LBFGS,
    n_samples: int,
    convergence: Convergence,
    *,
    is_new: bool,
    incremental: bool,
) -> Any:
    """Return the schedule that `learning_rate` names or is; None for a constant rate.

    As in scikit-learn, its own three names act on ``solver="sgd"`` alone.
    """
    e, rate = estimator, estimator.learning_rate
    name = type(e).__name__
    if isinstance(rate, str):
        Names("learning_rate", [*RATES, *(n for n in SCHEDULES if n not in RATES)]).check(
            rate, name
        )
    if isinstance(rate, Schedule) or rate not in RATES:
        if isinstance(optimizer, LBFGS):
            _refuse(e, ["learning_rate"], "L-BFGS, which takes no steps of a batch")
        if incremental:
            rule = (
                "cannot be a schedule in partial_fit, which does not know how many epochs there "
                "will be"
            )
            raise InvalidArgumentError(rule, "learning_rate", name, got=repr(rate))
        return rate
    if rate == "constant":
        return None
    if e.solver != "sgd":
        if e.solver not in SOLVERS:
            _refuse(e, ["learning_rate"], f"solver {e.solver!r}: only 'sgd' has {rate!r}")
        return None
    if rate == "adaptive":
        return RateOf(convergence)
    return InverseScalingByEpoch(e.power_t, n_samples, e.t_, is_new)


def uses_torch(estimator: Any) -> bool:
    """Return whether PyTorch trains: where it is named, or a device or precision needs it."""
    e = estimator
    needs_torch = {
        "device": e.device not in ("auto", "cpu"),
        "precision": e.precision is not None,
    }
    if e.engine == "numpy":
        _refuse(e, [name for name, needed in needs_torch.items() if needed], "engine 'numpy'")
    return bool(e.engine == "torch" or (e.engine == "auto" and any(needs_torch.values())))


def check_precision(estimator: Any, net: MLP, optimizer: Optimizer | LBFGS) -> None:
    """Raise where a mixed precision would have no effect, or mislead."""
    if estimator.precision is None:
        return
    if isinstance(optimizer, LBFGS):
        _refuse(estimator, ["precision"], "L-BFGS, whose line search it would mislead")
    if net.dtype != np.float32:
        raise InvalidArgumentError(
            "acts on samples in float32",
            "precision",
            type(estimator).__name__,
            got=f"{net.dtype}: give X.astype('float32')",
        )


def _changed(estimator: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return those parameters that have not their defaults."""
    defaults = inspect.signature(type(estimator)).parameters
    values = {name: getattr(estimator, name) for name in names}
    return {name: v for name, v in values.items() if v != defaults[name].default}


def _refuse(estimator: Any, names: Iterable[str], beside: str) -> None:
    """Raise for the first of these parameters."""
    for name in sorted(names):
        rule = f"cannot be {getattr(estimator, name)!r} with {beside}"
        raise InvalidArgumentError(rule, name, type(estimator).__name__)
