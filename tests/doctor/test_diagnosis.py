"""The report: as text, HTML, JSON and in colours; what comes in, and that nothing is changed."""

import io
import json
import math
import random
import threading
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from rich.console import Console
from scipy.sparse import csr_array
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multilayer import Architecture, MLPClassifier, MLPRegressor, load
from multilayer.data import SparseSamples, load_digits
from multilayer.doctor import Diagnosis, Finding, diagnose
from multilayer.doctor.case import MAX_SAMPLES, sample_of
from multilayer.doctor.patient import admit
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.inspection import lr_finder
from multilayer.model import Columns, Model, Values
from multilayer.numpy import (
    LBFGS,
    LOSSES,
    MLP,
    SGD,
    BinaryCrossEntropy,
    CrossEntropy,
    GroupedCrossEntropy,
    Huber,
    Quantile,
    SquaredError,
)
from multilayer.torch import MLP as TorchMLP
from multilayer.training import History, fit


@pytest.fixture
def report():
    wrong = Finding("first", "wrong", {"share": 0.5, "units": 1200}, "It is <bad>.", "Mend it.")
    warning = Finding("second", "warning", {"loss": math.inf}, "It is slow.", "Be quick. " * 20)
    return Diagnosis("MLP(2-1)", (wrong, warning), {"overfitting": "validation=(X, y)"})


def test_the_plain_text_has_all_in_lines_of_88(report):
    text = str(report)
    assert repr(report) == text
    assert max(map(len, text.splitlines())) <= 88
    assert text.splitlines()[0] == "2 findings in MLP(2-1)"
    assert text.splitlines()[-1] == "Not checked: overfitting (needs validation=(X, y))"
    for part in ("wrong    first", "share: 0.5, units: 1,200", "It is <bad>.", "→ Mend it."):
        assert part in text
    assert str(Diagnosis("MLP(2-1)", ())) == "nothing wrong in MLP(2-1)"


def test_it_is_a_sequence(report):
    assert len(report) == 2
    assert [finding.name for finding in report] == list(report.names) == ["first", "second"]
    assert report[0].severity == "wrong"
    assert report[:1] == report.findings[:1]
    assert report.is_wrong
    assert not Diagnosis("MLP", report[1:]).is_wrong


def test_json_holds_all_and_null_for_infinity(report):
    found = json.loads(report.to_json(), parse_constant=pytest.fail)
    assert found["findings"][0] == {
        "name": "first",
        "severity": "wrong",
        "evidence": {"share": 0.5, "units": 1200},
        "meaning": "It is <bad>.",
        "advice": "Mend it.",
    }
    assert found["findings"][1]["evidence"] == {"loss": None}
    assert found["unchecked"] == {"overfitting": "validation=(X, y)"}


def test_html_and_rich_show_markup_as_it_is(report):
    html = report._repr_html_()
    assert "It is &lt;bad&gt;." in html
    assert html.count("<tr>") == 3
    assert "<table" not in Diagnosis("MLP", ())._repr_html_()
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True)
    console.print(report)
    text = stream.getvalue()
    assert "It is <bad>." in text
    assert "\x1b[1;31mwrong" in text  # bold red
    stream.truncate(0)
    console.print(Diagnosis("MLP", ()))
    assert "nothing wrong in MLP" in stream.getvalue()


# What comes in -----------------------------------------------------------------------------------


def everything(net):
    """Return all that a network remembers, as bytes."""
    if isinstance(net, TorchMLP):
        return [tensor.numpy().tobytes() for tensor in net.state_dict().values()], net.training
    return [net.parameters.tobytes(), *(array.tobytes() for array in net.state.values())]


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_nothing_is_changed(digits, engine):
    X, y = digits[0]
    architecture = Architecture(64, (16,), 10, normalization="batch", dropout=0.3)
    net = engine(architecture, initializer="he", rng=np.random.default_rng(0))
    history = {"train_loss": [2.3, 2.0]}

    def state():
        return (
            everything(net),
            X.tobytes(),
            y.tobytes(),
            repr(history),
            random.getstate(),
            [
                part if isinstance(part, str) else np.asarray(part).tobytes()
                for part in np.random.get_state()  # noqa: NPY002 - the global one, on purpose
            ],
            torch.get_rng_state().numpy().tobytes(),
        )

    before = state()
    diagnoses = [
        diagnose(net, X, y, history=history, validation=digits[1], optimizer="adam").to_json()
        for _ in range(2)
    ]
    assert state() == before
    assert diagnoses[0] == diagnoses[1]


