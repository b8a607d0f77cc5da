"""Initializers against the distributions of torch.nn.init, and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch import nn

from multilayer import Architecture
from multilayer.numpy import (
    INITIALIZERS,
    MLP,
    Glorot,
    He,
    KaimingUniform,
    LeCun,
    Normal,
    Orthogonal,
    ScikitLearn,
    Zeros,
)

SHAPES = [(400, 300), (150, 800), (1000, 120)]
"""120,000 numbers each: more outputs than inputs, and fewer."""

# The relative error of a variance of n numbers is √(2/n) for a normal distribution and √(0.8/n) for
# a uniform one, 0.4 % at most for 120,000. Five of that, though each seed is fixed.
VARIANCE = {"rtol": 0.02}


def torch_default_(W):
    """What nn.Linear does at its construction, on a matrix."""
    linear = nn.Linear(W.shape[1], W.shape[0], dtype=torch.float64)
    with torch.no_grad():
        W.copy_(linear.weight)


TORCH_WEIGHTS = {
    "kaiming_uniform": (KaimingUniform(), torch_default_),
    "he": (He(), lambda W: nn.init.kaiming_normal_(W, nonlinearity="relu")),
    "glorot": (Glorot(), nn.init.xavier_uniform_),
    "scikit_learn": (ScikitLearn(), nn.init.xavier_uniform_),
    "lecun": (LeCun(), lambda W: nn.init.kaiming_normal_(W, nonlinearity="linear")),
    "normal": (Normal(), lambda W: nn.init.normal_(W, std=0.01)),
    "normal, wide": (Normal(std=2.0), lambda W: nn.init.normal_(W, std=2.0)),
    "orthogonal": (Orthogonal(), nn.init.orthogonal_),
    "orthogonal, gain": (
        Orthogonal(gain=nn.init.calculate_gain("relu")),
        lambda W: nn.init.orthogonal_(W, gain=nn.init.calculate_gain("relu")),
    ),
    "zeros": (Zeros(), nn.init.zeros_),
}


@pytest.fixture(autouse=True)
def torch_seed():
    """PyTorch's initializers draw from its global generator; its state is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def torch_weights(fill, out_features, in_features):
    W = torch.empty(out_features, in_features, dtype=torch.float64)
    fill(W)
    return W.numpy()


def test_every_initializer_has_an_oracle():
    tested = {type(initializer) for initializer, _ in TORCH_WEIGHTS.values()}
    assert set(INITIALIZERS.values()) - tested == set()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", TORCH_WEIGHTS)
def test_weights_are_distributed_as_torchs(name, shape):
    initializer, fill = TORCH_WEIGHTS[name]
    ours = initializer.weights(*shape, np.random.default_rng(0))
    theirs = torch_weights(fill, *shape)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.var(), theirs.var(), **VARIANCE)
    # Kolmogorov and Smirnov's test of all of the distribution; one right one in 1,000 would fail.
    assert ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(("out_features", "in_features"), SHAPES)
def test_kaiming_uniform_has_the_support_of_torchs_linear(out_features, in_features):
    rng = np.random.default_rng(1)
    layer = nn.Linear(in_features, out_features, dtype=torch.float64)
    for ours, theirs in (
        (KaimingUniform().weights(out_features, in_features, rng), layer.weight),
        (
            np.array([KaimingUniform().biases(500, in_features, rng) for _ in range(240)]),
            torch.stack(
                [nn.Linear(in_features, 500, dtype=torch.float64).bias for _ in range(240)]
            ),
        ),
    ):
        reference = theirs.detach().numpy()
        bound = 1 / np.sqrt(in_features)
        for found in (ours, reference):
            assert np.abs(found).max() <= bound
            # 120,000 draws all stay below this share of the bound with probability e^-24.
            assert found.max() > (1 - 4e-4) * bound
            assert found.min() < -(1 - 4e-4) * bound
            np.testing.assert_allclose(found.var(), bound**2 / 3, **VARIANCE)


@pytest.mark.parametrize(("out_features", "in_features"), SHAPES)
def test_glorot_has_the_support_of_torchs_xavier_uniform(out_features, in_features):
    ours = Glorot().weights(out_features, in_features, np.random.default_rng(2))
    theirs = torch_weights(nn.init.xavier_uniform_, out_features, in_features)
    # The largest of 120,000 draws is that near to the bound but for a chance of e^-24.
    np.testing.assert_allclose(np.abs(ours).max(), np.abs(theirs).max(), rtol=4e-4)


