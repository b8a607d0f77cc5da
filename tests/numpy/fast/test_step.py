"""The fast step is the readable one: same losses, same weights, whoever computes which rows."""

import importlib
import itertools
import threading
import tracemalloc
from functools import partial

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.compiled import numba
from multilayer.embeddings import Embeddings
from multilayer.errors import DivergenceError
from multilayer.numpy import (
    LBFGS,
    MLP,
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Adversarial,
    Batch,
    VirtualAdversarial,
    limit_norms,
    take_step,
)
from multilayer.numpy.activations import ACTIVATIONS
from multilayer.numpy.activations.base import Activation
from multilayer.numpy.fast import batches, blas, stages
from multilayer.numpy.fast import step as step_module
from multilayer.numpy.fast import workers as workers_module
from multilayer.numpy.fast.workers import n_rewarding
from multilayer.numpy.losses import CrossEntropy
from multilayer.registry import resolve
from multilayer.samples import LazySamples
from multilayer.training import Callback, Progress, fit

N, N_IN = 23, 6
STEPWISE = [name for name, cls in OPTIMIZERS.items() if cls.takes_steps]
EMBEDDINGS = Embeddings([(4, 2), (1, 1)], [(2, 2)], width=3, speed=2.0)
BOUNDS = [(0, 10), (10, 20), (20, 23)]


def problem(loss, out_features, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, N_IN))
    if loss in ("cross_entropy", "nll"):
        return X, rng.integers(out_features, size=N)
    y = rng.uniform(0, 1, size=(N, out_features))
    return X, y


def readable(net, trainer, data, order, rate, n_epochs=2):
    """Train by `take_step`."""
    X, targets, weight = data
    state = trainer.optimizer.initial_state(net.parameters)
    losses = []
    for _ in range(n_epochs):
        for start, stop in BOUNDS:
            rows = order[start:stop]
            batch = Batch(X[rows], targets[rows], None if weight is None else weight[rows])
            take = take_step if trainer.adversary is None else partial(adversarial_step, trainer)
            losses.append(
                take(
                    net.network, trainer.objective, trainer.optimizer, state, batch, rate,
                    clip=trainer.clip, rng=trainer.rng,
                )
            )  # fmt: skip
            if trainer.max_norm is not None:
                limit_norms(net.network, trainer.max_norm)
    return losses


def adversarial_step(trainer, network, objective, optimizer, state, batch, rate, *, clip, rng):
    """Take a step by what defines it, which `oracle/test_adversaries.py` compares with autograd."""
    value, gradient, passed = trainer.adversary.value_and_gradient(
        objective, network, batch, trainer._directions, training=True, rng=rng
    )
    optimizer.update(network.parameters, clip(gradient), state, rate)
    network.update_state(passed)
    return value


def fast(trainer, data, order, rate, n_epochs=2):
    trainer.begin(data)
    losses = []
    for _ in range(n_epochs):
        trainer.begin_epoch(order)
        losses += [trainer.step(start, stop, rate) for start, stop in BOUNDS]
    trainer.finish()
    return losses


