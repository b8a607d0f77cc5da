"""Findings: what the out-of-fold predictions of a fit show about its table."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor import Finding
from multilayer.doctor.measures import constant_logits
from multilayer.estimators.out_of_fold import OutOfFold
from multilayer.model import Columns
from multilayer.samples import LazySamples

__all__ = ["findings_of"]

Array = npt.NDArray[Any]

STANDARD_ERRORS = 2.0
"""Something was learned if the gain is larger than this. The best epoch of noise may well have a
gain of one, since it is the best of many."""
NEARLY_PERFECT = 0.1
"""An out-of-fold loss, as a share of the baseline's, that is too good for most tables."""
UNEXPLAINED = 0.02
"""The share of the target's variance that one column leaves, if it gives the target away. Strong
features leave more: of the price of a diamond, its weight leaves 12 %."""
MAX_ROWS = 20_000
"""Enough rows to know such a share."""
MANY_COPIES = 0.05
"""The share of rows that are copies from which on a score is too good."""
BY_CHANCE = 1.1
"""If rows are alike by chance, then many more pairs are alike in all columns but one; of copies,
hardly any. This is the largest ratio of the two numbers; it misses copies where one column alone
tells rows apart."""


def findings_of(judge: OutOfFold, samples: Any, columns: Columns) -> Iterator[Finding]:
    """Yield what is to be known before the out-of-fold score is believed.

    A false alarm is worse than none, so there are only a few, and they name their evidence.

    Parameters
    ----------
    judge : OutOfFold
        After the training.
    samples : array or LazySamples
        The network's inputs.
    columns : Columns
        What they are made of.
    """
    targets, weight, loss = judge.targets, judge.weight, judge.loss
    outputs = judge.outputs[judge.rows].astype(np.float64) / judge.temperature
    constant = constant_logits(loss, targets, outputs.shape[1], weight)
    if constant is None:
        return
    own, _ = loss.per_sample(outputs, targets)
    of_baseline, slope = loss.per_sample(np.tile(constant, (len(outputs), 1)), targets)
    share = weight / weight.sum()
    value, baseline = float(share @ own), float(share @ of_baseline)
    if not baseline > 1e-9:  # a constant target
        return
    losses = {"out-of-fold loss": value, "baseline loss": baseline}
    # A small step from the baseline towards the predictions lowers the loss by this: a score test,
    # for which it does not matter whether they are too sure.
    gain = -(slope * (outputs - share @ outputs)).sum(axis=1)
    mean = float(share @ gain)
    error = math.sqrt(float(np.square(share) @ np.square(gain - mean)))
    if mean <= STANDARD_ERRORS * error:
        yield Finding(
            "nothing_learned",
            "wrong",
            losses,
            "The out-of-fold predictions are no better than chance: their loss is "
            f"{value:.4g}, and that of the baseline, which ignores all columns, {baseline:.4g}.",
            "Check that the targets belong to these rows, and whether any column can have to do "
            "with them. With few rows, a weak relation cannot be seen.",
        )
    if value < NEARLY_PERFECT * baseline:
        yield from _leaks(judge, samples, columns, losses)
    yield from _copies(judge, samples, columns)


def _leaks(
    judge: OutOfFold, samples: Any, columns: Columns, losses: dict[str, float]
) -> Iterator[Finding]:
    """Find columns of which each alone gives the target away.

    If rows are sorted by a column x, neighbours differ in y only by what x does not say: half the
    mean of (y_{i+1} − y_i)² is the variance that x leaves, whatever the function (von Neumann 1941;
    Rice 1984, eq. 2.2). For classes, as ones and zeros, it is the share of unlike neighbours, and
    the variance of all is 1 − Σp² (Goodman and Kruskal's τ).
    """
    if len(columns.needed) < 2:
        return
    rng = np.random.default_rng(0)
    n = len(judge.rows)
    part = np.sort(rng.choice(n, MAX_ROWS, replace=False)) if n > MAX_ROWS else np.arange(n)
    x, y = _rows(samples, judge.rows[part]), judge.targets[part].reshape(len(part), -1)
    if judge.has_classes:
        _, counts = np.unique(y, return_counts=True)
        variance = 1 - float(np.square(counts / len(y)).sum())
    else:
        variance = float(y.var(axis=0).sum())
    for name, places in _places(columns):
        order = np.lexsort((rng.random(len(x)), *x[:, places].T[::-1]))
        step = np.diff(y[order], axis=0)
        differences = 2 * (step != 0) if judge.has_classes else np.square(step)
        left = float(differences.sum(axis=1).mean()) / 2 / variance
        if left < UNEXPLAINED:
            yield Finding(
                "leak",
                "warning",
                {"column": name, "unexplained": left, **losses},
                f"It looks as if column {name!r} gave the target away: alone, it leaves "
                f"{left:.2%} of the target's variance unexplained, and the out-of-fold loss is "
                f"{losses['out-of-fold loss'] / losses['baseline loss']:.2%} of the baseline's.",
                "If it is not known when a prediction is made, leave it out: "
                f"columns={{{name!r}: 'ignored'}}. If rows with like values belong together, pass "
                "groups= or time=. Otherwise all is well.",
            )


