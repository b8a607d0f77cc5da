"""What a fit of a table finds out: leaks, copies, noise, odd targets, and what ended it early."""

import copy
import json
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from scipy.stats import permutation_test
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss, r2_score

import multilayer
from multilayer import TabularClassifier, TabularRegressor
from multilayer.data import Note, TableWarning
from multilayer.data.folds import ordered_folds, stratified_folds
from multilayer.doctor import Finding, FindingWarning, diagnose
from multilayer.estimators.findings import findings_of
from multilayer.estimators.out_of_fold import OutOfFold
from multilayer.model import Columns
from multilayer.numpy import CrossEntropy, SquaredError
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")


def names(model):
    return [finding.name for finding in model.findings_]


def people(n=600, seed=0):
    """Return a table, classes and values that depend on it with noise."""
    rng = np.random.default_rng(seed)
    age, job = rng.uniform(18, 80, n), rng.choice(["cook", "smith", "baker"], n)
    y = 0.05 * age + (job == "cook") + rng.normal(0, 0.7, n)
    return pd.DataFrame({"age": age, "job": job}), np.where(y > 2.7, "high", "low"), y


def fitted(estimator, X, y, **more):
    return estimator(n_members=3, random_state=0).fit(X, y, **more)


def found(table, targets, outputs, loss, *, weight=None, splits=None, **more):
    """Return what is found out from hand-made out-of-fold outputs for a table."""
    columns = Columns.of(pd.DataFrame(table), embedded=True)
    if splits is None:
        splits = stratified_folds(np.zeros(len(targets), int), 4, np.random.RandomState(0))
    judge = OutOfFold(
        [judging for _, judging in splits],
        targets,
        weight,
        loss=loss,
        has_classes=loss.task == "classification",
        patience=1,
    )
    judge.outputs = outputs
    samples = columns.encode(table)[:]
    return list(findings_of(judge, samples, columns, splits, targets, **more))


# Leaks -----------------------------------------------------------------------------------------


def test_a_column_that_gives_classes_away():
    X, y, _ = people(2000)
    rng = np.random.default_rng(1)
    q = 0.002  # the share of wrong entries
    y = np.where(rng.random(2000) < 0.5, "yes", "no")
    X["paid"] = np.where((y == "yes") == (rng.random(2000) > q), "on time", None)
    model = fitted(TabularClassifier, X, y)
    (finding,) = model.findings_
    assert finding.name == "leak"
    assert finding.evidence["column"] == "paid"
    # Of rows with like entries, two have unlike classes with the probability 2 q (1 − q).
    assert finding.evidence["unexplained"] == pytest.approx(4 * q * (1 - q), abs=0.006)
    assert "columns={'paid': 'ignored'}" in finding.advice
    assert "leak" not in names(fitted(TabularClassifier, X.drop(columns="paid"), y))


def test_a_column_that_gives_values_away_whatever_the_function():
    X, _, _ = people(3000)
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 3000)
    wave, noise = np.sin(9 * x), 0.08
    X["claim"] = x
    model = fitted(TabularRegressor, X, wave + rng.normal(0, noise, 3000))
    (finding,) = model.findings_
    assert finding.evidence["column"] == "claim"
    expected = noise**2 / (wave.var() + noise**2)
    assert finding.evidence["unexplained"] == pytest.approx(expected, rel=0.1)
    left = 1 - r2_score(wave, model.oob_prediction_)
    assert finding.evidence["out-of-fold loss"] < 0.1 * finding.evidence["baseline loss"]
    assert left < 0.1


def test_a_date_gives_away_what_changes_slowly():
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.permutation(1500), "D")
    season = np.sin(2 * np.pi * day.day_of_year / 365) + 0.02 * rng.normal(size=1500)
    X = pd.DataFrame({"day": day, "x": rng.normal(size=1500)})
    model = fitted(TabularRegressor, X, season)
    assert [each.evidence["column"] for each in model.findings_] == ["day"]
    assert "time=" in model.findings_[0].advice


