"""Learning rates that are too high or too low, by what the training did and by a range test."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding
from multilayer.doctor.measures import constant_loss

__all__ = ["learning_rate_too_high", "learning_rate_too_low"]

Array = npt.NDArray[Any]

LEAST_EPOCHS = 8
"""Fewer say nothing of how the loss goes on."""
JUMP, JUMPS = 0.05, 0.2
"""A rise by this part of the first epoch's loss is one that batches do not explain, and this share
of epochs that rise so is no accident. What is left at the end of a good training jumps by more of
itself, but by less of the first loss."""
STRAIGHT = 0.7
"""What the second half of the epochs took off the loss, in parts of what the first half did. A
training that comes to its end slows down: of an exponential with n time constants it is e^(−n/2),
so that above 0.7 not even one is over."""
UNFINISHED = 0.5
"""Of the first loss, or that of a constant: what is still there when a training ends too soon."""
FALLS = 0.9
"""Share of epochs whose loss is below the one before: what falls so steadily is no noise."""
FAR_BELOW = 1_000.0
"""A rate this many times below the suggested one is too low for any schedule; trainings that are
long, or adapt their steps, do well with a hundredth."""


def learning_rate_too_high(case: Case) -> Iterator[Finding]:
    """Find a training loss that diverged, ended above its start or jumped about.

    Where there is no history, or its loss did so: also a rate at which the range test blows up.
    """
    if not case.takes_steps:
        return
    losses = case.history.get("train_loss", np.empty(0))
    evidence: dict[str, float] = {}
    if len(losses) and not np.isfinite(losses).all():
        evidence = {"epochs that diverged": int((~np.isfinite(losses)).sum())}
    elif len(losses) > 1 and losses[0] > 0:
        rises = np.diff(losses) > JUMP * losses[0]
        if losses[-1] > (1 + JUMP) * losses[0] or (
            len(losses) >= LEAST_EPOCHS and rises.mean() >= JUMPS
        ):
            evidence = {
                "first loss": float(losses[0]),
                "last loss": float(losses[-1]),
                "share of epochs that jump up": float(rises.mean()),
            }
    if evidence or not len(losses):
        test, rate = case.range_test, case.learning_rate
        if test is not None and rate >= test.diverged_at:
            evidence |= {"learning rate": rate, "diverges at": test.diverged_at}
        elif test is not None and rate < test.suggestion and np.isfinite(losses).all():
            evidence = {}  # it is dropout, or small batches, that make the loss jump
    if evidence:
        yield Finding(
            "learning_rate_too_high",
            "wrong",
            evidence | _suggestion(case),
            "Steps are so long that the loss jumps over its valleys instead of going down in them.",
            "Divide the learning rate by 3 to 10, or clip gradients with clip_norm; "
            "multilayer.inspection.lr_finder shows which rates hold.",
        )


def learning_rate_too_low(case: Case) -> Iterator[Finding]:
    """Find a training loss that was still falling straight when the training ended.

    Where there is no history, or the network is little better than a constant: also a rate that is
    far below the range test's suggestion.
    """
    if not case.takes_steps:
        return
    losses = case.history.get("train_loss", np.empty(0))
    evidence: dict[str, float] = {}
    has_learned = case.training.loss < UNFINISHED * constant_loss(case, case.training)
    if len(losses) >= LEAST_EPOCHS and _falls_straight(losses) and not has_learned:
        evidence = {
            "first loss": float(losses[0]),
            "last loss": float(losses[-1]),
            "epochs": len(losses),
        }
    if evidence or not len(losses) or not has_learned:
        test, rate = case.range_test, case.learning_rate
        if test is not None and rate * FAR_BELOW < test.suggestion:
            evidence |= {"learning rate": rate}
    if evidence:
        yield Finding(
            "learning_rate_too_low",
            "warning",
            evidence | _suggestion(case),
            "The training takes steps that are too short, or too few of them: it is far from where "
            "it is going.",
            "Multiply the learning rate by 3 to 10, or train for more epochs; "
            "multilayer.inspection.lr_finder shows which rates are good.",
        )


def _falls_straight(losses: Array) -> bool:
    """Return whether a loss falls steadily, as fast at the end as at the start, and is not done."""
    if not np.isfinite(losses).all() or losses[0] <= 0 or losses[-1] < UNFINISHED * losses[0]:
        return False
    middle = len(losses) // 2
    first, second = losses[0] - losses[middle], losses[middle] - losses[-1]
    falls = float((np.diff(losses) < 0).mean())
    return falls >= FALLS and bool(first > 0) and bool(second >= STRAIGHT * first)


def _suggestion(case: Case) -> dict[str, float]:
    return {} if case.range_test is None else {"suggested": case.range_test.suggestion}
