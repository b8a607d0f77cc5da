"""The picture of a search: points where the scores are."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.plots import search

X = np.random.default_rng(0).normal(size=(60, 3))
Y = X[:, 0] + X[:, 1]


@pytest.fixture(scope="module")
def fitted():
    space = {"alpha": [0.01, 1.0, 100.0], "solver": ["svd", "cholesky"], "fit_intercept": [True]}
    return GridSearchCV(Ridge(), space, cv=3).fit(X, Y)


def test_every_candidate_is_a_point_at_its_score(fitted):
    axes = search(fitted)
    assert [ax.get_xlabel() for ax in axes] == ["alpha", "fit_intercept", "solver"]
    assert axes[0].get_ylabel() == "score"
    mean = fitted.cv_results_["mean_test_score"]
    alphas = [parameters["alpha"] for parameters in fitted.cv_results_["params"]]
    points = axes[0].lines[0]
    np.testing.assert_array_equal(points.get_xdata(), alphas)
    np.testing.assert_array_equal(points.get_ydata(), mean)
    best = axes[0].lines[-1]
    assert best.get_xdata()[0] == fitted.best_params_["alpha"]
    assert best.get_ydata()[0] == fitted.best_score_
    assert axes[0].get_xscale() == "log"
    assert [text.get_text() for text in axes[2].get_xticklabels()] == ["svd", "cholesky"]


def test_after_halving_only_the_last_round_is_drawn():
    results = {
        "params": [{"alpha": a} for a in (1.0, 2.0, 3.0, 2.0)],
        "mean_test_score": [9.0, 0.2, 0.1, 0.3],
        "std_test_score": [0.0] * 4,
        "iter": [0, 0, 0, 1],
    }
    (ax,) = search(results)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [2.0])


def test_what_is_no_search_is_refused(fitted):
    with pytest.raises(InvalidTypeError) as error:
        search(3)
    assert str(error.value) == (
        "source of search must be a fitted search, or its cv_results_; got int"
    )
    with pytest.raises(InvalidArgumentError) as error:
        search(fitted, metric="accuracy")
    assert str(error.value) == "metric of search must be one of score; got 'accuracy'"
    failed = {"params": [{"a": 1}], "mean_test_score": [np.nan], "std_test_score": [np.nan]}
    with pytest.raises(InvalidArgumentError, match="a candidate with a finite score"):
        search(failed)