def test_strong_features_and_single_columns_are_no_leaks():
    X, _, y = people(1500)
    X["strong"] = y + np.random.default_rng(1).normal(0, 0.3 * y.std(), 1500)
    assert names(fitted(TabularRegressor, X, y)) == []
    assert names(fitted(TabularRegressor, {"x": y}, 3 * y)) == []  # there is nothing else


@pytest.mark.parametrize("is_class", [True, False])
def test_few_rows_that_differ_from_all_others_are_no_leak(is_class):
    """There are so few that hardly any is among the rows that are looked at."""
    n = 100_000
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = np.zeros(n, int)
        y[rng.choice(n, 5, replace=False)] = 1
        outputs = np.eye(2)[y] * 20 if is_class else y[:, np.newaxis] * 0.99
        loss, targets = (
            (CrossEntropy(), y) if is_class else (SquaredError(), 1.0 * y[:, np.newaxis])
        )
        table = {"a": rng.normal(size=n), "b": rng.normal(size=n)}
        assert "leak" not in [own.name for own in found(table, targets, outputs, loss)]


def test_a_leak_needs_a_hundred_rows():
    """The one place where the class changes is too large a share of fewer."""
    for n, expected in ((90, []), (120, ["leak"])):
        y, rng = np.arange(n) % 2, np.random.default_rng(0)
        table = {"a": y + 0.9 * rng.random(n), "b": rng.normal(size=n)}
        each = found(table, y, 9 * np.eye(2)[y], CrossEntropy())
        assert [finding.name for finding in each] == expected
        for finding in each:
            assert finding.evidence["unexplained"] == pytest.approx(1 / (n - 1) / 0.5)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris, load_diabetes])
def test_real_tables_raise_no_alarm(load):
    X, y = load(return_X_y=True)
    estimator = TabularRegressor if load is load_diabetes else TabularClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("error", FindingWarning)
        assert names(estimator(random_state=0).fit(X, y)) == []


# Copies ----------------------------------------------------------------------------------------


def test_copies_in_other_folds_are_counted():
    X, y, _ = people(500)
    X["size"] = np.random.default_rng(1).normal(size=500)
    rows = np.r_[np.arange(500), np.arange(100)]
    X, y = X.iloc[rows].reset_index(drop=True), y[rows]
    model = fitted(TabularClassifier, X, y)
    (finding,) = model.findings_
    assert finding.name == "copies"
    most = X.assign(y=y).duplicated(keep=False).sum()
    assert 0.5 * most < finding.evidence["rows"] <= most  # a third of the pairs are in one fold
    assert names(fitted(TabularClassifier, X, y, groups=rows)) == []
    other = np.where((np.arange(600) >= 500) == (y == "high"), "low", "high")
    assert "copies" not in names(fitted(TabularClassifier, X, other))  # with other targets


def test_rows_that_are_alike_by_chance_are_no_copies():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({f"c{i}": rng.choice(["a", "b", "c"], 400) for i in range(4)})
    y = np.where((X["c0"] == "a") & (X["c1"] != "b"), "yes", "no")
    assert X.assign(y=y).duplicated(keep=False).mean() > 0.5
    assert "copies" not in names(fitted(TabularClassifier, X, y))


