"""A stream trains as samples in memory do, in the memory of a part, and is never half written."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.data import Stream, stream, streamed
from multilayer.data.stream import Rows, StreamWriter
from multilayer.data.streamed import Streamed
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    ModelFileError,
)
from multilayer.numpy import MLP, Ensemble
from multilayer.randomness import Generators
from multilayer.samples import Data
from multilayer.torch import MLP as TorchMLP
from multilayer.torch import Ensemble as TorchEnsemble
from multilayer.training import Callback, Checkpoint, fit

RNG = np.random.default_rng(0)
N = 1003
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
W = RNG.uniform(0.5, 2, N).astype(np.float32)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Parts of some 100 rows, in blocks of some 10."""
    monkeypatch.setattr(stream, "BLOCK_BYTES", 10 * 28)
    monkeypatch.setattr(streamed, "PART_BYTES", 100 * 28)


def written(folder, *arrays, length=300):
    return Stream.write(
        folder,
        (tuple(a[i : i + length] for a in arrays) for i in range(0, len(arrays[0]), length)),
    )


def network(engine="numpy", n_members=0, **how):
    architecture = Architecture(5, (8,), 2, **how)
    rng = np.random.default_rng(1)
    if n_members:
        ensemble = Ensemble(architecture, n_members, rng=rng)
        return ensemble if engine == "numpy" else TorchEnsemble.from_numpy(ensemble)
    net = MLP(architecture, rng=rng, dtype="float32")
    return net if engine == "numpy" else TorchMLP.from_numpy(net)


def each(history):
    return history if isinstance(history, list) else [history]


def parameters(net):
    net = net if hasattr(net, "parameters") and not callable(net.parameters) else net.to_numpy()
    return net.parameters


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("n_members", [0, 3])
@pytest.mark.parametrize("batch_size", [7, 32, 2000])
def test_without_a_shuffle_the_bits_are_those_of_samples_in_memory(
    tmp_path, engine, n_members, batch_size
):
    how = {"loss": "cross_entropy", "n_epochs": 3, "batch_size": batch_size, "shuffle": False}
    how |= {"max_norm": 0.6, "ema": 0.9}
    nets = [network(engine, n_members, dropout=0.1) for _ in range(2)]
    in_memory, found = (
        fit(net, data, rng=np.random.default_rng(2), validation=(X[:50], Y[:50]), **how)
        for net, data in zip(nets, ((X, Y, W), written(tmp_path, X, Y, W)), strict=True)
    )
    # PyTorch's kernels depend on where in memory a batch begins.
    rtol = 0 if engine == "numpy" else 1e-4
    np.testing.assert_allclose(*map(parameters, nets), rtol=rtol, atol=rtol / 100)
    for one, other in zip(each(in_memory), each(found), strict=True):
        for name in ("train_loss", "validation_loss"):
            assert one[name] == pytest.approx(other[name], rel=max(rtol, 1e-12))


def test_an_epoch_has_each_row_once_in_an_order_of_its_own(tmp_path):
    rows = written(tmp_path, np.arange(N, dtype=np.float32)[:, np.newaxis], Y)
    batches = Streamed(rows, Data, batch_size=8)
    rng = np.random.default_rng(0)
    orders = []
    for _ in range(2):
        epoch = batches.draw(rng)
        taken = []
        n_steps = 0
        for part in epoch.parts:
            order = part.order
            taken.append(part.data.X[:, 0] if order is None else part.data.X[order, 0])
            n_steps += len(part.batches)
            assert len(taken[-1]) <= 2 * 28 * 100 // (4 * rows.shape[1])
        assert [n_steps] == epoch.n_steps
        orders.append(np.concatenate(taken))
        assert np.array_equal(np.sort(orders[-1]), np.arange(N))
    assert len(taken) == 3
    assert not np.array_equal(*orders)
    # The shuffle reaches as far as the file: neighbours in an epoch are no neighbours in the file.
    assert np.median(np.abs(np.diff(orders[0]))) > N / 20


