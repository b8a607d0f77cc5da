"""Learning rates that are too high or too low, judged by the history and a range test."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding
from multilayer.doctor.measures import constant_loss

__all__ = ["learning_rate_too_high", "learning_rate_too_low", "too_high_by"]

Array = npt.NDArray[Any]

LEAST_EPOCHS = 8
"""Fewer epochs do not show where the loss is heading."""
JUMP, JUMPS = 0.05, 0.2
"""Random batches do not explain a last loss this fraction above the first epoch's, nor rises by
this fraction of it in this share of epochs. Late in a good training run, jumps are larger relative
to the loss itself, but small relative to the first loss."""
STRAIGHT = 0.7
"""Decrease of the loss in the second half of the epochs, as a fraction of that in the first half.
Near its end, training slows down: for exponential decay over n time constants, the fraction is
e^(−n/2), so above 0.7 not even one time constant has passed."""
UNFINISHED = 0.5
"""Fraction of the first loss, or of the baseline's, that remains if training ended too soon."""
FALLS = 0.9
"""Share of epochs that lower the loss: such a steady fall is not noise."""
FAR_BELOW = 1_000.0
"""A rate this many times below the suggestion is too low for any schedule; long training runs, and
optimizers that adapt their steps, work well with a hundredth."""


def learning_rate_too_high(case: Case) -> Iterator[Finding]:
    """Find a training loss that diverged, ended above its start or jumped up and down.

    If there is no history, or its loss behaved in this way, also compare the learning rate with the
    one at which the range test diverges.
    """
    if not case.takes_steps:
        return
    losses = case.history.get("train_loss", np.empty(0))
    evidence = _restless(losses)
    if evidence or not len(losses):
        test, rate = case.range_test, case.learning_rate
        if test is not None and rate >= test.diverged_at:
            evidence |= {"learning rate": rate, "diverges at": test.diverged_at}
        elif test is not None and rate < test.suggestion and np.isfinite(losses).all():
            evidence = {}  # not the rate: dropout or small batches make the loss jump
    if evidence:
        yield _too_high(evidence | _suggestion(case))


def too_high_by(losses: Array) -> Iterator[Finding]:
    """Find the same from the training losses alone; a rise only after enough epochs."""
    is_known = len(losses) >= LEAST_EPOCHS or not np.isfinite(losses).all()
    if is_known and (evidence := _restless(losses)):
        yield _too_high(evidence)


def _restless(losses: Array) -> dict[str, float]:
    """Return evidence that a training loss diverged, rose or jumped; empty if it did not."""
    if not np.isfinite(losses).all():
        return {"epochs that diverged": int((~np.isfinite(losses)).sum())}
    if len(losses) > 1 and losses[0] > 0:
        rises = np.diff(losses) > JUMP * losses[0]
        if losses[-1] > (1 + JUMP) * losses[0] or (
            len(losses) >= LEAST_EPOCHS and rises.mean() >= JUMPS
        ):
            return {
                "first loss": float(losses[0]),
                "last loss": float(losses[-1]),
                "share of epochs that jump up": float(rises.mean()),
            }
    return {}


def _too_high(evidence: dict[str, float]) -> Finding:
    return Finding(
        "learning_rate_too_high",
        "wrong",
        evidence,
        "The steps are so large that they jump across valleys of the loss instead of going "
        "down into them.",
        "Divide the learning rate by 3 to 10, or clip gradients with clip_norm; "
        "multilayer.inspection.lr_finder shows which rates work.",
    )


def learning_rate_too_low(case: Case) -> Iterator[Finding]:
    """Find a training loss that was still falling steadily when training ended.

    If there is no history, or the network is little better than the baseline, also find a rate far
    below the suggestion of the range test.
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
            "The training steps were too small or too few: training ended long before the loss "
            "levelled off.",
            "Multiply the learning rate by 3 to 10, or train for more epochs; "
            "multilayer.inspection.lr_finder shows which rates work.",
        )


def _falls_straight(losses: Array) -> bool:
    """Return whether a loss falls steadily, hardly slows down, and is still high."""
    if not np.isfinite(losses).all() or losses[0] <= 0 or losses[-1] < UNFINISHED * losses[0]:
        return False
    middle = len(losses) // 2
    first, second = losses[0] - losses[middle], losses[middle] - losses[-1]
    falls = float((np.diff(losses) < 0).mean())
    return falls >= FALLS and bool(first > 0) and bool(second >= STRAIGHT * first)


def _suggestion(case: Case) -> dict[str, float]:
    return {} if case.range_test is None else {"suggested": case.range_test.suggestion}
