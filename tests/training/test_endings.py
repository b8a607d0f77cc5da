"""What a training leaves behind, however it ends."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from multilayer import Architecture
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidDataError
from multilayer.numpy import LBFGS, MLP, SGD, Adam
from multilayer.training import Callback, EarlyStopping, Metric, Progress, fit


@pytest.fixture
def regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=60)


def network(out_features=1, **settings):
    architecture = Architecture(3, (6,), out_features, **settings)
    return MLP(architecture, dtype="float64", rng=np.random.default_rng(1))


def loss_of(net, data):
    return net.loss_and_gradients(*data, loss="squared_error", training=False)[0]


@pytest.mark.parametrize("rate", [5.0, 1e3, 1e30])
def test_full_batch_divergence_leaves_nothing_worse_than_the_start(regression, rate):
    # The training loss belongs to the weights before the step: those after it must not be called
    # the best because the loss before them was.
    net = network()
    start = loss_of(net, regression)
    with pytest.raises(DivergenceError):
        fit(net, regression, loss="squared_error", optimizer=SGD(rate), n_epochs=200,
            batch_size=60)  # fmt: skip
    assert loss_of(net, regression) <= start * (1 + 1e-12)


def test_early_stopping_without_validation_restores_the_weights_of_the_least_loss(regression):
    net = network()
    history = fit(net, regression, loss="squared_error", optimizer=SGD(0.9), n_epochs=50,
                  batch_size=60, callbacks=[EarlyStopping(patience=5)])  # fmt: skip
    # One batch an epoch: the loss of epoch k is exactly that of the weights after epoch k − 1.
    least = int(np.argmin(history["train_loss"]))
    assert history.best_epoch == least
    assert loss_of(net, regression) == pytest.approx(history["train_loss"][least], rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(1e160), SGD(1e308)])
def test_a_divergence_in_the_very_last_step_is_seen(regression, optimizer):
    net = network()
    before = net.parameters.copy()
    with pytest.raises(DivergenceError):
        fit(net, regression, loss="squared_error", optimizer=optimizer, n_epochs=1, batch_size=60)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, copy.copy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_copies_of_a_network_are_whole(regression, twin_of):
    net = network(normalization="batch")
    net.set_state({name: array + 0.5 for name, array in net.state.items()})
    twin = twin_of(net)
    X = regression[0]
    np.testing.assert_array_equal(twin(X), net(X))
    before = net(X)
    twin.parameters[:] = 0
    assert (twin(X) == 0).all()  # its layers are views of its own vector
    np.testing.assert_array_equal(net(X), before)
    fit(twin, regression, loss="squared_error", n_epochs=2)


def test_lbfgs_that_starts_at_a_minimum_has_a_history():
    X = np.eye(3)
    net = MLP(Architecture(3, (), 1), dtype="float64", initializer="zeros")
    history = fit(net, (X, np.zeros(3)), loss="squared_error", optimizer="lbfgs")
    assert history.stopped_by == "converged"
    assert history["train_loss"] == [0.0]


def test_lbfgs_reports_an_infinite_loss(regression):
    net = network(output="exp")
    net.parameters[:] = 1e4
    with pytest.raises(DivergenceError):
        fit(net, (regression[0], np.ones(60)), loss="poisson", optimizer=LBFGS(), n_epochs=5)


def test_soft_labels_have_an_accuracy(regression):
    X, _ = regression
    soft = np.where(X[:, :2] > 0, 0.9, 0.1)
    history = fit(network(2), (X, soft), loss="binary_cross_entropy", optimizer=Adam(0.05),
                  validation=0.25, rng=np.random.default_rng(0))  # fmt: skip
    assert history["validation_accuracy"][-1] > 0.5


def test_a_plain_function_cannot_judge_epochs(regression):
    metrics = {"mae": mean_absolute_error}
    with pytest.raises(InvalidArgumentError) as caught:
        fit(network(), regression, loss="squared_error", validation=0.25, metrics=metrics,
            monitor="validation_mae")  # fmt: skip
    assert str(caught.value) == (
        "monitor of fit cannot be 'validation_mae': for a plain function, it is unknown whether "
        "higher is better; give multilayer.training.Metric(function, higher_is_better=…)"
    )
    told = {"mae": Metric(mean_absolute_error, higher_is_better=False)}
    history = fit(network(), regression, loss="squared_error", validation=0.25, metrics=told,
                  monitor="validation_mae", n_epochs=20)  # fmt: skip
    errors = history["validation_mae"]
    assert history.best_epoch == errors.index(min(errors)) + 1


def test_a_metric_that_fails_fails_before_the_first_step(regression):
    net = network()
    before = net.parameters.copy()

    def fail(y, prediction):
        raise ValueError("no such thing")

    with pytest.raises(InvalidArgumentError) as caught:
        fit(net, regression, loss="squared_error", validation=0.25, metrics={"mine": fail})
    assert str(caught.value) == "metric 'mine' cannot be measured: no such thing"
    np.testing.assert_array_equal(net.parameters, before)


def test_a_callback_that_fails_to_begin_is_what_is_reported(regression):
    class Fails(Callback):
        def on_train_begin(self, run):
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fit(network(), regression, loss="squared_error", callbacks=[Fails(), Progress()])


def test_a_batch_without_weight_takes_no_step(regression):
    X, y = regression
    weight = np.r_[np.ones(30), np.zeros(30)]
    net, half = network(), network()
    settings = {"loss": "squared_error", "n_epochs": 3, "batch_size": 30, "shuffle": False}
    weighted = fit(net, (X, y, weight), **settings)
    alone = fit(half, (X[:30], y[:30]), **settings)
    np.testing.assert_allclose(net.parameters, half.parameters, rtol=1e-12)
    np.testing.assert_allclose(weighted["train_loss"], alone["train_loss"], rtol=1e-12)


def test_a_validation_part_without_weight_is_refused(regression):
    X, y = regression
    held_out = (X, y, np.zeros(60))
    with pytest.raises(InvalidDataError):
        fit(network(), regression, loss="squared_error", validation=held_out)


def test_one_column_of_labels_is_split_by_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), np.r_[np.ones(10), np.zeros(90)]
    share = {"share": lambda y, prediction: np.mean(y)}
    for seed in range(4):
        history = fit(network(), (X, y), loss="binary_cross_entropy", n_epochs=1, validation=0.2,
                      metrics=share, rng=np.random.default_rng(seed))  # fmt: skip
        assert history["validation_share"] == [0.1]


@pytest.mark.parametrize(("n", "batch_size"), [(1, 32), (8, 1)])
def test_batch_normalisation_needs_two_samples(n, batch_size):
    X, y = np.ones((n, 3)), np.ones(n)
    net = network(normalization="batch")
    with pytest.raises(InvalidArgumentError) as caught:
        fit(net, (X, y), loss="squared_error", batch_size=batch_size)
    assert str(caught.value) == (
        "batch_size of fit must give batches of at least 2 samples to batch normalisation; got "
        f"{batch_size} of {n} samples"
    )
