"""Records of trainings: against the history, and against what the layers do in the end."""

import json
import pickle
import warnings

import numpy as np
import pytest

from multilayer import Architecture, MLPClassifier
from multilayer.data import Stream
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy import LBFGS, LOSSES, MLP, SGD, Ensemble, observe
from multilayer.torch import MLP as TorchMLP
from multilayer.training import Callback, Checkpoint, EarlyStopping, LayerStatistics, Recorder, fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def network(engine="numpy", **settings):
    architecture = Architecture(3, (8, 5), 2, **settings)
    net = MLP(architecture, dtype="float64", rng=np.random.default_rng(1))
    return net if engine == "numpy" else TorchMLP.from_numpy(net)


def train(net, callbacks, *, n_epochs=4, **settings):
    settings = {"optimizer": SGD(learning_rate=0.1), "batch_size": 20} | settings
    rng = np.random.default_rng(2)
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    return fit(
        net,
        (X, Y),
        loss="cross_entropy",
        n_epochs=n_epochs,
        callbacks=callbacks,
        rng=rng,
        **settings,
    )


def lines_of(folder, n=1):
    text = (folder / f"record-{n}.jsonl").read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def curves_of(lines):
    """The metrics of each epoch, by name."""
    rows = {line["epoch"]: line["metrics"] for line in lines if "metrics" in line}
    assert list(rows) == sorted(rows)
    return {name: [row[name] for row in rows.values()] for name in rows[1]}


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_it_holds_the_history_and_how_it_ended(tmp_path, engine):
    history = train(network(engine), Recorder(tmp_path / "deep" / "a"), validation=(X, Y))
    first, *lines, last = lines_of(tmp_path / "deep" / "a")
    assert curves_of(lines) == dict(history)
    assert (last["stopped_by"], last["n_complete"]) == ("n_epochs", 4)
    assert last["best_epoch"] == history.best_epoch
    assert first["widths"] == [3, 8, 5, 2]
    assert first["activations"] == ["relu", "relu"]
    assert first["engine"] == engine
    assert first["optimizer"]["learning_rate"] == 0.1
    assert (first["n_epochs"], first["n_steps"], first["n_samples"]) == (4, 3, 60)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_the_layers_are_those_of_the_network_as_it_ends(tmp_path, engine):
    net = network(engine)
    watch = LayerStatistics(X, Y, every=12)
    train(net, [watch, Recorder(tmp_path)])
    last = [line for line in lines_of(tmp_path) if "layers" in line][-1]
    assert last["epoch"] == 4
    twin = net if engine == "numpy" else net.to_numpy()
    for i, layer in enumerate(observe(twin, X, Y, loss="cross_entropy")):
        expected = {
            "activation_mean": layer.a.mean(),
            "activation_std": layer.a.std(),
            "weight_norm": np.sqrt((layer.W**2).sum()),
            "gradient_norm": np.sqrt((layer.dW**2).sum()),
            "update_ratio": watch["update_ratio"][-1, i],  # tested against the weights themselves
        }
        for name, value in expected.items():
            assert last["layers"][name][i] == pytest.approx(value), name


@pytest.mark.parametrize(
    "settings", [{"optimizer": LBFGS(), "batch_size": None}, {"batch_size": 60}]
)
def test_an_epoch_of_one_step_has_its_update_too(tmp_path, settings):
    watch = LayerStatistics(X, Y, every=1)
    train(network(), [watch, Recorder(tmp_path)], **settings)
    for line in lines_of(tmp_path):
        if "layers" in line:
            expected = watch["update_ratio"][line["epoch"] - 1]
            np.testing.assert_allclose(line["layers"]["update_ratio"], expected)


@pytest.mark.parametrize(("activation", "measure"), [("relu", "dead"), ("tanh", "saturated")])
def test_planted_units_that_do_not_respond_are_counted(tmp_path, activation, measure):
    net = network(activation=activation)
    net.weights[0][0][:2], net.weights[0][1][:2] = 0, -9  # two of eight
    train(net, Recorder(tmp_path), n_epochs=1)
    (found,) = [line["layers"] for line in lines_of(tmp_path) if "layers" in line]
    assert found[measure][0] == pytest.approx(0.25)
    other = {"dead": "saturated", "saturated": "dead"}[measure]
    assert found[other] == [0, 0, 0]


