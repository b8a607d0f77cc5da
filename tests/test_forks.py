"""A process that is forked whatever the threads of its parent are at can train and predict."""

import ast
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import numba
import numpy as np
import pytest
from numba.core.compiler_lock import global_compiler_lock
from torch.utils.data import DataLoader

import multilayer
from multilayer import Architecture, MLPClassifier, forks
from multilayer.numpy import MLP
from multilayer.numpy.fast import blas, workers
from multilayer.samples import LazySamples
from multilayer.torch import SampleDataset
from multilayer.training import Callback, fit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
MANY = RNG.normal(size=(5_000, 5)).astype(np.float32)


def trained(**settings):
    return MLPClassifier((8,), max_iter=1, random_state=0, **settings).fit(X, Y)


@contextmanager
def threads(*calls):
    """Call functions again and again, each in a thread of its own."""
    is_over = threading.Event()

    def repeat(call):
        while not is_over.is_set():
            call()
            time.sleep(0.001)

    made = [threading.Thread(target=repeat, args=[call]) for call in calls]
    for thread in made:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in made:
            thread.join()


@contextmanager
def taken_for_a_while(lock):
    """Have another thread hold a lock when this begins, and for a while."""
    is_taken = threading.Event()

    def take():
        with lock:
            is_taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=take)
    thread.start()
    assert is_taken.wait(20)
    yield
    thread.join()


def test_children_of_a_process_at_work_train_and_predict_as_it_does(fork):
    model = trained()
    expected = model.predict_proba(MANY)

    def train_and_predict():
        same = all(map(np.array_equal, trained().coefs_, model.coefs_))
        # BLAS may cut the products for one thread or two, which rounds in another order.
        return same, np.allclose(model.predict_proba(MANY), expected, rtol=1e-5)

    def parent():
        sys.setswitchinterval(1e-4)  # the threads take turns at every place
        with threads(trained, lambda: model.predict(MANY)):
            found = []
            for _ in range(10):
                children = []
                for _ in range(20):
                    children.append(fork(train_and_predict, seconds=40))
                    time.sleep(0.001)
                found += [child.result() for child in children]
        return found

    assert fork(parent, seconds=400).result() == [(True, True)] * 200


def in_a_pool(model):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        predicted = pool.map_async(model.predict, [MANY] * 4).get(timeout=40)
    return [np.array_equal(each, model.predict(MANY)) for each in predicted]


def by_joblib(model):
    parallel = joblib.Parallel(n_jobs=2, backend="multiprocessing", timeout=40)
    again = parallel(joblib.delayed(trained)() for _ in range(4))
    return [np.array_equal(each.coefs_[0], model.coefs_[0]) for each in again]


def by_a_data_loader(model):
    class Features(LazySamples):
        shape = (4, 8)

        def __getitem__(self, row):
            return model.transform(MANY)[row]

    dataset = SampleDataset(Features(), np.arange(4))
    batches = DataLoader(dataset, num_workers=2, timeout=40, multiprocessing_context="fork")
    expected = model.transform(MANY)
    return [np.allclose(features, expected[row], rtol=1e-5) for features, row in batches]


@pytest.mark.parametrize("work", [in_a_pool, by_joblib, by_a_data_loader])
def test_workers_of_a_process_at_work_do_theirs(work, fork, monkeypatch):
    model = trained()
    take_over = blas._take_over

    def slowly():  # the lock is held nearly all the time
        time.sleep(0.02)
        take_over()

    monkeypatch.setattr(blas, "_take_over", slowly)

    def hold():
        with blas.single_threaded():
            pass

    def parent():
        with threads(hold):
            return work(model)

    assert fork(parent, seconds=120).result() == [True] * 4


# Each way to train imports a package, which takes a while and makes a logger, as many do. A thread
# is at that when its process forks.
FIRSTS = """
import json, os, signal, sys, threading, time, warnings
from pathlib import Path
import numpy as np
from multilayer import Architecture
from multilayer.numpy import MLP
from multilayer.training import Checkpoint, fit

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 5)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)

def train(activation="relu", **settings):
    net = MLP(Architecture(5, (8,), 2, activation=activation), rng=np.random.default_rng(0))
    fit(net, (X, y), loss="cross_entropy", n_epochs=2, rng=np.random.default_rng(0), **settings)
    return float(net.parameters.sum())

def keep():
    return train(checkpoint=Checkpoint(Path(sys.argv[1], str(time.monotonic_ns()))))

WAYS = {
    "numba": train,
    "threadpoolctl": train,
    "scipy.special": lambda: train("gelu"),
    "scipy.optimize": lambda: train(optimizer="lbfgs"),
    "safetensors": keep,
    "sklearn.metrics": lambda: train(validation=(X, y)),
    "sklearn.model_selection": lambda: train(validation=0.2),
}

class Slow:
    name, begun = None, threading.Event()

    def find_spec(name, path=None, target=None):
        if name == Slow.name:
            Slow.begun.set()
            time.sleep(0.3)
            import logging
            logging.getLogger(name)

sys.meta_path.insert(0, Slow)
for Slow.name in sys.argv[2:]:
    work, found = WAYS[Slow.name], []
    Slow.begun.clear()
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    assert Slow.begun.wait(60)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(100)
        Path(sys.argv[1], "answer").write_text(json.dumps(work()))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    thread.join()
    same = status == 0 and json.loads(Path(sys.argv[1], "answer").read_text()) == found[0]
    print(Slow.name, status, same)
"""


