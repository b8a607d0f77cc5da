"""A training that was cut off and goes on ends with the bits of one that was not."""

import json
import math
import os
import signal
import threading

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.data import load_digits
from multilayer.errors import (
    DivergenceError,
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
)
from multilayer.numpy import MLP as NumpyMLP
from multilayer.numpy import OPTIMIZERS, SGD, WarmUp
from multilayer.numpy.schedules import ReduceOnPlateau
from multilayer.samples import LazySamples
from multilayer.torch import MLP as TorchMLP
from multilayer.torch import distributed
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit, train
from multilayer.training.checkpoint import Kept
from multilayer.version import __version__

STEPWISE = [name for name, cls in OPTIMIZERS.items() if cls.takes_steps]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype(np.float32)
Y = RNG.integers(3, size=50)
ENGINES = {"numpy": NumpyMLP, "torch": TorchMLP}
N_STEPS = 5  # an epoch of 40 training samples in batches of 9, the last one short


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Do not wait for the disk (a power cut is not what is tested), nor for a second thread."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Crash(Callback):
    """Ends a training at a step, before it is kept."""

    def __init__(self, epoch, step):
        self.at = epoch, step

    def on_step_end(self, run):
        if (run.epoch, run.step) == self.at:
            raise KilledError


class KilledError(Exception):
    pass


def run(engine="numpy", *, crash=None, data=(X, Y), network=None, seed=1, callbacks=(), **settings):
    """Train a new network; return its numbers and its history."""
    architecture = Architecture(6, (8,), 3, **(network or {}))
    # Where it goes on, the weights it begins with must not matter.
    drawn = np.random.default_rng(7 if settings.get("resume") else seed)
    net = ENGINES[engine](architecture, initializer="he", rng=drawn)
    if crash is not None:
        callbacks = [*callbacks, Crash(*crash)]
    settings = {
        "loss": "cross_entropy",
        "n_epochs": 4,
        "batch_size": 9,
        "validation": 0.2,
    } | settings
    rng = settings.pop("rng", np.random.default_rng(seed))
    history = fit(net, data, callbacks=callbacks, rng=rng, **settings)
    numbers = net.trainer(loss=settings["loss"], optimizer="sgd").state()
    return {k: v for k, v in numbers.items() if "gener" not in k and "optim" not in k}, history


def assert_same(mine, other):
    (numbers, history), (others, other_history) = mine, other
    assert numbers.keys() == others.keys()
    for name, array in numbers.items():
        assert array.tobytes() == others[name].tobytes(), name
    assert {k: v for k, v in history.items() if k != "seconds"} == {
        k: v for k, v in other_history.items() if k != "seconds"
    }
    assert len(history["seconds"]) == history.n_epochs
    assert (history.best_epoch, history.stopped_by) == (
        other_history.best_epoch,
        other_history.stopped_by,
    )
    assert history.settings == other_history.settings != {}


