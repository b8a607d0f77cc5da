"""Embeddings as a module: the layer of the engine from scratch, for one network and for K."""

import io

import numpy as np
import pytest
import torch
from scipy import stats

from multilayer import Architecture
from multilayer import numpy as scratch
from multilayer.embeddings import Embeddings
from multilayer.torch import MLP, Embedding, Ensemble
from multilayer.training import fit

CASES = {
    "both": Embeddings([(4, 3), (0, 7)], [(2, 5), (5, 1)], width=3, speed=4.0),
    "numbers": Embeddings(numbers=[(1, 1), (3, 4)], width=2, speed=0.5),
    "categories": Embeddings(categories=[(5, 3)], width=1),
    "all inputs": Embeddings([(0, 2), (1, 2), (2, 2)], [(3, 4), (4, 2), (5, 6)], width=4),
}


def samples(n, rng):
    """Draw positions and codes, at knots and between them, and out of range, for any case."""
    X = rng.uniform(-2, 9, size=(n, 6))
    X[: n // 2] = np.round(X[: n // 2])
    X[-1] = [1e30, -1e30, 1e30, 1e30, -1e30, 1e30]
    return X


def architecture(case, **settings):
    return Architecture(6, (5, 4), 2, embeddings=CASES[case], **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_one_network_and_several_compute_what_the_engine_from_scratch_does(case, dtype):
    rng = np.random.default_rng(0)
    ours = scratch.Ensemble(architecture(case), 3, dtype=dtype, rng=rng)
    theirs = Ensemble.from_numpy(ours)
    shared, own = samples(20, rng).astype(dtype), rng.uniform(-1, 6, size=(3, 20, 6)).astype(dtype)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"atol": 1e-14}
    with torch.no_grad():
        found = theirs(torch.from_numpy(shared)).numpy()
        found_of_own = theirs(torch.from_numpy(own)).numpy()
        for k, net in enumerate(ours):
            alone = theirs[k](torch.from_numpy(shared)).numpy()
            np.testing.assert_allclose(alone, net(shared), **tolerance)
            np.testing.assert_allclose(found[k], net(shared), **tolerance)
            np.testing.assert_allclose(found_of_own[k], net(own[k]), **tolerance)


def test_first_vectors_are_distributed_as_in_the_engine_from_scratch():
    torch.manual_seed(0)
    embeddings = Embeddings([(0, 50)], [(1, 50)], width=500, speed=4.0)
    own = Architecture(2, (3,), 1, embeddings=embeddings)
    theirs = MLP(own).weights[0][0]
    ours = scratch.MLP(own, rng=np.random.default_rng(0)).weights[0][0]
    for rows in (slice(0, 1), slice(1, 51), slice(51, 101)):
        # Samples of one distribution are this far apart in one of a thousand cases.
        assert stats.ks_2samp(theirs[rows].ravel(), ours[rows].ravel()).pvalue > 1e-3
    assert not MLP(own, initializer="zeros").weights[0][0].any()


def test_it_keeps_weights_and_state_dicts_of_tensors_alone():
    net = MLP(architecture("both", normalization="batch"))
    assert [name for name in net.state_dict() if name.startswith("hidden.0.0")] == [
        "hidden.0.0.weight"
    ]
    file, other = io.BytesIO(), MLP(net.architecture)
    torch.save(net.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    X = torch.from_numpy(samples(9, np.random.default_rng(0))).float()
    assert torch.equal(other.eval()(X), net.eval()(X))
    assert net.weights[0][0].shape == (CASES["both"].n_vectors, 3)
    assert net.weights[0][1] is None


def test_members_and_parts_share_or_copy_memory():
    ensemble = Ensemble(architecture("both"), 4, rng=np.random.default_rng(0))
    X = torch.from_numpy(samples(9, np.random.default_rng(0))).float()
    part = ensemble.part([3, 1])
    torch.testing.assert_close(part(X), ensemble(X)[[3, 1]])
    with torch.no_grad():
        ensemble[1].hidden[0][0].weight.fill_(7.0)
    assert (ensemble.hidden[0][0].weight[1] == 7).all()
    assert not (part.hidden[0][0].weight == 7).any()


def test_no_input_stops_a_compiler():
    net = MLP(architecture("both"))
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    X = torch.from_numpy(samples(9, np.random.default_rng(0))).float()
    torch.testing.assert_close(compiled(X), net(X), rtol=0, atol=0)
    ensemble = Ensemble(net.architecture, 2)
    compiled = torch.compile(ensemble, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), ensemble(X), rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"precision": "bfloat16"}, {"accumulate": 2}])
def test_it_is_trained_in_every_way(options):
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 7, size=(400, 6))
    y = (X[:, 0].round() % 2).astype(int)  # what no affine layer sees
    net = MLP(Architecture(6, (16,), 2, embeddings=CASES["both"]), rng=rng)
    adam = scratch.Adam(0.01)
    history = fit(net, (X, y), loss="cross_entropy", optimizer=adam, n_epochs=30, **options)
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]


def test_it_says_what_it_is():
    text = str(Embedding(CASES["both"], 6))
    assert text == "Embedding(6, 14, numbers=2, categories=2, width=3)"
