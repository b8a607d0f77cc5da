"""Callbacks: what may look on while a network trains, and stop it."""

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from multilayer import checks
from multilayer.training.run import Run

__all__ = ["Callback", "EarlyStopping", "Progress", "shown"]

LARGE = 1e5
"""What has no digits behind the point any more."""


def shown(value: float) -> str:
    """Return a loss or metric as people read it: 0.1234, or 2.508e+14."""
    return f"{value:.4f}" if abs(value) < LARGE else f"{value:.3e}"


class Callback:
    """Hooks that do nothing; a subclass fills in those that it needs."""

    def on_train_begin(self, run: Run) -> None:
        """Be called before the first step."""

    def on_step_end(self, run: Run) -> None:
        """Be called after each optimizer step."""

    def on_epoch_end(self, run: Run) -> None:
        """Be called after each epoch, when its metrics are in ``run.history``."""

    def on_train_end(self, run: Run) -> None:
        """Be called at the end, whatever brought it: an interruption or an error too."""

    def state(self) -> dict[str, Any]:
        """Return what has to be in a checkpoint, as values that go into JSON."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back what `state` returned; called after `on_train_begin` if a training goes on."""


class EarlyStopping(Callback):
    """Stops when the monitored metric no longer improves, and has the best weights put back.

    They are put back whatever ends the training: this callback, the last epoch, Ctrl-C, or a loss
    that diverges.

    Parameters
    ----------
    patience : int
        How many epochs without improvement end the training.
    min_delta : float
        An improvement is one by more than this, at least 0.

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
        """Forget an earlier training."""
        run.keep_best = True
        self._best = math.nan
        self._n_stalled = 0

    def on_epoch_end(self, run: Run) -> None:
        """Stop after `patience` epochs that did not improve."""
        value = run.history[run.monitor][-1]
        if run.is_better(value, self._best, by=self.min_delta):
            self._best = value
            self._n_stalled = 0
        else:
            self._n_stalled += 1
            if self._n_stalled >= self.patience:
                run.stop("early_stopping")

    def state(self) -> dict[str, Any]:
        return {"best": self._best, "n_stalled": self._n_stalled}

    def set_state(self, state: dict[str, Any]) -> None:
        self._best, self._n_stalled = state["best"], state["n_stalled"]


class Progress(Callback):
    """Shows epoch, losses and metrics: a bar on a terminal, else plain lines; on standard error.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to write.
    """

    lines = 10
    """About how many lines a training takes where there is no terminal."""
    interval = 2.0
    """Seconds after which there is news in any case."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    def on_train_begin(self, run: Run) -> None:
        """Say where a training goes on, and draw the bar."""
        self._last_news = time.monotonic()
        if run.stopped_by:
            self._write(f"finished already, after {run.epoch:,} epochs")
        elif run.epoch:
            step = f", step {run.step:,} of {run.n_steps:,}" if run.is_under_way else ""
            self._write(f"going on after {self._epoch(run)}{step}")
        self._bar: Bar | None = None
        if self.console.is_terminal:
            columns = ("{task.description}", BarColumn(), TextColumn("{task.fields[news]}"))
            self._bar = Bar(*columns, TimeRemainingColumn(), console=self.console)
            self._task = self._bar.add_task(self._epoch(run), total=run.n_epochs, news="")
            self._bar.start()

    def on_step_end(self, run: Run) -> None:
        """Move the bar on, or write a line, if an epoch takes long."""
        now = time.monotonic()
        if now - self._last_news < (self.interval if self._bar is None else 0.1):
            return
        done = run.step / run.n_steps
        if self._bar is None:
            share = f"{self._epoch(run)}, step {run.step:,} of {run.n_steps:,}"
            self._write(f"{share}: loss {shown(run.loss)}")
        else:
            self._bar.update(
                self._task, completed=run.epoch - 1 + done, description=self._epoch(run)
            )
            self._last_news = now

    def on_epoch_end(self, run: Run) -> None:
        """Show the epoch's metrics."""
        news = " · ".join(
            f"{name.replace('_', ' ')} {shown(values[-1])}"
            for name, values in run.history.items()
            if name not in ("learning_rate", "seconds")
        )
        if self._bar is not None:
            self._bar.update(
                self._task, completed=run.epoch, description=self._epoch(run), news=news
            )
            return
        every = max(run.n_epochs // self.lines, 1)
        due = run.epoch % every == 0 or run.epoch in (1, run.n_epochs) or run.stopped_by
        if due or time.monotonic() - self._last_news > self.interval:
            self._write(f"{self._epoch(run)}: {news}")

    def on_train_end(self, run: Run) -> None:
        """Take the bar down and say why it ended, where that was before the last epoch."""
        if self._bar is not None:
            self._bar.stop()
        if run.stopped_by not in (
            "",
            "n_epochs",
            "divergence",
        ):  # a divergence raises its own error
            reason = run.stopped_by.replace("_", " ")
            best = run.history.best_epoch
            self._write(f"stopped by {reason}" + (f"; best epoch {best}" if best else ""))

    def _epoch(self, run: Run) -> str:
        return f"epoch {max(run.epoch, 1):>{len(str(run.n_epochs))}}/{run.n_epochs}"

    def _write(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)
        self._last_news = time.monotonic()
