"""Standby: threads poll before they sleep, because their wait is usually short.

Waking a sleeping thread takes 30 to 60 µs, a sizeable part of many steps. So a waiting thread first
polls a number in memory, for at most `SECONDS`, and only then sleeps on a lock. Only the lock
decides when the wait is over. Without numba, no thread polls, but nothing else changes.
"""

import time
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from multilayer import forks
from multilayer.compiled import numba

__all__ = ["ASKED", "BEGUN", "DONE", "WANTED", "Standby"]

SECONDS = 125e-6
"""How long a thread polls before it sleeps."""
HEAD_START = 5e-6
"""How long the caller does not take Python's global lock once its helpers have begun. They need the
lock to enter their compiled passes; if two threads want it at once, one of them is put to sleep."""
WANTED, ASKED, BEGUN, DONE = range(4)
"""The places of a helper's four numbers: the last call that is prepared for it, handed over, begun
and done."""
SHORTEST = 1e-10
"""The least time of a turn, in seconds: a coarse clock may measure 0."""
LINE = 8
"""Numbers in a cache line. Only one is used, so that no two threads write to the same line."""


class Standby:
    """The numbers of the helpers' last calls, which the helpers and their caller poll.

    Parameters
    ----------
    n_helpers : int
    """

    def __init__(self, n_helpers: int) -> None:
        self._numbers = np.zeros((n_helpers, 4, LINE), np.int64)
        self._of_helpers = list(self._numbers)
        self._loops = _loops() if n_helpers else None

    def want(self, helper: int, number: int) -> None:
        """Set the number of the call that `call` is to hand over to a helper (`WANTED`)."""
        self._of_helpers[helper][WANTED, 0] = number

    def call(self, n_helpers: int) -> None:
        """Hand the prepared calls over to the first helpers, and let them begin."""
        if self._loops is not None:
            self._loops.call(self._numbers[:n_helpers], self._loops.turns, self._loops.head_start)

    def set(self, helper: int, what: int, number: int) -> None:
        """Set the number of the call that a helper has got (`ASKED`), begun or done."""
        self._of_helpers[helper][what, 0] = number

    def look(self, helper: int, what: int, number: int) -> None:
        """Wait until a helper's number reaches `number`, but no longer than `SECONDS`."""
        if self._loops is not None:
            self._loops.look(self._of_helpers[helper], what, number, self._loops.turns)


class _Loops:
    """The compiled loops, and how many of their turns take `SECONDS` and `HEAD_START`."""

    def __init__(self, module: Any) -> None:
        self.look, self.call = module.look, module.call
        numbers, n = np.zeros((1, 4, LINE), np.int64), 1000
        self.call(numbers, 1, 0)  # compiles
        turn = max(min(self._seconds(numbers[0], n) for _ in range(5)) / n, SHORTEST)
        self.turns, self.head_start = int(SECONDS / turn), int(HEAD_START / turn)

    def _seconds(self, numbers: Any, n: int) -> float:
        started = time.perf_counter()
        self.look(numbers, DONE, 1, n)
        return time.perf_counter() - started


@cache
def _loops() -> _Loops | None:
    """Return the compiled loops, or None without numba."""
    with forks.imports:
        if numba() is None:
            return None
        return _Loops(import_module("multilayer.numpy.fast.standby_loops"))
