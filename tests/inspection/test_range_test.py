"""The learning-rate range test: on losses whose largest rate is known."""

import math

import numpy as np
import pytest

from multilayer import Architecture, MLPRegressor
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
)
from multilayer.inspection import lr_finder
from multilayer.numpy import MLP, SGD
from multilayer.torch import MLP as TorchMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.1 * RNG.normal(size=64)


def linear(engine=MLP, **settings):
    architecture = Architecture(3, settings.pop("hidden", ()), 1, **settings)
    return engine(architecture, dtype="float64", initializer="lecun", rng=np.random.default_rng(0))


def find(net, X=X, y=Y, *, rng=0, **settings):
    settings = {"loss": "squared_error", "optimizer": "sgd", "batch_size": 64} | settings
    return lr_finder(net, X, y, rng=np.random.default_rng(rng), **settings)


def test_the_loss_blows_up_beyond_two_over_the_largest_curvature():
    # Gradient descent on a parabola: steps beyond 2/λ, with λ the Hessian's largest eigenvalue.
    design = np.column_stack([X, np.ones(64)])
    limit = 2 / np.linalg.eigvalsh(design.T @ design / 64)[-1]
    test = find(linear(), smallest=1e-4, largest=100.0, n_steps=400)
    assert test.has_diverged
    assert limit < test.diverged_at < 5 * limit  # what is next to nothing takes steps to grow
    assert 0.01 * limit < test.suggestion < limit
    assert test.suggestion == test.best / 10


def test_the_rates_grow_by_a_factor_and_the_losses_are_those_before_the_steps():
    net = linear()
    test = find(net, smallest=1e-9, largest=1e-7, n_steps=5)
    assert test.learning_rates == pytest.approx([1e-9, 10**-8.5, 1e-8, 10**-7.5, 1e-7])
    # So small steps change nothing: each loss is the network's own, and its mean as well.
    own = 0.5 * np.square(net(X)[:, 0] - Y).mean()
    assert test.losses == pytest.approx(np.full(5, own), rel=1e-5)
    assert test.smoothed == pytest.approx(np.full(5, own), rel=1e-5)
    assert not test.has_diverged
    assert test.diverged_at == math.inf


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_the_network_is_not_changed_and_the_engines_agree(engine):
    net = linear(engine, hidden=(8,), normalization="batch")
    before = [array.copy() for pair in net.weights for array in pair if array is not None]
    before += [array.copy() for array in net.state.values()]
    test = find(net, batch_size=16)
    after = [array for pair in net.weights for array in pair if array is not None]
    after += list(net.state.values())
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    numpy_test = find(linear(hidden=(8,), normalization="batch"), batch_size=16)
    n = min(60, len(test.losses))  # before it diverges, and rounding with it
    assert test.losses[:n] == pytest.approx(numpy_test.losses[:n], rel=1e-6)


def test_a_torch_network_that_was_trained_with_dropout_can_be_tested():
    from multilayer.training import fit

    net = linear(TorchMLP, hidden=(8,), dropout=0.2)
    fit(net, (X, Y), loss="squared_error", n_epochs=1)
    assert len(find(net).losses) > 10


def test_the_same_seed_gives_the_same_losses_and_another_gives_others():
    first, again, other = (find(linear(), rng=seed, batch_size=8) for seed in (1, 1, 2))
    assert (first.losses == again.losses).all()
    assert not np.array_equal(first.losses[:20], other.losses[:20])


def test_each_parameter_has_an_effect():
    base = find(linear(hidden=(8,)), n_steps=20)
    for changed in (
        {"loss": "huber"},
        {"optimizer": "lion"},
        {"smallest": 1e-3},
        {"largest": 1e-2},
        {"n_steps": 30},
        {"batch_size": 7},
    ):
        other = find(linear(hidden=(8,)), **{"n_steps": 20} | changed)
        assert not np.array_equal(base.losses, other.losses), changed
    optimizers = [SGD(learning_rate=rate) for rate in (1e-3, 10.0)]
    one, two = (find(linear(), optimizer=optimizer) for optimizer in optimizers)
    assert (one.losses == two.losses).all()  # the optimizer's own rate does not matter


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"net": 3},
            InvalidTypeError,
            "net of lr_finder must be a network, such as multilayer.numpy.MLP; got 3",
        ),
        (
            {"net": MLPRegressor()},
            InvalidTypeError,
            "net of lr_finder must be a network, such as multilayer.numpy.MLP; got MLPRegressor(): "
            "pass its network_, and y as the loss takes it",
        ),
        (
            {"smallest": 0},
            InvalidArgumentError,
            "smallest of lr_finder must be a number in (0, inf); got 0",
        ),
        (
            {"largest": 1e-7},
            InvalidArgumentError,
            "largest of lr_finder must be above smallest, 1e-06; got 1e-07",
        ),
        (
            {"n_steps": 1},
            InvalidArgumentError,
            "n_steps of lr_finder must be an integer of at least 2; got 1",
        ),
        (
            {"optimizer": "lbfgs"},
            InvalidArgumentError,
            "optimizer of lr_finder must have a learning rate; L-BFGS has none",
        ),
        ({"X": X[:, :2]}, InvalidDataError, "X must have 3 features"),
        (
            {"y": np.full(64, 1e200)},
            DivergenceError,
            "the loss of lr_finder is not finite even at the first step: scale the samples",
        ),
    ],
)
def test_arguments_that_cannot_be_used(arguments, error, message):
    with pytest.raises(error) as caught:
        find(**{"net": linear()} | arguments)
    assert message in str(caught.value)
