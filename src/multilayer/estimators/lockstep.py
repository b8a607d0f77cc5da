"""Lockstep: jobs of estimators whose networks have the same shape are trained as one."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import DivergenceError, MultilayerError
from multilayer.estimators.fitting import Job, Outcome, Training, batch_size_of, train_network
from multilayer.estimators.samples import Pool
from multilayer.numpy import Ensemble
from multilayer.randomness import Generators
from multilayer.training import Callback, train

__all__ = ["MEMORY", "groups_of", "n_bytes", "train_group", "train_networks"]

Array = npt.NDArray[Any]

MEMORY = 2**30
"""Bytes that the networks of a group may take; further networks form another group."""
COPIES = 8
"""How many times a parameter is stored: itself, its gradient, two moments, two snapshots, and
copies for the members that continue when others have ended."""


def train_networks(jobs: Sequence[Job]) -> list[Outcome | Exception]:
    """Train jobs, as one where possible; each outcome is the same as if the job trained alone.

    Jobs train together if they differ only in numbers: in weights, samples, rates, penalties,
    dropout, tolerances, and the parameters of their optimizer and loss. They must have the same
    shape of network, layers with dropout, noise, dtype, batch size, maximum number of epochs, kinds
    of optimizer and loss, adversary, and way of judging epochs. Samples may differ: those that
    several jobs share are stored once, and the others are stacked.

    A job trains alone if its solver is L-BFGS or continues from its state, as in `partial_fit`; if
    PyTorch trains it; if it has callbacks, or is verbose; if its loss or optimizer is not hashable;
    or if its samples are all of one class.

    Returns
    -------
    list
        The outcome of each job, or the error that it raised.
    """
    found: dict[int, Outcome | Exception] = {}
    for group in groups_of(jobs):
        outcomes = train_group([jobs[i] for i in group])
        found.update(zip(group, outcomes, strict=True))
    return [found[i] for i in range(len(jobs))]


def groups_of(jobs: Sequence[Job]) -> list[list[int]]:
    """Return the positions of jobs that train together, in groups that memory allows."""
    by_shape: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        key = _shape(job) if _can_be_member(job) else i
        try:
            by_shape.setdefault(key, []).append(i)
        except TypeError:  # a custom loss or optimizer may not be hashable
            by_shape[i] = [i]
    groups = []
    for members in by_shape.values():
        size = max(1, MEMORY // n_bytes(jobs[members[0]]))
        groups += [members[i : i + size] for i in range(0, len(members), size)]
    return groups


def n_bytes(job: Job) -> int:
    """Return how many bytes it takes to train a job's network, without its samples."""
    return COPIES * job.net.n_parameters * job.net.dtype.itemsize


def train_group(
    jobs: Sequence[Job], callbacks: Sequence[Callback] = ()
) -> list[Outcome | Exception]:
    """Train jobs of one group.

    Callbacks observe only jobs that are trained as one. A group that fails as a whole, for example
    because a metric is NaN, is trained again job by job, so that only the job at fault has the
    error; `Outcome.n_together` tells which was done.
    """
    if len(jobs) == 1:
        try:
            return [train_network(jobs[0])]
        except Exception as error:  # a user's callback may raise anything
            return [error]
    states = [job.random_state.get_state() for job in jobs]
    try:
        return _train_as_one(jobs, callbacks)
    except MultilayerError:
        found = []
        for job, state in zip(jobs, states, strict=True):
            job.random_state.set_state(state)
            found += train_group([job])
        return found


def _train_as_one(jobs: Sequence[Job], callbacks: Sequence[Callback]) -> list[Outcome | Exception]:
    trainings = [Training(job, k) for k, job in enumerate(jobs)]
    first = trainings[0]
    settings = [job.settings for job in jobs]
    pool = Pool()
    splits = [
        (pool.rows(job.training), None if job.held_out is None else pool.rows(job.held_out))
        for job in jobs
    ]
    X, targets, _ = pool.data()
    ensemble = Ensemble.of([training.net for training in trainings])
    trainer: Any = ensemble.trainer(
        loss=[own.loss for own in settings],
        optimizer=[own.optimizer for own in settings],
        l2=[training.l2 for training in trainings],
        clip_norm=[own.clip_norm for own in settings],
        clip_value=[own.clip_value for own in settings],
        adversary=settings[0].adversary,
        max_norm=[own.max_norm for own in settings],
        ema=[own.ema for own in settings],
        rng=Generators(training.masks for training in trainings),
    )
    with suppress(DivergenceError):  # raised if all diverge: each member has its own error
        train(
            trainer,
            (X, targets, _weights(jobs, splits, len(targets))),
            n_epochs=settings[0].n_epochs,
            batch_size=max(training.batch_size for training in trainings),
            shuffle=[training.order for training in trainings] if first.order else False,
            schedule=[training.schedule for training in trainings],
            callbacks=[*(training.convergence for training in trainings), *callbacks],
            rng=[training.rng for training in trainings],
            splits=splits,
            metrics=[training.metrics for training in trainings] if first.metrics else None,
            monitor=first.monitor,
        )
    outcomes: list[Outcome | Exception] = []
    for k, training in enumerate(trainings):
        training.take(ensemble[k])
        try:
            outcome = training.outcome(training.convergence.member.error, trainer.state_of(k))
            outcomes.append(outcome._replace(n_together=len(jobs)))
        except MultilayerError as error:
            outcomes.append(error)
    return outcomes


def _can_be_member(job: Job) -> bool:
    settings = job.settings
    return (
        settings.optimizer.takes_steps
        and not settings.with_torch
        and not settings.is_incremental
        and not settings.callbacks
        and not settings.verbose
        and settings.precision is None
        and not (settings.targets.has_one_class and len(np.unique(job.training.targets)) == 1)
    )


def _shape(job: Job) -> tuple[Any, ...]:
    """Return what jobs that train together have in common."""
    settings, n_samples = job.settings, job.training.n_samples
    size = batch_size_of(settings, n_samples)
    # Other schedules depend on the share of an epoch that is over, so on its number of steps.
    by_epoch = settings.schedule in (None, "adaptive", "invscaling")
    architecture = job.net.architecture
    return (
        replace(architecture, dropout=0.0),
        tuple(layer.dropout > 0 for layer in architecture.hidden_layers),  # these draw masks
        job.net.dtype,
        size if size < n_samples else "all",
        settings.n_epochs,
        None if by_epoch else -(-n_samples // size),
        settings.shuffle,
        settings.monitor,
        job.held_out is None,
        _kind(settings.loss),
        _kind(settings.optimizer),
        settings.adversary,
    )


def _kind(part: Any) -> Any:
    """Return a loss or an optimizer without its numbers, in which members may differ."""
    if not is_dataclass(part):
        return part
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    others = (item for item in values.items() if type(item[1]) not in (int, float))
    return type(part), *others


def _weights(
    jobs: Sequence[Job], splits: Sequence[tuple[Array, Array | None]], n_samples: int
) -> Array | None:
    """Return the weights of each job's samples, of shape (K, n_samples); None if no job has any."""
    parts = [
        (k, part, rows)
        for k, (job, pair) in enumerate(zip(jobs, splits, strict=True))
        for part, rows in zip((job.training, job.held_out), pair, strict=True)
        if part is not None
    ]
    if all(part.weight is None for _, part, _ in parts):
        return None
    weight = np.zeros((len(jobs), n_samples))
    for k, part, rows in parts:
        weight[k, rows] = 1.0 if part.weight is None else part.weight
    return weight
