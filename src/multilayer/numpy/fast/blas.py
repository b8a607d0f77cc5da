"""How many threads the BLAS library behind NumPy's matrix products uses.

The libraries differ in whose threads a limit holds for: OpenBLAS's own threads are one pool for the
process, those of MKL and of OpenMP are limited for the calling thread alone. Here both are covered:
a limit is set by who asks for it, and by each helper for itself.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from multilayer import forks

__all__ = ["limit_this_thread", "n_threads", "single_threaded"]


class _State:
    """Who holds BLAS to one thread in this process."""

    lock = threading.RLock()
    holders: list[threading.Thread] = []
    """The threads that have asked for it, once for each time."""
    threads_before = 1
    limit: Any = None


@cache
def _libraries() -> Any:
    """Return threadpoolctl's view of the BLAS libraries; NumPy's is there in any case."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _take_over() -> None:
    """Let this thread set limits: of OpenBLAS, threadpoolctl grants that to one, for good."""
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):  # since 3.7
        OpenBLASController.clear_controlling_thread(force=True)


def n_threads() -> int:
    """Return how many threads BLAS may use, which is how many workers are welcome.

    It is what the environment (``OPENBLAS_NUM_THREADS``), the process's processors and
    `threadpoolctl.threadpool_limits` have left; 1 where BLAS does not tell.
    """
    with _State.lock:
        return _State.threads_before if _State.holders else _now()


def _now() -> int:
    return min((library["num_threads"] for library in _libraries().info()), default=1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep BLAS to one thread inside; several trainings at once may overlap in any order."""
    holder = threading.current_thread()
    with _State.lock:
        if not _State.holders:
            _State.threads_before = _now()
            _take_over()
            _State.limit = _libraries().limit(limits=1)
        _State.holders.append(holder)
    try:
        yield
    finally:
        with _State.lock:
            if holder in _State.holders:  # unless another thread's was left in a child
                _State.holders.remove(holder)
                _restore_if_free()


def _restore_if_free() -> None:
    """Give BLAS its own threads back if nobody holds it any more."""
    if not _State.holders:
        _take_over()
        _State.limit.restore_original_limits()
        _take_over()  # and leave it to whoever comes next


def limit_this_thread() -> None:
    """Keep BLAS to one thread where the calling thread uses it: for helpers, while all are."""
    with _State.lock:
        _take_over()
        _libraries().limit(limits=1)
        _take_over()


def _forget_other_threads() -> None:
    """In a child, keep only what its thread holds: the parent's other threads are not there."""
    if _State.holders:
        this_thread = threading.current_thread()
        _State.holders = [holder for holder in _State.holders if holder is this_thread]
        _restore_if_free()


forks.hold(_State.lock)
forks.in_child(_forget_other_threads)