def assert_same_training(architecture, loss, optimizer, *, weighted=False, dtype="float64", **more):
    X, y = problem(loss, architecture.out_features)
    weight = np.random.default_rng(3).uniform(0.1, 2, size=N) if weighted else None
    order = np.random.default_rng(4).permutation(N)
    start = MLP(architecture, dtype=dtype, rng=np.random.default_rng(1))
    settings = {"l1": 0.0, "l2": 0.0, "clip_norm": None, "clip_value": None} | more
    outcomes = []
    for train in (readable, fast):
        net = start.copy()
        trainer = net.trainer(
            loss=loss, optimizer=optimizer, rng=np.random.default_rng(2), **settings
        )
        data = trainer.check(X, y, weight)
        rate = 2 * trainer.learning_rate
        first = (net,) if train is readable else ()
        outcomes.append((train(*first, trainer, data, order, rate), net))
    (expected, slow_net), (losses, fast_net) = outcomes
    # Sums of some tens of numbers in another order, over six steps; what divides by the size of
    # small gradients (Adam's first steps) makes more of the difference.
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    np.testing.assert_allclose(
        fast_net.parameters, slow_net.parameters, rtol=tolerance, atol=tolerance
    )
    for name, array in slow_net.state.items():
        np.testing.assert_allclose(fast_net.state[name], array, rtol=tolerance)
    assert (fast_net.parameters != start.parameters).any()


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_activations(activation, form, workers):
    architecture = Architecture(N_IN, (7, 7, 50), 4, activation=activation)
    assert_same_training(architecture, "cross_entropy", SGD(0.1, momentum=0.9))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization": "layer"},
        {"normalization": "batch"},
        {"residual": True},
        {"residual": True, "normalization": "layer", "dropout": 0.3},
        {"dropout": (0.0, 0.5, 0.2)},
        {"bias": False},
        {"bias": False, "normalization": "batch", "residual": True, "dropout": 0.1},
        {"embeddings": EMBEDDINGS},
        {"embeddings": EMBEDDINGS, "normalization": "batch", "residual": True, "dropout": 0.1},
        {"noise": 0.3, "residual": True},
        {"noise": (0, 0.1, 0, 0.2), "normalization": "batch", "dropout": 0.1},
        {"noise": (0, 0.1, 0, 0.2), "embeddings": EMBEDDINGS, "residual": True},
    ],
    ids=str,
)
def test_networks(settings, dtype, form, workers):
    architecture = Architecture(N_IN, (N_IN, N_IN, 9), 2, activation="tanh", **settings)
    assert_same_training(architecture, "cross_entropy", SGD(0.05), dtype=dtype)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_products_that_are_turned(activation, form, workers, monkeypatch):
    monkeypatch.setattr(stages, "is_transposed", lambda *shape: True)
    if numba() is not None:
        chain = importlib.import_module("multilayer.numpy.fast.chain")
        monkeypatch.setattr(chain, "is_transposed", lambda *shape: True)
    architecture = Architecture(N_IN, (37, 20), 4, activation=activation)
    assert_same_training(architecture, "cross_entropy", SGD(0.1, momentum=0.9))


@pytest.mark.parametrize(
    "adversary",
    [Adversarial(0.2), Adversarial(0.2, weight=1, n_steps=3), VirtualAdversarial(0.5, n_steps=2)],
    ids=str,
)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization": "batch", "dropout": 0.2},
        {"normalization": "layer", "noise": 0.1},
        {"normalization": "batch", "residual": True},
    ],
    ids=str,
)
def test_adversaries(adversary, settings, form, workers):
    architecture = Architecture(N_IN, (N_IN, N_IN, 9), 3, activation="tanh", **settings)
    how = {"adversary": adversary, "l2": 0.01, "clip_norm": 1.0}
    assert_same_training(architecture, "cross_entropy", SGD(0.05), weighted=True, **how)
    linear = Architecture(N_IN, (), 1)
    assert_same_training(linear, "squared_error", SGD(0.05), adversary=adversary)


def test_without_hidden_layers(form, workers):
    assert_same_training(Architecture(N_IN, (), 2), "cross_entropy", SGD(0.1))
    assert_same_training(Architecture(N_IN, (), 1), "squared_error", SGD(0.1))
    assert_same_training(Architecture(N_IN, (), 2, noise=0.3), "cross_entropy", SGD(0.1))


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("squared_error", "identity"),
        ("squared_error", "sigmoid"),
        ("absolute_error", "identity"),
        ("huber", "exp"),
        ("quantile", "identity"),
        ("poisson", "exp"),
        ("cross_entropy", "softmax"),
        ("nll", "log_softmax"),
        ("binary_cross_entropy", "sigmoid"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("out_features", [2, 5])
def test_losses(loss, output, weighted, out_features, form, workers):
    architecture = Architecture(N_IN, (8,), out_features, output=output)
    assert_same_training(architecture, loss, SGD(0.02), weighted=weighted)


@pytest.mark.parametrize(
    "optimizer",
    [*STEPWISE, SGD(0.05, 0.9, nesterov=True, weight_decay=0.1), SGD(0.05, weight_decay=0.1)],
    ids=str,
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"l1": 0.01, "l2": 0.1},
        {"clip_norm": 0.05},
        {"clip_value": 0.01, "clip_norm": 0.02, "l2": 0.1},
        {"max_norm": 0.5},
    ],
    ids=str,
)
def test_optimizers_penalties_and_clipping(optimizer, more, form, workers):
    architecture = Architecture(N_IN, (8, 5), 3, activation="tanh")
    assert_same_training(architecture, "cross_entropy", optimizer, **more)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"embeddings": EMBEDDINGS}], ids=str)
def test_max_norm(settings, dtype, form, workers):
    architecture = Architecture(N_IN, (8, 5), 3, activation="tanh", **settings)
    assert_same_training(architecture, "cross_entropy", SGD(0.1), dtype=dtype, max_norm=0.4)


