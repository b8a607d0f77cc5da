"""K networks trained as one: each equals the same network trained alone."""

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from multilayer import Architecture
from multilayer.embeddings import Embeddings
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
    Adversarial,
    AMSGrad,
    BinaryCrossEntropy,
    Cosine,
    CrossEntropy,
    Ensemble,
    Exponential,
    GroupedCrossEntropy,
    Huber,
    Lion,
    NAdam,
    Optimizer,
    Poisson,
    Quantile,
    ReduceOnPlateau,
    RMSprop,
    VirtualAdversarial,
)
from multilayer.numpy.activations import Tanh
from multilayer.samples import LazySamples
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit

N_MEMBERS = 3
TOLERANCE = 1e-10
OF_FEW_ROWS = 1e-7
"""The tolerance with batch normalisation: the statistics of a few rows amplify rounding, in a few
dozen steps a million times."""


def generators(seed):
    return [np.random.default_rng([seed, k]) for k in range(N_MEMBERS)]


# Gradients that vanish but for rounding, as before a batch normalisation, are divided by ε: were it
# smaller, rounding would become a step that can be seen.
E = {"epsilon": 1e-5}
OPTIMIZERS = [
    lambda k: SGD(0.05 * (k + 1), momentum=0.9 * (k > 0), weight_decay=0.01 * k),
    lambda k: SGD(0.05, momentum=0.5 + 0.1 * k, nesterov=True),
    lambda k: Adam(0.01 * (k + 1), beta_1=0.9 - 0.1 * k, epsilon=10.0 ** (-5 + k)),
    lambda k: AdamW(0.01, weight_decay=0.1 * k, **E),
    lambda k: AMSGrad(0.01 * (k + 1), **E),
    lambda k: NAdam(0.01, momentum_decay=0.004 * (k + 1), **E),
    lambda k: RMSprop(0.01, decay=0.9 + 0.03 * k, **E),
    lambda k: Adagrad(0.05 * (k + 1), **E),
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
    (
        lambda k: GroupedCrossEntropy((2, 3), label_smoothing=0.1 * k),
        5,
        lambda rng, n: np.column_stack([rng.integers(2, size=n), rng.integers(3, size=n)]),
    ),
]
SCHEDULES = [
    lambda k: None,
    lambda k: Cosine(),
    lambda k: Exponential(0.7 + 0.1 * k),
    lambda k: ReduceOnPlateau(patience=1, gamma=0.5) if k else None,
]
# Whatever the inputs are, they are positions and categories, some of them out of range.
EMBEDDINGS = Embeddings(numbers=[(2, 3), (0, 1)], categories=[(3, 2)], width=2, speed=2.0)


