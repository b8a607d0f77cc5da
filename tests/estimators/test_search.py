"""cross_validate and MLPSearchCV: scikit-learn's numbers, from networks trained in lockstep."""

import gc
import warnings
import weakref

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import loguniform
from sklearn import model_selection as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from multilayer import MLPClassifier, MLPRegressor
from multilayer.errors import InvalidArgumentError
from multilayer.estimators import MLPSearchCV, cross_validate, trials
from multilayer.estimators.lockstep import n_bytes
from multilayer.estimators.trials import trained
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Sums in another order, in float64.
TOLERANCE = 1e-10

X, Y = load_iris(return_X_y=True)
CLASSIFIER = MLPClassifier((6,), max_iter=8, learning_rate_init=0.02, random_state=0)
REGRESSOR = MLPRegressor(
    hidden_layer_sizes=(6,), max_iter=8, learning_rate_init=0.02, random_state=0
)
TABLE = pd.DataFrame({"length": X[:, 0], "kind": np.where(X[:, 2] > 3, "long", "short")})


def diabetes():
    return [a[:120] for a in load_diabetes(return_X_y=True)]


CASES = {
    "classes": (CLASSIFIER, (X, Y), {}),
    "early stopping": (CLASSIFIER.__class__((6,), max_iter=8, early_stopping=True, random_state=0),
                       (X, Y), {"cv": StratifiedKFold(4, shuffle=True, random_state=1)}),
    "texts": (CLASSIFIER, (X, load_iris().target_names[Y]), {"cv": 3}),
    "balanced": (MLPClassifier((6,), max_iter=8, class_weight="balanced", random_state=0),
                 (X[20:], Y[20:]), {"cv": 4}),
    "values": (REGRESSOR, diabetes(), {"cv": KFold(3)}),
    "scaled targets": (MLPRegressor(hidden_layer_sizes=(6,), max_iter=8, scale_targets=True,
                                    random_state=0), diabetes(), {"cv": 4}),
    "time": (REGRESSOR, diabetes(), {"cv": TimeSeriesSplit(4)}),
    "groups": (CLASSIFIER, (X, Y), {"cv": GroupKFold(3), "groups": np.arange(150) % 7}),
    "several scores": (CLASSIFIER, (X, Y), {"scoring": ["accuracy", "neg_log_loss"]}),
    "weights": (CLASSIFIER, (X, Y), {"params": {"sample_weight": np.linspace(0.5, 2, 150)}}),
    "weights of a step": (make_pipeline(StandardScaler(), CLASSIFIER), (X, Y),
                          {"params": {"standardscaler__sample_weight": np.linspace(0, 2, 150)}}),
    "weights of both": (make_pipeline(StandardScaler(), CLASSIFIER), (X, Y),
                        {"params": {"standardscaler__sample_weight": np.linspace(0, 2, 150),
                                    "mlpclassifier__sample_weight": np.linspace(0.5, 2, 150)}}),
    "pipeline": (make_pipeline(StandardScaler(), PCA(2), CLASSIFIER), (X, Y), {"cv": 3}),
    "sparse": (CLASSIFIER, (csr_array(X), Y), {"cv": 3}),
    "sparse by a step": (make_pipeline(OneHotEncoder(handle_unknown="ignore"), CLASSIFIER),
                         (X.round(), Y), {"cv": 3}),
    "L-BFGS": (MLPClassifier((6,), solver="lbfgs", max_iter=5, random_state=0), (X, Y), {}),
    "another estimator": (LogisticRegression(), (X, Y), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cross_validate_gives_scikit_learns_numbers(case):
    estimator, (samples, y), arguments = CASES[case]
    arguments = arguments | {"return_train_score": True, "return_estimator": True}
    found = cross_validate(estimator, samples, y, **arguments)
    expected = theirs.cross_validate(estimator, samples, y, **arguments)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if name.startswith(("test_", "train_")):
            np.testing.assert_allclose(found[name], values, rtol=TOLERANCE, atol=TOLERANCE)
    for mine, other in zip(found["estimator"], expected["estimator"], strict=True):
        assert type(mine) is type(other)
        np.testing.assert_allclose(mine.predict(samples), other.predict(samples)) if (
            y.dtype.kind == "f"
        ) else np.testing.assert_array_equal(mine.predict(samples), other.predict(samples))


def test_tables_have_their_columns_from_each_fold():
    mlp = MLPClassifier((6,), max_iter=8, columns="auto", random_state=0)
    found = cross_validate(mlp, TABLE, Y, cv=3, scoring="neg_log_loss", return_estimator=True)
    expected = theirs.cross_validate(mlp, TABLE, Y, cv=3, scoring="neg_log_loss")
    # The network of a table computes in float32.
    np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-5)
    assert list(found["estimator"][0].feature_names_in_) == ["length", "kind"]


def trials_of(estimator, samples, y, candidates=({},), cv=4):
    splits = list(StratifiedKFold(cv).split(samples, y)) if y.dtype.kind != "f" else list(
        KFold(cv).split(samples)
    )  # fmt: skip
    (found,) = trained(estimator, candidates, samples, y, splits, {})
    return found


def test_folds_are_rows_of_one_matrix():
    rates = [{"learning_rate_init": rate} for rate in (0.01, 0.1)]
    found = trials_of(CLASSIFIER, X, Y, rates)
    assert [trial.n_together for trial in found] == [8] * 8
    assert all(trial.jobs[0].training.data.X is X for trial in found)
    assert len({id(trial.jobs[0].training.data.targets) for trial in found}) == 1
    # The targets of each fold are scaled otherwise; candidates share them nevertheless.
    samples, y = diabetes()
    found = trials_of(MLPRegressor(max_iter=2, scale_targets=True), samples, y, rates)
    assert [trial.n_together for trial in found] == [8] * 8
    assert len({id(trial.jobs[0].training.data.targets) for trial in found}) == 4


FITTED = []


class Counted(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        FITTED.append(len(X))
        return super().fit(X, y, sample_weight)


def test_a_pipeline_is_fitted_once_for_each_fold_and_candidate_of_its_own():
    FITTED.clear()
    pipeline = make_pipeline(Counted(), CLASSIFIER)
    candidates = [
        {"counted__with_mean": mean, "mlpclassifier__alpha": alpha}
        for mean in (True, False)
        for alpha in (0.0, 0.1, 1.0)
    ]
    found = trials_of(pipeline, X, Y, candidates, cv=3)
    assert len(FITTED) == 2 * 3
    assert [trial.n_together for trial in found] == [18] * 18


SPACE = {"alpha": loguniform(1e-4, 1.0), "learning_rate_init": [1e-3, 1e-2, 0.1]}


def assert_same_search(found, expected, tolerance=TOLERANCE):
    results = expected.cv_results_
    assert found.cv_results_.keys() == results.keys()
    for name, values in results.items():
        if name.startswith(("split", "mean_test", "std_test", "mean_train", "std_train")):
            np.testing.assert_allclose(
                found.cv_results_[name], values, rtol=tolerance, atol=tolerance
            )
        elif "time" not in name and not name.startswith("rank"):
            np.testing.assert_array_equal(found.cv_results_[name], values)
    assert found.best_params_ == expected.best_params_
    assert found.best_index_ == expected.best_index_
    assert found.best_score_ == pytest.approx(expected.best_score_, rel=tolerance)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", ["accuracy", "neg_log_loss"]], ids=str)
def test_a_search_gives_scikit_learns_scores(scoring):
    refit = "neg_log_loss" if isinstance(scoring, list) else True
    arguments = {"n_iter": 6, "cv": 3, "scoring": scoring, "refit": refit, "random_state": 1}
    arguments["return_train_score"] = True
    found = MLPSearchCV(CLASSIFIER, SPACE, **arguments).fit(X, Y)
    expected = theirs.RandomizedSearchCV(CLASSIFIER, SPACE, **arguments).fit(X, Y)
    assert_same_search(found, expected)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    assert found.score(X, Y) == pytest.approx(expected.score(X, Y))
    assert found.report() == (
        "6 candidates on 3 folds: 18 fits, of which 18 in lockstep "
        "(up to 18 networks as one), 0 alone"
    )


def test_a_grid_of_several_shapes_and_of_steps():
    pipeline = make_pipeline(StandardScaler(), CLASSIFIER)
    space = {
        "standardscaler": [StandardScaler(), MinMaxScaler()],
        "mlpclassifier__hidden_layer_sizes": [(4,), (5, 3)],
        "mlpclassifier__alpha": [1e-4, 1.0],
        "mlpclassifier__solver": ["adam", "lbfgs"],
    }
    found = MLPSearchCV(pipeline, space, n_iter=None, cv=3, scoring="neg_log_loss").fit(X, Y)
    expected = theirs.GridSearchCV(pipeline, space, cv=3, scoring="neg_log_loss").fit(X, Y)
    results = expected.cv_results_
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"], results["mean_test_score"], rtol=TOLERANCE
    )
    assert found.report() == (
        "16 candidates on 3 folds: 48 fits, of which 24 in lockstep "
        "(up to 12 networks as one), 24 alone"
    )
    assert found.best_index_ == expected.best_index_
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_candidates_some_of_whose_samples_are_sparse():
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), CLASSIFIER)
    space = {"onehotencoder__sparse_output": [True, False], "mlpclassifier__alpha": [1e-4, 1.0]}
    arguments = {"cv": 3, "scoring": "neg_log_loss"}
    found = MLPSearchCV(pipeline, space, n_iter=None, **arguments).fit(X.round(), Y)
    expected = theirs.GridSearchCV(pipeline, space, **arguments).fit(X.round(), Y)
    assert_same_search(found, expected)