def test_a_long_vector_is_updated_in_parts(workers, monkeypatch):
    monkeypatch.setattr(batches, "LONG", 1)
    architecture = Architecture(N_IN, (20, 20), 3)
    for optimizer, more in itertools.product(
        (SGD(0.1, 0.9), AdamW(), "nadam"),
        ({}, {"l1": 0.01, "l2": 0.1}, {"clip_norm": 0.05, "max_norm": 0.5}),
    ):
        assert_same_training(architecture, "cross_entropy", optimizer, **more)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("targets", ["labels", "probabilities"])
def test_label_smoothing_and_probabilities(targets, smoothing, form, workers):
    net = MLP(Architecture(N_IN, (4,), 3), dtype="float64", rng=np.random.default_rng(0))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, N_IN))
    y = rng.integers(3, size=N) if targets == "labels" else rng.dirichlet(np.ones(3), size=N)
    loss = CrossEntropy(label_smoothing=smoothing)
    trainer = net.trainer(loss=loss, optimizer=SGD(), rng=rng)
    expected, gradients = net.loss_and_gradients(X, y, loss=loss)
    before = [W.copy() for W, _ in net.weights]
    trainer.begin(trainer.check(X, y, None))
    trainer.begin_epoch(None)
    assert trainer.step(0, N, 0.1) == pytest.approx(expected, rel=1e-12)
    trainer.finish()
    for (W, _), old, (dW, _) in zip(net.weights, before, gradients, strict=True):
        np.testing.assert_allclose(W, old - 0.1 * dW, rtol=1e-10, atol=1e-14)


class _Lazy(LazySamples):
    """A matrix in memory as lazy samples without a way of their own to read into an array."""

    def __init__(self, X):
        self.X, self.shape = X, X.shape

    def __getitem__(self, rows):
        return self.X[rows]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("reordered_bytes", [0, 2**22])
def test_the_samples_may_come_from_anywhere(shuffle, reordered_bytes, workers, monkeypatch):
    from multilayer.numpy.fast import source

    monkeypatch.setattr(source, "REORDERED_BYTES", reordered_bytes)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, N_IN)).astype(np.float32)
    y, weight = rng.integers(3, size=N), rng.uniform(size=N)
    results = []
    for samples in (X, _Lazy(X), np.asfortranarray(X)):
        net = MLP(Architecture(N_IN, (5,), 3), rng=np.random.default_rng(0))
        history = fit(
            net, (samples, y, weight), loss="cross_entropy", n_epochs=3, batch_size=10,
            shuffle=shuffle, rng=np.random.default_rng(1),
        )  # fmt: skip
        results.append((net.parameters.tobytes(), history["train_loss"]))
    assert results[0] == results[1] == results[2]


def test_a_batch_without_weights_changes_nothing(workers):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N, N_IN)), rng.integers(3, size=N)
    weight = np.zeros(N)
    weight[-1] = 1
    net = MLP(Architecture(N_IN, (5,), 3), rng=rng)
    before = net.parameters.copy()
    trainer = net.trainer(loss="cross_entropy", optimizer="adam")
    trainer.begin(trainer.check(X, y, weight))
    trainer.begin_epoch(None)
    assert trainer.step(0, 10, 0.1) == 0.0
    assert trainer.optimizer_state["step"] == 0
    np.testing.assert_array_equal(net.parameters, before)
    trainer.finish()


@pytest.mark.parametrize("workers", [2], indirect=True)
def test_a_loss_that_is_not_finite_changes_nothing(workers):
    X = np.full((N, N_IN), 1e30)
    net = MLP(Architecture(N_IN, (5,), 1), rng=np.random.default_rng(0))
    before = net.parameters.copy()
    trainer = net.trainer(loss="squared_error", optimizer=SGD(0.1, 0.9))
    trainer.begin(trainer.check(X, np.zeros(N), None))
    trainer.begin_epoch(None)
    with np.errstate(over="ignore", invalid="ignore"):  # as `fit` has it
        assert not np.isfinite(trainer.step(0, N, 0.1))
    trainer.finish()
    np.testing.assert_array_equal(net.parameters, before)
    assert not trainer.optimizer_state["velocity"].any()


