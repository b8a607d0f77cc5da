"""What the tests of the PyTorch engine share."""

import os
import subprocess
import sys

import pytest
import torch


@pytest.fixture(autouse=True)
def repeatable():
    """Small products are faster, and their sums repeatable, in one thread; so are drawn weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    """Return a function that runs a script in some processes, or in one without torchrun."""

    def run(script, n_processes, *arguments):
        path = tmp_path_factory.mktemp("ranks") / "job.py"
        path.write_text(script)
        command = [sys.executable]
        if n_processes:
            command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            command += [str(n_processes)]
        return subprocess.run(
            [*command, str(path), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    return run
