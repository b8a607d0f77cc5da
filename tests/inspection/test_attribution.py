"""Integrated gradients: their axioms, closed forms, and integrals of autograd's gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad_vec

from multilayer import Architecture, Embeddings, MLPClassifier, MLPRegressor
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.inspection import integrated_gradients
from multilayer.model import Model, Numbers
from multilayer.numpy import ACTIVATIONS, MLP, Ensemble
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4))
AWAY = RNG.normal(size=(7, 4))  # a baseline for each sample


def network(*widths, seed=0, **settings):
    n_in, *hidden, n_out = widths or (4, 6, 5, 3)
    net = MLP(Architecture(n_in, tuple(hidden), n_out, **settings), dtype="float64")
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.6, size=net.n_parameters)
    return net


class TestCompleteness:
    @pytest.mark.parametrize("of_logits", [False, True])
    @pytest.mark.parametrize("make", [lambda net: net, TorchMLP.from_numpy])
    @pytest.mark.parametrize("activation", list(ACTIVATIONS))
    def test_attributions_add_up(self, activation, make, of_logits):
        net = network(activation=activation, output="softmax")
        # Without kinks, the sum is exact but for rounding; with them, it is off by about 1/n of a
        # change of slope at each.
        n_steps, atol = (300, 0.02) if ACTIVATIONS[activation].kinks else (60, 1e-11)
        found = integrated_gradients(
            make(net), X, baseline=AWAY, of_logits=of_logits, n_steps=n_steps
        )
        f = net.logits if of_logits else net
        every, k = np.arange(7), net(X).argmax(axis=1)
        change = f(X)[every, k] - f(AWAY)[every, k]
        np.testing.assert_allclose(found.values.sum(axis=1), change, rtol=0, atol=atol)
        np.testing.assert_allclose(found.gaps, found.values.sum(axis=1) - change, atol=1e-14)
        np.testing.assert_array_equal(found.output, k)

    @pytest.mark.parametrize("normalization", ["batch", "layer"])
    def test_with_normalisation_residuals_and_dropout(self, normalization):
        settings = {"activation": "tanh", "residual": True, "dropout": 0.5}
        net = network(4, 4, 4, 3, normalization=normalization, **settings)
        found = integrated_gradients(net, X, baseline=1.0, n_steps=200)
        np.testing.assert_allclose(found.gaps, 0, atol=1e-6)  # where a variance is small, steep

    def test_more_steps_close_the_gap_at_kinks(self):
        net = network(activation="relu")
        gaps = [np.abs(integrated_gradients(net, X, n_steps=n).gaps).max() for n in (5, 500)]
        assert gaps[1] < gaps[0] / 20


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_they_are_the_integral_of_autograds_gradients(activation):
    net = network(activation=activation, output="softmax")
    twin = TorchMLP.from_numpy(net)

    def gradient(t):
        x = torch.tensor(AWAY + t * (X - AWAY), requires_grad=True)
        return torch.autograd.grad(twin(x)[:, 1].sum(), x)[0].numpy()

    integral, _ = quad_vec(gradient, 0, 1, epsabs=1e-7, limit=500)
    found = integrated_gradients(net, X, output=1, baseline=AWAY, n_steps=2000)
    np.testing.assert_allclose(found.values, (X - AWAY) * integral, atol=1e-3)


class TestAxioms:
    @given(seed=st.integers(0, 1000), n_steps=st.integers(1, 5))
    def test_of_a_linear_network_it_is_the_weight_times_the_difference(self, seed, n_steps):
        net = network(4, 3, seed=seed)
        W, b = net.weights[0]
        found = integrated_gradients(net, X, output=2, baseline=AWAY, n_steps=n_steps)
        np.testing.assert_allclose(found.values, W[2] * (X - AWAY), rtol=1e-9)
        np.testing.assert_allclose(found.at_baseline, AWAY @ W[2] + b[2], rtol=1e-9)
        np.testing.assert_allclose(found.at_samples, X @ W[2] + b[2], rtol=1e-9)

    def test_where_the_gradient_is_saturated_there_is_still_an_attribution(self):
        """The paper's f(x) = 1 − relu(1 − x): at x = 2 it is flat, and 1 more than at 0."""
        net = network(1, 1, 1, activation="relu")
        net.parameters[:] = -1, 1, -1, 1
        assert net.jacobian([[2.0]]).item() == 0
        found = integrated_gradients(net, [[2.0]], n_steps=1001)
        assert found.values.item() == pytest.approx(1, abs=2e-3)

    def test_an_input_without_effect_gets_nothing_and_the_only_other_one_everything(self):
        net = network(activation="tanh")
        net.weights[0][0][:, 1] = 0
        assert (integrated_gradients(net, X, baseline=AWAY).values[:, 1] == 0).all()
        near = X.copy()
        near[:, 2] += 1
        found = integrated_gradients(net, near, baseline=X, output=0)
        assert (np.delete(found.values, 2, axis=1) == 0).all()
        np.testing.assert_allclose(found.values[:, 2], net(near)[:, 0] - net(X)[:, 0], rtol=1e-9)

    def test_networks_that_are_the_same_function_get_the_same(self):
        net = network(4, 6, 3, activation="relu")
        (W, b), (V, c) = net.weights
        order, factor = RNG.permutation(6), RNG.uniform(0.5, 2, (6, 1))
        same = network(4, 6, 3, activation="relu")
        same.set_weights(
            [(factor * W[order], factor[:, 0] * b[order]), (V[:, order] / factor.T, c)]
        )
        one, other = (integrated_gradients(each, X, output=0).values for each in (net, same))
        np.testing.assert_allclose(one, other, rtol=1e-9)
        deep, flat = network(4, 6, 3, activation="identity"), network(4, 3)
        (W, b), (V, c) = deep.weights
        flat.set_weights([(V @ W, V @ b + c)])
        one, other = (integrated_gradients(each, X, output=0).values for each in (deep, flat))
        np.testing.assert_allclose(one, other, rtol=1e-9)

    def test_inputs_that_are_treated_alike_get_the_same(self):
        net = network(activation="tanh")
        W = net.weights[0][0]
        W[:, 3] = W[:, 0]
        alike = X.copy()
        alike[:, 3] = alike[:, 0]
        values = integrated_gradients(net, alike).values
        np.testing.assert_allclose(values[:, 3], values[:, 0], rtol=1e-9)


