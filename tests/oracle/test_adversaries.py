"""Adversarial and virtual adversarial training against the same losses by PyTorch's autograd."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import LOSSES, MLP, Adversarial, Ensemble, Quantile, VirtualAdversarial
from multilayer.numpy.objective import Objective
from multilayer.torch import MLP as TorchMLP
from multilayer.torch import Ensemble as TorchEnsemble
from multilayer.training import Callback, Checkpoint, fit

# As in test_gradients.py; a unit vector adds a division by a norm.
CLOSE = {"rtol": 1e-8, "atol": 1e-11}
N_SAMPLES, IN_FEATURES = 7, 4
TWO, TWO_IN_TORCH = (partial(kind, n_members=2) for kind in (Ensemble, TorchEnsemble))


def network(seed=0, **settings):
    settings = {"hidden_features": (5, 6), "activation": "tanh", "out_features": 3, **settings}
    net = MLP(Architecture(IN_FEATURES, **settings), dtype="float64")
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.6, size=net.n_parameters)
    return net


def samples(seed=1):
    return np.random.default_rng(seed).normal(size=(N_SAMPLES, IN_FEATURES))


def found(adversary, net, X, y, loss, weight=None, l2=0.0):
    objective = Objective(loss, l2=l2)
    batch = net.batch(X, y, weight, loss)
    value, gradient, _ = adversary.value_and_gradient(
        objective, net.network, batch, np.random.default_rng(5), training=True, rng=None
    )
    return value, gradient


def assert_same(twin, expected, value, gradient):
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-10)
    own = np.concatenate([p.grad.numpy().ravel() for p in twin.parameters()])
    np.testing.assert_allclose(gradient, own, **CLOSE)


CASES = [
    ("cross_entropy", {}),
    ("cross_entropy", {"normalization": "batch"}),
    ("cross_entropy", {"normalization": "layer"}),
    ("binary_cross_entropy", {"out_features": 2}),
    ("squared_error", {"out_features": 2}),
    ("squared_error", {"out_features": 1, "hidden_features": (4, 4), "residual": True}),
    ("cross_entropy", {"hidden_features": ()}),
]


@pytest.fixture
def drawn(draw_targets):
    """Return a function that makes a network, its loss, samples, targets, and weights, if any."""

    def make(name, settings, weighted):
        net, loss, rng = network(**settings), LOSSES[name](), np.random.default_rng(3)
        y = draw_targets(loss, N_SAMPLES, net.architecture.out_features, rng)
        weight = rng.uniform(0.1, 2, size=N_SAMPLES) if weighted else None
        return net, loss, samples(), y, weight

    return make


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_adversarial(name, settings, n_steps, weighted, torch_twin, drawn):
    net, loss, X, y, weight = drawn(name, settings, weighted)
    adversary = Adversarial(0.3, weight=0.4, n_steps=n_steps)
    value, gradient = found(adversary, net, X, y, loss, weight, l2=0.1)

    twin = torch_twin(net).train()
    x = torch.tensor(X)
    for _ in range(n_steps):
        x.requires_grad_()
        (g,) = torch.autograd.grad(twin.objective(x, y, loss, weight=weight), x)
        x = (x + 0.3 / n_steps * g.sign()).detach()
    own, far = (twin.objective(each, y, loss, weight=weight, l2=0.1) for each in (X, x))
    assert_same(twin, 0.6 * own + 0.4 * far, value, gradient)


def kullback_leibler(name, z, q):
    """D between the distributions, or values, of logits, one for each sample."""
    if name == "cross_entropy":
        two = q.log_softmax(1), z.log_softmax(1)
        return F.kl_div(*two, log_target=True, reduction="none").sum(1)
    if name == "binary_cross_entropy":
        two = [torch.stack([F.logsigmoid(-each), F.logsigmoid(each)]) for each in (q, z)]
        return F.kl_div(*two, log_target=True, reduction="none").sum(dim=(0, 2))
    return 0.5 * (z - q).square().sum(1)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("n_steps", [1, 2])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_virtual_adversarial(name, settings, n_steps, weighted, torch_twin, drawn):
    net, loss, X, y, weight = drawn(name, settings, weighted)
    adversary = VirtualAdversarial(0.5, weight=0.7, n_steps=n_steps)
    value, gradient = found(adversary, net, X, y, loss, weight)

    twin = torch_twin(net).train()
    weights = np.ones(N_SAMPLES) if weight is None else weight
    share, x = torch.tensor(weights / weights.sum()), torch.tensor(X)
    fixed = twin.logits(x).detach()
    d = F.normalize(torch.tensor(np.random.default_rng(5).standard_normal(X.shape)))
    for _ in range(n_steps):
        r = (0.005 * d).requires_grad_()
        (g,) = torch.autograd.grad(
            (share * kullback_leibler(name, fixed, twin.logits(x + r))).sum(), r
        )
        d = F.normalize(g)
    own = twin.objective(X, y, loss, weight=weight)
    far = (share * kullback_leibler(name, fixed, twin.logits(x + 0.5 * d))).sum()
    assert_same(twin, own + 0.7 * far, value, gradient)


def test_the_power_method_finds_the_direction_that_hurts_most():
    """Of a linear network, f(x + r) − f(x) = W r: the best r is W's first right singular vector."""
    net = network(hidden_features=(), out_features=3)
    W = net.weights[0][0]
    X = samples()
    adversary = VirtualAdversarial(0.5, n_steps=60)
    loss = LOSSES["squared_error"]()
    y = net(X)  # so that the loss itself is 0
    value, _ = found(adversary, net, X, y, loss)
    largest = np.linalg.svd(W, compute_uv=False)[0]
    assert value == pytest.approx(0.5 * (0.5 * largest) ** 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adversarial(0), "epsilon of Adversarial must be"),
        (lambda: Adversarial(0.1, weight=2), "weight of Adversarial must be"),
        (lambda: VirtualAdversarial(1, n_steps=0), "n_steps of VirtualAdversarial must be"),
        (lambda: VirtualAdversarial(1).judge(Quantile((0.1, 0.9))), "cannot be combined"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()


@pytest.mark.parametrize("adversary", [Adversarial(0.2, n_steps=2), VirtualAdversarial(0.4)])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_both_engines_take_the_same_steps(name, settings, adversary, draw_targets):
    net, loss = network(**settings), LOSSES[name]()
    other = TorchMLP.from_numpy(net)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, IN_FEATURES))
    y = draw_targets(loss, 30, net.architecture.out_features, rng)
    before = net.parameters.copy()
    histories = [
        fit(each, (X, y), loss=loss, optimizer="sgd", n_epochs=2, batch_size=8, adversary=adversary,
            max_norm=0.9, ema=0.8,
            validation=0.2, l2=0.01, clip_norm=5.0, rng=np.random.default_rng(7))
        for each in (net, other)
    ]  # fmt: skip
    assert np.abs(net.parameters - before).max() > 1e-3
    np.testing.assert_allclose(other.to_numpy().parameters, net.parameters, rtol=1e-8, atol=1e-10)
    for name in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-8)
    for own, others in zip(net.state.values(), other.state.values(), strict=True):
        np.testing.assert_allclose(own, others, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("make", [MLP, TorchMLP, TWO, TWO_IN_TORCH])
def test_a_training_goes_on_from_its_checkpoint(make, tmp_path):
    X, y = samples(), np.arange(N_SAMPLES) % 3
    how = {"loss": "cross_entropy", "batch_size": 3, "adversary": VirtualAdversarial(0.5)}

    def trained(n_epochs, **others):
        net = make(Architecture(IN_FEATURES, (5,), 3), rng=np.random.default_rng(0))
        fit(net, (X, y), n_epochs=n_epochs, rng=np.random.default_rng(1), **how, **others)
        is_torch = isinstance(net, torch.nn.Module)
        return net(torch.tensor(X, dtype=torch.float32) if is_torch else X)

    class Stop(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                raise KeyboardInterrupt

    whole = trained(4)
    trained(4, checkpoint=Checkpoint(tmp_path / "c", seconds=0), callbacks=[Stop()])
    again = trained(4, checkpoint=Checkpoint(tmp_path / "c", seconds=0), resume=True)
    assert np.array_equal(np.asarray(whole.tolist()), np.asarray(again.tolist()))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"adversary": "fast"}, InvalidTypeError, "adversary of fit must be an Adversary"),
        ({"adversary": Adversarial(1), "optimizer": "lbfgs"}, InvalidArgumentError, "L-BFGS"),
    ],
)
def test_what_fit_refuses(options, error, message):
    for make in (MLP, TorchMLP, TWO, TWO_IN_TORCH):
        net = make(Architecture(IN_FEATURES, (5,), 3))
        with pytest.raises(error, match=message):
            fit(net, (samples(), [0] * N_SAMPLES), loss="cross_entropy", **options)
