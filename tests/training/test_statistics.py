"""Statistics of the layers while training: against the weights themselves, and planted faults."""

import json

import numpy as np
import pytest

from multilayer import Architecture, MLPClassifier
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.numpy import LBFGS, MLP, SGD, observe
from multilayer.torch import MLP as TorchMLP
from multilayer.training import Callback, Checkpoint, LayerStatistics, fit
from multilayer.training.statistics import STATISTICS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
ARCHITECTURE = Architecture(3, (8, 5), 2, normalization="layer")


def network(engine, dtype="float64"):
    net = MLP(ARCHITECTURE, dtype=dtype, rng=np.random.default_rng(1))
    return net if engine == "numpy" else TorchMLP.from_numpy(net)


def train(net, watch, *, n_epochs=4, **settings):
    settings = {"optimizer": SGD(learning_rate=0.1), "batch_size": 20, "l2": 0.01} | settings
    rng = np.random.default_rng(2)
    fit(net, (X, Y), loss="cross_entropy", n_epochs=n_epochs, callbacks=watch, rng=rng, **settings)
    return net


class Weights(Callback):
    """Keeps the weights after each step."""

    def on_train_begin(self, run):
        self.kept = [[np.array(W) for W, _ in run.net.weights if W.ndim == 2]]

    def on_step_end(self, run):
        self.kept.append([np.array(W) for W, _ in run.net.weights if W.ndim == 2])


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_behind_embeddings_its_weights_are_those_of_the_affine_layer(engine):
    embeddings = Embeddings([(0, 2)], [(1, 2)], width=3)
    net = MLP(Architecture(3, (8,), 2, embeddings=embeddings), rng=np.random.default_rng(1))
    before = [W.copy() for W, _ in net.weights[1:]]
    net = net if engine == "numpy" else TorchMLP.from_numpy(net)
    watch = LayerStatistics(X, Y, every=100)
    train(net, watch, n_epochs=1, batch_size=60)
    assert watch.n_weights == (7 * 8, 8 * 2)
    expected = [
        np.linalg.norm(after - first) / np.linalg.norm(first)
        for first, (after, _) in zip(before, net.weights[1:], strict=True)
    ]
    np.testing.assert_allclose(watch["update_ratio"][0], expected, rtol=1e-4)  # float32


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_it_looks_every_so_often_and_measures_the_updates_that_are_made(engine):
    watch, weights = LayerStatistics(X, Y, every=5), Weights()
    train(network(engine), [watch, weights])
    assert watch.steps == [1, 5, 10]
    assert watch.layers == ("hidden 1", "hidden 2", "output")
    expected = [
        [
            np.linalg.norm(after - before) / np.linalg.norm(before)
            for before, after in zip(weights.kept[step - 1], weights.kept[step], strict=True)
        ]
        for step in watch.steps
    ]
    np.testing.assert_allclose(watch["update_ratio"], expected, rtol=1e-12)
    for name in STATISTICS:
        assert watch[name].shape[:2] == (3, 3)
        assert np.isfinite(watch[name]).all()


def test_the_engines_record_the_same():
    watches = {}
    for engine in ("numpy", "torch"):
        watches[engine] = LayerStatistics(X, Y, every=3)
        train(network(engine), [watches[engine]])
    for name in STATISTICS:  # parity of the engines over 12 steps, in float64
        np.testing.assert_allclose(
            watches["numpy"][name], watches["torch"][name], rtol=1e-9, atol=1e-12
        )


def test_the_last_record_describes_the_network_as_it_ends():
    watch = LayerStatistics(X, Y, every=12)
    net = train(network("numpy"), [watch])
    layers = observe(net, X, Y, loss="cross_entropy")
    for i, layer in enumerate(layers):
        assert watch["activation_mean"][-1, i] == pytest.approx(np.mean(layer.a))
        assert watch["activation_std"][-1, i] == pytest.approx(np.std(layer.a))
        assert watch["activations"][-1, i, 2] == pytest.approx(np.median(layer.a))
        assert watch["gradients"][-1, i, 4] == pytest.approx(np.percentile(abs(layer.da), 95))
        assert watch["gradient_norm"][-1, i] == pytest.approx(np.sqrt((layer.dW**2).sum()))


def test_planted_dead_units_are_counted():
    net = MLP(Architecture(3, (8,), 2), rng=np.random.default_rng(1))
    net.weights[0][0][:2], net.weights[0][1][:2] = 0, -1  # two of eight never speak
    watch = LayerStatistics(X, Y, every=1)
    train(net, [watch], n_epochs=1, l2=0.0)
    assert watch["dead"][:, 0] == pytest.approx(0.25)
    assert (watch["zeros"][:, 0] > 0.25).all()
    assert (watch["dead"][:, 1] == 0).all()


def test_an_iteration_of_lbfgs_is_a_step():
    watch = LayerStatistics(X, Y, every=2)
    train(network("numpy"), [watch], n_epochs=5, optimizer=LBFGS(), batch_size=None)
    assert watch.steps == [1, 2, 4]
    assert (watch["update_ratio"] > 0).all()


def test_an_estimator_takes_it():
    watch = LayerStatistics(X, Y, every=2)
    clf = MLPClassifier(
        (4,), max_iter=9, callbacks=watch, random_state=0, tol=1, n_iter_no_change=3
    )
    clf.fit(X, Y)
    assert watch.steps == [1, 2, 4]


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("killed_after", [4, 6])
def test_a_training_that_goes_on_records_what_one_that_was_not_killed_does(
    tmp_path, killed_after, engine
):
    class Kill(Callback):
        def on_step_end(self, run):  # before the checkpoint of this step is written
            if (run.epoch - 1) * run.n_steps + run.step == killed_after + 1:
                raise RuntimeError

    whole = LayerStatistics(X, Y, every=5)
    train(network(engine, "float32"), [whole])
    first = LayerStatistics(X, Y, every=5)
    keep = {"checkpoint": Checkpoint(tmp_path, seconds=0)}
    with pytest.raises(RuntimeError):
        train(network(engine, "float32"), [first, Kill()], **keep)
    again = LayerStatistics(X, Y, every=5)
    train(network(engine, "float32"), [again], resume=True, **keep)
    assert again.steps == whole.steps
    for name in STATISTICS:
        np.testing.assert_array_equal(again[name], whole[name])


def test_what_a_checkpoint_holds_of_it_does_not_grow_with_the_network():
    watches = LayerStatistics(X, Y, every=1), LayerStatistics(X, Y, every=1)
    for width, watch in zip((4, 64), watches, strict=True):
        net = MLP(Architecture(3, (width, width), 2), rng=np.random.default_rng(1))
        train(net, [watch], n_epochs=1)
    small, large = (len(json.dumps(watch.state())) for watch in watches)
    assert large < 1.5 * small  # the same statistics, of a hundred times as many weights


def test_wrong_arguments_are_named():
    with pytest.raises(InvalidArgumentError) as caught:
        LayerStatistics(X, Y, every=0)
    assert str(caught.value) == "every of LayerStatistics must be a positive integer; got 0"
    with pytest.raises(UnknownNameError, match="did you mean 'gradients'"):
        LayerStatistics(X, Y)["gradientes"]
    with pytest.raises(InvalidDataError):
        train(network("numpy"), [LayerStatistics(X[:, :2], Y)])