class TestWhatItTakes:
    def test_scaling_the_inputs_changes_nothing_but_the_baseline(self):
        net, (mean, scale) = network(activation="tanh"), RNG.uniform(0.5, 2, (2, 4))
        raw = X * scale + mean
        model = Model(net, inputs=Numbers(4, mean=mean, scale=scale))
        inside = integrated_gradients(net, X).values
        np.testing.assert_allclose(
            integrated_gradients(model, raw, baseline=mean).values, inside, rtol=1e-9
        )
        at_zero = integrated_gradients(net, X, baseline=-mean / scale).values
        np.testing.assert_allclose(integrated_gradients(model, raw).values, at_zero, rtol=1e-9)

    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_estimators(self):
        y = np.where(X[:, 0] > 0, "yes", "no")
        clf = MLPClassifier((5,), activation="tanh", max_iter=3, random_state=0).fit(X, y)
        found = integrated_gradients(clf, X)
        change = clf.predict_proba(X)[:, 1] - clf.predict_proba(np.zeros((1, 4)))[:, 1]
        np.testing.assert_allclose(found.values.sum(axis=1), change, atol=1e-6)
        reg = MLPRegressor(hidden_layer_sizes=5, activation="tanh", max_iter=3, random_state=0).fit(
            X, X[:, 0]
        )
        change = reg.predict(X) - reg.predict(X.mean(axis=0, keepdims=True))
        found = integrated_gradients(reg, X, baseline=X.mean(axis=0))
        np.testing.assert_allclose(found.values.sum(axis=1), change, atol=1e-6)

    def test_a_network_of_float32_is_looked_at_in_float64(self):
        net = network(activation="tanh").copy("float32")
        before = net.parameters.copy()
        assert np.abs(integrated_gradients(net, X).gaps).max() < 1e-12
        np.testing.assert_array_equal(net.parameters, before)

    def test_images_and_an_output_for_each_sample(self):
        net, k = network(activation="tanh"), np.array([0, 1, 2, 0, 1, 2, 0])
        flat = integrated_gradients(net, X, output=k, baseline=AWAY)
        image = integrated_gradients(
            net, X.reshape(7, 2, 2), output=k, baseline=AWAY.reshape(7, 2, 2)
        )
        np.testing.assert_array_equal(image.values, flat.values)
        for i, each in enumerate(k):
            alone = integrated_gradients(net, X[[i]], output=int(each), baseline=AWAY[i])
            np.testing.assert_allclose(alone.values[0], flat.values[i], rtol=1e-9)

    def test_many_samples_go_in_parts(self, monkeypatch):
        net = network(activation="tanh")
        whole = integrated_gradients(net, X, baseline=AWAY).values
        monkeypatch.setattr("multilayer.inspection.twin.CHUNK", 3)
        np.testing.assert_allclose(
            integrated_gradients(net, X, baseline=AWAY).values, whole, rtol=1e-12
        )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"output": 3}, InvalidArgumentError, "output of integrated_gradients must be a number "
         "from 0 to 2, or 7 of them, one per sample; got 3"),
        ({"output": [0, 1]}, InvalidArgumentError, "got [0, 1]"),
        ({"output": 0.5}, InvalidArgumentError, "got 0.5"),
        ({"baseline": np.zeros(3)}, InvalidDataError, "baseline of integrated_gradients must be a "
         "number, a sample of 4 features, or 7 of them; got shape (3,)"),
        ({"baseline": np.nan}, InvalidDataError, "must be finite"),
        ({"baseline": "mean"}, InvalidTypeError, "baseline must be an array of numbers"),
        ({"n_steps": 0}, InvalidArgumentError, "n_steps of integrated_gradients"),
        ({"of_logits": 1}, InvalidTypeError, "of_logits of integrated_gradients"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(settings, error, message):
    with pytest.raises(error) as caught:
        integrated_gradients(network(), X, **settings)
    assert message in str(caught.value)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_what_has_no_gradient_in_plain_numbers_is_refused():
    table = {"size": X[:, 0], "kind": np.array(["a", "b"] * 3 + ["a"])}
    clf = MLPClassifier((4,), columns="auto", max_iter=2, random_state=0).fit(table, table["kind"])
    for model, error, message in (
        (clf, InvalidArgumentError, "must take plain or scaled numbers"),
        (Ensemble(Architecture(4, (3,), 2), 2), InvalidTypeError, "must be one network"),
        (lambda X: X, InvalidTypeError, "must be a network, a Model or an MLP estimator"),
        (network(4, 3, 2, embeddings=Embeddings([(0, 2)])), InvalidDataError, "not be embedded"),
        (network(2, 1), InvalidDataError, "must have 2 features"),
    ):
        with pytest.raises(error, match=message):
            integrated_gradients(model, X)
