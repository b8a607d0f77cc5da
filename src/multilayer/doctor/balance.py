"""Rare classes that a network passes over."""

from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.doctor.measures import rightness

__all__ = ["class_imbalance"]

RARE = 5.0
"""How many times as many samples the most frequent class has."""
LEAST = 10
"""Samples of a class, below which its recall is not known well enough: ± 0.3 with ten."""
MISSED = 1 / 3
"""Recall of a rare class in parts of the accuracy. A rare class is harder, and where it overlaps
with a frequent one the likelier answer is the frequent one; but a network that finds a third of it
and is right on nearly all others is one that its accuracy flatters."""


def class_imbalance(case: Case) -> Iterator[Finding]:
    """Find rare classes of which the network finds next to none.

    That classes are unequal is no fault by itself; that a network has given up the rare ones is.
    """
    right = rightness(case.training, case.loss)
    truth = case.loss.truth(case.training.targets) if right is not None else np.empty((0, 2))
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if right is None or truth.ndim != 1:
        return
    classes, counts = np.unique(truth, return_counts=True)
    recalls = np.array([right[truth == each].mean() for each in classes])
    is_missed = (
        (counts * RARE <= counts.max()) & (counts >= LEAST) & (recalls < MISSED * right.mean())
    )
    if not is_missed.any():
        return
    worst = int(np.flatnonzero(is_missed)[recalls[is_missed].argmin()])
    yield Finding(
        "class_imbalance",
        severity_of(recalls[worst] == 0),
        {
            "class": _name(case, int(classes[worst])),
            "its samples": int(counts[worst]),
            "most frequent": int(counts.max()),
            "its recall": float(recalls[worst]),
            "accuracy": float(right.mean()),
        },
        "A class that is rare is hardly ever predicted: the accuracy is that of the frequent ones.",
        "Weigh the samples by class (class_weight='balanced', or sample weights), or move the "
        "threshold; judge by balanced accuracy or average precision.",
    )


def _name(case: Case, number: int) -> int | str:
    """Return the class itself, where the model knows it; else its number."""
    targets = case.model.targets
    if targets is None or not targets.has_one_class:
        return number
    name = targets.classes[number]
    return int(name) if isinstance(name, np.integer) else str(name)
