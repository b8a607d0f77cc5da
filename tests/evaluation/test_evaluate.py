"""evaluate: any kind of model, its targets and its samples."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict

from multilayer import (
    Architecture,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from multilayer.doctor import diagnose
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.evaluation import evaluate
from multilayer.files import load_model, save_model
from multilayer.model import Labels, Model, Numbers, Values
from multilayer.numpy import LOSSES, MLP, AbsoluteError, Loss, Poisson, Quantile
from multilayer.registry import Names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def people(n, seed, *, kinds=("a", "b")):
    """Return a table whose target depends on x but for the rows of one place."""
    rng = np.random.default_rng(seed)
    x, place = rng.normal(size=n), rng.choice(["here", "there", "nowhere"], n)
    noise = np.where(place == "nowhere", 2.0, 0.3) * rng.normal(size=n)
    limits = np.linspace(-1, 1, len(kinds) + 1)[1:-1]
    y = np.array(kinds)[np.searchsorted(limits, x + noise)]
    return pd.DataFrame({"x": x, "place": place, "serial": rng.permutation(n)}), y


@pytest.fixture(scope="module")
def classifier():
    X, y = people(400, 0)
    return MLPClassifier(
        (8,), columns="auto", max_iter=40, random_state=0, learning_rate_init=0.01
    ).fit(X, y)


def test_a_classifier_of_a_table(classifier):
    X, y = people(1500, 1)
    found = evaluate(classifier, X, y)
    p = classifier.predict_proba(X)
    same = {name: each.value for name, each in found.metrics.items()}
    assert same == pytest.approx(
        {
            "log_loss": metrics.log_loss(y, p),
            "accuracy": classifier.score(X, y),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, classifier.predict(X)),
            "auc": metrics.roc_auc_score(y, p[:, 1]),
            "brier": metrics.brier_score_loss(y, p[:, 1], pos_label="b"),
        },
        rel=1e-5,
    )
    assert all(each.low <= each.value <= each.high for each in found.metrics.values())
    assert found.baseline.gain.low > 0
    assert found.baseline.metrics["log_loss"] == pytest.approx(np.log(2), abs=0.02)
    assert [each.value for each in found.worst if each.column == "place"] == ["nowhere"]
    report = metrics.classification_report(y, classifier.predict(X), output_dict=True)
    for each in found.classes:
        assert each.is_known
        assert each.n == report[each.name]["support"]
        assert each.precision == pytest.approx(report[each.name]["precision"])
        assert each.recall == pytest.approx(report[each.name]["recall"])


def test_a_file_and_a_model_are_judged_as_the_estimator(classifier, tmp_path):
    X, y = people(300, 1)
    found = evaluate(classifier, X, y).to_dict()
    save_model(tmp_path / "a.safetensors", classifier)
    assert evaluate(tmp_path / "a.safetensors", X, y).to_dict() == found
    assert evaluate(load_model(tmp_path / "a.safetensors"), dict(X), list(y)).to_dict() == found


def test_the_error_is_that_of_the_reliability_diagram(classifier):
    pytest.importorskip("matplotlib")
    from multilayer.plots.calibration import ReliabilityDisplay

    X, y = people(300, 1)
    display = ReliabilityDisplay.from_estimator(classifier, X, y)
    assert evaluate(classifier, X, y).calibration.error == display.expected_calibration_error


def test_json_holds_everything(classifier):
    X, y = people(200, 1)
    found = evaluate(classifier, X, y).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"metrics", "baseline", "linear", "calibration", "classes", "slices"} <= set(found)


def test_text_holds_what_matters(classifier):
    X, y = people(1500, 1)
    text = str(evaluate(classifier, X, y))
    for part in (
        "2 classes, 1,500 rows",
        "fitted to these rows, 5-fold; the model's log loss is lower",
        "expected calibration error",
        "place: nowhere",
        "worse than the other rows by more than chance",
    ):
        assert part in " ".join(text.split()), text


def test_classes_that_the_model_does_not_know_are_errors(classifier):
    X, y = people(400, 1)
    y[:40] = "c"
    found = evaluate(classifier, X, y)
    known, p = slice(40, None), classifier.predict_proba(X)
    accuracy = (classifier.predict(X[known]) == y[known]).sum() / 400
    assert found.metrics["accuracy"].value == pytest.approx(accuracy)
    padded = np.c_[p, np.zeros(400, p.dtype)]
    assert found.metrics["log_loss"].value == pytest.approx(metrics.log_loss(y, padded), rel=1e-5)
    area = metrics.roc_auc_score(y, padded, multi_class="ovr")
    assert found.metrics["auc"].value == pytest.approx(area)
    (unknown,) = (each for each in found.classes if not each.is_known)
    assert (unknown.name, unknown.n, unknown.recall) == ("c", 40, 0)
    assert "does not know these classes, whose rows count as errors: 'c' (40)" in str(found)


def test_samples_without_a_target_are_left_out(classifier):
    X, y = people(400, 1)
    y = y.astype(object)
    y[::4] = None
    y[1] = np.nan
    kept = np.array([isinstance(each, str) for each in y])
    found = evaluate(classifier, X, y, groups=np.arange(400) // 2)
    assert (found.n_samples, found.n_without_target, found.n_groups) == (299, 101, 199)
    assert found.metrics["accuracy"].value == classifier.score(X[kept], y[kept].astype(str))
    values = evaluate(MLP(Architecture(1, (), 1)), [[1.0]] * 4, [1.0, None, 2.0, 3.0])
    assert (values.n_samples, values.n_without_target) == (3, 1)


def test_more_classes():
    X, y = people(500, 0, kinds=("a", "b", "c"))
    clf = TabularClassifier(n_members=2, random_state=0).fit(X[:200], y[:200])
    found = evaluate(clf, X[200:], y[200:])
    assert found.calibration.of == "probability of the predicted class"
    predicted = clf.predict(X[200:])
    assert found.confusion == metrics.confusion_matrix(y[200:], predicted).tolist()
    p = clf.predict_proba(X[200:])
    confidence, right = p.max(axis=1).mean(), (predicted == y[200:]).mean()
    assert found.calibration.bias.value == pytest.approx(confidence - right, abs=1e-6)


def test_probabilities_that_are_too_sure():
    rng = np.random.default_rng(0)
    net = MLP(Architecture(1, (), 1, output="sigmoid"), dtype="float64")
    net.parameters[:] = (4.0, 0.0)  # the weight is twice too large
    X = rng.normal(size=(2000, 1))
    y = (rng.random(2000) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
    found = evaluate(net, X, y)
    assert found.calibration.bias.low > 0
    assert found.calibration.meaning.startswith("The probabilities are too sure by ")
    assert found.linear.gain.high < 0
    assert "higher, which is worse" in " ".join(str(found).split())
    net.parameters[:] = (2.0, 0.0)
    found = evaluate(net, X, y)
    assert "neither too sure nor not sure enough" in found.calibration.meaning
    assert found.calibration.error < 3 * found.calibration.by_chance


def test_names_in_brackets_are_no_styles():
    X = pd.DataFrame({"x": np.linspace(-1, 1, 120), "[b]": np.repeat(["[red]", "b\x1b[2J"], 60)})
    y = np.where(X["x"] > 0, "[bold]", "no")
    clf = MLPClassifier((4,), columns="auto", max_iter=5, random_state=0).fit(X, y)
    text = str(evaluate(clf, X, y, by="[b]"))
    for part in ("as [bold]", "by [b]", "[red]", r"b\x1b[2J"):
        assert part in text
    assert "\x1b" not in text


# Values ------------------------------------------------------------------------------------


def test_a_regressor_and_its_linear_peer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = X[:, 0] + X[:, 1] ** 2 + rng.normal(size=400) / 5
    reg = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", random_state=0).fit(
        X[:150], y[:150]
    )
    found = evaluate(reg, X[150:], y[150:], seed=3)
    assert found.metrics["r2"].value == pytest.approx(reg.score(X[150:], y[150:]))
    new = X[150:]
    scaled = (new - new.mean(axis=0)) / new.std(axis=0)
    folds = KFold(5, shuffle=True, random_state=3)
    linear = cross_val_predict(Ridge(), scaled, y[150:], cv=folds)
    assert found.linear.metrics["r2"] == pytest.approx(metrics.r2_score(y[150:], linear))
    mean = np.empty(250)
    for train, test in folds.split(new):
        mean[test] = y[150:][train].mean()
    rmse = metrics.root_mean_squared_error(y[150:], mean)
    assert found.baseline.metrics["rmse"] == pytest.approx(rmse)
    gain = rmse - found.metrics["rmse"].value
    assert found.baseline.gain.value == pytest.approx(gain)
    assert not found.slices  # columns without names
    assert "neither too high nor too low" in found.calibration.meaning or found.calibration.bias.low


def test_quantiles_have_a_coverage():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 1))
    y = X[:, 0] + rng.normal(size=800)
    reg = TabularRegressor(loss=Quantile((0.1, 0.5, 0.9)), n_members=2, random_state=0)
    reg.fit({"x": X[:400, 0]}, y[:400])
    found = evaluate(reg, {"x": X[400:, 0]}, y[400:])
    predicted = reg.predict({"x": X[400:, 0]})
    covered = ((predicted[:, 0] <= y[400:]) & (y[400:] <= predicted[:, 2])).mean()
    assert found.metrics["coverage"].value == pytest.approx(covered)
    assert found.width == pytest.approx(0.8)
    assert found.main == "pinball"
    assert found.calibration.bins.predicted.tolist() == [0.1, 0.5, 0.9]
    assert found.linear.metrics["coverage"] == pytest.approx(0.8, abs=0.06)
    assert "should lie between the outer quantiles" in str(found)


def test_rates_have_a_deviance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = rng.poisson(np.exp(X[:, 0] / 2)).astype(float)
    reg = MLPRegressor(Poisson(), (8,), max_iter=60, random_state=0).fit(X[:300], y[:300])
    found = evaluate(reg, X[300:], y[300:])
    deviance = metrics.mean_poisson_deviance(y[300:], reg.predict(X[300:]))
    assert found.metrics["deviance"].value == pytest.approx(deviance, rel=1e-5)
    assert found.main == "deviance"
    assert found.linear.metrics["deviance"] < found.baseline.metrics["deviance"]
    with pytest.raises(InvalidDataError, match="at least 0, for a model of rates; got -1 at index"):
        evaluate(reg, X[300:], y[300:] - 1)


@dataclass(frozen=True)
class OwnError(AbsoluteError):
    """A loss that no registry knows."""


def test_a_loss_that_is_not_registered_is_known_from_the_estimator_alone(tmp_path):
    X = np.random.default_rng(0).normal(size=(80, 2))
    reg = MLPRegressor(OwnError(), (2,), max_iter=2).fit(X[:40], X[:40, 0])
    assert evaluate(reg, X[40:], X[40:, 0]).main == "mae"
    reg.save(tmp_path / "m.safetensors")
    assert evaluate(tmp_path / "m.safetensors", X[40:], X[40:, 0]).main == "rmse"
    quantiles = Model(MLP(Architecture(2, (), 2)), Values(1, n_each=2))
    with pytest.raises(InvalidArgumentError, match="must predict one value per sample"):
        evaluate(quantiles, X[40:], X[40:, 0])
    information = {"history": {"settings": {"loss": {"name": "mine"}}}}
    classes = Model(MLP(Architecture(2, (), 3, output="softmax")), information=information)
    assert evaluate(classes, X, np.arange(80) % 3).main == "log_loss"


@dataclass(frozen=True)
class Interval(Loss):
    """The ends of an interval, as quantiles."""

    name = "interval"
    outputs = ("identity",)
    takes_logits = False
    task = "regression"
    formula = "two pinball losses"
    levels = (0.2, 0.8)

    def per_sample(self, p, targets):
        return Quantile(self.levels).per_sample(p, targets)

    def targets(self, y, n_samples, out_features, dtype):
        return Quantile(self.levels).targets(y, n_samples, out_features, dtype)


@dataclass(frozen=True)
class Rates(Poisson):
    """A loss of rates by another name, and of rates alone."""

    name = "rates"
    outputs = ("exp",)


@pytest.mark.parametrize("own", [Interval, Rates])
def test_a_registered_loss_is_treated_as_its_like(own, monkeypatch, tmp_path):
    monkeypatch.setattr(LOSSES, "_entries", dict(LOSSES))
    monkeypatch.setattr(LOSSES, "names", Names("loss", LOSSES.names))
    LOSSES.register(own.name, own)
    like = {"interval": Quantile((0.2, 0.8)), "rates": Poisson()}[own.name]
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.random.default_rng(1).poisson(np.exp(X[:, 0]))
    reports, checkups, scores = [], [], []
    for loss in (own.name, own(), like):
        reg = MLPRegressor(loss, (4,), max_iter=20, random_state=0).fit(X, y)
        reg.save(tmp_path / "m.safetensors")
        reports.append(evaluate(tmp_path / "m.safetensors", X, y).to_dict())
        checkups.append(diagnose(load_model(tmp_path / "m.safetensors"), X, y).to_json())
        scores.append(reg.score(X, y))
    assert reports[0] == reports[1] == reports[2]
    assert checkups[0] == checkups[1] == checkups[2]
    assert scores[0] == scores[1] == scores[2]


def test_a_network_with_named_inputs_takes_its_columns_of_a_table():
    net = MLP(Architecture(2, (), 1), dtype="float64")
    net.parameters[:] = (1.0, 2.0, 0.0)
    model = Model(net, inputs=Numbers(2, names=("a", "b")))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["b", "other", "a"])
    y = X["a"] + 2 * X["b"]
    found = evaluate(model, X, y, by="other")
    assert found.metrics["rmse"].value == pytest.approx(0, abs=1e-12)
    assert {each.column for each in found.slices} == {"other"}
    with pytest.raises(InvalidDataError, match="missing: a; found: b, other"):
        evaluate(model, X[["b", "other"]], y)


def test_groups_are_drawn_and_compared_as_a_whole(classifier):
    X, y = people(400, 1)
    X["clinic"] = np.arange(400) // 40
    found = evaluate(classifier, X, y, groups="clinic")
    assert found.n_groups == 10
    assert "bootstrap over 10 groups" in str(found)
    assert "clinic" not in {each.column for each in found.slices}
    same = evaluate(classifier, X.drop(columns="clinic"), y, groups=X["clinic"])
    assert same.metrics == found.metrics
    by = evaluate(classifier, X, y, groups="clinic", by="clinic")
    assert {each.value for each in by.slices} == set("0123456789")


def test_few_samples_have_no_peers_and_say_so(classifier):
    X, y = people(12, 1)
    found = evaluate(classifier, X, y)
    assert (found.baseline, found.linear, found.slices) == (None, None, ())
    assert "too few samples" in str(found)


# What is refused ---------------------------------------------------------------------------


def test_what_cannot_be_judged_is_refused(classifier):
    X, y = people(60, 1)
    for wrong, kind, message in (
        ({"y": y[:50]}, InvalidDataError, "must have 60 targets, one per sample of X; got 50"),
        ({"y": [None] * 60}, InvalidDataError, "must have at least two targets; got 0"),
        ({"y": np.zeros((60, 2))}, InvalidDataError, r"must be a vector, .* got shape \(60, 2\)"),
        (
            {"y": [1] * 60},
            InvalidDataError,
            "must contain at least one of the model's classes, a, b; got 1",
        ),
        ({"by": "plce"}, InvalidArgumentError, "did you mean 'place'"),
        ({"groups": "plce"}, InvalidArgumentError, "did you mean 'place'"),
        ({"groups": [1] * 60}, InvalidDataError, "must have at least two groups"),
        ({"groups": [1, 2]}, InvalidDataError, r"must have shape \(60,\), one group per sample"),
        ({"model": 3}, InvalidTypeError, "must be a network, a Model or an MLP estimator; got int"),
        ({"X": X[["x"]]}, InvalidDataError, "missing: place"),
    ):
        arguments = {"model": classifier, "X": X, "y": y} | wrong
        with pytest.raises(kind, match=message):
            evaluate(**arguments)


def test_several_targets_are_refused():
    labels = Model(MLP(Architecture(2, (), 3, output="sigmoid")), Labels(3))
    with pytest.raises(InvalidArgumentError, match="must have one target; got 3 labels"):
        evaluate(labels, np.zeros((9, 2)), np.zeros(9))
    values = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(np.eye(4), np.eye(4))
    with pytest.raises(InvalidArgumentError, match="must predict one value per sample"):
        evaluate(values, np.eye(4), np.zeros(4))


def test_columns_without_names_cannot_be_named():
    net = MLP(Architecture(2, (), 1))
    for name in ("by", "groups"):
        with pytest.raises(InvalidArgumentError, match=r"a table with|column of a table"):
            evaluate(net, np.zeros((9, 2)), np.zeros(9), **{name: "a"})


def test_values_whose_squares_overflow_are_refused():
    net = MLP(Architecture(2, (), 1))
    with pytest.raises(InvalidDataError, match="squares are finite; got 1e"):
        evaluate(net, np.zeros((9, 2)), np.full(9, 1e200))
