"""Processes that train together: none is left waiting when another ends or is silent."""

import re
import time
from datetime import timedelta

import pytest

from multilayer.errors import LostRankError
from multilayer.torch import distributed

TRAIN = """
import os, sys, time
from datetime import timedelta
import numpy as np
from multilayer import Architecture
from multilayer.torch import MLP, distributed, find_device
from multilayer.training import Callback, fit

def no_more():
    raise ValueError("no more")

ENDS = {
    "kill": lambda: os.kill(os.getpid(), 9),
    "raise": no_more,
    "sleep": lambda: time.sleep(60),
}

class EndRank1(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2 and os.environ["RANK"] == "1":
            ENDS[sys.argv[1]]()

if sys.argv[1] == "sleep":
    distributed.TIMEOUT = timedelta(seconds=3)
distributed.start(find_device("cpu"))
net = MLP(Architecture(3, (5,), 1), rng=np.random.default_rng(0))
fit(net, (np.ones((50, 3)), np.ones(50)), loss="squared_error", n_epochs=3,
    rng=np.random.default_rng(1), callbacks=[EndRank1()])
print("done")
"""

WAIT = """
import sys, time
from datetime import timedelta
from multilayer.torch import distributed, find_device

distributed.TIMEOUT = timedelta(seconds=3)
distributed.start(find_device("cpu"))
rank, _ = distributed.shard()
if sys.argv[1:]:  # rank 0 waits, in vain
    time.sleep(60 * (rank > 0))
    distributed.wait_for_others(float(sys.argv[1]))
time.sleep(4 * (rank == 1))
for turn in range(2):
    distributed.wait_for_others(1)
    if turn == rank:
        print(rank, flush=True)
distributed.stop()
"""

LEAVE = """
import atexit, sys, weakref

atexit.register(lambda: print("left" if group() is None else "still there"))

import numpy as np
import torch
from multilayer import Architecture
from multilayer.torch import Ensemble, distributed, find_device
from multilayer.training import fit

distributed.start(find_device("cpu"))
group = weakref.ref(torch.distributed.group.WORLD)
import torch._dynamo
net = Ensemble(Architecture(3, (5,), 1), 2, rng=np.random.default_rng(0))
fit(net, (np.ones((50, 3)), np.ones(50)), loss="squared_error", n_epochs=2,
    rng=np.random.default_rng(1))
if "stop" in sys.argv:
    distributed.stop()
    assert group() is None
"""


@pytest.mark.parametrize("end", ["stop", "nothing"])
def test_the_group_with_its_threads_is_gone_before_python_ends(launch, end):
    # A thread of it that lets go of a tensor later calls std::terminate.
    result = launch(LEAVE, 2, end)
    assert result.returncode == 0, result.stderr
    assert result.stdout.replace("\n", "") == "leftleft"  # lines of two processes may mix


@pytest.mark.parametrize(
    ("end", "exit_code", "said"),
    [("kill", "-9", ""), ("raise", "1", "ValueError: no more")],
)
def test_a_rank_that_dies_ends_the_job_with_its_name(launch, end, exit_code, said):
    started = time.monotonic()
    result = launch(TRAIN, 2, end)
    assert result.returncode != 0
    assert result.stdout == ""  # rank 0 did not end as if nothing had happened
    assert time.monotonic() - started < 120
    _, first = result.stderr.split("Root Cause (first observed failure):")
    assert re.search(rf"rank +: 1 .*exitcode +: {exit_code} ", first, re.DOTALL)
    assert said in result.stderr
    assert "gloo" not in result.stderr


def test_a_rank_that_is_silent_is_named_by_the_others(launch):
    result = launch(TRAIN, 2, "sleep")
    assert result.returncode != 0
    assert "LostRankError: rank 1 did not answer for 3 s" in result.stderr
    assert "gloo" not in result.stderr


def test_ranks_wait_for_each_other_longer_than_for_an_exchange(launch):
    result = launch(WAIT, 2)
    assert result.stdout.split() == ["0", "1"], result.stderr


def test_a_rank_that_does_not_come_is_named(launch):
    result = launch(WAIT, 3, "0.05")
    assert result.returncode != 0
    assert "LostRankError: ranks 1, 2 did not arrive within 0.05 minutes" in result.stderr


def test_one_process_waits_for_nobody():
    distributed.wait_for_others(1)


def test_ranks_that_somebody_else_joined_can_wait_too(launch):
    joined = 'torch.distributed.init_process_group("gloo")'
    script = "import torch" + WAIT.replace('distributed.start(find_device("cpu"))', joined)
    assert joined in script
    result = launch(script, 2)
    assert result.stdout.split() == ["0", "1"], result.stderr


def test_an_exchange_that_breaks_off_says_so(monkeypatch):
    monkeypatch.setattr(distributed, "PATIENCE", timedelta(0))
    with pytest.raises(LostRankError) as caught, distributed._in_touch():
        raise RuntimeError("Connection closed by peer")
    assert str(caught.value) == (
        "another process of this training run ended, so this one cannot continue; torchrun reports "
        "which one it was, and the output of that process says why"
    )