def test_both_engines_and_a_model_file_get_the_same_findings(digits, network, tmp_path):
    X, y = digits[0]
    X = X + 30
    net = network(64, 16, 10, activation="tanh")
    found = diagnose(net, X, y).to_json()
    assert diagnose(TorchMLP.from_numpy(net), X, y).to_json() == found
    clf = MLPClassifier((16,), activation="tanh", solver="sgd", random_state=0)
    clf.fit(X, y).save(tmp_path / "m.safetensors")
    of_file = diagnose(load(tmp_path / "m.safetensors"), X, y)
    assert of_file.to_json() == diagnose(clf, X, y).to_json()
    assert "unscaled_inputs" in of_file.names


def test_a_models_scaling_stands_before_the_checks():
    from multilayer.model import Classes, Model, Numbers

    d = load_digits()
    net = MLP(Architecture(64, (), 10, output="softmax"), rng=np.random.default_rng(0))
    raw = 100 * (d.X_train * d.scale + d.mean)
    model = Model(net, Classes(np.arange(10)), Numbers(64, 100 * d.mean, 100 * d.scale))
    assert "unscaled_inputs" not in diagnose(model, raw, d.y_train).names
    assert "unscaled_inputs" in diagnose(net, raw, d.y_train).names


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson", "quantile"])
def test_a_file_and_its_estimator_are_held_to_the_same_loss(loss, tmp_path):
    X, y = np.arange(40.0).reshape(20, 2) / 20, np.arange(20.0)
    estimator = MLPRegressor(loss, hidden_layer_sizes=(2,), solver="lbfgs", max_iter=3, tol=1e9)
    estimator.fit(X, y).save(tmp_path / "m.safetensors")
    expected = LOSSES[loss]()
    assert admit(estimator).loss == expected
    assert admit(load(tmp_path / "m.safetensors")).loss == expected


@pytest.mark.parametrize(
    ("y", "loss"),
    [
        (np.arange(20) % 2, BinaryCrossEntropy(0.1)),
        (np.arange(20) % 3, CrossEntropy(0.1)),
        (np.eye(20, 3, dtype=int), BinaryCrossEntropy(0.1)),
        (np.arange(40).reshape(20, 2) % 3, GroupedCrossEntropy((3, 3), 0.1)),
    ],
)
def test_label_smoothing_is_part_of_the_loss(y, loss, tmp_path):
    X = np.arange(40.0).reshape(20, 2) / 20
    clf = MLPClassifier((2,), solver="lbfgs", max_iter=3, tol=1e9, label_smoothing=0.1)
    clf.fit(X, y).save(tmp_path / "m.safetensors")
    assert admit(clf).loss == loss
    assert admit(load(tmp_path / "m.safetensors")).loss == loss


def assert_loss_must_be_given(model, told):
    with pytest.raises(InvalidArgumentError) as caught:
        admit(model)
    assert str(caught.value) == (
        "loss of diagnose must be given for a model whose history does not name it; the model "
        f"was trained with {told}"
    )


@dataclass(frozen=True)
class OwnError(SquaredError):
    """A loss that the package does not know."""


@pytest.mark.parametrize("loss", [Huber(2.0), Quantile((0.1, 0.9)), OwnError()])
def test_a_loss_with_parameters_is_told_by_the_file_and_the_history(loss, tmp_path):
    X, y = np.arange(40.0).reshape(20, 2) / 20, np.arange(20.0)
    estimator = MLPRegressor(loss, hidden_layer_sizes=(2,), solver="lbfgs", max_iter=3, tol=1e9)
    estimator.fit(X, y).save(tmp_path / "m.safetensors")
    assert admit(estimator).loss == loss
    model = load(tmp_path / "m.safetensors")
    assert admit(model, loss).loss == loss
    if not isinstance(loss, OwnError):
        assert admit(model).loss == loss
        assert admit(estimator.network_, history=estimator.history_).loss == loss
        return
    assert_loss_must_be_given(model, "OwnError()")


