"""A worker's pass in compiled loops leaves the loss and the gradient of the readable layers."""

import numpy as np
import pytest

from multilayer import Architecture, compiled
from multilayer.embeddings import Embeddings
from multilayer.numpy import MLP, Batch, CrossEntropy, Objective, SquaredError

if compiled.numba() is None:
    pytest.skip("numba is missing or switched off", allow_module_level=True)

from multilayer.numpy.fast.chain import Chain
from multilayer.numpy.fast.criteria import criterion_of
from multilayer.numpy.losses import Loss

N, N_IN = 21, 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, N_IN))
LABELS, VALUES = RNG.integers(3, size=N), RNG.normal(size=(N, 3))
WEIGHTS = RNG.uniform(size=N)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("loss", "targets"), [(CrossEntropy(), LABELS), (SquaredError(), VALUES)], ids=["ce", "mse"]
)
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_features": ()},
        {"hidden_features": (5,), "bias": False},
        {"hidden_features": (6, 7), "activation": "leaky_relu"},
        {"hidden_features": (6, 7, 4), "activation": "identity"},
        {"hidden_features": (6, 7), "dropout": (0.3, 0.5)},
        {"hidden_features": (9,), "out_features": 12},
    ],
    ids=str,
)
def test_loss_and_gradient_are_those_of_the_layers(settings, loss: Loss, targets, dtype):
    arguments = {"in_features": N_IN, "out_features": 3, "output": "identity"}
    if settings.get("out_features", 3) > 3 and targets.ndim == 2:
        targets = np.tile(targets, 4)
    network = MLP(Architecture(**arguments | settings), dtype=dtype, rng=RNG).network
    x = X.astype(dtype)
    targets = targets.astype(dtype) if targets.dtype.kind == "f" else targets
    drops = [width for width in settings["hidden_features"] if "dropout" in settings]
    rng = np.random.default_rng(1)
    drawn = [rng.random((N, width), dtype=np.float32) for width in drops]

    gradient = np.full(network.parameters.size, np.nan, dtype)
    criterion = criterion_of(loss, network.link, targets, is_one=True)
    assert Chain.covers(network, x)
    chain = Chain(network, gradient, drawn, criterion, N)
    shares = (WEIGHTS / WEIGHTS.sum()).astype(dtype)
    for _ in range(2):  # its arrays are used again
        (value,) = chain.run(x, targets[np.newaxis], shares[np.newaxis])

    expected, slope, _ = Objective(loss).value_and_gradient(
        network,
        Batch(x, targets, WEIGHTS.astype(dtype)),
        training=True,
        rng=np.random.default_rng(1),
    )
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert value == pytest.approx(expected, rel=tolerance)
    np.testing.assert_allclose(gradient, slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "tanh"},
        {"normalization": "batch"},
        {"residual": True},
        {"noise": 0.1},
        {"embeddings": Embeddings([(3, 2)], [(1, 3)], width=3, speed=2.0)},
    ],
    ids=str,
)
def test_what_the_loops_do_not_know_is_not_covered(settings):
    network = MLP(Architecture(4, (6, 6), 3, **settings), rng=RNG).network
    assert not Chain.covers(network, np.zeros((5, 4), np.float32))


@pytest.mark.parametrize("other", [lambda x: x.astype("float64"), np.asfortranarray])
def test_samples_that_products_would_copy_are_not_covered(other):
    network, x = MLP(Architecture(4, (6,), 3), rng=RNG).network, np.ones((5, 4), np.float32)
    assert Chain.covers(network, x)
    assert not Chain.covers(network, other(x))
