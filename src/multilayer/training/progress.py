"""Progress: shows the progress of training, in a notebook, on a terminal, or as lines of text."""

import importlib
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from html import escape
from itertools import zip_longest
from statistics import median
from typing import Any
from weakref import WeakSet

import numpy as np
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from multilayer import forks
from multilayer.training.callbacks import Callback
from multilayer.training.curves import curves_html, sparklines
from multilayer.training.run import Run

__all__ = ["Progress", "shown"]

LARGE = 1e5
"""From this value on, numbers are printed with an exponent."""
LOSSES = {"train_loss": "#56b4e9", "validation_loss": "#e69f00"}
"""The losses that are drawn as curves, with colours from Okabe & Ito's palette that are visible on
dark and light terminals."""
WIDTH = 40
"""The width of the bar and the curves on a terminal, in characters; less if there is no room."""
SHARE = 0.02
"""The largest share of time spent on drawing; the pause after each drawing depends on it."""
N_LINES = 10
"""The approximate number of lines to print where nothing can be redrawn in place."""
NEWS = 2.0
"""A line is printed if the last one is older than this, in seconds."""


def shown(value: float) -> str:
    """Return a loss or metric as text, such as 0.1234 or 2.508e+14."""
    return f"{value:.4f}" if abs(value) < LARGE else f"{value:.3e}"


class Progress(Callback):
    """Shows the progress of training: the epoch, losses with their curves, metrics, time left.

    A terminal shows a progress bar, and the losses as rows of blocks on a common scale, which is
    logarithmic if all losses are positive. A notebook shows a progress bar and a picture. Both are
    redrawn a few times per second, which takes at most 2 % of the time. Elsewhere, about ten lines
    of text are printed.

    For an ensemble, it shows the median over the members that are still training, with the range of
    the middle 80 %.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to write; standard error by default.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import fit
    >>> net = MLP(Architecture(1, (4,), 1), rng=np.random.default_rng(0))
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> lines = Progress(Console(force_interactive=False))
    >>> history = fit(net, (X, X), loss="squared_error", optimizer="lbfgs", n_epochs=2,
    ...               callbacks=[lines])
    epoch 1/2: train loss 0.0407
    epoch 2/2: train loss 0.0190
    """

    # None between training runs, so that an estimator with this callback can be copied and pickled.
    _display: "_Display | None" = None

    def __init__(self, console: Console | None = None) -> None:
        self.console = console

    def on_train_begin(self, run: Run) -> None:
        """Find out what can be drawn; if training is resumed, print where."""
        console = self.console or Console(stderr=True)
        in_place = _Notebook if console.is_jupyter else _Terminal
        display = (in_place if console.is_jupyter or console.is_interactive else _Lines)(console)
        if run.stopped_by:
            display.write(f"already finished, after {run.epoch:,} epochs")
        elif run.epoch:
            step = f", step {run.step:,} of {run.n_steps:,}" if run.is_under_way else ""
            display.write(f"resuming after {_epoch(run)}{step}")
        display.on_train_begin(run)
        self._display = display

    def on_step_end(self, run: Run) -> None:
        """Show the progress, if it is time."""
        if self._display is not None:
            self._display.on_step_end(run)

    def on_epoch_end(self, run: Run) -> None:
        """Show the epoch's metrics, if it is time."""
        if self._display is not None:
            self._display.on_epoch_end(run)

    def on_train_end(self, run: Run) -> None:
        """Show the final state, and why training ended if that was before the last epoch."""
        if self._display is None:
            return
        display, self._display = self._display, None
        display.on_train_end(run)
        if run.stopped_by not in ("", "n_epochs", "divergence"):  # divergence raises its own error
            words = [f"stopped by {run.stopped_by.replace('_', ' ')}", _best(run)[1]]
            display.write("; ".join(filter(None, words)))


