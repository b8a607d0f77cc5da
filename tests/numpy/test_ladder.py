"""The ladder: its gradients against autograd, and a training that fit drives."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import LBFGS, MLP, Adam, Ladder, Objective, VirtualAdversarial
from multilayer.numpy.blocks import RandomLayer
from multilayer.numpy.decoder import Decoder, ladder_value_and_gradients
from multilayer.numpy.layers import Stack
from multilayer.numpy.losses import CrossEntropy
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Batch
from multilayer.training import Callback, EarlyStopping, fit


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


def trained(n_epochs=3, **settings):
    net, X, y = problem()
    given = {"loss": "cross_entropy", "optimizer": "adam", "batch_size": 8} | settings
    rng = np.random.default_rng
    history = fit(Ladder(net, rng=rng(2)), (X, y), n_epochs=n_epochs, rng=rng(3), **given)
    return net, history, X, y


def test_what_is_trained_is_what_predicts():
    """The network from outside and the loop's own validation of it are one function."""
    net, history, X, y = trained(validation=problem()[1:])
    p = net(X)[np.arange(len(y)), y]
    assert history["validation_loss"][-1] == pytest.approx(-np.log(p).mean(), rel=1e-9)


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


def test_scales_stay_as_they_are():
    net, *_ = trained()
    gammas = [p[0] for layer in net.network.layers if len(p := layer.parameters) == 2 and
              p[0].ndim == 1]  # fmt: skip
    assert len(gammas) == 2
    for gamma in gammas:
        np.testing.assert_array_equal(gamma, 1)


def test_a_resumed_training_ends_with_the_same_bits(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                raise KeyboardInterrupt

    whole, *_ = trained(4)
    _, history, *_ = trained(4, checkpoint=tmp_path, callbacks=[Stop()])
    assert history.stopped_by == "interrupt"
    resumed, *_ = trained(4, checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)
    for name, array in whole.network.state.items():
        np.testing.assert_array_equal(resumed.network.state[name], array)


def test_early_stopping_restores_the_best_epoch():
    net, history, X, y = trained(
        30, validation=problem()[1:], callbacks=[EarlyStopping(3)], optimizer=Adam(0.05)
    )
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
        ("noise", LBFGS()),
        ("loss", "squared_error"),
    ],
)
def test_what_it_cannot_be_combined_with(name, value):
    with pytest.raises(InvalidArgumentError) as caught:
        trained(**{"optimizer" if name == "noise" else name: value})
    assert caught.value.parameter == name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise": (0.0, 0.3, 0.3)}, "noise on its inputs"),
        ({"normalization": None}, "normalization='batch'"),
        ({"normalization": "layer"}, "normalization='batch'"),
        ({"bias": False}, "biases"),
    ],
)
def test_networks_that_it_refuses(changes, words):
    with pytest.raises(InvalidArgumentError, match=words) as caught:
        Ladder(MLP(architecture(**changes)))
    assert caught.value.parameter == "mlp"


@pytest.mark.parametrize("weights", [(), (0.0, 1.0), (1.0,) * 5, (1.0, -1.0), "1000", 3.0])
def test_weights_that_it_refuses(weights):
    with pytest.raises(InvalidArgumentError) as caught:
        Ladder(MLP(architecture()), weights)
    assert caught.value.parameter == "weights"


def test_it_needs_a_network_of_this_engine():
    with pytest.raises(InvalidTypeError, match="MLP"):
        Ladder(architecture())