def test_arguments_of_other_steps_are_left_to_scikit_learn():
    pipeline = make_pipeline(StandardScaler(), CLASSIFIER)
    space = {"mlpclassifier__alpha": [1e-4, 1.0]}
    arguments = {"cv": 3, "scoring": "neg_log_loss"}
    for step, n_together in (("standardscaler", 0), ("mlpclassifier", 6)):
        weight = {f"{step}__sample_weight": np.linspace(0.1, 2, 150)}
        found = MLPSearchCV(pipeline, space, n_iter=None, **arguments).fit(X, Y, **weight)
        expected = theirs.GridSearchCV(pipeline, space, **arguments).fit(X, Y, **weight)
        assert_same_search(found, expected)
        assert f"{6 - n_together} alone" in found.report()


@pytest.mark.parametrize("cv", [GroupKFold(3), TimeSeriesSplit(3)], ids=str)
def test_splitters_with_groups_and_in_time(cv):
    groups = {"groups": np.arange(120) % 10} if isinstance(cv, GroupKFold) else {}
    samples, y = diabetes()
    space = {"alpha": [1e-4, 1e-2, 1.0]}
    found = MLPSearchCV(REGRESSOR, space, n_iter=None, cv=cv).fit(samples, y, **groups)
    expected = theirs.GridSearchCV(REGRESSOR, space, cv=cv).fit(samples, y, **groups)
    assert_same_search(found, expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_fits_that_fail_have_the_error_score():
    space = {"alpha": [1e-4, -1.0], "hidden_layer_sizes": [(4,), (0,)]}
    found = MLPSearchCV(CLASSIFIER, space, n_iter=None, cv=3).fit(X, Y)
    expected = theirs.GridSearchCV(CLASSIFIER, space, cv=3).fit(X, Y)
    assert_same_search(found, expected)
    assert np.isnan(found.cv_results_["mean_test_score"]).sum() == 3
    search = MLPSearchCV(CLASSIFIER, space, n_iter=None, cv=3, error_score="raise")
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        search.fit(X, Y)
    assert search.estimator is CLASSIFIER
    assert search.cv == 3


def test_one_that_diverges_fails_alone():
    mlp = MLPRegressor(hidden_layer_sizes=(6,), solver="sgd", max_iter=5, random_state=0)
    samples, y = diabetes()
    search = MLPSearchCV(mlp, {"learning_rate_init": [1e-4, 1e200]}, n_iter=None, cv=3)
    with pytest.warns() as warnings:
        search.fit(samples, y)
    assert any("3 fits failed" in str(warning.message) for warning in warnings)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert search.best_params_ == {"learning_rate_init": 1e-4}
    assert search.report().endswith(
        "6 fits, of which 6 in lockstep (up to 6 networks as one), 0 alone"
    )


def test_halving_gives_scikit_learns_rounds():
    mlp = MLPClassifier((6,), max_iter=18, random_state=0)
    space = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [1e-4, 1e-2, 0.1]}
    arguments = {"cv": KFold(3, shuffle=True, random_state=0), "scoring": "neg_log_loss"}
    found = MLPSearchCV(mlp, space, n_iter=None, halving=True, **arguments).fit(X, Y)
    expected = theirs.HalvingGridSearchCV(
        mlp, space, resource="max_iter", max_resources=18, min_resources=2, **arguments
    ).fit(X, Y)
    for name in ("n_resources", "iter"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert found.best_params_ == expected.best_params_
    mine, other = (
        {str(sorted(p.items())): s for p, s in zip(r["params"], r["mean_test_score"], strict=True)}
        for r in (found.cv_results_, expected.cv_results_)
    )
    assert mine.keys() == other.keys()
    for name, score in other.items():
        assert mine[name] == pytest.approx(score, rel=TOLERANCE)


@pytest.mark.parametrize(
    ("n_candidates", "n_epochs", "factor"),
    [(9, 17, 3), (10, 12, 3), (8, 5, 2), (4, 1, 2), (2, 7, 3), (5, 30, 2), (27, 27, 3)],
)
def test_rounds_and_their_candidates_are_scikit_learns(n_candidates, n_epochs, factor):
    mlp = MLPClassifier((2,), max_iter=n_epochs, random_state=0)
    arguments = {"cv": 2, "scoring": "neg_log_loss", "random_state": 1, "factor": factor}
    found = MLPSearchCV(mlp, SPACE, n_iter=n_candidates, halving=True, **arguments).fit(X, Y)
    expected = theirs.HalvingRandomSearchCV(
        mlp, SPACE, n_candidates=n_candidates, resource="max_iter", max_resources=n_epochs,
        min_resources="exhaust", **arguments,
    ).fit(X, Y)  # fmt: skip
    rounds, counts = np.unique(found.cv_results_["iter"], return_counts=True)
    assert counts.tolist() == expected.n_candidates_
    assert len(rounds) == expected.n_iterations_
    assert list(dict.fromkeys(found.cv_results_["n_resources"])) == expected.n_resources_
    assert found.best_params_ == expected.best_params_
    several = f" in {len(rounds)} rounds" if len(rounds) > 1 else ""
    n_fits = 2 * sum(expected.n_candidates_)
    assert found.report().startswith(f"{n_candidates} candidates{several} on 2 folds: {n_fits} fit")


def test_halving_needs_epochs_of_its_own():
    search = MLPSearchCV(CLASSIFIER, {"max_iter": [2, 4]}, n_iter=None, halving=True)
    with pytest.raises(InvalidArgumentError) as error:
        search.fit(X, Y)
    assert str(error.value) == (
        "halving of MLPSearchCV needs an estimator with max_iter, which is not itself searched"
    )
    search = MLPSearchCV(clone(CLASSIFIER).set_params(max_iter=0), SPACE, halving=True)
    with pytest.raises(InvalidArgumentError) as error:
        search.fit(X, Y)
    assert str(error.value) == "max_iter of MLPClassifier must be a positive integer; got 0"


def several_metrics(estimator, X, y):
    return {"accuracy": estimator.score(X, y), "other": 0.0}


@pytest.mark.parametrize("refit", [False, lambda results: 0], ids=["none", "function"])
def test_halving_by_several_metrics_needs_the_name_of_one(refit, monkeypatch):
    arguments = {"n_iter": None, "halving": True, "cv": 3, "refit": refit}
    said = f"refit of MLPSearchCV must name the metric that halving uses, since there are \
several; got {refit!r}"
    space = {"alpha": [1e-4, 1e-2, 1.0]}
    with pytest.raises(InvalidArgumentError) as error:
        MLPSearchCV(CLASSIFIER, space, scoring=several_metrics, **arguments).fit(X, Y)
    assert str(error.value) == said
    monkeypatch.delattr(trials, "train_group")  # nothing is trained
    with pytest.raises(InvalidArgumentError) as error:
        MLPSearchCV(CLASSIFIER, space, scoring=["accuracy", "f1_macro"], **arguments).fit(X, Y)
    assert str(error.value) == said


@pytest.mark.parametrize("scoring", ["accuracy", several_metrics], ids=["one", "several"])
def test_refit_may_name_the_metric_of_halving(scoring):
    space = {"alpha": [1e-4, 1e-2, 1.0]}
    arguments = {"n_iter": None, "halving": True, "cv": 3, "refit": "accuracy"}
    found = MLPSearchCV(CLASSIFIER, space, scoring=scoring, **arguments).fit(X, Y)
    expected = MLPSearchCV(CLASSIFIER, space, **arguments | {"refit": True}).fit(X, Y)
    assert found.best_params_ == expected.best_params_
    assert found.best_score_ == expected.best_score_


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "at least one parameter to search; got {}"),
        ([], "at least one parameter to search; got []"),
        (SPACE | {"tol": []}, "values to try for each parameter; got none for tol"),
        ([SPACE, SPACE | {"tol": []}], "values to try for each parameter; got none for tol"),
    ],
    ids=["dict", "list", "values", "values of one of several"],
)
def test_a_search_of_nothing(space, said):
    with pytest.raises(InvalidArgumentError) as error:
        MLPSearchCV(CLASSIFIER, space, cv=3).fit(X, Y)
    assert str(error.value) == f"space of MLPSearchCV must hold {said}"


