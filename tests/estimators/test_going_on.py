"""partial_fit, warm starts, written weights and failures: nothing is lost, nothing leaks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.sparse import random as random_sparse
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.preprocessing import StandardScaler

import multilayer as ours
from multilayer import MLPClassifier, MLPRegressor
from multilayer.numpy import SGD, Quantile
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_values, y_values = load_diabetes(return_X_y=True)
X_values = StandardScaler().fit_transform(X_values)
ENGINES = pytest.mark.parametrize("engine", ["numpy", "torch"])


def pair(**parameters):
    """Return both packages' classifiers of the same parameters."""
    settings = {"hidden_layer_sizes": (8, 6), "alpha": 0, "max_iter": 20, "random_state": 0,
                "learning_rate_init": 0.01, "epsilon": 1e-14} | parameters  # fmt: skip
    engine = settings.pop("engine", "numpy")
    return ours.MLPClassifier(engine=engine, **settings), theirs.MLPClassifier(**settings)


def assert_same_weights(mine, other):
    # As in test_agreement.py, with PyTorch's sums in an order of their own.
    for a, b in zip(mine.coefs_ + mine.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@ENGINES
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_fit_and_partial_fit_in_any_order_are_scikit_learns(solver, engine):
    models = pair(solver=solver, engine=engine, warm_start=True)
    for model in models:
        model.partial_fit(X, y, classes=[0, 1, 2])
        model.fit(X, y)
        model.partial_fit(X, y)
        model.partial_fit(X, y)
    assert_same_weights(*models)


@ENGINES
def test_the_solver_goes_on_from_a_fit_and_through_a_pickle(engine):
    models = pair(engine=engine)
    for i, model in enumerate(models):
        model = model.fit(X, y).partial_fit(X, y)
        again = pickle.loads(pickle.dumps(model))
        models = tuple(again if i == j else m for j, m in enumerate(models))
    for model in models:
        model.partial_fit(X, y)
    assert_same_weights(*models)


@ENGINES
def test_partial_fit_starts_from_the_weights_that_are_there(engine):
    model = pair(engine=engine, solver="sgd")[0]
    model.partial_fit(X, y, classes=[0, 1, 2])
    for array in model.coefs_ + model.intercepts_:
        array[:] = 0
    model.partial_fit(X, y)
    assert max(np.abs(W).max() for W in model.coefs_) < 0.01


@ENGINES
def test_partial_fit_keeps_the_statistics_of_a_fit(engine):
    model = MLPClassifier(4, normalization="batch", warm_start=True, max_iter=30, random_state=0,
                          engine=engine)  # fmt: skip
    model.partial_fit(X, y, classes=[0, 1, 2]).fit(5 * X + 3, y)
    before = {name: array.copy() for name, array in model.network_.state.items()}
    model.partial_fit(5 * X + 3, y)
    for name, array in model.network_.state.items():
        moved = np.abs(array - before[name]).max()
        assert 0 < moved < 0.3 * np.abs(array).max()  # a tenth of the way, and not back


class Failing(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2 or run.n_epochs == 1:
            raise RuntimeError("no more")


@ENGINES
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_failure_leaves_weights_state_and_curves(how, engine):
    model = MLPClassifier(4, normalization="batch", warm_start=True, max_iter=5, random_state=0,
                          engine=engine).fit(X, y)  # fmt: skip
    before = model.predict_proba(X)
    curve, t = list(model.loss_curve_), model.t_
    model.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="no more"):
        getattr(model, how)(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert (model.loss_curve_, model.t_, model.n_iter_) == (curve, t, 5)


def test_a_warning_that_is_an_error_leaves_everything():
    model = MLPClassifier(4, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_first_partial_fit_that_fails_may_be_corrected():
    model = MLPClassifier(4, random_state=0)
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X, y, classes=[0, 1])
    model.partial_fit(X, y, classes=[0, 1, 2])


@ENGINES
@pytest.mark.parametrize("solver", [SGD(1e300), "lbfgs"])
def test_divergence_is_said_where_earlier_weights_are_kept(solver, engine):
    model = MLPRegressor(hidden_layer_sizes=4, early_stopping=True, solver=solver, random_state=0,
                         engine=engine)  # fmt: skip
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X_values * 1e200, y_values)
    assert np.isnan(model.loss_)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "poisson"}, "link function must be 'identity', as in the previous fit"),
        ({"loss": Quantile((0.1, 0.9))}, "outputs for each must be 1, as in the previous fit"),
        ({"scale_targets": True}, "scale_targets must be False, as in the previous fit"),
    ],
)
def test_a_warm_start_cannot_change_what_outputs_mean(changes, message):
    model = MLPRegressor(hidden_layer_sizes=4, warm_start=True, max_iter=3, random_state=0)
    model.fit(X_values, y_values).set_params(**changes)
    with pytest.raises(ValueError, match=message):
        model.fit(X_values, y_values)


