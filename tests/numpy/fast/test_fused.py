"""A compiled step of K networks does what the readable one does, member by member."""

import numpy as np
import pytest

from multilayer import Architecture, compiled
from multilayer.embeddings import Embeddings
from multilayer.numpy import (
    MLP,
    NLL,
    SGD,
    Adam,
    AdamW,
    Batch,
    BinaryCrossEntropy,
    Clip,
    CrossEntropy,
    Ensemble,
    Objective,
    SquaredError,
    limit_norms,
    take_step,
)
from multilayer.numpy.assembly import members_of
from multilayer.randomness import Generators

if compiled.numba() is None:
    pytest.skip("numba is missing or switched off", allow_module_level=True)

from multilayer.numpy.fast import chain
from multilayer.numpy.fast.fused import FusedStep, fits

N, K = 30, 3
ADAM, UNCLIPPED = Adam(0.01), Clip()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
LABELS = RNG.integers(3, size=N)
VALUES = RNG.normal(size=(N, 3))
SHARES = RNG.uniform(size=(N, 3))
EMBEDDINGS = Embeddings([(3, 2), (0, 1)], [(1, 3)], width=3, speed=2.0)
LOSSES = {
    "cross_entropy": (CrossEntropy(), LABELS, "identity"),
    "nll": (NLL(), LABELS, "log_softmax"),
    "binary": (BinaryCrossEntropy(), SHARES, "sigmoid"),
    "squared": (SquaredError(), VALUES, "identity"),
}


def rates(values):
    return np.array(values)[:, np.newaxis]


def fused_and_readable(
    hidden=(6, 5),
    *,
    loss="squared",
    activation="relu",
    dropout=0.0,
    bias=True,
    optimizer=ADAM,
    l1=0.0,
    l2=0.0,
    clip=UNCLIPPED,
    max_norm=None,
    weight=None,
    order=None,
    dtype="float64",
    embeddings=None,
):
    chosen, targets, output = LOSSES[loss]
    architecture = Architecture(
        4, hidden, 3, activation=activation, output=output, dropout=dropout, bias=bias,
        embeddings=embeddings,
    )  # fmt: skip
    nets = [MLP(architecture, dtype=dtype, rng=np.random.default_rng(k)) for k in range(K)]
    ensemble = Ensemble.of(nets)
    state = optimizer.initial_state(ensemble.parameters)
    rngs = [np.random.default_rng(10 + k) for k in range(K)]
    objective = Objective(chosen, l1, l2)
    x = X.astype(dtype)
    if targets.dtype.kind == "f":
        targets = targets.astype(dtype)
    assert fits(ensemble.network, objective, optimizer, x, targets)
    step = FusedStep(
        ensemble.network,
        objective,
        optimizer=optimizer,
        state=state,
        clip=clip,
        max_norm=max_norm,
        rng=Generators(rngs),
        data=(x, targets, weight),
    )
    step.begin_epoch(order)
    alone = [optimizer.initial_state(net.parameters) for net in nets]
    masks = [np.random.default_rng(10 + k) for k in range(K)]
    learning_rates = [0.01, 0.02, 0.03]
    for start, stop in [(0, 16), (16, 30), (0, 16)]:
        losses = step.take(start, stop, learning_rates).copy()
        for k, net in enumerate(nets):
            orders = np.atleast_2d(np.arange(N) if order is None else order)
            rows = orders[k % len(orders), start:stop]
            own = None if weight is None else np.atleast_2d(weight)[k % len(np.atleast_2d(weight))]
            batch = Batch(x[rows], targets[rows], None if own is None else own[rows])
            value = take_step(
                net.network, objective, optimizer, alone[k], batch, learning_rates[k],
                clip=clip, rng=masks[k],
            )  # fmt: skip
            if max_norm is not None:
                limit_norms(net.network, np.broadcast_to(np.ravel(max_norm), K)[k])
            assert losses[k] == pytest.approx(value, rel=1e-5 if dtype == "float32" else 1e-10)
    return ensemble, nets