@st.composite
def trainings(draw):
    """Draw what all members have in common, and what each has of its own, as functions of k."""
    loss, n_outputs, targets = draw(st.sampled_from(LOSSES))
    n = draw(st.integers(24, 60))
    rates = draw(st.sampled_from([(0, 0, 0), (0.3, 0.3, 0.3), (0.0, 0.2, 0.5)]))
    optimizer = draw(st.sampled_from(OPTIMIZERS))
    # Lion takes the sign of a gradient, also where there is only rounding.
    is_lion = isinstance(optimizer(0), Lion)
    normalization = draw(st.sampled_from([None, "layer"] if is_lion else [None, "batch", "layer"]))
    hidden = draw(st.sampled_from([(), (7,), (6, 6), (16, 5, 5)]))
    residual = draw(st.booleans()) and hidden == (6, 6)
    common = {
        "activation": draw(st.sampled_from([*ACTIVATIONS])),
        "normalization": normalization if hidden else None,
        "residual": residual,
        "bias": draw(st.booleans()),
        "embeddings": EMBEDDINGS if hidden and draw(st.booleans()) else None,
    }
    if draw(st.booleans()):
        of_inputs = 0.0 if common["embeddings"] else 0.2
        common["noise"] = (of_inputs, *(0.1 * (i % 2 == 0) for i in range(len(hidden))))
    # Of the members with unlike rates, the second drops in its first layer alone.
    dropouts = [rates[0], (rates[1], *[0.0] * (len(hidden) - 1)), rates[2]]
    architectures = [
        Architecture(4, hidden, n_outputs, dropout=rate if hidden else 0.0, **common)
        for rate in (dropouts if len(set(rates)) > 1 else rates)
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
        "optimizer": optimizer,
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "l1": draw(st.sampled_from([lambda k: 0.0, lambda k: 1e-3 * k])),
        "l2": draw(st.sampled_from([lambda k: 0.01, lambda k: 0.05 * k])),
        "clip_norm": draw(st.sampled_from([lambda k: None, lambda k: 0.5 * k if k else None])),
        "clip_value": draw(st.sampled_from([lambda k: None, lambda k: 0.1 * (k + 1)])),
        "max_norm": draw(st.sampled_from([lambda k: None, lambda k: 0.5 * k if k else None])),
        "ema": draw(st.sampled_from([lambda k: None, lambda k: 1 - 0.2 * k if k else None])),
        "batch_size": draw(st.sampled_from([5, 8, 16, 100])),
        "n_epochs": draw(st.integers(1, 20)),
        "shuffle": draw(st.booleans()),
        "own_order": draw(st.booleans()),
        "seed": seed,
        "callbacks": draw(st.sampled_from([lambda: (), lambda: [EarlyStopping(2)]])),
        "adversary": None,
    }


PER_MEMBER = (
    "loss",
    "optimizer",
    "schedule",
    "l1",
    "l2",
    "clip_norm",
    "clip_value",
    "max_norm",
    "ema",
)
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
        adversary=t["adversary"],
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
        **{name: t[name](k) for name in PER_MEMBER if name != "schedule"},
        rng=masks,
        adversary=t["adversary"],
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
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_each_member_equals_the_same_network_trained_alone(t):
    try:
        alone = [train_alone(t, k) for k in range(N_MEMBERS)]
    except (InvalidDataError, DivergenceError):  # no valid training: other tests
        return
    assert_members_equal(alone, *train_together(t))


def assert_members_equal(alone, ensemble, histories):
    for k, (net, history) in enumerate(alone):
        member = ensemble[k]
        near = OF_FEW_ROWS if net.architecture.normalization == "batch" else TOLERANCE
        np.testing.assert_allclose(
            member.parameters, net.parameters, rtol=near, atol=near, err_msg=f"member {k}"
        )
        for name, array in net.state.items():
            np.testing.assert_allclose(member.state[name], array, rtol=near, atol=near)
        assert set(histories[k]) == set(history)
        for name in set(history) - {"seconds"}:
            np.testing.assert_allclose(
                histories[k][name], history[name], rtol=10 * near, atol=near, err_msg=name
            )
        assert histories[k].best_epoch == history.best_epoch
        assert histories[k].stopped_by == history.stopped_by
        assert histories[k].settings == history.settings


