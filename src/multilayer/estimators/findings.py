"""Findings: what the out-of-fold predictions of a fit show about its table."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data import Tally
from multilayer.data.folds import Split
from multilayer.doctor import Finding
from multilayer.estimators.out_of_fold import OutOfFold
from multilayer.estimators.targets import shown
from multilayer.model import Columns
from multilayer.randomness import hashed
from multilayer.samples import LazySamples

__all__ = ["findings_of"]

Array = npt.NDArray[Any]

STANDARD_ERRORS = 2.5
"""Something was learned if the gain is larger than this. The gain on noise is not 0 but about ½ on
average, since the epoch is the best of many: in 24 trials, four reached 2, and two of these 2.5."""
NEARLY_PERFECT = 0.1
"""An out-of-fold loss below this share of the baseline's is too good for most tables."""
UNEXPLAINED = 0.02
"""A column that leaves less than this share of the target's variance unexplained gives the target
away. Strong features leave more: a diamond's weight leaves 12 % of the variance of its price."""
MAX_ROWS = 20_000
"""Enough rows to estimate such a share."""
MOST_NAMES = 5
"""The most classes that are named; the others are counted."""
MANY_COPIES = 0.05
"""A score is too good if more than this share of the rows are copies."""
MOST_DISTINCT = 0.5
"""Copies are reported only if at least this share of the rows is distinct. Otherwise, there are few
different rows, and new rows will be like them too."""
BY_CHANCE = 1.1
"""True copies have a column, such as a measured length, in which hardly any other rows are equal:
its pairs of equal rows are at most this many times the pairs of copies. Rows that are equal by
chance have no such column. Copies of rows that no single column tells apart are missed."""


def findings_of(
    judge: OutOfFold,
    samples: Any,
    columns: Columns,
    splits: Sequence[Split],
    y: Array,
    time: str | None = None,
    tally: Tally | None = None,
) -> Iterator[Finding]:
    """Yield what to know before trusting the out-of-fold score.

    A false alarm is worse than no alarm, so there are only a few findings, each with its evidence.

    Parameters
    ----------
    judge : OutOfFold
        The judge, after training.
    samples : array or LazySamples
        The network's inputs.
    columns : Columns
        The columns of the inputs.
    splits : sequence of pairs of arrays
        The rows that each network trained on, and those that judged it.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The targets as the user gave them.
    time : str, optional
        The column by which rows were divided; copies may differ in it.
    tally : Tally, optional
        Counts of the targets of all rows, if `samples` and `y` are a sample of them.
    """
    if tally is None or tally.is_constant:
        yield from _constant_targets(splits, y)
    yield from _of_losses(judge, samples, columns)
    if tally is None:  # else networks also train on rows of rare classes that are not in the sample
        yield from _unseen_classes(judge, splits, y)
    yield from _copies(judge, samples, columns, splits, time)
    yield from _interruption(judge)


def _constant_targets(splits: Sequence[Split], y: Array) -> Iterator[Finding]:
    """Find targets that are the same in all rows with a weight."""
    used = np.unique(np.concatenate([rows for split in splits for rows in split]))
    where = "all rows" if len(used) == len(y) else "all rows with a weight"
    for j, target in enumerate(y[used].reshape(len(used), -1).T):
        if (target == target[0]).all():
            name, value = f"y[:, {j}]" if y.ndim > 1 else "The target", shown(target[0])
            yield Finding(
                "constant_target",
                "wrong",
                {"target": j, "value": value},
                f"{name} is {value} in {where}: there is nothing to learn, and the score is "
                "meaningless.",
                "Check that this is what you want to predict.",
            )


def _of_losses(judge: OutOfFold, samples: Any, columns: Columns) -> Iterator[Finding]:
    """Compare the loss with the baseline's to find whether nothing was learned, or too much."""
    targets, weight, loss = judge.targets, judge.weight, judge.loss
    outputs = judge.outputs[judge.rows].astype(np.float64) / judge.temperature
    constant = loss.best_constant(targets, outputs.shape[1], weight)
    if constant is None:  # a custom loss
        return
    own, _ = loss.per_sample(outputs, targets)
    of_baseline, slope = loss.per_sample(np.tile(constant, (len(outputs), 1)), targets)
    share = weight / weight.sum()
    value, baseline = float(share @ own), float(share @ of_baseline)
    if not baseline > 1e-9:  # a constant target: see `_constant_targets`
        return
    losses = {"out-of-fold loss": value, "baseline loss": baseline}
    gain = _gain(slope, outputs, share)
    if gain <= STANDARD_ERRORS:
        yield Finding(
            "nothing_learned",
            "wrong",
            losses | {"gain in standard errors": gain},
            "The out-of-fold predictions cannot be distinguished from chance: their loss is "
            f"{value:.4g}, and that of the baseline, which ignores all columns, {baseline:.4g}.",
            "Check that the targets belong to these rows, and that some column can be related to "
            "them. With few rows, a weak relation cannot be detected.",
        )
    if value < NEARLY_PERFECT * baseline:
        yield from _leaks(judge, samples, columns, losses)


