"""What every optimizer promises: it finds its way down, whatever the scale or the dtype."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.numpy import MLP, OPTIMIZERS
from multilayer.numpy.optimizers import Optimizer
from multilayer.training import fit


class Row(NamedTuple):
    """Hyperparameters that suit the quadratic ½ Σ c θ², and what is left of it after 300 steps."""

    settings: dict
    left: float


# A rate of 0.05 is small beside 2/c of the steepest direction, c = 10. Those that normalise the
# gradient end in a cycle as wide as their step, 0.05; Lion's steps are all of one size, and
# Adagrad's shrink.
ROWS = {
    "sgd": Row({"learning_rate": 0.05}, 1e-5),
    "adam": Row({"learning_rate": 0.05}, 1e-3),
    "amsgrad": Row({"learning_rate": 0.05}, 1e-3),
    "adamw": Row({"learning_rate": 0.05}, 1e-3),
    "nadam": Row({"learning_rate": 0.05}, 1e-3),
    "rmsprop": Row({"learning_rate": 0.05}, 1e-2),
    "adagrad": Row({"learning_rate": 0.5}, 1e-3),
    "lion": Row({"learning_rate": 0.01}, 1e-2),
}
STEPWISE = {name: cls for name, cls in OPTIMIZERS.items() if cls.takes_steps}
CURVATURES = np.array([10.0, 3.0, 1.0, 0.3])


def test_every_optimizer_has_a_row(assert_rows):
    assert_rows(STEPWISE, ROWS)


@pytest.fixture(params=list(STEPWISE))
def name(request):
    return request.param


def test_its_docstring_has_a_formula(name, assert_documented):
    assert_documented(STEPWISE[name])


def test_it_is_data(name):
    optimizer = STEPWISE[name]()
    assert isinstance(optimizer, Optimizer)
    assert dataclasses.is_dataclass(optimizer)
    assert dataclasses.replace(optimizer) == optimizer
    # Nothing but its hyperparameters is in it, before a step and after.
    theta = np.ones(3)
    optimizer.update(theta, theta.copy(), optimizer.initial_state(theta))
    assert set(vars(optimizer)) == {field.name for field in dataclasses.fields(optimizer)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_reduces_a_quadratic(name, dtype):
    settings, left = ROWS[name]
    optimizer = STEPWISE[name](**settings)
    curvatures = CURVATURES.astype(dtype)
    theta = np.array([1.0, -1.0, 1.0, -1.0], dtype=dtype)
    state = optimizer.initial_state(theta)
    start = 0.5 * float(curvatures @ theta**2)
    for _ in range(300):
        optimizer.update(theta, curvatures * theta, state)
    assert theta.dtype == dtype
    assert 0.5 * float(curvatures @ theta**2) < left * start


def test_where_the_gradient_is_zero_it_stays(name):
    optimizer = STEPWISE[name]()
    theta = np.array([1.0, -2.0])
    before = theta.copy()
    optimizer.update(theta, np.zeros(2), optimizer.initial_state(theta))
    decay = optimizer.learning_rate * getattr(optimizer, "weight_decay", 0.0)
    # Weight decay pulls towards zero all the same.
    np.testing.assert_allclose(theta, before * (1 - decay), rtol=1e-15)


def test_fit_takes_it_by_its_name(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 2))
    net = MLP(Architecture(2, (8,), 1), rng=rng)
    history = fit(net, (X, X[:, 0]), loss="squared_error", optimizer=name, n_epochs=20, rng=rng)
    assert history["train_loss"][-1] < history["train_loss"][0]
