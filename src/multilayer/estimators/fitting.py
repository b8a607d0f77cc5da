"""One training of an estimator's network: what it is asked for, and what becomes of its results."""

import hashlib
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from multilayer.caller import warn
from multilayer.data import SparseSamples
from multilayer.errors import DivergenceError, InvalidDataError
from multilayer.estimators.convergence import Convergence
from multilayer.estimators.settings import (
    check_precision,
    make_optimizer,
    make_schedule,
    uses_torch,
)
from multilayer.numpy import MLP, Optimizer
from multilayer.randomness import generator_state
from multilayer.training import Callback, History, Run, train
from multilayer.training.arguments import take_rows

__all__ = ["Job", "Samples", "as_samples", "forget_results", "set_aside"]

Array = npt.NDArray[Any]

REASONS = {
    "n_epochs": (1, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"),
    "max_evaluations": (1, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"),
    "line_search": (2, "ABNORMAL: no step along the last direction lowered the loss"),
}
"""SciPy's status of what ends L-BFGS before it has converged, and its words."""
SCALING = (
    "\nYou might also want to scale the data as shown in:\n"
    "    https://scikit-learn.org/stable/modules/preprocessing.html"
)


class Samples(NamedTuple):
    """Checked samples with their coded targets and weights."""

    X: Any
    targets: Array
    weight: Array | None

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, rows: Array) -> "Samples":
        """Return some of them."""
        return Samples(*take_rows(self, rows))

    def as_data(self) -> tuple[Any, Array, Array | None]:
        """Return them as `train` takes them."""
        return as_samples(self.X), self.targets, self.weight


def as_samples(X: Any) -> Any:
    """Return samples as the engines take them."""
    return SparseSamples(X) if hasattr(X, "tocsr") else X


def set_aside(
    data: Samples,
    share: float,
    strata: Array | None,
    random_state: np.random.RandomState,
    *,
    kept: Array,
) -> tuple[Samples, Samples]:
    """Return what is trained on and what it is judged by, as scikit-learn divides them.

    Parameters
    ----------
    data : Samples
    share : float
        Of the samples to judge by.
    strata : array of shape (n_samples,), optional
        What both are to have the same shares of.
    random_state : numpy.random.RandomState
    kept : array of bool, of shape (n_samples,)
        Samples that are trained on in any case.
    """
    rows = np.flatnonzero(~kept)
    try:
        training, held_out = train_test_split(
            rows,
            random_state=random_state,
            test_size=share,
            stratify=None if strata is None else strata[rows],
        )
        training = np.append(training, np.flatnonzero(kept))
    except ValueError as error:
        rule = f"cannot be {share!r} of {len(data)} samples: {error}"
        raise InvalidDataError(rule, "validation_fraction") from error
    if len(held_out) < 2:
        msg = (
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
        raise InvalidDataError(msg)
    parts = data.part(training), data.part(held_out)
    for name, part in zip(("training", "validation"), parts, strict=True):
        if part.weight is not None and not part.weight.any():
            rule = f"must not be zero for every sample of the {name} part"
            raise InvalidDataError(rule, "sample_weight")
    return parts


def forget_results(estimator: Any) -> None:
    """Set what `Job.finish` adds to, and goes on with, as it is before the first training."""
    e = estimator
    e.t_ = 0
    e.loss_curve_ = []
    e.validation_scores_ = e.validation_loss_curve_ = None
    e.best_loss_, e.best_validation_score_ = (
        (None, -math.inf) if judged_by(e) == "validation_score" else (math.inf, None)
    )
    e._no_improvement_count = 0
    e._rate_factor = 1.0
    e._solver_state, e._solver_kind = {}, None


class _Order:
    """A sampler that gives row numbers in scikit-learn's order, an epoch each time."""

    def __init__(self, n_samples: int, random_state: np.random.RandomState) -> None:
        self._rows = np.arange(n_samples)
        self._random_state = random_state

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Any:
        return iter(self.order())

    def order(self) -> Array:
        """Return the next epoch's, as sklearn.utils.shuffle makes it of the last one's."""
        places = np.arange(len(self._rows))
        self._random_state.shuffle(places)
        self._rows = self._rows[places]
        return self._rows


class _Watch(Callback):
    """Keeps the history of a training, which one that ends in an error does not return."""

    def __init__(self) -> None:
        self.history = History()

    def on_train_begin(self, run: Run) -> None:
        """Note where it is."""
        self.history = run.history


class Job:
    """One training of an estimator's network.

    Parameters
    ----------
    estimator : BaseMLP
        Whose parameters and results these are. Nothing of it changes before `finish`.
    net : MLP
        The network that the training starts from. What is trained is a copy.
    data : Samples
        What it is trained on.
    held_out : Samples, optional
        What its epochs are judged by.
    random_state : numpy.random.RandomState
        Draws the order of each epoch.
    incremental : bool
        Whether it is one epoch more, with the solver's state as it is.
    """

    def __init__(
        self,
        estimator: Any,
        net: MLP,
        data: Samples,
        held_out: Samples | None,
        random_state: np.random.RandomState,
        *,
        incremental: bool,
    ) -> None:
        e = self.estimator = estimator
        self.data, self.held_out = data, held_out
        self.random_state = random_state
        self.incremental = incremental
        self.optimizer = make_optimizer(e)
        self.takes_steps = isinstance(self.optimizer, Optimizer)
        # L-BFGS's line search needs more than the 7 digits of float32.
        self.dtype = net.dtype
        self.net = net.copy(None if self.takes_steps else "float64")
        self.with_torch = uses_torch(e)
        self.kind = (type(self.optimizer).__name__, self.with_torch)
        """What the solver's state is of: it is gone on with by the same kind alone."""
        self.goes_on = incremental and e._solver_kind == self.kind
        check_precision(e, self.net, self.optimizer)
        self.watch, self.divergence = _Watch(), ""
        self.advice = e._advice(data.targets)
        self.batch_size = self._batch_size()
        is_adaptive = e.solver == "sgd" and e.learning_rate == "adaptive"
        self.convergence = Convergence(
            tol=e.tol,
            patience=e.n_iter_no_change if e.early_stopping or self.takes_steps else math.inf,
            monitor=judged_by(e),
            best=_best_before(e),
            n_stalled=e._no_improvement_count,
            learning_rate=e.learning_rate_init if is_adaptive else None,
            factor=e._rate_factor if self.goes_on else 1.0,
            verbose=bool(e.verbose),
        )

    def _batch_size(self) -> int:
        e, n_samples = self.estimator, len(self.data)
        if not self.takes_steps:
            return n_samples
        if e.batch_size == "auto":
            return min(200, n_samples)
        if e.batch_size > n_samples:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return min(int(e.batch_size), n_samples)

    def train(self) -> None:
        """Train the network."""
        e, n_samples = self.estimator, len(self.data)
        rng = self._generator()
        weight = self.data.weight
        # scikit-learn's penalty is α/2 ‖W‖² over a batch's samples, or the sum of their weights.
        mass = self.batch_size * (1.0 if weight is None else float(weight.mean()))
        work: Any = self._twin() if self.with_torch else self.net
        trainer = work.trainer(
            loss=e._loss(),
            optimizer=self.optimizer,
            l2=e.alpha / mass,
            clip_norm=e.clip_norm,
            clip_value=e.clip_value,
            rng=rng.spawn(1)[0],
            **({"precision": e.precision} if self.with_torch else {}),
        )
        if self.goes_on:
            # The weights may have been written to since; all else is as it was.
            trainer.set_state(trainer.state() | e._solver_state)
        callbacks = [e.callbacks] if isinstance(e.callbacks, Callback) else list(e.callbacks)
        held_out = self.held_out
        judged: dict[str, Any] = {}
        if held_out is not None:
            judged = {
                "validation": held_out.as_data(),
                "metrics": {"score": e._score_metric(held_out.weight)},
                "monitor": "validation_loss" if e.early_stopping == "loss" else "validation_score",
            }
        shuffles = e.shuffle and self.takes_steps
        try:
            train(
                trainer,
                self.data.as_data(),
                n_epochs=1 if self.incremental else e.max_iter,
                batch_size=self.batch_size if self.takes_steps else None,
                shuffle=_Order(n_samples, self.random_state) if shuffles else False,
                schedule=make_schedule(
                    e, self.optimizer, n_samples, self.convergence, is_new=not self.goes_on,
                    incremental=self.incremental,
                ),
                callbacks=[self.watch, self.convergence, *callbacks],
                rng=rng,
                **judged,
            )  # fmt: skip
        except DivergenceError as error:
            self._diverged(error)
        if self.with_torch:
            twin = work.to_numpy()
            self.net.set_weights(twin.weights)
            self.net.set_state(twin.state)
        if self.takes_steps:
            state = trainer.state()
            self.solver_state = {k: v for k, v in state.items() if not k.startswith("network.")}

    def _generator(self) -> np.random.Generator:
        """Return a generator that follows from the random state, of which nothing is drawn."""
        state = generator_state(np.random.Generator(self.random_state._bit_generator))
        digest = hashlib.blake2b(state.tobytes(), digest_size=16).digest()
        return np.random.default_rng(int.from_bytes(digest))

    def _twin(self) -> Any:
        """Return the same network on PyTorch."""
        from multilayer.torch import MLP as TorchMLP

        return TorchMLP.from_numpy(self.net, device=self.estimator.device)

    def _diverged(self, error: DivergenceError) -> None:
        """Raise, unless epochs are judged: then the best one's weights are there."""
        if not self.estimator.early_stopping:
            msg = (
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. {error}"
            )
            raise InvalidDataError(msg) from error
        self.divergence = str(error)
        values = ("train_loss", "validation_loss", "validation_score")
        self.watch.history.append(dict.fromkeys(values, math.nan))

    def finish(self) -> None:
        """Give the estimator the results, under scikit-learn's names."""
        e, history = self.estimator, self.watch.history
        n_before = len(e.loss_curve_)
        e.history_ = history
        e._show_weights(self.net if self.net.dtype == self.dtype else self.net.copy(self.dtype))
        e.n_iter_ = history.n_epochs
        losses = history.get("train_loss", [])
        e.loss_curve_ = e.loss_curve_ + losses
        e.loss_ = losses[-1] if losses else math.nan
        if self.takes_steps:
            e.t_ += len(self.data) * history.n_epochs
            e._solver_state, e._solver_kind = self.solver_state, self.kind
        if self.held_out is not None:
            e.validation_scores_ = (e.validation_scores_ or []) + history.get(
                "validation_score", []
            )
            before = e.validation_loss_curve_ or [math.nan] * n_before
            e.validation_loss_curve_ = before + history.get("validation_loss", [])
        e._no_improvement_count = self.convergence.n_stalled
        e._rate_factor = self.convergence.factor
        best = self.convergence.best
        is_score = judged_by(e) == "validation_score"
        e.best_loss_, e.best_validation_score_ = (None, best) if is_score else (best, None)

    @property
    def is_no_better_than_the_mean(self) -> bool:
        """Whether the squared error is that of the best constant, or more."""
        is_squared_error = self.estimator._loss().name == "squared_error"
        variance = float(np.var(self.data.targets, axis=0).sum())
        return is_squared_error and not self.estimator.loss_ < variance / 2

    def warn(self) -> None:
        """Warn where the training has not come to an end by itself, or to none of any use."""
        e, reason = self.estimator, self.watch.history.stopped_by
        if reason == "interrupt":
            warn("Training interrupted by user.")
        elif self.divergence:
            kept = "best epoch's" if math.isfinite(self.convergence.best) else "first"
            msg = f"Training diverged, and the {kept} weights are kept: {self.divergence}"
            warn(msg, ConvergenceWarning)
        elif not self.takes_steps and reason in REASONS:
            status, why = REASONS[reason]
            msg = f"lbfgs failed to converge after {e.n_iter_} iteration(s) (status={status}):\n"
            msg += f"{why}\n"
            if reason == "n_epochs":
                msg += (
                    "\nIncrease the number of iterations to improve the convergence "
                    f"(max_iter={e.max_iter})."
                )
            msg += SCALING + self.advice
            warn(msg, ConvergenceWarning)
        elif self.takes_steps and reason == "n_epochs" and not self.incremental:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the "
                f"optimization hasn't converged yet.{self.advice}",
                ConvergenceWarning,
            )
        elif self.advice and self.is_no_better_than_the_mean:
            msg = f"The training ended no better than with the mean of the targets.{self.advice}"
            warn(msg, ConvergenceWarning)


def judged_by(estimator: Any) -> str:
    """Return what `early_stopping` says that epochs are judged by."""
    if not estimator.early_stopping:
        return "train_loss"
    return "validation_loss" if estimator.early_stopping == "loss" else "validation_score"


def _best_before(estimator: Any) -> float:
    """Return the best that this training has to improve on: with validation none, as it is anew."""
    if estimator.early_stopping:
        return math.inf if estimator.early_stopping == "loss" else -math.inf
    return math.inf if estimator.best_loss_ is None else float(estimator.best_loss_)