def test_of_an_ensemble_there_are_quantiles_over_the_members_still_in_training(tmp_path):
    ensemble = Ensemble(Architecture(3, (8,), 2), 5, rng=np.random.default_rng(0))
    stop = EarlyStopping(patience=1)
    histories = train(ensemble, [stop, Recorder(tmp_path)], validation=(X[:20], Y[:20]), n_epochs=9,
                      optimizer=SGD(learning_rate=1.0))  # fmt: skip
    lines = lines_of(tmp_path)
    for line in lines:
        if "metrics" not in line:
            continue
        losses = [h["validation_loss"][line["epoch"] - 1] for h in histories
                  if h.n_epochs >= line["epoch"]]  # fmt: skip
        expected = np.quantile(losses, [0.1, 0.5, 0.9]) if len(losses) > 1 else losses[0]
        np.testing.assert_allclose(line["metrics"]["validation_loss"], expected)
    assert lines[0]["n_members"] == 5
    assert not any("layers" in line for line in lines)
    assert sum(lines[-1]["members"].values()) == 5


class Stop(Callback):
    """Ends a training in the middle of an epoch."""

    def __init__(self, at):
        self.at = at

    def on_step_end(self, run):
        if (run.epoch, run.step) == self.at:
            raise RuntimeError("the power failed")


def test_a_resumed_training_goes_on_in_the_same_file_and_holds_each_epoch_once(tmp_path):
    kept = {"checkpoint": Checkpoint(tmp_path / "checkpoint", seconds=0), "resume": True}
    folder = tmp_path / "run"
    with pytest.raises(RuntimeError, match="power"):
        train(network(), [Recorder(folder), Stop((3, 2))], n_epochs=5, **kept)
    assert lines_of(folder)[-1]["error"] == "the power failed"
    with (folder / "record-1.jsonl").open("a") as file:
        file.write('{"metrics": {"train_l')  # as if it had been killed
    history = train(network(), [Recorder(folder)], n_epochs=5, **kept)
    lines = (folder / "record-1.jsonl").read_text().splitlines()
    begun = [i for i, line in enumerate(lines) if line.startswith('{"format"')]
    assert len(begun) == 2
    after = [json.loads(line) for line in lines[begun[1] :]]
    assert after[0]["n_complete"] < 3
    assert curves_of(after) == dict(history)
    assert lines[begun[1] - 1] == '{"metrics": {"train_l'
    assert not (folder / "record-2.jsonl").exists()


def test_a_resumed_training_does_not_go_on_in_the_record_of_another(tmp_path):
    kept = {"checkpoint": Checkpoint(tmp_path / "checkpoint", seconds=0), "resume": True}
    train(network(), Recorder(tmp_path / "b"), batch_size=30)
    before = (tmp_path / "b" / "record-1.jsonl").read_text()
    with pytest.raises(RuntimeError, match="power"):
        train(network(), [Recorder(tmp_path / "a"), Stop((3, 2))], n_epochs=5, **kept)
    history = train(network(), [Recorder(tmp_path / "b")], n_epochs=5, **kept)
    assert (tmp_path / "b" / "record-1.jsonl").read_text() == before
    assert curves_of(lines_of(tmp_path / "b", 2)) == dict(history)


def test_another_training_has_a_file_of_its_own(tmp_path):
    for _ in range(2):
        train(network(), Recorder(tmp_path))
    assert len(curves_of(lines_of(tmp_path, 2))["train_loss"]) == 4
    assert lines_of(tmp_path, 1)[-1]["stopped_by"] == "n_epochs"


def test_a_divergence_is_told(tmp_path):
    with pytest.raises(DivergenceError) as caught, np.errstate(all="ignore"):
        train(network(), Recorder(tmp_path), optimizer=SGD(learning_rate=1e250))
    last = lines_of(tmp_path)[-1]
    assert (last["stopped_by"], last["error"]) == ("divergence", str(caught.value))


