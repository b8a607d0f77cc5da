"""Workers: threads that each do their part of a step, as long as that pays off.

The threads of a BLAS library wait for each other in every matrix product; if another process takes
a core, every product waits for that core. Our threads wait for each other only twice per step, and
twice more for each batch normalisation; each of them uses single-threaded BLAS. The elapsed time of
a step is compared with the processor time spent on it. If waiting costs more than is gained in two
trials in a row, one thread does all parts until the next trial, in the same order and with the same
result.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np

from multilayer.numpy.fast.blas import limit_this_thread, n_threads, single_threaded
from multilayer.numpy.fast.standby import ASKED, BEGUN, DONE, Standby

__all__ = ["ALONE", "CHAINED", "Workers", "n_parts", "n_rewarding"]

P = TypeVar("P")
R = TypeVar("R")

WORK = 1e7
"""The floating-point operations that make a thread worth waking, if it calls kernels one by one."""
CHAINED = 3e6
"""The same for threads that make few compiled calls (see `chain`) and so wait less for Python."""
ROWS = 16
"""The minimum number of a worker's rows: products of fewer rows waste a core."""
TRIAL = 0.02
"""The length of a trial in seconds. Then it is decided whether several threads pay off."""
PAYS = 0.9
"""Threads pay off if they take less than this share of the time that one thread would need."""
PAUSE = 1.0
"""Seconds until the next trial after one that failed; doubled after each failure in a row."""
LONGEST_PAUSE = 8.0


def n_rewarding(n_operations: float, n_available: int, work: float | None = None) -> int:
    """Return how many of the available threads pay off for this many floating-point operations.

    Each thread must have at least `work` of them, by default `WORK`.
    """
    return max(1, min(n_available, int(n_operations / (work or WORK))))


