"""The machine: what it is, whether it is idle, and how fast it multiplies matrices."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
import torch

from turns import Turn

__all__ = [
    "IDLE",
    "PATIENCE",
    "busy_core",
    "busy_cores",
    "describe",
    "matrix_products",
    "n_cores",
    "product_rate",
    "share_threads",
    "wait_until_idle",
]

SIDE = 2048
"""The number of rows and columns of the matrices whose product sets the limit."""
IDLE = 0.15
"""The machine is idle if other processes keep at most this many cores busy, on average."""
PATIENCE = 60
"""Seconds to wait until the machine is idle."""
MOMENTS = 2.0
"""Seconds over which the load is measured."""
PACKAGES = ("multilayer", "numpy", "scipy", "numba", "torch", "scikit-learn")


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_threads() -> int:
    """Give BLAS as many threads as PyTorch for the rest of the process; return the number."""
    n = torch.get_num_threads()
    threadpoolctl.threadpool_limits(n, user_api="blas")
    return n


def describe() -> dict[str, Any]:
    """Return the machine, the versions and the date, without names of users, hosts or folders."""
    libraries = threadpoolctl.threadpool_info()
    return {
        "cpu": _cpu_model(),
        "cores": n_cores(),
        "threads": torch.get_num_threads(),
        "blas": sorted(
            {
                f"{library['internal_api']} {library['version']}, {library['num_threads']} threads"
                for library in libraries
                if library["user_api"] == "blas"
            }
        ),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def busy_cores(seconds: float = MOMENTS) -> float:
    """Measure how many cores are busy on average for these seconds.

    If the system does not report that, return the load average of the last minute.
    """
    before = _ticks()
    if before is None:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    time.sleep(seconds)
    after = _ticks()
    assert after is not None
    busy, total = (b - a for a, b in zip(before, after, strict=True))
    return (os.cpu_count() or 1) * busy / max(total, 1)


def _ticks() -> tuple[int, int] | None:
    """Return the system's ticks since it started: those of busy cores, and all of them.

    Time that a virtual machine loses to its host counts as busy.
    """
    try:
        counts = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    idle = counts[3] + counts[4]
    return sum(counts) - idle, sum(counts)


def wait_until_idle(patience: float) -> float:
    """Wait until the machine is idle, for at most `patience` seconds; return the last load."""
    deadline = time.monotonic() + patience
    while True:
        load = busy_cores()
        if load <= IDLE or time.monotonic() > deadline:
            return load


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep the last core that this process may use busy with another process."""
    pin = ""
    if hasattr(os, "sched_getaffinity"):
        pin = f"import os; os.sched_setaffinity(0, {{{max(os.sched_getaffinity(0))}}})\n"
    process = subprocess.Popen([sys.executable, "-c", pin + "while True: pass"])
    try:
        time.sleep(0.5)  # until the process has started
        yield
    finally:
        process.kill()
        process.wait()


def matrix_products(tries: int) -> dict[str, Turn]:
    """Return turns that multiply two float32 matrices with NumPy and with PyTorch."""
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    C = np.empty_like(A)
    tensors = [torch.from_numpy(M) for M in (A, B, C)]

    def by_numpy() -> list[float]:
        return [_seconds_of(lambda: np.matmul(A, B, out=C)) for _ in range(tries)]

    def by_torch() -> list[float]:
        a, b, c = tensors
        return [_seconds_of(lambda: torch.mm(a, b, out=c)) for _ in range(tries)]

    return {"product, numpy": by_numpy, "product, torch": by_torch}


def product_rate(seconds: dict[str, list[list[float]]]) -> float:
    """Return operations per second: the best of all tries of `matrix_products` in these turns."""
    tries = [s for name, rounds in seconds.items() if "product" in name for r in rounds for s in r]
    return 2 * SIDE**3 / min(tries)


def _seconds_of(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
