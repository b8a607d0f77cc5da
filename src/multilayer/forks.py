"""Forks: the locks that a fork must hold, and the repairs that a child process must make.

A fork copies all memory, but only the thread that forks. A lock that another thread holds at that
moment is never released in the child, and what it guards stays half done there. So a fork first
acquires these locks, and both parent and child release them. It waits for microseconds, or for
seconds while numba is being imported or is compiling.
"""

# These two modules also make a fork acquire locks, and the hook that was registered last runs
# first. We register after them: while a fork waits for our locks, it must not hold one that other
# threads need in order to go on, as imports need the lock of logging.
import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

__all__ = ["ReentrantLock", "hold", "imports", "in_child"]


class ReentrantLock(Protocol):
    """A lock that only the thread that acquired it can release, such as `threading.RLock`."""

    def acquire(self) -> object:
        """Wait for the lock and take it."""

    def release(self) -> None:
        """Release the lock; raise a RuntimeError if this thread does not hold it."""


imports = threading.RLock()
"""Held while another package is imported for the first time.

Python locks each module that is being imported, and a child would wait for that lock forever.
"""

_held: list[ReentrantLock] = [imports]


def hold(lock: ReentrantLock) -> None:
    """Make every fork hold a lock, so that in the child it is free and what it guards is intact.

    A thread that needs several of these locks must acquire them in the order in which they were
    added.
    """
    if lock not in _held:
        _held.append(lock)


def in_child(call: Callable[[], None]) -> None:
    """Make every child call a function, in its only thread, before it does anything else."""
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=call)


def _acquire() -> None:
    for lock in _held:
        lock.acquire()


def _release() -> None:
    for lock in reversed(_held):
        # We may not hold it: it was added meanwhile, or a signal interrupted the wait for it.
        with suppress(RuntimeError):
            lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
