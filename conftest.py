"""What all tests and doctests share."""

import gc
import os
import pickle
import signal
import sys
import traceback

import pytest
from hypothesis import settings

settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
settings.register_profile("search", settings.get_profile("default"), deadline=None)
settings.load_profile("fixed")  # pytest --hypothesis-profile search draws new examples

os.environ.setdefault("MPLBACKEND", "Agg")  # pictures need no screen


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: matplotlib warns of too many open figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


class Child:
    """A process that is forked here and calls a function, for so many seconds at most."""

    def __init__(self, call, seconds=60):
        gc.collect()  # trainings that earlier tests left hold the threads of BLAS
        reads, writes = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            status = 1
            try:
                with os.fdopen(writes, "wb") as file:
                    file.write(pickle.dumps(call()))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writes)
        self._answer = os.fdopen(reads, "rb")

    def result(self):
        """Return what the function has returned, or fail if it has raised something or hung."""
        with self._answer as file:
            answer = file.read()
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if status:
            why = "hung" if status == -signal.SIGALRM else f"ended with status {status}"
            pytest.fail(f"the child {why}")
        return pickle.loads(answer)


@pytest.fixture
def fork():
    """Fork: ``fork(call)`` begins to call a function in a child, ``.result()`` waits for it."""
    if not hasattr(os, "fork"):
        pytest.skip("nothing forks on this system")
    return Child


@pytest.fixture
def ctrl_c():
    """Let Ctrl-C raise KeyboardInterrupt, here and in the processes that a test starts.

    Tests that run in the background (`nohup make test &`) are started with SIGINT ignored, and so
    are their children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
