"""The parts of an evaluation as tables and lines for rich."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table as Grid
from rich.text import Text

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.results import Calibration, ClassScore, Peer
from multilayer.evaluation.simple import N_FOLDS
from multilayer.evaluation.slices import Slice
from multilayer.evaluation.words import decimal, number, share
from multilayer.json_text import listed, printable

__all__ = ["calibration", "classes", "lines_of", "metrics", "slices"]

LABELS = {
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "brier": "Brier score",
    "deviance": "Poisson deviance",
    "pinball": "pinball loss",
    "coverage": "coverage",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "r2": "R²",
}
SHARES = ("accuracy", "balanced_accuracy", "coverage")
OF_ONE = ("auc", "brier", "r2")
"""Metrics of about 1 at most, whatever the targets are."""
N_SLICES = 5
N_BY = 20
"""The most slices shown if all are of one column."""
N_CLASSES = 20
N_LETTERS, PADDING = 60, 6
"""A wider confusion matrix does not fit into a terminal."""


def metrics(title: str, own: Mapping[str, Estimate], peers: Mapping[str, Peer]) -> Grid:
    """Return the model's metrics beside those of the simple models."""
    grid = Grid("", title=title, title_justify="left")
    for name in ("model", "95 % interval", *peers):
        grid.add_column(name, justify="right")
    for name, each in own.items():
        shown = share if name in SHARES else decimal if name in OF_ONE else number
        others = [shown(peer.metrics[name]) for peer in peers.values()]
        grid.add_row(LABELS[name], shown(each.value), _interval(each, shown), *others)
    return grid


def lines_of(peers: Mapping[str, Peer], main: str) -> Iterator[str]:
    """Yield what each simple model is, and whether the model is better."""
    label = LABELS[main]
    for name, peer in peers.items():
        gain = peer.gain
        verdict = f"the model's {label} is not significantly different"
        if gain.low is not None and gain.low > 0:
            verdict = f"the model's {label} is lower"
        elif gain.value is not None and gain.high is not None and gain.high < 0:
            verdict = f"the model's {label} is higher, which is worse"
            gain = Estimate(-gain.value, -gain.high, None if gain.low is None else -gain.low)
        text = f" (by {number(gain.value)}; {_interval(gain, number)})"
        yield f"{name}: {peer.what}, fitted to these rows, {N_FOLDS}-fold; {verdict}{text}"


def _interval(found: Estimate, shown: Any) -> str:
    return "–" if found.low is None else f"{shown(found.low)} to {shown(found.high)}"


def classes(scores: Sequence[ClassScore], confusion: list[list[int]] | None) -> Iterator[Any]:
    """Yield a table of how each class is predicted, and notes on what it leaves out."""
    grid = Grid("class")
    for name in ("rows", "predicted", "precision", "recall"):
        grid.add_column(name, justify="right")
    is_narrow = sum(len(each.name) + PADDING for each in scores) <= N_LETTERS
    confused = confusion if is_narrow else None
    for each in scores if confused is not None else ():
        grid.add_column(_plain(f"as {each.name}"), justify="right")
    for k, each in enumerate(scores[:N_CLASSES]):
        row = confused[k] if confused is not None else ()
        shares = share(each.precision), share(each.recall)
        grid.add_row(
            _plain(each.name), f"{each.n:,}", f"{each.n_predicted:,}", *shares, *map(str, row)
        )
    yield grid
    if len(scores) > N_CLASSES:
        yield f"and {len(scores) - N_CLASSES:,} more classes; to_dict and --json have all of them"
    unknown = [f"{each.name!r} ({each.n:,})" for each in scores if not each.is_known]
    if unknown:
        text = "the model does not know these classes, whose rows count as errors: "
        yield _plain(text + listed(unknown), "yellow")


def calibration(found: Calibration) -> Iterator[Any]:
    """Yield a table of predictions and observations, and what it means."""
    is_level = found.of.startswith("level")
    shown = share if found.error is not None or is_level else number
    grid = Grid(title="calibration", title_justify="left")
    for name in (found.of, "values below" if is_level else "observed", "rows"):
        grid.add_column(_plain(name), justify="right")
    for n, predicted, observed in zip(*found.bins, strict=True):
        if n:
            grid.add_row(shown(float(predicted)), shown(float(observed)), f"{n:,}")
    yield grid
    if found.error is not None:
        yield (
            f"expected calibration error {number(found.error)}: the mean difference of the two, "
            f"over {len(found.bins.n)} bins of equal width, weighted by their rows; for correct "
            f"probabilities it would be about {number(found.by_chance)}"
        )
    if found.meaning:
        yield found.meaning


def slices(found: Sequence[Slice], error: str, *, are_shares: bool) -> Iterator[Any]:
    """Yield a table of the worst groups, or of all groups of a single column, and a summary."""
    if not found:
        return
    n_columns, worse = len({each.column for each in found}), [s for s in found if s.is_worse]
    is_one = n_columns == 1
    shown = share if are_shares else number
    rows = found[:N_BY] if is_one else worse[:N_SLICES]
    if rows:
        title = f"{error} by {rows[0].column}" if is_one else f"{error} in the worst groups"
        grid = Grid("group", title=_plain(title), title_justify="left")
        for name in ("rows", error, "interval", "other rows", "linear model"):
            grid.add_column(name, justify="right")
        for each in rows:
            name = each.value if is_one else f"{each.column}: {each.value}"
            limits = f"{shown(each.low)} to {shown(each.high)}"
            cells = (shown(each.error), limits, shown(each.rest), shown(each.linear))
            grid.add_row(_plain(name, "yellow" if each.is_worse else ""), f"{each.n:,}", *cells)
        yield grid
    n = f"{len(worse):,}" if worse else "none"
    yield (
        f"{n} of {len(found):,} groups{'' if is_one else f' of {n_columns:,} columns'} "
        f"{'is' if len(worse) == 1 else 'are'} worse than the other rows by more than chance; the "
        "intervals hold for all groups at once"
    )


def _plain(text: str, style: str = "") -> Text:
    """Return a text without markup: brackets in it are not read as a style."""
    return Text(printable(text), style=style)
