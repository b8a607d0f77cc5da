"""Whole trainings against a plain loop in PyTorch: losses, epoch by epoch, and final weights."""

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multilayer import Architecture
from multilayer.numpy import (
    LOSSES,
    MLP,
    SGD,
    Adam,
    AdamW,
    Cosine,
    Exponential,
    NAdam,
    ReduceOnPlateau,
    RMSprop,
    Step,
)
from multilayer.torch import MLP as TorchMLP
from multilayer.training import fit

# Some 30 steps, each of which adds a gradient's rounding (1e-13 at most) to the weights; a smooth
# network's curvature lets a difference grow by one or two digits.
CLOSE = {"rtol": 1e-10, "atol": 1e-11}

N_SAMPLES, IN_FEATURES, OUT_FEATURES = 26, 4, 3
BATCH_SIZE = 8  # the last batch of an epoch has 2 samples

MOMENTUM = (
    SGD(0.05, momentum=0.9),
    lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
)
ADAM = (Adam(0.01), lambda parameters: torch.optim.Adam(parameters, lr=0.01))
OPTIMIZERS = {
    "momentum": MOMENTUM,
    "nesterov": (
        SGD(0.05, momentum=0.8, nesterov=True),
        lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.8, nesterov=True),
    ),
    "adam": ADAM,
    "adamw": (
        AdamW(0.01, weight_decay=0.1),
        lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1),
    ),
    "nadam": (NAdam(0.01), lambda parameters: torch.optim.NAdam(parameters, lr=0.01)),
    "rmsprop": (RMSprop(0.005), lambda parameters: torch.optim.RMSprop(parameters, lr=0.005)),
}

# A bias before batch normalisation has gradient zero but for rounding, which Adam and its relatives
# divide by its own size: what such a bias does there is chance, in every implementation.
WITH_BATCH_NORM = {"normalization": "batch", "bias": False}


def network(**settings):
    settings = {"hidden_features": (6, 6), "activation": "tanh", **settings}
    architecture = Architecture(IN_FEATURES, out_features=OUT_FEATURES, **settings)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(0))
    net.parameters[:] = np.random.default_rng(1).normal(scale=0.6, size=net.n_parameters)
    return net


def samples(loss, draw_targets, n_samples=N_SAMPLES):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n_samples, IN_FEATURES))
    return X, draw_targets(loss, n_samples, OUT_FEATURES, rng)


def train_in_torch(
    twin,
    make_optimizer,
    data,
    loss,
    *,
    n_epochs=6,
    batch_size=BATCH_SIZE,
    l1=0.0,
    l2=0.0,
    before_step=lambda twin: None,
    after_step=lambda twin: None,
    after_epoch=lambda loss: None,
):
    """The loop that everyone writes; returns each epoch's mean of its samples' losses."""
    X, y, *rest = data
    weight = rest[0] if rest else None
    twin.train()
    optimizer = make_optimizer(twin.parameters())
    epoch_losses = []
    for _ in range(n_epochs):
        sum_of_losses = sum_of_weights = 0.0
        for start in range(0, len(X), batch_size):
            rows = slice(start, start + batch_size)
            of_batch = None if weight is None else weight[rows]
            optimizer.zero_grad()
            value = twin.objective(X[rows], y[rows], loss, l1=l1, l2=l2, weight=of_batch)
            value.backward()
            before_step(twin)
            optimizer.step()
            after_step(twin)
            mass = len(X[rows]) if of_batch is None else float(np.sum(of_batch))
            sum_of_losses += value.item() * mass
            sum_of_weights += mass
        epoch_losses.append(sum_of_losses / sum_of_weights)
        after_epoch(epoch_losses[-1])
    return epoch_losses


def assert_same(net, history, twin, epoch_losses):
    np.testing.assert_allclose(history["train_loss"], epoch_losses, **CLOSE)
    arrays = [array for pair in net.weights for array in pair if array is not None]
    for array, parameter in zip(arrays, twin.parameters(), strict=True):
        np.testing.assert_allclose(array, parameter.detach().numpy(), **CLOSE)


