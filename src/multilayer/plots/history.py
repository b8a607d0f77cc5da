"""Loss curves of a training, epoch by epoch."""

import json
import math
from typing import TYPE_CHECKING, Any

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import Model
from multilayer.plots.models import opened
from multilayer.plots.style import BLUE, GREY, ORANGE, one_axes
from multilayer.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["history"]


def history(source: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the loss curves, the learning rate and the best epoch.

    The training loss includes the penalty and is measured before each step; the validation loss
    has no penalty and is measured after the epoch. If the learning rate changes, it has its own
    axis on the right. The best epoch has the best validation loss or score; it is marked if there
    were validation samples, and lies on the curve if the validation loss decided.

    Parameters
    ----------
    source : History, estimator, Model or path
        The result of `fit`; a fitted estimator, also from scikit-learn; or a model whose
        information contains a history, such as a saved one.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The Axes of the losses. The learning rate has a twin, the last Axes of the figure.

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
    found = _history_of(source)
    if not found.get("train_loss"):
        rule = "needs at least one epoch; there is none in this history"
        raise InvalidArgumentError(rule, "history")
    ax = one_axes(ax, "history", (6.0, 4.0))
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, found.n_epochs + 1)
    looks = {"train_loss": ("training", BLUE, "-"), "validation_loss": ("validation", ORANGE, "--")}
    marker = "o" if found.n_epochs == 1 else ""
    for name, (label, colour, line_style) in looks.items():
        if name in found:
            ax.plot(epochs, found[name], line_style, color=colour, label=label, marker=marker)
    best, label = found.best
    if best:
        by_loss = found.settings.get("monitor") == "validation_loss"
        ax.axvline(best, color=GREY, linewidth=0.8, zorder=0, label=None if by_loss else label)
        if by_loss:
            ax.plot(best, found["validation_loss"][best - 1], "D", color="black", markersize=6,
                    zorder=3, label=label)  # fmt: skip
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, _ = ax.get_legend_handles_labels()
    rates = found.get("learning_rate", [])
    if len(set(rates)) > 1:
        right = ax.twinx()
        right.plot(epochs, rates, ":", color=GREY, label="learning rate")
        right.set_ylabel("learning rate", color=GREY)
        right.tick_params(axis="y", colors=GREY)
        right.set_ylim(bottom=0)
        handles += right.get_lines()
    # Below the picture, since curves may be anywhere inside.
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4.2,
              ncols=2, fontsize="small", frameon=False)  # fmt: skip
    return ax


def _history_of(source: Any) -> History:
    """Return the history in a source."""
    source = opened(source)
    if isinstance(source, History):
        return source
    if isinstance(source, Model):
        told = source.information.get("history")
        if told is None:
            rule = "must hold one; this Model's information has no 'history'"
            raise InvalidArgumentError(rule, "source", "history")
        _check_is_one(told)
        return History.from_json(json.dumps(told))
    if not hasattr(source, "loss_curve_"):
        rule = "must be a History, a fitted estimator or a Model"
        raise InvalidTypeError(rule, "source", "history", got=type(source).__name__)
    found: History | None = getattr(source, "history_", None)
    _check_is_one(found)
    if found is not None and found.n_epochs == len(source.loss_curve_):
        return found
    # After a warm start, the history covers only the last part; the curves cover everything.
    curves = {"train_loss": source.loss_curve_}
    validation = getattr(source, "validation_loss_curve_", None)
    if validation is not None:
        n_later = len(source.loss_curve_) - len(validation)
        curves["validation_loss"] = [*validation, *[math.nan] * n_later]
    return History(curves)


def _check_is_one(history: Any) -> None:
    if isinstance(history, list):
        rule = (
            f"must be that of one network; an ensemble of {len(history)} has as many, history_[k]"
        )
        raise InvalidTypeError(rule, "source", "history")
