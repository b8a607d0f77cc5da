"""Data and networks that the doctor's tests share."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from multilayer import Architecture
from multilayer.numpy import MLP, Adam
from multilayer.training import fit


@pytest.fixture(scope="session")
def digits():
    """The first 1,000 digits, standardised, to train on, and the others."""
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit(X[:1000]).transform(X)
    return (X[:1000], y[:1000]), (X[1000:], y[1000:])


@pytest.fixture(scope="session")
def network():
    """Return a function that makes a network of these widths: inputs, hidden layers, outputs."""

    def make(*widths, seed=0, initializer="kaiming_uniform", **settings):
        n_in, *hidden, n_out = widths
        architecture = Architecture(n_in, tuple(hidden), n_out, **settings)
        return MLP(architecture, initializer=initializer, rng=np.random.default_rng(seed))

    return make


@pytest.fixture(scope="session")
def train():
    """Return a function that trains a network in place, and returns its history."""

    def run(net, data, *, learning_rate=3e-3, n_epochs=15, loss="cross_entropy", **settings):
        settings.setdefault("optimizer", Adam(learning_rate=learning_rate))
        rng = np.random.default_rng(0)
        return fit(net, data, loss=loss, n_epochs=n_epochs, rng=rng, **settings)

    return run


@pytest.fixture(scope="session")
def healthy(digits, network, train):
    """A network that has learned the digits, with its history."""
    net = network(64, 32, 10)
    return net, train(net, digits[0])
