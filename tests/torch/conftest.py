"""What the tests of the PyTorch engine share."""

import json
import os
import subprocess
import sys

import pytest
import torch
from filelock import FileLock


@pytest.fixture(autouse=True)
def repeatable():
    """Small products are faster, and their sums repeatable, in one thread; so are drawn weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Return a function that makes something once, though tests run in several processes.

    It takes a name, and a function that is given a folder and returns values for JSON; it returns
    these values and the folder.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def run(name, make):
        folder = base / name
        made = folder / "made.json"
        with FileLock(base / f"{name}.lock"):
            if not made.exists():
                folder.mkdir(exist_ok=True)
                made.write_text(json.dumps(make(folder)))
            return json.loads(made.read_text()), folder

    return run


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
            # A process that ends by a signal says where.
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
        )

    return run