def n_parts(n_rows: int, n_operations: float, n_available: int, work: float | None = None) -> int:
    """Return the number of threads that share a batch, which takes `n_operations` per row."""
    return max(1, min(n_rewarding(n_rows * n_operations, n_available, work), n_rows // ROWS))


class Workers:
    """The calling thread and n − 1 helpers.

    Parameters
    ----------
    n : int
        The total number of threads.
    keep_blas : bool
        Whether BLAS may use its own threads meanwhile; only for a single worker.

    Examples
    --------
    >>> workers = Workers(3)
    >>> workers.map(abs, [3, -4, 5])
    [3, 4, 5]
    >>> workers.stop()
    """

    def __init__(self, n: int, *, keep_blas: bool = False) -> None:
        self.n = n
        self._exit = ExitStack()
        if not keep_blas:
            self._exit.enter_context(single_threaded())
        self._call_helpers()
        self._has_run = False
        self._elapsed = self._worked = 0.0
        self._in_doubt, self._pause = False, PAUSE
        self._alone_until = 0.0

    @property
    def is_alone(self) -> bool:
        """Whether the calling thread currently does all parts."""
        return time.perf_counter() < self._alone_until

    @classmethod
    def for_batches(
        cls, n_rows: int, n_operations: float, work: float | None = None, *, by_rows: bool
    ) -> "Workers":
        """Return as many workers as pay off for batches of this many rows.

        Parameters
        ----------
        n_rows : int
        n_operations : float
            The floating-point operations per row.
        work : float, optional
            See `n_rewarding`.
        by_rows : bool
            Whether batches can be split.
        """
        rewarding = n_rewarding(n_rows * n_operations, n_threads(), work)
        n = n_parts(n_rows, n_operations, rewarding, work) if by_rows else 1
        # If a batch cannot be split, or only among few of many cores, let BLAS use its own threads.
        if rewarding >= 2 and (not by_rows or 4 * n <= rewarding):
            return cls(1, keep_blas=True)
        return cls(n)

    def map(self, work: Callable[[P], R], parts: Sequence[P]) -> list[R]:
        """Call ``work(part)`` for at most n parts in parallel; return all results.

        If a call raises an exception, it is raised here after all calls have ended.
        """
        if len(parts) == 1:
            return [work(parts[0])]
        if self.is_alone:
            return [work(part) for part in parts]
        if self._process != os.getpid():  # a forked child does not have its parent's threads
            self._call_helpers()
        started = time.perf_counter()
        begun: list[_Helper] = []
        try:
            for helper, part in zip(self._helpers[: len(parts) - 1], parts[1:], strict=True):
                helper.begin(partial(work, part))
                begun.append(helper)
            self._standby.call(len(begun))
            worked = time.thread_time()
            first = work(parts[0])
            worked = time.thread_time() - worked
        finally:
            for helper in begun:
                helper.wait()
        for helper in begun:
            if helper.error is not None:
                raise helper.error
            worked += helper.worked
        self._judge(time.perf_counter() - started, worked)
        return [first, *(helper.result for helper in begun)]

    def _call_helpers(self) -> None:
        self._standby = Standby(self.n - 1)
        self._helpers = [_Helper(number, self._standby) for number in range(self.n - 1)]
        self._process = os.getpid()

    def _judge(self, elapsed: float, worked: float) -> None:
        """Decide whether threads pay off, from a run's elapsed time and its processor time."""
        if not self._has_run:  # the first run also compiles and allocates memory
            self._has_run = True
            return
        self._elapsed += elapsed
        self._worked += worked
        if self._elapsed < TRIAL:
            return
        if self._elapsed <= PAYS * self._worked:
            self._in_doubt, self._pause = False, PAUSE
        elif not self._in_doubt:
            self._in_doubt = True  # another process may have had the core for a moment only
        else:
            self._alone_until = time.perf_counter() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._elapsed = self._worked = 0.0

    def stop(self) -> None:
        """End the helpers after their current work, and let BLAS use its own threads again."""
        helpers, self._helpers = self._helpers, []
        for helper in helpers:
            helper.stop()
        self.n = 1
        self._exit.close()


class _Helper:
    """A thread that waits for work."""

    def __init__(self, number: int, standby: Standby) -> None:
        self.number, self.standby, self.n_calls = number, standby, 0
        self.call: Callable[[], Any] | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.worked = 0.0
        self.called, self.done = threading.Lock(), threading.Lock()
        self.called.acquire()
        self.done.acquire()
        self.thread = threading.Thread(
            target=self._serve, name=f"multilayer-{number + 1}", daemon=True
        )
        self.thread.start()

    def begin(self, call: Callable[[], Any]) -> None:
        self.call, self.error = call, None
        self.n_calls += 1
        self.standby.want(self.number, self.n_calls)
        self.called.release()

    def wait(self) -> None:
        self.standby.look(self.number, DONE, self.n_calls)
        if not self.done.acquire(blocking=self.thread.is_alive()):
            # The parent's helper does not exist here, and its part may be half done.
            self.error = RuntimeError("a process forked during a step cannot finish that step")

    def stop(self) -> None:
        self.call = None
        with suppress(RuntimeError):  # already released, by an interrupted run
            self.called.release()
        self.standby.set(self.number, ASKED, self.n_calls + 1)
        self.thread.join()

    def _serve(self) -> None:
        limit_this_thread()
        # An overflow makes the loss infinite or NaN, which the loop checks.
        with np.errstate(over="ignore", invalid="ignore"):
            number = 0
            while True:
                self.standby.look(self.number, ASKED, number + 1)
                self.called.acquire()
                if self.call is None:
                    return
                number = self.n_calls
                self.standby.set(self.number, BEGUN, number)
                started = time.thread_time()
                try:
                    self.result = self.call()
                except BaseException as error:
                    self.error = error
                self.call = None  # keep nothing alive while waiting
                self.worked = time.thread_time() - started
                self.standby.set(self.number, DONE, number)
                self.done.release()


class _Alone:
    """A stand-in for `Workers` in a step that already runs as one thread's part."""

    n = 1

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
        return [work(part) for part in parts]

    def stop(self) -> None:
        pass


ALONE: Any = _Alone()
