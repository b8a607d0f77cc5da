"""How a classifier is fooled: hyperplanes, margins, a grid of points, and autograd's signs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from multilayer import Architecture, MLPClassifier
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.inspection import adversarial_accuracy, decision_hyperplane, deepfool
from multilayer.model import Classes, Labels, Model, Numbers, Values
from multilayer.numpy import MLP, Ensemble
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
EPSILONS = np.array([0.0, 0.05, 0.2, 0.5, 2.0])


def network(*widths, seed=0, dtype="float64", **settings):
    n_in, *hidden, n_out = widths or (4, 8, 8, 3)
    net = MLP(Architecture(n_in, tuple(hidden), n_out, **settings), dtype=dtype)
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.6, size=net.n_parameters)
    return net


class TestDeepFool:
    @pytest.mark.parametrize("output", ["identity", "sigmoid"])
    @given(seed=st.integers(0, 1000), overshoot=st.floats(1e-6, 0.5))
    def test_of_a_linear_classifier_it_is_the_distance_to_the_hyperplane(
        self, output, seed, overshoot
    ):
        net = network(4, 1, seed=seed, output=output)
        plane = decision_hyperplane(net)
        found = deepfool(net, X, overshoot=overshoot)
        expected = np.abs(plane.signed_distances(X))
        np.testing.assert_allclose(found.distances, (1 + overshoot) * expected, rtol=1e-6)
        np.testing.assert_allclose(
            plane.signed_distances(X + found.changes),
            -overshoot * plane.signed_distances(X),
            atol=1e-7,
        )

    @pytest.mark.parametrize("output", ["identity", "softmax", "log_softmax"])
    @given(seed=st.integers(0, 1000))
    def test_of_several_classes_it_is_the_nearest_hyperplane(self, output, seed):
        net = network(4, 5, seed=seed, output=output)
        found = deepfool(net, X, overshoot=0.01)
        for x, predicted, distance in zip(X, found.predicted, found.distances, strict=True):
            each = [
                abs(decision_hyperplane(net, (int(predicted), k)).signed_distances(x[None])[0])
                for k in range(5)
                if k != predicted
            ]
            assert distance == pytest.approx(1.01 * min(each), rel=1e-6)

    @pytest.mark.parametrize("make", [lambda net: net, TorchMLP.from_numpy])
    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    def test_what_it_finds_is_predicted_otherwise(self, activation, make):
        net = network(activation=activation)
        found = deepfool(make(net), X)
        is_found = np.isfinite(found.distances)
        assert is_found.mean() > 0.8
        np.testing.assert_array_equal(found.predicted, net(X).argmax(axis=1))
        after = net(X + found.changes).argmax(axis=1)
        np.testing.assert_array_equal(after, found.predicted_after)
        np.testing.assert_array_equal(is_found, after != found.predicted)
        expected = np.sqrt((found.changes[is_found] ** 2).sum(axis=1))
        np.testing.assert_allclose(found.distances[is_found], expected, rtol=1e-12)

    def test_nothing_on_a_grid_is_nearer_than_the_boundary_and_it_is_near(self):
        net = network(2, 8, 8, 1, seed=3, activation="tanh", output="sigmoid")
        points = RNG.uniform(-2, 2, size=(30, 2))
        side, n = 8.0, 801
        axis = np.linspace(-side / 2, side / 2, n)
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        is_one = net(grid)[:, 0] > 0.5
        found = deepfool(net, points)
        diagonal = np.sqrt(2) * side / (n - 1)
        for point, klass, distance in zip(points, found.predicted, found.distances, strict=True):
            others = grid[is_one != klass]
            nearest = np.linalg.norm(others - point, axis=1).min()
            assert nearest - diagonal <= distance
        finite = np.isfinite(found.distances)
        assert finite.any()

    def test_distances_are_in_the_units_of_the_raw_samples(self):
        net, (mean, scale) = network(4, 1), RNG.uniform(0.2, 5, (2, 4))
        raw = X * scale + mean
        model = Model(net, inputs=Numbers(4, mean=mean, scale=scale))
        (W, b) = net.weights[0]
        folded = network(4, 1)
        folded.set_weights([(W / scale, b - (W / scale) @ mean)])
        expected = np.abs(decision_hyperplane(folded).signed_distances(raw))
        np.testing.assert_allclose(deepfool(model, raw).distances, 1.02 * expected, rtol=1e-6)

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_the_classes_are_those_of_the_model(self):
        names = np.array(["blue", "green", "red"])
        clf = MLPClassifier((5,), max_iter=5, random_state=0).fit(X, names[np.arange(40) % 3])
        found = deepfool(clf, X)
        np.testing.assert_array_equal(found.predicted, clf.predict(X))
        is_found = np.isfinite(found.distances)
        assert is_found.any()
        np.testing.assert_array_equal(
            found.predicted_after[is_found], clf.predict(X + found.changes)[is_found]
        )

    def test_where_nothing_changes_the_prediction_the_distance_is_infinite(self):
        net = network()
        net.weights[0][0][:] = 0
        found = deepfool(net, X[:2])
        assert found.distances.tolist() == [np.inf, np.inf]
        assert (found.changes == 0).all()
        np.testing.assert_array_equal(found.predicted, found.predicted_after)

    def test_a_sample_on_the_boundary_leaves_it(self):
        net = network(2, 1)
        net.parameters[:] = 3, 4, -10
        found = deepfool(net, [[2.0, 1.0]], overshoot=0)
        assert 0 < found.distances[0] < 1e-8
        assert found.predicted != found.predicted_after

    def test_the_steps_are_limited(self):
        net = network(activation="tanh", seed=1)
        few, many = (np.isfinite(deepfool(net, X, max_steps=n).distances).sum() for n in (1, 50))
        assert few < many

    def test_many_samples_go_in_parts(self, monkeypatch):
        net = network()
        whole = deepfool(net, X).changes
        monkeypatch.setattr("multilayer.inspection.robustness.CHUNK", 7)
        np.testing.assert_allclose(deepfool(net, X).changes, whole, rtol=1e-9, atol=1e-12)


class TestAdversarialAccuracy:
    @pytest.mark.parametrize("n_steps", [1, 4])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_of_a_linear_classifier_it_is_the_share_of_margins_that_are_large_enough(
        self, dtype, n_steps
    ):
        net = network(4, 1, dtype=dtype)
        net.parameters[:] *= 300  # so sure that a gradient rounds to 0
        (w,), b = (array.astype(float) for array in net.weights[0])
        z = X @ w + b
        y = np.where(RNG.uniform(size=40) < 0.2, z < 0, z > 0).astype(int)
        margins = np.where(y == 1, z, -z) / np.abs(w).sum()
        found = adversarial_accuracy(net, X, y, EPSILONS, n_steps=n_steps)
        expected = [(margins > epsilon).mean() for epsilon in EPSILONS]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert len(set(expected)) == len(EPSILONS)

    @pytest.mark.parametrize("make", [lambda net: net, TorchMLP.from_numpy])
    @pytest.mark.parametrize("n_steps", [1, 5])
    def test_the_moves_are_those_of_autograds_signs(self, n_steps, make):
        net = network(activation="tanh", output="softmax")
        twin, y = TorchMLP.from_numpy(net), RNG.integers(3, size=40)
        expected = []
        for epsilon in EPSILONS:
            x = torch.tensor(X)
            for _ in range(n_steps):
                x.requires_grad_()
                loss = F.cross_entropy(twin.logits(x), torch.tensor(y), reduction="sum")
                x = (x + epsilon / n_steps * torch.autograd.grad(loss, x)[0].sign()).detach()
            both = (net(X).argmax(axis=1) == y) & (net(x.numpy()).argmax(axis=1) == y)
            expected.append(both.mean())
        found = adversarial_accuracy(make(net), X, y, EPSILONS, n_steps=n_steps)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found[-1] < found[0]

    def test_epsilon_is_in_the_units_of_the_raw_samples(self):
        net, (mean, scale) = network(4, 1, output="sigmoid"), RNG.uniform(0.2, 5, (2, 4))
        raw, names = X * scale + mean, np.array(["no", "yes"])
        model = Model(net, Classes(names), Numbers(4, mean=mean, scale=scale))
        (w,), b = net.weights[0]
        z = X @ w + b
        expected = [(np.abs(z) > e * np.abs(w / scale).sum()).mean() for e in EPSILONS]
        found = adversarial_accuracy(model, raw, names[(z > 0).astype(int)], EPSILONS)
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_where_nothing_is_right_nothing_becomes_so(self):
        net = network()
        y = (net(X).argmax(axis=1) + 1) % 3
        assert (adversarial_accuracy(net, X, y, EPSILONS) == 0).all()


def three_classes():
    return np.zeros(40, int)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: deepfool(network(), X, overshoot=-1), InvalidArgumentError,
         "overshoot of deepfool must be a number in [0, inf); got -1"),
        (lambda: deepfool(network(), X, max_steps=0), InvalidArgumentError, "max_steps of deep"),
        (lambda: deepfool(network(4, 2, output="exp"), X), InvalidArgumentError,
         "model of deepfool must tell classes apart"),
        (lambda: deepfool(Model(network(4, 2, output="sigmoid"), Labels(2)), X),
         InvalidArgumentError, "model of deepfool must tell classes apart; got a Model of Labels"),
        (lambda: deepfool(Model(network(4, 1), Values(1)), X), InvalidArgumentError,
         "got a Model of Values"),
        (lambda: deepfool(Model(network(4, 1, output="sigmoid"), Classes(np.array(["a"]))), X),
         InvalidArgumentError, "must distinguish at least two classes; got one, a"),
        (lambda: deepfool(Ensemble(Architecture(4, (3,), 2), 2), X), InvalidTypeError,
         "must be one network"),
        (lambda: adversarial_accuracy(network(), X, three_classes(), [-1.0]), InvalidDataError,
         "epsilons of adversarial_accuracy must be a vector of numbers of at least 0; got [-1.0]"),
        (lambda: adversarial_accuracy(network(), X, three_classes(), 0.1), InvalidDataError,
         "epsilons of adversarial_accuracy must be a vector"),
        (lambda: adversarial_accuracy(network(), X, np.full(40, 7), [0.1]), InvalidDataError,
         "y of adversarial_accuracy must hold the model's classes 0, 1, 2; got 7 at index 0"),
        (lambda: adversarial_accuracy(network(), X, three_classes(), [0.1], n_steps=0),
         InvalidArgumentError, "n_steps of adversarial_accuracy"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
