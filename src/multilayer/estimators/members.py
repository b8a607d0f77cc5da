"""The members of an estimator's ensemble: how they differ, and what they have in common."""

import math
import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from multilayer.architecture import Architecture
from multilayer.data.folds import Split, k_folds
from multilayer.errors import InvalidArgumentError
from multilayer.estimators.fitting import Job, Outcome
from multilayer.estimators.samples import Part
from multilayer.model import Targets, mean_outputs
from multilayer.numpy import MLP

__all__ = [
    "bootstrap",
    "check_members",
    "check_memory",
    "folds_of",
    "results_of",
    "seeds_of",
    "unseen_outputs",
    "unseen_predictions",
    "warning_of_all",
]

Array = npt.NDArray[Any]

MAX_SEED = np.iinfo(np.int32).max

OBJECTS = 30_000
"""Bytes that a member takes in training besides its parameters, as measured."""


def seeds_of(random_state: Any, n_members: int) -> list[int]:
    """Return a seed for each member; the first seeds do not depend on the number of members.

    An int is itself the first member's seed: this member is the network that the int gives alone.
    """
    rng = check_random_state(random_state)
    own = [int(random_state)] if isinstance(random_state, Integral) else []
    return own + rng.randint(MAX_SEED, size=n_members - len(own)).tolist()


def folds_of(part: Part, targets: Targets, n_folds: int, seed: int) -> list[Split]:
    """Return folds of the samples, drawn as in scikit-learn and stratified by class.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two folds, or more than samples, or more than any class has samples.
    """
    classes = part.targets.ravel() if targets.has_one_class else None
    try:
        return k_folds(part.n_samples, n_folds, seed, classes)
    except ValueError as error:
        rule = f"cannot be {n_folds} with resample='folds': {error}"
        raise InvalidArgumentError(rule, "n_members") from error


def bootstrap(part: Part, seed: int) -> Part:
    """Return as many rows as the part has, drawn from it with replacement, in order."""
    n = part.n_samples
    return part.take(np.sort(np.random.default_rng(seed).integers(n, size=n)))


def check_memory(n_members: int, architecture: Architecture, dtype: Any, owner: str) -> None:
    """Raise if the machine is known to have too little memory for the members.

    Raises
    ------
    InvalidArgumentError
        If so; the message says how many members fit.
    """
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # Parameters are held in the member's own network and in the ensemble.
    each = OBJECTS + 2 * architecture.n_parameters * np.dtype(dtype).itemsize
    if n_members > (most := max(1, total // each)):
        rule = f"must be at most {most:,} to fit into this machine's memory"
        raise InvalidArgumentError(rule, "n_members", owner, got=n_members)


def check_members(parameters: Any, n_before: int) -> None:
    """Raise if training cannot continue with the members that the parameters describe.

    Parameters
    ----------
    parameters : BaseMLP
    n_before : int
        The number of existing networks; 0 if `partial_fit` makes them, or weights were set by hand.

    Raises
    ------
    InvalidArgumentError
        If so; the message names the parameter.
    """
    owner, n_members = type(parameters).__name__, parameters.n_members
    if parameters.resample is not None:
        rule = "must be None when a fit continues, which need not see the same samples"
        raise InvalidArgumentError(rule, "resample", owner, got=repr(parameters.resample))
    if n_before and n_members != n_before:
        raise InvalidArgumentError(
            "warm_start and partial_fit continue with the existing networks: {n_members} was "
            f"{n_before}, is {n_members}",
            others=["n_members"],
        )
    if not n_before and n_members > 1 and hasattr(parameters, "coefs_"):
        rule = "must be 1 for weights set by hand"
        raise InvalidArgumentError(rule, "n_members", owner, got=n_members)


def unseen_outputs(
    part: Part,
    held_out: Part | None,
    jobs: Sequence[Job],
    nets: Sequence[MLP],
    softmax_sizes: tuple[int, ...],
) -> tuple[Array, Array]:
    """Return each sample's mean outputs over the members that have not seen it.

    Parameters
    ----------
    part, held_out : Part
        The training and the validation data given to `fit`.
    jobs, nets : sequence of Job and of MLP
        Each member's job and its trained network.
    softmax_sizes : tuple of int
        See `multilayer.model.Targets`.

    Returns
    -------
    outputs : array of shape (n_samples, out_features)
        NaN for samples that all members have seen.
    n_drawn : array of shape (n_members, n_samples)
        How often each member has seen each sample.
    """
    every = slice(None) if part.rows is None else part.rows
    n_drawn = np.zeros((len(jobs), part.n_samples), dtype=np.uint8)

    def unseen() -> Iterator[tuple[Array, Array]]:
        for k, (job, net) in enumerate(zip(jobs, nets, strict=True)):
            own: list[Any] = [job.training.rows]
            if job.held_out is not None and job.held_out is not held_out:
                own.append(job.held_out.rows)  # these rows chose the epoch
            n_drawn[k] = np.bincount(np.concatenate(own), minlength=part.data.n_samples)[every]
            rows = np.flatnonzero(n_drawn[k] == 0)
            if len(rows):
                yield rows, net(part.take(rows).read().X)

    like = np.empty((part.n_samples, nets[0].architecture.out_features), dtype=nets[0].dtype)
    return mean_outputs(unseen(), like, softmax_sizes), n_drawn


def unseen_predictions(targets: Targets, outputs: Array) -> dict[str, Any]:
    """Return outputs for unseen samples as an attribute: probabilities of classes, or values."""
    if targets.classes is None:
        return {"oob_prediction_": targets.decode(outputs)}
    return {"oob_decision_function_": targets.probabilities(outputs)}


def results_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return results under scikit-learn's names; for several networks, as lists.

    ``n_iter_`` is the largest number of epochs; a result that no network has is None.
    """
    each = [_results(outcome) for outcome in outcomes]
    if len(each) == 1:
        return each[0]
    found: dict[str, Any] = {name: [own[name] for own in each] for name in each[0]}
    for name, values in found.items():
        if all(value is None for value in values):
            found[name] = None
    return found | {"n_iter_": max(found["n_iter_"])}


def _results(outcome: Outcome) -> dict[str, Any]:
    history, past = outcome.history, outcome.past
    return {
        "history_": history,
        "n_iter_": history.n_epochs,
        "loss_": history.get("train_loss", [math.nan])[-1],
        "t_": past.t,
        "loss_curve_": past.loss_curve,
        "best_loss_": past.best_loss,
        "best_validation_score_": past.best_validation_score,
        "validation_scores_": past.validation_scores,
        "validation_loss_curve_": past.validation_loss_curve,
        "_no_improvement_count": past.n_stalled,  # scikit-learn's own tests read it
    }


def warning_of_all(warnings: Sequence[Warning | None]) -> Warning | None:
    """Return one warning for all members, with the first one's text; None if there is none."""
    given = [(k, warning) for k, warning in enumerate(warnings) if warning is not None]
    if not given:
        return None
    k, first = given[0]
    if len(warnings) == 1:
        return first
    return type(first)(f"{len(given)} of {len(warnings)} members, such as member {k}: {first}")
