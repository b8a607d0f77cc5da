"""Every parameter does something: changing it changes what can be observed.

For each callable there is a function that observes it, as a flat list of numbers and words, and a
table with a case for each parameter: the arguments to start from, and the changed value. The
signatures are read, so that a parameter without a case fails, and a case without a parameter.
"""

import inspect
import io
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console

from multilayer import Architecture, Embeddings
from multilayer.numpy import (
    INITIALIZERS,
    LBFGS,
    LOSSES,
    MLP,
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Adversarial,
    BatchNorm,
    Cosine,
    LayerNorm,
    clip_by_norm,
    clip_by_value,
)
from multilayer.numpy.schedules import Plateau
from multilayer.training import EarlyStopping, Progress, fit

WITHOUT_EFFECT = {
    ("fit", "options"): "handed on to the engine's trainer: tests/torch/test_trainer.py",
    ("fit", "checkpoint"): "acts on what is left after a crash: tests/training/test_checkpoint.py",
    ("fit", "resume"): "a training that goes on shall end as if it had not: tests there, too",
    ("fit", "splits"): "is for ensembles: tests/training/test_ensemble.py",
}
"""Parameters that have no case, each with the reason."""


class Case(NamedTuple):
    """A parameter's changed value, beside arguments that make it matter."""

    changed: object
    beside: dict = {}


# What is observed ------------------------------------------------------------------------------


def observe_architecture(**fields):
    """Observe a network's output, and loss and gradient while it trains."""
    architecture = Architecture(**fields)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    X = rng.normal(size=(5, architecture.in_features))
    y = np.ones((5, architecture.out_features))
    value, gradients = net.loss_and_gradients(
        X, y, loss="squared_error", rng=np.random.default_rng(2)
    )
    return [*net(X).ravel(), value, *net.flatten(gradients)]


def observe_embeddings(**fields):
    return observe_architecture(
        in_features=3, hidden_features=(3,), out_features=1, embeddings=Embeddings(**fields)
    )


def observe_optimizer(optimizer):
    """Observe where some steps lead."""

    def observe(**settings):
        rng = np.random.default_rng(0)
        theta, gradients = rng.normal(size=20), rng.normal(size=(6, 20))
        chosen = optimizer(**settings)
        state = chosen.initial_state(theta)
        for gradient in gradients:
            chosen.update(theta, gradient, state)
        return theta.tolist()

    return observe


def wavy():
    """Return a regression problem that keeps L-BFGS busy for a while."""
    X = np.linspace(-2, 2, 30).reshape(-1, 1)
    return X, np.sin(3 * X[:, 0])


def observe_lbfgs(**settings):
    net = MLP(
        Architecture(1, (6,), 1, activation="tanh"), dtype="float64", rng=np.random.default_rng(0)
    )
    history = fit(net, wavy(), loss="squared_error", optimizer=LBFGS(**settings), n_epochs=60)
    return [history.n_epochs, history.stopped_by, *net.parameters]