def trained(normalization=None, **settings):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 20)).astype(np.float32), rng.integers(3, size=200)
    architecture = Architecture(20, (16, 16), 3, dropout=0.2, normalization=normalization)
    net = MLP(architecture, rng=np.random.default_rng(0))
    fit(net, (X, y), loss="cross_entropy", n_epochs=3, rng=np.random.default_rng(1), **settings)
    return net.parameters.tobytes()


def test_looking_on_changes_no_bit():
    from rich.console import Console

    class Watcher(Callback):
        def on_step_end(self, run):
            run.net(np.zeros((600, 20)))

    plain = trained()
    assert trained(callbacks=[Progress(Console(quiet=True)), Watcher()]) == plain


@pytest.mark.parametrize("workers", [2], indirect=True)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_one_thread_alone_gives_the_same_bits(normalization, workers, monkeypatch):
    together = trained(normalization)
    draws = np.random.default_rng(3)
    for is_alone in (lambda self: True, lambda self: draws.random() < 0.5):
        monkeypatch.setattr(workers_module.Workers, "is_alone", property(is_alone))
        assert trained(normalization) == together


@pytest.mark.parametrize("workers", [3], indirect=True)
def test_an_interrupt_between_two_turns_leaves_no_thread(workers, monkeypatch):
    """Workers wait for each other at a batch normalisation, where nothing may hold them."""
    turns = itertools.count()
    is_over = step_module._is_over

    def interrupted(run):
        if next(turns) == 40:
            raise KeyboardInterrupt
        return is_over(run)

    monkeypatch.setattr(step_module, "_is_over", interrupted)
    trained("batch")
    assert next(turns) < 60
    assert not [t for t in threading.enumerate() if t.name.startswith("multilayer")]


@pytest.mark.skipif(numba() is None, reason="the plain forms of the kernels make arrays")
@pytest.mark.parametrize("n_rows", [64, 512])
@pytest.mark.parametrize("optimizer", [SGD(0.01, 0.9), Adam()], ids=["sgd", "adam"])
@pytest.mark.parametrize("more", [{}, {"max_norm": 0.1, "ema": 0.9}], ids=str)
def test_a_step_makes_no_arrays(n_rows, optimizer, more):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8 * n_rows, 200)).astype(np.float32)
    y = rng.integers(10, size=len(X))
    net = MLP(Architecture(200, (100, 100), 10), rng=rng)
    trainer = net.trainer(loss="cross_entropy", optimizer=optimizer, l2=1e-3, **more)
    trainer.begin(trainer.check(X, y, None))
    try:
        trainer.begin_epoch(rng.permutation(len(X)))
        trainer.step(0, n_rows, 0.01)  # makes its arrays, compiles its kernels
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for start in range(0, len(X), n_rows):
            trainer.step(start, start + n_rows, 0.01)
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    finally:
        trainer.finish()
    # Targets of a batch are taken by indexing, 8 bytes each; all else is views, which are small.
    # One array of a batch's smallest layer would be 40 bytes a row.
    assert peak - before < 8 * n_rows + 2_000
    assert after - before < 4_000


def test_small_work_stays_on_one_thread():
    assert n_rewarding(6 * 64 * 1_200, 8) == 1
    assert n_rewarding(6 * 512 * 27_456, 2) == 2
    assert n_rewarding(6 * 512 * 10**7, 1) == 1
    assert n_rewarding(6 * 512 * 10**7, 64) == 64


@pytest.mark.parametrize(
    ("n_threads", "batch_size", "settings", "n_workers", "blas_alone"),
    [
        (2, 64, {}, 2, True),
        (2, 32, {}, 2, True),  # 16 rows each
        (2, 16, {}, 1, True),  # too few to cut, and few cores: one thread
        (8, 32, {}, 1, False),  # two workers would leave six of eight cores without work
        (8, 64, {}, 4, True),
        (2, 64, {"normalization": "batch"}, 2, True),  # they wait for each other
        (2, 16, {"normalization": "batch"}, 1, False),  # too little to do in between
    ],
)
def test_who_shares_a_step(n_threads, batch_size, settings, n_workers, blas_alone, monkeypatch):
    monkeypatch.setattr(workers_module, "n_threads", lambda: n_threads)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(batch_size, 700)), rng.integers(10, size=batch_size)
    net = MLP(Architecture(700, (700,), 10, **settings), rng=rng)
    trainer = net.trainer(loss="cross_entropy", optimizer=SGD())
    trainer.begin(trainer.check(X, y, None))
    try:
        trainer.begin_epoch(None)
        trainer.step(0, batch_size, 0.1)
        found = sum(t.name.startswith("multilayer") for t in threading.enumerate())
        assert (1 + found, bool(blas._State.holders)) == (n_workers, blas_alone)
    finally:
        trainer.finish()


