"""One training of an estimator's network: from settings, network and samples to its outcome."""

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidDataError
from multilayer.estimators.advice import warning_of
from multilayer.estimators.convergence import Convergence, InverseScalingByEpoch
from multilayer.estimators.settings import Settings
from multilayer.numpy import MLP, Schedule
from multilayer.randomness import generator_state
from multilayer.samples import Data
from multilayer.training import History, Metric, train

__all__ = ["Outcome", "Past", "train_network"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Past:
    """The results of the trainings so far, from which the next one continues.

    Parameters
    ----------
    t : int
        The number of samples trained on.
    loss_curve, validation_scores, validation_loss_curve : list of float
        One value per epoch; the last two are None without validation samples.
    best_loss, best_validation_score : float or None
        The best monitored value of the last training; the other is None.
    n_stalled : int
        The number of epochs since the last improvement.
    rate_factor : float
        The factor by which ``"adaptive"`` has lowered the learning rate.
    solver : tuple, optional
        The kind of optimizer and engine that `solver_state` belongs to.
    solver_state : dict
        The trainer's state, without the network's.
    """

    t: int = 0
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    validation_loss_curve: list[float] | None = None
    best_loss: float | None = None
    best_validation_score: float | None = None
    n_stalled: int = 0
    rate_factor: float = 1.0
    solver: tuple[str, bool] | None = None
    solver_state: dict[str, Array] = field(default_factory=dict)


class Outcome(NamedTuple):
    """The outcome of a training.

    Attributes
    ----------
    net : MLP
        The trained network.
    history : History
        The history of this training only.
    past : Past
        What the next training continues from.
    warning : Warning or None
        The warning that the user should see.
    """

    net: MLP
    history: History
    past: Past
    warning: Warning | None


def train_network(
    settings: Settings,
    net: MLP,
    data: Data,
    held_out: Data | None,
    past: Past,
    random_state: np.random.RandomState,
) -> Outcome:
    """Train a copy of a network.

    Parameters
    ----------
    settings : Settings
    net : MLP
        The network to start from; it is not changed.
    data, held_out : Data
        The training data, and the validation data, if any.
    past : Past
        The results of earlier trainings.
    random_state : numpy.random.RandomState
        Draws the order of each epoch.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If a part cannot be used with the others, or the training diverges and no epoch is kept.
    """
    optimizer, takes_steps = settings.optimizer, settings.optimizer.takes_steps
    if settings.precision is not None and net.dtype != np.float32:
        got = f"{net.dtype}: give X.astype('float32')"
        raise InvalidArgumentError("acts on samples in float32", "precision", "fit", got=got)
    n_samples = data.n_samples
    batch_size = _batch_size(settings, n_samples)
    solver = (type(optimizer).__name__, settings.with_torch)
    goes_on = settings.is_incremental and past.solver == solver
    convergence = Convergence(
        settings,
        best=_best_before(settings, past),
        n_stalled=past.n_stalled,
        factor=past.rate_factor if goes_on else 1.0,
    )
    # L-BFGS's line search needs more than the 7 digits of float32.
    trained = net.copy(None if takes_steps else "float64")
    work: Any = trained
    if settings.with_torch:
        from multilayer.torch import MLP as TorchMLP

        work = TorchMLP.from_numpy(trained, device=settings.device)
    rng = _generator(random_state)
    # scikit-learn's penalty is α/2 ‖W‖² over a batch's samples, or the sum of their weights.
    mass = batch_size * (1.0 if data.weight is None else float(data.weight.mean()))
    trainer = work.trainer(
        loss=settings.loss,
        optimizer=optimizer,
        l2=settings.alpha / mass,
        clip_norm=settings.clip_norm,
        clip_value=settings.clip_value,
        rng=rng.spawn(1)[0],
        **({"precision": settings.precision} if settings.with_torch else {}),
    )
    if goes_on:
        # The weights may have been changed since; everything else is restored.
        trainer.set_state(trainer.state() | past.solver_state)
    divergence = ""
    try:
        train(
            trainer,
            data,
            n_epochs=settings.n_epochs,
            batch_size=batch_size if takes_steps else None,
            shuffle=_Order(n_samples, random_state) if settings.shuffle and takes_steps else False,
            schedule=_schedule(settings, n_samples, past, is_new=not goes_on),
            callbacks=[convergence, *settings.callbacks],
            rng=rng,
            **({} if held_out is None else _judged_by(settings, held_out)),
        )
    except DivergenceError as error:
        if not settings.keeps_best:
            raise InvalidDataError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. {error}"
            ) from error
        divergence = str(error)
        values = ("train_loss", "validation_loss", "validation_score")
        convergence.history.append(dict.fromkeys(values, math.nan))
    if settings.with_torch:
        twin = work.to_numpy()
        trained.set_weights(twin.weights)
        trained.set_state(twin.state)
    now = _now(settings, past, convergence, n_samples, is_judged=held_out is not None)
    if takes_steps:
        state = {k: v for k, v in trainer.state().items() if not k.startswith("network.")}
        now = replace(now, solver=solver, solver_state=state)
    history = convergence.history
    return Outcome(
        trained if trained.dtype == net.dtype else trained.copy(net.dtype),
        history,
        now,
        warning_of(settings, data, history, divergence, convergence.best),
    )


