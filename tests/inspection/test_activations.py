"""Activations measured: planted gradients, known shares, and times that tell slow from fast."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from multilayer.errors import InvalidArgumentError, InvalidTypeError, UnknownNameError
from multilayer.inspection import measure_activations
from multilayer.inspection.activations import _nanoseconds
from multilayer.numpy import ACTIVATIONS, Elementwise, Normal


def test_the_identity_keeps_what_orthogonal_weights_keep():
    # Each layer of orthogonal weights turns samples and gradients, and changes no length.
    (found,) = measure_activations(
        ["identity"], depth=5, width=20, initializer="orthogonal", rng=np.random.default_rng(0)
    )
    assert np.allclose(found.gradient_sizes, found.gradient_sizes[-1], rtol=0.35)
    assert not found.zeros.any()


def test_gradients_are_autograds():
    rng = np.random.default_rng(0)
    (found,) = measure_activations(
        ["tanh"], depth=2, width=4, n_samples=6, n_networks=1, initializer=Normal(0.5), rng=rng
    )
    rng = np.random.default_rng(0)  # the same draws: samples, classes, then weights layer by layer
    X, y = rng.normal(size=(6, 4)), rng.integers(10, size=6)
    layers = []
    for n_out in (4, 4, 10):
        layer = nn.Linear(4, n_out, dtype=torch.float64)
        draw = Normal(0.5)
        layer.weight.data = torch.tensor(draw.weights(n_out, 4, rng))
        layer.bias.data = torch.tensor(draw.biases(n_out, 4, rng)).double()
        layers += [layer, nn.Tanh()]
    logits = nn.Sequential(*layers[:-1])(torch.tensor(X))
    nn.functional.cross_entropy(logits, torch.tensor(y)).backward()
    expected = [layers[i].weight.grad.pow(2).mean().sqrt().item() for i in (0, 2)]
    assert np.allclose(found.gradient_sizes, expected)


def test_half_of_relus_outputs_are_zero_and_its_gradient_lasts():
    sigmoid, tanh, relu = measure_activations(n_networks=3, rng=np.random.default_rng(0))
    assert np.allclose(relu.zeros, 0.5, atol=0.1)
    assert not sigmoid.zeros.any()
    assert not tanh.zeros.any()
    left = [each.gradient_sizes[0] / each.gradient_sizes[-1] for each in (sigmoid, tanh, relu)]
    # σ' of the sigmoid is 1/4 at most: nine layers leave 4⁻⁹ = 4e-6 of it, weights of length 1.
    assert left[0] < 1e-5
    assert min(left[1:]) > 0.1


def test_every_activation_can_be_measured():
    found = measure_activations(list(ACTIVATIONS), depth=2, width=5, n_samples=8, n_networks=1,
                                rng=np.random.default_rng(0))  # fmt: skip
    assert [each.name for each in found] == list(ACTIVATIONS)
    assert all(each.gradient_sizes.shape == each.zeros.shape == (2,) for each in found)
    assert all(each.nanoseconds > 0 for each in found)


@pytest.mark.parametrize("name", ["tanh", "softmax", "mish", "selu"])
def test_weights_are_drawn_by_the_activations_own_initializer(name):
    sizes = [
        measure_activations([name], depth=2, width=5, n_networks=1, initializer=initializer,
                            rng=np.random.default_rng(0))[0].gradient_sizes.tolist()
        for initializer in (None, ACTIVATIONS[name].initializer)
    ]  # fmt: skip
    assert sizes[0] == sizes[1]


def test_a_gradient_of_zero_is_zero():
    (found,) = measure_activations(["relu"], depth=2, width=3, n_networks=2, initializer="zeros",
                                   rng=np.random.default_rng(0))  # fmt: skip
    assert found.gradient_sizes.tolist() == [0, 0]
    assert found.zeros.tolist() == [1, 1]


def test_time_is_of_forward_and_backward():
    class Slow(Elementwise):
        def forward(self, z):
            time.sleep(0.002)
            return z

        def derivative(self, z, a):
            time.sleep(0.001)
            return np.ones_like(z)

    per_number = _nanoseconds(Slow(), np.random.default_rng(0))
    assert per_number >= 3e6 / 65536


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"names": "relu"}, InvalidTypeError,
         "names of measure_activations must be a sequence of activations; got 'relu'"),
        ({"names": ["rleu"]}, UnknownNameError, "did you mean 'relu'?"),
        ({"depth": 0}, InvalidArgumentError,
         "depth of measure_activations must be a positive integer; got 0"),
        ({"n_networks": 1.5}, InvalidTypeError,
         "n_networks of measure_activations must be a positive integer; got 1.5"),
        ({"initializer": "hee"}, UnknownNameError, "got 'hee', did you mean 'he'?"),
    ],
)  # fmt: skip
def test_wrong_settings(settings, error, message):
    with pytest.raises(error) as caught:
        measure_activations(**settings)
    assert message in str(caught.value)