def _gain(slope: Array, outputs: Array, share: Array) -> float:
    """Return by how many standard errors a step from the baseline to the outputs lowers the loss.

    This is a score test, which does not depend on whether the outputs are overconfident. With the
    slopes gᵢ of the loss at the baseline and the shares sᵢ of the weights, a small step towards the
    outputs oᵢ lowers the loss by T = −Σ sᵢ (gᵢ − ḡ)·(oᵢ − ō), with weighted means ḡ and ō. If
    targets and outputs are unrelated, all orders of the outputs are equally likely. Over all
    orders, T has the mean 0 and, with aᵢ = sᵢ (gᵢ − ḡ), the variance
    tr(Σ aᵢaᵢᵀ · Σ (oᵢ − m)(oᵢ − m)ᵀ) / (n − 1), where m is the plain mean (Hoeffding 1951,
    theorem 2). Unlike the spread of the rows' gains, it stays small if few rows gain much.

    Weights may belong to the targets, as class weights do, and stay in place; or to the outputs, as
    survey weights do, and move with them. The larger of the two variances is used.
    """
    weighted_slope, weighted_outputs = (
        share[:, np.newaxis] * (own - share @ own) for own in (slope, outputs)
    )
    gain = -float((weighted_slope * outputs).sum())
    pairs = (weighted_slope, outputs), (weighted_outputs, slope)
    variance = max(_variance(fixed, moving) for fixed, moving in pairs)
    return gain / math.sqrt(variance) if variance > 0 else 0.0


def _variance(fixed: Array, moving: Array) -> float:
    """Return the variance of Σ fixedᵢ·movingᵢ over all orders of `moving`; Σ fixedᵢ must be 0."""
    moving = moving - moving.mean(axis=0)
    traces = (fixed.T @ fixed) * (moving.T @ moving)
    return float(traces.sum()) / max(1, len(fixed) - 1)


def _leaks(
    judge: OutOfFold, samples: Any, columns: Columns, losses: dict[str, float]
) -> Iterator[Finding]:
    """Find columns that give the target away, each on its own.

    If rows are sorted by a column x, neighbours differ in y only by what x does not explain: half
    the mean of (y_{i+1} − y_i)² estimates the variance that x leaves, whatever the function (von
    Neumann 1941; Rice 1984, eq. 2.2). For classes, one-hot encoded, it is the share of unlike
    neighbours, and the total variance is 1 − Σp² (Goodman and Kruskal's τ).

    Even a column that separates K classes leaves K − 1 pairs of unlike neighbours. So nothing is
    found among fewer than a hundred rows of two equal classes, or if a class has fewer than 25
    rows: a column that separates so few rows need not separate others.
    """
    if len(columns.needed) < 2:
        return
    rng = np.random.default_rng(0)
    n = len(judge.rows)
    part = np.sort(rng.choice(n, MAX_ROWS, replace=False)) if n > MAX_ROWS else np.arange(n)
    x, y = samples[judge.rows[part]], judge.targets[part].reshape(len(part), -1)
    if judge.has_classes:
        _, counts = np.unique(y, return_counts=True)
        variance = 1 - float(np.square(counts / len(y)).sum())
    else:
        variance = float(y.var(axis=0).sum())
    if not variance > 0:  # the drawn rows may lack a rare class or value
        return
    for column, places in columns.used:
        name = column.name
        order = np.lexsort((rng.random(len(x)), *x[:, places].T[::-1]))
        step = np.diff(y[order], axis=0)
        differences = 2 * (step != 0) if judge.has_classes else np.square(step)
        left = float(differences.sum(axis=1).mean()) / 2 / variance
        if left < UNEXPLAINED:
            yield Finding(
                "leak",
                "warning",
                {"column": name, "unexplained": left, **losses},
                f"Column {name!r} seems to give the target away: alone, it leaves "
                f"{left:.2%} of the target's variance unexplained, and the out-of-fold loss is "
                f"{losses['out-of-fold loss'] / losses['baseline loss']:.2%} of the baseline's.",
                "If it is not known when a prediction is made, leave it out: "
                f"columns={{{name!r}: 'ignored'}}. If rows with similar values belong together, "
                "pass groups= or time=. Otherwise, all is well.",
            )


