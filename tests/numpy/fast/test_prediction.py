"""Predictions: those of the readable layers, however many rows there are and whoever computes."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.data.images import ScaledImages
from multilayer.embeddings import Embeddings
from multilayer.numpy import MLP, Ensemble
from multilayer.numpy.activations import ACTIVATIONS
from multilayer.numpy.fast import prediction
from multilayer.numpy.fast.prediction import PIECE
from multilayer.samples import LazySamples

EMBEDDINGS = Embeddings([(4, 2), (1, 1)], [(2, 2)], width=3, speed=2.0)
SIZES = [1, 3, PIECE, PIECE + 1, 3 * PIECE + 7]


def readable(net, X):
    """Go forward through the layers themselves."""
    features, logits, _ = net.network.forward(X)
    return features, logits


def network(dtype="float64", **settings):
    settings = {"activation": "tanh"} | settings
    net = MLP(Architecture(6, (6, 6, 9), 4, **settings), dtype=dtype, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    net.parameters[:] = rng.normal(size=net.n_parameters)
    for array in net.state.values():
        array[:] = rng.uniform(0.5, 2, size=array.shape)
    return net


@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization": "batch", "residual": True, "dropout": 0.5},
        {"bias": False},
        {"embeddings": EMBEDDINGS},
        {"noise": 0.5, "normalization": "layer"},
    ],
    ids=str,
)
def test_networks(n_rows, settings, form, workers):
    net = network(**settings)
    X = np.random.default_rng(2).normal(size=(n_rows, 6))
    features, logits = readable(net, X)
    # Float64 sums of a few numbers, in another order.
    np.testing.assert_allclose(net.features(X), features, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(net.logits(X), logits, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(net(X), logits, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_rows", SIZES)
def test_ensembles_with_embeddings(n_rows, form, workers):
    architecture = Architecture(6, (5,), 2, embeddings=EMBEDDINGS)
    ensemble = Ensemble(architecture, 3, dtype="float64", rng=np.random.default_rng(0))
    X = np.random.default_rng(2).normal(size=(n_rows, 6))
    expected = [readable(net, X)[1] for net in ensemble]
    np.testing.assert_allclose(ensemble(X), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_activations(activation, form):
    net = network(activation=activation)
    for n_rows in (2, PIECE + 1):
        X = np.random.default_rng(2).normal(size=(n_rows, 6))
        np.testing.assert_allclose(net.logits(X), readable(net, X)[1], rtol=1e-12, atol=1e-12)


def test_without_hidden_layers_features_are_a_copy():
    net = MLP(Architecture(3, (), 2), dtype="float64")
    for n_rows in (2, PIECE + 1):
        X = np.ones((n_rows, 3))
        features = net.features(X)
        np.testing.assert_array_equal(features, X)
        assert not np.may_share_memory(features, X)


def test_inputs_are_not_changed(workers):
    net = network(activation="relu")
    for n_rows in SIZES:
        X = np.random.default_rng(0).normal(size=(n_rows, 6))
        before = X.copy()
        net(X)
        np.testing.assert_array_equal(X, before)


def test_a_prediction_follows_the_parameters():
    net = network()
    for n_rows in (1, PIECE + 1):
        X = np.ones((n_rows, 6))
        before = net(X)
        net.parameters[:] *= 0.5
        assert (net(X) != before).all()


def test_lazy_samples_are_read_piece_by_piece(workers, monkeypatch):
    pixels = np.random.default_rng(0).integers(256, size=(2 * PIECE + 5, 2, 3)).astype(np.uint8)
    images = ScaledImages(pixels, mean=0.1, std=0.3)
    net = network("float32")
    expected = net(np.asarray(images))
    monkeypatch.setattr(ScaledImages, "__array__", None)  # never all of them at once
    np.testing.assert_array_equal(net(images), expected)


class Reading(LazySamples):
    """Counts how many threads read at the same time, and may fail."""

    def __init__(self, n_rows, fails_at=None):
        self.shape = (n_rows, 6)
        self.fails_at = fails_at
        self.together = threading.Barrier(2, timeout=30)
        self.n_reads = self.n_inside = self.most_inside = 0

    def __getitem__(self, rows):
        self.n_reads += 1
        if self.n_reads == self.fails_at:
            raise OSError("the disk is gone")
        self.n_inside += 1
        self.most_inside = max(self.n_inside, self.most_inside)
        if self.reads_in_parallel:
            self.together.wait()  # two reads go on only together
        self.n_inside -= 1
        return np.zeros((rows.stop - rows.start, 6), np.float32)


@pytest.mark.parametrize("workers", [2], indirect=True)
@pytest.mark.parametrize("in_parallel", [False, True])
def test_lazy_samples_are_read_by_several_threads_only_if_they_say_so(workers, in_parallel):
    X = Reading(4 * PIECE)
    X.reads_in_parallel = in_parallel
    network("float32")(X)
    assert X.n_reads == 4
    assert X.most_inside == (2 if in_parallel else 1)


@pytest.mark.parametrize("workers", [2], indirect=True)
def test_after_a_failure_no_piece_is_begun(workers):
    X = Reading(40 * PIECE, fails_at=3)
    with pytest.raises(OSError, match="the disk is gone"):
        network("float32")(X)
    assert X.n_reads <= 4  # the failing one, and one that the other thread was at


@given(st.integers(1, 2 * PIECE), st.integers(1, 4))
@settings(max_examples=25)
def test_who_computes_makes_no_difference(n_rows, n):
    net = network("float32", activation="relu")
    X = np.random.default_rng(0).normal(size=(n_rows, 6)).astype(np.float32)
    alone = net(X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "n_rewarding", lambda *_: n)
        np.testing.assert_array_equal(net(X), alone)