def test_written_weights_may_be_each_others():
    model = MLPClassifier((6, 6), max_iter=3, random_state=0).fit(np.c_[X, X[:, :2]], y)
    first, second = (W.copy() for W in model.coefs_[:2])
    model.coefs_[0], model.coefs_[1] = model.coefs_[1], model.coefs_[0]
    model.predict(np.c_[X, X[:, :2]])
    np.testing.assert_array_equal(model.network_.weights[0][0].T, second)
    np.testing.assert_array_equal(model.network_.weights[1][0].T, first)
    model.coefs_[0] = model.coefs_[0][::-1]
    model.predict(np.c_[X, X[:, :2]])
    np.testing.assert_array_equal(model.network_.weights[0][0].T, second[::-1])


def test_weights_set_by_hand_are_trained_by_fit_and_partial_fit_alike():
    models = [MLPClassifier((), warm_start=True, max_iter=1, random_state=0) for _ in range(2)]
    for model in models:
        model.coefs_, model.intercepts_ = [np.ones((4, 3))], [np.zeros(3)]
    first, second = models[0].fit(X, y), models[1].partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])
    assert 0 < np.abs(first.coefs_[0] - 1).max() < 0.01
    assert first.n_features_in_ == second.n_features_in_ == 4


def test_a_warm_start_with_early_stopping_judges_its_own_epochs():
    model = MLPClassifier(8, early_stopping=True, warm_start=True, max_iter=40, random_state=0)
    model.fit(X, y, X_val=X[:10], y_val=y[:10])
    before = model.predict_proba(X)
    other = (y + 1) % 3
    model.set_params(learning_rate_init=0.05).fit(X, other, X_val=X[::3], y_val=other[::3])
    assert model.score(X[::3], other[::3]) == model.best_validation_score_
    assert not np.array_equal(model.predict_proba(X), before)


def test_schedules_are_refused_in_partial_fit():
    model = MLPClassifier(4, learning_rate="cosine")
    with pytest.raises(ValueError, match="cannot be a schedule in partial_fit"):
        model.partial_fit(X, y, classes=[0, 1, 2])


def test_another_solver_starts_anew():
    model = MLPClassifier(4, random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    for changes in ({"solver": "sgd"}, {"engine": "torch"}, {"engine": "numpy"}):
        model.set_params(**changes).partial_fit(X, y)
    assert len(model.loss_curve_) == 4


def test_samples_without_weight_do_not_count_for_the_scale_of_targets():
    weight = np.ones(len(y_values))
    weight[0] = 0
    moved = y_values.copy()
    moved[0] = 1e9
    models = [
        MLPRegressor(hidden_layer_sizes=4, scale_targets=True, max_iter=5, random_state=0).fit(
            X_values, targets, sample_weight=weight
        )
        for targets in (y_values, moved)
    ]
    np.testing.assert_allclose(*(m.predict(X_values) for m in models), rtol=1e-9)


def test_validation_samples_need_not_have_all_classes():
    model = MLPClassifier(4, warm_start=True, early_stopping=True, max_iter=3, random_state=0)
    model.fit(X, y, X_val=X[:100], y_val=y[:100]).fit(X, y, X_val=X[:100], y_val=y[:100])
    assert len(model.validation_scores_) == 6


@ENGINES
def test_an_interrupt_in_the_first_epoch(engine):
    class Interrupt(Callback):
        def on_step_end(self, run):
            raise KeyboardInterrupt

    model = MLPClassifier(4, early_stopping=True, callbacks=Interrupt(), random_state=0,
                          engine=engine)  # fmt: skip
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert (model.n_iter_, model.validation_scores_) == (0, [])
    assert model.predict(X).shape == (150,)


def test_classes_weigh_in_validation_samples_too():
    held_out = np.arange(150) % 10 == 0
    settings = {"max_iter": 3, "random_state": 0, "class_weight": {0: 9.0, 1: 1.0, 2: 0.5}}
    model = MLPClassifier(4, **settings).fit(
        X[~held_out], y[~held_out], X_val=X[held_out], y_val=y[held_out],
        sample_weight_val=np.full(held_out.sum(), 2.0),
    )  # fmt: skip
    weight = np.array([9.0, 1.0, 0.5])[y[held_out]]
    p = model.predict_proba(X[held_out])[np.arange(held_out.sum()), y[held_out]]
    expected = np.average(-np.log(p), weights=weight)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "class_weight must leave some samples with"),
        ({"class_weight": {0: np.nan}}, "class_weight must hold finite numbers of at least 0"),
        ({"class_weight": {0: -1}}, "class_weight must hold finite numbers of at least 0; got -1"),
    ],
)
def test_bad_class_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(4, **weights).fit(X, y)