@pytest.mark.parametrize("normalization", [None, "batch"])
@pytest.mark.parametrize("own", [False, True], ids=["shared rows", "own rows"])
@pytest.mark.parametrize(
    "adversary",
    [Adversarial(0.1), Adversarial(0.2, weight=1, n_steps=2), VirtualAdversarial(0.5, n_steps=2)],
    ids=str,
)
def test_with_an_adversary_too(adversary, own, normalization):
    # Its directions are unit vectors or signs, which rounding could turn where a gradient vanishes:
    # so these are smooth networks, whose gradients do not.
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 4))
    weight = rng.uniform(0.5, 2, size=(N_MEMBERS, 40))
    weight[1, 17:25] = 0  # all of the third batch
    common = {"activation": "tanh", "normalization": normalization}
    t = {
        "architectures": [Architecture(4, (7, 6), 3, dropout=d, **common) for d in (0, 0.2, 0.5)],
        "data": (X, rng.integers(3, size=40)),
        "weight": weight if own else None,
        "splits": [(np.arange(k, 40 - k), np.arange(9)) for k in range(N_MEMBERS)] if own else None,
        "validation": None,
        "loss": lambda k: CrossEntropy(0.1 * k),
        "optimizer": lambda k: Adam(0.01 * (k + 1), epsilon=1e-5),
        "schedule": lambda k: Cosine(),
        "l1": lambda k: 1e-3 * k,
        "l2": lambda k: 0.01 * k,
        "clip_norm": lambda k: 2.0 if k else None,
        "clip_value": lambda k: None,
        "max_norm": lambda k: 1.5 if k else None,
        "ema": lambda k: 0.9 if k else None,
        "batch_size": 8,
        "n_epochs": 6,
        "shuffle": not own,
        "own_order": own,
        "seed": 1,
        "callbacks": list,
        "adversary": adversary,
    }
    alone = [train_alone(t, k) for k in range(N_MEMBERS)]
    assert_members_equal(alone, *train_together(t))
    plain, _ = train_alone(t | {"adversary": None}, 0)
    assert np.abs(plain.parameters - alone[0][0].parameters).max() > 1e-4


# Ends -------------------------------------------------------------------------------------------

ARCHITECTURE = Architecture(4, (8,), 2, dropout=0.2)
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), RNG.integers(2, size=60)


def ensemble_of(n_members=4, **settings):
    rngs = [np.random.default_rng(k) for k in range(n_members)]
    return Ensemble(ARCHITECTURE, n_members, dtype="float64", rng=rngs, **settings)


class StopAt(Callback):
    """Stops some members after some epochs."""

    def __init__(self, ends):
        self.ends = ends

    def on_epoch_end(self, run):
        for k, epoch in self.ends.items():
            if run.epoch == epoch:
                run.members[k].stop("enough")


def train(ensemble, **settings):
    common = {"loss": "cross_entropy", "optimizer": "adam", "n_epochs": 6, "batch_size": 16}
    return fit(ensemble, (X, Y), **(common | {"rng": np.random.default_rng(1)} | settings))


def test_members_end_one_by_one_and_the_others_do_not_notice():
    whole = ensemble_of()
    undisturbed = train(whole)
    ensemble = ensemble_of()
    histories = train(ensemble, callbacks=[StopAt({1: 2, 3: 4})])
    assert [history.stopped_by for history in histories] == [
        "n_epochs", "enough", "n_epochs", "enough",
    ]  # fmt: skip
    assert [history.n_epochs for history in histories] == [6, 2, 6, 4]
    for k, (history, other) in enumerate(zip(histories, undisturbed, strict=True)):
        assert history["train_loss"] == other["train_loss"][: history.n_epochs]
        if k in (0, 2):
            np.testing.assert_array_equal(ensemble[k].parameters, whole[k].parameters)
    short = ensemble_of()
    train(short, n_epochs=2)
    np.testing.assert_array_equal(ensemble[1].parameters, short[1].parameters)


def test_a_training_ends_when_all_members_have():
    histories = train(ensemble_of(2), callbacks=[StopAt({0: 2, 1: 3})])
    assert [history.n_epochs for history in histories] == [2, 3]


def test_a_member_that_diverges_ends_alone_with_its_best_weights():
    ensemble, expected = ensemble_of(3), ensemble_of(3)
    rates = [SGD(0.1), SGD(1e200), SGD(0.1)]
    first = ensemble[1].parameters.copy()
    histories = train(ensemble, optimizer=rates)
    train(expected, optimizer=SGD(0.1))
    assert [history.stopped_by for history in histories] == ["n_epochs", "divergence", "n_epochs"]
    np.testing.assert_array_equal(ensemble[1].parameters, first)
    for k in (0, 2):
        np.testing.assert_array_equal(ensemble[k].parameters, expected[k].parameters)


