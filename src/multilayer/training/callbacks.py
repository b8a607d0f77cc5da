"""Callbacks: objects that follow a training run, and may stop it."""

import math
from typing import Any

from multilayer import checks
from multilayer.training.run import Run

__all__ = ["Callback", "EarlyStopping"]


class Callback:
    """Hooks that do nothing; a subclass overrides those that it needs."""

    def on_train_begin(self, run: Run) -> None:
        """Run before the first step."""

    def on_step_end(self, run: Run) -> None:
        """Run after each optimizer step."""

    def on_epoch_end(self, run: Run) -> None:
        """Run after each epoch, when its metrics are in ``run.history``."""

    def on_train_end(self, run: Run) -> None:
        """Run at the end, even after an interruption or an error."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must save, as values for JSON."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; on resuming, this is called after `on_train_begin`."""


class EarlyStopping(Callback):
    """Stops when the monitored metric no longer improves, and restores the best weights.

    They are restored whatever ends the training run: this callback, the last epoch, Ctrl-C, or a
    loss that diverges.

    Parameters
    ----------
    patience : int
        Number of consecutive epochs without improvement after which training stops.
    min_delta : float
        An improvement must be larger than this; at least 0.

    Examples
    --------
    >>> EarlyStopping(patience=5)
    EarlyStopping(patience=5, min_delta=0.0)
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0) -> None:
        self.patience = checks.integer(patience, "patience", "EarlyStopping")
        self.min_delta = checks.real(min_delta, "min_delta", "EarlyStopping", "[0, inf)")

    def __repr__(self) -> str:
        return f"EarlyStopping(patience={self.patience}, min_delta={self.min_delta})"

    def on_train_begin(self, run: Run) -> None:
        """Forget any earlier training run."""
        run.keep_best = True
        self._best = [math.nan] * len(run.members)
        self._n_stalled = [0] * len(run.members)

    def on_epoch_end(self, run: Run) -> None:
        """Stop each member after `patience` epochs that did not improve it."""
        for k in run.active:
            member = run.members[k]
            value = member.history[run.monitor][-1]
            if run.is_better(value, self._best[k], by=self.min_delta):
                self._best[k] = value
                self._n_stalled[k] = 0
            else:
                self._n_stalled[k] += 1
                if self._n_stalled[k] >= self.patience:
                    member.stop("early_stopping")

    def state(self) -> dict[str, Any]:
        return {"best": self._best, "n_stalled": self._n_stalled}

    def set_state(self, state: dict[str, Any]) -> None:
        self._best, self._n_stalled = state["best"], state["n_stalled"]
