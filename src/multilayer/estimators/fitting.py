"""One training run of an estimator's network: from a job to its outcome."""

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
from multilayer.estimators.samples import Part
from multilayer.estimators.settings import Settings
from multilayer.numpy import MLP, Schedule
from multilayer.randomness import generator_state
from multilayer.training import History, Metric, train

__all__ = ["Job", "Outcome", "Past", "Training", "batch_size_of", "train_network"]

Array = npt.NDArray[Any]

CLIPPED = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
"""scikit-learn's message."""


@dataclass(frozen=True)
class Past:
    """The results of the training runs so far, from which the next one continues.

    Parameters
    ----------
    t : int
        The number of samples trained on.
    loss_curve, validation_scores, validation_loss_curve : list of float
        One value per epoch; the last two are None without validation samples.
    best_loss, best_validation_score : float or None
        The best monitored value of the last training run; the other is None.
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


@dataclass(frozen=True)
class Job:
    """Everything that one training run needs.

    Parameters
    ----------
    settings : Settings
    net : MLP
        The network to start from; it is not changed.
    training : Part
        The training data: rows of samples that other jobs may share.
    held_out : Part or None
        The validation data.
    past : Past
        The results of earlier training runs.
    random_state : numpy.random.RandomState
        Draws the order of each epoch.
    seed : int, optional
        The member's seed, if there are members.
    """

    settings: Settings
    net: MLP
    training: Part
    held_out: Part | None
    past: Past
    random_state: np.random.RandomState
    seed: int | None = None


class Outcome(NamedTuple):
    """The outcome of a training run.

    Attributes
    ----------
    net : MLP
        The trained network.
    history : History
        The history of this training run only.
    past : Past
        What the next training run continues from.
    warning : Warning or None
        The warning that the user should see.
    n_together : int
        The number of networks that were trained as one, this one included.
    """

    net: MLP
    history: History
    past: Past
    warning: Warning | None
    n_together: int = 1


def train_network(job: Job) -> Outcome:
    """Train a copy of a job's network.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If settings contradict each other, or training diverges and no epoch is kept.
    """
    training, settings = Training(job), job.settings
    net = training.net
    work: Any = net
    if settings.with_torch:
        from multilayer.torch import MLP as TorchMLP

        work = TorchMLP.from_numpy(net, device=settings.device)
    trainer = work.trainer(
        loss=settings.loss,
        optimizer=settings.optimizer,
        l2=training.l2,
        clip_norm=settings.clip_norm,
        clip_value=settings.clip_value,
        max_norm=settings.max_norm,
        ema=settings.ema,
        adversary=settings.adversary,
        rng=training.masks,
        **({"precision": settings.precision} if settings.with_torch else {}),
    )
    if training.goes_on:
        # The weights may have been changed since. Everything else is restored, except parts that
        # have been removed: an adversary, or an average.
        own = trainer.state()
        has = {name.partition(".")[0] for name in own} | {"optimizer"}
        past = job.past.solver_state.items()
        trainer.set_state(own | {k: v for k, v in past if k.partition(".")[0] in has})
    error = None
    judged: dict[str, Any] = {}
    if job.held_out is not None:
        judged = {
            "validation": job.held_out.read(),
            "metrics": training.metrics,
            "monitor": training.monitor,
        }
    try:
        train(
            trainer,
            job.training.read(),
            n_epochs=settings.n_epochs,
            batch_size=training.batch_size if settings.optimizer.takes_steps else None,
            shuffle=training.order,
            schedule=training.schedule,
            callbacks=[training.convergence, *settings.callbacks],
            rng=training.rng,
            **judged,
        )
    except DivergenceError as found:
        error = found
    if settings.with_torch:
        training.take(work.to_numpy())
    return training.outcome(error, trainer.state() if settings.optimizer.takes_steps else {})


class Training:
    """A job that is ready to be trained, alone or as a member of an ensemble; and its outcome.

    Parameters
    ----------
    job : Job
    index : int
        The job's position among those that are trained together.

    Attributes
    ----------
    net : MLP
        The network to train.
    batch_size : int
    l2 : float
    masks, rng : numpy.random.Generator
        Draw dropout masks and noise, and everything else that `train` draws.
    order : iterable or bool
        The order of each epoch, in the form that `train` expects.
    schedule : str, Schedule or None
    convergence : Convergence
        The callback that judges epochs.
    metrics : dict
        The metrics of the validation samples.
    monitor : str
        The value that judges epochs.
    goes_on : bool
        Whether the solver continues from its state at the end of the last training run.

    Raises
    ------
    InvalidArgumentError
        If settings contradict each other.
    """

    def __init__(self, job: Job, index: int = 0) -> None:
        self.job, settings, past = job, job.settings, job.past
        if settings.precision is not None and job.net.dtype != np.float32:
            got = f"{job.net.dtype}: pass X.astype('float32')"
            raise InvalidArgumentError("needs samples in float32", "precision", "fit", got=got)
        takes_steps, n_samples = settings.optimizer.takes_steps, job.training.n_samples
        self.batch_size = batch_size_of(settings, n_samples)
        if takes_steps and settings.batch_size not in ("auto", self.batch_size):
            warn(CLIPPED)
        self._solver = (type(settings.optimizer).__name__, settings.with_torch)
        self.goes_on = settings.is_incremental and past.solver == self._solver
        self.convergence = Convergence(
            settings,
            index,
            best=_best_before(settings, past),
            n_stalled=past.n_stalled,
            factor=past.rate_factor if self.goes_on else 1.0,
        )
        # L-BFGS's line search needs more than the 7 digits of float32.
        self.net = job.net.copy(None if takes_steps else "float64")
        self.rng = _generator(job.random_state)
        self.masks = self.rng.spawn(1)[0]
        # scikit-learn's penalty is α/2 ‖W‖² over a batch's samples, or the sum of their weights.
        weight = job.training.weight
        self.l2 = settings.alpha / (
            self.batch_size * (1.0 if weight is None else float(weight.mean()))
        )
        shuffles = settings.shuffle and takes_steps
        self.order: Any = _Order(n_samples, job.random_state) if shuffles else False
        self.schedule = _schedule(settings, n_samples, past, is_new=not self.goes_on)
        self.metrics: dict[str, Metric] = {}
        self.monitor = settings.monitor
        if job.held_out is not None:
            score = partial(settings.score, sample_weight=job.held_out.weight)
            self.metrics = {"score": Metric(score, higher_is_better=True)}
            self.monitor = settings.monitor if settings.keeps_best else "validation_score"

    def take(self, twin: MLP) -> None:
        """Take over the weights and the state of the network that was trained in its place."""
        self.net.set_weights(twin.weights)
        self.net.set_state(twin.state)

    def outcome(self, error: DivergenceError | None, state: dict[str, Any]) -> Outcome:
        """Return the outcome, once the network is trained.

        Parameters
        ----------
        error : DivergenceError or None
            What ended training, if it diverged.
        state : dict
            The trainer's state; the network's part is left out.

        Raises
        ------
        InvalidDataError
            If training diverged, and no epoch is kept.
        """
        job, settings, convergence = self.job, self.job.settings, self.convergence
        history = convergence.history
        if error is not None:
            if not settings.keeps_best:
                raise InvalidDataError(
                    "Solver produced non-finite parameter weights. The input data may contain "
                    f"large values and need to be preprocessed. {error}"
                ) from error
            values = ("train_loss", "validation_loss", "validation_score")
            history.append(dict.fromkeys(values, math.nan))
        now = _now(job, convergence)
        if settings.optimizer.takes_steps:
            state = {k: v for k, v in state.items() if not k.startswith("network.")}
            now = replace(now, solver=self._solver, solver_state=state)
        warning = warning_of(
            settings, job.training, history, "" if error is None else str(error), convergence.best
        )
        dtype = job.net.dtype
        net = self.net if self.net.dtype == dtype else self.net.copy(dtype)
        return Outcome(net, history, now, warning)


def batch_size_of(settings: Settings, n_samples: int) -> int:
    """Return how many samples a step takes; all, for a solver without steps."""
    if not settings.optimizer.takes_steps:
        return n_samples
    return min(200 if settings.batch_size == "auto" else int(settings.batch_size), n_samples)


def _best_before(settings: Settings, past: Past) -> float:
    """Return the value to improve on; with validation data, each training run starts afresh."""
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
    """Return the schedule in the form that `train` expects."""
    if settings.schedule == "adaptive":  # `Convergence` lowers the rate
        return None
    if settings.schedule == "invscaling":
        return InverseScalingByEpoch(settings.power_t, n_samples, past.t, is_new)
    return settings.schedule


def _now(job: Job, convergence: Convergence) -> Past:
    """Return the past for the next training run, without the solver's state."""
    settings, past, history = job.settings, job.past, convergence.history
    n_seen = job.training.n_samples * history.n_epochs if settings.optimizer.takes_steps else 0
    is_score = settings.monitor == "validation_score"
    validation: dict[str, Any] = {}
    if job.held_out is not None:
        before = past.validation_loss_curve or [math.nan] * len(past.loss_curve)
        validation = {
            "validation_scores": [
                *(past.validation_scores or []), *history.get("validation_score", [])
            ],
            "validation_loss_curve": [*before, *history.get("validation_loss", [])],
        }  # fmt: skip
    return replace(
        past,
        t=past.t + n_seen,
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
