"""MLPSearchCV: a hyperparameter search whose networks are trained in lockstep."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.estimators.trials import InTurn, Watch, prefix_of, trained
from multilayer.training import Run

__all__ = ["MLPSearchCV"]

Evaluate = Callable[..., dict[str, Any]]

PATIENCE = 2.0
"""Seconds before a search shows its progress."""


class MLPSearchCV(BaseSearchCV):  # type: ignore[misc]
    """A hyperparameter search by cross-validation, whose networks are trained in lockstep.

    Scores, attributes and methods are those of ``sklearn.model_selection.RandomizedSearchCV`` (or
    ``GridSearchCV``) over the same candidates. All candidates and folds whose networks have the
    same shape are trained as one, up to a memory limit: vary numbers such as rates and penalties
    freely, and widths, batch sizes and solvers sparingly.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or a pipeline that ends in one
        The fits of any other estimator run one by one.
    space : dict, or sequence of dict
        The values to try for each parameter: a list or, unless all are tried, a distribution, such
        as ``scipy.stats.loguniform(1e-4, 1e-1)``.
    n_iter : int, optional
        How many candidates are drawn; None tries all combinations.
    scoring, refit, cv, error_score, return_train_score
        As in ``RandomizedSearchCV``.
    halving : bool
        Whether to train all candidates for a few epochs, the best third of them for three times as
        many, and so on up to about ``max_iter``, as ``HalvingRandomSearchCV`` does with
        ``resource="max_iter"``, ``max_resources=max_iter``, ``min_resources="exhaust"``. Each round
        trains from scratch. The best candidate is one of the last round.
    factor : int
        With halving, the ratio of candidates, and of epochs, from one round to the next.
    random_state : int, RandomState or None
        Draws the candidates.
    verbose : int
        If at least 1, show a line with the progress of the search wherever it runs; a terminal
        shows it in any case, after two seconds.

    Attributes
    ----------
    cv_results_ : dict of str to array
        As in ``RandomizedSearchCV``; the time of fits trained as one is divided among them. With
        halving, also ``iter``, the round, and ``n_resources``, its number of epochs.
    best_params_, best_score_, best_index_, best_estimator_, refit_time_, scorer_, n_splits_
        As in ``RandomizedSearchCV``.

    Raises
    ------
    ValueError, TypeError
        From `fit`, if a parameter cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from multilayer import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((8,), learning_rate_init=0.05, tol=1e-3, random_state=0)
    >>> search = MLPSearchCV(clf, {"alpha": [1e-4, 100.0]}, n_iter=None, cv=3).fit(X, y)
    >>> search.best_params_["alpha"]
    0.0001
    >>> search.report()
    '2 candidates on 3 folds: 6 fits, of which 6 in lockstep (up to 6 networks as one), 0 alone'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = BaseSearchCV._parameter_constraints | {
        "space": [dict, list, tuple],
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "halving": ["boolean"],
        "factor": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    estimator: Any
    cv: Any

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_iter: int | None = 10,
        scoring: Any = None,
        refit: Any = True,
        cv: Any = None,
        halving: bool = False,
        factor: int = 3,
        random_state: Any = None,
        verbose: int = 0,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=1,
            refit=refit,
            cv=cv,
            verbose=0,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space, self.n_iter, self.random_state = space, n_iter, random_state
        self.halving, self.factor, self.verbose = halving, factor, verbose

    def fit(self, X: Any, y: Any = None, *, groups: Any = None, **params: Any) -> Self:
        """Train all candidates on all folds, and the best on all samples.

        Parameters
        ----------
        X, y : array-like
            As in ``estimator.fit``.
        groups : array-like of shape (n_samples,), optional
            Which samples `cv` keeps together.
        **params
            Arguments of ``estimator.fit``; those with an entry for each sample are split by fold.

        Returns
        -------
        self
        """
        X, y = indexable(X, y)
        given = self.estimator, self.cv
        estimator, in_turn = self.estimator, InTurn(self.estimator)
        splitter = check_cv(self.cv, y, classifier=is_classifier(estimator))
        splits = list(splitter.split(X, y, groups))
        watch = _Line(always=bool(self.verbose))
        done: list[tuple[int, float]] = []

        def evaluate(
            candidates: Sequence[Mapping[str, Any]], evaluate_candidates: Evaluate, **more: Any
        ) -> dict[str, Any]:
            n_before, results = 0, {}
            for several in trained(estimator, candidates, X, y, splits, params, watch):
                n = n_before + len(several) // len(splits)
                done.extend((trial.n_together, trial.seconds) for trial in several)
                in_turn.waiting = several  # each is dropped once it is scored
                results = evaluate_candidates(
                    candidates[n_before:n],
                    more_results={name: [value] * (n - n_before) for name, value in more.items()},
                )
                n_before = n
            return results

        # scikit-learn clones the estimator once, and then that clone for each of the trials.
        self.estimator, self.cv, self._evaluate = clone(estimator), splits, evaluate
        self.estimator.__sklearn_clone__ = in_turn.template
        try:
            super().fit(X, y, **params)
        finally:
            watch.clear()
            self.estimator, self.cv = given
            del self._evaluate
        seconds = np.reshape([own for _, own in done], (-1, self.n_splits_))
        self.cv_results_["mean_fit_time"] += seconds.mean(axis=1)
        self.cv_results_["std_fit_time"] = seconds.std(axis=1)
        self._n_together = Counter(n_together for n_together, _ in done)
        return self

    def report(self) -> str:
        """Return a summary of the fits, and of how many were trained together."""
        n_fits = sum(self._n_together.values())
        alone = self._n_together[1] + self._n_together[0]
        each = self.cv_results_.get("iter", [0] * len(self.cv_results_["params"]))
        first, *others = np.bincount(each)
        rounds = f" in {len(others) + 1} rounds" if others else ""
        text = f"{first} candidates{rounds} on {self.n_splits_} folds: {n_fits} fits"
        if n_fits > alone:
            most = max(self._n_together)
            text += f", of which {n_fits - alone} in lockstep (up to {most} networks as one)"
        return f"{text}, {alone} alone"

    def _run_search(self, evaluate_candidates: Evaluate) -> None:
        """Evaluate the candidates, in rounds if they are halved."""
        candidates = self._candidates()
        if not self.halving:
            self._evaluate(candidates, evaluate_candidates)
            return
        name, all_epochs = self._epochs(candidates)
        rule = "must name the metric that halving uses, since there are several"
        unnamed = InvalidArgumentError(rule, "refit", type(self).__name__, got=repr(self.refit))
        if isinstance(self.scoring, (list, tuple, dict)) and not isinstance(self.refit, str):
            raise unnamed
        for number, n_epochs in enumerate(self._rounds(len(candidates), all_epochs)):
            candidates = [parameters | {name: n_epochs} for parameters in candidates]
            results = self._evaluate(
                candidates, evaluate_candidates, iter=number, n_resources=n_epochs
            )
            metric = self.refit if f"mean_test_{self.refit}" in results else "score"
            if f"mean_test_{metric}" not in results:  # scoring is a function that returns several
                raise unnamed
            scores = results[f"mean_test_{metric}"][-len(candidates) :]
            best = np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")
            kept = best[-math.ceil(len(candidates) / self.factor) :]
            candidates = [candidates[i] for i in kept]

    def _candidates(self) -> list[dict[str, Any]]:
        """Return the parameters of each candidate."""
        owner = type(self).__name__
        if not self.space:
            rule = "must hold at least one parameter to search"
            raise InvalidArgumentError(rule, "space", owner, got=repr(self.space))
        if self.n_iter is None:
            return list(ParameterGrid(self.space))
        sampler = ParameterSampler(self.space, self.n_iter, random_state=self.random_state)
        for name, values in (item for own in sampler.param_distributions for item in own.items()):
            if hasattr(values, "__len__") and not len(values):
                rule = "must hold values to try for each parameter"
                raise InvalidArgumentError(rule, "space", owner, got=f"none for {name}")
        return list(sampler)

    def _epochs(self, candidates: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
        """Return the name of the parameter that counts epochs, and its value."""
        name = f"{prefix_of(self.estimator)}max_iter"
        n_epochs = self.estimator.get_params().get(name)
        if n_epochs is None or any(name in parameters for parameters in candidates):
            rule = f"needs an estimator with {name}, which is not itself searched"
            raise InvalidArgumentError(rule, "halving", type(self).__name__)
        return name, checks.integer(n_epochs, name, type(self.estimator).__name__)

    def _rounds(self, n_candidates: int, n_epochs: int) -> list[int]:
        """Return the number of epochs of each round, as scikit-learn counts them."""
        n_rounds = 1 + math.floor(math.log(n_candidates, self.factor))
        least = max(1, n_epochs // self.factor ** (n_rounds - 1))
        n_rounds = min(n_rounds, 1 + math.floor(math.log(n_epochs // least, self.factor)))
        return [least * self.factor**i for i in range(n_rounds)]

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Return the index of the best candidate; with halving, one of the last round."""
        if callable(refit) or "iter" not in results:
            return int(BaseSearchCV._select_best_index(refit, refit_metric, results))
        ranks = np.array(results[f"rank_test_{refit_metric}"], dtype=float)
        is_last = np.equal(results["iter"], np.max(results["iter"]))
        return int(np.argmin(np.where(is_last, ranks, np.inf)))


class _Line(Watch):
    """A line on standard error that shows the progress of a search."""

    def __init__(self, *, always: bool) -> None:
        self._shows = always or sys.stderr.isatty()
        self._said = time.monotonic() + PATIENCE - 1
        self._width = 0

    def on_epoch_end(self, run: Run) -> None:
        if not self._shows or time.monotonic() - self._said < 1:
            return
        self._said = time.monotonic()
        line = (
            f"{self.n_done} of {self.n_trials} fits done; {run.n_active} of {len(run.members)} "
            f"networks still training: epoch {run.epoch} of at most {run.n_epochs}"
        )
        self._width = max(self._width, len(line))
        print(f"\r{line:{self._width}}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._width:
            print(f"\r{'':{self._width}}\r", end="", file=sys.stderr, flush=True)
