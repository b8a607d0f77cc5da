"""The curve of a learning-rate range test."""

from typing import TYPE_CHECKING

import numpy as np

from multilayer.errors import InvalidTypeError
from multilayer.inspection import RangeTest
from multilayer.plots.style import BLUE, GREEN, GREY, ORANGE, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lr_finder"]

ROOM = 0.15
"""Margin above and below, as a fraction of the curve's fall; larger losses are cut off."""


def lr_finder(test: RangeTest, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the loss over the learning rate, with the suggested rate and that of the lowest loss.

    Parameters
    ----------
    test : RangeTest
        The result of `multilayer.inspection.lr_finder`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidTypeError
        If `test` is not a RangeTest.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> rates, losses = np.geomspace(1e-4, 1, 5), np.array([2.0, 1.8, 1.0, 0.6, 9.0])
    >>> test = RangeTest(rates, losses, losses, has_diverged=True)
    >>> ax = lr_finder(test)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['each batch', 'smoothed', 'lowest loss: 0.1', 'suggestion: 0.01']
    """
    if not isinstance(test, RangeTest):
        rule = "must be a RangeTest, as multilayer.inspection.lr_finder returns it"
        raise InvalidTypeError(rule, "test", "lr_finder", got=type(test).__name__)
    ax = one_axes(ax, "lr_finder", (6.0, 4.0))
    ax.plot(test.learning_rates, test.losses, ".", color=GREY, markersize=4, label="each batch")
    ax.plot(test.learning_rates, test.smoothed, color=BLUE, label="smoothed")
    least = float(test.smoothed.min())
    until = slice(int(test.smoothed.argmin()) + 1)
    at = float(np.interp(test.suggestion, test.learning_rates, test.smoothed))
    for rate, loss, label, look, colour in (
        (test.best, least, "lowest loss", "s", ORANGE),
        (test.suggestion, at, "suggestion", "D", GREEN),
    ):
        ax.axvline(rate, color=colour, linewidth=0.8, linestyle=":", zorder=0)
        ax.plot(rate, loss, look, color=colour, linestyle="", label=f"{label}: {rate:.2g}")
    # The diverging losses after the minimum would flatten everything else.
    bottom, top = min(test.losses[until].min(), least), test.smoothed[until].max()
    room = ROOM * (top - bottom) or 1.0
    ax.set(
        xscale="log",
        ylim=(bottom - room, top + 2 * room),
        xlabel="learning rate",
        ylabel="batch loss",
    )
    ax.legend(loc="lower left")
    return ax
