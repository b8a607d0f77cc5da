"""Turns: sessions that compute at once do so a few at a time, one after the other.

Python lets one thread run at a time and does not care which: with twenty trainings, each call that
lets go of its lock waits for all others. So a session that plays asks for a turn, of some
milliseconds, and gets it in the order in which sessions have asked.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TURNS", "Turns"]


class Turns:
    """Lets so many threads compute at once, in the order in which they asked.

    Parameters
    ----------
    n : int
        How many.

    Examples
    --------
    >>> turns = Turns(1)
    >>> with turns.take():
    ...     turns.n_waiting
    0
    """

    def __init__(self, n: int) -> None:
        self._n_free = n
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    @property
    def n_waiting(self) -> int:
        """How many threads wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, and give it to the one who has waited longest at the end."""
        with self._lock:
            is_free = self._n_free > 0
            if is_free:
                self._n_free -= 1
            else:
                gate = threading.Lock()
                gate.acquire()
                self._waiting.append(gate)
        if not is_free:
            gate.acquire()  # until another thread opens it
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._n_free += 1


TURNS = Turns(os.cpu_count() or 1)
"""Those of all sessions of this process."""
