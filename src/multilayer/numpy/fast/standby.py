"""Standby: threads that expect each other within moments wait without giving their cores away.

Waking a thread that sleeps takes 30 to 60 µs, longer than many a step. So whoever waits first looks
at a number in memory, again and again, for `SECONDS` at most; only then does it sleep on a lock.
The lock alone decides when the wait is over: without numba nobody looks, and nothing else changes.
"""

import time
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from multilayer.compiled import numba

__all__ = ["ASKED", "BEGUN", "DONE", "Standby"]

SECONDS = 125e-6
"""How long a thread looks before it sleeps."""
HEAD_START = 5e-6
"""How long the caller stays off Python's global lock once its helpers have begun. They need it to
enter their compiled passes, and two threads that want it at once put each other to sleep."""

WANTED, ASKED, BEGUN, DONE = range(4)
"""What is counted of each helper: the calls that it shall get, and those got, begun and ended."""
LINE = 8
"""Numbers in a cache line; one is used, so that no two threads write to the same line."""


class Standby:
    """The counts of some helpers' calls, at which they and their caller look.

    Parameters
    ----------
    n_helpers : int
    """

    def __init__(self, n_helpers: int) -> None:
        self._counts = np.zeros((n_helpers, 4, LINE), np.int64)
        self._of_helpers = list(self._counts)
        self._loops = _loops() if n_helpers else None

    def want(self, helper: int) -> None:
        """Count a call that `call` is going to hand over."""
        self._counts[helper, WANTED, 0] += 1

    def call(self, n_helpers: int) -> None:
        """Hand over what is wanted of the first helpers, and let them begin."""
        if self._loops is not None:
            self._loops.call(self._counts[:n_helpers], self._loops.turns, self._loops.head_start)

    def count(self, helper: int, what: int, count: int) -> None:
        """Set a helper's count: ``BEGUN`` or ``DONE``."""
        self._counts[helper, what, 0] = count

    def look(self, helper: int, what: int, count: int) -> None:
        """Wait for a helper's count, but no longer than `SECONDS`."""
        if self._loops is not None:
            self._loops.look(self._of_helpers[helper], what, count, self._loops.turns)


class _Loops:
    """The compiled loops, with the turns that take the time that they may."""

    def __init__(self, module: Any) -> None:
        self.look, self.call = module.look, module.call
        counts, turns = np.zeros((1, 4, LINE), np.int64), 4000
        self.call(counts, 1, 0)  # compiles
        self.look(counts[0], DONE, 1, 1)
        started = time.perf_counter()
        self.look(counts[0], DONE, 1, turns)
        turns_per_second = turns / (time.perf_counter() - started)
        self.turns = int(SECONDS * turns_per_second)
        self.head_start = int(HEAD_START * turns_per_second)


@cache
def _loops() -> _Loops | None:
    """Return the compiled loops, or None without numba."""
    if numba() is None:
        return None
    return _Loops(import_module("multilayer.numpy.fast.standby_loops"))
