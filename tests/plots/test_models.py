"""What pictures ask of models: the same probabilities, whatever kind of model has them."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from multilayer import Architecture, MLPClassifier, MLPRegressor
from multilayer.data import toy
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    MissingPackageError,
)
from multilayer.files import save_model
from multilayer.model import Classes, Columns, Model, Numbers, Values, class_places
from multilayer.numpy import MLP
from multilayer.plots.models import (
    class_probabilities,
    column_names,
    model_of,
    plane_grid,
    predicted_values,
)
from multilayer.torch import MLP as TorchMLP

X, y = toy.moons(40, rng=np.random.default_rng(0))


def network(out_features=2, output="identity", hidden=(4, 3), **settings):
    architecture = Architecture(2, hidden, out_features, output=output, **settings)
    return MLP(architecture, dtype="float64", rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("out_features", "output"),
    [(1, "identity"), (1, "sigmoid"), (3, "identity"), (3, "softmax"), (3, "log_softmax")],
)
def test_networks_of_either_engine(out_features, output):
    net = network(out_features, output)
    z = net.logits(X)
    expected = softmax(z, axis=1) if out_features > 1 else np.hstack([1 - expit(z), expit(z)])
    for model in (net, TorchMLP.from_numpy(net)):
        found = class_probabilities(model, X, "test")
        assert found.classes.tolist() == list(range(max(out_features, 2)))
        assert np.allclose(found.probabilities, expected, atol=1e-12)


def test_models_scale_their_inputs():
    net = network(1, "sigmoid")
    mean, scale = np.array([1.0, -2.0]), np.array([2.0, 0.5])
    model = Model(net, Classes(np.array(["no", "yes"])), Numbers(2, mean, scale))
    found = class_probabilities(model, X, "test")
    assert found.classes.tolist() == ["no", "yes"]
    assert np.allclose(found.probabilities[:, 1:], net((X - mean) / scale))
    assert model_of(model, "test") is model


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_the_network_of_an_estimator_has_its_tables_columns():
    table = pd.DataFrame(100 * X + 7, columns=["width", "height"])
    clf = MLPClassifier((3,), max_iter=5, solver="lbfgs", columns="auto").fit(table, y)
    found = model_of(clf, "test")
    assert isinstance(found.inputs, Columns)
    for samples in (table, table.to_numpy(), pl.DataFrame(table)):  # rows by their places
        p = found.net(found.inputs.encode(samples))
        assert np.allclose(p[:, 0], clf.predict_proba(table)[:, 1])
        for model in (clf, found):
            assert np.allclose(class_probabilities(model, samples, "test").probabilities[:, 1:], p)
    assert list(column_names(clf)) == list(column_names(found)) == ["width", "height"]
    assert column_names(found.net) is None


def test_a_table_keeps_its_columns():
    table = pd.DataFrame({"a": [-1.0, -2.0, 1.0, 2.0], "b": [1.0, -1.0, 1.0, -1.0]})
    model = LogisticRegression().fit(table, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="feature names should match"):
        class_probabilities(model, table[["b", "a"]], "test")
    with pytest.raises(ValueError, match="feature names should match"):
        class_probabilities(model, table.rename(columns={"b": "c"}), "test")
    of_rows = class_probabilities(model, table.to_numpy(), "test").probabilities
    assert np.array_equal(of_rows, model.predict_proba(table))


def test_without_pandas_it_is_told_what_to_install(monkeypatch):
    model = LogisticRegression().fit(pd.DataFrame(X, columns=["a", "b"]), y)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError) as caught:
        class_probabilities(model, X, "test")
    assert str(caught.value) == (
        'test needs pandas, since the model was fitted to a table: pip install "pandas"'
    )


def test_values_of_any_model():
    net = network(1)
    for model in (net, TorchMLP.from_numpy(net), Model(net, Values(1)), lambda X: net(X)):
        assert np.allclose(predicted_values(model, X, "test"), net(X)[:, 0])
    table = pd.DataFrame(X, columns=["a", "b"])
    reg = MLPRegressor(hidden_layer_sizes=(3,), max_iter=500, solver="lbfgs", random_state=0).fit(
        table, y
    )
    assert np.array_equal(predicted_values(reg, X, "test"), reg.predict(table))
    with pytest.raises(InvalidArgumentError) as caught:
        predicted_values(Model(network(1, "sigmoid"), Classes(np.arange(2))), X, "test")
    assert str(caught.value) == "model of test must predict values; got a Model of Classes"


@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier((3,), max_iter=2, solver="lbfgs"), LogisticRegression(), RidgeClassifier()],
)
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_estimators(estimator):
    names = np.array(["left", "right"])[y]
    estimator.fit(X, names)
    found = class_probabilities(estimator, X, "test")
    assert found.classes.tolist() == ["left", "right"]
    predicted = found.classes[found.probabilities.argmax(axis=1)]
    assert np.array_equal(predicted, estimator.predict(X))
    assert np.allclose(found.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda X: np.full(len(X), 0.25), [0.75, 0.25]),
        (lambda X: np.full((len(X), 1), 0.25), [0.75, 0.25]),
        (lambda X: np.tile([0.2, 0.3, 0.5], (len(X), 1)), [0.2, 0.3, 0.5]),
        (lambda X: np.ones(len(X), dtype=int), [0, 1]),
        (lambda X: np.zeros(len(X), dtype=bool), [1, 0]),
        (lambda X: np.full(len(X), 2), [0, 0, 1]),
    ],
)
def test_functions(function, expected):
    assert class_probabilities(function, X, "test").probabilities[0].tolist() == expected


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (3, InvalidTypeError,
         "model of test must be a network, a Model, an estimator or a function of samples; "
         "got int"),
        (lambda X: X[:, 0] * 10, InvalidDataError,
         "model of test must return probabilities in [0, 1], or classes as integers; "
         f"got values from {X[:, 0].min() * 10:g} to {X[:, 0].max() * 10:g}"),
        (lambda X: X[:1, 0], InvalidDataError,
         "model of test must return an array of shape (n_samples,) or (n_samples, n_classes); "
         "got (1,) for 40 samples"),
        (network(1, "exp"), InvalidArgumentError,
         "model of test must tell classes apart; got a network with output 'exp' and 1 outputs"),
        (Model(network(1), Values(1)), InvalidArgumentError,
         "model of test must tell classes apart; got a Model of Values"),
    ],
)  # fmt: skip
def test_what_has_no_classes_is_refused(model, error, message):
    with pytest.raises(error) as caught:
        class_probabilities(model, X, "test")
    assert str(caught.value) == message


def test_a_module_of_ones_own_is_told_how():
    from torch import nn

    with pytest.raises(InvalidTypeError, match="must be a function that returns the module's"):
        class_probabilities(nn.Linear(2, 2), X, "test")


def test_places_of_classes():
    classes = np.array(["a", "b"])
    assert class_places(["b", "a"], classes, 2, "test").tolist() == [1, 0]
    with pytest.raises(InvalidDataError) as caught:
        class_places(["b", "c"], classes, 2, "test")
    assert str(caught.value) == "y of test must hold the model's classes a, b; got c at index 1"
    with pytest.raises(InvalidDataError) as caught:
        class_places(["b"], classes, 2, "test")
    assert str(caught.value) == "y of test must have shape (2,), one class per sample; got (1,)"


def test_a_grid_of_the_plane():
    xx, yy, points = plane_grid(np.array([0, 10]), np.array([1, 12]), 3)
    assert xx[0].tolist() == [0, 0.5, 1]
    assert yy[:, 0].tolist() == [10, 11, 12]
    assert points[1].tolist() == [0.5, 10]


def test_a_models_file_is_read(tmp_path):
    classes, values = Classes(np.arange(2)), Values(1)
    paths = tmp_path / "classes", str(tmp_path / "values")
    of_classes, of_values = Model(network(1, "sigmoid"), classes), Model(network(1), values)
    for path, model in zip(paths, (of_classes, of_values), strict=True):
        save_model(path, model)
        assert np.array_equal(model_of(path, "test")(X), model(X))
    found = class_probabilities(paths[0], X, "test").probabilities
    assert np.array_equal(found, of_classes.predict_proba(X))
    assert np.array_equal(predicted_values(paths[1], X, "test"), of_values.predict(X))
