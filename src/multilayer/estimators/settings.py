"""Settings: an estimator's parameters, translated for the parts that do the work."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from multilayer.architecture import ACTIVATIONS, Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.estimators.parameters import Parameters
from multilayer.model import Targets
from multilayer.numpy import (
    LBFGS,
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Adversary,
    Loss,
    Optimizer,
    Schedule,
)
from multilayer.numpy.optimizers import resolve_optimizer
from multilayer.registry import Names
from multilayer.training import Callback

__all__ = ["NAMES", "Settings", "check_same_network", "check_takes_steps", "uses_torch"]

NAMES = {
    **{each.name: each.name for each in fields(Parameters)},
    "activation": "activation",
    "hidden_features": "hidden_layer_sizes",
}
"""Each parameter's name in the messages of other parts, and the estimator's name for it."""
SYNONYMS = {"logistic": "sigmoid"}
"""scikit-learn's own names of activations, and the usual ones."""
SOLVERS = ("sgd", "adam", "lbfgs")
"""scikit-learn's solvers."""
SOLVER_PARAMETERS = (
    "learning_rate_init", "momentum", "nesterovs_momentum", "power_t", "beta_1", "beta_2", "epsilon"
)  # fmt: skip
RATES = ("constant", "invscaling", "adaptive")
LOSS_TOLERANCE = 1e7 * 2.220446049250313e-16
"""SciPy's default, which scikit-learn uses."""
MONITORS = {False: "train_loss", True: "validation_score", "loss": "validation_loss"}
"""The value by which each `early_stopping` judges epochs."""


@dataclass(frozen=True)
class Settings:
    """The settings of one fit. Fields not described here are the parameters of the same name.

    Parameters
    ----------
    architecture : Architecture
        The network's architecture.
    targets : Targets
        The meaning of its outputs.
    loss : Loss
        The loss to minimise.
    score : callable
        The score of validation samples, of (y, prediction, sample_weight=…); higher is better.
    optimizer : Optimizer or LBFGS
    schedule : str, Schedule or None
        One that `train` knows, or scikit-learn's ``"invscaling"`` or ``"adaptive"``.
    n_epochs : int
        The maximum number of epochs.
    is_incremental : bool
        Whether this is `partial_fit`, where the solver keeps its state.
    monitor : str
        The value that judges epochs; if it is a validation value, the best weights are kept.
    patience : float
        How many epochs in a row may pass without improvement.
    callbacks : tuple of Callback
    with_torch : bool
        Whether PyTorch trains.
    """

    architecture: Architecture
    targets: Targets
    loss: Loss
    score: Callable[..., float]
    optimizer: Any
    schedule: str | Schedule | None
    n_epochs: int
    is_incremental: bool
    monitor: str
    patience: float
    callbacks: tuple[Callback, ...]
    with_torch: bool

    alpha: float
    batch_size: Any
    shuffle: bool
    power_t: float
    tol: float
    verbose: Any
    validation_fraction: float
    clip_norm: float | None
    clip_value: float | None
    max_norm: float | None
    ema: float | None
    adversary: Adversary | None
    device: str
    precision: str | None

    @classmethod
    def of(
        cls,
        parameters: Any,
        in_features: int,
        targets: Targets,
        loss: Loss,
        score: Callable[..., float],
        *,
        is_incremental: bool,
    ) -> Self:
        """Return the settings that follow from an estimator's parameters.

        Raises
        ------
        InvalidArgumentError
            If two parameters contradict each other, or one holds an unknown name.
        """
        p = parameters
        if is_incremental and p.early_stopping:
            raise InvalidArgumentError(
                f"partial_fit does not support early_stopping={p.early_stopping!r}"
            )
        if is_incremental and p.ema is not None:
            rule = "cannot be combined with partial_fit, which would start it anew each time"
            raise InvalidArgumentError(rule, "ema", type(p).__name__, got=repr(p.ema))
        optimizer: Any = _optimizer(p)
        takes_steps = optimizer.takes_steps
        if p.precision is not None and not takes_steps:
            _refuse(p, ["precision"], "L-BFGS, whose line search it would mislead")
        made: dict[str, Any] = {
            "architecture": _architecture(p, in_features, targets),
            "targets": targets,
            "loss": loss,
            "score": score,
            "optimizer": optimizer,
            "schedule": _schedule(p, optimizer, is_incremental=is_incremental),
            "n_epochs": 1 if is_incremental else p.max_iter,
            "is_incremental": is_incremental,
            "monitor": MONITORS[p.early_stopping],
            "patience": p.n_iter_no_change if p.early_stopping or takes_steps else math.inf,
            "callbacks": (p.callbacks,) if isinstance(p.callbacks, Callback) else (*p.callbacks,),
            "with_torch": uses_torch(p),
        }
        as_given = {f.name: getattr(p, f.name) for f in fields(cls) if f.name not in made}
        return cls(**made, **as_given)

    @property
    def keeps_best(self) -> bool:
        """Whether validation samples decide which epoch's weights are kept."""
        return self.monitor != "train_loss"


