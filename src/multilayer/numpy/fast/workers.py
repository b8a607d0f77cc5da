"""Workers: threads that each do their own part of a step, as long as that pays.

A BLAS library with threads of its own makes them wait for each other in every matrix product. Where
another process takes one of the cores, each product then waits until that core comes back. Here the
threads meet twice in a step, BLAS runs single-threaded inside each, and the time that a step takes
is held against the time that the processor worked for it: where waiting eats up the gain, one
thread does all parts, in the same order and with the same result, until a new trial says otherwise.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

__all__ = ["Workers", "n_threads", "single_threaded_blas"]

TRIAL = 0.02
"""Seconds of work after which it is judged whether several threads pay."""
PAYS = 0.9
"""They pay if the work takes less than this share of the time that one thread would need."""
PAUSE = 0.5
"""Seconds until the next trial after one that did not pay; twice as long after each in a row."""
LONGEST_PAUSE = 4.0


@cache
def _blas() -> Any:
    """Return threadpoolctl's view of the BLAS that NumPy uses."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def n_threads() -> int:
    """Return how many threads BLAS may use, which is how many workers are welcome.

    It is what the environment (``OPENBLAS_NUM_THREADS``), the process's processors and
    `threadpoolctl.threadpool_limits` have left; 1 where BLAS does not tell.
    """
    with _limit_lock:
        if _limit_depth:
            return _limit_before
    return max((library["num_threads"] for library in _blas().info()), default=1)


_limit_lock = threading.Lock()
_limit_depth = 0
_limit_before = 1
_limit: Any = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS to one thread inside; several trainings at once may overlap in any order."""
    global _limit_depth, _limit_before, _limit
    before = n_threads()
    with _limit_lock:
        if _limit_depth == 0:
            _limit_before = before
            _limit = _blas().limit(limits=1)
        _limit_depth += 1
    try:
        yield
    finally:
        with _limit_lock:
            _limit_depth -= 1
            if _limit_depth == 0:
                _limit.restore_original_limits()


class Workers:
    """The calling thread and n − 1 helpers.

    Parameters
    ----------
    n : int
        How many threads there are in all.

    Examples
    --------
    >>> parts = [0, 0, 0]
    >>> def work(part):
    ...     parts[part] += part
    >>> workers = Workers(3)
    >>> workers.run(work, 3)
    >>> workers.stop()
    >>> parts
    [0, 1, 2]
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._helpers = [_Helper(part) for part in range(1, n)]
        self._has_run = False
        self._elapsed = self._worked = 0.0
        self._pause = PAUSE
        self._alone_until = 0.0

    @property
    def is_alone(self) -> bool:
        """Whether the calling thread does all parts for the time being."""
        return self.n == 1 or time.perf_counter() < self._alone_until

    def run(self, work: Callable[[int], None], n: int) -> None:
        """Call ``work(part)`` for n parts, side by side, and return when all are done.

        An exception in any of them is raised here, after all have ended.
        """
        started = time.perf_counter()
        if started < self._alone_until:
            for part in range(n):
                work(part)
            return
        worked = time.thread_time()
        helpers = self._helpers[: n - 1]
        for helper in helpers:
            helper.begin(work)
        try:
            work(0)
        finally:
            worked = time.thread_time() - worked
            for helper in helpers:
                worked += helper.wait()
        for helper in helpers:
            helper.raise_error()
        self._judge(time.perf_counter() - started, worked)

    def _judge(self, elapsed: float, worked: float) -> None:
        """Take in how long a run took and how long the threads worked in it."""
        if not self._has_run:  # the first run compiles, and allocates its memory
            self._has_run = True
            return
        self._elapsed += elapsed
        self._worked += worked
        if self._elapsed < TRIAL:
            return
        if self._elapsed > PAYS * self._worked:
            self._alone_until = time.perf_counter() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        else:
            self._pause = PAUSE
        self._elapsed = self._worked = 0.0

    def stop(self) -> None:
        """End the helpers."""
        for helper in self._helpers:
            helper.stop()
        self._helpers = []
        self.n = 1


class _Helper:
    """A thread that waits for work."""

    def __init__(self, part: int) -> None:
        self.part = part
        self.work: Callable[[int], None] | None = None
        self.error: BaseException | None = None
        self.worked = 0.0
        self.called, self.done = threading.Lock(), threading.Lock()
        self.called.acquire()
        self.done.acquire()
        self.thread = threading.Thread(target=self._serve, name=f"multilayer-{part}", daemon=True)
        self.thread.start()

    def begin(self, work: Callable[[int], None]) -> None:
        self.work = work
        self.called.release()

    def wait(self) -> float:
        """Return the processor's time, when the work is done."""
        self.done.acquire()
        return self.worked

    def raise_error(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def stop(self) -> None:
        self.work = None
        self.called.release()
        self.thread.join()

    def _serve(self) -> None:
        # What overflows shows in the loss, which the loop looks at.
        with np.errstate(over="ignore", invalid="ignore"):
            while True:
                self.called.acquire()
                if self.work is None:
                    return
                started = time.thread_time()
                try:
                    self.work(self.part)
                except BaseException as error:
                    self.error = error
                self.worked = time.thread_time() - started
                self.done.release()
