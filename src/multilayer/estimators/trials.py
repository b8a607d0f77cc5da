"""Fits on the folds of cross-validation: read once, trained in lockstep, finished one by one."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from multilayer.estimators.base import BaseMLP, Reading
from multilayer.estimators.fitting import Job, Outcome
from multilayer.estimators.lockstep import MEMORY, groups_of, n_bytes, train_group
from multilayer.estimators.samples import Part
from multilayer.samples import Data
from multilayer.training import Callback

__all__ = ["InTurn", "Trial", "Watch", "prefix_of", "trained"]

Array = npt.NDArray[Any]

READ = ("columns", "class_weight", "loss", "scale_targets", "warm_start")
"""The parameters of an estimator on which reading its samples depends."""


class Watch(Callback):
    """A callback that follows the training of many trials; the base class shows nothing.

    Attributes
    ----------
    n_done, n_trials : int
        How many trials are trained, and how many there are.
    """

    n_done = n_trials = 0


@dataclass
class Trial:
    """One fit of a candidate on a fold, and how it went.

    Parameters
    ----------
    estimator : estimator
        Has the candidate's parameters; its `fit` finishes the trial.
    n_together : int
        The number of networks that were trained as one; 0 if scikit-learn fits it later.
    seconds : float
        Its share of the time that reading and training took.
    """

    estimator: Any
    n_together: int = 0
    seconds: float = 0.0
    jobs: list[Job] = field(default_factory=list)  # one for each member
    reading: Reading | None = None
    steps: list[Any] | None = None  # the other steps of a pipeline, fitted
    error: Exception | None = None  # of reading
    results: dict[int, Outcome | Exception] = field(default_factory=dict)

    def finish(self) -> Any:
        """Let the estimator's next `fit` take over the trained networks; return the estimator."""
        if self.error is not None or self.results:
            self.estimator.fit = self._take
        return self.estimator

    def _take(self, *data: Any, **parameters: Any) -> Any:
        del self.estimator.fit
        if self.error is not None:
            raise self.error
        if self.steps:  # parameters may have replaced them meanwhile
            self.estimator.steps[:-1] = self.steps
        mlp = _network_of(self.estimator)
        with mlp._fitting():
            mlp._take(self.reading, self.jobs, [self.results[k] for k in range(len(self.jobs))])
        self.jobs, self.reading, self.results = [], None, {}  # else a search would keep them all
        return self.estimator


class InTurn:
    """Trials whose estimators scikit-learn gets, one by one, by cloning another: see `template`."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.waiting: list[Trial] = []

    def template(self) -> Any:
        """Return an estimator whose clones are the waiting trials', and then ordinary clones."""
        template = clone(self._estimator)
        template.__sklearn_clone__ = self._next
        return template

    def _next(self) -> Any:
        return self.waiting.pop(0).finish() if self.waiting else clone(self._estimator)


def trained(
    estimator: Any,
    candidates: Sequence[Mapping[str, Any]],
    X: Any,
    y: Any,
    splits: Sequence[tuple[Any, Any]],
    fit_params: Mapping[str, Any],
    watch: Watch | None = None,
) -> Iterator[list[Trial]]:
    """Train candidates on all folds; yield their trials in order, as many as memory allows at once.

    A candidate that is neither an `MLPClassifier` nor an `MLPRegressor`, nor a pipeline that ends
    in one, is left to scikit-learn, and so is a pipeline if `fit` has arguments for other steps.
    Samples are read once for each fold and each set of parameters on which reading depends. Plain
    numbers are stored once: folds are rows of them.

    Parameters
    ----------
    estimator : estimator
    candidates : sequence of dict
        Parameters to set.
    X, y, splits, fit_params
        Samples, targets, pairs of rows, and arguments of `fit`.
    watch : Watch, optional
        Follows the training.
    """
    readers = [_Reader(X, y, rows, fit_params) for rows, _ in splits]
    shared, watch = _Shared(X), watch or Watch()
    watch.n_trials, watch.n_done = len(candidates) * len(splits), 0
    trials: list[Trial] = []
    for parameters in candidates:
        for reader in readers:
            trial = Trial(clone(estimator).set_params(**clone(dict(parameters), safe=False)))
            trials.append(trial)
            prefix = prefix_of(trial.estimator)
            are_its_own = all(name.startswith(prefix) for name in fit_params)
            if _network_of(trial.estimator) is None or not are_its_own:
                continue
            began = time.perf_counter()
            try:
                reader.prepare(trial, shared)
            except Exception as error:  # scikit-learn reports it, or raises it again
                trial.error = error
            trial.seconds = time.perf_counter() - began
        if sum(n_bytes(job) for trial in trials for job in trial.jobs) >= MEMORY:
            yield _train(trials, watch)
            trials = []
    if trials:
        yield _train(trials, watch)


