"""Several processes as one: the same losses, exact metrics, and no hang when one dies."""

import json
import os
import subprocess
import sys
import time

import pytest

SCRIPT = """
import json, os, sys
import numpy as np
from multilayer import Architecture
from multilayer.data import load_digits
from multilayer.torch import MLP, distributed, find_device
from multilayer.training import Callback, fit

class DieOnRank1(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2 and os.environ["RANK"] == "1":
            os._exit(9)

if distributed.is_launched():
    distributed.start(find_device("cpu"))
rank, n_ranks = distributed.shard()
digits = load_digits()
X, y = digits.X_train[:301], digits.y_train[:301]
weight = np.random.default_rng(2).uniform(0.5, 2, size=301)
net = MLP(Architecture(64, (16,), 10, normalization="layer"), dtype="float64",
          initializer="he", rng=np.random.default_rng(0))
history = fit(net, (X, y, weight), loss="cross_entropy", optimizer="adam", n_epochs=3,
              batch_size=64, l2=0.01, l1=0.001, validation=0.3, rng=np.random.default_rng(1),
              callbacks=[DieOnRank1()] if "die" in sys.argv else [])
if rank == 0:
    print(json.dumps([history["train_loss"], history["validation_loss"],
                      history["validation_accuracy"], net.weights[0][0].ravel().tolist()]))
distributed.stop()
"""


def run(tmp_path, n_processes, *arguments):
    path = tmp_path / "job.py"
    path.write_text(SCRIPT)
    launch = [sys.executable]
    if n_processes:
        launch += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        launch += [str(n_processes)]
    return subprocess.run(
        [*launch, str(path), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_two_and_three_processes_tell_the_story_of_one(tmp_path):
    alone, two, three = (
        json.loads(run(tmp_path, n).stdout.strip().splitlines()[-1]) for n in (0, 2, 3)
    )
    for several in (two, three):
        for mine, other in zip(several, alone, strict=True):
            assert mine == pytest.approx(other, abs=1e-6)


def test_a_rank_that_dies_ends_the_job_with_an_error(tmp_path):
    started = time.monotonic()
    result = run(tmp_path, 2, "die")
    assert result.returncode != 0
    assert result.stdout.strip() == ""  # rank 0 did not end as if nothing had happened
    assert time.monotonic() - started < 120


def test_batch_normalisation_is_refused(tmp_path):
    path = tmp_path / "job.py"
    path.write_text(SCRIPT.replace('"layer"', '"batch"'))
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(path)],
        capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode != 0
    assert "normalization 'batch' cannot be trained in several processes" in result.stderr