def test_if_all_diverge_it_is_an_error_and_the_first_weights_are_back():
    ensemble = ensemble_of(2)
    first = ensemble.parameters.copy()
    with pytest.raises(
        DivergenceError, match=r"of member \d, the last that had not diverged, became"
    ):
        train(ensemble, optimizer=SGD(1e200))
    np.testing.assert_array_equal(ensemble.parameters, first)


def test_early_stopping_restores_each_members_best_weights():
    ensemble = ensemble_of(4)
    splits = [(np.flatnonzero(np.arange(60) % 4 != k), np.arange(k, 60, 4)) for k in range(4)]
    histories = train(
        ensemble, n_epochs=60, optimizer=Adam(0.05), splits=splits, callbacks=[EarlyStopping(3)]
    )
    assert len({history.n_epochs for history in histories}) > 1
    for k, history in enumerate(histories):
        rows = splits[k][1]
        value, _ = ensemble[k].loss_and_gradients(
            X[rows], Y[rows], loss="cross_entropy", training=False
        )
        assert value == pytest.approx(history["validation_loss"][history.best_epoch - 1])
        assert history.best_epoch == 1 + int(np.argmin(history["validation_loss"]))


class KillError(Exception):
    """What a crash is here."""


class Crash(Callback):
    """Raises after some steps."""

    def __init__(self, after):
        self.after = after

    def on_step_end(self, run):
        self.after -= 1
        if self.after == 0:
            raise KillError


@pytest.mark.parametrize("after", [1, 6, 11, 13])
@pytest.mark.parametrize("own", [False, True])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, after, own):
    splits = [(np.arange(k, 60 - k), np.arange(10)) for k in range(4)] if own else None
    settings = {
        "splits": splits,
        "validation": None if own else 0.2,
        "schedule": [None, Cosine(), ReduceOnPlateau(patience=1), None],
        "rng": None,
        "max_norm": 0.8,
        "ema": [0.9, None, 0.5, 0.8] if own else None,
    }

    def run(**more):
        ensemble = ensemble_of()
        rngs = [np.random.default_rng(k) for k in range(4)] if own else np.random.default_rng(5)
        histories = train(ensemble, **(settings | {"rng": rngs} | more))
        return ensemble, histories

    ends = StopAt({1: 2})
    expected, expected_histories = run(callbacks=[ends])
    kept = Checkpoint(tmp_path / "kept", seconds=0)
    with pytest.raises(KillError):
        run(callbacks=[ends, Crash(after)], checkpoint=kept)
    ensemble, histories = run(callbacks=[ends], checkpoint=kept, resume=True)
    np.testing.assert_array_equal(ensemble.parameters, expected.parameters)
    for history, other in zip(histories, expected_histories, strict=True):
        assert history.stopped_by == other.stopped_by
        assert {**history, "seconds": 0} == {**other, "seconds": 0}


def test_a_resumed_training_still_says_why_a_member_diverged(tmp_path):
    class Look(Callback):
        def on_train_end(self, run):
            self.error = run.members[1].error

    rates, kept = [SGD(0.1), SGD(1e200), SGD(0.1)], Checkpoint(tmp_path / "kept", seconds=0)
    with pytest.raises(KillError):
        train(ensemble_of(3), optimizer=rates, checkpoint=kept, callbacks=[Crash(20)])
    first = Look()
    train(ensemble_of(3), optimizer=rates, callbacks=[first])
    resumed = Look()
    train(ensemble_of(3), optimizer=rates, checkpoint=kept, callbacks=[resumed], resume=True)
    assert str(resumed.error) == str(first.error)
    assert resumed.error.step == first.error.step