def test_rare_categories_are_not_alike():
    """Each size is there twice, with two codes that occur once, or with the frequent one."""
    n = 300
    code = np.array([f"code {i}" if i % 3 else "frequent" for i in range(n)])
    size = np.random.default_rng(0).normal(size=n // 2)
    table = pd.DataFrame({"code": code, "size": np.tile(size, 2)})
    columns = Columns.of(table, {"code": "categorical"}, embedded=True)
    inputs = columns.encode(table)[:]
    (place,) = (i for i, name in enumerate(columns.input_names) if name.startswith("code"))
    assert (inputs[:, place] == 0).sum() == 200
    y = np.tile(np.arange(n // 2) % 2, 2)
    outputs = np.zeros((n, 2))
    (finding,) = (own for own in found(table, y, outputs, CrossEntropy()) if own.name == "copies")
    assert 50 < finding.evidence["rows"] <= 100  # all that have the frequent code


def in_training(table, y, splits):
    """Return how many rows judge a network that has trained on a copy of them."""
    rows = [tuple(row) for row in table.assign(y=y).to_numpy()]
    return sum(
        sum(rows[i] in {rows[j] for j in training} for i in judging) for training, judging in splits
    )


def test_copies_are_rows_that_their_judge_has_trained_on():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=300), "n": rng.integers(9, size=300)})
    X = X.iloc[np.r_[np.arange(300), rng.choice(300, 90, replace=False)]].reset_index(drop=True)
    y = (X["n"] % 2).to_numpy()
    day = np.r_[rng.permutation(300), 300 + rng.permutation(90)].astype(float)
    folds = stratified_folds(y, 4, np.random.RandomState(0))
    blocks = ordered_folds(day, 4)
    outputs = rng.normal(size=(390, 2))
    for table, splits, time in ((X, folds, None), (X.assign(day=day), blocks, "day")):
        each = found(table, y, outputs, CrossEntropy(), splits=splits, time=time)
        (finding,) = (own for own in each if own.name == "copies")
        n_copies = in_training(X, y, splits)
        n_judged = sum(len(judging) for _, judging in splits)
        assert finding.evidence == {"rows": n_copies, "share": n_copies / n_judged}
        assert ("groups=" in finding.advice) == (time is None)


def test_copies_are_found_with_a_loss_of_ones_own():
    class Own(SquaredError):  # noqa: N818  # squared error is no exception
        name = "own"
        centre = None  # its baseline is not known

    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=100), 2)
    outputs = rng.normal(size=(200, 1))
    each = found({"x": x, "z": x**2}, x[:, np.newaxis], outputs, Own())
    assert [finding.name for finding in each] == ["copies"]


@pytest.mark.parametrize("n_columns", [1, 6])
def test_coarse_columns_that_determine_each_other_are_no_copies(n_columns):
    rng = np.random.default_rng(0)
    n, n_values = 1000, 40 if n_columns == 1 else 3
    table, y = {}, 0
    for i in range(n_columns):
        code = rng.integers(n_values, size=n)
        table |= {f"code {i}": code, f"of {i}": rng.permutation(n_values)[code] ** 1.5}
        y = y + code
    each = found(table, y % 2, 9.0 * np.eye(2)[y % 2], CrossEntropy())
    assert "copies" not in [finding.name for finding in each]


# Noise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 5])
@pytest.mark.parametrize("is_class", [True, False])
def test_the_gain_is_compared_with_all_orders_of_the_outputs(is_class, seed):
    n, h = 6, 1e-5
    rng = np.random.default_rng(seed)
    outputs, weight = rng.normal(size=(n, 3)), rng.uniform(0.2, 3, n)
    y = np.array([0, 1, 2, 0, 0, 1]) if is_class else rng.normal(size=(n, 3))
    share = weight / weight.sum()

    def loss(p, share=share):
        each = -log_softmax(p, axis=1)[np.arange(n), y] if is_class else ((p - y) ** 2 / 2).sum(1)
        return share @ each

    baseline = np.log(np.bincount(y, share)) if is_class else share @ y

    def gain(order, *, weights_move):
        order = order.astype(int)
        step, own = (outputs - share @ outputs)[order], share[order] if weights_move else share
        return (loss(baseline - h * step, own) - loss(baseline + h * step, own)) / (2 * h)

    each = [
        permutation_test(
            (np.arange(n),),
            partial(gain, weights_move=weights_move),
            permutation_type="pairings",
            n_resamples=np.inf,
        )
        for weights_move in (False, True)
    ]
    assert [len(null.null_distribution) for null in each] == [720, 720]
    table = {"a": rng.normal(size=n), "b": rng.normal(size=n)}
    criterion = CrossEntropy() if is_class else SquaredError()
    splits = stratified_folds(np.zeros(n, int), 2, np.random.RandomState(0))
    each_finding = found(table, y, outputs, criterion, weight=weight, splits=splits)
    (finding,) = (own for own in each_finding if own.name == "nothing_learned")
    expected = each[0].statistic / max(null.null_distribution.std() for null in each)
    assert all(abs(null.null_distribution.mean()) < 1e-9 for null in each)  # rounding of quotients
    assert finding.evidence["gain in standard errors"] == pytest.approx(expected, rel=1e-5)


