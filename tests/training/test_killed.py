"""A process that is killed again and again ends with the bits of one that was not."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
import sklearn.metrics  # as what follows: imported when first used
from multilayer import Architecture
from multilayer.training import Callback, Checkpoint, EarlyStopping, fit

engine, folder = sys.argv[1], Path(sys.argv[2])
if engine == "torch":
    import torch
    import torch._dynamo
    from multilayer.torch import MLP
    torch.set_num_threads(1)
else:
    from multilayer.numpy import MLP

class Slow(Callback):
    def on_step_end(self, run):  # so that some are killed in a step and some in a write
        time.sleep(0.001)

def train(result, n_epochs=30, **kept):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 20)).astype(np.float32), rng.integers(4, size=100)
    architecture = Architecture(20, (64, 64), 4, dropout=0.2, normalization="batch")
    net = MLP(architecture, initializer="he", rng=rng)
    history = fit(net, (X, y), loss="cross_entropy", n_epochs=n_epochs, batch_size=12,
                  validation=0.2, schedule="reduce_on_plateau",
                  callbacks=[EarlyStopping(12), Slow()], rng=rng, **kept)
    numbers = [a for pair in net.weights for a in pair if a is not None]
    numbers += [a for _, a in sorted(net.state.items())]
    result.write_text(json.dumps({
        "numbers": [hashlib.sha256(a.tobytes()).hexdigest() for a in numbers],
        "history": {name: column for name, column in history.items() if name != "seconds"},
        "best_epoch": history.best_epoch,
        "stopped_by": history.stopped_by,
    }))

def kill_in_write(n):
    # The file is written by then, but has not yet taken its name.
    writes = iter(range(n))
    os.fsync = lambda file: next(writes, None) is None and os.kill(os.getpid(), signal.SIGKILL)

def begin(name, n_writes=None, **kept):
    # A fork has everything imported: what takes long is not what is tested.
    pid = os.fork()
    if pid == 0:
        if n_writes is not None:
            kill_in_write(n_writes)
        train(folder / name, **kept)
        os._exit(0)
    return pid

if engine == "numpy":
    train(folder / "compiled", n_epochs=1)
os.waitpid(begin("whole"), 0)
checkpoint = Checkpoint(folder / "kept", seconds=0)
moments, places = random.Random(0), []
os.waitpid(begin("resumed", n_writes=9, checkpoint=checkpoint), 0)
in_write = checkpoint.read().progress["loop"]["run"]["step"], len(list(checkpoint.folder.iterdir()))
while True:
    before = checkpoint.path.stat().st_mtime_ns
    pid = begin("resumed", checkpoint=checkpoint, resume=True)
    n_writes = 0
    while n_writes < 2:  # until it has gone on, however slow the machine is
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if (now := checkpoint.path.stat().st_mtime_ns) != before:
            before, n_writes = now, n_writes + 1
        time.sleep(0.001)
    if not ended:
        if len(places) < 6:
            time.sleep(moments.uniform(0, 0.05))  # three come before its steps have slept enough
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status):
        break
    run = checkpoint.read().progress["loop"]["run"]  # whole, whenever it was killed
    places.append((run["epoch"], run["step"]))
print(json.dumps({
    "in_write": in_write,
    "places": places,
    "exit": os.waitstatus_to_exitcode(status),
    "left": sorted(path.name for path in checkpoint.folder.iterdir()),
    "whole": json.loads((folder / "whole").read_text()),
    "resumed": json.loads((folder / "resumed").read_text()),
}))
"""


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_killed_at_random_moments(tmp_path, engine):
    path = tmp_path / "job.py"
    path.write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, str(path), engine, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["exit"] == 0
    # The write before the first epoch, those after its 7 steps, and that before the second one: the
    # tenth is half a file beside the whole ninth.
    assert found["in_write"] == [7, 2]
    assert found["places"] == sorted(found["places"])
    assert len(set(map(tuple, found["places"]))) >= 3  # it was killed, and went on between
    assert found["resumed"] == found["whole"]
    assert found["left"] == ["checkpoint.safetensors"]
