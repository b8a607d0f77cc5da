"""Workers: threads that each do their own part of a step, as long as that pays.

A BLAS library with threads of its own makes them wait for each other in every matrix product. Where
another process takes one of the cores, each product then waits until that core comes back. Here the
threads meet twice in a step, BLAS runs single-threaded inside each, and the time that a step takes
is held against the time that the processor worked for it: where waiting eats up the gain, one
thread does all parts, in the same order and with the same result, until a new trial says otherwise.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from multilayer.numpy.fast import blas

__all__ = ["Workers"]

TRIAL = 0.02
"""Seconds of work after which it is judged whether several threads pay."""
PAYS = 0.9
"""They pay if the work takes less than this share of the time that one thread would need."""
PAUSE = 1.0
"""Seconds until the next trial after one that did not pay; twice as long after each in a row."""
LONGEST_PAUSE = 8.0


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
        self._call_helpers()
        self._has_run = False
        self._elapsed = self._worked = 0.0
        self._pause = PAUSE
        self._alone_until = 0.0

    @property
    def is_alone(self) -> bool:
        """Whether the calling thread does all parts for the time being."""
        return time.perf_counter() < self._alone_until

    def run(self, work: Callable[[int], None], n: int) -> None:
        """Call ``work(part)`` for n parts, side by side, and return when all are done.

        An exception in any of them is raised here, after all have ended.
        """
        if self.is_alone:
            for part in range(n):
                work(part)
            return
        if self._process != os.getpid():  # a child has the memory of its parent, not the threads
            self._call_helpers()
        started = time.perf_counter()
        worked = time.thread_time()
        begun: list[_Helper] = []
        try:
            for helper in self._helpers[: n - 1]:
                helper.begin(work)
                begun.append(helper)
            work(0)
        finally:
            worked = time.thread_time() - worked
            for helper in begun:
                worked += helper.wait()
        for helper in begun:
            if helper.error is not None:
                raise helper.error
        self._judge(time.perf_counter() - started, worked)

    def _call_helpers(self) -> None:
        self._helpers = [_Helper(part) for part in range(1, self.n)]
        self._process = os.getpid()

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
        """End the helpers, each after what it is at."""
        helpers, self._helpers = self._helpers, []
        for helper in helpers:
            helper.stop()
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
        self.work, self.error = work, None
        self.called.release()

    def wait(self) -> float:
        """Return the processor's time, when the work is done."""
        if self.done.acquire(blocking=self.thread.is_alive()):
            return self.worked
        # What the parent's thread has left half done may not be begun anew.
        self.error = RuntimeError("a child that is forked by a step cannot end this step")
        return 0.0

    def stop(self) -> None:
        self.work = None
        with suppress(RuntimeError):  # called already, by a run that was interrupted
            self.called.release()
        self.thread.join()

    def _serve(self) -> None:
        blas.limit_this_thread()
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
                self.work = None  # a thread that waits keeps nothing alive
                self.worked = time.thread_time() - started
                self.done.release()
