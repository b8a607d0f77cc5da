"""The BLAS library behind NumPy's matrix products, and how many threads it uses.

Libraries differ in which threads a limit applies to: OpenBLAS has one pool of threads for the whole
process, whereas MKL and OpenMP limit only the calling thread. To cover both, the caller sets a
limit, and each helper sets its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from multilayer import forks

__all__ = [
    "find_again",
    "has_wide_kernels",
    "library_of_numpy",
    "limit_this_thread",
    "n_threads",
    "single_threaded",
]

WIDE_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


class _State:
    """Which threads currently keep BLAS to one thread in this process."""

    lock = threading.RLock()
    holders: list[threading.Thread] = []
    """A thread appears once for each `single_threaded` block that it is in."""
    threads_before = 1
    limits: list[Any] = []
    """The limits in force: the first, and one more for each library found later."""


@cache
def _libraries() -> Any:
    """Return threadpoolctl's controller of the loaded BLAS libraries, among them NumPy's."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def find_again() -> None:
    """Look for BLAS libraries again after one has been loaded, and limit that one too."""
    with _State.lock:
        _libraries.cache_clear()
        if _State.holders:
            _take_over()
            _State.limits.append(_libraries().limit(limits=1))
            _take_over()


def library_of_numpy() -> dict[str, Any]:
    """Return threadpoolctl's description of NumPy's BLAS library; empty if it is not found.

    NumPy's wheels contain a BLAS library. Other builds of NumPy use a library
    outside ``site-packages``.
    """
    found = {Path(library["filepath"]).parts: library for library in _libraries().info()}
    for parts, library in found.items():
        if "numpy.libs" in parts or parts[-3:-1] == ("numpy", ".dylibs"):
            return library
    return next((found[parts] for parts in found if "site-packages" not in parts), {})


@cache
def has_wide_kernels() -> bool:
    """Return whether NumPy's BLAS is an OpenBLAS with kernels for AVX-512."""
    return library_of_numpy().get("architecture") in WIDE_KERNELS


def _take_over() -> None:
    """Let this thread set limits; threadpoolctl would let only the first thread limit OpenBLAS."""
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):  # since 3.7
        OpenBLASController.clear_controlling_thread(force=True)


def n_threads() -> int:
    """Return how many threads BLAS may use, which is also the largest number of workers.

    It depends on the environment (``OPENBLAS_NUM_THREADS``), the processors available to the
    process and `threadpoolctl.threadpool_limits`. If no BLAS library is found, it is 1.
    """
    with _State.lock:
        return _State.threads_before if _State.holders else _now()


def _now() -> int:
    return min((library["num_threads"] for library in _libraries().info()), default=1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep BLAS to one thread inside the block; blocks may overlap in any order."""
    holder = threading.current_thread()
    with _State.lock:
        if not _State.holders:
            _State.threads_before = _now()
            _take_over()
            _State.limits.append(_libraries().limit(limits=1))
        _State.holders.append(holder)
    try:
        yield
    finally:
        with _State.lock:
            if holder in _State.holders:  # False in a child forked by another thread
                _State.holders.remove(holder)
                _restore_if_free()


def _restore_if_free() -> None:
    """Give BLAS its threads back once no block of `single_threaded` is left."""
    if not _State.holders:
        _take_over()
        while _State.limits:
            _State.limits.pop().restore_original_limits()
        _take_over()  # so that any thread can set the next limit


def limit_this_thread() -> None:
    """Keep BLAS to one thread in the calling thread, a helper inside `single_threaded`."""
    with _State.lock:
        _take_over()
        _libraries().limit(limits=1)
        _take_over()


def _forget_other_threads() -> None:
    """In a forked child, forget the parent's other threads, which do not exist there."""
    if _State.holders:
        this_thread = threading.current_thread()
        _State.holders = [holder for holder in _State.holders if holder is this_thread]
        _restore_if_free()


forks.hold(_State.lock)
forks.in_child(_forget_other_threads)
