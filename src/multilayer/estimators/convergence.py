"""When scikit-learn's MLP stops, what it prints, and how it lowers its learning rate."""

import math
from dataclasses import dataclass

from multilayer.estimators.settings import Settings
from multilayer.numpy.schedules import Plateau, Schedule
from multilayer.training import Callback, History, Run

__all__ = ["Convergence", "InverseScalingByEpoch"]

LEAST_RATE = 1e-6
"""At this learning rate, ``"adaptive"`` stops instead of lowering it further."""
DIVISOR = 5.0
JUDGED = {
    "train_loss": "Training loss",
    "validation_loss": "Validation loss",
    "validation_score": "Validation score",
}
"""How each monitored value is printed; the first and the last as in scikit-learn."""


class Convergence(Callback):
    """A callback that stops after too many epochs without improvement, and prints each epoch.

    The best value so far includes improvements below the tolerance.

    Parameters
    ----------
    index : int
        The position of the member that it judges.
    settings : Settings
        With the schedule ``"adaptive"``, the rate is divided by 5 instead of stopping, down to
        10⁻⁶.
    best : float
        The best value of the earlier training run that this one continues.
    n_stalled : int
        The number of epochs since the last improvement.
    factor : float
        The current factor of the learning rate.

    Attributes
    ----------
    history : History
        The history of the training run, even of one that ends in an error.
    member : Member
        The member that it judges, once training has begun.
    """

    def __init__(
        self, settings: Settings, index: int, *, best: float, n_stalled: int, factor: float
    ) -> None:
        self.settings, self.index = settings, index
        self.best, self.n_stalled, self.factor = best, n_stalled, factor
        self.history = History()

    def on_train_begin(self, run: Run) -> None:
        """Find the member, and keep the best epoch's weights if the settings say so."""
        self.member = run.members[self.index]
        self.history = self.member.history
        self.member.factor = self.factor
        run.keep_best = self.settings.keeps_best

    def on_epoch_end(self, run: Run) -> None:
        """Judge the epoch, unless the member stopped before it."""
        history = self.history
        if history.n_epochs < run.epoch:
            return
        self._say(f"Iteration {run.epoch}, loss = {history['train_loss'][-1]:.8f}")
        if "validation_score" in history:
            self._say(f"Validation score: {history['validation_score'][-1]:f}")
        monitor, tol = self.settings.monitor, self.settings.tol
        value = history[monitor][-1]
        if monitor == "validation_score":
            has_improved = value >= self.best + tol
            self.best = max(value, self.best)
        else:
            has_improved = value <= self.best - tol
            self.best = min(value, self.best)
        self.n_stalled = 0 if has_improved else self.n_stalled + 1
        if self.n_stalled > self.settings.patience:
            self._end()

    def _end(self) -> None:
        """Stop, or lower the learning rate and continue."""
        settings = self.settings
        why = (
            f"{JUDGED[settings.monitor]} did not improve more than tol={settings.tol:f} for "
            f"{settings.patience:.0f} consecutive epochs."
        )
        rate = settings.optimizer.learning_rate if settings.schedule == "adaptive" else None
        if rate is None:
            self._say(f"{why} Stopping.")
        elif rate * self.factor <= LEAST_RATE:
            self._say(f"{why} Learning rate too small. Stopping.")
        else:
            self.factor = self.member.factor = self.factor / DIVISOR
            self.n_stalled = 0
            self._say(f"{why} Setting learning rate to {rate * self.factor:f}")
            return
        self.member.stop("early_stopping" if settings.keeps_best else "converged")

    def _say(self, line: str) -> None:
        if self.settings.verbose:
            print(line)


@dataclass(frozen=True)
class InverseScalingByEpoch(Schedule):
    """The factor (1 + m)^(−power) in an epoch, where m samples have been seen before the epoch.

    Parameters
    ----------
    power : float
        Above 0.
    n_samples : float
        Samples per epoch.
    n_before : float
        Samples seen before the first epoch.
    is_new : bool
        Whether the optimizer is new; its first epoch then has the full rate.
    """

    power: float
    n_samples: float
    n_before: float
    is_new: bool

    def factor(self, t: float, n_epochs: int, state: Plateau) -> float:
        epoch = math.floor(t)
        if epoch == 0 and self.is_new:
            return 1.0
        return float((1 + self.n_before + self.n_samples * epoch) ** -self.power)