def test_few_rows_that_decide_are_enough():
    rng = np.random.default_rng(0)
    n = 1500
    table = {"a": rng.normal(size=n), "b": rng.normal(size=n)}
    y = np.zeros(n, int)
    y[:3] = 1
    assert found(table, y, np.array([[4.0, -4.0], [-1.0, 1.0]])[y], CrossEntropy()) == []
    x = rng.normal(size=n)
    v = np.exp(2 * x + rng.normal(size=n))[:, np.newaxis]
    v /= v.std()
    p = 0.1 * np.exp(x)[:, np.newaxis]
    assert found(table, v, p, SquaredError()) == []
    (finding,) = found(table, v, rng.permutation(p), SquaredError())
    assert (finding.name, finding.severity) == ("nothing_learned", "wrong")


@pytest.mark.parametrize("is_weighted", [False, True])
def test_noise_is_found_and_its_losses_are_scikit_learns(is_weighted):
    """Each network learns the reverse of what it is judged by, so that chance decides nothing."""
    rng = np.random.default_rng(3)
    X, group = rng.normal(size=(300, 4)), np.arange(300) % 2
    y = np.where((X[:, 0] > 0.5) == (group == 0), "a", "b")
    weight = rng.uniform(0.2, 3, 300) if is_weighted else None
    with pytest.warns(FindingWarning, match="cannot be distinguished from chance: their loss is"):
        model = TabularClassifier(n_members=2, random_state=0).fit(X, y, weight, groups=group)
    (finding,) = model.findings_
    assert (finding.name, finding.severity) == ("nothing_learned", "wrong")
    assert finding.evidence["gain in standard errors"] < 0
    dummy = DummyClassifier(strategy="prior").fit(X, y, weight)
    expected = log_loss(y, dummy.predict_proba(X), sample_weight=weight)
    assert finding.evidence["baseline loss"] == pytest.approx(expected, rel=1e-6)
    expected = log_loss(y, model.oob_decision_function_, sample_weight=weight)
    assert finding.evidence["out-of-fold loss"] == pytest.approx(expected, rel=1e-4)


def test_a_weak_relation_is_not_noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5))
    v = 0.3 * X[:, 0] + rng.normal(size=2000)
    assert names(fitted(TabularRegressor, X, v)) == []
    assert names(fitted(TabularClassifier, X, v > 1.5)) == []


# Targets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "value", "shown"),
    [
        (TabularRegressor, 3.0, "3.0"),
        (TabularRegressor, 7, "7"),
        (TabularClassifier, "high", "'high'"),
        (TabularClassifier, True, "True"),
    ],
)
def test_a_constant_target(estimator, value, shown):
    X, _, _ = people(60)
    with pytest.warns(FindingWarning, match=f"The target is {shown} in all rows: there is nothing"):
        model = fitted(estimator, X, np.full(60, value))
    (finding,) = model.findings_
    assert (finding.name, finding.severity) == ("constant_target", "wrong")
    assert finding.evidence == {"target": 0, "value": shown}


def test_one_constant_target_of_several():
    X, _, y = people(60)
    model = fitted(TabularRegressor, X, np.column_stack([y, np.full(60, -2.5)]))
    finding = model.findings_[0]
    assert (finding.name, finding.evidence) == ("constant_target", {"target": 1, "value": "-2.5"})
    assert finding.meaning.startswith("y[:, 1] is -2.5 in all rows: ")


def test_a_target_that_differs_in_rows_without_weight_alone():
    X, _, y = people(60)
    weight = np.arange(60) % 3 > 0
    with pytest.warns(FindingWarning, match=r"The target is 4\.0 in all rows with a weight: "):
        model = fitted(TabularRegressor, X, np.where(weight, 4.0, y), sample_weight=1.0 * weight)
    assert names(model) == ["constant_target"]
    rare = np.where(np.arange(60) == 1, 5.0, 4.0)  # a row that counts
    assert "constant_target" not in names(fitted(TabularRegressor, X, rare, sample_weight=weight))


