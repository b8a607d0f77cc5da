"""Networks that have learned nothing, learned too little, or memorised the training samples."""

import math
from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding, severity_of
from multilayer.doctor.measures import (
    constant_answer,
    constant_loss,
    rightness,
    score,
    simple_scores,
)

__all__ = ["chance_level", "overfitting", "underfitting"]

LEARNED = 0.02
"""A network that has learned something has a loss at least this fraction below the baseline's.
Rounding, label smoothing and the last batch account for less. A network whose loss is this fraction
above the baseline's is worse than the baseline."""
STANDARD_ERRORS = 3.0
"""A difference of shares counts if chance rarely produces it (normal, two-sided: once in 370)."""
GAP = 0.3
"""Validation loss minus training loss, as a fraction of the baseline's loss; in regression, the
difference in R². Any network that is large enough does better on its training samples: by a fifth
on a thousand images of ten digits, even if it predicts all of them correctly. With a history alone,
the same limit holds for the last validation loss minus the lowest."""
BEHIND = {"classification": 0.08, "multilabel": 0.08, "regression": 0.15}
"""Accuracy or R² of the simple model on new samples, minus the network's on training samples."""


def chance_level(case: Case) -> Iterator[Finding]:
    """Find a loss that is no better than the baseline's, the best constant answer.

    A network that is right more often than the baseline has learned something, whatever its loss,
    since the loss also depends on how sure the network is.
    """
    sample, loss = case.training, case.loss
    baseline = constant_answer(case, sample)
    if baseline is None or not baseline.loss > 0 or sample.loss < (1 - LEARNED) * baseline.loss:
        return
    right, by_baseline = rightness(sample, loss), rightness(baseline, loss)
    if right is not None and by_baseline is not None:
        gain = right.astype(float) - by_baseline
        if gain.mean() > STANDARD_ERRORS * gain.std() / math.sqrt(len(gain)):
            return
    yield Finding(
        "chance_level",
        "wrong",
        {"loss": sample.loss, "baseline loss": baseline.loss, "score": score(sample, loss)},
        "The loss is no better than the baseline's, which ignores the inputs and always gives the "
        "same answer: the network has learned nothing, or has not been trained."
        if sample.loss < (1 + LEARNED) * baseline.loss
        else "The loss is worse than the baseline's, which ignores the inputs: the network has "
        "hardly been trained, its training diverged, or the targets do not belong to these "
        "samples.",
        "First look at the other findings. Then check that samples and targets are in the same "
        "order, and check the learning rate with multilayer.inspection.lr_finder.",
    )


def overfitting(case: Case) -> Iterator[Finding]:
    """Find a loss that is much higher on validation samples, or has risen there.

    The loss shows overfitting, the accuracy may not: a network trained until every training sample
    is right becomes too sure of its answers, even if it is not wrong more often.
    """
    evidence: dict[str, float] = {}
    is_useless = False
    if case.validation is not None:
        baseline = constant_loss(case, case.validation)
        gap = case.validation.loss - case.training.loss
        error = float(case.validation.values.std()) / math.sqrt(len(case.validation))
        if gap > GAP * baseline and gap > STANDARD_ERRORS * error:
            is_useless = case.validation.loss >= baseline
            evidence = {
                "training loss": case.training.loss,
                "validation loss": case.validation.loss,
                "training score": score(case.training, case.loss),
                "validation score": score(case.validation, case.loss),
                "baseline loss": baseline,
            }
    losses = case.history.get("validation_loss")
    is_blind = case.validation is None and not case.has_best_weights
    if losses is not None and is_blind and np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        baseline = constant_loss(case, case.training)
        rise = float(losses[-1] - losses[best])
        if rise > GAP * baseline:
            evidence |= {
                "lowest validation loss": float(losses[best]),
                "in epoch": best + 1,
                "last validation loss": float(losses[-1]),
                "epochs": len(losses),
            }
    if evidence:
        yield Finding(
            "overfitting",
            severity_of(is_useless),
            evidence,
            "The network does much better on its training samples than on others: it has memorised "
            "them.",
            "Stop early (EarlyStopping, early_stopping=True), penalise weights (l2, alpha), use "
            "dropout or fewer units, or get more samples.",
        )


def _error(case: Case, share: float) -> float:
    """Return the standard error of a share; 0 for R², which has no simple one."""
    if case.loss.task == "regression":
        return 0.0
    return math.sqrt(max(share * (1 - share), 0) / len(case.held_out))


def underfitting(case: Case) -> Iterator[Finding]:
    """Find a network that does worse on its training samples than a simple model on new ones."""
    own = score(case.training, case.loss)
    simple = simple_scores(case)
    if math.isnan(own) or not simple:
        return
    best = max(simple.values())
    behind = best - own
    if behind > BEHIND[case.loss.task] and behind > STANDARD_ERRORS * _error(case, best):
        yield Finding(
            "underfitting",
            severity_of(behind > 2 * BEHIND[case.loss.task]),
            {"score": own, **simple},
            "On its own training samples, the network does worse than simple models do on samples "
            "they have not seen: it could learn much more from these inputs.",
            "Train for more epochs, with a higher learning rate, with more units, or with less "
            "l2, alpha, dropout and noise.",
        )
