"""What every initializer promises: the distribution that its docstring writes down."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.numpy import INITIALIZERS, MLP
from multilayer.numpy.initializers import Initializer


class Row(NamedTuple):
    """Standard deviations of W and b, by out_features m and in_features n, and W's bound if any."""

    std: object
    bias_std: object
    bound: object = None


ROWS = {
    "kaiming_uniform": Row(
        lambda m, n: 1 / math.sqrt(3 * n),
        lambda m, n: 1 / math.sqrt(3 * n),
        lambda m, n: 1 / math.sqrt(n),
    ),
    "he": Row(lambda m, n: math.sqrt(2 / n), lambda m, n: 0),
    "glorot": Row(
        lambda m, n: math.sqrt(2 / (m + n)), lambda m, n: 0, lambda m, n: math.sqrt(6 / (m + n))
    ),
    "scikit_learn": Row(
        lambda m, n: math.sqrt(2 / (m + n)),
        lambda m, n: math.sqrt(2 / (m + n)),
        lambda m, n: math.sqrt(6 / (m + n)),
    ),
    "lecun": Row(lambda m, n: 1 / math.sqrt(n), lambda m, n: 0),
    # The squares of an orthonormal row sum to 1.
    "orthogonal": Row(lambda m, n: 1 / math.sqrt(max(m, n)), lambda m, n: 0, lambda m, n: 1),
    "normal": Row(lambda m, n: 0.01, lambda m, n: 0.01),
    "zeros": Row(lambda m, n: 0, lambda m, n: 0, lambda m, n: 0),
}
SHAPES = [(400, 250), (250, 400)]


def test_every_initializer_has_a_row(assert_rows):
    assert_rows(INITIALIZERS, ROWS)


@pytest.fixture(params=list(INITIALIZERS))
def name(request):
    return request.param


def test_its_docstring_has_a_formula(name, assert_documented):
    assert_documented(INITIALIZERS[name])


@pytest.mark.parametrize("shape", SHAPES)
def test_its_numbers_are_distributed_as_it_says(name, shape):
    row, initializer = ROWS[name], INITIALIZERS[name]()
    rng = np.random.default_rng(0)
    W = initializer.weights(*shape, rng)
    assert W.shape == shape
    # 100,000 numbers: their mean is off by 0.003 standard deviations, and theirs by 0.2 %, on
    # average; five times that is allowed.
    std = row.std(*shape)
    assert abs(W.mean()) <= 0.016 * std
    assert W.std() == pytest.approx(std, rel=0.012)
    if row.bound is not None:
        assert np.abs(W).max() <= row.bound(*shape)
    b = np.concatenate([initializer.biases(*shape, rng) for _ in range(100)])
    assert b.shape == (100 * shape[0],)
    assert abs(b.mean()) <= 0.04 * row.bias_std(*shape)
    assert b.std() == pytest.approx(row.bias_std(*shape), rel=0.03)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 3), (3, 1)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    W = INITIALIZERS["orthogonal"](gain=2.0).weights(*shape, np.random.default_rng(0))
    product = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(product, 4 * np.eye(min(shape)), atol=1e-14)  # rounding


def test_orthogonal_signs_are_as_often_plus_as_minus():
    # Without the signs of R's diagonal, QR's first entry would mostly be negative.
    rng = np.random.default_rng(0)
    firsts = [INITIALIZERS["orthogonal"]().weights(3, 3, rng)[0, 0] for _ in range(400)]
    # 200 expected, with a standard deviation of 10; five of them.
    assert 150 < sum(first > 0 for first in firsts) < 250


def test_the_same_seed_draws_the_same_numbers(name):
    architecture = Architecture(3, (4,), 2)
    one, other = (
        MLP(architecture, initializer=name, rng=np.random.default_rng(7)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.parameters, other.parameters)


def test_it_is_data(name):
    initializer = INITIALIZERS[name]()
    assert isinstance(initializer, Initializer)
    assert dataclasses.replace(initializer) == initializer
    assert hash(initializer) == hash(INITIALIZERS[name]())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normal", {"std": -1}), "std of Normal must be a number in [0, inf); got -1"),
        (("normal", {"bias": np.nan}), "bias of Normal must be a number in (-inf, inf); got nan"),
        (
            ("scikit_learn", {"factor": 0}),
            "factor of ScikitLearn must be a number in (0, inf); got 0",
        ),
        (("orthogonal", {"gain": 0}), "gain of Orthogonal must be a number in (0, inf); got 0"),
    ],
)
def test_wrong_parameters_are_refused(arguments, message):
    name, settings = arguments
    with pytest.raises(ValueError, match="must be a number") as caught:
        INITIALIZERS[name](**settings)
    assert str(caught.value) == message
