"""cross_validate: scikit-learn's function, with the folds trained in lockstep."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.base import is_classifier
from sklearn.utils import indexable

from multilayer.estimators.trials import InTurn, trained

__all__ = ["cross_validate"]


def cross_validate(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    scoring: Any = None,
    cv: Any = None,
    verbose: int = 0,
    params: Mapping[str, Any] | None = None,
    return_train_score: bool = False,
    return_estimator: bool = False,
    return_indices: bool = False,
    error_score: Any = np.nan,
) -> dict[str, Any]:
    """Return the scores of an estimator on the folds of cross-validation.

    The scores are those of ``sklearn.model_selection.cross_validate``; the networks of the folds
    are trained as one where possible.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or a pipeline that ends in one
        Any other estimator is fitted fold by fold.
    X, y : array-like
        As in ``estimator.fit``.
    groups, scoring, cv, verbose, params, return_train_score, return_estimator, return_indices, \
error_score
        As in ``sklearn.model_selection.cross_validate``.

    Returns
    -------
    dict of str to array
        ``test_score``, ``fit_time``, …, as in scikit-learn; the time of folds that were trained as
        one is divided among them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from multilayer import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((8,), learning_rate_init=0.05, tol=1e-3, random_state=0)
    >>> scores = cross_validate(clf, X, y, cv=3)["test_score"]
    >>> bool(scores.mean() > 0.9)
    True
    """
    X, y = indexable(X, y)
    splitter = model_selection.check_cv(cv, y, classifier=is_classifier(estimator))
    splits = list(splitter.split(X, y, groups))
    (trials,) = trained(estimator, [{}], X, y, splits, params or {})
    in_turn = InTurn(estimator)
    in_turn.waiting = list(trials)
    found: dict[str, Any] = model_selection.cross_validate(
        in_turn.template(),
        X,
        y,
        scoring=scoring,
        cv=splits,
        n_jobs=1,
        verbose=verbose,
        params=params,
        return_train_score=return_train_score,
        return_estimator=return_estimator,
        return_indices=return_indices,
        error_score=error_score,
    )
    found["fit_time"] += [trial.seconds for trial in trials]
    return found
