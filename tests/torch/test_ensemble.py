"""K networks as one on PyTorch: each equals the same MLP alone, and the NumPy engine's ensemble."""

import copy
import io

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer import numpy as scratch
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
)
from multilayer.numpy import (
    ACTIVATIONS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    BinaryCrossEntropy,
    Cosine,
    CrossEntropy,
    Exponential,
    GroupedCrossEntropy,
    Huber,
    Lion,
    NAdam,
    Quantile,
    RMSprop,
)
from multilayer.samples import LazySamples
from multilayer.torch import LOSSES, MLP, Ensemble
from multilayer.torch.updates import FORMULAS, Update
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit
from multilayer.training.fitting import train

N_MEMBERS = 3

# Gradients that vanish but for rounding, as before a batch normalisation, are divided by ε: were it
# smaller, rounding would become a step that can be seen.
E = {"epsilon": 1e-5}
OPTIMIZERS = [
    lambda k: "sgd",
    lambda k: SGD(0.05 * (k + 1), momentum=0.9 * (k > 0), weight_decay=0.01 * k),
    lambda k: SGD(0.05, momentum=0.5 + 0.1 * k, nesterov=True),
    lambda k: Adam(0.01 * (k + 1), beta_1=0.9 - 0.1 * k, epsilon=10.0 ** (-5 + k)),
    lambda k: Adam(0.01, beta_2=0.99 - 0.1 * k, **E),
    lambda k: AdamW(0.01, weight_decay=0.1 * k, **E),
    lambda k: AMSGrad(0.01 * (k + 1), **E),
    lambda k: NAdam(0.01, momentum_decay=0.004 * (k + 1), **E),
    lambda k: RMSprop(0.01, decay=0.9 + 0.03 * k, **E),
    lambda k: Adagrad(0.05 * (k + 1), **E),
    lambda k: Lion(0.003, beta_1=0.9 - 0.1 * k, beta_2=0.9 + 0.03 * k, weight_decay=0.1 * k),
]
# Each with the outputs it needs, its link function, and how its targets are drawn.
LOSS_CASES = [
    (lambda k: CrossEntropy(0.1 * k), 3, "softmax", lambda rng, n: rng.integers(3, size=n)),
    (lambda k: CrossEntropy(0.2), 3, "identity", lambda rng, n: rng.integers(3, size=n)),
    (lambda k: CrossEntropy(0.1 * k), 3, "identity", lambda rng, n: rng.dirichlet([1] * 3, n)),
    (
        lambda k: GroupedCrossEntropy((2, 3), 0.1 * k),
        5,
        "identity",
        lambda rng, n: np.column_stack([rng.integers(2, size=n), rng.integers(3, size=n)]),
    ),
    (lambda k: "nll", 3, "log_softmax", lambda rng, n: rng.integers(3, size=n)),
    (
        lambda k: BinaryCrossEntropy(0.1 * k),
        2,
        "sigmoid",
        lambda rng, n: rng.integers(2, size=(n, 2)),
    ),
    (lambda k: "squared_error", 2, "identity", lambda rng, n: rng.normal(size=(n, 2))),
    (lambda k: "absolute_error", 1, "identity", lambda rng, n: rng.normal(size=n)),
    (lambda k: Huber(0.5 + k), 2, "identity", lambda rng, n: rng.normal(size=(n, 2))),
    (lambda k: Quantile((0.2, 0.8)), 4, "identity", lambda rng, n: rng.normal(size=(n, 2))),
    (lambda k: "poisson", 1, "exp", lambda rng, n: rng.poisson(1.0, size=n)),
]


def generators(seed):
    return [np.random.default_rng([seed, k]) for k in range(N_MEMBERS)]


