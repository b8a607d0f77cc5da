"""What pictures ask of models: the same probabilities, whatever kind of model has them."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from multilayer import Architecture, MLPClassifier
from multilayer.data import toy
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model import Classes, Model, Numbers, Values
from multilayer.numpy import MLP
from multilayer.plots.models import (
    after_hidden_layer,
    class_places,
    class_probabilities,
    hidden_layers,
    network_of,
    plane_grid,
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
    inner, scaling = network_of(model, "test")
    assert np.allclose(inner(scaling(X)), model(X))


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
         "model of test must return probabilities of [0, 1], or classes as integers; "
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

    with pytest.raises(InvalidTypeError, match="may be a module in a function that returns"):
        class_probabilities(nn.Linear(2, 2), X, "test")


@pytest.mark.parametrize(
    "settings", [{}, {"normalization": "batch"}, {"residual": True}, {"dropout": 0.5}]
)
def test_layers_and_what_follows_them_are_the_network(settings):
    net = network(hidden=(4, 4, 2), **settings)
    layers = hidden_layers(net, X)
    assert np.allclose(layers[-1].a, net.features(X))
    for n, a in enumerate([X, *(layer.a for layer in layers)]):
        p = after_hidden_layer(net, n, "test")(a)
        assert np.allclose(p, softmax(net.logits(X), axis=1))
    W, b = net.weights[0]
    if not settings:
        assert np.allclose(layers[0].z, X @ W.T + b)
        assert np.allclose(layers[0].a, np.maximum(layers[0].z, 0))


def test_places_of_classes():
    classes = np.array(["a", "b"])
    assert class_places(["b", "a"], classes, 2, "test").tolist() == [1, 0]
    with pytest.raises(InvalidDataError) as caught:
        class_places(["b", "c"], classes, 2, "test")
    assert str(caught.value) == "y of test must hold the model's classes a, b; got c at index 1"
    with pytest.raises(InvalidDataError) as caught:
        class_places(["b"], classes, 2, "test")
    assert str(caught.value) == "y of test must have shape (2,), one class a sample; got (1,)"


def test_a_grid_of_the_plane():
    xx, yy, points = plane_grid(np.array([0, 10]), np.array([1, 12]), 3)
    assert xx[0].tolist() == [0, 0.5, 1]
    assert yy[:, 0].tolist() == [10, 11, 12]
    assert points[1].tolist() == [0.5, 10]
