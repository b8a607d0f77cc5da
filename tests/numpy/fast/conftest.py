"""Both forms of the kernels, and threads where the networks of tests are too small for them."""

import pytest

from multilayer.compiled import Kernel
from multilayer.numpy.fast import plan, prediction, step
from multilayer.numpy.fast import workers as workers_module


@pytest.fixture(params=["compiled", "kernels", "plain"])
def form(request, monkeypatch):
    """Run a test with all that is compiled, without chains, and as where numba is missing."""
    if request.param != "compiled":
        monkeypatch.setattr(step, "chain_of", lambda *_: None)
    if request.param == "plain":
        monkeypatch.setattr(Kernel, "fastest", property(lambda self: self.plain))
    return request.param


@pytest.fixture(params=[1, 2, 3], ids=lambda n: f"{n} workers")
def workers(request, monkeypatch):
    """Divide each batch among so many workers, however small it is."""
    n = request.param
    monkeypatch.setattr(workers_module, "ROWS", 1)
    monkeypatch.setattr(plan, "MEETING", 0)
    for module in (workers_module, prediction):
        monkeypatch.setattr(module, "n_threads", lambda: n)
        monkeypatch.setattr(module, "n_rewarding", lambda _, n_available, *work: n_available)
    return n