def first_times(folder, *packages):
    """Return what is printed by a process that trains in these ways for the first time."""
    result = subprocess.run(
        [sys.executable, "-c", FIRSTS, str(folder), *packages],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)} if "numba" in packages else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_a_child_of_a_process_in_its_first_training(tmp_path):
    assert first_times(tmp_path, "numba") == ["numba 0 True"]


def test_a_child_of_a_process_that_imports(tmp_path):
    packages = ["threadpoolctl", "scipy.special", "scipy.optimize", "safetensors",
                "sklearn.metrics", "sklearn.model_selection"]  # fmt: skip
    assert first_times(tmp_path, *packages) == [f"{package} 0 True" for package in packages]


ROOMS = ("numpy", "data", "model", "training", "estimators", "files")


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports_late_is_imported_where_forks_wait_for_it(room):
    late, held = set(), set()
    for path in Path(multilayer.__file__).with_name(room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imports = {
                (path.name, each.lineno)
                for each in ast.walk(node)
                if isinstance(each, ast.Import)
                or (isinstance(each, ast.ImportFrom) and "multilayer" not in str(each.module))
            }
            if isinstance(node, ast.FunctionDef):
                late |= imports
            elif isinstance(node, ast.With) and ast.unparse(node.items[0]) == "forks.imports":
                held |= imports
    # What blas.py imports, it does under a lock of its own, which forks wait for too.
    assert {place for place in late if place[0] != "blas.py"} == held


def test_a_child_of_a_process_that_compiles(fork):
    trained()
    with taken_for_a_while(global_compiler_lock):
        child = fork(lambda: numba.njit(lambda x: 2 * x)(21), seconds=40)
    assert child.result() == 42


def test_the_generator_of_random_state_none_can_be_drawn_from(fork):
    lock = np.random.mtrand._rand._bit_generator.lock
    with taken_for_a_while(lock):
        child = fork(lambda: MLPClassifier((8,), max_iter=1).fit(X, Y).n_iter_, seconds=20)
    assert child.result() == 1


def test_what_is_begun_by_exec_does_not_wait():
    over, held = threading.Event(), threading.Event()
    ended_first = []

    def hold():
        with forks.imports:
            held.set()
            ended_first.append(over.wait(20))

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    subprocess.run([sys.executable, "-c", ""], check=True)
    over.set()
    thread.join()
    assert ended_first == [True]


def test_a_wait_that_a_signal_ends_leaves_no_lock_taken(fork, monkeypatch):
    lock = threading.RLock()
    monkeypatch.setattr(forks, "_held", [*forks._held, lock])

    def interrupt(number, frame):
        raise InterruptedError

    def parent():
        said = []
        sys.unraisablehook = lambda unraisable: said.append(unraisable.exc_type.__name__)
        signal.signal(signal.SIGUSR1, interrupt)
        main = threading.main_thread().ident
        with taken_for_a_while(lock):
            threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGUSR1]).start()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
        os.waitpid(pid, 0)
        for each in forks._held:
            thread = threading.Thread(target=each.acquire)
            thread.start()
            thread.join()
        return said

    assert fork(parent, seconds=20).result() == ["InterruptedError"]


def test_a_training_goes_on_in_a_child_as_in_its_parent(fork, monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "ROWS", 1)
    monkeypatch.setattr(workers, "n_threads", lambda: 2)
    monkeypatch.setattr(workers, "n_rewarding", lambda _, n_available, *work: n_available)

    class Fork(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (2, 3):
                self.pid = os.fork()
                if self.pid == 0:
                    signal.alarm(20)

    def parent():
        before, fork_once = blas.n_threads(), Fork()
        net = MLP(Architecture(5, (16,), 2, dropout=0.2), rng=np.random.default_rng(0))
        fit(
            net,
            (X, Y),
            loss="cross_entropy",
            n_epochs=4,
            batch_size=20,
            callbacks=[fork_once],
            rng=np.random.default_rng(0),
        )
        assert blas._now() == before
        if fork_once.pid == 0:
            np.save(tmp_path / "child.npy", net.parameters)
            os._exit(0)
        return net.parameters, os.waitstatus_to_exitcode(os.waitpid(fork_once.pid, 0)[1])

    parameters, status = fork(parent).result()
    assert status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "child.npy"), parameters)