def _batch_size(settings: Settings, n_samples: int) -> int:
    if not settings.optimizer.takes_steps:
        return n_samples
    if settings.batch_size == "auto":
        return min(200, n_samples)
    if settings.batch_size > n_samples:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return min(int(settings.batch_size), n_samples)


def _best_before(settings: Settings, past: Past) -> float:
    """Return the value to improve on; with validation data each training starts afresh."""
    if settings.monitor == "validation_score":
        return -math.inf
    if settings.monitor == "validation_loss" or past.best_loss is None:
        return math.inf
    return past.best_loss


def _generator(random_state: np.random.RandomState) -> np.random.Generator:
    """Return a generator seeded by the random state, without drawing from it."""
    state = generator_state(np.random.Generator(random_state._bit_generator))
    digest = hashlib.blake2b(state.tobytes(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest))


def _schedule(
    settings: Settings, n_samples: int, past: Past, *, is_new: bool
) -> str | Schedule | None:
    """Return the schedule that `train` takes."""
    if settings.schedule == "adaptive":  # `Convergence` lowers the rate
        return None
    if settings.schedule == "invscaling":
        return InverseScalingByEpoch(settings.power_t, n_samples, past.t, is_new)
    return settings.schedule


def _judged_by(settings: Settings, held_out: Data) -> dict[str, Any]:
    """Return the arguments with which `train` judges epochs by validation samples."""
    score = partial(settings.score, sample_weight=held_out.weight)
    return {
        "validation": held_out,
        "metrics": {"score": Metric(score, higher_is_better=True)},
        "monitor": settings.monitor if settings.keeps_best else "validation_score",
    }


def _now(
    settings: Settings, past: Past, convergence: Convergence, n_samples: int, *, is_judged: bool
) -> Past:
    """Return the past for the next training, without the solver's state."""
    history = convergence.history
    is_score = settings.monitor == "validation_score"
    validation: dict[str, Any] = {}
    if is_judged:
        before = past.validation_loss_curve or [math.nan] * len(past.loss_curve)
        validation = {
            "validation_scores": [
                *(past.validation_scores or []), *history.get("validation_score", [])
            ],
            "validation_loss_curve": [*before, *history.get("validation_loss", [])],
        }  # fmt: skip
    return replace(
        past,
        t=past.t + (n_samples * history.n_epochs if settings.optimizer.takes_steps else 0),
        loss_curve=[*past.loss_curve, *history.get("train_loss", [])],
        best_loss=None if is_score else convergence.best,
        best_validation_score=convergence.best if is_score else None,
        n_stalled=convergence.n_stalled,
        rate_factor=convergence.factor,
        **validation,
    )


class _Order:
    """A sampler that yields row numbers in scikit-learn's order, one epoch per iteration."""

    def __init__(self, n_samples: int, random_state: np.random.RandomState) -> None:
        self._rows = np.arange(n_samples)
        self._random_state = random_state

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Any:
        return iter(self.order())

    def order(self) -> Array:
        """Return the next epoch's order: the last one, shuffled as `sklearn.utils.shuffle` does."""
        places = np.arange(len(self._rows))
        self._random_state.shuffle(places)
        self._rows = self._rows[places]
        return self._rows