@pytest.fixture
def train_both(torch_twin):
    """Train the engine's network and its twin alike, and compare."""

    def train(net, data, loss, optimizers, *, n_epochs=6, batch_size=BATCH_SIZE, l1=0.0, l2=0.0):
        ours, make_torchs = optimizers
        twin = torch_twin(net)
        penalties = {"l1": l1, "l2": l2}
        steps = {"n_epochs": n_epochs, "batch_size": batch_size}
        expected = train_in_torch(twin, make_torchs, data, loss, **steps, **penalties)
        history = fit(net, data, loss=loss, optimizer=ours, shuffle=False, **steps, **penalties)
        assert_same(net, history, twin, expected)

    return train


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("optimizers", [MOMENTUM, ADAM], ids=["momentum", "adam"])
def test_training_equals_torch(optimizers, name, train_both, draw_targets):
    loss = LOSSES[name]()
    net = network(output="log_softmax" if name == "nll" else "identity")
    train_both(net, samples(loss, draw_targets), loss, optimizers)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization": "layer"},
        WITH_BATCH_NORM,
        {"residual": True, "activation": ("gelu", "silu")},
        {"bias": False},
        {"hidden_features": (), "activation": "relu"},
    ],
    ids=str,
)
def test_every_kind_of_network_trains_as_in_torch(settings, optimizer, train_both, draw_targets):
    loss = LOSSES["cross_entropy"]()
    train_both(network(**settings), samples(loss, draw_targets), loss, OPTIMIZERS[optimizer])


@pytest.mark.parametrize("batch_size", [1, 5, 13, 26, 100])
def test_batches_of_any_size(batch_size, train_both, draw_targets):
    loss = LOSSES["squared_error"]()
    data = samples(loss, draw_targets)
    train_both(network(), data, loss, MOMENTUM, batch_size=batch_size, n_epochs=3)


@pytest.mark.parametrize("optimizers", [MOMENTUM, ADAM], ids=["momentum", "adam"])
@pytest.mark.parametrize("name", ["cross_entropy", "squared_error", "binary_cross_entropy"])
def test_weighted_samples(name, optimizers, train_both, draw_targets):
    loss = LOSSES[name]()
    rng = np.random.default_rng(3)
    weight = np.where(rng.random(N_SAMPLES) < 0.2, 0, rng.uniform(0.1, 4, size=N_SAMPLES))
    train_both(network(), (*samples(loss, draw_targets), weight), loss, optimizers)


@pytest.mark.parametrize("settings", [{}, WITH_BATCH_NORM, {"normalization": "layer"}], ids=str)
@pytest.mark.parametrize("optimizers", [MOMENTUM, ADAM], ids=["momentum", "adam"])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.2), (0.05, 0.0), (0.02, 0.1)])
def test_penalties(l1, l2, optimizers, settings, train_both, draw_targets):
    loss = LOSSES["cross_entropy"]()
    net = network(**settings)
    train_both(net, samples(loss, draw_targets), loss, optimizers, l1=l1, l2=l2)


def test_l2_is_torchs_weight_decay_of_weights_only(torch_twin, draw_targets):
    """With SGD the two are the same; biases, γ and β are in a group without decay."""
    loss, net = LOSSES["squared_error"](), network(normalization="layer")
    data, twin = samples(loss, draw_targets), torch_twin(net)

    def make(_):
        decayed = twin.affine_weights()
        others = [p for p in twin.parameters() if all(p is not W for W in decayed)]
        groups = [{"params": decayed, "weight_decay": 0.3}, {"params": others}]
        return torch.optim.SGD(groups, lr=0.05, momentum=0.9)

    train_in_torch(twin, make, data, loss)
    settings = {"batch_size": BATCH_SIZE, "n_epochs": 6, "shuffle": False}
    fit(net, data, loss=loss, optimizer=MOMENTUM[0], l2=0.3, **settings)
    arrays = [array for pair in net.weights for array in pair]
    for array, parameter in zip(arrays, twin.parameters(), strict=True):
        np.testing.assert_allclose(array, parameter.detach().numpy(), **CLOSE)