@st.composite
def trainings(draw):
    """Draw what all members have in common, and what each has of its own, as functions of k."""
    loss, n_outputs, link, targets = draw(st.sampled_from(LOSS_CASES))
    n = draw(st.integers(24, 60))
    optimizer = draw(st.sampled_from(OPTIMIZERS))
    # Lion takes the sign of a gradient, also where there is only rounding.
    is_lion = isinstance(optimizer(0), Lion)
    normalization = draw(st.sampled_from([None, "layer"] if is_lion else [None, "batch", "layer"]))
    hidden = draw(st.sampled_from([(), (7,), (6, 6), (16, 5, 5)]))
    rates = [0.0] * N_MEMBERS
    if hidden:
        rates = draw(st.sampled_from([rates, [0.3] * 3, [0.0, 0.2, 0.5]]))
        # In some layers only some members have dropout.
        rates = [(0.1 * (k == 1), *[rate] * (len(hidden) - 1)) for k, rate in enumerate(rates)]
        if draw(st.booleans()):
            rates = [0.0] * N_MEMBERS
    common = {
        "activation": draw(st.sampled_from([*ACTIVATIONS])),
        "normalization": normalization if hidden else None,
        "residual": draw(st.booleans()) and hidden == (6, 6),
        "bias": draw(st.booleans()),
        "output": link,
    }
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    weight_shape = draw(st.sampled_from([None, (n,), (N_MEMBERS, n)]))
    splits = None
    rows = draw(st.sampled_from(["same", "splits", "validation"]))
    if rows == "splits":
        splits = [
            (rng.integers(n, size=size), rng.choice(n, n // 4, replace=False))
            for size in rng.integers(n // 2, n + 1, size=N_MEMBERS)
        ]
    return {
        "architectures": [Architecture(4, hidden, n_outputs, dropout=r, **common) for r in rates],
        "data": (rng.normal(size=(n, 4)), targets(rng, n)),
        "weight": None if weight_shape is None else rng.uniform(0.1, 2, size=weight_shape),
        "splits": splits,
        "validation": 0.3 if rows == "validation" else None,
        "loss": loss,
        "optimizer": optimizer,
        "schedule": draw(
            st.sampled_from([lambda k: None, lambda k: Cosine() if k else Exponential(0.9)])
        ),
        "l1": draw(st.sampled_from([lambda k: 0.0, lambda k: 1e-3, lambda k: 1e-3 * k])),
        "l2": draw(st.sampled_from([lambda k: 0.01, lambda k: 0.05 * k])),
        "clip_norm": draw(st.sampled_from([lambda k: None, lambda k: 0.5 * k if k else None])),
        "clip_value": draw(st.sampled_from([lambda k: None, lambda k: 0.1 * (k + 1)])),
        "batch_size": draw(st.sampled_from([5, 8, 16, 100])),
        "n_epochs": draw(st.integers(1, 20)),
        "shuffle": draw(st.booleans()),
        "own_order": draw(st.booleans()),
        "seed": seed,
        "callbacks": draw(st.sampled_from([lambda: (), lambda: [EarlyStopping(2)]])),
    }


PER_MEMBER = ("loss", "optimizer", "l1", "l2", "clip_norm", "clip_value")
SAME = ("batch_size", "n_epochs", "shuffle")


def train_together(t, kind):
    ensemble = kind(t["architectures"], dtype="float64", rng=generators(t["seed"]))
    data = t["data"] if t["weight"] is None else (*t["data"], t["weight"])
    rng = generators(t["seed"] + 1) if t["own_order"] else np.random.default_rng(t["seed"])
    histories = fit(
        ensemble,
        data,
        **{name: [t[name](k) for k in range(N_MEMBERS)] for name in (*PER_MEMBER, "schedule")},
        **{name: t[name] for name in SAME},
        splits=t["splits"],
        validation=t["validation"],
        callbacks=t["callbacks"](),
        rng=rng,
    )
    return ensemble, histories


def train_alone(t, k):
    net = MLP(t["architectures"][k], dtype="float64", rng=generators(t["seed"])[k])
    weight = t["weight"]
    if weight is not None and weight.ndim == 2:
        weight = weight[k]
    data = t["data"] if weight is None else (*t["data"], weight)
    validation = t["validation"]
    if t["splits"] is not None:
        training, held_out = t["splits"][k]
        validation = tuple(part[held_out] for part in data)
        data = tuple(part[training] for part in data)
    rng = generators(t["seed"] + 1)[k] if t["own_order"] else np.random.default_rng(t["seed"])
    # With one generator for all, the masks of member k come from its k-th child.
    masks = rng.spawn(1)[0] if t["own_order"] else rng.spawn(N_MEMBERS)[k]
    trainer = net.trainer(**{name: t[name](k) for name in PER_MEMBER}, rng=masks)
    history = train(
        trainer,
        data,
        schedule=t["schedule"](k),
        **{name: t[name] for name in SAME},
        validation=validation,
        callbacks=t["callbacks"](),
        rng=rng,
    )
    return net, history


def assert_same_histories(mine, other, tolerance):
    assert set(mine) == set(other)
    for name in set(mine) - {"seconds"}:
        np.testing.assert_allclose(mine[name], other[name], tolerance, tolerance, err_msg=name)
    assert mine.best_epoch == other.best_epoch
    assert mine.stopped_by == other.stopped_by
    assert mine.settings == other.settings


@given(trainings())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_each_member_equals_the_same_network_trained_alone(t):
    try:
        alone = [train_alone(t, k) for k in range(N_MEMBERS)]
    except (InvalidDataError, DivergenceError):  # no valid training: other tests
        return
    ensemble, histories = train_together(t, Ensemble)
    for k, (net, history) in enumerate(alone):
        own = net.state_dict()
        for name, tensor in ensemble[k].state_dict().items():
            message = f"{name} of member {k}"
            np.testing.assert_allclose(tensor, own[name], rtol=1e-10, atol=1e-10, err_msg=message)
        assert_same_histories(histories[k], history, 1e-9)
    if any(layer.dropout for a in t["architectures"] for layer in a.hidden_layers):
        return  # the engines draw other masks
    if isinstance(t["loss"](0), GroupedCrossEntropy):
        return  # whose smoothing cannot differ among members of the other engine
    other, others = train_together(t, scratch.Ensemble)
    twin = ensemble.to_numpy()
    np.testing.assert_allclose(twin.parameters, other.parameters, rtol=1e-9, atol=1e-9)
    for name, array in other.state.items():
        np.testing.assert_allclose(twin.state[name], array, rtol=1e-9, atol=1e-9)
    for history, one in zip(histories, others, strict=True):
        assert_same_histories(history, one, 1e-8)