def test_a_class_of_one_row_cannot_be_predicted_out_of_fold():
    X, y, _ = people(200)
    y[3] = "odd"
    with pytest.warns(FindingWarning, match="Out-of-fold predictions of class 'odd' cannot be ri"):
        model = fitted(TabularClassifier, X, y)
    assert names(model) == ["unseen_class"]
    assert model.findings_[0].evidence == {"classes": "'odd'", "rows": 1}
    assert model.classes_[model.oob_decision_function_[3].argmax()] != "odd"
    y[4] = "odd"  # the two are in different folds
    assert names(fitted(TabularClassifier, X, y)) == []


def test_a_class_of_one_group():
    X, y, _ = people(200)
    group = np.arange(200) // 10
    y[group == 5] = "odd"
    (finding,) = fitted(TabularClassifier, X, y, groups=group).findings_
    assert (finding.name, finding.evidence["rows"]) == ("unseen_class", 10)


def test_a_class_that_comes_last_in_time():
    X, y, _ = people(200)
    X["day"] = np.arange(200)
    y[-5:] = "new"
    model = TabularClassifier(n_members=3, time="day", random_state=0).fit(X, y)
    assert [each.evidence for each in model.findings_] == [{"classes": "'new'", "rows": 5}]
    y = people(200)[1]
    y[:5] = "old"  # trains all and judges none
    model = TabularClassifier(n_members=3, time="day", random_state=0).fit(X, y)
    assert names(model) == []


def test_many_classes_of_one_row_are_counted():
    X, y, _ = people(200)
    y = y.astype(object)
    y[:8] = [f"odd {i}" for i in range(8)]
    (finding,) = fitted(TabularClassifier, X, y).findings_
    listed = "'odd 0', 'odd 1', 'odd 2', 'odd 3', 'odd 4' and 3 more"
    assert finding.evidence == {"classes": listed, "rows": 8}
    assert f"of classes {listed} cannot" in finding.meaning


# Interruptions ---------------------------------------------------------------------------------


def test_an_interruption_says_how_far_the_training_was():
    class Interrupt(Callback):
        def on_step_end(self, run):
            if run.epoch == 5:
                raise KeyboardInterrupt

    X, y, _ = people(200)
    model = TabularClassifier(n_members=2, random_state=0, callbacks=[Interrupt()])
    with pytest.warns(FindingWarning, match=r"Ctrl-C ended the training in epoch 5; the networks"):
        model.fit(X, y)
    finding = model.findings_[-1]
    assert (finding.name, finding.severity) == ("interrupted", "warning")
    assert finding.evidence == {"epochs": 4, "best epoch": 1 + np.argmin(model.loss_curve_)}
    assert f"are those of epoch {model.n_iter_}, the best so far." in finding.meaning


# Limits of time --------------------------------------------------------------------------------


def test_a_limit_that_is_far_changes_no_bit():
    X, y, _ = people(200)
    model = TabularClassifier(random_state=0).fit(X, y)
    limited = clone(model).set_params(time_limit=1e6).fit(X, y)
    assert (limited.predict_proba(X) == model.predict_proba(X)).all()
    assert names(limited) == []


def test_a_short_limit_takes_fewer_networks_and_says_so():
    X, y, _ = people(400)
    model = TabularClassifier(random_state=0, time_limit=1e-6)
    with pytest.warns(FindingWarning, match=r"In the time_limit of 1e-06 s, 2 of 8 networks were"):
        model.fit(X, y)
    assert len(model.networks_) == 2
    assert model.history_.stopped_by == "time_limit"
    assert names(model)[-1] == "time_limit"
    assert model.findings_[-1].evidence == {
        "seconds": 1e-6, "networks": "2 of 8", "epochs": model.history_.n_epochs
    }  # fmt: skip