def test_float32_agrees_to_its_rounding():
    # Products of K matrices and of one round alike, but the threads may divide their rows
    # differently; after 24 steps differences of 1e-7 have grown to some 1e-6.
    ensemble = Ensemble(
        ARCHITECTURE, 3, dtype="float32", rng=[np.random.default_rng(k) for k in range(3)]
    )
    train(ensemble, rng=[np.random.default_rng(k) for k in range(3)])
    for k in range(3):
        net = MLP(ARCHITECTURE, dtype="float32", rng=np.random.default_rng(k))
        train(net, rng=np.random.default_rng(k))
        np.testing.assert_allclose(ensemble[k].parameters, net.parameters, atol=1e-5)


# The ensemble itself ----------------------------------------------------------------------------


def test_members_are_drawn_one_after_the_other_as_alone():
    ensemble = Ensemble(ARCHITECTURE, 3, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    for k in range(3):
        np.testing.assert_array_equal(ensemble[k].parameters, MLP(ARCHITECTURE, rng=rng).parameters)


def test_a_member_is_a_view_and_outputs_are_the_members():
    architecture = Architecture(4, (5,), 3, normalization="batch", output="softmax")
    ensemble = Ensemble(architecture, 3, rng=np.random.default_rng(0))
    fit(ensemble, (X, RNG.integers(3, size=60)), loss="cross_entropy", n_epochs=1)
    outputs = ensemble(X)
    assert outputs.shape == (3, 60, 3)
    for k, net in enumerate(ensemble):
        np.testing.assert_array_equal(net(X), outputs[k])
    ensemble[1].parameters[:] = 0
    assert not ensemble.parameters[1].any()
    assert ensemble.parameters[0].any()
    assert ensemble.parameters[2].any()
    ensemble[-1].state["0.1.running_mean"][:] = 7
    assert (ensemble.state["0.1.running_mean"][2] == 7).all()


def test_copies_and_pickles_have_their_own_memory():
    import pickle

    architecture = Architecture(4, (5,), 3, normalization="batch")
    ensemble = Ensemble(architecture, 3, rng=np.random.default_rng(0))
    fit(ensemble, (X, RNG.integers(3, size=60)), loss="cross_entropy", n_epochs=1)
    for twin in (ensemble.copy(), pickle.loads(pickle.dumps(ensemble))):
        np.testing.assert_array_equal(twin(X), ensemble(X))
        twin.parameters[:] = 0
        assert ensemble.parameters.any()


def test_an_ensemble_of_networks_holds_copies():
    nets = [MLP(ARCHITECTURE, rng=np.random.default_rng(k)) for k in range(3)]
    ensemble = Ensemble.of(nets)
    np.testing.assert_array_equal(ensemble(X), np.stack([net(X) for net in nets]))
    ensemble.parameters[:] = 0
    assert nets[0].parameters.any()


def test_the_run_says_what_each_member_does():
    seen = []

    class Look(Callback):
        def on_step_end(self, run):
            seen.append((run.loss.shape, run.learning_rate.shape, len(run.active)))
            run.members[0].factor = 0.0

    ensemble = ensemble_of(3)
    before = ensemble.parameters.copy()
    train(ensemble, callbacks=[Look(), StopAt({2: 1})], n_epochs=2, optimizer=SGD(0.1))
    assert set(seen) == {((3,), (3,), 3), ((3,), (3,), 2)}
    first, last = before[0], ensemble.parameters[0]
    assert np.abs(last - first).max() < np.abs(ensemble.parameters[1] - before[1]).max()


def test_callbacks_see_present_weights_when_members_have_ended():
    seen = []

    class Look(Callback):
        def on_step_end(self, run):
            seen.append(run.net[0].parameters.copy())

    train(ensemble_of(2), callbacks=[StopAt({1: 1}), Look()], n_epochs=3)
    assert all((a != b).any() for a, b in pairwise(seen))


# Bad input --------------------------------------------------------------------------------------


def accuracy(truth, prediction):
    return float((truth == prediction).mean())


ROWS = [(np.arange(30), np.arange(30, 60))] * 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"l2": [0.1, 0.2]},
            InvalidArgumentError,
            "l2 of fit must be one value for all members, or a sequence of 4; got 2 values",
        ),
        ({"l2": [0.1, 0.2, -1, 0]}, InvalidArgumentError, "l2[2] of fit must be a number in"),
        ({"clip_norm": [1, 1, 1, 0]}, InvalidArgumentError, "clip_norm[3] of fit must be"),
        ({"max_norm": [1, 1, 1, 0]}, InvalidArgumentError, "max_norm[3] of fit must be"),
        ({"ema": [0.9, 1.0, None, None]}, InvalidArgumentError, "ema[1] of fit must be a number"),
        (
            {"schedule": ["cosine", "cosin", None, None]},
            InvalidArgumentError,
            "schedule[1] of fit must be one of",
        ),
        (
            {"loss": ["cross_entropy", "cross", "nll", "nll"]},
            InvalidArgumentError,
            "loss[1] of fit must be one of",
        ),
        (
            {"metrics": [{"a": accuracy}, {"b": accuracy}] * 2, "validation": 0.2},
            InvalidArgumentError,
            "metrics[1] of fit must have the same names as metrics[0], a; got b",
        ),
        (
            {"optimizer": ["sgd", "sgd", "adam", "sgd"]},
            InvalidArgumentError,
            "optimizer[2] of fit must be of the same class for all members; for member 0 it is ",
        ),
        (
            {"optimizer": "lbfgs"},
            InvalidArgumentError,
            "optimizer of fit cannot be L-BFGS for an ensemble",
        ),
        (
            {"optimizer": [SGD(0.1, momentum=0.5, nesterov=k > 2) for k in range(4)]},
            InvalidArgumentError,
            "nesterov of optimizer[3] of fit must be False, as for member 0",
        ),
        (
            {"schedule": ["cosine"] * 3},
            InvalidArgumentError,
            "schedule of fit must be one value for all members, or a sequence of 4; got 3 values",
        ),
        (
            {"rng": [np.random.default_rng(0)] * 3},
            InvalidArgumentError,
            "rng of fit must be one generator, or one for each of the 4 members; got 3",
        ),
        ({"rng": [0, 1, 2, 3]}, InvalidTypeError, "rng[0] of fit must be a numpy.random.Generator"),
        (
            {"splits": ROWS[:3]},
            InvalidArgumentError,
            "splits of fit must be 4 pairs of rows, one for each member; got 3",
        ),
        ({"splits": 3}, InvalidTypeError, "splits of fit must be pairs (training rows, valid"),
        (
            {"splits": [*ROWS[:3], (np.arange(30), [60])]},
            InvalidDataError,
            "splits[3][1] of fit must hold row numbers 0 to 59; got 60",
        ),
        (
            {"splits": [*ROWS[:3], ([], [1])]},
            InvalidDataError,
            "splits[3][0] of fit must have rows to train on; got none",
        ),
        (
            {"splits": [*ROWS[:3], (np.arange(30), None)]},
            InvalidDataError,
            "splits[3][1] of fit must have rows to validate on, as other members have; got none",
        ),
        (
            {"splits": [*ROWS[:3], (np.flatnonzero(Y == 1), [0])]},
            InvalidDataError,
            "splits[3][0] of fit must have rows of at least 2 of the 2 classes; got only class 1",
        ),
        (
            {"splits": [*ROWS[:3], (np.arange(60) < 30, [0])]},
            InvalidTypeError,
            "splits[3][0] of fit must hold row numbers, not a mask",
        ),
        (
            {"splits": [*ROWS[:3], ([0.5, 1.0], [0])]},
            InvalidTypeError,
            "splits[3][0] of fit must be a vector of row numbers; got dtype float64",
        ),
        (
            {"splits": ROWS, "validation": 0.2},
            InvalidArgumentError,
            "splits of fit hold validation rows already; validation must be None",
        ),
        (
            {"splits": ROWS, "shuffle": range(60)},
            InvalidArgumentError,
            "shuffle of fit must be True, False or one sampler per member",
        ),
    ],
)
def test_bad_arguments_name_member_and_parameter_and_change_nothing(arguments, error, message):
    ensemble = ensemble_of(4)
    before = ensemble.parameters.copy()
    with pytest.raises(error) as caught:
        train(ensemble, **arguments)
    assert str(caught.value).startswith(message)
    np.testing.assert_array_equal(ensemble.parameters, before)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones((3, 60)), "sample_weight of fit must have shape (n_samples,) or (4, n_samples)"),
        (np.ones((4, 59)), "sample_weight[0] must have shape (60,)"),
        (np.stack([np.ones(60)] * 3 + [np.zeros(60)]), "sample_weight[3] must not be zero for"),
        (np.stack([np.ones(60)] * 3 + [-np.ones(60)]), "sample_weight[3] must not be negative"),
    ],
)
def test_bad_weights_name_the_member(weight, message):
    with pytest.raises(InvalidDataError) as caught:
        fit(ensemble_of(4), (X, Y, weight), loss="cross_entropy")
    assert str(caught.value).startswith(message)