def test_members_take_their_slots_alone(tmp_path):
    slots = np.arange(N) % 4
    with StreamWriter(tmp_path) as writer:
        writer.add(Rows(np.arange(N, dtype=np.float32)[:, np.newaxis], Y, None, slots))
        writer.finish()
    trains_on = np.array([[1, 1, 1, 0], [0, 0, 1, 1]], bool)
    batches = Streamed(Stream(tmp_path), Data, batch_size=8, trains_on=trains_on, n_members=2)
    rngs = Generators(np.random.default_rng(k) for k in range(2))
    epoch = batches.draw(rngs)
    taken = [[], []]
    for part in epoch.parts:
        for k in range(2):
            for number in range(part.batches.n_steps[k]):
                taken[k].append(part.data.X[part.batches.rows(part.order, number)[k], 0])
    for k, own in enumerate(taken):
        assert np.array_equal(np.sort(np.concatenate(own)), np.flatnonzero(trains_on[k][slots]))
        assert epoch.n_steps[k] == len(own)


def test_of_many_rows_an_epoch_takes_some_each_time_others(tmp_path):
    written(tmp_path, np.arange(N, dtype=np.float32)[:, np.newaxis], Y)
    batches = Streamed(Stream(tmp_path, most_rows=200), Data, batch_size=8)
    rng = np.random.default_rng(0)
    epochs = [{x for part in batches.draw(rng).parts for x in part.data.X[:, 0]} for _ in range(30)]
    size = batches.stream.block
    assert 1 < size < 40
    assert all(abs(len(taken) - 200) <= size for taken in epochs)  # the file's last block is short
    assert set.union(*epochs) == set(range(N))


@pytest.mark.parametrize("n_members", [0, 2])
def test_it_learns_as_well_as_in_memory(tmp_path, n_members):
    rows = written(tmp_path, X, Y)
    losses = []
    for data in ((X, Y), rows):
        own = []
        for seed in range(5):
            rng = np.random.default_rng(seed)
            net = network(n_members=n_members)
            found = fit(net, data, loss="cross_entropy", n_epochs=30, validation=(X, Y), rng=rng)
            own.append(np.mean([one["validation_loss"][-1] for one in each(found)]))
        losses.append(own)
    spread = np.std(losses[0], ddof=1) + np.std(losses[1], ddof=1) + 0.01
    assert abs(np.mean(losses[0]) - np.mean(losses[1])) < 3 * spread


class Crash(Callback):
    def __init__(self, epoch, step):
        self.at = epoch, step

    def on_step_end(self, run):
        if (run.epoch, run.step) == self.at:
            raise RuntimeError("killed")


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("n_members", [0, 2])
@pytest.mark.parametrize("at", [(1, 3), (2, 77)])
def test_a_training_that_was_killed_within_a_part_resumes_with_its_bits(
    tmp_path, engine, n_members, at
):
    rows = written(tmp_path / "rows", X, Y, W)
    how = {"loss": "cross_entropy", "n_epochs": 3, "batch_size": 8}
    whole = network(engine, n_members, dropout=0.1)
    expected = fit(whole, rows, rng=np.random.default_rng(2), **how)
    checkpoint = Checkpoint(tmp_path / "run", seconds=0)
    with pytest.raises(RuntimeError, match="killed"):
        fit(
            network(engine, n_members, dropout=0.1),
            rows,
            rng=np.random.default_rng(2),
            checkpoint=checkpoint,
            callbacks=[Crash(*at)],
            **how,
        )
    net = network(engine, n_members, dropout=0.1)
    found = fit(net, rows, rng=None, checkpoint=checkpoint, resume=True, **how)
    assert np.array_equal(parameters(net), parameters(whole))
    for one, other in zip(each(found), each(expected), strict=True):
        assert one["train_loss"] == other["train_loss"]


