"""Ensembles: a member is the network that it would be alone, and the prediction is their mean."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import model_selection
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.errors import InvalidArgumentError
from multilayer.estimators import cross_validate
from multilayer.files import export_onnx
from multilayer.numpy import MLP, Ensemble, Quantile
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_values, y_values = load_diabetes(return_X_y=True)
X_values = StandardScaler().fit_transform(X_values)
y_values = (y_values - 150) / 80
SETTINGS = {"hidden_layer_sizes": (8, 4), "max_iter": 8, "random_state": 3,
            "learning_rate_init": 0.01, "batch_size": 32}  # fmt: skip
# Both sums are of float64, in another order.
TIGHT = {"rtol": 1e-10, "atol": 1e-10}

KINDS = pytest.mark.parametrize(
    ("Estimator", "data"),
    [(MLPClassifier, (X, y)), (MLPRegressor, (X_values, y_values))],
    ids=["classifier", "regressor"],
)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [Estimator(max_iter=20, n_members=2) for Estimator in (MLPClassifier, MLPRegressor)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def assert_same_network(member, alone):
    np.testing.assert_allclose(member.parameters, alone.parameters, **TIGHT)
    for name, array in member.state.items():
        np.testing.assert_allclose(array, alone.state[name], **TIGHT)


@KINDS
@pytest.mark.parametrize("resample", [None, "bootstrap", "folds"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
        {"solver": "lbfgs"},
        {"engine": "torch", "device": "cpu"},
        {"dropout": 0.3, "normalization": "batch"},
        {"early_stopping": True, "n_iter_no_change": 2},
        {"shuffle": False, "clip_norm": 0.1},
    ],
    ids=str,
)
def test_a_member_is_the_fit_of_its_seed_and_rows(Estimator, data, resample, settings):
    if resample == "bootstrap" and "early_stopping" in settings:
        pytest.skip("the rest is drawn after some rows are set aside, so none is both")
    inputs, targets = data
    settings = SETTINGS | settings
    found = Estimator(n_members=3, resample=resample, **settings).fit(inputs, targets)
    for k, member in enumerate(found.networks_):
        rows = np.arange(len(inputs)) if resample is None else found.estimators_samples_[k]
        alone = Estimator(**settings | {"random_state": found.seeds_[k]})
        alone.fit(inputs[rows], targets[rows])
        assert_same_network(member, alone.network_)
        np.testing.assert_allclose(found.loss_curve_[k], alone.loss_curve_, **TIGHT)
        assert found.history_[k].n_epochs == alone.n_iter_
        assert found.history_[k].stopped_by == alone.history_.stopped_by
    assert found.n_iter_ == max(history.n_epochs for history in found.history_)


@KINDS
@pytest.mark.parametrize("resample", [None, "bootstrap"])
def test_members_do_not_depend_on_how_many_there_are(Estimator, data, resample):
    settings = SETTINGS | {"resample": resample}
    several = [Estimator(n_members=n, **settings).fit(*data).networks_ for n in (1, 2, 4)]
    for some in several[:2]:
        for one, other in zip(some, several[2], strict=False):
            assert_same_network(one, other)
    assert len({net.parameters.tobytes() for net in several[2]}) == 4


def test_a_random_state_draws_all_seeds():
    first, second = (
        MLPClassifier(n_members=3, **SETTINGS | {"random_state": np.random.RandomState(5)}).fit(
            X, y
        )
        for _ in range(2)
    )
    assert first.seeds_ == second.seeds_
    assert len(set(first.seeds_)) == 3
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_probabilities_are_averaged():
    clf = MLPClassifier(n_members=4, **SETTINGS).fit(X, y)
    mean = np.mean([net(X) for net in clf.networks_], axis=0)
    np.testing.assert_allclose(clf.predict_proba(X), mean, **TIGHT)
    assert (clf.predict(X) == mean.argmax(axis=1)).all()
    assert clf.score(X, y) == accuracy_score(y, mean.argmax(axis=1))


@pytest.mark.parametrize(
    "targets",
    [y > 0, np.c_[y > 0, y > 1].astype(int), np.c_[y, y[::-1]]],
    ids=["two classes", "labels", "two targets"],
)
def test_probabilities_of_every_kind_of_targets(targets):
    clf = MLPClassifier(n_members=3, resample="bootstrap", **SETTINGS).fit(X, targets)
    members = [member.predict_proba(X) for member in clf.to_model().members]
    mean = clf.predict_proba(X)
    if not isinstance(mean, list):
        mean, members = [mean], [[p] for p in members]
    for i, p in enumerate(mean):
        np.testing.assert_allclose(p, np.mean([own[i] for own in members], axis=0), **TIGHT)
    assert 0.4 < clf.oob_score_ <= 1


def test_values_are_averaged_and_their_deviation_is_that_of_the_members():
    for settings in ({}, {"scale_targets": True}, {"loss": Quantile((0.1, 0.9))}):
        reg = MLPRegressor(n_members=5, **SETTINGS | settings).fit(X_values, 100 * y_values + 7)
        members = [member.predict(X_values) for member in reg.to_model().members]
        mean, std = reg.predict(X_values, return_std=True)
        np.testing.assert_allclose(mean, np.mean(members, axis=0), **TIGHT)
        np.testing.assert_allclose(std, np.std(members, axis=0, ddof=1), rtol=1e-8)
        np.testing.assert_array_equal(reg.predict(X_values), mean)


def test_one_network_has_no_deviation():
    reg = MLPRegressor(**SETTINGS).fit(X_values, y_values)
    with pytest.raises(ValueError, match=r"^return_std of predict needs several members"):
        reg.predict(X_values, return_std=True)


# Rows that a member has not seen --------------------------------------------------------------


def test_folds_are_scikit_learns_and_judge_every_row_once():
    clf = MLPClassifier(n_members=5, resample="folds", **SETTINGS).fit(X, y)
    expected = np.zeros((150, 3))
    splitter = StratifiedKFold(5, shuffle=True, random_state=3)
    for k, (training, held_out) in enumerate(splitter.split(X, y)):
        np.testing.assert_array_equal(clf.estimators_samples_[k], training)
        expected[held_out] = clf.networks_[k](X[held_out])
    np.testing.assert_allclose(clf.oob_decision_function_, expected, **TIGHT)
    assert clf.oob_score_ == accuracy_score(y, expected.argmax(axis=1))

    reg = MLPRegressor(n_members=4, resample="folds", **SETTINGS).fit(X_values, y_values)
    expected = np.zeros(len(y_values))
    for k, (_, rows) in enumerate(KFold(4, shuffle=True, random_state=3).split(X_values)):
        expected[rows] = reg.networks_[k](X_values[rows])[:, 0]
    np.testing.assert_allclose(reg.oob_prediction_, expected, **TIGHT)
    assert reg.oob_score_ == pytest.approx(r2_score(y_values, expected), rel=1e-10)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_bootstraps_are_judged_by_rows_out_of_the_bag(early_stopping):
    settings = SETTINGS | {"early_stopping": early_stopping}
    reg = MLPRegressor(n_members=6, resample="bootstrap", **settings).fit(X_values, y_values)
    n = len(y_values)
    total, count = np.zeros(n), np.zeros(n)
    shares = []
    for net, rows in zip(reg.networks_, reg.estimators_samples_, strict=True):
        assert (np.diff(rows) >= 0).all()
        out = np.setdiff1d(np.arange(n), rows)
        shares.append(len(out) / n)
        total[out] += net(X_values[out])[:, 0]
        count[out] += 1
        assert len(rows) == n
    # A tenth is set aside and chooses the epoch, so that it is no longer unseen.
    assert np.mean(shares) == pytest.approx((0.9 if early_stopping else 1) * np.exp(-1), abs=0.03)
    judged = count > 0
    np.testing.assert_array_equal(np.isnan(reg.oob_prediction_), ~judged)
    mean = total[judged] / count[judged]
    np.testing.assert_allclose(reg.oob_prediction_[judged], mean, **TIGHT)
    assert reg.oob_score_ == pytest.approx(r2_score(y_values[judged], mean), rel=1e-10)


def test_the_score_says_how_well_unseen_rows_are_predicted():
    """Of noise, the fit is good and the score is not."""
    rng = np.random.default_rng(0)
    noise, targets = rng.normal(size=(100, 5)), rng.integers(2, size=100)
    for resample in ("bootstrap", "folds"):
        clf = MLPClassifier(64, n_members=5, resample=resample, max_iter=200, random_state=0,
                            learning_rate_init=0.01).fit(noise, targets)  # fmt: skip
        assert clf.score(noise, targets) > 0.8
        assert 0.3 < clf.oob_score_ < 0.7


def test_the_score_has_the_weights_of_the_samples():
    weight = np.linspace(0, 2, 150)
    clf = MLPClassifier(n_members=5, resample="folds", **SETTINGS).fit(X, y, sample_weight=weight)
    predicted = clf.oob_decision_function_.argmax(axis=1)
    assert clf.oob_score_ == accuracy_score(y, predicted, sample_weight=weight)
    assert clf.oob_score_ != accuracy_score(y, predicted)

    weight = np.linspace(2, 0, len(y_values))
    reg = MLPRegressor(n_members=4, resample="bootstrap", **SETTINGS)
    reg.fit(X_values, y_values, sample_weight=weight)
    judged = ~np.isnan(reg.oob_prediction_)
    truth, predicted, weight = (a[judged] for a in (y_values, reg.oob_prediction_, weight))
    expected = r2_score(truth, predicted, sample_weight=weight)
    assert reg.oob_score_ == pytest.approx(expected, rel=1e-10)


def test_without_rows_of_their_own_there_is_nothing_to_judge_by():
    clf = MLPClassifier(n_members=3, resample="folds", **SETTINGS).fit(X, y)
    clf.set_params(resample=None).fit(X, y)
    for name in ("oob_score_", "oob_decision_function_", "estimators_samples_"):
        assert not hasattr(clf, name)


def test_every_row_may_have_been_drawn():
    clf = MLPClassifier(n_members=1, resample="bootstrap", max_iter=2)
    clf.fit(np.array([[0.0]]), [1])
    assert np.isnan(clf.oob_score_)
    assert clf.predict([[0.0]]) == [1]


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say")
def test_members_for_which_there_is_no_memory_are_refused(monkeypatch):
    machine = {"SC_PHYS_PAGES": 300, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", machine.get)
    monkeypatch.delattr("multilayer.estimators.base.seeds_of")  # before anything is made
    with pytest.raises(InvalidArgumentError) as error:
        MLPClassifier(n_members=10**7, **SETTINGS).fit(X, y)
    # (4 + 1)·8 + (8 + 1)·4 + (4 + 1)·3 = 91 numbers of 8 bytes, twice
    most = 300 * 4096 // (30_000 + 91 * 8 * 2)
    assert str(error.value) == (
        f"n_members of MLPClassifier must be at most {most} to fit into this machine's memory; "
        "got 10000000"
    )


# Going on, and what an ensemble has not --------------------------------------------------------


@KINDS
def test_fits_and_partial_fits_go_on_member_by_member(Estimator, data):
    settings = SETTINGS | {"warm_start": True}
    found = Estimator(n_members=3, **settings)
    first = {"classes": [0, 1, 2]} if Estimator is MLPClassifier else {}
    found.partial_fit(*data, **first).fit(*data).partial_fit(*data)
    for k, member in enumerate(found.networks_):
        alone = Estimator(**settings | {"random_state": found.seeds_[k]})
        alone.partial_fit(*data, **first).fit(*data).partial_fit(*data)
        assert_same_network(member, alone.network_)
        assert found.t_[k] == alone.t_
        np.testing.assert_allclose(found.loss_curve_[k], alone.loss_curve_, **TIGHT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_members": 2}, "continue with the existing networks: n_members was 3, is 2"),
        ({"resample": "folds"}, "resample of MLPClassifier must be None when a fit continues"),
        ({"hidden_layer_sizes": 3}, "hidden_layer_sizes was"),
    ],
)
def test_a_warm_start_goes_on_with_the_same_networks(changes, message):
    clf = MLPClassifier(n_members=3, warm_start=True, **SETTINGS).fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        clf.set_params(**changes).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_rows_of_their_own_need_all_samples():
    clf = MLPClassifier(n_members=3, resample="bootstrap", **SETTINGS)
    with pytest.raises(
        ValueError, match="resample of MLPClassifier must be None when a fit continues"
    ):
        clf.partial_fit(X, y, classes=[0, 1, 2])


def test_too_many_folds_are_refused():
    for n in (1, 60, 1000):
        with pytest.raises(
            ValueError, match=f"n_members of MLPClassifier cannot be {n} with resamp"
        ):
            MLPClassifier(n_members=n, resample="folds").fit(X, y)


def test_several_networks_have_no_single_one():
    clf = MLPClassifier(n_members=1, **SETTINGS).fit(X, y)
    assert clf.networks_ == [clf.network_]
    clf.set_params(n_members=2).fit(X, y)
    assert [type(net) for net in clf.networks_] == [MLP, MLP]
    assert not hasattr(clf, "coefs_")
    assert not hasattr(clf, "intercepts_")
    with pytest.raises(AttributeError, match=r"an ensemble has no network_: use networks_$"):
        clf.network_  # noqa: B018
    clf.set_params(n_members=1).fit(X, y)
    assert len(clf.coefs_) == 3
    assert not hasattr(clf, "seeds_")


def test_weights_set_by_hand_are_those_of_one_network():
    clf = MLPClassifier((), n_members=2, warm_start=True, max_iter=1)
    clf.coefs_, clf.intercepts_ = [np.ones((4, 3))], [np.zeros(3)]
    with pytest.raises(ValueError, match="n_members of MLPClassifier must be 1 for weights"):
        clf.fit(X, y)


class Failing(Callback):
    def on_epoch_end(self, run):
        raise RuntimeError("no more")


def test_a_failure_leaves_everything():
    clf = MLPClassifier(n_members=3, **SETTINGS).fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(RuntimeError, match="no more"):
        clf.set_params(callbacks=Failing()).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_a_member_that_diverges_is_named():
    reg = MLPRegressor(n_members=2, solver="sgd", learning_rate_init=1e30, random_state=0)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite") as caught:
        reg.fit(X_values, y_values)
    assert caught.value.__notes__ == ["in member 0 of 2"]


@pytest.mark.filterwarnings("always")
def test_one_warning_for_all_members():
    with pytest.warns(ConvergenceWarning) as caught:
        MLPClassifier(n_members=3, **SETTINGS).fit(X, y)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("3 of 3 members, such as member 0: Stochastic Optimi")
    assert caught[0].filename == __file__


# Weights, tables, files -------------------------------------------------------------------------


def test_weights_of_samples_and_classes_reach_every_member():
    weight = np.linspace(0, 2, 150)
    settings = SETTINGS | {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}
    clf = MLPClassifier(n_members=2, **settings).fit(X, y, weight)
    for k, member in enumerate(clf.networks_):
        alone = MLPClassifier(**settings | {"random_state": clf.seeds_[k]}).fit(X, y, weight)
        assert_same_network(member, alone.network_)


def test_separate_validation_samples_judge_every_member():
    clf = MLPClassifier(n_members=2, early_stopping=True, **SETTINGS)
    clf.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    for member, score in zip(clf.networks_, clf.best_validation_score_, strict=True):
        assert accuracy_score(y[1::2], member(X[1::2]).argmax(axis=1)) == score


def test_a_table_has_the_same_columns_for_all_members():
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "up", None), "c": X[:, 2]})
    names = np.array(["x", "y", "z"])[y]
    clf = MLPClassifier(n_members=3, columns="auto", resample="folds", **SETTINGS).fit(frame, names)
    assert clf.predict(frame).tolist() == clf.to_model().predict(frame).tolist()
    assert clf.score(frame, names) > 0.6


@KINDS
def test_pickles_clones_and_files(Estimator, data, tmp_path):
    inputs, targets = data
    found = Estimator(n_members=3, resample="folds", **SETTINGS).fit(inputs, targets)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(inputs), found.predict(inputs))
    assert again.oob_score_ == found.oob_score_
    assert clone(found).get_params() == found.get_params()
    found.save(tmp_path / "m")
    model = multilayer.load(tmp_path / "m")
    assert isinstance(model.net, Ensemble)
    np.testing.assert_array_equal(model.predict(inputs), found.predict(inputs))
    assert len(model.information["history"]) == 3
    assert model.information["metrics"]["oob_score"] == found.oob_score_
    assert model.information["training"]["n_members"] == 3
    found.export(tmp_path / "m.onnx")
    assert export_onnx(tmp_path / "m.onnx", found) < 1e-5


def test_what_is_loaded_has_the_deviation_in_its_members(tmp_path):
    reg = MLPRegressor(n_members=3, **SETTINGS).fit(X_values, y_values)
    reg.save(tmp_path / "m")
    model = multilayer.load(tmp_path / "m")
    mean, std = reg.predict(X_values, return_std=True)
    members = [member.predict(X_values) for member in model.members]
    np.testing.assert_array_equal(model.predict(X_values), mean)
    np.testing.assert_allclose(np.std(members, axis=0, ddof=1), std, rtol=1e-8)
    with pytest.raises(TypeError, match=r"Model\.predict\(\) .* 'return_std'$"):
        model.predict(X_values, return_std=True)


@pytest.mark.parametrize("resample", [None, "bootstrap", "folds"])
def test_ensembles_are_cross_validated_like_any_estimator(resample):
    clf = MLPClassifier(n_members=3, resample=resample, **SETTINGS)
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    arguments = {"cv": cv, "scoring": "neg_log_loss", "return_estimator": True}
    found = cross_validate(clf, X, y, **arguments)
    expected = model_selection.cross_validate(clf, X, y, **arguments)
    np.testing.assert_allclose(found["test_score"], expected["test_score"], **TIGHT)
    for one, other in zip(found["estimator"], expected["estimator"], strict=True):
        assert one.seeds_ == other.seeds_
        assert len(one.networks_) == 3
        if resample is not None:
            assert one.oob_score_ == other.oob_score_
            for rows, same in zip(one.estimators_samples_, other.estimators_samples_, strict=True):
                np.testing.assert_array_equal(rows, same)


def test_features_stand_side_by_side():
    clf = MLPClassifier(n_members=3, **SETTINGS).fit(X, y)
    features = clf.transform(X)
    np.testing.assert_array_equal(features, np.hstack([net.features(X) for net in clf.networks_]))
    assert clf.get_feature_names_out().tolist() == [f"mlpclassifier{i}" for i in range(12)]


def test_notebooks_show_the_layers_and_the_mean_loss():
    clf = MLPClassifier(n_members=3, **SETTINGS).fit(X, y)
    html = clf._repr_html_()
    mean = np.mean([curve[-1] for curve in clf.loss_curve_])
    assert f"training loss, mean over 3 members {mean:.4g}" in html
    assert clf.networks_[0].architecture._repr_html_() in html