def test_a_training_goes_on_if_its_folder_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    alone = train(network(), [])
    with pytest.warns(UserWarning, match="cannot be recorded in .*: not a directory") as warned:
        history = train(network(), Recorder(tmp_path / "file" / "a"))
    assert len(warned) == 1
    assert history["train_loss"] == alone["train_loss"]


def test_a_full_disk_is_a_warning_once(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path)

    class Fill(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                (tmp_path / "record-1.jsonl").unlink()
                (tmp_path / "record-1.jsonl").symlink_to("/dev/full")
            recorder._under_way.file._next = 0.0  # write now

    with pytest.warns(UserWarning, match="no space left on device") as warned:
        history = train(network(), [Fill(), recorder])
    assert len(warned) == 1
    assert history.n_epochs == 4


def test_it_changes_nothing_of_the_training(tmp_path):
    with_it, without = network(dropout=0.3), network(dropout=0.3)
    train(with_it, Recorder(tmp_path))
    train(without, [])
    np.testing.assert_array_equal(with_it.parameters, without.parameters)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_layers_are_observed_with_any_loss(tmp_path, loss):
    outputs = LOSSES[loss]().outputs
    width = 1 if loss == "quantile" else 2
    net = MLP(
        Architecture(3, (4,), width, output=next(iter(outputs))), rng=np.random.default_rng(0)
    )
    y = Y if loss in ("cross_entropy", "nll", "grouped_cross_entropy") else np.eye(2)[Y][:, :width]
    fit(net, (X, y), loss=loss, n_epochs=1, callbacks=[Recorder(tmp_path)], rng=RNG)
    assert any("layers" in line for line in lines_of(tmp_path))


def test_a_stream_is_observed_too(tmp_path):
    stream = Stream.write(tmp_path / "stream", [(X, Y)])
    fit(network(), stream, loss="cross_entropy", n_epochs=2, callbacks=[Recorder(tmp_path)])
    assert any("layers" in line for line in lines_of(tmp_path))


def test_a_network_that_cannot_be_observed_is_trained_all_the_same(tmp_path):
    class Own(TorchMLP):
        def to_numpy(self):
            raise NotImplementedError

    net = Own(Architecture(3, (8,), 2), rng=np.random.default_rng(0))
    train(net, Recorder(tmp_path))
    first, *lines = lines_of(tmp_path)
    assert first["layer_names"] == []
    assert not any("layers" in line for line in lines)


def test_a_network_that_can_no_longer_be_observed_is_trained_to_the_end(tmp_path):
    class Own(TorchMLP):
        n_looks = 0

        def to_numpy(self):
            self.n_looks += 1
            if self.n_looks > 1:
                raise NotImplementedError
            return super().to_numpy()

    history = train(Own(Architecture(3, (8,), 2), rng=np.random.default_rng(0)), Recorder(tmp_path))
    first, *lines = lines_of(tmp_path)
    assert len(first["layer_names"]) == 2
    assert sum("metrics" in line for line in lines) == history.n_epochs
    assert not any("layers" in line for line in lines)


def test_an_estimator_takes_it_and_can_be_pickled(tmp_path):
    clf = MLPClassifier((4,), max_iter=3, tol=1e-9, callbacks=Recorder(tmp_path), random_state=0)
    with warnings.catch_warnings(action="ignore"):
        clf.fit(X, Y)
    assert curves_of(lines_of(tmp_path))["train_loss"] == clf.history_["train_loss"]
    assert repr(pickle.loads(pickle.dumps(clf)).callbacks) == f"Recorder({str(tmp_path)!r})"


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError) as caught:
        Recorder(tmp_path / "file")
    says = f"folder of Recorder must be a folder; {tmp_path / 'file'} is something else"
    assert str(caught.value) == says
    with pytest.raises(InvalidTypeError, match="folder of Recorder must be a path; got 3"):
        Recorder(3)