def test_gradients_are_clipped_by_value_before_norm(torch_twin, draw_targets):
    loss, net = LOSSES["squared_error"](), network()
    data, twin = samples(loss, draw_targets), torch_twin(net)

    def clip(twin):
        torch.nn.utils.clip_grad_value_(twin.parameters(), 0.2)
        gradient = torch.cat([p.grad.ravel() for p in twin.parameters()])
        # torch.nn.utils.clip_grad_norm_ would do, but for the 1e-6 that it adds to the norm.
        scale = torch.clamp(0.5 / torch.linalg.vector_norm(gradient), max=1.0)
        for p in twin.parameters():
            p.grad.mul_(scale)

    expected = train_in_torch(twin, MOMENTUM[1], data, loss, before_step=clip)
    settings = {"batch_size": BATCH_SIZE, "n_epochs": 6, "shuffle": False}
    clipping = {"clip_value": 0.2, "clip_norm": 0.5}
    history = fit(net, data, loss=loss, optimizer=MOMENTUM[0], **settings, **clipping)
    assert_same(net, history, twin, expected)


def limit(twin, c):
    """What torch.renorm does, but for the 1e-7 that it adds to the norm."""
    with torch.no_grad():
        for W in twin.affine_weights():
            is_long = torch.linalg.vector_norm(W, dim=1, keepdim=True) > c
            W.copy_(torch.where(is_long, c * torch.nn.functional.normalize(W, dim=1), W))


# With batch normalisation, higher rates and smaller batches, a rounding grows by five digits.
SLOW = {
    "momentum": (
        SGD(0.01, momentum=0.9),
        lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    ),
    "adam": (Adam(0.003), lambda parameters: torch.optim.Adam(parameters, lr=0.003)),
}


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("optimizers", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("settings", [{}, WITH_BATCH_NORM, {"normalization": "layer"}], ids=str)
@pytest.mark.parametrize(
    "options", [{"max_norm": 0.8}, {"ema": 0.97}, {"max_norm": 0.8, "ema": 0.97}], ids=str
)
def test_limited_norms_and_averaged_weights(
    options, settings, optimizers, engine, torch_twin, draw_targets
):
    """Over 200 steps: the average is of constrained weights, statistics included."""
    loss, start = LOSSES["cross_entropy"](), network(**settings)
    net = start if engine == "numpy" else TorchMLP.from_numpy(start)
    data, twin = samples(loss, draw_targets, 64), torch_twin(start)
    steps = {"n_epochs": 50, "batch_size": 16}
    average = AveragedModel(
        twin, multi_avg_fn=get_ema_multi_avg_fn(options.get("ema", 0.5)), use_buffers=True
    )

    def after_step(twin):
        if "max_norm" in options:
            limit(twin, options["max_norm"])
        average.update_parameters(twin)

    train = optimizers[1], data, loss
    expected = train_in_torch(twin, *train, after_step=after_step, **steps)
    history = fit(net, data, loss=loss, optimizer=optimizers[0], shuffle=False, **steps, **options)
    trained = average.module if "ema" in options else twin
    assert_same(net, history, trained, expected)
    for norm, i in zip(trained.batch_norms(), range(0, 4, 2), strict=False):
        found = list(net.state.values())[i : i + 2]
        np.testing.assert_allclose(found[0], norm.running_mean, **CLOSE)
        np.testing.assert_allclose(found[1], norm.running_var, **CLOSE)
    if "max_norm" in options:
        longest = [torch.linalg.vector_norm(W.detach(), dim=1).max() for W in twin.affine_weights()]
        assert max(longest) == pytest.approx(0.8)  # or it limits nothing


@pytest.mark.parametrize(
    ("schedule", "make_scheduler"),
    [
        (Step(2, 0.5), lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.5)),
        (Exponential(0.8), lambda o: lr_scheduler.ExponentialLR(o, gamma=0.8)),
        (Cosine(0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6, eta_min=0.005)),
    ],
    ids=["step", "exponential", "cosine"],
)
def test_a_schedule_with_one_step_an_epoch(schedule, make_scheduler, torch_twin, draw_targets):
    """Between epochs the two differ by design: PyTorch's rates change with epochs only."""
    loss, net = LOSSES["cross_entropy"](), network()
    data, twin = samples(loss, draw_targets), torch_twin(net)
    schedulers, rates = [], []

    def make(parameters):
        optimizer = MOMENTUM[1](parameters)
        schedulers.append(make_scheduler(optimizer))
        return optimizer

    def after_epoch(_):
        rates.extend(schedulers[0].get_last_lr())
        schedulers[0].step()

    settings = {"batch_size": N_SAMPLES, "n_epochs": 6}
    expected = train_in_torch(twin, make, data, loss, after_epoch=after_epoch, **settings)
    history = fit(
        net, data, loss=loss, optimizer=MOMENTUM[0], schedule=schedule, shuffle=False, **settings
    )
    assert_same(net, history, twin, expected)
    np.testing.assert_allclose(history["learning_rate"], rates, rtol=1e-12)  # a few roundings


