"""Samples that are read when a batch needs them, and samplers of one's own."""

import threading

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.numpy import MLP
from multilayer.samples import LazySamples, reader
from multilayer.torch import MLP as TorchMLP
from multilayer.training import fit


class Recording(LazySamples):
    """Remembers how many rows were read at once."""

    def __init__(self, X):
        self.X = X
        self.shape = X.shape
        self.largest = 0

    def __getitem__(self, rows):
        found = self.X[rows]
        self.largest = max(self.largest, len(found))
        return found


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_no_more_than_a_batch_is_read_at_once_and_the_result_is_the_same(data, engine):
    X, y = data
    architecture = Architecture(4, (8,), 2)
    results = []
    for samples in (X, Recording(X)):
        net = engine(architecture, initializer="he", rng=np.random.default_rng(0))
        history = fit(net, (samples, y), loss="cross_entropy", n_epochs=1, batch_size=100,
                      validation=0.5, rng=np.random.default_rng(0))  # fmt: skip
        results.append(history["validation_loss"][0])
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    assert samples.largest <= 8192  # the chunk that predictions are made in, never the whole


def test_lazy_samples_of_another_width_are_refused(data):
    X, y = data
    with pytest.raises(InvalidDataError) as caught:
        fit(MLP(Architecture(5, (), 2)), (Recording(X), y), loss="cross_entropy")
    assert str(caught.value) == "X must have shape (n_samples, 5); got shape (20000, 4)"


def test_lazy_samples_can_be_predicted_whole(data):
    net = MLP(Architecture(4, (8,), 2), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(net(Recording(data[0])), net(data[0]))


class Backwards:
    """A sampler of the first hundred rows, last first."""

    def __len__(self):
        return 100

    def __iter__(self):
        return iter(range(99, -1, -1))


@pytest.mark.parametrize("engine", [MLP, TorchMLP])
def test_a_sampler_says_which_rows_and_in_which_order(data, engine):
    X, y = data
    nets = []
    for samples, shuffle in (((X, y), Backwards()), ((X[99::-1], y[99::-1]), False)):
        net = engine(Architecture(4, (8,), 2), initializer="he", rng=np.random.default_rng(0))
        fit(net, samples, loss="cross_entropy", n_epochs=2, batch_size=32, shuffle=shuffle)
        nets.append(net.weights[0][0])
    np.testing.assert_allclose(*nets, rtol=1e-6)


@pytest.mark.parametrize("rows", [[0, 1, 10**6], [-1, 0, 1]])
def test_a_sampler_of_rows_that_are_not_there_is_refused(data, rows):
    with pytest.raises(InvalidDataError) as caught:
        fit(MLP(Architecture(4, (), 2)), data, loss="cross_entropy", shuffle=rows)
    assert str(caught.value) == (
        f"the sampler must give 3 row numbers from 0 to 19999; got 3, from {min(rows)} to "
        f"{max(rows)}"
    )


def test_a_sampler_without_rows_is_refused(data):
    with pytest.raises(InvalidDataError) as caught:
        fit(MLP(Architecture(4, (), 2)), data, loss="cross_entropy", shuffle=[])
    assert str(caught.value) == "an epoch of Batches must have samples; got none"


def test_something_else_than_a_sampler_is_refused(data):
    with pytest.raises(InvalidTypeError) as caught:
        fit(MLP(Architecture(4, (), 2)), data, loss="cross_entropy", shuffle=3)
    assert str(caught.value) == (
        "shuffle of fit must be True, False or a sampler of row numbers; got 3"
    )


def test_a_child_reads_though_another_thread_of_its_parent_is_reading(fork):
    class Slow(Recording):
        def read(self, rows, out):
            if threading.current_thread() is thread:
                is_reading.set()
                may_end.wait(20)
            super().read(rows, out)

    def child():
        out = np.empty((2, 4))
        read(slice(0, 2), out)
        return out

    is_reading, may_end = threading.Event(), threading.Event()
    X = np.arange(12.0).reshape(3, 4)
    read = reader(Slow(X))
    thread = threading.Thread(target=read, args=[slice(0, 2), np.empty((2, 4))])
    thread.start()
    assert is_reading.wait(20)
    found = fork(child, seconds=20).result()
    may_end.set()
    thread.join()
    np.testing.assert_array_equal(found, X[:2])
