"""Networks that have learned nothing, too little, or the training samples by heart."""

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
"""Of the loss of the best constant: what a network that has learned something takes off at least.
Less than that a constant can lose to rounding, label smoothing and the last batch; more than that
above it is worse than a constant."""
STANDARD_ERRORS = 3.0
"""A difference of shares counts if chance has it once in a thousand times (normal, two-sided: once
in 370)."""
GAP = 0.3
"""Validation loss less training loss, in parts of the loss of guessing: of real values the
difference of R². Every network that is large enough does better on what it was trained on; with a
thousand images of ten digits, and right on all of them, by a fifth. Where only the history tells,
as much for the last validation loss less the least."""
BEHIND = {"classification": 0.08, "multilabel": 0.08, "regression": 0.15}
"""Accuracy, or R², of the simple model on new samples less the network's on its own."""


def chance_level(case: Case) -> Iterator[Finding]:
    """Find a loss that is no better than that of the best constant answer.

    A network that is right more often than the constant has learned something, whatever its loss:
    that is a matter of how sure it is.
    """
    sample, loss = case.training, case.loss
    constant = constant_answer(case, sample)
    if constant is None or not constant.loss > 0 or sample.loss < (1 - LEARNED) * constant.loss:
        return
    right, by_constant = rightness(sample, loss), rightness(constant, loss)
    if right is not None and by_constant is not None:
        gain = right.astype(float) - by_constant
        if gain.mean() > STANDARD_ERRORS * gain.std() / math.sqrt(len(gain)):
            return
    yield Finding(
        "chance_level",
        "wrong",
        {"loss": sample.loss, "loss of a constant": constant.loss, "score": score(sample, loss)},
        "The loss is that of a network which ignores its inputs and always gives the best constant "
        "answer: it has learned nothing, or has not been trained."
        if sample.loss < (1 + LEARNED) * constant.loss
        else "The loss is worse than that of the best constant answer: the network has not been "
        "trained, or hardly; or its training diverged; or these targets are not those of the "
        "samples.",
        "Look first at the other findings; then whether samples and targets are in the same order, "
        "and at the learning rate with multilayer.inspection.lr_finder.",
    )


def overfitting(case: Case) -> Iterator[Finding]:
    """Find a loss that is much larger on other samples, or one that has risen there.

    It is the loss that tells: training on until all samples are right makes a network sure of what
    it does not know, though it may not be wrong more often.
    """
    evidence: dict[str, float] = {}
    is_useless = False
    if case.validation is not None:
        guessing = constant_loss(case, case.validation)
        gap = case.validation.loss - case.training.loss
        error = float(case.validation.values.std()) / math.sqrt(len(case.validation))
        if gap > GAP * guessing and gap > STANDARD_ERRORS * error:
            is_useless = case.validation.loss >= guessing
            evidence = {
                "training loss": case.training.loss,
                "validation loss": case.validation.loss,
                "training score": score(case.training, case.loss),
                "validation score": score(case.validation, case.loss),
                "loss of a constant": guessing,
            }
    losses = case.history.get("validation_loss")
    is_blind = case.validation is None and not case.has_best_weights
    if losses is not None and is_blind and np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        guessing = constant_loss(case, case.training)
        rise = float(losses[-1] - losses[best])
        if rise > GAP * guessing:
            evidence |= {
                "least validation loss": float(losses[best]),
                "of epoch": best + 1,
                "last validation loss": float(losses[-1]),
                "of epochs": len(losses),
            }
    if evidence:
        yield Finding(
            "overfitting",
            severity_of(is_useless),
            evidence,
            "The network answers much better on the samples that it was trained on than on others: "
            "it has learned them by heart.",
            "Stop early (EarlyStopping, early_stopping=True), penalise weights (l2, alpha), use "
            "dropout or fewer units, or get more samples.",
        )


def _error(case: Case, share: float) -> float:
    """Return the standard error of a share; of R² there is none that is simple."""
    if case.loss.task == "regression":
        return 0.0
    return math.sqrt(max(share * (1 - share), 0) / len(case.held_out))


def underfitting(case: Case) -> Iterator[Finding]:
    """Find a network that is worse on its own samples than a simple model is on new ones."""
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
            "On its own samples the network is worse than simple models are on samples that they "
            "have not seen: it could learn much more from these inputs.",
            "Train for more epochs or with a higher learning rate, with more units, or with less "
            "l2, alpha and dropout.",
        )
