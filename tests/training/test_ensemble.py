"""K networks trained as one: each equals the same network trained alone."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
)
from multilayer.numpy import (
    ACTIVATIONS,
    MLP,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    BinaryCrossEntropy,
    Cosine,
    CrossEntropy,
    Ensemble,
    Exponential,
    Huber,
    Lion,
    NAdam,
    Poisson,
    Quantile,
    ReduceOnPlateau,
    RMSprop,
)
from multilayer.training import Callback, EarlyStopping, fit

N_MEMBERS = 3
TOLERANCE = 1e-10


def generators(seed):
    return [np.random.default_rng([seed, k]) for k in range(N_MEMBERS)]


OPTIMIZERS = [
    lambda k: SGD(0.05 * (k + 1), momentum=0.9 * (k > 0), weight_decay=0.01 * k),
    lambda k: SGD(0.05, momentum=0.5 + 0.1 * k, nesterov=True),
    lambda k: Adam(0.01 * (k + 1), beta_1=0.9 - 0.1 * k, epsilon=10.0 ** (-8 + k)),
    lambda k: AdamW(0.01, weight_decay=0.1 * k),
    lambda k: AMSGrad(0.01 * (k + 1)),
    lambda k: NAdam(0.01, momentum_decay=0.004 * (k + 1)),
    lambda k: RMSprop(0.01, decay=0.9 + 0.03 * k),
    lambda k: Adagrad(0.05 * (k + 1)),
    lambda k: Lion(0.003, beta_2=0.9 + 0.03 * k, weight_decay=0.1 * k),
]
# Each with the outputs it needs, and how its targets are drawn.
LOSSES = [
    (lambda k: CrossEntropy(0.1 * k), 3, lambda rng, n: rng.integers(3, size=n)),
    (lambda k: "cross_entropy", 3, lambda rng, n: rng.dirichlet([1, 1, 1], size=n)),
    (lambda k: BinaryCrossEntropy(0.1 * k), 2, lambda rng, n: rng.integers(2, size=(n, 2))),
    (lambda k: "binary_cross_entropy", 1, lambda rng, n: rng.integers(2, size=n)),
    (lambda k: "squared_error", 2, lambda rng, n: rng.normal(size=(n, 2))),
    (lambda k: Huber(0.5 + k), 1, lambda rng, n: rng.normal(size=n)),
    (lambda k: "absolute_error", 1, lambda rng, n: rng.normal(size=n)),
    (lambda k: Quantile((0.2, 0.8)), 2, lambda rng, n: rng.normal(size=n)),
    (lambda k: Poisson(), 1, lambda rng, n: rng.poisson(1.0, size=n)),
    (lambda k: "grouped_cross_entropy", 3, lambda rng, n: rng.integers(3, size=n)),
]
SCHEDULES = [
    lambda k: None,
    lambda k: Cosine(),
    lambda k: Exponential(0.7 + 0.1 * k),
    lambda k: ReduceOnPlateau(patience=1, gamma=0.5) if k else None,
]


@st.composite
def trainings(draw):
    """Draw what all members have in common, and what each has of its own, as functions of k."""
    loss, n_outputs, targets = draw(st.sampled_from(LOSSES))
    n = draw(st.integers(24, 60))
    rates = draw(st.sampled_from([(0, 0, 0), (0.3, 0.3, 0.3), (0.0, 0.2, 0.5)]))
    normalization = draw(st.sampled_from([None, "batch", "layer"]))
    hidden = draw(st.sampled_from([(), (7,), (6, 6), (16, 5, 5)]))
    residual = draw(st.booleans()) and hidden == (6, 6)
    common = {
        "activation": draw(st.sampled_from([*ACTIVATIONS])),
        "normalization": normalization if hidden else None,
        "residual": residual,
        "bias": draw(st.booleans()),
    }
    architectures = [
        Architecture(4, hidden, n_outputs, dropout=rate if hidden else 0.0, **common)
        for rate in rates
    ]
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    weights = draw(st.sampled_from([None, "shared", "own"]))
    shape = {"shared": (n,), "own": (N_MEMBERS, n)}
    weight = None if weights is None else rng.uniform(0, 2, size=shape[weights])
    if weights == "own":  # a fold, as shares of zero
        weight[0, : n // 3] = 0
    rows = draw(st.sampled_from(["same", "splits", "validation"]))
    splits = None
    if rows == "splits":
        sizes = rng.integers(n // 2, n + 1, size=N_MEMBERS)
        splits = [
            (rng.integers(n, size=size), rng.choice(n, n // 4, replace=False)) for size in sizes
        ]
    return {
        "architectures": architectures,
        "data": (rng.normal(size=(n, 4)), targets(rng, n)),
        "weight": weight,
        "splits": splits,
        "validation": 0.3 if rows == "validation" else None,
        "loss": loss,
        "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "l1": draw(st.sampled_from([lambda k: 0.0, lambda k: 1e-3 * k])),
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


PER_MEMBER = ("loss", "optimizer", "schedule", "l1", "l2", "clip_norm", "clip_value")
SAME = ("batch_size", "n_epochs", "shuffle")


def train_together(t, dtype="float64"):
    ensemble = Ensemble(t["architectures"], dtype=dtype, rng=generators(t["seed"]))
    X, y = t["data"]
    data = (X, y) if t["weight"] is None else (X, y, t["weight"])
    rng = generators(t["seed"] + 1) if t["own_order"] else np.random.default_rng(t["seed"])
    histories = fit(
        ensemble,
        data,
        **{name: [t[name](k) for k in range(N_MEMBERS)] for name in PER_MEMBER},
        **{name: t[name] for name in SAME},
        splits=t["splits"],
        validation=t["validation"],
        callbacks=t["callbacks"](),
        rng=rng,
    )
    return ensemble, histories


def train_alone(t, k, dtype="float64"):
    net = MLP(t["architectures"][k], dtype=dtype, rng=generators(t["seed"])[k])
    X, y = t["data"]
    weight = t["weight"]
    if weight is not None and weight.ndim == 2:
        weight = weight[k]
    data = (X, y) if weight is None else (X, y, weight)
    validation = t["validation"]
    if t["splits"] is not None:
        training, held_out = t["splits"][k]
        validation = tuple(part[held_out] for part in data)
        data = tuple(part[training] for part in data)
    rng = generators(t["seed"] + 1)[k] if t["own_order"] else np.random.default_rng(t["seed"])
    # With one generator for all, masks of member k are those of its k-th child.
    masks = rng.spawn(1)[0] if t["own_order"] else rng.spawn(N_MEMBERS)[k]
    trainer = net.trainer(
        **{name: t[name](k) for name in PER_MEMBER if name != "schedule"}, rng=masks
    )
    from multilayer.training.fitting import train

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


@given(trainings())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_each_member_equals_the_same_network_trained_alone(t):
    try:
        alone = [train_alone(t, k) for k in range(N_MEMBERS)]
    except (InvalidDataError, DivergenceError):  # no valid training: other tests
        return
    ensemble, histories = train_together(t)
    for k, (net, history) in enumerate(alone):
        member = ensemble[k]
        np.testing.assert_allclose(
            member.parameters, net.parameters, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"member {k}"
        )
        for name, array in net.state.items():
            np.testing.assert_allclose(member.state[name], array, rtol=TOLERANCE, atol=TOLERANCE)
        assert set(histories[k]) == set(history)
        for name in set(history) - {"seconds"}:
            np.testing.assert_allclose(
                histories[k][name], history[name], rtol=1e-9, atol=TOLERANCE, err_msg=name
            )
        assert histories[k].best_epoch == history.best_epoch
        assert histories[k].stopped_by == history.stopped_by
        assert histories[k].settings == history.settings