def test_a_loss_that_only_the_history_names_is_not_replaced_by_another():
    information = {"history": {"settings": {"loss": {"name": "own_error", "delta": 2.0}}}}
    net = MLP(Architecture(2, (), 1))
    for targets in (None, Values(1)):
        model = Model(net, targets, information=information)
        assert_loss_must_be_given(model, "{'name': 'own_error', 'delta': 2.0}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_member_alone_is_not_told_the_history_of_another():
    X = np.random.default_rng(0).normal(size=(40, 2))
    reg = MLPRegressor("huber", (2,), n_members=2, max_iter=2).fit(X, X[:, 0])
    patient = admit(reg.to_model().members[1])
    assert (patient.history, patient.loss) == ({}, Huber())


def test_quantiles_without_a_history_need_their_loss():
    model = Model(MLP(Architecture(2, (), 2)), Values(1, n_each=2))
    assert_loss_must_be_given(model, "1 value of 2 quantiles")


def test_words_as_classes_labels_and_several_targets():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    settings = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "alpha": 1.0, "random_state": 0}
    for targets in (words, np.eye(3, dtype=int)[y], np.column_stack([words, words])):
        clf = MLPClassifier(**settings, tol=1e-2).fit(X, targets)
        assert diagnose(clf, X, targets).names == ()


def test_of_many_samples_some_are_taken_evenly(network):
    n = 3 * MAX_SAMPLES
    X = np.arange(2.0 * n).reshape(n, 2)
    y = np.arange(n) % 3
    patient = admit(network(2, 3), None)
    sample, loss = sample_of(patient, X, y)
    assert len(sample) == MAX_SAMPLES
    assert loss.name == "cross_entropy"
    rows = (sample.X[:, 0] / 2).astype(int)
    assert (rows[0], rows[-1]) == (0, n - 1)
    assert set(np.diff(rows)) <= {2, 3, 4}
    assert (sample.targets == y[rows]).all()
    matrix = csr_array(X)
    kinds = [
        SparseSamples(matrix),
        matrix,
        matrix.tocoo(),
        matrix.todok(),
        X.tolist(),
        pd.DataFrame(X),
    ]
    for same in kinds:
        other, _ = sample_of(patient, same, y.tolist())
        assert (other.X == sample.X).all()
        assert (other.targets == sample.targets).all()


def test_of_many_rows_of_a_table_only_those_that_are_looked_at_are_encoded(monkeypatch):
    n = 2 * MAX_SAMPLES
    table = {"size": np.arange(n) % 7, "kind": [["oak", "elm", None][i % 3] for i in range(n)]}
    columns = Columns.of(table)
    net = MLP(Architecture(columns.in_features, (), 2), rng=np.random.default_rng(0))
    patient = admit(Model(net, inputs=columns), "cross_entropy")
    seen = []
    encode = Columns.encode
    monkeypatch.setattr(Columns, "encode", lambda self, X: seen.append(encode(self, X)) or seen[-1])
    y = np.arange(n) % 2
    for X in (table, pd.DataFrame(table), polars.DataFrame(table)):
        sample, _ = sample_of(patient, X, y)
        assert np.array_equal(sample.X, seen[0])
    assert [len(X) for X in seen] == [MAX_SAMPLES] * 3
    with pytest.raises(InvalidDataError, match="X must have columns of equal length"):
        sample_of(patient, table | {"kind": table["kind"][:-1]}, y)