def observe_loss(loss):
    def observe(**settings):
        rng = np.random.default_rng(0)
        p = 2 * rng.normal(size=(4, 6))
        chosen = loss(**settings)
        if hasattr(chosen, "sizes"):
            sizes = chosen.sizes or (6,)
            y = np.column_stack([rng.integers(size, size=4) for size in sizes])
        elif chosen.task == "classification":
            y = rng.integers(6, size=4)
        else:
            y = rng.uniform(size=(4, 6 // len(getattr(chosen, "quantiles", (0,)))))
        value, gradient = chosen(p, y)
        return [value, *gradient.ravel()]

    return observe


def observe_schedule(schedule):
    """Observe the factors of ten epochs, of losses that fall, halt and fall a little."""

    def observe(**settings):
        chosen, state, factors = schedule(**settings), Plateau(), []
        for epoch, loss in enumerate([5, 4, 3, 3, 3, 3, 2.9, 2.8, 2.7, 2.7]):
            factors += [chosen.factor(epoch + share, 10, state) for share in (0, 0.5)]
            state = chosen.observe(loss, state)
        return [*factors, chosen.factor(10, 10, state)]

    return observe


def observe_initializer(initializer):
    def observe(**settings):
        rng = np.random.default_rng(0)
        chosen = initializer(**settings)
        return [*chosen.weights(3, 2, rng).ravel(), *chosen.biases(3, 2, rng)]

    return observe


def observe_mlp(**settings):
    net = MLP(**settings)
    X = np.linspace(-1, 1, 10).reshape(5, 2)
    return [str(net.dtype), *net.parameters, *net(X).ravel()]


NET = MLP(
    Architecture(2, (4,), 2, activation="tanh", normalization="batch", dropout=0.5),
    dtype="float64",
    rng=np.random.default_rng(0),
)


def observe_loss_and_gradients(**settings):
    if settings["rng"] is not None:  # the same generator draws on from where it stands
        settings["rng"] = np.random.default_rng(settings["rng"])
    value, gradients = NET.loss_and_gradients(**settings)
    return [value, *NET.flatten(gradients)]


def observe_normalization(layer):
    """Observe training, the way back, and prediction by what was learned."""

    def observe(**settings):
        x, dy = np.random.default_rng(0).normal(size=(2, 5, 3))
        built = layer(**settings)
        y, cache = built.forward(x, training=True)
        dx, gradients = built.backward(dy, cache)
        built.update_state(cache)
        predicted, _ = built.forward(x)
        arrays = (y, dx, *gradients, predicted)
        return [number for array in arrays for number in array.ravel()]

    return observe


def noisy():
    """Return a noisy classification problem, on which a network soon overfits."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 2))
    return X, (X[:, 0] + rng.normal(size=40) > 0).astype(int)


X_NOISY, Y_NOISY = noisy()


def observe_fit(net=(8,), rng=0, **settings):
    """Observe weights and history; `net` is a tuple of widths and `rng` a seed."""
    built = MLP(Architecture(2, net, 2, activation="tanh"), rng=np.random.default_rng(0))
    history = fit(built, rng=np.random.default_rng(rng), **settings)
    columns = [
        entry for name, column in history.items() if name != "seconds" for entry in (name, *column)
    ]
    return [*columns, history.stopped_by, history.best_epoch, *built.parameters]


def observe_early_stopping(**settings):
    return observe_fit(
        data=(X_NOISY, Y_NOISY),
        loss="cross_entropy",
        optimizer=Adam(0.05),
        n_epochs=30,
        validation=0.5,
        callbacks=[EarlyStopping(**settings)],
    )


def observe_progress(console):
    """Observe what arrives on a console of our own, and whether it is the one that was given."""
    file = io.StringIO()
    own = Console(file=file, width=80)
    given = own if console == "own" else Console(file=io.StringIO(), width=80)
    observe_fit(
        data=(X_NOISY, Y_NOISY), loss="cross_entropy", n_epochs=2, callbacks=[Progress(given)]
    )
    return file.getvalue().split()


def observe_clip(function):
    return lambda **settings: function(**settings).tolist()


# The cases -------------------------------------------------------------------------------------

OBSERVERS = {
    "Architecture": (Architecture, observe_architecture),
    "Embeddings": (Embeddings, observe_embeddings),
    "MLP": (MLP, observe_mlp),
    "loss_and_gradients": (NET.loss_and_gradients, observe_loss_and_gradients),
    "fit": (fit, observe_fit),
    "BatchNorm": (BatchNorm, observe_normalization(BatchNorm)),
    "LayerNorm": (LayerNorm, observe_normalization(LayerNorm)),
    "LBFGS": (LBFGS, observe_lbfgs),
    "EarlyStopping": (EarlyStopping, observe_early_stopping),
    "Progress": (Progress, observe_progress),
    "clip_by_norm": (clip_by_norm, observe_clip(clip_by_norm)),
    "clip_by_value": (clip_by_value, observe_clip(clip_by_value)),
}
for registry, kind in (
    ({n: c for n, c in OPTIMIZERS.items() if c.takes_steps}, observe_optimizer),
    (LOSSES, observe_loss),
    (SCHEDULES, observe_schedule),
    (INITIALIZERS, observe_initializer),
):
    OBSERVERS |= {cls.__name__: (cls, kind(cls)) for cls in registry.values()}

BASES = {
    "Architecture": {"in_features": 3, "hidden_features": (3, 4), "out_features": 2},
    "Embeddings": {"numbers": [(0, 2)], "categories": [(2, 2)], "width": 2},
    "MLP": {"architecture": Architecture(2, (3,), 2), "rng": np.random.default_rng(0)},
    "loss_and_gradients": {
        "X": np.random.default_rng(1).normal(size=(6, 2)),
        "y": [0, 1, 1, 0, 1, 0],
        "loss": "cross_entropy",
        "rng": 0,
    },
    "fit": {
        "data": (X_NOISY, Y_NOISY),
        "loss": "cross_entropy",
        "optimizer": Adam(0.02),
        "n_epochs": 6,
        "batch_size": 8,
    },
    "BatchNorm": {"gamma": np.ones(3), "beta": np.zeros(3)},
    "LayerNorm": {"gamma": np.ones(3), "beta": np.zeros(3)},
    "Progress": {"console": "own"},
    "clip_by_norm": {"gradient": np.array([3.0, 4.0]), "max_norm": 1.0},
    "clip_by_value": {"gradient": np.array([3.0, 4.0]), "max_value": 1.0},
}

ADAM = {"learning_rate": Case(0.3), "beta_1": Case(0.5), "beta_2": Case(0.5), "epsilon": Case(0.1)}
VALIDATED = {"validation": 0.5}
LONG = {"validation": 0.5, "n_epochs": 30, "optimizer": Adam(0.05)}

CASES = {
    "Architecture": {
        "in_features": Case(4),
        "hidden_features": Case((3, 5)),
        "out_features": Case(3),
        "activation": Case("tanh"),
        "output": Case("sigmoid"),
        "dropout": Case(0.5),
        "normalization": Case("layer"),
        "bias": Case(False),
        "residual": Case(True),
        "embeddings": Case(Embeddings([(0, 2)])),
        "noise": Case(0.5),
    },
    "Embeddings": {
        "numbers": Case([(0, 3)]),
        "categories": Case([(2, 3)]),
        "width": Case(3),
        "speed": Case(2.0),
    },
    "MLP": {
        "architecture": Case(Architecture(2, (3,), 2, activation="tanh")),
        "dtype": Case("float64"),
        "initializer": Case("he"),
        "rng": Case(np.random.default_rng(1)),
    },
    "loss_and_gradients": {
        "X": Case(np.random.default_rng(2).normal(size=(6, 2))),
        "y": Case([1, 1, 1, 0, 1, 0]),
        "loss": Case("binary_cross_entropy", {"y": np.eye(2)[[0, 1, 1, 0, 1, 0]]}),
        "l1": Case(0.1),
        "l2": Case(0.1),
        "sample_weight": Case([1, 2, 3, 4, 5, 6]),
        "training": Case(False),
        "rng": Case(1),
    },
    "fit": {
        "net": Case((9,)),
        "data": Case((X_NOISY[::-1], Y_NOISY)),
        "loss": Case("squared_error", {"data": (X_NOISY, np.eye(2)[Y_NOISY])}),
        "optimizer": Case(SGD(0.1)),
        "n_epochs": Case(7),
        "batch_size": Case(10),
        "shuffle": Case(False),
        "validation": Case(0.5),
        "metrics": Case(["balanced_accuracy"], VALIDATED),
        "monitor": Case("train_loss", LONG),
        "schedule": Case("cosine"),
        "l1": Case(0.1),
        "l2": Case(0.1),
        "clip_norm": Case(1e-3, {"optimizer": SGD(0.1)}),
        "clip_value": Case(1e-3, {"optimizer": SGD(0.1)}),
        "max_norm": Case(0.5),
        "ema": Case(0.9),
        "adversary": Case(Adversarial(0.1)),
        "callbacks": Case([EarlyStopping(patience=2)], LONG),
        "rng": Case(1),
    },
    "BatchNorm": {
        "gamma": Case(np.full(3, 2.0)),
        "beta": Case(np.ones(3)),
        "momentum": Case(0.5),
        "epsilon": Case(0.1),
    },
    "LayerNorm": {
        "gamma": Case(np.full(3, 2.0)),
        "beta": Case(np.ones(3)),
        "epsilon": Case(0.1),
    },
    "LBFGS": {
        "tolerance": Case(0.05),
        "max_evaluations": Case(10),
        "memory": Case(1),
        "loss_tolerance": Case(0.05),
    },
    "EarlyStopping": {
        "patience": Case(2),
        "min_delta": Case(1.0),
    },
    "Progress": {"console": Case("another")},
    "clip_by_norm": {"gradient": Case(np.array([4.0, 3.0])), "max_norm": Case(2.0)},
    "clip_by_value": {"gradient": Case(np.array([4.0, 0.5])), "max_value": Case(2.0)},
    # Optimizers
    "SGD": {
        "learning_rate": Case(0.3),
        "momentum": Case(0.5),
        "nesterov": Case(True, {"momentum": 0.9}),
        "weight_decay": Case(0.5),
    },
    "Adam": ADAM,
    "AMSGrad": ADAM,
    "AdamW": {**ADAM, "weight_decay": Case(0.5)},
    "NAdam": {**ADAM, "momentum_decay": Case(0.5)},
    "RMSprop": {"learning_rate": Case(0.3), "decay": Case(0.5), "epsilon": Case(0.1)},
    "Adagrad": {"learning_rate": Case(0.3), "epsilon": Case(0.1)},
    "Lion": {
        "learning_rate": Case(0.3),
        "beta_1": Case(0.5),
        "beta_2": Case(0.1),
        "weight_decay": Case(0.5),
    },
    # Losses
    "SquaredError": {},
    "AbsoluteError": {},
    "Huber": {"delta": Case(0.25)},
    "Quantile": {"quantiles": Case((0.1, 0.9))},
    "Poisson": {},
    "CrossEntropy": {"label_smoothing": Case(0.1)},
    "NLL": {},
    "BinaryCrossEntropy": {"label_smoothing": Case(0.1)},
    "GroupedCrossEntropy": {"sizes": Case((2, 4)), "label_smoothing": Case(0.1)},
    # Schedules
    "Constant": {},
    "Step": {"every": Case(2), "gamma": Case(0.5, {"every": 3})},
    "Exponential": {"gamma": Case(0.5)},
    "InverseScaling": {"power": Case(1.0), "rate": Case(2.0)},
    "Cosine": {"final": Case(0.1)},
    "OneCycle": {"rise": Case(0.5), "start": Case(0.5), "final": Case(0.1)},
    "WarmUp": {"epochs": Case(2), "start": Case(0.5), "then": Case(Cosine())},
    "ReduceOnPlateau": {
        "gamma": Case(0.5, {"patience": 2}),
        "patience": Case(2),
        "min_delta": Case(0.5, {"patience": 4}),
    },
    # Initializers
    "KaimingUniform": {},
    "He": {},
    "Glorot": {},
    "LeCun": {},
    "ScikitLearn": {"factor": Case(2.0)},
    "Orthogonal": {"gain": Case(2.0)},
    "Normal": {"std": Case(1.0), "bias": Case(0.5)},
    "Zeros": {},
}


def observe(owner, arguments):
    """Observe with arguments of our own: what is drawn from a generator is drawn from its start."""
    fresh = {
        name: np.random.default_rng(value.bit_generator.seed_seq)
        if isinstance(value, np.random.Generator)
        else value
        for name, value in arguments.items()
    }
    return OBSERVERS[owner][1](**fresh)


def test_every_owner_has_cases():
    assert set(OBSERVERS) == set(CASES)


@pytest.mark.parametrize("owner", list(OBSERVERS))
def test_every_parameter_has_a_case(owner):
    parameters = inspect.signature(OBSERVERS[owner][0]).parameters
    exempt = {name for of, name in WITHOUT_EFFECT if of == owner}
    assert exempt <= set(parameters), "an exemption without a parameter"
    assert set(parameters) - exempt - set(CASES[owner]) == set(), "parameters without a case"
    assert set(CASES[owner]) - set(parameters) == set(), "cases without a parameter"


@pytest.mark.parametrize(
    ("owner", "parameter"),
    [(owner, parameter) for owner, cases in CASES.items() for parameter in cases],
)
def test_changing_it_changes_what_is_observed(owner, parameter):
    case = CASES[owner][parameter]
    arguments = BASES.get(owner, {}) | case.beside
    before = observe(owner, arguments)
    # Without this, chance would pass for an effect.
    assert observe(owner, arguments) == before
    changed = arguments | {parameter: case.changed}
    assert observe(owner, changed) != before