def check_same_network(before: Architecture, now: Architecture) -> None:
    """Raise if the parameters describe a different network from the one to continue with.

    Raises
    ------
    InvalidArgumentError
        If so; the message names the differences.
    """
    pairs = zip(asdict(before).items(), asdict(now).values(), strict=True)
    differences = {
        name: f"{{{name}}} was {was!r}, is {value!r}"
        for (name, was), value in pairs
        if was != value
    }
    if differences:
        raise InvalidArgumentError(
            "warm_start and partial_fit continue with the existing network: "
            + "; ".join(differences.values()),
            others=differences,
        )


def check_takes_steps(estimator: Any) -> bool:
    """Return True, or raise if the solver takes no steps."""
    solver = estimator.solver
    if not getattr(OPTIMIZERS.get(solver, solver), "takes_steps", True):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {solver} is not stochastic."
        )
    return True


def uses_torch(p: Any) -> bool:
    """Return whether PyTorch trains: if `engine` names it, or a device or precision needs it."""
    needing = ["device"] if p.device not in ("auto", "cpu") else []
    needing += ["precision"] if getattr(p, "precision", None) is not None else []
    if p.engine == "numpy":
        _refuse(p, needing, "engine 'numpy'")
    return p.engine == "torch" or bool(needing)


def _architecture(p: Any, in_features: int, targets: Targets) -> Architecture:
    """Return the network that the parameters describe."""
    sizes = p.hidden_layer_sizes
    known = Names("activation", [*ACTIVATIONS, *SYNONYMS])
    is_one = isinstance(p.activation, str)
    words = [p.activation] if is_one else p.activation
    words = [known.check(word, type(p).__name__) for word in words]
    activations = tuple(SYNONYMS.get(word, word) for word in words)
    return Architecture(
        in_features,
        tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,),
        targets.out_features,
        activation=activations[0] if is_one else activations,
        output=targets.output,
        dropout=p.dropout,
        normalization=p.normalization,
        noise=p.noise,
    )


def _optimizer(p: Any) -> Optimizer | LBFGS:
    """Return the optimizer that `solver` names or is.

    With scikit-learn's three solvers, parameters that do not apply are ignored, as in scikit-learn.
    With any other solver, or an object, they raise an error.
    """
    if p.solver == "lbfgs":
        return LBFGS(tolerance=p.tol, max_evaluations=p.max_fun, loss_tolerance=LOSS_TOLERANCE)
    if p.solver == "sgd":
        nesterov = bool(p.nesterovs_momentum and p.momentum > 0)
        return SGD(p.learning_rate_init, p.momentum, nesterov=nesterov)
    if p.solver == "adam":
        return Adam(p.learning_rate_init, p.beta_1, p.beta_2, p.epsilon)
    given = _changed(p, SOLVER_PARAMETERS)
    if not isinstance(p.solver, str):
        if not p.solver.takes_steps:
            given |= _changed(p, ("max_fun", *(() if p.early_stopping else ("tol",))))
        _refuse(p, given, "a solver object, which has its own parameters")
        return resolve_optimizer(p.solver)
    cls: Any = OPTIMIZERS[Names("solver", OPTIMIZERS).check(p.solver, type(p).__name__)]
    known = {each.name for each in fields(cls)}
    settings = {name: value for name, value in given.items() if name in known}
    _refuse(p, given.keys() - {*settings, "learning_rate_init"}, f"solver {p.solver!r}")
    return cls(learning_rate=p.learning_rate_init, **settings)


def _schedule(p: Any, optimizer: Any, *, is_incremental: bool) -> str | Schedule | None:
    """Return the schedule that `learning_rate` names or is; None for a constant rate.

    As in scikit-learn, its own three names act only on ``solver="sgd"``.
    """
    rate, owner = p.learning_rate, type(p).__name__
    if isinstance(rate, str):
        names = [*RATES, *(name for name in SCHEDULES if name not in RATES)]
        Names("learning_rate", names).check(rate, owner)
    if isinstance(rate, Schedule) or rate not in RATES:
        if not optimizer.takes_steps:
            _refuse(p, ["learning_rate"], "L-BFGS, which does not step batch by batch")
        if is_incremental:
            raise InvalidArgumentError(
                "cannot be a schedule in partial_fit, which does not know how many epochs there "
                "will be",
                "learning_rate",
                owner,
                got=repr(rate),
            )
        return rate
    if rate == "constant":
        return None
    if p.solver not in SOLVERS:
        _refuse(p, ["learning_rate"], f"solver {p.solver!r}: only 'sgd' supports {rate!r}")
    return rate if p.solver == "sgd" else None


def _changed(p: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the parameters that differ from their defaults."""
    defaults = {each.name: each.default for each in fields(p)}
    values = {name: getattr(p, name) for name in names}
    return {name: value for name, value in values.items() if value != defaults[name]}


def _refuse(p: Any, names: Iterable[str], beside: str) -> None:
    """Raise for the first of these parameters, if there are any."""
    for name in sorted(names):
        rule = f"cannot be {getattr(p, name)!r} with {beside}"
        raise InvalidArgumentError(rule, name, type(p).__name__)
