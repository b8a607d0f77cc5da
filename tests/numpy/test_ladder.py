"""The ladder: its gradients against autograd, and a training that fit drives."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from multilayer import Architecture, Embeddings
from multilayer.data import Stream
from multilayer.data.stream import Rows, StreamWriter
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import (
    LBFGS,
    MLP,
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Ladder,
    Lion,
    Objective,
    VirtualAdversarial,
)
from multilayer.numpy.blocks import RandomLayer
from multilayer.numpy.decoder import Decoder, ladder_value_and_gradients
from multilayer.numpy.layers import Stack
from multilayer.numpy.losses import CrossEntropy
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Batch
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit

EMBEDDINGS = Embeddings(numbers=((0, 4),), width=3)


def architecture(hidden=(5, 4), **changes):
    given = {"normalization": "batch", "noise": 0.3} | changes
    return Architecture(6, hidden, 3, output="softmax", **given)


def problem(n=40, **changes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))
    y = np.argmax(X[:, :3], axis=1)
    return MLP(architecture(**changes), dtype="float64", rng=np.random.default_rng(1)), X, y


def by_autograd(net, decoder, x, y, share, seed):
    """The same loss as the paper writes it, in PyTorch: the loss, and its gradients."""
    theta = torch.tensor(net.network.parameters, requires_grad=True)
    phi = torch.tensor(decoder.parameters, requires_grad=True)
    x, share, rng = torch.tensor(x), torch.tensor(share), np.random.default_rng(seed)
    sizes, place = [6, 5, 4, 3], [0]

    def take(vector, *shape):
        n = int(np.prod(shape))
        part = vector[place[0] : place[0] + n].reshape(*shape)
        place[0] += n
        return part

    layers = []
    for n_in, n_out in pairwise(sizes):
        n_vectors = 1 if n_out == 3 else 2  # the last layer's b, or γ and β
        layers.append([take(theta, n_out, n_in), *(take(theta, n_out) for _ in range(n_vectors))])

    def normalized(z):
        return F.batch_norm(z, None, None, training=True)

    def up(h, std):
        def noise():
            drawn = std * rng.standard_normal(h.shape, dtype=np.float32)
            return torch.tensor(drawn.astype(float))

        h = h + noise() if std else h
        found = [h]
        for W, gamma, beta in layers[:-1]:
            h = normalized(h @ W.T) * gamma + beta
            h = h + noise() if std else h
            found.append(h)
            h = torch.relu(h)
        return found, h @ layers[-1][0].T + layers[-1][1]

    noisy, z = up(x, 0.3)
    clean, _ = up(x, 0.0)
    value = (share * F.cross_entropy(z, torch.tensor(y), reduction="none")).sum()
    place[0], rungs = 0, []
    for n, m in pairwise(sizes):
        rungs.append((take(phi, n, m), take(phi, 2, 5, n)))
    for i in (2, 1, 0):
        V, (a, b) = rungs[i]
        u = normalized(z @ V.T)
        mean = a[0] * torch.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
        keep = b[0] * torch.sigmoid(b[1] * u + b[2]) + b[3] * u + b[4]
        z = (noisy[i] - mean) * keep + mean
        errors = (z - clean[i]).square().mean(dim=1)
        value = value + decoder.weights[i] * (share * errors).sum()
    return value.item(), *(g.numpy() for g in torch.autograd.grad(value, (theta, phi)))


@pytest.mark.parametrize("is_weighted", [False, True])
def test_loss_and_gradients_are_autograds(is_weighted):
    net, X, y = problem(12)
    decoder = Decoder(net.architecture, (3.0, 2.0, 0.5), np.random.default_rng(2), np.float64)
    decoder.parameters += np.random.default_rng(3).normal(size=decoder.parameters.size) / 3
    weight = np.random.default_rng(4).random(12) if is_weighted else None
    share = np.full(12, 1 / 12) if weight is None else weight / weight.sum()
    quiet = Network(
        Stack([p for p in net.network.hidden.parts() if not isinstance(p, RandomLayer)]),
        net.network.last,
        net.network.link,
        net.network.parameters,
    )
    loss = CrossEntropy()
    batch = Batch(X, loss.targets(y, 12, 3, np.dtype(float)), weight)
    value, *gradients, _ = ladder_value_and_gradients(
        Objective(loss), net.network, quiet, decoder, batch, np.random.default_rng(5)
    )
    expected, *expected_gradients = by_autograd(net, decoder, X, y, share, 5)
    assert value == pytest.approx(expected, rel=1e-12)
    for found, true in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-8, atol=1e-10)


def trained(n_epochs=3, network=None, **settings):
    net, X, y = problem(**(network or {}))
    given = {"loss": "cross_entropy", "optimizer": "adam", "batch_size": 8} | settings
    rng = np.random.default_rng
    ladder = Ladder(net, (10.0, 0.1), rng=rng(2))
    history = fit(ladder, (X, y), n_epochs=n_epochs, rng=rng(3), **given)
    return net, history, X, y


OPTIMIZERS = [
    Adam(0.01),
    AdamW(0.01, weight_decay=0.3),
    Lion(0.01, weight_decay=0.3),
    SGD(0.001, momentum=0.9, weight_decay=0.3),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "settings", [{}, {"ema": 0.9}, {"network": {"dropout": 0.2}}, {"network": {"noise": (1, 0, 0)}}]
)
def test_what_is_trained_is_what_predicts(optimizer, settings):
    """The network from outside and the loop's own validation of it are one function."""
    net, history, X, y = trained(10, optimizer=optimizer, validation=problem()[1:], **settings)
    p = net(X)[np.arange(len(y)), y]
    assert history["validation_loss"][-1] == pytest.approx(-np.log(p).mean(), rel=1e-9)


