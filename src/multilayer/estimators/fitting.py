"""One training of an estimator's network: what it is asked for, and what becomes of its results."""

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from multilayer.data import SparseSamples
from multilayer.errors import DivergenceError, InvalidDataError
from multilayer.estimators.convergence import Convergence
from multilayer.estimators.settings import make_optimizer, make_schedule
from multilayer.numpy import MLP, Optimizer
from multilayer.training import Callback, History, train

__all__ = ["Job", "as_samples"]

Array = npt.NDArray[Any]

REASONS = {
    "n_epochs": (1, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"),
    "max_evaluations": (1, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"),
    "line_search": (2, "ABNORMAL: no step along the last direction lowered the loss"),
}
"""SciPy's status of what ends L-BFGS before it has converged, and its words."""


def as_samples(X: Any) -> Any:
    """Return samples as the engines take them."""
    return SparseSamples(X) if hasattr(X, "tocsr") else X


class _Order:
    """A sampler that gives row numbers in scikit-learn's order, an epoch each time."""

    def __init__(self, n_samples: int, random_state: np.random.RandomState) -> None:
        self._rows = np.arange(n_samples)
        self._random_state = random_state

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Any:
        return iter(self.__array__())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        order = np.arange(len(self._rows))
        self._random_state.shuffle(order)
        self._rows = self._rows[order]  # as sklearn.utils.shuffle does, without its checks
        return self._rows


class Job:
    """One training of an estimator's network, and what becomes of its results."""

    def __init__(
        self,
        estimator: Any,
        net: MLP,
        n_samples: int,
        weight: Array | None,
        held_out: tuple[Any, ...] | None,
        random_state: np.random.RandomState,
        incremental: bool,
    ) -> None:
        self.estimator, self.net = estimator, net
        self.n_samples = n_samples
        self.held_out = held_out
        self.incremental = incremental
        self.random_state = random_state
        e = estimator
        self.optimizer = make_optimizer(e)
        self.takes_steps = isinstance(self.optimizer, Optimizer)
        self.batch_size = self._batch_size()
        self.mass = self.batch_size * (1.0 if weight is None else float(weight.mean()))
        self.goes_on = incremental and e._trainer_state is not None
        is_adaptive = e.solver == "sgd" and e.learning_rate == "adaptive"
        by_score = e.early_stopping
        best = e.best_validation_score_ if by_score else e.best_loss_
        if best is None:  # a warm start with another way to judge
            best = -math.inf if by_score else math.inf
        self.start = net.copy() if by_score and math.isfinite(best) else None
        self.best_before = best
        stops = by_score or self.takes_steps
        self.convergence = Convergence(
            tol=e.tol,
            patience=e.n_iter_no_change if stops else math.inf,
            by_score=by_score,
            best=best,
            n_stalled=e._no_improvement_count,
            learning_rate=e.learning_rate_init if is_adaptive else None,
            factor=e._rate_factor if self.goes_on else 1.0,
            verbose=bool(e.verbose),
        )

    def _batch_size(self) -> int:
        e = self.estimator
        if not self.takes_steps:
            return self.n_samples
        if e.batch_size == "auto":
            return min(200, self.n_samples)
        if e.batch_size > self.n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=7,
            )
        return min(int(e.batch_size), self.n_samples)

    def train(self, X: Any, targets: Array, weight: Array | None, *, with_torch: bool) -> None:
        """Train, and leave the results in the estimator."""
        e = self.estimator
        _, key, place, *_ = self.random_state.get_state()
        rng = np.random.default_rng([*key[:4], place])  # nothing is drawn: orders stay the same
        net = self._twin() if with_torch else self.net
        options = {"precision": e.precision} if with_torch else {}
        trainer = net.trainer(
            loss=e._loss(),
            optimizer=self.optimizer,
            l2=e.alpha / self.mass,
            clip_norm=e.clip_norm,
            clip_value=e.clip_value,
            rng=rng.spawn(1)[0],
            **options,
        )
        if self.goes_on:
            trainer.set_state(e._trainer_state)
            net.set_weights(self.net.weights)
        schedule = make_schedule(e, self.n_samples, e.t_, self.convergence, is_new=not self.goes_on)
        scores = None
        if self.held_out is not None:
            scores = {"score": e._score_metric(self.held_out[2])}
        callbacks = [e.callbacks] if isinstance(e.callbacks, Callback) else list(e.callbacks)
        catcher = _Catcher()
        try:
            history = train(
                trainer,
                (X, targets, weight),
                n_epochs=1 if self.incremental else e.max_iter,
                batch_size=self.batch_size if self.takes_steps else None,
                shuffle=_Order(self.n_samples, self.random_state)
                if e.shuffle and self.takes_steps
                else False,
                validation=None if self.held_out is None else _validation(self.held_out),
                metrics=scores,
                monitor=None if self.held_out is None else "validation_score",
                schedule=schedule,
                callbacks=[catcher, self.convergence, *callbacks],
                rng=rng,
            )
        except DivergenceError as error:
            history = catcher.history
            self._diverged(error, history)
        if with_torch:
            self.net.set_weights(net.weights)
            self.net.set_state(net.state)
        if self.incremental:
            e._trainer_state = trainer.state()
        self._take(history)

    def _twin(self) -> Any:
        """Return the same network on PyTorch."""
        from multilayer.torch import MLP as TorchMLP

        return TorchMLP.from_numpy(self.net, device=self.estimator.device)

    def _diverged(self, error: DivergenceError, history: History) -> None:
        """Raise, unless weights of a good epoch are there."""
        if not self.estimator.early_stopping:
            msg = (
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
            raise InvalidDataError(msg) from error
        last = {"train_loss": math.nan, "validation_loss": math.nan, "validation_score": math.nan}
        history.append(last)

    def _take(self, history: History) -> None:
        """Keep the results under scikit-learn's names."""
        e = self.estimator
        e._history = history
        e.n_iter_ = history.n_epochs
        losses = history.get("train_loss", [])
        e.loss_curve_ += losses
        if losses:
            e.loss_ = losses[-1]
        if self.takes_steps:
            e.t_ += self.n_samples * history.n_epochs
        if self.held_out is not None:
            e.validation_scores_ = (e.validation_scores_ or []) + history["validation_score"]
            e.validation_loss_curve_ = (e.validation_loss_curve_ or []) + history["validation_loss"]
        e._no_improvement_count = self.convergence.n_stalled
        e._rate_factor = self.convergence.factor
        if e.early_stopping:
            e.best_loss_, e.best_validation_score_ = None, self.convergence.best
            if self.start is not None and self.convergence.best <= self.best_before:
                self.net.set_weights(self.start.weights)  # the earlier training's are the best
                self.net.set_state(self.start.state)
        else:
            e.best_loss_, e.best_validation_score_ = self.convergence.best, None
        self._warn(history)

    def _warn(self, history: History) -> None:
        """Warn where the training has not come to its end by itself."""
        e = self.estimator
        reason = history.stopped_by
        if reason == "interrupt":
            warnings.warn("Training interrupted by user.", stacklevel=8)
        elif not self.takes_steps and reason in REASONS:
            status, why = REASONS[reason]
            msg = (
                f"lbfgs failed to converge after {e.n_iter_} iteration(s) (status={status}):\n"
                f"{why}\n"
            )
            if reason == "n_epochs":
                msg += (
                    "\nIncrease the number of iterations to improve the convergence "
                    f"(max_iter={e.max_iter})."
                )
            warnings.warn(msg, ConvergenceWarning, stacklevel=8)
        elif self.takes_steps and reason == "n_epochs" and not self.incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=8,
            )


class _Catcher(Callback):
    """Keeps the history of a training that ends in an error."""

    history = History()

    def on_train_begin(self, run: Any) -> None:
        """Note where it is."""
        self.history = run.history


def _validation(held_out: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return validation samples as the engines take them."""
    X, *rest = held_out
    return as_samples(X), *rest