class _Display(Callback):
    """A way to show the progress of training."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def write(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)


class _Lines(_Display):
    """Lines of text, for files and pipes: for some epochs, and within epochs that take long."""

    def on_train_begin(self, run: Run) -> None:
        self._last_news = time.monotonic()

    def on_step_end(self, run: Run) -> None:
        if time.monotonic() - self._last_news >= NEWS:
            self.write(f"{_epoch(run)}, step {run.step:,} of {run.n_steps:,}: loss {_loss(run)}")

    def on_epoch_end(self, run: Run) -> None:
        every = max(run.n_epochs // N_LINES, 1)
        due = run.epoch % every == 0 or run.epoch in (1, run.n_epochs) or run.stopped_by
        if due or time.monotonic() - self._last_news > NEWS:
            news = " · ".join(f"{name} {value}" for name, value in _news(run))
            self.write(f"{_epoch(run)}: {news}")

    def write(self, line: str) -> None:
        super().write(line)
        self._last_news = time.monotonic()


class _Live(_Display):
    """A display that is redrawn in place, so rarely that it costs next to nothing."""

    interval: float
    """The shortest time between two drawings, in seconds."""

    def draw(self, run: Run) -> None:
        """Draw the current state of training."""
        raise NotImplementedError

    def on_train_begin(self, run: Run) -> None:
        self._began = time.monotonic()
        self._pace_from: tuple[float, float] | None = None
        self._refresh(run)

    def on_step_end(self, run: Run) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        if self._pace_from is None:  # the first step, which compiles kernels, is not timed
            self._pace_from = now, _n_done(run)
        self._refresh(run)

    def on_epoch_end(self, run: Run) -> None:
        self.on_step_end(run)

    def on_train_end(self, run: Run) -> None:
        self._refresh(run)

    def _refresh(self, run: Run) -> None:
        began = time.monotonic()
        self.draw(run)
        ended = time.monotonic()
        self._due = ended + max(self.interval, (ended - began) / SHARE)

    def _clock(self, run: Run) -> str:
        """Return the time left if all epochs are needed, or the total time after the end."""
        now, n_done = time.monotonic(), _n_done(run)
        if run.stopped_by:
            return f"took {timedelta(seconds=round(now - self._began))}"
        if self._pace_from is None or n_done <= self._pace_from[1]:
            return ""
        since, already = self._pace_from
        left = (now - since) * (run.n_epochs - n_done) / (n_done - already)
        return f"{timedelta(seconds=round(left))} left"


class _Terminal(_Live):
    """A progress bar, and below it a row for each loss and metric."""

    interval = 0.1

    def on_train_begin(self, run: Run) -> None:
        # Text printed meanwhile should appear above the display, unless it goes to a file.
        to_terminal = Console().is_terminal
        self._live = Live(console=self.console, auto_refresh=False, redirect_stdout=to_terminal)
        before = sys.stdout, sys.stderr
        self._live.start()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, FileProxy) and stream not in before:
                _redirected.add(stream)
        super().on_train_begin(run)

    def on_train_end(self, run: Run) -> None:
        try:
            super().on_train_end(run)
        finally:
            self._live.stop()

    def draw(self, run: Run) -> None:
        news = list(_news(run))
        taken = max(len(name) for name, _ in [(_epoch(run), ""), *news]) + 20
        width = min(max(self.console.width - taken, 8), WIDTH)
        blocks, _ = sparklines(_losses(run), width=width)
        rows = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            rows.add_column(no_wrap=True)
        bar = ProgressBar(
            run.n_epochs, _n_done(run), width, complete_style="blue", finished_style="blue"
        )
        rows.add_row(_epoch(run), bar, self._clock(run))
        for name, value in news:
            colour = LOSSES.get(name.replace(" ", "_"), "")
            rows.add_row(name, Text(blocks.get(name, ""), colour), value)
        self._live.update(rows, refresh=True)


_redirected: WeakSet[FileProxy] = WeakSet()
"""The objects with which terminal displays have replaced sys.stdout and sys.stderr."""


def _print_past_displays() -> None:
    """In a forked child, which has no display, restore the parent's original output streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, FileProxy) and stream in _redirected:
            setattr(sys, name, stream.rich_proxied_file)


forks.in_child(_print_past_displays)


class _Notebook(_Live):
    """A progress bar, and below it a picture of the losses."""

    interval = 0.25

    def on_train_begin(self, run: Run) -> None:
        self._handle: Any = None
        super().on_train_begin(run)

    def draw(self, run: Run) -> None:
        news = dict(_news(run))
        text = " · ".join([_epoch(run), *(f"{k} {v}" for k, v in news.items()), self._clock(run)])
        losses = _losses(run)
        picture = curves_html(losses, mark=_best(run))
        printed = {k: v for k, v in news.items() if not picture or k not in losses}
        words = [_epoch(run), *(f"{k} {v}" for k, v in printed.items()), self._clock(run)]
        html = (
            f"<div><div>{escape(' · '.join(filter(None, words)))}</div>"
            f'<progress max="{run.n_epochs}" value="{_n_done(run):.3f}" '
            f'style="width: 360px"></progress><br>{picture}</div>'
        )
        drawing = _Drawing(html, text)
        if self._handle is None:
            # Imported here, because only notebooks need IPython.
            ipython = importlib.import_module("IPython.display")
            self._handle = ipython.display(drawing, display_id=True)
        else:
            self._handle.update(drawing)


class _Drawing:
    """What a notebook shows: HTML, or text if it cannot show HTML."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html


def _epoch(run: Run) -> str:
    return f"epoch {max(run.epoch, 1):>{len(str(run.n_epochs))}}/{run.n_epochs}"


def _n_done(run: Run) -> float:
    """Return the number of epochs that are over, including the fraction of the current one."""
    return run.epoch - 1 + run.step / run.n_steps if run.is_under_way else run.epoch


def _losses(run: Run) -> dict[str, list[float]]:
    """Return the loss curves; for an ensemble, the medians over its members."""
    curves: dict[str, list[float]] = {}
    for name in LOSSES:
        found = [member.history[name] for member in run.members if name in member.history]
        if len(run.members) == 1:
            curves |= {name.replace("_", " "): curve for curve in found}
        elif found:
            epochs = zip_longest(*found)  # some members end before others
            medians = [median(value for value in epoch if value is not None) for epoch in epochs]
            curves[name.replace("_", " ")] = medians
    return curves


def _news(run: Run) -> Iterator[tuple[str, str]]:
    """Yield names and last values of losses and metrics; in the first epoch, the step's loss."""
    active = [run.members[k].history for k in run.active]
    histories = active or [member.history for member in run.members]
    if run.is_ensemble and active:
        yield "members", f"{len(active)} of {len(run.members)}"
    if not histories[0] and run.step:
        yield "loss", _loss(run)
    for name in histories[0]:
        if name not in ("learning_rate", "seconds"):
            yield name.replace("_", " "), _summary([history[name][-1] for history in histories])


def _loss(run: Run) -> str:
    """Return the last step's loss."""
    return _summary(np.ravel(run.loss)[run.active if run.is_ensemble else [0]].tolist())


def _summary(values: list[float]) -> str:
    """Return a number as text, or the median of several with the range of the middle 80 %."""
    if len(values) == 1:
        return shown(values[0])
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{shown(middle)} ({shown(low)} to {shown(high)})"


def _best(run: Run) -> tuple[int, str]:
    """Return the best epoch and its caption; none for an ensemble, where it differs by member."""
    best: tuple[int, str] = (0, "") if run.is_ensemble else run.history.best
    return best