def check_resumes(folder, engine, crashes=((2, 3),), make_callbacks=tuple, **settings):
    whole = run(engine, callbacks=make_callbacks(), **settings)
    kept = Checkpoint(folder, seconds=0)
    for i, crash in enumerate(crashes):
        with pytest.raises(KilledError):
            run(engine, crash=crash, callbacks=make_callbacks(), checkpoint=kept, resume=i > 0,
                **settings)  # fmt: skip
    again = run(engine, callbacks=make_callbacks(), checkpoint=kept, resume=True, **settings)
    assert_same(again, whole)
    finished = run(engine, callbacks=make_callbacks(), checkpoint=kept, resume=True, **settings)
    assert_same(finished, whole)
    assert finished[1]["seconds"] == again[1]["seconds"]  # nothing was trained
    return whole


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", [*STEPWISE, SGD(0.1, momentum=0.9, nesterov=True)], ids=str)
def test_each_optimizer(tmp_path, engine, optimizer):
    check_resumes(tmp_path, engine, optimizer=optimizer)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "one_cycle", "network": {"normalization": "batch", "dropout": 0.3}},
        {"shuffle": True, "network": {"noise": 0.3, "dropout": 0.1}},
        {"schedule": WarmUp(2, then=ReduceOnPlateau(0.5, patience=1))},
        {"validation": None, "l1": 1e-3, "l2": 0.1, "clip_norm": 0.1},  # judged by its own losses
        {"shuffle": False, "monitor": "validation_accuracy"},
        {"max_norm": 0.5, "ema": 0.9, "network": {"normalization": "batch", "dropout": 0.3}},
        {"validation": None, "ema": 0.9},  # judged by the averages at each epoch's beginning
        {"batch_size": 50},
        {"data": (X, Y, RNG.uniform(0.5, 2, size=50)), "network": {"residual": False}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_way_of_training(tmp_path, engine, settings):
    crashes = [(1, 1), (2, 1), (4, 1)] if settings.get("batch_size") else [(1, 4), (3, 1), (4, 5)]
    check_resumes(tmp_path, engine, crashes, **settings)


@pytest.mark.parametrize("options", [{"precision": "float16"}, {"accumulate": 2}], ids=str)
def test_each_option_of_pytorch(tmp_path, options):
    network = {"normalization": "batch", "dropout": 0.3}
    check_resumes(tmp_path, "torch", [(1, 1), (3, 2)], network=network, **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("validation", [0.2, None])
def test_early_stopping(tmp_path, engine, validation):
    settings = {"validation": validation, "n_epochs": 30, "optimizer": SGD(0.9)}
    whole = check_resumes(
        tmp_path, engine, [(1, 2), (5, 3)], lambda: [EarlyStopping(4)], **settings
    )
    assert whole[1].stopped_by == "early_stopping"
    assert 5 < whole[1].n_epochs < 30


@pytest.mark.parametrize("engine", ENGINES)
def test_reduce_on_plateau(tmp_path, engine):
    # Two epochs in a row that are worse than the best so far, and a crash between them.
    schedule = ReduceOnPlateau(0.5, patience=2)
    settings = {"schedule": schedule, "optimizer": SGD(2.0), "n_epochs": 12}
    _, history = run(engine, **settings)
    rates = history["learning_rate"]
    changes = [e for e in range(2, 13) if rates[e - 1] < rates[e - 2]]
    assert changes
    crashes = [(e - 1, 2) for e in changes] + [(changes[-1], 2)]
    check_resumes(tmp_path, engine, sorted(set(crashes)), **settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_best_weights_may_be_those_that_the_epoch_under_way_began_with(tmp_path, engine):
    settings = {"validation": None, "n_epochs": 2}
    whole = check_resumes(tmp_path, engine, [(2, 3)], lambda: [EarlyStopping(4)], **settings)
    assert whole[1].best_epoch == 1


@pytest.mark.parametrize("crash", [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, N_STEPS)], ids=str)
def test_at_each_place_of_an_epoch(tmp_path, crash):
    # The first step of an epoch that is kept is the one before that of the crash.
    check_resumes(tmp_path, "numpy", [crash], network={"dropout": 0.5})


def test_the_last_batch_does_not_decide_on_the_threads(tmp_path, monkeypatch):
    # Going on at a short batch must not cut the full ones that follow it otherwise.
    from multilayer.numpy.fast import step, workers

    monkeypatch.setattr(workers, "n_threads", lambda: 3)
    monkeypatch.setattr(step, "CHAINED", 1e4)
    digits = load_digits()
    data = digits.X_train[:300], digits.y_train[:300]

    def train_digits(**settings):
        net = NumpyMLP(Architecture(64, (32,), 10), rng=np.random.default_rng(0))
        history = fit(net, data, loss="cross_entropy", n_epochs=3, batch_size=96,
                      rng=np.random.default_rng(0), **settings)  # fmt: skip
        return {"parameters": net.parameters}, history

    whole = train_digits()
    kept = Checkpoint(tmp_path, seconds=0)
    with pytest.raises(KilledError):
        train_digits(checkpoint=kept, callbacks=[Crash(1, 4)])
    assert_same(train_digits(checkpoint=kept, resume=True), whole)


def test_lazy_samples(tmp_path):
    class Lazy(LazySamples):
        shape = X.shape

        def __getitem__(self, rows):
            return X[rows]

    check_resumes(tmp_path, "numpy", data=(Lazy(), Y))


def test_a_trainer_that_is_there_already(tmp_path):
    def train_twice(**settings):
        net = NumpyMLP(Architecture(6, (8,), 3), rng=np.random.default_rng(0))
        drawn = np.random.default_rng(5)
        trainer = net.trainer(loss="cross_entropy", optimizer="adam", rng=drawn)
        train(trainer, (X, Y), n_epochs=1, rng=np.random.default_rng(0))
        history = train(trainer, (X, Y), n_epochs=2, rng=np.random.default_rng(1), **settings)
        return trainer.state(), history

    whole = train_twice()
    kept = Checkpoint(tmp_path, seconds=0)
    with pytest.raises(KilledError):
        train_twice(checkpoint=kept, callbacks=[Crash(2, 1)])
    assert_same(train_twice(checkpoint=kept, resume=True), whole)


def test_without_a_seed_the_generator_is_taken_from_the_checkpoint(tmp_path):
    kept = Checkpoint(tmp_path, seconds=0)
    with pytest.raises(KilledError):
        run(crash=(2, 3), checkpoint=kept, rng=None)
    run(crash=None, checkpoint=kept, rng=None, resume=True)


def test_a_callbacks_state_is_kept(tmp_path):
    class Count(Callback):
        def on_train_begin(self, run):
            self.n_steps = 0

        def on_step_end(self, run):
            self.n_steps += 1

        def state(self):
            return {"n_steps": self.n_steps}

        def set_state(self, state):
            self.n_steps = state["n_steps"]

    counter = Count()
    with pytest.raises(KilledError):
        run(crash=(3, 2), callbacks=[counter], checkpoint=Checkpoint(tmp_path, seconds=0))
    counter = Count()
    run(callbacks=[counter], checkpoint=tmp_path, resume=True)
    assert counter.n_steps == 4 * N_STEPS


# When it is written -----------------------------------------------------------------------------


class Look(Callback):
    """Notes when the file has changed."""

    def __init__(self, path):
        self.path, self.seen = path, []

    def on_step_end(self, run):
        state = os.stat(self.path).st_mtime_ns if self.path.exists() else None
        if not self.seen or state != self.seen[-1]:
            self.seen.append(state)


def test_it_is_written_when_its_seconds_are_over(tmp_path):
    rare, often = Checkpoint(tmp_path / "a"), Checkpoint(tmp_path / "b" / "c", seconds=0)
    looks = {kept: Look(kept.path) for kept in (rare, often)}
    for kept, look in looks.items():
        run(checkpoint=kept, callbacks=[look])
        assert [p.name for p in kept.folder.iterdir()] == ["checkpoint.safetensors"]
    assert looks[rare].seen == [None]  # at the end alone
    assert len(looks[often].seen) == 4 * N_STEPS


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_leaves_a_checkpoint_of_the_step_under_way(tmp_path, engine):
    class Interrupt(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (2, 3):
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    _, history = run(engine, checkpoint=tmp_path, callbacks=[Interrupt()])
    assert signal.getsignal(signal.SIGINT) is before
    assert (history.stopped_by, history.n_epochs) == ("interrupt", 1)
    progress = Checkpoint(tmp_path).read().progress
    assert (progress["loop"]["run"]["epoch"], progress["loop"]["run"]["step"]) == (2, 3)
    assert_same(run(engine, checkpoint=tmp_path, resume=True), run(engine))


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_does_not_wait(tmp_path):
    class Interrupt(Callback):
        def on_step_end(self, run):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    _, history = run(checkpoint=tmp_path, callbacks=[Interrupt()])
    assert history.stopped_by == "interrupt"
    assert Checkpoint(tmp_path).read() is None


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_child_that_is_forked_meanwhile_is_its_own(tmp_path, fork):
    def child():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return "interrupted"
        return "went on"

    class Fork(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (2, 3):
                self.said = fork(child).result()

    forks = Fork()
    _, history = run(checkpoint=tmp_path, callbacks=[forks])
    assert forks.said == "interrupted"
    assert history.stopped_by == "n_epochs"


def test_beside_the_main_thread_ctrl_c_is_left_alone(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(checkpoint=tmp_path)))
    thread.start()
    thread.join()
    assert_same(found[0], run())


def test_a_divergence_leaves_the_last_good_checkpoint(tmp_path):
    settings = {"loss": "cross_entropy", "optimizer": SGD(1e30), "validation": None}
    messages = []
    for resume in (False, True):
        with pytest.raises(DivergenceError) as caught:
            run(checkpoint=Checkpoint(tmp_path, seconds=0), resume=resume, **settings)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


# What is refused ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with pytest.raises(KilledError):
        run(crash=(2, 3), checkpoint=Checkpoint(folder, seconds=0), callbacks=[EarlyStopping(4)])
    return folder


def test_what_is_there_is_not_overwritten(kept):
    before = (kept / "checkpoint.safetensors").read_bytes()
    with pytest.raises(InvalidArgumentError) as caught:
        run(checkpoint=kept, callbacks=[EarlyStopping(4)])
    assert str(caught.value) == (
        f"there is a checkpoint in {kept}: resume from it with resume=True, or give another folder"
    )
    assert (kept / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"network": {"activation": "tanh"}}, "activation was 'relu', is 'tanh'"),
        ({"n_epochs": 5}, "n_epochs was 4, is 5"),
        ({"batch_size": 10}, "batch_size was 9, is 10"),
        ({"l2": 0.5}, "l2 was 0.0, is 0.5"),
        ({"shuffle": False}, "shuffle was True, is False"),
        ({"schedule": "step"}, "schedule was 'None', is 'Step(every=30, gamma=0.1)'"),
        ({"monitor": "train_loss"}, "monitor was 'validation_loss', is 'train_loss'"),
        (
            {"callbacks": [EarlyStopping(7)]},
            "callbacks was ['EarlyStopping(patience=4, min_delta=0.0)'], is "
            "['EarlyStopping(patience=7, min_delta=0.0)']",
        ),
        (
            {"optimizer": SGD(0.5)},
            "optimizer was 'Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)', "
            "is 'SGD(learning_rate=0.5, momentum=0.0, nesterov=False, weight_decay=0.0)'",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_training_is_refused(kept, changed, difference):
    settings = {"callbacks": [EarlyStopping(4)]} | changed
    with pytest.raises(InvalidArgumentError) as caught:
        run(checkpoint=kept, resume=True, **settings)
    says = f"the checkpoint in {kept} belongs to another training run: {difference}"
    assert str(caught.value) == says


def test_other_data_and_another_engine_are_refused(kept):
    for changed in ({"data": (X + 1, Y)}, {"data": (X, (Y + 1) % 3)}):
        with pytest.raises(InvalidArgumentError, match="belongs to another training run: data was"):
            run(checkpoint=kept, resume=True, callbacks=[EarlyStopping(4)], **changed)
    with pytest.raises(InvalidArgumentError, match=r"engine was 'numpy', is"):
        run("torch", checkpoint=kept, resume=True, callbacks=[EarlyStopping(4)])


def test_another_seed_is_refused(kept):
    with pytest.raises(InvalidArgumentError) as caught:
        run(checkpoint=kept, resume=True, seed=2)
    assert str(caught.value) == (
        f"rng of fit must be in the state in which the training run in {kept} began: give the same "
        "seed, and draw the network's weights again if they come from it, or give rng=None to "
        "restore that state"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resume": True}, "resume of fit needs a checkpoint to resume from; checkpoint is None"),
        ({"resume": 1}, "resume of fit must be True or False; got 1"),
        ({"checkpoint": 5}, "checkpoint must be a path or a Checkpoint; got 5"),
        (
            {"checkpoint": "a", "optimizer": "lbfgs", "batch_size": None},
            "checkpoint of fit cannot be combined with L-BFGS: SciPy does not expose its state",
        ),
        (
            {"checkpoint": "a", "shuffle": range(5)},
            "checkpoint of fit cannot be combined with a sampler: its state cannot be saved",
        ),
        ({"checkpoint": __file__}, f"checkpoint must be a folder; {__file__} is something else"),
    ],
    ids=str,
)
def test_wrong_arguments(settings, message):
    with pytest.raises((InvalidArgumentError, InvalidTypeError)) as caught:
        run(**settings)
    assert str(caught.value) == message


def test_several_processes_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "shard", lambda: (0, 2))
    monkeypatch.setattr(distributed, "agree", lambda net, seeds: None)
    with pytest.raises(InvalidArgumentError) as caught:
        run("torch", checkpoint=tmp_path / "a", validation=None)
    assert str(caught.value) == "checkpoint of fit cannot be combined with several processes"


@pytest.mark.parametrize("seconds", [-1, math.nan, "1"])
def test_wrong_seconds(seconds):
    with pytest.raises((InvalidArgumentError, InvalidTypeError), match="seconds of Checkpoint"):
        Checkpoint("a", seconds=seconds)


def test_a_state_that_does_not_go_into_json_is_refused(tmp_path):
    class Wrong(Callback):
        def state(self):
            return {"array": np.ones(3)}

    with pytest.raises(InvalidTypeError, match=r"^the state of a callback must be serializable"):
        run(checkpoint=tmp_path, callbacks=[Wrong()])


def test_a_state_larger_than_a_header_is_kept(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    kept = Kept({}, {"text": "a" * 20_000_000, "loss": math.inf}, {})
    checkpoint.write(kept)
    assert checkpoint.read() == kept


def test_damaged_and_foreign_files(kept, tmp_path):
    from safetensors.numpy import save

    whole = (kept / "checkpoint.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    header = json.loads(whole[8 : 8 + length])
    told_otherwise = whole.replace(b'"format_version":"3"', b'"format_version":"9"')
    assert header["__metadata__"]["format_version"] == "3"
    for content, words in [
        (whole[:-1], "cannot be read: it is not a safetensors file"),
        (whole[: length // 2], "cannot be read: it is not a safetensors file, or is cut short"),
        (b"", "cannot be read: it is not a safetensors file"),
        (b"PK\x03\x04" + whole, "cannot be read: it is not a safetensors file"),
        (bytes(flipped), "cannot be read: its content is not what was written"),
        (whole.replace(b"n_stalled", b"n_stallem"), "its content is not what was written"),
        (whole.replace(b'"digest"', b'"digesz"'), "its content is not what was written"),
        (told_otherwise, "its format version is 9; multilayer"),
        (save({"parameters": np.ones(3)}), "it is not a multilayer checkpoint"),
    ]:
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(ModelFileError) as caught:
            run(checkpoint=tmp_path, resume=True)
        assert words in str(caught.value)
        assert (tmp_path / "checkpoint.safetensors").read_bytes() == content


def test_a_checkpoint_of_the_first_format_is_refused(tmp_path):
    from safetensors.numpy import save

    texts = {"training": "{}", "progress": '{"run": {"epoch": 2}}', "digest": "0" * 32}
    header = {"format": "multilayer checkpoint", "format_version": "1", **texts}
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(save({"start": np.zeros(3, np.uint8)}, metadata=header))
    with pytest.raises(ModelFileError) as caught:
        run(checkpoint=tmp_path, resume=True)
    assert str(caught.value) == (
        f"{path} cannot be read: its format version is 1; multilayer {__version__} reads version "
        "3: resume with the release that wrote it, or start again in another folder"
    )