def _train(trials: list[Trial], watch: Watch) -> list[Trial]:
    """Train the jobs that are ready, and return all trials."""
    ready = [(trial, k) for trial in trials for k in range(len(trial.jobs))]
    jobs = [trial.jobs[k] for trial, k in ready]
    for group in groups_of(jobs):
        began = time.perf_counter()
        results = train_group([jobs[i] for i in group], callbacks=[watch])
        seconds = (time.perf_counter() - began) / len(group)
        outcomes = [result for result in results if isinstance(result, Outcome)]
        n_together = max((outcome.n_together for outcome in outcomes), default=1)
        for i, result in zip(group, results, strict=True):
            trial, k = ready[i]
            trial.results[k] = result
            trial.seconds += seconds
            trial.n_together = max(trial.n_together, n_together)
            watch.n_done += len(trial.results) == len(trial.jobs)
        if any(outcome.history.stopped_by == "interrupt" for outcome in outcomes):
            raise KeyboardInterrupt
    return trials


class _Shared:
    """All samples, stored once: a fold that is read unchanged becomes rows of them.

    Targets are filled in fold by fold; a fold that encodes them differently gets another array.
    """

    def __init__(self, X: Any) -> None:
        is_matrix = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf"
        self._X: Any = X if is_matrix else None
        self._several: list[tuple[Data, Array]] = []

    def take(self, part: Part, rows: Array) -> Part:
        """Return a fold's part as rows of all samples, or unchanged."""
        data = part.data
        is_plain = isinstance(data.X, np.ndarray) and data.weight is None
        if self._X is None or not is_plain or len(rows) != data.n_samples:
            return part
        if self._X.dtype != data.X.dtype:
            self._X = np.asarray(self._X, dtype=data.X.dtype)
        if not np.array_equal(self._X[rows], data.X):
            return part
        for whole, is_known in self._several:
            known = is_known[rows]
            same = whole.targets.dtype == data.targets.dtype
            if same and np.array_equal(whole.targets[rows][known], data.targets[known]):
                break
        else:
            targets = np.zeros((len(self._X), *data.targets.shape[1:]), data.targets.dtype)
            whole, is_known = Data(self._X, targets), np.zeros(len(self._X), dtype=bool)
            self._several.append((whole, is_known))
        whole.targets[rows], is_known[rows] = data.targets, True
        return Part(whole, rows)


class _Reader:
    """The training rows of one fold, read once for each way of reading them."""

    def __init__(self, X: Any, y: Any, rows: Any, fit_params: Mapping[str, Any]) -> None:
        self._data = X, y, np.asarray(rows)
        self._fit_params = fit_params
        self._known: dict[Any, tuple[Reading, list[Any]]] = {}

    def prepare(self, trial: Trial, shared: _Shared) -> None:
        """Give a trial its reading and its jobs."""
        mlp = _network_of(trial.estimator)
        mlp._validate_params()
        with mlp._fitting():
            trial.reading, trial.steps = self._read(trial.estimator, mlp, shared)
            trial.jobs = mlp._jobs(trial.reading)

    def _read(self, estimator: Any, mlp: Any, shared: _Shared) -> tuple[Reading, list[Any]]:
        key = _key_of(estimator, mlp)
        if key in self._known:
            return self._known[key]
        X, y, rows = self._data
        parameters = _check_method_params(X, params=self._fit_params, indices=rows)
        n = len(prefix_of(estimator))
        parameters = {name[n:]: value for name, value in parameters.items()}
        X_train, y_train = _safe_split(estimator, X, y, rows)
        steps: list[Any] = []
        if isinstance(estimator, Pipeline):
            head = estimator[:-1]
            if len(head.steps):
                X_train = head.fit_transform(X_train, y_train)
                steps = head.steps
        reading = mlp._read(X_train, y_train, **parameters)
        reading = replace(reading, training=shared.take(reading.training, rows))
        self._known[key] = reading, steps
        return reading, steps


def _network_of(estimator: Any) -> Any:
    """Return the estimator that is a network: itself, or the last of a pipeline; else None.

    The result is also None for a subclass of `Pipeline`, or of an estimator with another `fit`,
    since it may do anything.
    """
    if isinstance(estimator, Pipeline) and type(estimator) is not Pipeline:
        return None
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    is_ours = isinstance(last, BaseMLP) and type(last).fit.__module__.startswith("multilayer.")
    return last if is_ours else None


def prefix_of(estimator: Any) -> str:
    """Return the prefix that the last step's parameters have among those of an estimator."""
    return f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""


def _key_of(estimator: Any, mlp: Any) -> Any:
    """Return a hash of what reading depends on: all parameters but those of the training."""
    key: dict[str, Any] = {name: getattr(mlp, name, None) for name in READ}
    if isinstance(estimator, Pipeline):
        key["steps"] = estimator.steps[:-1]
        key["memory"] = estimator.memory
    try:
        return joblib.hash(key)
    except (PicklingError, AttributeError, TypeError):  # joblib cannot hash a lambda, for example
        return object()
