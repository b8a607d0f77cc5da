"""Turns: a limit on the number of sessions that compute at the same time.

Python runs one thread at a time and chooses it arbitrarily: with twenty training runs, each call
that releases the interpreter lock waits for all others. Therefore, a session that trains waits for
a turn of some milliseconds; turns are given in the order of the requests.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TURNS", "Turns"]


class Turns:
    """A semaphore that serves waiting threads in the order of their requests.

    Parameters
    ----------
    n : int
        Maximum number of threads that compute at the same time.

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
        """Number of threads that wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn; at the end, pass it to the thread that has waited longest."""
        with self._lock:
            is_free = self._n_free > 0
            if is_free:
                self._n_free -= 1
            else:
                gate = threading.Lock()
                gate.acquire()
                self._waiting.append(gate)
        if not is_free:
            gate.acquire()  # blocks until another thread releases it
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._n_free += 1


TURNS = Turns(os.cpu_count() or 1)
"""The turns of all sessions in this process."""
