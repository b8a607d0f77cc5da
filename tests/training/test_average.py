"""Trainings whose weights are averaged, or limited: what is validated, and what is left."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import DivergenceError
from multilayer.numpy import MLP, SGD, Adam
from multilayer.torch import MLP as TorchMLP
from multilayer.training import Callback, EarlyStopping, fit, train

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), RNG.integers(3, size=60)  # nothing to learn but noise
X_VAL, Y_VAL = RNG.normal(size=(90, 4)), RNG.integers(3, size=90)
ENGINES = pytest.mark.parametrize("engine", ["numpy", "torch"])


def network(engine, **settings):
    architecture = Architecture(4, (8, 6), 3, **settings)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(1))
    return net if engine == "numpy" else TorchMLP.from_numpy(net)


def vector(net):
    """Return all parameters of a network of either engine, as a copy."""
    return (net if isinstance(net, MLP) else net.to_numpy()).parameters.copy()


def longest(net):
    return max(np.linalg.norm(W, axis=1).max() for W, _ in net.weights if W.ndim == 2)


class Steps(Callback):
    """Keeps the weights in training after each step."""

    def __init__(self):
        self.weights, self.longest = [], []

    def on_step_end(self, run):
        self.weights.append(vector(run.net))
        self.longest.append(longest(run.net))


def trained(net, **settings):
    settings = {
        "loss": "cross_entropy", "optimizer": Adam(0.02), "n_epochs": 5, "batch_size": 15,
        "validation": (X_VAL, Y_VAL), "rng": np.random.default_rng(2),
    } | settings  # fmt: skip
    return fit(net, (X, Y), **settings)


def loss_of(net):
    net = net if isinstance(net, MLP) else net.to_numpy()
    value, _ = net.loss_and_gradients(X_VAL, Y_VAL, loss="cross_entropy", training=False)
    return value


@ENGINES
def test_the_weights_left_are_the_weighted_mean_of_those_after_each_step(engine):
    net, steps, decay = network(engine), Steps(), 0.9
    history = trained(net, ema=decay, callbacks=[steps])
    t = len(steps.weights)
    shares = (1 - decay) * decay ** np.arange(t - 1.0, -1, -1)
    shares[0] = decay ** (t - 1)  # the average begins with the weights after the first step
    assert sum(shares) == pytest.approx(1)
    np.testing.assert_allclose(vector(net), shares @ np.array(steps.weights), rtol=1e-11)
    # It is also what was validated.
    assert history["validation_loss"][-1] == pytest.approx(loss_of(net), rel=1e-12)


@ENGINES
def test_training_itself_is_as_without(engine):
    nets, steps = [network(engine) for _ in range(2)], [Steps(), Steps()]
    histories = [
        trained(net, callbacks=[own], **options)
        for net, own, options in zip(nets, steps, ({}, {"ema": 0.9}), strict=True)
    ]
    for one, other in zip(*(own.weights for own in steps), strict=True):
        np.testing.assert_array_equal(one, other)
    assert histories[0]["train_loss"] == histories[1]["train_loss"]
    assert histories[0]["validation_loss"] != histories[1]["validation_loss"]


@ENGINES
def test_after_one_step_it_is_the_weights(engine):
    net, steps = network(engine), Steps()
    trained(net, ema=0.9, n_epochs=1, batch_size=60, callbacks=[steps])
    np.testing.assert_array_equal(vector(net), steps.weights[0])


@ENGINES
@pytest.mark.parametrize("settings", [{}, {"normalization": "batch", "dropout": 0.2}], ids=str)
def test_early_stopping_restores_the_best_average(engine, settings):
    net = network(engine, **settings)
    history = trained(net, ema=0.9, n_epochs=300, callbacks=[EarlyStopping(5)])
    assert history.stopped_by == "early_stopping"
    assert history.n_epochs == history.best_epoch + 5
    assert loss_of(net) == pytest.approx(min(history["validation_loss"]), rel=1e-10)


@ENGINES
def test_a_divergence_leaves_the_best_average(engine):
    net = network(engine, activation="identity")
    with pytest.raises(DivergenceError), np.errstate(over="ignore", invalid="ignore"):
        fit(net, (X, np.eye(3)[Y]), loss="squared_error", optimizer=SGD(3.0), n_epochs=90, ema=0.9)
    assert np.isfinite(vector(net)).all()


@ENGINES
def test_a_step_that_is_not_taken_is_not_averaged(engine):
    weight = np.ones(len(X))
    weight[:15] = 0  # of a batch
    data, steps = (X, Y, weight), Steps()
    net = network(engine)
    fit(net, data, loss="cross_entropy", optimizer=SGD(0.1), batch_size=15, shuffle=False,
        n_epochs=1, ema=0.5, callbacks=[steps])  # fmt: skip
    if engine == "numpy":  # PyTorch's takes a step of gradient 0
        steps.weights.pop(0)
    average = steps.weights[0]
    for weights in steps.weights[1:]:
        average = 0.5 * average + 0.5 * weights
    np.testing.assert_allclose(vector(net), average, rtol=1e-12)


@ENGINES
def test_a_trainer_goes_on_from_what_it_left(engine):
    net = network(engine)
    trainer = net.trainer(loss="cross_entropy", optimizer=Adam(0.02), ema=0.9)
    for _ in range(2):
        history = train(trainer, (X, Y), n_epochs=2, validation=(X_VAL, Y_VAL))
        assert history["validation_loss"][-1] == pytest.approx(loss_of(net), rel=1e-12)


@ENGINES
def test_an_average_begins_again_from_the_weights_that_are_restored(engine):
    net = network(engine, normalization="batch")
    trainer = net.trainer(loss="cross_entropy", optimizer=Adam(0.05), ema=0.5)
    data = trainer.check(X_VAL, Y_VAL, None)
    history = train(
        trainer, (X, Y), n_epochs=30, validation=(X_VAL, Y_VAL), callbacks=[EarlyStopping(2)]
    )
    assert history.best_epoch < history.n_epochs
    best = vector(net)
    assert trainer.evaluate(data)[0] == pytest.approx(loss_of(net), rel=1e-12)
    assert trainer.evaluate(data)[0] == pytest.approx(min(history["validation_loss"]), rel=1e-12)

    class AtOnce(Callback):
        def on_train_begin(self, run):
            raise KeyboardInterrupt

    train(trainer, (X, Y), n_epochs=1, validation=(X_VAL, Y_VAL), callbacks=[AtOnce()])
    assert np.array_equal(vector(net), best)


@ENGINES
def test_a_training_after_one_that_diverged_is_not_spoiled_by_its_average(engine):
    net, one_hot = network(engine, activation="identity"), np.eye(3)
    trainer = net.trainer(loss="squared_error", optimizer=SGD(3.0), ema=0.9)
    with pytest.raises(DivergenceError), np.errstate(over="ignore", invalid="ignore"):
        train(trainer, (X, one_hot[Y]), n_epochs=90)
    trainer.learning_rate = 1e-3
    history = train(trainer, (X, one_hot[Y]), n_epochs=2, validation=(X_VAL, one_hot[Y_VAL]))
    assert np.isfinite(history["validation_loss"]).all()


@ENGINES
@pytest.mark.parametrize(
    "settings", [{}, {"normalization": "batch"}, {"normalization": "layer", "bias": False}], ids=str
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_after_each_step_no_row_is_longer_than_the_limit(engine, settings, dtype):
    kind = MLP if engine == "numpy" else TorchMLP
    net, steps = kind(Architecture(4, (8, 6), 3, **settings), dtype=dtype), Steps()
    trained(net, max_norm=0.7, optimizer=SGD(0.3, 0.9), ema=0.9, callbacks=[steps])
    # A factor and a product, each rounded once, and the norm's own sum.
    tolerance = 1 + 16 * np.finfo(dtype).eps
    assert 0.69 < max(steps.longest) <= 0.7 * tolerance
    assert longest(net) <= 0.7 * tolerance  # a mean of short vectors is short