def _copies(judge: OutOfFold, samples: Any, columns: Columns) -> Iterator[Finding]:
    """Find rows that are judged by networks which have trained on a copy of them.

    Rows are compared by the sum of their columns' hashes, from which one column's are easily taken
    away. Rows with a rare category, all of which have one code, have no copies.
    """
    if isinstance(samples, LazySamples):  # too many to compare
        return
    fold = np.empty(judge.n_samples, np.int32)
    for k, rows in enumerate(judge.held_out):
        fold[rows] = k
    rows, fold = judge.rows, fold[judge.rows]
    y = judge.targets.reshape(len(rows), -1)
    parts: list[Callable[[], Array]] = [lambda: y]  # made when they are needed
    for _, places in _places(columns):
        parts.append(partial(_of_column, samples, rows, places))
    total = np.zeros(len(rows), np.uint64)
    for i, part in enumerate(parts):
        total += _hashes(part(), i)
    is_rare = np.zeros(len(rows), bool)
    for place in _categories(columns):
        is_rare |= samples[rows, place] == 0
    total[is_rare] = np.random.default_rng(0).integers(2**63, size=is_rare.sum(), dtype=np.uint64)
    n_copies, n_pairs = _alike(total, fold)
    if n_copies <= MANY_COPIES * len(rows):
        return
    for i, part in enumerate(parts):
        _, n_but_one = _alike(total - _hashes(part(), i), fold)
        if n_but_one > BY_CHANCE * n_pairs:
            return
    yield Finding(
        "copies",
        "warning",
        {"rows": n_copies, "share": n_copies / len(rows)},
        f"{n_copies / len(rows):.1%} of the rows are copies of others, with the same target, that "
        "are in other folds: networks were judged by rows that they had trained on, so the "
        "out-of-fold score is too good if new rows will not be copies.",
        "Leave the copies out, or pass groups=.",
    )


def _hashes(part: Array, number: int) -> Array:
    """Return a hash of each row of a column's inputs (splitmix64; Steele, Lea and Flood 2014)."""
    bits = np.ascontiguousarray(part, np.float64).view(np.uint64)
    rng = np.random.default_rng(number)
    found = np.zeros(len(part), np.uint64)
    for own in bits.T:
        z = own ^ rng.integers(2**63, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found += z ^ (z >> np.uint64(31))
    return found


def _of_column(samples: Any, rows: Array, places: slice) -> Array:
    part: Array = samples[rows, places]
    return part


def _alike(codes: Array, fold: Array) -> tuple[int, int]:
    """Return how many rows have a code that also occurs in another fold, and in how many pairs."""
    order = np.argsort(codes)
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0])
    low, high = (f.reduceat(fold[order], starts) for f in (np.minimum, np.maximum))
    sizes = np.diff(np.r_[starts, len(codes)])[low < high]
    return int(sizes.sum()), int((sizes * (sizes - 1)).sum()) // 2


def _rows(samples: Any, rows: Array) -> Array:
    found: Array = samples.subset(rows)[:] if isinstance(samples, LazySamples) else samples[rows]
    return found


def _places(columns: Columns) -> Iterator[tuple[str, slice]]:
    """Yield the columns that make inputs, with the places of these."""
    start = 0
    for column in columns.columns:
        places = slice(start, start := start + len(column.input_names))
        if places.stop > places.start:
            yield column.name, places


def _categories(columns: Columns) -> Iterator[int]:
    """Yield the places of categories that become vectors, of which 0 is any rare one."""
    start = 0
    for column in columns.columns:
        yield from (start + own.place for own in column.embeddings if not own.is_number)
        start += len(column.input_names)