class AcrossSamples(Huber):
    """A loss of one's own, for the samples of one network."""

    def per_sample(self, p, targets):
        residual = p - targets
        return 0.5 * np.sum(residual * residual, axis=1), residual


def test_a_loss_for_one_network_alone_is_refused():
    fit(MLP(Architecture(4, (), 2)), (X, X[:, :2]), loss=AcrossSamples(), n_epochs=1)
    with pytest.raises(InvalidArgumentError, match="loss of fit must work on the last axes"):
        fit(Ensemble(Architecture(4, (), 2), 2), (X, X[:, :2]), loss=AcrossSamples(), n_epochs=1)


def test_an_activation_for_one_network_alone_is_refused(monkeypatch):
    monkeypatch.setattr(Tanh, "forward", lambda self, z: z - z.mean(axis=1, keepdims=True))
    with pytest.raises(InvalidArgumentError, match="activation of Ensemble must work on the last"):
        Ensemble(Architecture(4, (8,), 2, activation="tanh"), 2)


def test_the_way_back_of_an_activation_is_tried_too(monkeypatch):
    def across(self, da, z, a):
        return da - da.mean(axis=1, keepdims=True)

    monkeypatch.setattr(Tanh, "backward", across)
    with pytest.raises(InvalidArgumentError, match="activation of Ensemble must work on the last"):
        Ensemble(Architecture(4, (8,), 2, activation="tanh"), 2)