def test_sparse_samples_and_texts_go_through_pipelines():
    words = np.array(["oak", "elm", "fir"])
    drawn = np.random.default_rng(0).integers(3, size=(MAX_SAMPLES + 9, 4))
    texts, y = [" ".join(words[row]) for row in drawn], (drawn == 0).any(axis=1)
    clf = MLPClassifier((4,), solver="lbfgs", alpha=0.1, random_state=0)
    pipeline = make_pipeline(CountVectorizer(), clf).fit(texts, y)
    assert diagnose(pipeline, texts, y).names == ()
    counts = pipeline[0].transform(texts)
    assert diagnose(clf, counts, y).to_json() == diagnose(pipeline, texts, y).to_json()


def test_what_was_not_looked_at_is_said(digits, healthy):
    net, history = healthy
    X, y = digits[0]
    assert [*diagnose(net, X, y).unchecked] == ["the learning rate", "overfitting"]
    assert [*diagnose(net, X, y, optimizer="sgd").unchecked] == ["overfitting"]
    assert [*diagnose(net, X, y, history=history).unchecked] == ["overfitting"]
    assert diagnose(net, X, y, history=history, validation=digits[1]).unchecked == {}


def test_the_range_test_takes_the_optimizer_of_the_history(
    digits, network, train, healthy, monkeypatch
):
    """It is asked where the loss has not come down, and left alone where it has."""
    X, y = digits[0]
    asked = []

    def counted(*arguments, **settings):
        asked.append(settings)
        return lr_finder(*arguments, **settings)

    monkeypatch.setattr("multilayer.doctor.case.lr_finder", counted)
    net = network(64, 32, 10)
    history = train(net, digits[0], optimizer=SGD(learning_rate=1e-6), n_epochs=3, batch_size=50)
    low = diagnose(net, X, y, history=history)
    assert "learning_rate_too_low" in low.names
    assert (asked[0]["optimizer"], asked[0]["batch_size"]) == (SGD(learning_rate=1e-6), 50)
    clf = MLPClassifier((32,), solver="sgd", learning_rate_init=1e-6, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X, y)
    evidence = next(f for f in diagnose(clf, X, y) if f.name == "learning_rate_too_low").evidence
    assert evidence["learning rate"] == 1e-6 < evidence["suggested"] / 1000
    assert asked[1]["optimizer"].nesterov
    learned, well = healthy
    told = {"train_loss": well["train_loss"]}
    assert diagnose(learned, X, y, history=told, optimizer=SGD(learning_rate=20.0)).names == ()
    assert len(asked) == 2


def test_a_loss_that_jumps_at_a_low_rate_is_not_said_to_have_a_high_one(digits, network):
    net = network(64, 32, 10)
    jumping = {"train_loss": [2.3, 2.5, 2.2, 2.5, 2.3, 2.6, 2.2, 2.5]}
    for rate, expected in ((1e-4, False), (5.0, True)):
        found = diagnose(net, *digits[0], history=jumping, optimizer=SGD(learning_rate=rate))
        assert ("learning_rate_too_high" in found.names) == expected


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_going_on_with_a_network_that_has_learned_is_no_fault(digits):
    """A history then begins where the loss is low already, and cannot fall by much."""
    X, y = digits[0]
    clf = MLPClassifier((16,), learning_rate_init=0.01, max_iter=60, random_state=0).fit(X, y)
    clf.set_params(warm_start=True, learning_rate_init=1e-6, max_iter=20).fit(X, y)
    assert diagnose(clf, X, y).names == ()
    clf.set_params(warm_start=False).partial_fit(X, y)
    assert diagnose(clf, X, y).names == ()


def test_a_history_without_settings_leaves_what_the_estimator_knows(digits):
    """Its loss, its label smoothing, and that the best weights were put back."""
    X, y = digits[0]
    clf = MLPClassifier((16,), label_smoothing=0.1, max_iter=2, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X, y)
    told = {"train_loss": clf.loss_curve_}
    patient = admit(clf, history=told)
    assert patient.loss == CrossEntropy(0.1)
    assert patient.has_best_weights
    with pytest.warns(ConvergenceWarning):
        reg = MLPRegressor("huber", hidden_layer_sizes=(2,), max_iter=2).fit(X, y)
    assert admit(reg, history={"train_loss": reg.loss_curve_}).loss == Huber()


