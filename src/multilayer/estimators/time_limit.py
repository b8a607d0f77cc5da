"""TimeLimit: how much to train in a given time, and what the limit costs."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from multilayer.data.folds import Split
from multilayer.doctor import Finding
from multilayer.estimators.engines import is_time_to_agree
from multilayer.ranks import ALONE, Ranks
from multilayer.training import Callback, History, Run

__all__ = ["TimeLimit", "members_in_time"]

ENOUGH = 8
"""If there is no time for this many epochs, fewer networks are trained."""
JUDGING = 1.2
"""How much longer an epoch takes than its steps."""
STALLED = 3
"""A loss that was lowest this many epochs ago is no longer falling."""
N_STEPS = 8
"""How many steps are timed."""
SHARE = 0.02
"""The share of the limit after which the timing ends, however few the steps."""


class TimeLimit(Callback):
    """A callback that ends training a given time after its creation, but not in the first epoch.

    Parameters
    ----------
    seconds : float
    ranks : Ranks
        The processes that train; the clock is that of the first.
    """

    def __init__(self, seconds: float, ranks: Ranks = ALONE) -> None:
        self.seconds, self.ranks = seconds, ranks
        self._begun = time.monotonic()

    @property
    def left(self) -> float:
        """The seconds left."""
        return self.ranks.first(self.seconds - (time.monotonic() - self._begun))

    def on_step_end(self, run: Run) -> None:
        """Stop if time is up."""
        if run.epoch > 1 and is_time_to_agree(run, self.ranks) and self.left < 0:
            run.stop("time_limit")

    def n_members(self, n_members: int, epoch: float) -> int:
        """Return how many networks can be trained for `ENOUGH` epochs; at least 2.

        Each of K networks trains on K − 1 of K parts of the rows, so that the time of an epoch is
        proportional to K − 1.

        Parameters
        ----------
        n_members : int
            The intended number of networks.
        epoch : float
            The seconds that an epoch of that many networks takes.

        Examples
        --------
        >>> TimeLimit(60.0).n_members(8, 1.0), TimeLimit(60.0).n_members(8, 15.0)
        (8, 3)
        """
        share = self.left / (ENOUGH * JUDGING * epoch)
        return n_members if share >= 1 else max(2, 1 + int((n_members - 1) * share))

    def finding(self, n_members: int, n_asked: int, history: History) -> Finding | None:
        """Return what the limit cost a training run with this history; None if nothing."""
        n_epochs, is_cut = history.n_epochs, history.stopped_by == "time_limit"
        if n_members == n_asked and not is_cut:
            return None
        networks = f"{n_members} of {n_asked}" if n_members < n_asked else f"{n_members}"
        epochs = f", for {n_epochs} epochs" if is_cut else ""
        if is_cut and n_epochs - history.best_epoch < STALLED:
            epochs += ", and the loss was still falling"
        return Finding(
            "time_limit",
            "warning",
            {"seconds": self.seconds, "networks": networks, "epochs": n_epochs},
            f"In the time_limit of {self.seconds:g} s, {networks} networks were trained{epochs}.",
            "With more time, the model could be better.",
        )


def members_in_time(
    limit: TimeLimit,
    splits: list[Split],
    train: Callable[..., tuple[Any, str]],
    batch_size: int,
    share: float = 1.0,
) -> int:
    """Return how many networks to train, estimated by timing a few steps with all of them.

    Parameters
    ----------
    limit : TimeLimit
    splits : list of pairs of arrays
        The rows that each network would train on, and those that would judge it.
    train : callable
        Takes splits, callbacks and a generator; returns networks, and what ended training.
    batch_size : int
        The number of rows in a step.
    share : float
        The number of rows in an epoch, divided by that in the splits.
    """
    watch = _Stopwatch(limit)
    _, stopped_by = train(splits, [watch], np.random.default_rng(0))
    if stopped_by == "interrupt":
        raise KeyboardInterrupt
    n_rows = share * max(len(training) for training, _ in splits)
    n_steps = math.ceil(n_rows / batch_size)
    return limit.n_members(len(splits), n_steps * limit.ranks.first(watch.seconds))


class _Stopwatch(Callback):
    """A callback that times some steps after the first, which may compile, and ends training.

    Parameters
    ----------
    limit : TimeLimit
        The time limit of the whole fit.

    Attributes
    ----------
    seconds : float
        The mean time of a step.
    """

    def __init__(self, limit: TimeLimit) -> None:
        self._most, self._ranks = SHARE * limit.seconds, limit.ranks
        self._n_steps = -1

    def on_step_end(self, run: Run) -> None:
        """Update the time of a step; stop after enough steps, or when they take too long."""
        now = time.monotonic()
        self._n_steps += 1
        if self._n_steps == 0:
            self._begun = now
            return
        self.seconds = (now - self._begun) / self._n_steps
        is_late = self._ranks.first(now - self._begun > self._most)
        if self._n_steps >= N_STEPS or is_late:
            run.stop("stopwatch")
