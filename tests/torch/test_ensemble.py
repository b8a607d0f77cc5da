"""K networks as one on PyTorch: each equals the same MLP alone, and the NumPy engine's ensemble."""

import copy
import io

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer import numpy as scratch
from multilayer.embeddings import Embeddings
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
    Adversarial,
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
    VirtualAdversarial,
)
from multilayer.samples import LazySamples
from multilayer.torch import MLP, Ensemble, capture, distributed, losses
from multilayer.torch.updates import Update
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit
from multilayer.training.fitting import train

N_MEMBERS = 3

# Gradients that vanish but for rounding, as before a batch normalisation, are divided by ε: were it
# smaller, rounding would become a step that can be seen.
E = {"epsilon": 1e-5}
OPTIMIZERS = [
    lambda k: "sgd",
    lambda k: SGD(0.01 * (k + 1), momentum=0.9 * (k > 0), weight_decay=0.01 * k),
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
# Whatever the inputs are, they are positions and categories, some of them out of range.
EMBEDDINGS = Embeddings(numbers=[(2, 3), (0, 1)], categories=[(3, 2)], width=2, speed=2.0)


def generators(seed):
    return [np.random.default_rng([seed, k]) for k in range(N_MEMBERS)]


@st.composite
def trainings(draw):
    """Draw what all members have in common, and what each has of its own, as functions of k."""
    loss, n_outputs, link, targets = draw(st.sampled_from(LOSS_CASES))
    optimizer = draw(st.sampled_from(OPTIMIZERS))
    # Lion takes the sign of a gradient, also where there is only rounding: where gradients ±1 of
    # samples cancel, and before a batch normalisation.
    is_lion = isinstance(optimizer(0), Lion)
    assume(not (is_lion and (loss(0) == "absolute_error" or isinstance(loss(0), Quantile))))
    normalization = draw(st.sampled_from([None, "layer"] if is_lion else [None, "batch", "layer"]))
    hidden = draw(st.sampled_from([(), (7,), (6, 6), (16, 5, 5)]))
    # Torch adds up in another order for several networks. Normalisation multiplies such rounding in
    # each step, that of few samples most: so steps are fewer, and most batches have 8 samples.
    has_batches = normalization == "batch" and bool(hidden)
    unit = 8 if has_batches else 1
    n = unit * draw(st.integers(24 // unit, 60 // unit))
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
        "embeddings": EMBEDDINGS if hidden and draw(st.booleans()) else None,
    }
    if draw(st.booleans()):
        of_inputs = 0.0 if common["embeddings"] else 0.2
        common["noise"] = (of_inputs, *(0.1 * (i % 2 == 0) for i in range(len(hidden))))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    weight_shape = draw(st.sampled_from([None, (n,), (N_MEMBERS, n)]))
    splits = None
    rows = draw(st.sampled_from(["same", "splits", "validation"]))
    if rows == "splits":
        splits = [
            (rng.integers(n, size=size), rng.choice(n, n // 4, replace=False))
            for size in unit * rng.integers(n // unit // 2, n // unit + 1, size=N_MEMBERS)
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
        "max_norm": draw(st.sampled_from([lambda k: None, lambda k: 0.5 * k if k else None])),
        "ema": draw(st.sampled_from([lambda k: None, lambda k: 1 - 0.2 * k if k else None])),
        "batch_size": draw(st.sampled_from([8, 16, 100] if has_batches else [5, 8, 16, 100])),
        "n_epochs": draw(st.integers(1, 20 if normalization is None else 5)),
        "shuffle": draw(st.booleans()),
        "own_order": draw(st.booleans()),
        "seed": seed,
        "callbacks": draw(st.sampled_from([lambda: (), lambda: [EarlyStopping(2)]])),
        "adversary": None,
    }


MLP_OPTIONS = {"precision": "bfloat16", "accumulate": 2, "compile": True}
PER_MEMBER = ("loss", "optimizer", "l1", "l2", "clip_norm", "clip_value", "max_norm", "ema")
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
        adversary=t["adversary"],
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
    own = {name: t[name](k) for name in PER_MEMBER}
    trainer = net.trainer(**own, adversary=t["adversary"], rng=masks)
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
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_each_member_equals_the_same_network_trained_alone(t):
    try:
        alone = [train_alone(t, k) for k in range(N_MEMBERS)]
    except (InvalidDataError, DivergenceError):  # no valid training: other tests
        return
    assert_members_equal(t, alone)


def assert_members_equal(t, alone):
    """Compare an ensemble with its members trained alone, and with that of the NumPy engine."""
    ensemble, histories = train_together(t, Ensemble)
    for k, (net, history) in enumerate(alone):
        own = net.state_dict()
        for name, tensor in ensemble[k].state_dict().items():
            message = f"{name} of member {k}"
            np.testing.assert_allclose(tensor, own[name], rtol=1e-10, atol=1e-10, err_msg=message)
        assert_same_histories(histories[k], history, 1e-9)
    if any(np.any(a.noise) or np.any(a.dropout) for a in t["architectures"]):
        return  # the engines draw other numbers
    other, others = train_together(t, scratch.Ensemble)
    twin = ensemble.to_numpy()
    np.testing.assert_allclose(twin.parameters, other.parameters, rtol=1e-9, atol=1e-9)
    for name, array in other.state.items():
        np.testing.assert_allclose(twin.state[name], array, rtol=1e-9, atol=1e-9)
    for history, one in zip(histories, others, strict=True):
        assert_same_histories(history, one, 1e-8)


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
    weight = rng.uniform(0.5, 2, size=(N_MEMBERS, 40))
    common = {"activation": "tanh", "normalization": normalization}
    t = {
        "architectures": [Architecture(4, (7, 6), 3, **common)] * N_MEMBERS,
        "data": (rng.normal(size=(40, 4)), rng.integers(3, size=40)),
        "weight": weight if own else None,
        "splits": [(np.arange(8 * k, 40), np.arange(9)) for k in range(N_MEMBERS)] if own else None,
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
    assert_members_equal(t, alone)
    plain, _ = train_alone(t | {"adversary": None}, 0)
    assert (plain.last.weight - alone[0][0].last.weight).abs().max() > 1e-4


# Ends -------------------------------------------------------------------------------------------

ARCHITECTURE = Architecture(4, (8,), 2, dropout=0.2, normalization="batch")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), RNG.integers(2, size=60)


def ensemble_of(n_members=4, architecture=ARCHITECTURE):
    rngs = [np.random.default_rng(k) for k in range(n_members)]
    return Ensemble(architecture, n_members, dtype="float64", rng=rngs)


def quick(ensemble, **arguments):
    common = {"loss": "cross_entropy", "optimizer": "adam", "n_epochs": 6, "batch_size": 16}
    return fit(ensemble, (X, Y), **(common | {"rng": np.random.default_rng(1)} | arguments))


def tensors(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def assert_same(mine, other):
    assert mine.keys() == other.keys()
    for name, tensor in mine.items():
        np.testing.assert_array_equal(tensor, other[name], err_msg=name)


def assert_close(mine, other):
    for name, tensor in mine.items():
        # Products of three matrices and of two may add in another order.
        np.testing.assert_allclose(tensor, other[name], atol=1e-13, err_msg=name)


class StopAt(Callback):
    """Stops some members after some epochs."""

    def __init__(self, ends):
        self.ends = ends

    def on_epoch_end(self, run):
        for k, epoch in self.ends.items():
            if run.epoch == epoch:
                run.members[k].stop("enough")


def test_members_end_one_by_one_and_the_others_do_not_notice():
    whole, ensemble, short = ensemble_of(), ensemble_of(), ensemble_of()
    undisturbed = quick(whole)
    histories = quick(ensemble, callbacks=[StopAt({1: 2, 3: 4})])
    quick(short, n_epochs=2)
    assert [history.stopped_by for history in histories] == [
        "n_epochs", "enough", "n_epochs", "enough",
    ]  # fmt: skip
    assert [history.n_epochs for history in histories] == [6, 2, 6, 4]
    for history, other in zip(histories, undisturbed, strict=True):
        np.testing.assert_allclose(
            history["train_loss"], other["train_loss"][: history.n_epochs], rtol=1e-12
        )
    for k, expected in ((0, whole), (1, short), (2, whole)):
        assert_close(ensemble[k].state_dict(), expected[k].state_dict())


def test_what_has_ended_takes_no_part_in_products():
    seen = []

    class Look(Callback):
        def on_step_end(self, run):
            seen.append(len(run.trainer._active.net))

    quick(ensemble_of(), callbacks=[Look(), StopAt({0: 1, 2: 1, 3: 2})], n_epochs=3)
    assert seen == [4] * 4 + [2] * 4 + [1] * 4


def test_a_member_that_diverges_ends_alone_with_its_best_weights():
    ensemble, expected = ensemble_of(3), ensemble_of(3)
    first = tensors(ensemble[1])
    histories = quick(ensemble, optimizer=[SGD(0.1), SGD(1e200), SGD(0.1)])
    quick(expected, optimizer=SGD(0.1))
    assert [history.stopped_by for history in histories] == ["n_epochs", "divergence", "n_epochs"]
    assert_same(tensors(ensemble[1]), first)
    for k in (0, 2):
        assert_close(ensemble[k].state_dict(), expected[k].state_dict())


def test_a_loss_that_is_not_finite_does_not_change_its_member():
    ensemble = ensemble_of(3, Architecture(4, (8,), 2))
    trainer = ensemble.trainer(loss="cross_entropy", optimizer="adam")
    trainer.begin(trainer.check(X, Y, None))
    trainer.begin_epoch(None)
    trainer.step(0, 16, np.full(3, 0.01))
    with torch.no_grad():
        ensemble.last.weight[1] = torch.inf
    before, state = tensors(ensemble), trainer.state()
    losses = trainer.step(16, 32, np.full(3, 0.01))
    assert np.isfinite(losses).tolist() == [True, False, True]
    assert_same(tensors(ensemble[1]), {name: tensor[1] for name, tensor in before.items()})
    for name, array in trainer.state().items():
        if name.startswith("optimizer"):
            np.testing.assert_array_equal(array[1], state[name][1])
            assert (array[0] != state[name][0]).any()


@pytest.mark.parametrize("is_late", [False, True])
def test_samples_may_be_followed_by_others_on_the_way(monkeypatch, is_late):
    """Optimizers, members that have ended, and losses that a device still computes survive."""
    if is_late:
        monkeypatch.setattr(capture, "DEVICE", "cpu")
    # In each step member 0 has a batch of its own.
    bounds = [(np.array([start, start]), np.array([start + 3, start + 4])) for start in (0, 4, 8)]

    def train_on(parts):
        ensemble = ensemble_of(2, Architecture(4, (8,), 2, dropout=0.3))
        trainer = ensemble.trainer(
            loss="cross_entropy", optimizer="adam", rng=np.random.default_rng(0)
        )
        losses = []
        for rows, steps in parts:
            trainer.begin(trainer.check(X[rows], Y[rows], None))
            trainer.begin_epoch(None)
            for start, stop in steps:
                losses.append(trainer.step(start, stop, np.full(2, 0.01)))
                if len(losses) == 5:
                    trainer.keep([1])
        if is_late:
            assert losses == [None] * 9
            losses, _ = trainer.settle()
        trainer.finish()
        return losses, tensors(ensemble)

    mine, weights = train_on([(np.arange(i, i + 12), bounds) for i in (0, 12, 24)])
    whole = [(start + i, stop + i) for i in (0, 12, 24) for start, stop in bounds]
    others, expected = train_on([(np.arange(36), whole)])
    np.testing.assert_array_equal(mine, others)
    assert_same(weights, expected)


def test_if_all_diverge_it_is_an_error_and_the_first_weights_are_back():
    ensemble = ensemble_of(2)
    first = tensors(ensemble)
    with pytest.raises(
        DivergenceError, match=r"of member \d, the last that had not diverged, became"
    ):
        quick(ensemble, optimizer=SGD(1e200))
    assert_same(tensors(ensemble), first)


def test_early_stopping_restores_each_members_best_weights():
    ensemble = ensemble_of(4)
    splits = [(np.flatnonzero(np.arange(60) % 4 != k), np.arange(k, 60, 4)) for k in range(4)]
    histories = quick(
        ensemble, n_epochs=60, optimizer=Adam(0.05), splits=splits, callbacks=[EarlyStopping(3)]
    )
    assert len({history.n_epochs for history in histories}) > 1
    for k, history in enumerate(histories):
        assert history.best_epoch == 1 + int(np.argmin(history["validation_loss"]))
        with torch.no_grad():
            logits = ensemble[k](torch.from_numpy(X[splits[k][1]]))
        value = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y[splits[k][1]]))
        assert value.item() == pytest.approx(history["validation_loss"][history.best_epoch - 1])


# Whole trainings --------------------------------------------------------------------------------


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
@pytest.mark.parametrize("optimizer", ["nadam", SGD(0.1, momentum=0.9)], ids=str)
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, after, own, optimizer):
    splits = [(np.arange(3 * k, 60 - k), np.arange(10)) for k in range(4)] if own else None

    def run(**more):
        ensemble = ensemble_of()
        rngs = [np.random.default_rng(k) for k in range(4)] if own else np.random.default_rng(5)
        validation = None if own else 0.2
        given = {"splits": splits, "validation": validation, "rng": rngs, "optimizer": optimizer}
        given |= {"max_norm": 0.8, "ema": [0.9, None, 0.5, 0.8] if own else None}
        return ensemble, quick(ensemble, **given, **more)

    ends = StopAt({1: 2})
    expected, expected_histories = run(callbacks=[ends])
    kept = Checkpoint(tmp_path / "kept", seconds=0)
    with pytest.raises(KillError):
        run(callbacks=[ends, Crash(after)], checkpoint=kept)
    ensemble, histories = run(callbacks=[ends], checkpoint=kept, resume=True)
    assert_same(tensors(ensemble), tensors(expected))
    for history, other in zip(histories, expected_histories, strict=True):
        assert history.stopped_by == other.stopped_by
        assert {**history, "seconds": 0} == {**other, "seconds": 0}


def test_float32_agrees_to_its_rounding():
    # One product of all first layers may add in another order than three; after 24 steps
    # differences of 1e-7 have grown to some 1e-6.
    rngs = [np.random.default_rng(k) for k in range(3)]
    ensemble = Ensemble(ARCHITECTURE, 3, rng=rngs)
    optimizers = [Adam(0.001 * (k + 1), beta_2=0.999 - 0.01 * k) for k in range(3)]
    quick(ensemble, optimizer=optimizers, rng=[np.random.default_rng(k) for k in range(3)])
    for k in range(3):
        net = MLP(ARCHITECTURE, rng=np.random.default_rng(k))
        quick(net, optimizer=optimizers[k], rng=np.random.default_rng(k))
        for name, tensor in ensemble[k].state_dict().items():
            np.testing.assert_allclose(tensor, net.state_dict()[name], atol=1e-5, err_msg=name)


class Rows(LazySamples):
    """Rows of an array, as if they were read when needed."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __getitem__(self, rows):
        return self.array[rows]


@pytest.mark.parametrize("own", [False, True])
def test_lazy_samples_take_the_same_steps(own):
    rngs = [np.random.default_rng(k) for k in range(4)] if own else np.random.default_rng(5)
    weight = np.random.default_rng(2).uniform(0.5, 1, size=(4, 60))
    nets = []
    for samples in (X, Rows(X)):
        nets.append(ensemble_of())
        fit(nets[-1], (samples, Y, weight), loss="cross_entropy", n_epochs=2, validation=0.2,
            rng=copy.deepcopy(rngs))  # fmt: skip
    assert_same(tensors(nets[0]), tensors(nets[1]))


def test_no_random_numbers_but_the_generators_own_are_drawn():
    before = torch.random.get_rng_state()
    ensemble = ensemble_of()
    assert torch.equal(ensemble[0].last.weight, ensemble.last.weight[0])
    quick(ensemble, callbacks=[StopAt({1: 2})])
    after = torch.random.get_rng_state()
    # An MLP draws PyTorch's weights before it gets those of `rng`, as it always has.
    ensemble_of()
    assert not torch.equal(torch.random.get_rng_state(), after)
    torch.random.set_rng_state(before)
    ensemble_of()
    assert torch.equal(torch.random.get_rng_state(), after)


def test_losses_of_a_device_that_does_not_wait_come_later():
    waiting, late = ensemble_of(), ensemble_of()
    expected = quick(waiting)

    class Late:
        """An ensemble whose trainer works as on a GPU."""

        options, n_members, architecture = (), 4, ARCHITECTURE

        def trainer(self, **arguments):
            trainer = late.trainer(**arguments)
            trainer._waits = False
            return trainer

    found = quick(Late())
    assert_same(tensors(late), tensors(waiting))
    for history, other in zip(found, expected, strict=True):
        assert history["train_loss"] == other["train_loss"]


# The ensemble itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("one", [True, False])
def test_members_are_drawn_as_alone(one):
    rngs = [np.random.default_rng(k) for k in range(3)]
    ensemble = Ensemble(ARCHITECTURE, 3, rng=rngs[0] if one else rngs)
    rngs = [np.random.default_rng(k) for k in range(3)]
    for k, net in enumerate(ensemble):
        alone = MLP(ARCHITECTURE, rng=rngs[0] if one else rngs[k])
        assert_same(tensors(net), tensors(alone))


def test_without_rng_pytorch_draws_one_network_after_the_other():
    torch.manual_seed(7)
    ensemble = Ensemble(ARCHITECTURE, 3)
    torch.manual_seed(7)
    for net in ensemble:
        assert_same(tensors(net), tensors(MLP(ARCHITECTURE)))


def test_a_member_is_a_view_and_outputs_are_the_members():
    architecture = Architecture(4, (5, 5), 3, normalization="batch", output="softmax",
                                residual=True)  # fmt: skip
    ensemble = Ensemble(architecture, 3, rng=np.random.default_rng(0))
    fit(ensemble, (X, RNG.integers(3, size=60)), loss="cross_entropy", n_epochs=1)
    x = torch.from_numpy(X).float()
    outputs = ensemble(x)
    assert outputs.shape == (3, 60, 3)
    for k, net in enumerate(ensemble):
        assert isinstance(net, MLP)
        torch.testing.assert_close(net(x), outputs[k])
        torch.testing.assert_close(net.logits(x), ensemble.logits(x)[k])
    # Each its own samples, and samples that are not flat:
    torch.testing.assert_close(ensemble(torch.stack([x] * 3)), outputs)
    torch.testing.assert_close(ensemble(x.reshape(60, 2, 2)), outputs)
    with torch.no_grad():
        ensemble[1].last.weight.zero_()
    assert [bool(W.any()) for W in ensemble.last.weight] == [True, False, True]
    ensemble[-1].hidden[0][1].running_mean.fill_(7)
    assert (ensemble.state["0.1.running_mean"][2] == 7).all()
    with pytest.raises(IndexError):
        ensemble[3]


def test_it_crosses_the_engines():
    ours = scratch.Ensemble(ARCHITECTURE, 3, dtype="float64", rng=np.random.default_rng(0))
    ours.state["0.1.running_mean"][:] = RNG.normal(size=(3, 8))
    theirs = Ensemble.from_numpy(ours).eval()
    with torch.no_grad():
        np.testing.assert_allclose(theirs(torch.from_numpy(X)), ours(X), rtol=1e-12)
    again = theirs.to_numpy()
    np.testing.assert_array_equal(again.parameters, ours.parameters)
    np.testing.assert_array_equal(again.state["0.1.running_mean"], ours.state["0.1.running_mean"])


def test_an_ensemble_of_networks_holds_copies():
    nets = [MLP(ARCHITECTURE, rng=np.random.default_rng(k)).eval() for k in range(3)]
    ensemble = Ensemble.of(nets).eval()
    x = torch.from_numpy(X).float()
    torch.testing.assert_close(ensemble(x), torch.stack([net(x) for net in nets]))
    with torch.no_grad():
        ensemble.last.weight.zero_()
    assert nets[0].last.weight.any()


def test_copies_and_files_hold_it_whole():
    ensemble = ensemble_of()
    quick(ensemble, n_epochs=1)
    file = io.BytesIO()
    torch.save(ensemble.state_dict(), file)
    file.seek(0)
    other = ensemble_of().eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    for twin in (copy.deepcopy(ensemble), other):
        x = torch.from_numpy(X)
        torch.testing.assert_close(twin(x), ensemble(x), rtol=0, atol=0)
        with torch.no_grad():
            twin.last.weight.zero_()
        assert ensemble.last.weight.any()


def test_it_trains_in_a_plain_loop():
    ensemble = Ensemble(Architecture(4, (16,), 2, dropout=(0.1,)), 3)
    optimizer = torch.optim.Adam(ensemble.parameters(), lr=0.02)
    x, y = torch.from_numpy(X).float(), torch.from_numpy((X[:, 0] > 0).astype(int))
    first = None
    for _ in range(60):
        optimizer.zero_grad()
        z = ensemble(x)
        loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), y.repeat(3))
        first = first or loss.item()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first


# The optimizers by themselves -------------------------------------------------------------------


STEPPING = [kind for kind in scratch.OPTIMIZERS.values() if kind.takes_steps]


@pytest.mark.parametrize("kind", [*STEPPING, SGD], ids=lambda kind: kind.__name__)
def test_one_member_takes_the_steps_of_pytorchs_optimizer(kind):
    from multilayer.torch.optimizers import make_optimizer

    given = kind(0.05, momentum=0.9, nesterov=True) if kind is SGD else kind()
    rng = np.random.default_rng(0)
    start = torch.from_numpy(rng.normal(size=(1, 5, 3)))
    mine, other = (torch.nn.Parameter(start.clone()) for _ in range(2))
    update, optimizer = Update(given, [mine]), make_optimizer(given, [other])
    for _ in range(50):
        gradient = torch.from_numpy(rng.normal(size=(1, 5, 3)))
        mine.grad, other.grad = gradient.clone(), gradient.clone()
        update.take(torch.tensor([[given.learning_rate]], dtype=torch.float64))
        optimizer.step()
    torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14)


def test_a_parameter_without_gradient_stays():
    ensemble = ensemble_of()
    ensemble.hidden.requires_grad_(requires_grad=False)
    before = tensors(ensemble)
    quick(ensemble, optimizer=AdamW(0.01), clip_norm=1.0)
    assert torch.equal(ensemble.hidden[0][0].weight, before["hidden.0.0.weight"])
    assert not torch.equal(ensemble.last.weight, before["last.weight"])


# Bad input --------------------------------------------------------------------------------------


class Own(scratch.Optimizer):
    """An optimizer for which PyTorch's engine has no formula."""


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"l2": [0.1, 0.2]},
            InvalidArgumentError,
            "l2 of fit must be one value for all members, or a sequence of 4; got 2 values",
        ),
        (
            {"l1": [0, 0, -1, 0]},
            InvalidArgumentError,
            "l1[2] of fit must be a number in [0, inf); got -1",
        ),
        (
            {"clip_norm": [1, None, 0, 1]},
            InvalidArgumentError,
            "clip_norm[2] of fit must be a number in (0, inf); got 0",
        ),
        (
            {"max_norm": [1, None, -1, 1]},
            InvalidArgumentError,
            "max_norm[2] of fit must be a number in (0, inf); got -1",
        ),
        (
            {"optimizer": [SGD(), SGD(), Adam(), SGD()]},
            InvalidArgumentError,
            "optimizer[2] of fit must be of the same class for all members; for member 0 it is "
            f"{SGD()!r}; got {Adam()!r}",
        ),
        (
            {"loss": [CrossEntropy(), CrossEntropy(), GroupedCrossEntropy(), CrossEntropy()]},
            InvalidArgumentError,
            "loss[2] of fit must be of the same class for all members; for member 0 it is "
            f"{CrossEntropy()!r}; got {GroupedCrossEntropy()!r}",
        ),
        (
            {"optimizer": "lbfgs"},
            InvalidArgumentError,
            "optimizer of fit cannot be L-BFGS for an ensemble: it does not step batch by batch",
        ),
        (
            {"optimizer": torch.optim.SGD([torch.zeros(1)])},
            InvalidArgumentError,
            "optimizer of fit must be an optimizer of multilayer.numpy, or its name, for an "
            "ensemble; got SGD",
        ),
        (
            {"optimizer": Own(0.1)},
            InvalidArgumentError,
            "optimizer of fit must be one of SGD, Adam, AMSGrad, AdamW, NAdam, RMSprop, Adagrad, "
            "Lion for a PyTorch Ensemble; got Own",
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
        (
            {"splits": [(np.arange(30), np.arange(30, 60))] * 3},
            InvalidArgumentError,
            "splits of fit must be 4 pairs of rows, one for each member; got 3",
        ),
        *(
            (
                {name: value},
                InvalidTypeError,
                f"fit has no parameter {name!r} (options of multilayer.torch.Ensemble: none)",
            )
            for name, value in MLP_OPTIONS.items()
        ),
    ],
)
def test_bad_arguments_name_member_and_parameter_and_change_nothing(arguments, error, message):
    ensemble = ensemble_of(4)
    before = tensors(ensemble)
    with pytest.raises(error) as caught:
        quick(ensemble, **arguments)
    assert str(caught.value) == message
    assert_same(tensors(ensemble), before)