@pytest.mark.parametrize(
    "initializer", [He(), Glorot(), LeCun(), Orthogonal(), Zeros()], ids=lambda i: type(i).__name__
)
def test_biases_are_zero(initializer):
    biases = initializer.biases(7, 5, np.random.default_rng(3))
    np.testing.assert_array_equal(biases, np.zeros(7))


@pytest.mark.parametrize(("std", "bias"), [(0.01, 0.0), (0.5, 0.1), (2.0, -1.0)])
def test_normal_has_mean_and_deviation(std, bias):
    rng = np.random.default_rng(4)
    n = 120_000
    weights, biases = Normal(std, bias).weights(400, 300, rng), Normal(std, bias).biases(n, 3, rng)
    # Five standard deviations of a mean of n numbers.
    assert abs(weights.mean()) < 5 * std / np.sqrt(n)
    assert abs(biases.mean() - bias) < 5 * std / np.sqrt(n)
    np.testing.assert_allclose([weights.var(), biases.var()], std**2, **VARIANCE)


def test_normal_without_deviation_is_its_mean():
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(Normal(0.0, 0.3).weights(4, 3, rng), np.zeros((4, 3)))
    np.testing.assert_array_equal(Normal(0.0, 0.3).biases(4, 3, rng), np.full(4, 0.3))


@pytest.mark.parametrize("gain", [1.0, 2**0.5, 0.1])
@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 4), (4, 1), (60, 200)], ids=str)
def test_orthogonal_matrices_are_orthogonal(shape, gain):
    W = Orthogonal(gain).weights(*shape, np.random.default_rng(6))
    assert W.shape == shape
    gram = W @ W.T if shape[0] <= shape[1] else W.T @ W
    # Householder's reflections keep orthogonality to some roundings.
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(shape)), atol=1e-13)


def test_orthogonal_matrices_are_uniformly_distributed():
    """By Haar's measure a 4×4 matrix has E tr = 0, E tr² = 1 and E tr⁴ = 3.

    A QR decomposition without its signs corrected has a trace that is negative on average.
    """
    rng = np.random.default_rng(7)
    n = 5000
    matrices = np.array([Orthogonal().weights(4, 4, rng) for _ in range(n)])
    traces = np.trace(matrices, axis1=1, axis2=2)
    determinants = np.linalg.det(matrices)
    # Five standard deviations of a mean; var tr = 1, var tr² = 3 - 1, and det is 1 or -1.
    assert abs(traces.mean()) < 5 / np.sqrt(n)
    assert abs((traces**2).mean() - 1) < 5 * np.sqrt(2 / n)
    assert abs(determinants.mean()) < 5 / np.sqrt(n)


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_the_same_seed_gives_the_same_network_in_both_dtypes(name):
    architecture = Architecture(20, (30, 15), 4, normalization="batch")
    single, double = (
        MLP(architecture, dtype=dtype, initializer=name, rng=np.random.default_rng(8))
        for dtype in ("float32", "float64")
    )
    assert single.parameters.dtype == np.float32
    assert double.parameters.dtype == np.float64
    np.testing.assert_array_equal(single.parameters, double.parameters.astype(np.float32))


@pytest.mark.parametrize("name", ["kaiming_uniform", "he", "glorot", "lecun", "orthogonal"])
def test_signals_neither_vanish_nor_explode_where_torchs_do_not(name):
    """A wide network's logits have the size that PyTorch's initial weights give them."""
    initializer, fill = TORCH_WEIGHTS[name]
    X = np.random.default_rng(9).normal(size=(200, 400))
    architecture = Architecture(400, (400, 400, 400), 400)
    net = MLP(architecture, dtype="float64", initializer=initializer, rng=np.random.default_rng(10))
    x = torch.from_numpy(X)
    for i, (n_out, n_in) in enumerate([(400, 400)] * 4):
        W = torch.from_numpy(torch_weights(fill, n_out, n_in))
        b = torch.zeros(n_out, dtype=torch.float64)
        if name == "kaiming_uniform":
            b = nn.Linear(n_in, n_out, dtype=torch.float64).bias.detach()
        x = torch.nn.functional.linear(torch.relu(x) if i else x, W, b)
    # Four layers' random matrices of width 400, each of which changes the size of what goes through
    # by about 1/√400, and the samples' common direction behind relus: 20 % is three deviations.
    np.testing.assert_allclose(net.logits(X).std(), x.numpy().std(), rtol=0.2)
