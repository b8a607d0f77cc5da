"""The norms of incoming weights are limited: closed forms, properties, and PyTorch's renorm."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import MLP, Affine, Ensemble, limit_norms
from multilayer.numpy.fast.updates import limit_in_place, matrices_of
from multilayer.torch import MLP as TorchMLP
from multilayer.torch.layers import limit_norms as torch_limit_norms


def readable(net, max_norm):
    limit_norms(net.network, max_norm)


def fast(net, max_norm):
    theta = np.atleast_2d(net.parameters)
    limit_in_place.fastest(theta, matrices_of(net.network), np.array([max_norm]))


def plain(net, max_norm):
    theta = np.atleast_2d(net.parameters)
    limit_in_place.plain(theta, matrices_of(net.network), np.array([max_norm]))


def in_torch(net, max_norm):
    twin = TorchMLP(net.architecture, dtype=str(net.dtype))
    arrays = [v for pair in net.network.pairs(net.parameters) for v in pair if v is not None]
    with torch.no_grad():
        for tensor, array in zip(twin.parameters(), arrays, strict=True):
            tensor.copy_(torch.from_numpy(array))
    torch_limit_norms(twin, max_norm)
    for tensor, array in zip(twin.parameters(), arrays, strict=True):
        array[:] = tensor.detach().numpy()


FORMS = pytest.mark.parametrize("limit", [readable, fast, plain, in_torch])


def linear(W, dtype="float64"):
    """Return a network of one affine layer with these weights."""
    W = np.asarray(W, dtype)
    net = MLP(Architecture(W.shape[1], (), W.shape[0], bias=False), dtype=dtype)
    net.weights[0][0][:] = W
    return net, net.weights[0][0]


@FORMS
def test_rows_are_scaled_and_nothing_else(limit):
    net, W = linear([[3.0, 4.0], [0.3, -0.4], [0.0, 0.0], [0.0, -2.0]])
    limit(net, 1.0)
    np.testing.assert_allclose(W, [[0.6, 0.8], [0.3, -0.4], [0, 0], [0, -1]], rtol=1e-15)


@FORMS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(data=st.data())
def test_no_row_is_longer_and_short_ones_keep_their_bits(limit, dtype, data):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 40)))
    width = 64 if dtype == "float64" else 32
    # Entries far from overflow: those near it have a test of their own.
    entries = st.floats(-1e6, 1e6, width=width, allow_subnormal=False)
    before = data.draw(st_numpy.arrays(dtype, shape, elements=entries))
    max_norm = data.draw(st.floats(1e-3, 1e3))
    net, W = linear(before, dtype)
    limit(net, max_norm)
    lengths = np.linalg.norm(before.astype(float), axis=1)
    # Each factor, and each product, is rounded once or twice.
    tolerance = 4 * np.finfo(dtype).eps
    found = np.linalg.norm(W.astype(float), axis=1)
    assert (found <= max_norm * (1 + tolerance)).all()
    short = lengths < max_norm * (1 - tolerance)
    assert W[short].tobytes() == before[short].tobytes()
    long = lengths > max_norm
    expected = before[long] * (max_norm / lengths[long, np.newaxis])
    np.testing.assert_allclose(W[long], expected, rtol=2 * tolerance, atol=1e-40)


@FORMS
@pytest.mark.parametrize("max_norm", [0.1, 1.0, 3.0])
def test_it_is_renorm(limit, max_norm):
    net, W = linear(np.random.default_rng(0).normal(size=(20, 7)))
    expected = torch.renorm(torch.tensor(W.copy()), p=2, dim=0, maxnorm=max_norm)
    limit(net, max_norm)
    # PyTorch divides by the norm + 1e-7, and norms are between 1 and 5.
    np.testing.assert_allclose(W, expected, rtol=2e-7)


@FORMS
@pytest.mark.parametrize(
    ("dtype", "size"), [("float64", 1e200), ("float64", 1e308), ("float32", 3e38)]
)
def test_squares_that_overflow_leave_the_direction(limit, dtype, size):
    net, W = linear([[size, -size]], dtype)
    limit(net, 2.0)
    np.testing.assert_allclose(W, [[2**0.5, -(2**0.5)]], rtol=1e-6)


@FORMS
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(limit, wrong):
    """The loop reports it: see `Trainer.settle`."""
    net, W = linear([[wrong, 5.0], [3.0, 4.0]])
    with np.errstate(invalid="ignore"):
        limit(net, 1.0)
    assert not np.isfinite(W[0, 0])
    np.testing.assert_allclose(W[1], [0.6, 0.8])


@FORMS
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_features": (5, 4)},
        {"hidden_features": (6, 6), "residual": True, "normalization": "batch", "dropout": 0.5},
        {"hidden_features": (5,), "normalization": "layer", "bias": False},
        {"hidden_features": (5,), "embeddings": Embeddings([(4, 2)], [(1, 3)], width=3)},
        {"hidden_features": ()},
    ],
    ids=str,
)
def test_only_units_weights_are_limited(limit, settings):
    architecture = Architecture(6, out_features=3, **settings)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(0))
    net.parameters[:] = np.random.default_rng(1).normal(scale=5, size=net.n_parameters)
    before = net.parameters.copy()
    affine = np.zeros(len(before), bool)
    for layer in net.layers:
        if isinstance(layer, Affine):
            marks = net.parameters.copy()
            layer.W[:] = np.nan
            affine |= np.isnan(net.parameters)
            net.parameters[:] = marks
    limit(net, 1.0)
    assert (net.parameters != before)[affine].all()
    assert net.parameters[~affine].tobytes() == before[~affine].tobytes()
    for layer in net.layers:
        if isinstance(layer, Affine):
            np.testing.assert_allclose(np.linalg.norm(layer.W, axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("form", ["fastest", "plain"])
def test_each_of_several_networks_has_its_own_limit(form):
    ensemble = Ensemble(Architecture(4, (5,), 3), 3, dtype="float64", initializer="glorot",
                        rng=np.random.default_rng(0))  # fmt: skip
    alone = [net.copy() for net in ensemble]
    limits = [0.3, np.inf, 0.7]
    matrices = matrices_of(ensemble.network)
    getattr(limit_in_place, form)(ensemble.parameters, matrices, np.array(limits))
    for k, net in enumerate(alone):
        if limits[k] < np.inf:
            limit_norms(net.network, limits[k])
        np.testing.assert_allclose(ensemble[k].parameters, net.parameters, rtol=1e-14)


@pytest.mark.parametrize("wrong", [0, -1.0, np.inf, np.nan])
def test_numbers_that_are_no_norm(wrong):
    net, _ = linear([[1.0]])
    with pytest.raises(InvalidArgumentError, match=r"^max_norm of limit_norms must be a number in"):
        limit_norms(net.network, wrong)


def test_what_is_no_number():
    net, _ = linear([[1.0]])
    with pytest.raises((InvalidArgumentError, InvalidTypeError), match=r"^max_norm of limit_norms"):
        limit_norms(net.network, "3")