def test_labels_are_trained_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    y = (X[:, 0] > 0).astype(int)
    a = Architecture(6, (16,), 1, output="sigmoid", normalization="batch", noise=0.3)
    net = MLP(a, rng=np.random.default_rng(1))
    ladder = Ladder(net, (1.0, 0.1), rng=np.random.default_rng(2))
    fit(ladder, (X, y), loss="binary_cross_entropy", optimizer=Adam(0.01), n_epochs=30, rng=rng)
    assert ((net(X)[:, 0] > 0.5) == y).mean() > 0.9


def test_samples_without_weight_are_not_trained_on():
    net, X, y = problem(40)
    wrong, weight = y.copy(), np.ones(40)
    wrong[::2], weight[::2] = 0, 0
    found = []
    for targets in (y, wrong):
        net, *_ = problem(40)
        data = X, targets, weight
        rng = np.random.default_rng
        fit(Ladder(net, rng=rng(2)), data, loss="cross_entropy", n_epochs=3, rng=rng(3))
        found.append(net.network.parameters)
    np.testing.assert_array_equal(*found)


def test_a_stream_gives_what_memory_gives(tmp_path):
    net, X, y = problem()
    X = X.astype(np.float32)
    with StreamWriter(tmp_path / "rows") as writer:
        writer.add(Rows(X, y))
        writer.finish()
    found = []
    for data in ((X, y), Stream(tmp_path / "rows")):
        net, *_ = problem()
        rng = np.random.default_rng
        how = {"loss": "cross_entropy", "n_epochs": 2, "shuffle": False}
        fit(Ladder(net, rng=rng(2)), data, rng=rng(3), **how)
        found.append(net.network.parameters)
    np.testing.assert_array_equal(*found)


def test_it_learns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 6))
    y = np.argmax(X[:, :3], axis=1)
    net = MLP(architecture(hidden=(32, 16)), rng=np.random.default_rng(1))
    ladder = Ladder(net, (10.0, 0.1), rng=np.random.default_rng(2))
    fit(ladder, (X[:400], y[:400]), loss="cross_entropy", optimizer=Adam(0.01), rng=rng)
    assert (net(X[400:]).argmax(axis=1) == y[400:]).mean() > 0.85


def test_the_decoder_learns_to_remove_noise():
    """On a line in many dimensions, the best estimate of x has a far smaller error than x + n."""
    rng = np.random.default_rng(0)
    direction = np.ones(20) / np.sqrt(20)
    x = (rng.normal(size=(512, 1)) * direction).astype(np.float32)
    a = Architecture(20, (16,), 2, normalization="batch", noise=(0.5, 0.0), output="softmax")
    net = MLP(a, rng=np.random.default_rng(1))
    trainer = Ladder(net, (20.0, 0.0), rng=rng).trainer(
        loss="cross_entropy", optimizer=Adam(0.01), rng=np.random.default_rng(2)
    )
    data = trainer.check(x, (x.sum(axis=1) > 0).astype(int), None)
    trainer.begin(data, 512)
    trainer.begin_epoch(None)
    losses = [trainer.step(0, 512, 0.01) for _ in range(400)]
    trainer.finish()
    # C = ‖x̂ − x‖²; without a decoder it would be 20 · 0.5² = 5, with the best one at most 0.25.
    assert losses[-1] < 1.5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_scales_of_hidden_layers_stay_as_they_are(optimizer):
    net, *_ = trained(optimizer=optimizer)
    norms = [layer for layer in net.network.layers if isinstance(layer, BatchNorm)]
    assert len(norms) == 2
    for norm in norms:
        np.testing.assert_array_equal(norm.gamma, 1)


