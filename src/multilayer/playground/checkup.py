"""Checkup: the doctor's findings on a training run, from a background thread."""

import threading
import time
from copy import deepcopy
from typing import Any

import numpy as np

from multilayer.doctor import diagnose
from multilayer.doctor.finding import in_words
from multilayer.errors import MultilayerError
from multilayer.playground.training import Training

__all__ = ["Checkup"]

EVERY = 3.0
"""Minimum number of seconds between two examinations."""
RESTS = 4.0
"""After an examination, wait this many times as long as it took."""
FIRST = 20
"""Number of epochs before the first examination: bad values are normal at the beginning."""
MOST = 1_000
"""Maximum number of training and of validation samples examined."""
ALONE = threading.Lock()
"""Only one session is examined at a time, so that examinations do not slow training down."""


class Checkup:
    """Examines a training run now and then, and once more when it pauses."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._result: list[dict[str, Any]] | None = None
        self._next = 0.0
        self._examined = 0, 0

    @property
    def is_under_way(self) -> bool:
        """Whether an examination is running, or its result has not been returned yet."""
        return self._thread is not None

    def look(self, training: Training, *, is_playing: bool) -> list[dict[str, Any]] | None:
        """Return the findings of an examination that has ended, or start one if it is time."""
        if self._thread is not None:
            if self._thread.is_alive():
                return None
            self._thread, found = None, self._result
            return found
        run = training.loop.run
        now = time.monotonic()
        place = run.epoch, run.step
        if run.n_complete < FIRST or place == self._examined or (is_playing and now < self._next):
            return None
        self._examined = place
        samples, every = training.samples, training.targets
        held_out = samples.held_out[:MOST]
        case = {
            "net_or_estimator": training.net.copy(),
            "X": samples.X[samples.rows[:MOST]],
            "y": every[samples.rows[:MOST]],
            "loss": training.loss,
            "history": deepcopy(training.history),
            "optimizer": training.optimizer,
            "validation": (samples.X[held_out], every[held_out]) if len(held_out) else None,
        }
        self._thread = threading.Thread(target=self._examine, args=(case,), daemon=True)
        self._thread.start()
        return None

    def _examine(self, case: dict[str, Any]) -> None:
        started = time.monotonic()
        try:
            with ALONE, np.errstate(all="ignore"):
                found = diagnose(**case)
            self._result = [
                each.to_dict() | {"evidence": in_words(each.evidence)} for each in found
            ]
        except MultilayerError:  # samples that cannot be examined, such as a single one
            self._result = []
        now = time.monotonic()
        self._next = now + max(EVERY, RESTS * (now - started))