def test_checkpoints_of_several_processes_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "shard", lambda: (0, 2))
    monkeypatch.setattr(distributed, "agree", lambda net, seeds: None)
    with pytest.raises(InvalidArgumentError) as caught:
        quick(ensemble_of(), checkpoint=tmp_path)
    assert str(caught.value) == "checkpoint of fit cannot be combined with several processes"


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            np.ones((3, 60)),
            "sample_weight of fit must have shape (n_samples,) or (4, n_samples); "
            "got shape (3, 60)",
        ),
        (
            np.stack([np.ones(60)] * 3 + [np.zeros(60)]),
            "sample_weight[3] must not be zero for every sample",
        ),
    ],
)
def test_bad_weights_name_the_member(weight, message):
    with pytest.raises(InvalidDataError) as caught:
        fit(ensemble_of(4), (X, Y, weight), loss="cross_entropy")
    assert str(caught.value) == message


SHAPED = Architecture(4, (9,), 2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Ensemble(ARCHITECTURE, 0),
            InvalidArgumentError,
            "n_members of Ensemble must be a positive integer; got 0",
        ),
        (
            lambda: Ensemble([ARCHITECTURE, SHAPED]),
            InvalidArgumentError,
            f"architecture[1] of Ensemble must match architecture[0], {ARCHITECTURE!r}, except for "
            f"dropout; got {SHAPED!r}",
        ),
        (
            lambda: Ensemble([ARCHITECTURE] * 3, 2),
            InvalidArgumentError,
            "n_members of Ensemble must be 3, the number of architectures; got 2",
        ),
        (
            lambda: Ensemble(ARCHITECTURE, 2, rng=[np.random.default_rng(0)]),
            InvalidArgumentError,
            "rng of Ensemble must be one generator, or one for each of the 2 members; got 1",
        ),
        (
            lambda: Ensemble(ARCHITECTURE, 2, dtype="int8"),
            InvalidArgumentError,
            "dtype of Ensemble must be one of float32, float64; got 'int8'",
        ),
        (
            lambda: Ensemble.of([]),
            InvalidArgumentError,
            "nets of Ensemble.of must hold at least one network",
        ),
        (
            lambda: Ensemble.of([3]),
            InvalidTypeError,
            "nets[0] of Ensemble.of must be a multilayer.torch.MLP; got 3",
        ),
        (
            lambda: Ensemble.of([MLP(ARCHITECTURE), MLP(SHAPED)]),
            InvalidArgumentError,
            f"nets[1] of Ensemble.of must match nets[0], {ARCHITECTURE!r}, except for "
            f"dropout; got {SHAPED!r}",
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
    assert str(caught.value) == message


def test_a_formula_that_sums_over_the_wrong_axis_is_named(monkeypatch):
    wrong = {"squared_error": lambda loss, p, y: (p - y).square().sum(dim=1)}
    monkeypatch.setattr(losses, "LOSSES", wrong)
    with pytest.raises(InvalidDataError) as caught:
        fit(ensemble_of(4), (X, X[:, :2]), loss="squared_error", batch_size=16)
    assert str(caught.value) == (
        "the result of LOSSES['squared_error'] must have shape (4, 16): sum over the outputs with "
        "dim=-1; got (4, 2)"
    )