def test_logits_have_scales_that_are_trained():
    """Logits of variance 1 cannot be sure: with two equally frequent classes, they are at ±1."""
    x = np.repeat([[-1.0, 1.0], [1.0, -1.0]], 50, axis=0)
    y = np.repeat([0, 1], 50)
    rng = np.random.default_rng(0)
    a = Architecture(2, (4,), 2, output="softmax", normalization="batch", noise=0.1)
    net = MLP(a, rng=rng)
    how = {"loss": "cross_entropy", "optimizer": Adam(0.05), "n_epochs": 300, "batch_size": 100}
    fit(Ladder(net, rng=rng), (x, y), rng=rng, **how)
    sure = 1 / (1 + np.exp(-2))
    assert net(x)[np.arange(100), y].min() > (1 + sure) / 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_resumed_training_ends_with_the_same_bits(optimizer, ema, tmp_path):
    class Stop(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (3, 2):
                raise KeyboardInterrupt

    settings = {"optimizer": optimizer, "ema": ema}
    whole, *_ = trained(4, **settings)
    keep = {"checkpoint": Checkpoint(tmp_path, seconds=0)}
    _, history, *_ = trained(4, **settings, **keep, callbacks=[Stop()])
    assert history.stopped_by == "interrupt"
    assert any(tmp_path.iterdir())
    resumed, *_ = trained(4, **settings, **keep, resume=True)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)
    for name, array in whole.network.state.items():
        np.testing.assert_array_equal(resumed.network.state[name], array)


def test_a_training_that_fails_at_once_changes_nothing():
    def metric(y, p):
        raise ZeroDivisionError

    net, X, y = problem()
    before = net.network.parameters.copy()
    data, how = (X, y), {"loss": "cross_entropy", "metrics": {"metric": metric}}
    with pytest.raises(ZeroDivisionError):
        fit(Ladder(net), data, validation=data, **how)
    np.testing.assert_array_equal(net.network.parameters, before)


def test_early_stopping_restores_the_best_epoch():
    _, X, y = problem()
    y = np.roll(y, 7)  # so that what is learned soon makes it worse
    net, history, *_ = trained(
        30, validation=(X, y), callbacks=[EarlyStopping(3)], optimizer=Adam(0.05)
    )
    assert history.best_epoch < history.n_epochs
    p = net(X)[np.arange(len(y)), y]
    best = min(history["validation_loss"])
    assert -np.log(p).mean() == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("l1", 0.1),
        ("l2", 0.1),
        ("clip_norm", 1.0),
        ("clip_value", 1.0),
        ("max_norm", 1.0),
        ("adversary", VirtualAdversarial(0.1)),
        ("loss", "squared_error"),
    ],
)
def test_what_it_cannot_be_combined_with(name, value):
    with pytest.raises(InvalidArgumentError) as caught:
        trained(**{name: value})
    assert caught.value.parameter == name


def test_lbfgs_is_refused():
    with pytest.raises(InvalidArgumentError, match="noise cannot be combined with L-BFGS"):
        trained(optimizer=LBFGS())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 0, "embeddings": EMBEDDINGS}, f"be None for a ladder; got {EMBEDDINGS!r}"),
        ({"noise": (0.0, 0.3, 0.3)}, "be above 0 on the inputs for a ladder; got (0.0, 0.3, 0.3)"),
        ({"normalization": None}, "be 'batch' for a ladder; got None"),
        ({"normalization": "layer"}, "be 'batch' for a ladder; got 'layer'"),
        ({"bias": False}, "be True for a ladder; got False"),
        ({"hidden": (6, 6), "residual": True}, "be False for a ladder; got True"),
    ],
)
def test_networks_that_it_refuses(changes, message):
    with pytest.raises(InvalidArgumentError) as caught:
        Ladder(MLP(architecture(**changes)))
    assert str(caught.value) == f"{[*changes][-1]} of Architecture must {message}"


def test_weights_may_be_an_array():
    assert Ladder(MLP(architecture()), np.array([10, 0.5])).weights == (10, 0.5, 0.5, 0.5)


@pytest.mark.parametrize("weights", [(), (0.0, 1.0), (1.0,) * 5, (1.0, -1.0), "1000", 3.0])
def test_weights_that_it_refuses(weights):
    with pytest.raises((InvalidArgumentError, InvalidTypeError)) as caught:
        Ladder(MLP(architecture()), weights)
    assert caught.value.parameter == "weights"


def test_it_needs_a_network_of_this_engine():
    with pytest.raises(InvalidTypeError, match="MLP"):
        Ladder(architecture())