def test_a_plateau_of_the_training_loss_reduces_the_rate_as_in_torch(torch_twin, draw_targets):
    loss, net = LOSSES["squared_error"](), network()
    data, twin = samples(loss, draw_targets), torch_twin(net)
    schedulers, rates = [], []

    def make(parameters):
        optimizer = torch.optim.SGD(parameters, lr=0.3, momentum=0.9)  # too large: the loss jumps
        schedulers.append(
            lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=0.5, patience=0, threshold=0.01, threshold_mode="abs", eps=0
            )
        )
        return optimizer

    def after_epoch(value):
        rates.extend(schedulers[0].get_last_lr())
        schedulers[0].step(value)

    expected = train_in_torch(twin, make, data, loss, n_epochs=8, after_epoch=after_epoch)
    history = fit(
        net,
        data,
        loss=loss,
        optimizer=SGD(0.3, momentum=0.9),
        schedule=ReduceOnPlateau(0.5, patience=1, min_delta=0.01),
        n_epochs=8,
        batch_size=BATCH_SIZE,
        shuffle=False,
    )
    assert_same(net, history, twin, expected)
    assert history["learning_rate"] == rates
    assert rates[-1] < rates[0]


@pytest.mark.parametrize("settings", [{}, WITH_BATCH_NORM], ids=str)
def test_validation_loss_is_torchs_in_prediction_mode(settings, torch_twin, draw_targets):
    """Without penalty, and with running statistics."""
    loss, net = LOSSES["cross_entropy"](), network(**settings)
    data, twin = samples(loss, draw_targets), torch_twin(net)
    rng = np.random.default_rng(4)
    held_out = (rng.normal(size=(11, IN_FEATURES)), rng.integers(3, size=11), rng.random(11))
    validation_losses = []

    def after_epoch(_):
        twin.eval()
        with torch.no_grad():
            value = twin.objective(*held_out[:2], loss, weight=held_out[2])
        twin.train()
        validation_losses.append(value.item())

    train_in_torch(twin, ADAM[1], data, loss, l2=0.1, after_epoch=after_epoch)
    steps = {"batch_size": BATCH_SIZE, "n_epochs": 6, "shuffle": False, "l2": 0.1}
    history = fit(net, data, loss=loss, optimizer=ADAM[0], validation=held_out, **steps)
    np.testing.assert_allclose(history["validation_loss"], validation_losses, **CLOSE)