def test_a_column_of_targets_is_taken_with_scikit_learns_warning_at_the_users_line():
    said = []
    for package in (ours, theirs):
        model = package.MLPClassifier(4, max_iter=2, random_state=0)
        with pytest.warns(DataConversionWarning, match="column-vector") as caught:
            model.fit(X, y[:, None])
        said.append(str(caught[0].message))
        if package is ours:
            assert caught[0].filename == __file__
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.nan, r"Input X contains NaN. The first is at row 3, column 2 \('c'\)."),
        (np.inf, r"Input X contains infinity .* The first is at row 3, column 2 \('c'\)."),
        ("x", r"could not convert string to float: 'x' in X. The first is at row 3, column 2"),
    ],
)
def test_what_is_no_number_is_found(bad, message):
    frame = pd.DataFrame(X, columns=list("abcd")).astype(object)
    frame.iloc[3, 2] = bad
    model = MLPClassifier(4, max_iter=2).fit(pd.DataFrame(X, columns=list("abcd")), y)
    for call in (lambda: MLPClassifier(4).fit(frame, y), lambda: model.predict(frame)):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=message.replace(" X", " X_val")):
        model.fit(pd.DataFrame(X, columns=list("abcd")), y, X_val=frame, y_val=y)
    targets = y_values.copy()
    targets[7] = np.nan
    with pytest.raises(ValueError, match=r"Input y contains NaN. The first is at index 7."):
        MLPRegressor().fit(X_values, targets)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_precision_acts_on_float32_and_is_refused_elsewhere(precision):
    single = X.astype(np.float32)
    settings = {"max_iter": 20, "random_state": 0, "learning_rate_init": 0.01}
    plain = MLPClassifier(8, engine="torch", **settings).fit(single, y)
    mixed = MLPClassifier(8, precision=precision, **settings).fit(single, y)
    assert 0 < np.abs(plain.predict_proba(single) - mixed.predict_proba(single)).max() < 0.1
    with pytest.raises(ValueError, match="needs samples in float32; got float64"):
        MLPClassifier(8, precision=precision).fit(X, y)
    with pytest.raises(ValueError, match="whose line search it would mislead"):
        MLPClassifier(8, precision=precision, solver="lbfgs").fit(single, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"solver": "adamw", "momentum": 0.5}, "momentum of MLPClassifier cannot be 0.5 with"),
        ({"solver": "rmsprop", "beta_1": 0.5}, "beta_1 of MLPClassifier cannot be 0.5 with"),
        ({"solver": SGD(0.1), "momentum": 0.1}, "momentum of MLPClassifier cannot be 0.1 with"),
        ({"solver": SGD(0.1), "learning_rate": "adaptive"}, "learning_rate of MLPClassifier"),
    ],
)
def test_what_does_not_act_on_a_solver_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(4, **parameters).fit(X, y)


def test_what_acts_on_another_solver_is_taken():
    settings = {"max_iter": 5, "random_state": 0}
    plain = MLPClassifier(4, solver="nadam", **settings).fit(X, y)
    changed = MLPClassifier(4, solver="nadam", beta_1=0.5, **settings).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), changed.predict_proba(X))