@dataclass(frozen=True)
class Heavy(Optimizer):
    """An optimizer of one's own that replaces what it remembers."""

    learning_rate: float = 0.1
    vectors = ("m",)

    def _step(self, parameters, gradient, state, rate):
        state["m"] = 0.9 * state["m"] + gradient
        parameters -= rate * state["m"]


def test_an_optimizer_that_replaces_its_state_is_refused():
    fit(MLP(ARCHITECTURE), (X, Y), loss="cross_entropy", optimizer=Heavy(), n_epochs=1)
    with pytest.raises(InvalidArgumentError, match="optimizer of fit must change 'm' of its state"):
        train(ensemble_of(2), optimizer=Heavy())


def test_a_member_without_weight_in_its_part_is_named():
    weight = np.ones((2, 60))
    weight[1] = 0
    weight[1, :2] = 1
    named = "validation part of member 1|training part of member 1"
    for seed in range(4):
        with pytest.raises(InvalidDataError, match=named):
            fit(
                ensemble_of(2),
                (X, Y, weight),
                loss="cross_entropy",
                validation=0.5,
                rng=np.random.default_rng(seed),
            )
        weight[1, :2], weight[1, 2] = 0, 1


class OneAtATime(LazySamples):
    """Samples whose source has one buffer, as a file has one position."""

    def __init__(self, X):
        self.X, self.shape, self.buffer = X, X.shape, None

    def __getitem__(self, rows):
        self.buffer = self.X[rows]
        time.sleep(0.001)
        return self.buffer