def test_a_run_is_not_resumed_on_another_stream(tmp_path):
    how = {"loss": "cross_entropy", "n_epochs": 2, "checkpoint": tmp_path / "run"}
    fit(network(), written(tmp_path / "a", X, Y), rng=np.random.default_rng(0), **how)
    with pytest.raises(InvalidArgumentError, match="another training run: data was"):
        fit(network(), written(tmp_path / "b", X + 1, Y), rng=None, resume=True, **how)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(1, 20))
@settings(max_examples=40)
def test_what_is_read_is_what_was_written(tmp_path_factory, n, d, t, has_weight, length):
    rng = np.random.default_rng(n)
    x, y, w = rng.normal(size=(n, d)), rng.normal(size=(n, t)), rng.random(n)
    arrays = [a.astype(np.float32) for a in ((x, y, w) if has_weight else (x, y))]
    rows = written(tmp_path_factory.mktemp("rows"), *arrays, length=length)
    found = rows.read([(0, n // 2), (n // 2, n)])
    assert np.array_equal(found.X, arrays[0])
    assert np.array_equal(found.y, arrays[1])
    assert (found.weight is None) if not has_weight else np.array_equal(found.weight, arrays[2])
    assert rows.n_samples == n == rows.counts.sum()
    # Anybody can look into it.
    assert np.array_equal(np.load(rows.folder / "rows.npy"), np.column_stack(arrays))


# Bad input ---------------------------------------------------------------------------------


def test_parts_must_be_alike(tmp_path):
    with pytest.raises(InvalidDataError, match="must match the first"):
        Stream.write(tmp_path, [(X, Y), (X[:, :3], Y)])
    with pytest.raises(InvalidDataError, match="must have the same length; got 1003, 1002"):
        Stream.write(tmp_path, [(X, Y[1:])])
    with pytest.raises(InvalidTypeError, match="must be matrices of numbers"):
        Stream.write(tmp_path, [(X.astype(str), Y)])
    with pytest.raises(InvalidDataError, match="must have samples; got none"):
        Stream.write(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_it_is_written_leaves_the_old_one(tmp_path):
    written(tmp_path, X, Y)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def parts():
        yield X + 1, Y
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Stream.write(tmp_path, parts())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_stream_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="holds no stream, or an incomplete one"):
        Stream(tmp_path)
    rows = written(tmp_path, X, Y)
    path = tmp_path / "rows.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(ModelFileError, match="is cut short"):
        Stream(tmp_path)
    with pytest.raises(InvalidDataError, match="has changed since it was opened"):
        rows.read([(0, N)])
    np.save(path, X)
    with pytest.raises(ModelFileError, match="it holds float32 of shape"):
        Stream(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ModelFileError, match="cannot be read"):
        Stream(tmp_path)
    path.unlink()
    with pytest.raises(InvalidDataError, match="cannot be read: No such file"):
        fit(network(), rows, loss="cross_entropy", n_epochs=1)


def test_arguments_that_do_not_suit_a_stream_are_named(tmp_path):
    rows = written(tmp_path, X, Y)
    for how, message in (
        ({"optimizer": "lbfgs"}, "data of fit cannot be a stream for L-BFGS"),
        ({"validation": 0.1}, "validation of fit must be separate samples"),
        ({"shuffle": range(N)}, "shuffle of fit must be True or False for a stream"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            fit(network(), rows, loss="cross_entropy", **how)
    with pytest.raises(InvalidArgumentError, match="splits of fit must be a pair"):
        fit(network(n_members=2), rows, loss="cross_entropy", splits=[([0], [1])])
    with pytest.raises(InvalidDataError, match="must have 4 features"):
        fit(
            MLP(Architecture(4, (8,), 2)),
            rows,
            loss="cross_entropy",
        )


def test_a_stream_of_a_later_version_says_what_to_do(tmp_path):
    written(tmp_path, X, Y)
    path = tmp_path / "stream.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["format_version"] = "9"
    new = json.dumps(header).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    with pytest.raises(ModelFileError, match=r"format version is 9.*delete the folder"):
        Stream(tmp_path)