def _unseen_classes(judge: OutOfFold, splits: Sequence[Split], y: Array) -> Iterator[Finding]:
    """Find classes whose rows judge only networks that have not trained on that class."""
    if not judge.has_classes:
        return
    code = judge.all_targets.reshape(-1).astype(np.intp)
    n_judged, n_seen = np.zeros((2, code.max() + 1), np.intp)
    for training, judging in splits:
        counts = np.bincount(code[judging], minlength=len(n_judged))
        n_judged += counts
        n_seen += counts * (np.bincount(code[training], minlength=len(n_judged)) > 0)
    unseen = np.flatnonzero((n_judged > 0) & (n_seen == 0))
    if len(unseen):
        names = [shown(y[np.argmax(code == own)]) for own in unseen[:MOST_NAMES]]
        more = f" and {len(unseen) - len(names)} more" * (len(unseen) > len(names))
        listed = ", ".join(names) + more
        yield Finding(
            "unseen_class",
            "warning",
            {"classes": listed, "rows": int(n_judged[unseen].sum())},
            f"Out-of-fold predictions of {'classes' if len(unseen) > 1 else 'class'} {listed} "
            "cannot be right: no network that is judged by such a row has trained on another one.",
            "Collect more rows of such a class, merge it with another class, or leave it out.",
        )


def _copies(
    judge: OutOfFold, samples: Any, columns: Columns, splits: Sequence[Split], time: str | None
) -> Iterator[Finding]:
    """Find rows that judge a network that has trained on a copy of them.

    Rows are compared by the sum of their columns' hashes. Rows with a rare category are not
    compared, since all rare categories have one code.
    """
    if isinstance(samples, LazySamples):  # too many to compare
        return
    n = len(samples)
    places = [places for column, places in columns.used if column.name != time]
    total = _hashes(judge.all_targets.reshape(n, -1), len(places))
    for i, own in enumerate(places):
        total += _hashes(samples[:, own], i)
    is_rare = (samples[:, list(_categories(columns))] == 0).any(axis=1)
    total[is_rare] = np.random.default_rng(0).integers(2**63, size=is_rare.sum(), dtype=np.uint64)
    _, code = np.unique(total, return_inverse=True)
    n_copies = 0
    for training, judging in splits:
        is_known = np.zeros(n, bool)
        is_known[code[training]] = True
        n_copies += int(is_known[code[judging]].sum())
    share = n_copies / len(judge.rows)
    if share <= MANY_COPIES:
        return
    rows = np.flatnonzero(~is_rare)
    n_distinct, n_pairs = _alike(total[rows])
    if n_distinct < MOST_DISTINCT * len(rows):
        return
    if all(_alike(_hashes(samples[rows, own], 0))[1] > BY_CHANCE * n_pairs for own in places):
        return
    yield Finding(
        "copies",
        "warning",
        {"rows": n_copies, "share": share},
        f"{share:.1%} of the out-of-fold predictions come from networks that trained on a copy of "
        "the row, with the same target. If new rows will not be copies, the out-of-fold score is "
        "too good.",
        "Leave the copies out, or pass groups=." if time is None else "Leave the copies out.",
    )


def _interruption(judge: OutOfFold) -> Iterator[Finding]:
    """Report the epoch in which Ctrl-C ended training."""
    n_epochs = judge.history.n_epochs
    if judge.history.stopped_by == "interrupt":
        yield Finding(
            "interrupted",
            "warning",
            {"epochs": n_epochs, "best epoch": judge.epoch},
            f"Ctrl-C ended the training in epoch {n_epochs + 1}; the networks are those of epoch "
            f"{judge.epoch}, the best so far.",
            "With more time, the model could be better.",
        )


def _hashes(part: Array, number: int) -> Array:
    """Return a hash of each row of a column's inputs."""
    found = np.zeros(len(part), np.uint64)
    for place, own in enumerate(np.ascontiguousarray(part.T, np.float64)):
        found += hashed(own, (number, place))
    return found


def _alike(codes: Array) -> tuple[int, int]:
    """Return the number of distinct codes, and of pairs of rows with the same code."""
    _, sizes = np.unique(codes, return_counts=True)
    return len(sizes), int((sizes * (sizes - 1)).sum()) // 2


def _categories(columns: Columns) -> Iterator[int]:
    """Yield the positions of embedded categories among the inputs, where 0 means a rare one."""
    for column, places in columns.used:
        yield from (places.start + own.place for own in column.embeddings if not own.is_number)