def test_threads_take_turns_to_read_samples_that_are_read_one_at_a_time():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(256, 200)).astype(np.float32), rng.integers(2, size=256)
    architecture = Architecture(200, (256, 256), 2)
    nets = []
    for samples in (data[0], OneAtATime(data[0])):
        ensemble = Ensemble(architecture, 4, rng=np.random.default_rng(1))
        rngs = [np.random.default_rng(k) for k in range(4)]
        with threadpool_limits(2):
            fit(ensemble, (samples, data[1]), loss="cross_entropy", n_epochs=2, batch_size=128,
                rng=rngs)  # fmt: skip
        nets.append(ensemble)
    np.testing.assert_allclose(nets[1].parameters, nets[0].parameters, atol=1e-4)


def test_splits_are_for_ensembles():
    net = MLP(ARCHITECTURE, rng=np.random.default_rng(0))
    with pytest.raises(InvalidArgumentError, match="splits of fit are for an Ensemble"):
        fit(net, (X, Y), loss="cross_entropy", splits=ROWS[:1])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Ensemble(ARCHITECTURE, 0),
            InvalidArgumentError,
            "n_members of Ensemble must be a positive integer; got 0",
        ),
        (
            lambda: Ensemble(ARCHITECTURE),
            InvalidArgumentError,
            "n_members of Ensemble must be given with a single architecture; got None",
        ),
        (
            lambda: Ensemble(ARCHITECTURE, 3)[3],
            IndexError,
            "an ensemble of 3 members has no member 3",
        ),
        (lambda: Ensemble(ARCHITECTURE, 3)[:2], InvalidTypeError, "the index of Ensemble must be"),
        (
            lambda: Ensemble([ARCHITECTURE, Architecture(4, (9,), 2)]),
            InvalidArgumentError,
            "architecture[1] of Ensemble must match architecture[0], Architecture(",
        ),
        (
            lambda: Ensemble([ARCHITECTURE] * 3, 2),
            InvalidArgumentError,
            "n_members of Ensemble must be 3, the number of architectures; got 2",
        ),
        (lambda: Ensemble([]), InvalidTypeError, "architecture of Ensemble must be an Arch"),
        (lambda: Ensemble(3), InvalidTypeError, "architecture of Ensemble must be an Architecture"),
        (
            lambda: Ensemble(ARCHITECTURE, 2, rng=[np.random.default_rng(0)]),
            InvalidArgumentError,
            "rng of Ensemble must be one generator, or one for each of the 2 members; got 1",
        ),
        (
            lambda: Ensemble(ARCHITECTURE, 2, dtype="int8"),
            InvalidArgumentError,
            "dtype of Ensemble must be one of float32, float64",
        ),
        (
            lambda: Ensemble(Architecture(10**6, (10**6,), 2), 10**6),
            InvalidArgumentError,
            "not enough memory for 1000000 networks of 1,000,0",
        ),
        (lambda: Ensemble.of([]), InvalidArgumentError, "nets of Ensemble.of must hold at least"),
        (lambda: Ensemble.of([3]), InvalidTypeError, "nets[0] of Ensemble.of must be a"),
        (
            lambda: Ensemble.of([MLP(ARCHITECTURE), MLP(Architecture(4, (9,), 2))]),
            InvalidArgumentError,
            "nets[1] of Ensemble.of must match nets[0], Architecture(",
        ),
        (
            lambda: Ensemble.of([MLP(ARCHITECTURE), MLP(ARCHITECTURE, dtype="float64")]),
            InvalidArgumentError,
            "nets[1] of Ensemble.of must be of dtype float32, as member 0 is; got float64",
        ),
    ],
)
def test_a_bad_ensemble_is_not_made(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(message)
