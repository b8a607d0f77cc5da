"""A link function, softmax or sigmoid, that is applied to what it has made already."""

import math
from collections.abc import Iterator

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding
from multilayer.doctor.measures import constant_logits
from multilayer.model import loss_of_output
from multilayer.numpy import Loss

__all__ = ["link_applied_twice"]

PROBABILITIES = ("softmax", "sigmoid")
"""Outputs that are no longer logits. Of log-probabilities the softmax is the softmax again: with
them twice is as once."""
LEAST_OF_PERFECT = 0.1
"""What a loss of probabilities may have at best, in parts of that of guessing: a little is label
smoothing's."""
NEAR, APART = 0.1, 2.0
"""A history's loss within a tenth of what probabilities taken for logits would give, and twice of
what the logits give, has been computed so."""
ROUNDING = 1e-4
"""Of the sum of a row of probabilities in float32."""


def link_applied_twice(case: Case) -> Iterator[Finding]:
    """Find a loss, a history or inputs that say that probabilities were taken for logits."""
    for evidence, meaning in (_by_loss(case), _by_history(case), _by_inputs(case)):
        if evidence:
            yield Finding(
                "link_applied_twice",
                "wrong",
                evidence,
                meaning,
                "Apply it once: give a loss of logits what net.logits returns, or the output "
                "'identity'; a loss of outputs the probabilities. To go on from another model's "
                "probabilities take their logarithm (predict_log_proba).",
            )


Signs = tuple[dict[str, float], str]


def _by_loss(case: Case) -> Signs:
    """Ask a loss of outputs what it gives for outputs that are perfect: it should be next to 0.

    The softmax of a certainty (1, 0, …, 0) is e/(e + K − 1) for the right class, so that the loss
    cannot fall below log(1 + (K − 1)/e).
    """
    output, loss, sample = case.net.architecture.output, case.loss, case.training
    if loss.takes_logits or output not in PROBABILITIES or loss.task == "regression":
        return {}, ""
    truth = np.asarray(loss.truth(sample.targets))
    if loss.task == "classification":
        perfect = np.eye(case.net.architecture.out_features)[truth]
    else:
        perfect = truth.reshape(len(truth), -1).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_best = float(loss.per_sample(perfect, sample.targets)[0].mean())
        wrong = float(loss.per_sample(1 - perfect, sample.targets)[0].mean())
    if not math.isfinite(at_best) or at_best < LEAST_OF_PERFECT * _guessing(case, wrong):
        return {}, ""
    return (
        {"loss of perfect outputs": at_best, "loss of the opposite": wrong},
        f"The loss gets probabilities (output {output!r}) and applies the link function to them "
        "once more: even certain and right answers have a loss, and gradients are small.",
    )


def _guessing(case: Case, wrong: float) -> float:
    """Return the loss of guessing by the classes' frequencies, or a finite stand-in for it."""
    of_logits = _loss_of_logits(case)
    if of_logits is None:
        return wrong
    constant = constant_logits(of_logits, case.training.targets, case.net.architecture.out_features)
    assert constant is not None
    rows = np.tile(constant, (len(case.training), 1))
    return float(of_logits.per_sample(rows, case.training.targets)[0].mean())


def _loss_of_logits(case: Case) -> Loss | None:
    output = case.net.architecture.output
    return loss_of_output(output) if output in PROBABILITIES else None


def _by_history(case: Case) -> Signs:
    """Compare the last training loss with what it would be of probabilities taken for logits."""
    losses = case.history.get("train_loss", np.empty(0))
    of_logits = _loss_of_logits(case)
    if of_logits is None or not len(losses) or case.loss.name != of_logits.name:
        return {}, ""
    sample, last = case.training, float(losses[-1])
    once = sample.loss
    twice = float(case.loss.per_sample(sample.outputs, sample.targets)[0].mean())
    if abs(last - twice) > NEAR * twice or last < APART * once:
        return {}, ""
    return (
        {"loss of the history": last, "of logits": once, "of probabilities as logits": twice},
        "The training loss is not the network's own, but that of its probabilities taken for "
        "logits: the link function was applied to them once more in training.",
    )


def _by_inputs(case: Case) -> Signs:
    """See whether the inputs are themselves probabilities of the classes."""
    X, architecture = case.training.X, case.net.architecture
    n_classes = architecture.out_features
    if case.loss.task == "multilabel" and n_classes == 1:
        n_classes = 2
    is_one_each = case.loss.task != "regression" and architecture.in_features == n_classes > 1
    furthest = float(np.abs(X.sum(axis=1) - 1).max())
    if not is_one_each or X.min() < 0 or furthest > ROUNDING:
        return {}, ""
    return (
        {
            "inputs": architecture.in_features,
            "least": float(X.min()),
            "rows differ from a sum of 1 by": furthest,
        },
        "The inputs are probabilities of as many classes as there are to tell apart: they have "
        "gone through a softmax or sigmoid already, which flattens what was certain.",
    )