def assert_nothing_is_left():
    """Assert that threads have ended and BLAS has its own back."""
    assert not [t for t in threading.enumerate() if t.name.startswith("multilayer")]
    assert blas._State.holders == []


def test_a_divergence_ends_the_threads_and_gives_blas_its_own_back(workers):
    X = np.random.default_rng(0).normal(size=(100, N_IN)) * 1e3
    net = MLP(Architecture(N_IN, (5,), 1, activation="identity"), rng=np.random.default_rng(0))
    with pytest.raises(DivergenceError):
        fit(net, (X, X[:, 0]), loss="squared_error", optimizer=SGD(10.0), n_epochs=50)
    assert_nothing_is_left()


@pytest.mark.parametrize("workers", [2], indirect=True)
def test_an_interrupt_ends_the_threads_and_gives_blas_its_own_back(workers):
    net = MLP(Architecture(N_IN, (5,), 3), rng=np.random.default_rng(0))
    X, y = problem("cross_entropy", 3)
    pass_rows, n_passes = step_module.Step._pass_rows, itertools.count()

    def interrupted(self, rows):
        if rows.start == 0 and next(n_passes) == 3:
            raise KeyboardInterrupt
        return pass_rows(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_module.Step, "_pass_rows", interrupted)
        history = fit(net, (X, y), loss="cross_entropy", n_epochs=3, batch_size=10)
    assert history.stopped_by == "interrupt"
    assert_nothing_is_left()


def test_a_trainer_that_begins_anew_leaves_nothing_of_before(workers):
    net = MLP(Architecture(N_IN, (5,), 3), rng=np.random.default_rng(0))
    trainer = net.trainer(loss="cross_entropy", optimizer=SGD())
    data = trainer.check(*problem("cross_entropy", 3), None)
    for _ in range(2):
        trainer.begin(data)
        trainer.begin_epoch(None)
        trainer.step(0, N, 0.1)
    trainer.finish()
    assert_nothing_is_left()


class Widening(Activation):
    """A tanh of one's own that computes in float64."""

    def forward(self, z):
        return np.tanh(z.astype(np.float64))

    def backward(self, da, z, a):
        return da.astype(np.float64) * (1 - a**2)


def test_an_activation_may_compute_in_another_precision(workers, monkeypatch):
    monkeypatch.setattr(ACTIVATIONS.names, "_names", [*ACTIVATIONS, "widening"])
    monkeypatch.setitem(ACTIVATIONS._entries, "widening", Widening())
    architecture = Architecture(N_IN, (7, 7), 3, activation="widening")
    assert_same_training(architecture, "cross_entropy", SGD(0.1), dtype="float32")


def test_every_named_optimizer_is_resolved_here():
    assert all(resolve(name, OPTIMIZERS, object) for name in OPTIMIZERS)


@pytest.mark.parametrize(
    "settings", [{}, {"normalization": "batch"}, {"normalization": "layer"}], ids=str
)
@pytest.mark.parametrize("piece", [8192, 7])
def test_lbfgs_is_given_the_readable_loss_and_gradient(piece, settings, form, workers, monkeypatch):
    monkeypatch.setattr(step_module, "PIECE", piece)
    architecture = Architecture(N_IN, (7, 5), 3, activation="tanh", **settings)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(0))
    trainer = net.trainer(loss="cross_entropy", optimizer="lbfgs", l1=0.01, l2=0.1)
    X, y = problem("cross_entropy", 3)
    weight = np.random.default_rng(3).uniform(0.1, 2, size=N)
    weight[7:14] = 0  # a piece that does not count
    seen = []

    def look(self, objective, start, n_iterations, after_iteration):
        for shift in (0.0, 0.1, -0.2):
            seen.append((start + shift, *objective(start + shift)))
        return "converged"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LBFGS, "minimize", look)
        trainer.minimize(trainer.check(X, y, weight), 5, lambda _: False)
    trainer.finish()
    for parameters, value, gradient in seen:
        net.parameters[:] = parameters
        expected, gradients = net.loss_and_gradients(
            X, y, loss="cross_entropy", l1=0.01, l2=0.1, sample_weight=weight
        )
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, net.flatten(gradients), rtol=1e-10, atol=1e-14)
    assert_nothing_is_left()