def test_a_search_says_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr("multilayer.estimators.search.PATIENCE", 0.0)
    space = {"alpha": [1e-4, 1e-2]}
    MLPSearchCV(CLASSIFIER, space, n_iter=None, cv=2, refit=False, verbose=1).fit(X, Y)
    said = capsys.readouterr().err
    assert "0 of 4 fits done; 4 of 4 networks still training: epoch 1 of at most 8" in said
    MLPSearchCV(CLASSIFIER, space, n_iter=None, cv=2, refit=False).fit(X, Y)
    assert capsys.readouterr().err == ""


class Broken(Callback):
    def on_epoch_end(self, run):
        raise RuntimeError("a callback of the user's")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_callback_that_raises_costs_its_own_fit_only():
    space = {"callbacks": [(), (Broken(),)]}
    search = MLPSearchCV(CLASSIFIER, space, n_iter=None, cv=3).fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


class Interrupting(Callback):
    def on_epoch_end(self, run):
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_search():
    mlp = MLPClassifier((6,), max_iter=8, callbacks=[Interrupting()])
    search = MLPSearchCV(mlp, {"alpha": [1e-4, 1.0]}, n_iter=None, cv=3)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert search.estimator is mlp


def test_the_memory_of_a_search_is_bounded(monkeypatch):
    space = {"alpha": [1e-4, 1e-3, 1e-2, 0.1, 1.0]}
    arguments = {"n_iter": None, "cv": 3, "scoring": "neg_log_loss"}
    expected = MLPSearchCV(CLASSIFIER, space, **arguments).fit(X, Y)
    # Room for the six networks of two candidates, and for no more.
    one = n_bytes(trials_of(CLASSIFIER, X, Y)[0].jobs[0])
    for module in ("lockstep", "trials"):
        monkeypatch.setattr(f"multilayer.estimators.{module}.MEMORY", 6 * one)
    alive, most = weakref.WeakSet(), []
    train = trials.train_group

    def watched(jobs, callbacks):
        alive.update(job.net for job in jobs)
        gc.collect()
        most.append(len(alive))
        results = train(jobs, callbacks)
        alive.update(outcome.net for outcome in results)
        return results

    monkeypatch.setattr(trials, "train_group", watched)
    found = MLPSearchCV(CLASSIFIER, space, **arguments).fit(X, Y)
    assert most == [6, 6, 3]
    assert found.report() == (
        "5 candidates on 3 folds: 15 fits, of which 15 in lockstep "
        "(up to 6 networks as one), 0 alone"
    )
    assert_same_search(found, expected)


class Flipped(MLPClassifier):
    """A classifier whose own `fit` does something else."""

    def fit(self, X, y, **parameters):
        return super().fit(X, 1 - y, **parameters)


def test_a_subclass_with_a_fit_of_its_own_is_left_to_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    y = (X[:, 0] > 0).astype(int)
    clf = Flipped((4,), solver="lbfgs", max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = cross_validate(clf, X, y, cv=3)["test_score"]
    assert scores.mean() < 0.2