@pytest.mark.parametrize("told", [None, 0, "32", 2.5])
def test_a_batch_size_that_is_none_is_not_taken(digits, network, told):
    history = History({"train_loss": [2.3, 2.3]})
    history.settings = {"optimizer": {"name": "adam", "learning_rate": 1e-9}, "batch_size": told}
    found = diagnose(network(64, 8, 10), *digits[0], history=history)
    assert "learning_rate_too_low" in found.names


def test_lbfgs_has_no_learning_rate_to_judge(digits, network):
    X, y = digits[0]
    net = network(64, 10)
    history = fit(net, (X, y), loss="cross_entropy", optimizer="lbfgs", n_epochs=9)
    net = network(64, 10)
    falling = History({"train_loss": list(np.linspace(2.3, 2.0, 9))})
    assert "learning_rate_too_low" in diagnose(net, X, y, history=falling).names
    falling.settings = history.settings
    found = diagnose(net, X, y, history=falling)
    assert "learning_rate_too_low" not in found.names
    assert "the learning rate" not in found.unchecked


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"net_or_estimator": 3},
            InvalidTypeError,
            "net_or_estimator of diagnose must be an MLP of either engine, an estimator, a Model "
            "or a pipeline that ends in one; got int",
        ),
        (
            {"net_or_estimator": TheirClassifier()},
            InvalidTypeError,
            "net_or_estimator of diagnose must be an MLP of either engine, an estimator, a Model "
            "or a pipeline that ends in one; got MLPClassifier",
        ),
        ({"net_or_estimator": MLPClassifier()}, NotFittedError, "not fitted yet"),
        (
            {"history": [1.0]},
            InvalidTypeError,
            "history of diagnose must be a History, or a mapping of names to one number per epoch; "
            "got list",
        ),
        (
            {"history": {"train_loss": ["much"]}},
            InvalidTypeError,
            "history of diagnose must hold one number per epoch; could not convert string to "
            "float: 'much'",
        ),
        (
            {"validation": 0.2},
            InvalidTypeError,
            "validation of diagnose must be a tuple (X, y) or None; got float",
        ),
        (
            {"validation": pd.DataFrame([[1]] * 3)},
            InvalidTypeError,
            "validation of diagnose must be a tuple (X, y) or None; got DataFrame of length 3",
        ),
        (
            {"optimizer": LBFGS()},
            InvalidArgumentError,
            "optimizer of diagnose must have a learning rate; L-BFGS has none",
        ),
        ({"loss": "cros_entropy"}, InvalidArgumentError, "did you mean 'cross_entropy'?"),
        ({"loss": Quantile((0.5,))}, InvalidDataError, "y must have shape (1000, 10)"),
        ({"X": np.zeros((5, 3))}, InvalidDataError, "X must have 64 features"),
        ({"X": 3}, InvalidDataError, "X must have shape (n_samples, 64); got shape ()"),
        (
            {"net_or_estimator": pd.DataFrame([[1]])},
            InvalidTypeError,
            "got DataFrame: the order is diagnose(net_or_estimator, X, y)",
        ),
        (
            {"net_or_estimator": "m.safetensors"},
            InvalidTypeError,
            "got str: read a model's file with multilayer.load first",
        ),
        (
            {"y": [0, 1]},
            InvalidDataError,
            "y must have one target for each of the 1000 samples; got 2",
        ),
        (
            {"validation": (np.zeros((5, 64)), [0, 1])},
            InvalidDataError,
            "validation[1] of diagnose must have one target for each of the 5 samples; got 2",
        ),
        (
            {"validation": (np.zeros((5, 3)), [0, 1])},
            InvalidDataError,
            "validation[0] of diagnose must have 64 features",
        ),
    ],
)
def test_arguments_that_cannot_be_used(digits, healthy, arguments, error, message):
    X, y = digits[0]
    with pytest.raises(error) as caught:
        diagnose(**{"net_or_estimator": healthy[0], "X": X, "y": y} | arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize("scale_targets", [False, True])
def test_text_is_no_target_of_a_regressor(scale_targets):
    X, y = np.arange(40.0).reshape(20, 2) / 20, np.arange(20.0)
    settings = {"hidden_layer_sizes": 2, "solver": "lbfgs", "max_iter": 3, "tol": 1e9}
    reg = MLPRegressor(**settings, scale_targets=scale_targets).fit(X, y)
    with pytest.raises(InvalidTypeError, match="y must be an array of numbers; got dtype <U4"):
        diagnose(reg, X, y.astype("U4"))


# What is odd ------------------------------------------------------------------------------------

TARGETS = {
    "grouped_cross_entropy": (GroupedCrossEntropy((2, 2)), 4, [[0, 1], [1, 0]]),
    "quantile": (Quantile((0.1, 0.9)), 4, [[0.0, 1.0], [2.0, 0.0]]),
    "poisson": ("poisson", 2, [[0, 3], [2, 0]]),
    "cross_entropy": ("cross_entropy", 2, [0, 1]),
    "nll": ("nll", 2, [0, 1]),
}


@pytest.mark.parametrize("n", [1, 2, 12])
@pytest.mark.parametrize("hidden", [(), (1,), (3, 2)])
@pytest.mark.parametrize("name", LOSSES)
def test_odd_samples_and_networks_are_looked_at_without_warnings(name, hidden, n):
    loss, width, y = TARGETS.get(name, (name, 2, [[0, 1], [1, 0]]))
    y = np.array(y * 6)[:n]
    for output in LOSSES[name].outputs:
        net = MLP(Architecture(2, hidden, width, output=output), rng=np.random.default_rng(0))
        for X in (np.zeros((n, 2)), np.ones((n, 2)), 1e30 * np.arange(2.0 * n).reshape(n, 2)):
            found = diagnose(net, X, y, loss=loss, history={"train_loss": []}, validation=(X, y))
            assert json.loads(found.to_json())["subject"] == repr(net)
            assert str(found)


def test_a_range_test_that_cannot_begin_leaves_the_other_checks(network):
    X, y = np.eye(3), np.full((3, 1), 1e30)  # of which the square is infinite in float32
    found = diagnose(network(3, 1), X, y, optimizer="adam")
    assert found.names[:1] == ("unscaled_targets",)
    assert "the learning rate" in found.unchecked
    one_alone = diagnose(network(3, 4, 2, normalization="batch"), X[:1], [0], optimizer="adam")
    assert "the learning rate" in one_alone.unchecked


def test_a_child_looks_at_rates_though_a_thread_of_its_parent_does(
    digits, network, monkeypatch, fork
):
    def slow(*arguments, **settings):
        if threading.current_thread() is thread:
            has_begun.set()
            may_end.wait(20)
        return lr_finder(*arguments, **settings)

    def look():
        return diagnose(network(64, 10), *digits[1], optimizer="adam").names

    has_begun, may_end = threading.Event(), threading.Event()
    monkeypatch.setattr("multilayer.doctor.case.lr_finder", slow)
    thread = threading.Thread(target=look)
    thread.start()
    assert has_begun.wait(20)
    found = fork(look, seconds=20).result()
    may_end.set()
    thread.join()
    assert found == look()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_ensemble_is_examined_member_by_member_also_at_the_end_of_a_pipeline():
    X, y = load_wine(return_X_y=True)
    clf = MLPClassifier((8,), n_members=3, max_iter=30, learning_rate_init=0.01, random_state=0)
    found = diagnose(clf.fit(X, y), X, y)
    assert "unscaled_inputs" in found.names
    assert found[found.names.index("unscaled_inputs")].evidence["networks"] == "3 of 3"
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    assert "unscaled_inputs" not in diagnose(pipeline, X, y).names
    alone = [diagnose(member, StandardScaler().fit_transform(X), y).names
             for member in clf.to_model().members]  # fmt: skip
    assert set(diagnose(pipeline, X, y).names) <= {name for names in alone for name in names}