@pytest.mark.parametrize("activation", [np.array(["tanh", "relu"]), ["logistic", "logistic"]])
def test_activations_may_come_in_any_sequence(activation):
    model = MLPClassifier((4, 3), activation=activation, max_iter=2, random_state=0).fit(X, y)
    if activation[0] == "logistic":
        same = MLPClassifier((4, 3), activation="logistic", max_iter=2, random_state=0).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))


def test_a_table_of_targets_of_several_kinds():
    table = pd.DataFrame({"kind": np.array(["a", "b", "c"])[y], "size": (X[:, 0] > 0) + 1})
    model = MLPClassifier(8, max_iter=200, random_state=0, solver="lbfgs").fit(X, table)
    predicted = model.predict(X)
    assert {type(v) for v in predicted[:, 0]} == {str}
    assert {int(v) for v in predicted[:, 1]} == {1, 2}
    assert model.score(X, table.to_numpy()) > 0.9


def test_several_targets_of_two_classes_each_may_miss_one():
    targets = np.c_[y, y[::-1]] + 1
    model = MLPClassifier(8, max_iter=5, random_state=0).fit(X[50:100], targets[50:100])
    assert [list(c) for c in model.classes_] == [[2], [2]]
    np.testing.assert_array_equal(model.predict_proba(X)[0], np.ones((150, 1)))
    with pytest.raises(ValueError, match="partial_fit cannot begin with several targets"):
        MLPClassifier().partial_fit(X, targets, classes=[0, 1, 2])


def test_sparse_labels_come_back_sparse():
    labels = np.c_[y > 0, y > 1].astype(int)
    dense = MLPClassifier(4, max_iter=5, random_state=0).fit(X, labels)
    sparse = MLPClassifier(4, max_iter=5, random_state=0).fit(X, csr_array(labels))
    np.testing.assert_array_equal(sparse.predict(X).toarray(), dense.predict(X))
    assert sparse.score(X, csr_array(labels)) == dense.score(X, labels)
    with pytest.raises(ValueError, match="inconsistent"):
        dense.score(X, labels[:1])


def test_lbfgs_never_makes_a_sparse_matrix_dense_as_a_whole():
    import tracemalloc

    wide = random_sparse(20_000, 2_000, density=1e-3, format="csr", random_state=0)
    targets = np.asarray(wide[:, :20].sum(axis=1)).ravel() > 0
    model = MLPClassifier(2, solver="lbfgs", max_iter=2, random_state=0)
    model.fit(wide[:100], targets[:100])
    tracemalloc.start()
    model.fit(wide, targets)
    model.predict(wide)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.8 * 20_000 * 2_000 * 8  # what it would be if it were dense


def test_any_kind_of_random_state():
    state = np.random.RandomState(np.random.PCG64(0))
    assert MLPClassifier(4, random_state=state, max_iter=2).fit(X, y).n_iter_ == 2
    assert MLPClassifier(4, dropout=0.5, max_iter=2).fit(X, y).n_iter_ == 2


def test_a_transform_before_fit_is_refused():
    with pytest.raises(NotFittedError):
        MLPClassifier().transform(X)


def test_what_the_file_tells_of_the_data_is_of_the_last_fit():
    model = MLPClassifier(4, max_iter=2, random_state=0, callbacks=[Callback()]).fit(X, y)
    assert model.to_model().information["data"]["n_samples"] == 150
    assert model.to_model().information["training"]["callbacks"] == ["Callback"]
    model.partial_fit(X[:7], y[:7])
    assert model.to_model().information["data"] is None


def test_curves_of_warm_starts_stay_side_by_side():
    model = MLPClassifier(4, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    model.fit(X, y, X_val=X, y_val=y)
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == 6
    assert np.isnan(model.validation_loss_curve_[:3]).all()


def test_another_network_for_a_warm_start_is_named_in_short():
    model = MLPClassifier((8,), max_iter=2, warm_start=True, random_state=0).fit(X, y)
    model.set_params(hidden_layer_sizes=(4, 3), activation="logistic")
    with pytest.raises(ValueError, match="continue with") as caught:
        model.fit(X, y)
    assert str(caught.value) == (
        "warm_start and partial_fit continue with the existing network: hidden_layer_sizes was "
        "(8,), is (4, 3); activation was 'relu', is 'sigmoid'"
    )
