"""What the engine's tests share: small networks, and errors compared word by word."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import MultilayerError
from multilayer.numpy import MLP


@pytest.fixture
def refusal():
    """Calls a function that must refuse its arguments; returns what it says.

    The error's class is compared exactly: a subclass would be another answer.
    """

    def call(error_type, function, *arguments, **keywords):
        with pytest.raises(MultilayerError) as caught:
            function(*arguments, **keywords)
        assert type(caught.value) is error_type
        return str(caught.value)

    return call


@pytest.fixture
def build():
    """Builds a network from an architecture's arguments, with the weights of one seed."""

    def network(in_features=3, hidden_features=(4,), out_features=2, dtype="float64", **settings):
        architecture = Architecture(in_features, hidden_features, out_features, **settings)
        return MLP(architecture, dtype=dtype, rng=np.random.default_rng(1))

    return network


@pytest.fixture
def rng():
    return np.random.default_rng(0)
