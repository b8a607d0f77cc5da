"""Run: a training under way, as callbacks see it."""

import math
from typing import Any

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.groups import Arrays, join, part_of
from multilayer.training.engine import Trainer
from multilayer.training.history import History

__all__ = ["Run"]

_NUMBERS = ("epoch", "step", "is_under_way", "loss", "learning_rate", "factor", "stopped_by")


class Run:
    """A training under way.

    Attributes
    ----------
    trainer : Trainer
        What takes the steps.
    net : Net
        The network, which may be inspected and called.
    history : History
        The metrics of the epochs so far.
    n_epochs, n_steps : int
        How many epochs there are at most, and how many steps in each.
    epoch : int
        The epoch under way, from 1.
    step : int
        How many steps of this epoch are over.
    is_under_way : bool
        Whether the epoch has begun and is not yet over.
    loss : float
        The last step's loss; on a GPU, the last one that was read.
    learning_rate : float
        The last step's learning rate; NaN with L-BFGS, which has none.
    factor : float
        Multiplies the learning rate, in addition to the schedule; it may be changed after any step.
    monitor : str
        The metric by which epochs are judged.
    higher_is_better : bool
        Whether a higher value of it is better.
    keep_best : bool
        Whether the best epoch's weights are restored at the end, whatever ends the training.
    judges_start : bool
        Whether epochs are judged by a loss of the weights at their beginning.
    stopped_by : str
        Why the training stops; empty while it continues.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        n_epochs: int,
        n_steps: int,
        monitor: str,
        higher_is_better: bool,
    ) -> None:
        self.trainer = trainer
        self.net = trainer.net
        self.history = History()
        self.n_epochs = n_epochs
        self.n_steps = n_steps
        self.epoch = 0
        self.step = 0
        self.is_under_way = False
        self.loss = math.nan
        self.learning_rate = math.nan
        self._factor = 1.0
        self.monitor = monitor
        self.higher_is_better = higher_is_better
        self.keep_best = False
        self.stopped_by = ""
        self._best = math.nan
        self.judges_start = monitor == "train_loss" and trainer.learning_rate is not None
        self._best_snapshot = self._candidate = trainer.snapshot()

    @property
    def factor(self) -> float:
        """What multiplies the learning rate, beside the schedule: at least 0."""
        return self._factor

    @factor.setter
    def factor(self, value: float) -> None:
        self._factor = checks.real(value, "factor", "Run", "[0, inf)")

    def stop(self, reason: str) -> None:
        """Stop after the step or epoch under way; the reason goes into ``history.stopped_by``."""
        self.stopped_by = self.stopped_by or reason

    def is_better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Return whether a value of the monitored metric beats another by more than `by`."""
        if math.isnan(than):
            return not math.isnan(value)
        return value > than + by if self.higher_is_better else value < than - by

    def begin_epoch(self) -> None:
        """Begin the next epoch; keep the weights to which its training loss will belong."""
        self.epoch += 1
        self.step = 0
        self.is_under_way = True
        if self.judges_start:
            self._candidate = self.trainer.snapshot()

    def record(self, metrics: dict[str, float]) -> None:
        """Add an epoch's metrics to the history, and keep its weights if they are the best yet.

        A training loss is measured before each step: it belongs to the weights at the epoch's
        beginning.
        """
        value = metrics[self.monitor]
        if math.isnan(value):
            raise InvalidDataError(
                f"{self.monitor}, by which epochs are judged, is NaN in epoch {self.epoch}"
            )
        self.history.append(metrics)
        self.is_under_way = False
        if self.is_better(value, self._best):
            self._best = value
            self.history.best_epoch = self.epoch - self.judges_start
            self._best_snapshot = self._candidate if self.judges_start else self.trainer.snapshot()

    def restore_best(self) -> None:
        """Restore the best epoch's weights; the first ones if no epoch was judged."""
        self.trainer.set_state(join({"network": self._best_snapshot}))

    @property
    def is_judged(self) -> bool:
        """Whether an epoch is over and was judged."""
        return not math.isnan(self._best)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return what `set_state` restores: values for JSON, and arrays by name."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        numbers["best"] = self._best
        numbers["history"] = dict(self.history)
        numbers["best_epoch"] = self.history.best_epoch
        snapshots = {"best": self._best_snapshot}
        if self.judges_start and self.is_under_way:
            snapshots["candidate"] = self._candidate
        return numbers, join(snapshots)

    def set_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Restore what `state` returned, in a run with the same arguments."""
        for name in _NUMBERS:
            setattr(self, name, numbers[name])
        self._best = numbers["best"]
        self.history = History(numbers["history"])
        self.history.best_epoch = numbers["best_epoch"]
        self._best_snapshot = part_of(arrays, "best")
        self._candidate = part_of(arrays, "candidate")