CASES = [
    {},
    {"loss": "cross_entropy"},
    {"loss": "nll", "activation": "leaky_relu"},
    {"loss": "binary", "activation": "identity"},
    {"hidden": ()},
    {"hidden": (7,), "bias": False},
    {"dropout": 0.4},
    {"dropout": 0.4, "hidden": (6, 5, 4), "loss": "cross_entropy", "bias": False},
    {"optimizer": SGD(0.1)},
    {"optimizer": SGD(0.1, momentum=0.9, weight_decay=0.1)},
    {"optimizer": SGD(0.1, momentum=0.9, nesterov=True)},
    {"optimizer": AdamW(0.1, weight_decay=0.3)},
    {"l1": 0.01, "l2": 0.1},
    {"clip": Clip(norm=0.1)},
    {"clip": Clip(norm=0.2, value=0.05)},
    {"max_norm": 0.5},
    {"max_norm": rates([0.3, 1.0, 1e9]), "dropout": 0.4, "bias": False},
    {"max_norm": 0.4, "embeddings": EMBEDDINGS, "optimizer": SGD(0.1)},
    {"weight": RNG.uniform(size=N)},
    {"weight": RNG.uniform(size=(K, N)), "loss": "cross_entropy"},
    {"embeddings": EMBEDDINGS, "l1": 0.01, "l2": 0.1, "clip": Clip(norm=0.5)},
    {"embeddings": EMBEDDINGS, "hidden": (7,), "dropout": 0.4, "loss": "cross_entropy"},
    {"embeddings": Embeddings(categories=[(0, 2), (1, 3)], width=2), "activation": "leaky_relu"},
    {"embeddings": Embeddings([(j, 1) for j in range(4)], width=1), "optimizer": SGD(0.1)},
    {"order": RNG.permutation(N)},
    {"order": np.stack([RNG.permutation(N) for _ in range(K)]), "weight": RNG.uniform(size=(K, N))},
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_is_take_step_of_each_member(case, dtype):
    ensemble, nets = fused_and_readable(**case, dtype=dtype)
    tolerance = 1e-11 if dtype == "float64" else 2e-5
    for k, net in enumerate(nets):
        np.testing.assert_allclose(
            ensemble[k].parameters, net.parameters, rtol=tolerance, atol=tolerance
        )


def test_products_may_be_turned(monkeypatch):
    monkeypatch.setattr(chain, "is_transposed", lambda *shape: True)
    ensemble, nets = fused_and_readable((6, 7), dropout=0.2, loss="cross_entropy")
    for member, net in zip(ensemble, nets, strict=True):
        np.testing.assert_allclose(member.parameters, net.parameters, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("extreme", [1e-200, 1e200])
def test_the_norm_of_a_gradient_neither_overflows_nor_vanishes(extreme):
    architecture = Architecture(1, (), 1)
    ensemble = Ensemble(architecture, 1, dtype="float64", initializer="zeros")
    sgd = SGD(1.0)
    step = FusedStep(
        ensemble.network,
        Objective(SquaredError()),
        optimizer=sgd,
        state=sgd.initial_state(ensemble.parameters),
        clip=Clip(norm=extreme / 2),
        max_norm=None,
        rng=Generators([np.random.default_rng(0)]),
        data=(np.array([[0.0]]), np.array([[extreme if extreme < 1 else 1e150]]), None),
    )
    step.take(0, 1, [1.0])
    expected = extreme / 2 if extreme < 1 else 1e150
    assert ensemble.parameters[0, 1] == pytest.approx(expected)


def test_what_it_does_not_cover_is_refused():
    ensemble = Ensemble(Architecture(4, (5,), 3), 2, dtype="float64")
    squared, adam = Objective(SquaredError()), Adam()

    def fitting(network=ensemble.network, objective=squared, optimizer=adam, x=X, y=VALUES):
        return fits(network, objective, optimizer, x, y)

    assert fitting()
    for change in [
        {"network": Ensemble(Architecture(4, (5,), 3, activation="gelu"), 2).network},
        {"network": Ensemble(Architecture(4, (5,), 3, normalization="layer"), 2).network},
        {"network": Ensemble(Architecture(4, (4,), 3, residual=True), 2).network},
        {"network": Ensemble(Architecture(4, (5,), 3, output="exp"), 2, dtype="float64").network},
        {"objective": Objective(CrossEntropy(0.1)), "y": LABELS},
        {"objective": Objective(CrossEntropy()), "y": SHARES},
        {"optimizer": type("Own", (Adam,), {})()},
        {"x": X.astype(np.float32)},
        {"x": np.asfortranarray(X)},
    ]:
        assert not fitting(**change)


def test_members_are_views_of_the_ensemble_it_changes():
    ensemble = Ensemble(Architecture(4, (5,), 3), 4, dtype="float64", rng=np.random.default_rng(0))
    before = ensemble.parameters.copy()
    part = members_of(ensemble.network, ensemble.architectures, slice(1, 3))
    sgd = SGD(0.1)
    step = FusedStep(
        part,
        Objective(SquaredError()),
        optimizer=sgd,
        state=sgd.initial_state(part.parameters),
        clip=Clip(),
        max_norm=None,
        rng=Generators([np.random.default_rng(k) for k in range(2)]),
        data=(X, VALUES, None),
    )
    step.take(0, 10, [0.1, 0.1])
    changed = (ensemble.parameters != before).any(axis=1)
    assert changed.tolist() == [False, True, True, False]
