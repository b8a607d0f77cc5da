"""The training loop: what it does with data, epochs, validation and endings."""

import math
import os
import signal

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import DivergenceError, InvalidDataError
from multilayer.numpy import LBFGS, MLP, SGD, Adam, ReduceOnPlateau
from multilayer.training import Callback, EarlyStopping, History, Run, fit


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def blobs(rng):
    """Three Gaussian classes in the plane."""
    y = rng.integers(3, size=150)
    centres = np.array([[0, 0], [4, 0], [0, 4]])
    return centres[y] + rng.normal(size=(150, 2)), y


def network(out_features=3, dtype="float32", **settings):
    architecture = Architecture(2, (8,), out_features, **settings)
    return MLP(architecture, dtype=dtype, rng=np.random.default_rng(1))


class Recorder(Callback):
    """Writes down which hooks are called, in order."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, run):
        self.calls.append("begin")

    def on_step_end(self, run):
        self.calls.append(f"step {run.epoch}.{run.step}")

    def on_epoch_end(self, run):
        self.calls.append(f"epoch {run.epoch}")

    def on_train_end(self, run):
        self.calls.append(f"end: {run.stopped_by}")


class At(Callback):
    """Calls a function after a given epoch."""

    def __init__(self, epoch, function):
        self.epoch = epoch
        self.function = function

    def on_epoch_end(self, run):
        if run.epoch == self.epoch:
            self.function(run)


def test_learns_blobs(blobs, rng):
    X, y = blobs
    net = network()
    history = fit(
        net,
        (X, y),
        loss="cross_entropy",
        optimizer=Adam(0.01),
        n_epochs=30,
        validation=0.2,
        rng=rng,
    )
    assert (net(X).argmax(axis=1) == y).mean() > 0.95
    assert history["train_loss"][-1] < 0.2 * history["train_loss"][0]
    assert set(history) == {
        "train_loss",
        "learning_rate",
        "validation_loss",
        "validation_accuracy",
        "seconds",
    }
    assert history.stopped_by == "n_epochs"
    assert history.n_epochs == 30


def test_same_seed_gives_same_bits(blobs):
    def train(seed):
        net = network(dropout=0.3, normalization="batch")
        generator = np.random.default_rng(seed)
        history = fit(
            net,
            blobs,
            loss="cross_entropy",
            n_epochs=5,
            validation=0.2,
            schedule="cosine",
            rng=generator,
        )
        return net.parameters.tobytes(), history["train_loss"], history["validation_loss"]

    assert train(0) == train(0)
    assert train(0)[0] != train(1)[0]


def test_global_seed_is_neither_read_nor_set(blobs):
    def train(global_seed):
        np.random.seed(global_seed)  # noqa: NPY002
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        net = network()
        fit(
            net,
            blobs,
            loss="cross_entropy",
            n_epochs=2,
            validation=0.2,
            rng=np.random.default_rng(0),
        )
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
        return net.parameters.tobytes()

    assert train(1) == train(2)


def test_hooks_are_called_in_order_with_the_last_short_batch(blobs, rng):
    recorder = Recorder()
    fit(
        network(),
        blobs,
        loss="cross_entropy",
        n_epochs=2,
        batch_size=60,
        callbacks=[recorder],
        rng=rng,
    )
    steps = [[f"step {epoch}.{step}" for step in (1, 2, 3)] for epoch in (1, 2)]
    assert recorder.calls == [
        "begin",
        *steps[0],
        "epoch 1",
        *steps[1],
        "epoch 2",
        "end: n_epochs",
    ]


def test_train_loss_is_the_mean_over_samples_of_what_each_batch_had(rng):
    # With a learning rate of next to nothing the weights stay, so the epoch's mean over unequal
    # batches must be the loss of the whole data.
    X, y = rng.normal(size=(10, 2)), rng.normal(size=10)
    net = network(out_features=1, dtype="float64")
    whole, _ = net.loss_and_gradients(X, y, loss="squared_error", l2=0.1)
    history = fit(
        net,
        (X, y),
        loss="squared_error",
        optimizer=SGD(1e-300),
        n_epochs=1,
        batch_size=4,
        l2=0.1,
        rng=rng,
    )
    assert history["train_loss"][0] == pytest.approx(whole, rel=1e-12)


def test_validation_samples_are_not_trained_on(blobs, rng):
    X, y = blobs
    held_out = (X + 1000, (y + 1) % 3)  # would wreck the network if it were trained on
    net, other = network(), network()
    fit(
        net,
        blobs,
        loss="cross_entropy",
        n_epochs=3,
        validation=held_out,
        rng=np.random.default_rng(0),
    )
    fit(other, blobs, loss="cross_entropy", n_epochs=3, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(net.parameters, other.parameters)


def test_validation_loss_leaves_dropout_and_penalty_out(blobs, rng):
    net = network(dropout=0.5)
    history = fit(net, blobs, loss="cross_entropy", n_epochs=2, validation=blobs, l2=1.0, rng=rng)
    alone, _ = net.loss_and_gradients(*blobs, loss="cross_entropy", training=False)
    assert history["validation_loss"][-1] == pytest.approx(alone, rel=1e-5)  # float32 sums


def test_early_stopping_stops_and_restores_the_best_weights(rng):
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)  # nothing to learn but noise
    X_val, y_val = rng.normal(size=(200, 2)), rng.integers(2, size=200)
    net = network(out_features=2)
    history = fit(
        net,
        (X, y),
        loss="cross_entropy",
        optimizer=Adam(0.05),
        n_epochs=500,
        validation=(X_val, y_val),
        callbacks=[EarlyStopping(patience=7)],
        rng=rng,
    )
    losses = history["validation_loss"]
    assert history.stopped_by == "early_stopping"
    assert history.best_epoch == int(np.argmin(losses)) + 1
    assert history.n_epochs == history.best_epoch + 7
    restored, _ = net.loss_and_gradients(X_val, y_val, loss="cross_entropy", training=False)
    assert restored == pytest.approx(min(losses), rel=1e-6)


def test_early_stopping_can_watch_a_metric_that_grows(blobs, rng):
    history = fit(
        network(),
        blobs,
        loss="cross_entropy",
        n_epochs=50,
        validation=0.3,
        monitor="validation_accuracy",
        callbacks=[EarlyStopping(patience=3)],
        rng=rng,
    )
    best = max(history["validation_accuracy"])
    assert history["validation_accuracy"][history.best_epoch - 1] == best
    assert history.best_epoch == history["validation_accuracy"].index(best) + 1


def test_without_early_stopping_the_last_weights_stay(rng):
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    held_out = (rng.normal(size=(200, 2)), rng.integers(2, size=200))
    net = network(out_features=2)
    history = fit(
        net,
        (X, y),
        loss="cross_entropy",
        optimizer=Adam(0.05),
        n_epochs=100,
        validation=held_out,
        rng=rng,
    )
    last, _ = net.loss_and_gradients(*held_out, loss="cross_entropy", training=False)
    assert last == pytest.approx(history["validation_loss"][-1], rel=1e-6)
    assert history.best_epoch < history.n_epochs


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_returns_what_was_trained_so_far(blobs, rng):
    recorder = Recorder()
    interrupt = At(3, lambda run: os.kill(os.getpid(), signal.SIGINT))
    net = network()
    history = fit(
        net, blobs, loss="cross_entropy", n_epochs=100, callbacks=[interrupt, recorder], rng=rng
    )
    assert history.stopped_by == "interrupt"
    assert 3 <= history.n_epochs < 100
    assert np.isfinite(net.parameters).all()
    assert recorder.calls[-1] == "end: interrupt"


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_with_early_stopping_restores_the_best_weights(rng):
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    held_out = (rng.normal(size=(200, 2)), rng.integers(2, size=200))
    net = network(out_features=2)
    interrupt = At(60, lambda run: os.kill(os.getpid(), signal.SIGINT))
    history = fit(
        net,
        (X, y),
        loss="cross_entropy",
        optimizer=Adam(0.05),
        n_epochs=100,
        validation=held_out,
        callbacks=[EarlyStopping(patience=100), interrupt],
        rng=rng,
    )
    restored, _ = net.loss_and_gradients(*held_out, loss="cross_entropy", training=False)
    assert history.stopped_by == "interrupt"
    assert restored == pytest.approx(min(history["validation_loss"]), rel=1e-6)


def test_divergence_names_the_place_and_leaves_the_best_weights(blobs, rng):
    X, y = blobs
    net = network(out_features=1, activation="identity")
    recorder = Recorder()
    with pytest.raises(DivergenceError) as caught:
        fit(
            net,
            (X, y.astype(float)),
            loss="squared_error",
            optimizer=SGD(5.0),
            n_epochs=50,
            callbacks=[recorder],
            rng=rng,
        )
    error = caught.value
    assert isinstance(error, ArithmeticError)
    assert str(error) == (
        f"train_loss became {'nan' if 'nan' in str(error) else 'inf'} in epoch {error.epoch}, step "
        f"{error.step} (learning rate 5). Try a smaller learning rate, clip_norm=1, or inputs "
        "scaled to zero mean and unit variance"
    )
    assert error.learning_rate == 5.0
    assert np.isfinite(net.parameters).all()
    assert recorder.calls[-1] == "end: divergence"


def test_divergence_in_the_first_epoch_leaves_the_initial_weights(rng):
    X = rng.normal(size=(64, 2)) * 1e3
    net = network(out_features=1, activation="identity")
    before = net.parameters.copy()
    with pytest.raises(DivergenceError) as caught:
        fit(
            net,
            (X, X[:, 0]),
            loss="squared_error",
            optimizer=SGD(1.0),
            n_epochs=5,
            batch_size=1,
            rng=rng,
        )
    assert caught.value.epoch == 1
    np.testing.assert_array_equal(net.parameters, before)


def test_an_error_in_a_callback_comes_through(blobs, rng):
    def fail(run):
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        fit(network(), blobs, loss="cross_entropy", callbacks=[At(1, fail)], rng=rng)


def test_a_callback_can_stop_in_the_middle_of_an_epoch(blobs, rng):
    class AfterFiveSteps(Callback):
        def on_step_end(self, run):
            if (run.epoch - 1) * run.n_steps + run.step == 5:
                run.stop("enough")

    history = fit(
        network(),
        blobs,
        loss="cross_entropy",
        n_epochs=9,
        batch_size=50,
        callbacks=[AfterFiveSteps()],
        rng=rng,
    )
    assert history.stopped_by == "enough"
    assert history.n_epochs == 2


def test_stratified_split_keeps_the_shares_of_classes(rng):
    seen = {}

    class Look(Callback):
        def on_train_begin(self, run):
            seen["n"] = run.n_steps

    y = np.repeat([0, 1], [90, 10])
    X = rng.normal(size=(100, 2))
    metrics = {"share": lambda y, prediction: np.mean(y)}
    history = fit(
        network(2),
        (X, y),
        loss="cross_entropy",
        n_epochs=1,
        batch_size=1,
        validation=0.2,
        metrics=metrics,
        callbacks=[Look()],
        rng=rng,
    )
    assert history["validation_share"] == [0.1]
    assert seen["n"] == 80


def test_sample_weights_of_zero_take_samples_out(blobs):
    X, y = blobs
    weight = np.where(y == 2, 0.0, 1.0)
    net = network()
    fit(
        net,
        (X, y, weight),
        loss="cross_entropy",
        optimizer=Adam(0.01),
        n_epochs=40,
        rng=np.random.default_rng(0),
    )
    assert (net(X).argmax(axis=1) != 2).all()


def test_lbfgs_takes_epochs_as_iterations_and_converges(blobs, rng):
    X, y = blobs
    net = network(dtype="float64")
    history = fit(
        net,
        (X, y),
        loss="cross_entropy",
        optimizer="lbfgs",
        n_epochs=500,
        l2=0.1,
        validation=0.2,
        rng=rng,
    )
    assert history.stopped_by == "converged"
    assert history.n_epochs < 500
    assert "learning_rate" not in history
    assert (np.diff(history["train_loss"]) <= 0).all()


def test_lbfgs_stops_early_and_at_the_last_iteration(blobs, rng):
    early = fit(
        network(),
        blobs,
        loss="cross_entropy",
        optimizer="lbfgs",
        n_epochs=300,
        validation=0.3,
        callbacks=[EarlyStopping(patience=3)],
        rng=rng,
    )
    assert early.stopped_by == "early_stopping"
    short = fit(network(), blobs, loss="cross_entropy", optimizer=LBFGS(), n_epochs=4, rng=rng)
    assert (short.stopped_by, short.n_epochs) == ("n_epochs", 4)
    few = fit(
        network(),
        blobs,
        loss="cross_entropy",
        optimizer=LBFGS(max_evaluations=5),
        n_epochs=300,
        rng=rng,
    )
    assert few.stopped_by == "max_evaluations"


def test_lbfgs_updates_running_statistics(blobs, rng):
    net = network(normalization="batch")
    before = {name: array.copy() for name, array in net.state.items()}
    fit(net, blobs, loss="cross_entropy", optimizer="lbfgs", n_epochs=5, rng=rng)
    assert all((net.state[name] != before[name]).all() for name in before)


def test_schedule_sets_the_learning_rate(blobs, rng):
    history = fit(
        network(),
        blobs,
        loss="cross_entropy",
        optimizer=SGD(0.1),
        n_epochs=4,
        batch_size=150,
        schedule="cosine",
        rng=rng,
    )
    # One step an epoch, at t = 0, 1, 2, 3 of T = 4: (1 + cos(π t/4))/2.
    expected = [0.1 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-12)


def test_reduce_on_plateau_watches_the_validation_loss(rng):
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    held_out = (rng.normal(size=(100, 2)), rng.integers(2, size=100))
    history = fit(
        network(2),
        (X, y),
        loss="cross_entropy",
        optimizer=Adam(0.05),
        n_epochs=60,
        validation=held_out,
        schedule=ReduceOnPlateau(gamma=0.5, patience=5),
        rng=rng,
    )
    rates = np.array(history["learning_rate"])
    assert rates[0] == 0.05
    assert rates[-1] < 0.05
    assert set(np.round(np.log2(0.05 / rates), 9)) == set(range(int(np.log2(0.05 / rates[-1])) + 1))


def test_batch_norm_never_sees_a_batch_of_one(rng):
    X, y = rng.normal(size=(33, 2)), rng.normal(size=33)
    sizes = []

    class Sizes(Callback):
        def on_train_begin(self, run):
            sizes.append(run.n_steps)

    net = network(1, normalization="batch")
    fit(net, (X, y), loss="squared_error", n_epochs=2, batch_size=16, callbacks=[Sizes()], rng=rng)
    assert sizes == [2]
    assert np.isfinite(net.parameters).all()


def test_inputs_are_not_changed(blobs, rng):
    X, y = blobs
    weight = np.ones(len(y))
    copies = [a.copy() for a in (X, y, weight)]
    for array in (X, y, weight):
        array.setflags(write=False)
    fit(network(), (X, y, weight), loss="cross_entropy", n_epochs=2, rng=rng)
    for array, copy in zip((X, y, weight), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_class_of_one_cannot_be_split(rng):
    X, y = rng.normal(size=(20, 2)), np.array([0] * 19 + [1])
    with pytest.raises(InvalidDataError) as caught:
        fit(network(2), (X, y), loss="cross_entropy", validation=0.2, rng=rng)
    assert str(caught.value) == (
        "a stratified validation split needs at least 2 samples of every class; class 1 has 1"
    )


def test_run_shows_callbacks_what_is_going_on(blobs, rng):
    seen: list[Run] = []
    net = network()
    fit(
        net,
        blobs,
        loss="cross_entropy",
        n_epochs=2,
        batch_size=50,
        callbacks=[At(2, seen.append)],
        rng=rng,
    )
    (run,) = seen
    assert run.net is net
    assert isinstance(run.history, History)
    assert (run.epoch, run.n_epochs, run.step, run.n_steps) == (2, 2, 3, 3)
    assert (run.monitor, run.learning_rate) == ("train_loss", 1e-3)
