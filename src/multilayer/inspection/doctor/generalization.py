"""Networks that have learned nothing, too little, or the training samples by heart."""

import math
from collections.abc import Iterator

import numpy as np

from multilayer.inspection.doctor.case import Case, Sample
from multilayer.inspection.doctor.finding import Finding, Number, severity_of
from multilayer.inspection.doctor.measures import (
    constant_logits,
    linear_score,
    neighbours_score,
    score,
)

__all__ = ["chance_level", "overfitting", "underfitting"]

LEARNED = 0.02
"""Of the loss of the best constant: what a network that has learned something takes off at least.
Less than that a constant can lose to rounding, label smoothing and the last batch."""
STANDARD_ERRORS = 3.0
"""A difference of shares counts if chance has it once in a thousand times (normal, two-sided: once
in 370)."""
GAP = {"class": 0.1, "labels": 0.1, "value": 0.3}
"""Accuracy, or R², on training samples less that on others. Every network that is large enough does
better on what it was trained on; a tenth of the answers is more than a little."""
RISEN = 0.15
"""Of the loss of guessing: how far the validation loss may rise above its least. Training on makes
a classifier surer, and its loss on what it gets wrong larger, before anything is lost."""
BEHIND = {"class": 0.05, "labels": 0.05, "value": 0.1}
"""Accuracy, or R², of the simple model on new samples less the network's on its own."""


def chance_level(case: Case) -> Iterator[Finding]:
    """Find a loss that is no better than that of the best constant answer."""
    sample, loss = case.training, case.loss
    constant = _constant_loss(case, sample)
    if not constant > 0 or sample.loss < (1 - LEARNED) * constant:
        return
    yield Finding(
        "chance_level",
        "wrong",
        {"loss": sample.loss, "loss of a constant": constant, "score": score(sample, loss)},
        "The loss is that of a network which ignores its inputs and always gives the best constant "
        "answer: it has learned nothing, or has not been trained.",
        "Look first at the other findings; then whether samples and targets are in the same order, "
        "and at the learning rate with multilayer.inspection.lr_finder.",
    )


def _constant_loss(case: Case, sample: Sample) -> float:
    """Return the loss of the best constant answer; NaN where it is not known."""
    width = case.net.architecture.out_features
    constant = constant_logits(case.loss, sample.targets, width)
    if constant is None:
        return math.nan
    values, _ = case.loss.per_sample(np.tile(constant, (len(sample), 1)), sample.targets)
    return float(values.mean())


def overfitting(case: Case) -> Iterator[Finding]:
    """Find answers much better on training samples, or a validation loss that has risen."""
    evidence: dict[str, Number] = {}
    gap = 0.0
    if case.validation is not None:
        scores = [score(sample, case.loss) for sample in (case.training, case.validation)]
        gap = scores[0] - scores[1]
        if gap > GAP[case.loss.task] and gap > STANDARD_ERRORS * _error(case, scores[1]):
            evidence = {"training score": scores[0], "validation score": scores[1]}
    losses = case.history.get("validation_loss")
    is_blind = case.validation is None and not case.has_best_weights
    if losses is not None and is_blind and np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        guessing = _constant_loss(case, case.training)
        rise = float(losses[-1] - losses[best])
        if rise > RISEN * guessing:
            evidence |= {
                "least validation loss": float(losses[best]),
                "of epoch": best + 1,
                "last validation loss": float(losses[-1]),
                "of epochs": len(losses),
            }
    if evidence:
        yield Finding(
            "overfitting",
            severity_of(gap > 2 * GAP[case.loss.task]),
            evidence,
            "The network answers much better on the samples that it was trained on than on others: "
            "it has learned them by heart.",
            "Stop early (EarlyStopping, early_stopping=True), penalise weights (l2, alpha), use "
            "dropout or fewer units, or get more samples.",
        )


def _error(case: Case, share: float) -> float:
    """Return the standard error of a share; of R² there is none that is simple."""
    if case.loss.task == "value":
        return 0.0
    return math.sqrt(max(share * (1 - share), 0) / len(case.held_out))


def underfitting(case: Case) -> Iterator[Finding]:
    """Find a network that is worse on its own samples than a simple model is on new ones."""
    own = score(case.training, case.loss)
    simple = {
        "score of linear fit": linear_score(case),
        "score of nearest neighbours": neighbours_score(case),
    }
    better = {name: value for name, value in simple.items() if not math.isnan(value)}
    if math.isnan(own) or not better:
        return
    best = max(better.values())
    behind = best - own
    if behind > BEHIND[case.loss.task] and behind > STANDARD_ERRORS * _error(case, best):
        yield Finding(
            "underfitting",
            severity_of(behind > 2 * BEHIND[case.loss.task]),
            {"score": own, **better},
            "On its own samples the network is worse than simple models are on samples that they "
            "have not seen: it could learn much more from these inputs.",
            "Train for more epochs or with a higher learning rate, with more units, or with less "
            "l2, alpha and dropout.",
        )
