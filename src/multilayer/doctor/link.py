"""A link function, softmax or sigmoid, that is applied twice."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Finding
from multilayer.doctor.measures import constant_loss
from multilayer.model import loss_of_output
from multilayer.numpy import Loss

__all__ = ["link_applied_twice"]

PROBABILITIES = ("softmax", "sigmoid")
"""Outputs that are not logits. Log-probabilities are not among them, since they can serve as
logits: their softmax gives the probabilities."""
LEAST_OF_PERFECT = 0.1
"""The loss of perfect outputs may be up to this fraction of the baseline's, since label smoothing
adds a little."""
NEAR, APART = 0.1, 2.0
"""The history's loss comes from probabilities used as logits if it is within a tenth of the loss
that these give, and at least twice the loss that the logits give."""
ROUNDING = 1e-4
"""Rounding error in the sum of a row of float32 probabilities."""


def link_applied_twice(case: Case) -> Iterator[Finding]:
    """Find signs in the loss, the history or the inputs that probabilities were used as logits."""
    for evidence, meaning in (_by_loss(case), _by_history(case), _by_inputs(case)):
        if evidence:
            yield Finding(
                "link_applied_twice",
                "wrong",
                evidence,
                meaning,
                "Apply it once. A loss of logits needs net.logits, or a network with output "
                "'identity'; a loss of outputs needs the probabilities. To continue from another "
                "model's probabilities, use their logarithm (predict_log_proba).",
            )


Signs = tuple[dict[str, float], str]


def _by_loss(case: Case) -> Signs:
    """Check that a loss of outputs is close to 0 for perfect outputs.

    The softmax of a one-hot vector (1, 0, …, 0) is e/(e + K − 1) for the right class, so the loss
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
    if not math.isfinite(at_best) or at_best < LEAST_OF_PERFECT * _baseline_loss(case, wrong):
        return {}, ""
    return (
        {"loss of perfect outputs": at_best, "loss of the opposite": wrong},
        f"The loss receives probabilities (output {output!r}) and applies the link function to "
        "them again: even perfect answers have a loss, and gradients are small.",
    )


def _baseline_loss(case: Case, wrong: float) -> float:
    """Return the loss of the baseline, the classes' frequencies, or a finite stand-in for it."""
    of_logits = _loss_of_logits(case)
    if of_logits is None:
        return wrong
    return constant_loss(replace(case, loss=of_logits), case.training)


def _loss_of_logits(case: Case) -> Loss | None:
    output = case.net.architecture.output
    return loss_of_output(output) if output in PROBABILITIES else None


def _by_history(case: Case) -> Signs:
    """Compare the last training loss with the loss of probabilities used as logits."""
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
        "The training loss is the loss of the network's probabilities used as logits: training "
        "applied the link function a second time.",
    )


def _by_inputs(case: Case) -> Signs:
    """Check whether the inputs are already probabilities of the classes."""
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
            "smallest": float(X.min()),
            "rows differ from a sum of 1 by": furthest,
        },
        "The inputs are already probabilities, one for each class: a softmax or sigmoid has "
        "flattened them before the network sees them.",
    )