def test_a_limit_does_not_miss_networks_that_groups_do_not_allow():
    X, y, _ = people(400)
    model = TabularClassifier(random_state=0, time_limit=1e-6)
    with pytest.warns(FindingWarning, match=r"2 of 5 networks were trained"):
        model.fit(X, y, groups=np.arange(400) % 5)


def test_the_time_of_a_step_decides_on_the_number_of_networks(monkeypatch):
    """A clock by which a step takes 1 s, and all else nothing."""
    seconds = [0.0]

    class Tick(Callback):
        def on_step_end(self, run):
            seconds[0] += len(run.members) / 8

    monkeypatch.setattr("multilayer.estimators.time_limit.time.monotonic", lambda: seconds[0])
    watch = multilayer.estimators.time_limit._Stopwatch.on_step_end

    def ticking(self, run):
        Tick().on_step_end(run)
        watch(self, run)

    monkeypatch.setattr("multilayer.estimators.time_limit._Stopwatch.on_step_end", ticking)
    X, y, _ = people(400)  # of which each of 8 networks trains on 350, in 11 steps
    for limit, n_members in ((2000, 8), (60, 4)):
        model = TabularClassifier(random_state=0, time_limit=limit, callbacks=[Tick()])
        seconds[0] = 0.0
        model.fit(X, y)
        assert len(model.networks_) == n_members
    # 4 networks take 10 steps of half a second; 11 steps of 8 networks were timed.
    assert 8 <= model.history_.n_epochs <= 12


# Where they are shown --------------------------------------------------------------------------


def test_they_are_in_the_notebook_the_file_and_the_diagnosis(tmp_path):
    X, y, _ = people(600)
    X["<paid>"] = np.where(y == "high", "on time", "late")
    with pytest.warns(FindingWarning) as caught:
        model = fitted(TabularClassifier, X, y)
    assert [w.message.finding for w in caught] == model.findings_
    assert issubclass(FindingWarning, TableWarning)
    assert "Column &#x27;&lt;paid&gt;&#x27; seems to give the target away" in model._repr_html_()
    assert pickle.loads(pickle.dumps(model)).findings_ == model.findings_
    model.save(tmp_path / "m.safetensors")
    information = multilayer.load(tmp_path / "m.safetensors").information
    assert information["findings"] == [finding.to_dict() for finding in model.findings_]
    for given in (model, multilayer.load(tmp_path / "m.safetensors")):
        diagnosis = diagnose(given, X, y)
        assert diagnosis[:] == tuple(model.findings_)
        assert diagnosis.subject.startswith("Ensemble(3 × MLP(")
        assert json.loads(diagnosis.to_json())["findings"][0]["name"] == "leak"


@pytest.mark.parametrize(
    "told",
    [3, {"name": "leak"}, [3], [{"name": "leak"}], [{"name": "leak", "severity": "b",
     "evidence": {}, "meaning": "c", "advice": "d"}]],
)  # fmt: skip
def test_what_is_no_finding_in_a_file_is_left_out(told):
    X, y, _ = people(100)
    model = fitted(TabularClassifier, X, y).to_model()
    model.information["findings"] = told
    assert "leak" not in diagnose(model, X, y).names


def test_what_half_of_the_networks_have_is_found_once():
    X, y, _ = people(300)
    model = fitted(TabularClassifier, X, y).to_model()
    model.net.parameters[:2] = np.nan
    (finding,) = diagnose(model, X, y)
    assert finding.name == "non_finite_weights"
    assert finding.evidence["networks"] == "2 of 3"
    model.net.parameters[1] = model.net.parameters[2]
    assert "non_finite_weights" not in diagnose(model, X, y).names


@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize(
    "warning",
    [
        TableWarning("a table", (Note("age", "X", "is full", "categorical"),)),
        FindingWarning(Finding("leak", "warning", {"column": "age"}, "It leaks.", "Mend it.")),
    ],
)
def test_warnings_survive_pickle_and_copy(warning, again):
    """As from a process of a pool."""
    same = again(warning)
    assert type(same) is type(warning)
    assert str(same) == str(warning)
    assert vars(same) == vars(warning)
