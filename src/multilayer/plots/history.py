"""Loss curves of a training run, epoch by epoch."""

import json
import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import Model
from multilayer.plots.models import opened
from multilayer.plots.style import BLUE, GREY, ORANGE, one_axes
from multilayer.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["history"]

LOOKS = {"train_loss": ("training", BLUE, "-"), "validation_loss": ("validation", ORANGE, "--")}
"""Label, colour and line style of each loss."""


def history(source: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the loss curves, the learning rate and the best epoch.

    The training loss includes the penalty and is measured before each step; the validation loss
    has no penalty and is measured after the epoch. If the learning rate changes, it has its own
    axis on the right. The best epoch has the best validation loss or score; it is marked if there
    were validation samples, and lies on the curve if the validation loss decided.

    For an ensemble, the picture shows the median over the members, a band from the 10 % to the 90 %
    quantile, and each member's best epoch. Members that stopped earlier are left out of later
    epochs.

    Parameters
    ----------
    source : History, sequence of History, estimator, Model or path
        The result of `fit`; a fitted estimator, also from scikit-learn; or a model whose
        information contains a history, such as a saved one.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The Axes of the losses. The learning rate is in a twin, the last Axes of the figure.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidTypeError, InvalidArgumentError
        If `source` is something else or contains no epochs.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> found = History({"train_loss": [0.9, 0.5, 0.4], "validation_loss": [0.8, 0.6, 0.7]})
    >>> found.best_epoch, found.settings["monitor"] = 2, "validation_loss"
    >>> [text.get_text() for text in history(found).get_legend().get_texts()]
    ['training', 'validation', 'best epoch 2, by validation loss']
    """
    histories = _histories_of(source)
    if not any(found.get("train_loss") for found in histories):
        rule = "needs at least one epoch; there is none in this history"
        raise InvalidArgumentError(rule, "history")
    ax = one_axes(ax, "history", (6.0, 4.0))
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = _curves(histories[0], ax) if len(histories) == 1 else _bands(histories, ax)
    # Below the picture, since curves may be anywhere inside.
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4.2,
              ncols=2, fontsize="small", frameon=False)  # fmt: skip
    return ax


def _curves(found: History, ax: "Axes") -> list[Any]:
    """Draw the curves of one network; return the handles of the legend."""
    epochs = range(1, found.n_epochs + 1)
    marker = "o" if found.n_epochs == 1 else ""
    for name, (label, colour, line_style) in LOOKS.items():
        if name in found:
            ax.plot(epochs, found[name], line_style, color=colour, label=label, marker=marker)
    best, label = found.best
    if best:
        by_loss = found.settings.get("monitor") == "validation_loss"
        ax.axvline(best, color=GREY, linewidth=0.8, zorder=0, label=None if by_loss else label)
        if by_loss:
            ax.plot(best, found["validation_loss"][best - 1], "D", color="black", markersize=6,
                    zorder=3, label=label)  # fmt: skip
    handles: list[Any] = ax.get_legend_handles_labels()[0]
    rates = found.get("learning_rate", [])
    if len(set(rates)) > 1:
        right = ax.twinx()
        right.plot(epochs, rates, ":", color=GREY, label="learning rate")
        right.set_ylabel("learning rate", color=GREY)
        right.tick_params(axis="y", colors=GREY)
        right.set_ylim(bottom=0)
        handles += right.get_lines()
    return handles


def _bands(histories: list[History], ax: "Axes") -> list[Any]:
    """Draw the medians of several networks, with bands; return the handles of the legend."""
    for name, (label, colour, line_style) in LOOKS.items():
        curves = [found[name] for found in histories if name in found]
        if not curves:
            continue
        epochs = range(1, max(map(len, curves)) + 1)
        present = np.array(list(zip_longest(*curves, fillvalue=np.nan)))
        low, middle, high = np.nanquantile(present, [0.1, 0.5, 0.9], axis=1)
        ax.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(epochs, middle, line_style, color=colour,
                label=f"{label}, median of {len(curves)}")  # fmt: skip
    bests = [
        (found.best_epoch, found["validation_loss"][found.best_epoch - 1])
        for found in histories
        if found.best[0] and "validation_loss" in found
    ]
    if bests:
        ax.plot(*zip(*bests, strict=True), "D", color="black", markersize=3, alpha=0.6,
                label="a member's best epoch")  # fmt: skip
    handles: list[Any] = ax.get_legend_handles_labels()[0]
    return handles


def _histories_of(source: Any) -> list[History]:
    """Return the history in a source, or those of an ensemble's members."""
    source = opened(source)
    if isinstance(source, History):
        return [source]
    if isinstance(source, (list, tuple)) and all(isinstance(each, History) for each in source):
        return list(source) or [History()]
    if isinstance(source, Model):
        recorded = source.information.get("history")
        if recorded is None:
            rule = "must contain a history; this Model's information has no 'history'"
            raise InvalidArgumentError(rule, "source", "history")
        several = recorded if isinstance(recorded, list) else [recorded]
        return [History.from_json(json.dumps(own)) for own in several]
    if not hasattr(source, "loss_curve_"):
        rule = "must be a History, several of them, a fitted estimator or a Model"
        raise InvalidTypeError(rule, "source", "history", got=type(source).__name__)
    found: Any = getattr(source, "history_", None)
    if isinstance(found, list):
        return found
    if found is not None and found.n_epochs == len(source.loss_curve_):
        return [found]
    # After a warm start, the history covers only the last run; the curves cover all of them.
    curves = {"train_loss": source.loss_curve_}
    validation = getattr(source, "validation_loss_curve_", None)
    if validation is not None:
        n_later = len(source.loss_curve_) - len(validation)
        curves["validation_loss"] = [*validation, *[math.nan] * n_later]
    return [History(curves)]
