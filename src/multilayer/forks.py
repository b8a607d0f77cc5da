"""Forks: what a child finds locked, and what it has to put right.

A fork copies all memory, but of the threads only the one that forks. A lock that another thread
holds at that moment is never released in the child, and what it guards stays half done there. So a
fork takes such locks first: it waits until they are free, and gives them back on both sides. That
is microseconds, or the seconds in which numba is imported or compiles.
"""

# These two have a fork take locks of theirs, the last to come first. They come before: who waits
# here must not hold what those that it waits for may want, as imports want the lock of loggers.
import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

__all__ = ["ReentrantLock", "hold", "imports", "in_child"]


class ReentrantLock(Protocol):
    """Such as `threading.RLock`: only the thread that has acquired it can release it."""

    def acquire(self) -> object:
        """Wait until it is this thread's."""

    def release(self) -> None:
        """Give it back; a RuntimeError if it is not this thread's."""


imports = threading.RLock()
"""To be held while another package is imported for the first time.

Python has a lock for each module that is being imported, which a child would wait for in vain.
"""

_held: list[ReentrantLock] = [imports]


def hold(lock: ReentrantLock) -> None:
    """Have every fork hold a lock, so that the child finds it free, and whole what it guards.

    A thread that takes several of these locks takes them in the order in which they came here.
    """
    if lock not in _held:
        _held.append(lock)


def in_child(call: Callable[[], None]) -> None:
    """Have a function called in every child, by its only thread, before it does anything else."""
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=call)


def _acquire() -> None:
    for lock in _held:
        lock.acquire()


def _release() -> None:
    for lock in reversed(_held):
        # It may not be ours: come since, or a signal ended the wait for it.
        with suppress(RuntimeError):
            lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
