"""Rare classes that a network hardly ever predicts."""

from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.doctor.measures import rightness

__all__ = ["class_imbalance"]

RARE = 5.0
"""A class is rare if the most frequent one has this many times its samples."""
LEAST = 10
"""With fewer samples of a class, its recall is too uncertain: ± 0.3 with ten."""
MISSED = 1 / 3
"""Recall of a rare class as a fraction of the accuracy. Lower recall is normal: a rare class is
harder to learn, and where it overlaps a frequent class, the frequent one is the likelier answer.
But below a third, the accuracy flatters the network."""


def class_imbalance(case: Case) -> Iterator[Finding]:
    """Find rare classes that the network hardly ever recognises.

    Unequal classes are no fault in themselves; giving up on the rare ones is.
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
        "A rare class is hardly ever predicted: the accuracy comes from the frequent classes.",
        "Weight the samples by class (class_weight='balanced', or sample weights), or move the "
        "threshold; judge by balanced accuracy or average precision.",
    )


def _name(case: Case, number: int) -> int | str:
    """Return the name of a class if the model knows it, otherwise its number."""
    targets = case.model.targets
    if targets is None or not targets.has_one_class:
        return number
    name = targets.classes[number]
    return int(name) if isinstance(name, np.integer) else str(name)
