"""Run: a training run in progress, as callbacks see it, and its members, one for each network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multilayer import checks
from multilayer.errors import DivergenceError, InvalidDataError
from multilayer.groups import Arrays, join, part_of
from multilayer.training.engine import Trainer, trains_ensemble
from multilayer.training.history import History

__all__ = ["Member", "Run"]

_NUMBERS = ("epoch", "step", "is_under_way")
_PER_MEMBER = ("loss", "learning_rate", "factors")
_OF_MEMBER = ("stopped_by", "best")


class Member:
    """One network in a training run: the only one, or a member of an ensemble.

    Attributes
    ----------
    history : History
        The metrics of its epochs so far.
    stopped_by : str
        Why its training stopped; empty while it continues.
    best : float
        The best value so far of the metric by which epochs are judged; NaN if there is none.
    error : DivergenceError or None
        The error that ended it, if it diverged as a member of an ensemble.
    """

    def __init__(self, run: "Run", index: int) -> None:
        self._run, self._index = run, index
        self.history = History()
        self.stopped_by = ""
        self.best = math.nan
        self.error: DivergenceError | None = None

    @property
    def factor(self) -> float:
        """A factor for its learning rate, in addition to the schedule; at least 0."""
        return float(self._run.factors[self._index])

    @factor.setter
    def factor(self, value: float) -> None:
        self._run.factors[self._index] = checks.real(value, "factor", "Run", "[0, inf)")

    @property
    def is_judged(self) -> bool:
        """Whether at least one of its epochs has been judged."""
        return not math.isnan(self.best)

    def stop(self, reason: str) -> None:
        """Stop it after the current step or epoch; other members of the ensemble continue."""
        if not self.stopped_by:
            self.stopped_by = reason
            self._run.n_active -= 1

    def diverge(self, error: DivergenceError) -> None:
        """Stop it because of this error, which replaces any other reason to stop."""
        self.stop("divergence")
        self.stopped_by, self.error = "divergence", error


class Run:
    """A training run in progress.

    Attributes
    ----------
    trainer : Trainer
        The object that takes the steps.
    training : Data or Stream
        The checked samples to train on.
    members : list of Member
        The networks in training, each with its own history and end: one, or those of an ensemble.
    is_ensemble : bool
        Whether an ensemble is trained, even if it has only one member.
    n_epochs, n_steps : int
        The largest number of epochs, and the number of steps per epoch.
    epoch : int
        The number of the current epoch, from 1; 0 before the first.
    step : int
        The number of steps taken in this epoch.
    is_under_way : bool
        Whether the epoch has begun and is not yet over.
    loss : float or array of shape (K,)
        The last step's loss; on a GPU, the last loss that was read. It is 0 for a member of an
        ensemble that took no step.
    learning_rate : float or array of shape (K,)
        The last step's learning rate; NaN with L-BFGS, which has none.
    factors : array of shape (K,)
        The factor for each member's learning rate: see `factor`.
    n_active : int
        The number of members that continue.
    monitor : str
        The metric by which epochs are judged.
    higher_is_better : bool
        Whether higher values of this metric are better.
    keep_best : bool
        Whether to restore the best epoch's weights at the end, whatever ends the run.
    judges_start : bool
        Whether epochs are judged by the loss of the weights at their beginning.
    outputs : dict of int to array
        What each member computed for its validation samples at the end of the epoch: the argument
        of its loss function, that is, logits if `Loss.takes_logits`.
    """

    def __init__(
        self,
        trainer: Trainer,
        training: Any,
        *,
        n_epochs: int,
        n_steps: int,
        monitor: str,
        higher_is_better: bool,
    ) -> None:
        self.trainer = trainer
        self.training = training
        self.n_epochs = n_epochs
        self.n_steps = n_steps
        self.epoch = 0
        self.step = 0
        self.is_under_way = False
        self.loss: Any = math.nan
        self.learning_rate: Any = math.nan
        self.monitor = monitor
        self.higher_is_better = higher_is_better
        self.keep_best = False
        self.judges_start = monitor == "train_loss" and trainer.learning_rate is not None
        self.is_ensemble = trains_ensemble(trainer)
        n_members = trainer.n_members or 1
        self.factors = np.ones(n_members)
        self.outputs: dict[int, Any] = {}
        self.members = [Member(self, index) for index in range(n_members)]
        self.n_active = n_members
        self._candidate: Arrays = trainer.snapshot()
        # For an ensemble, rows of `_best` are overwritten, so it needs its own arrays.
        self._best: Arrays = trainer.snapshot() if trainer.n_members else self._candidate

    @property
    def net(self) -> Any:
        """The network or ensemble, which may be inspected and called."""
        return self.trainer.net

    @property
    def history(self) -> Any:
        """The history of the network; for an ensemble, the list of its members' histories."""
        histories = [member.history for member in self.members]
        return histories if self.is_ensemble else histories[0]

    @property
    def active(self) -> list[int]:
        """The numbers of the members that continue."""
        return [k for k, member in enumerate(self.members) if not member.stopped_by]

    @property
    def n_complete(self) -> int:
        """The number of completed epochs."""
        return self.epoch - self.is_under_way

    @property
    def factor(self) -> float:
        """A factor for the learning rate, in addition to the schedule; at least 0.

        It may be changed after any step. For an ensemble, this sets it for all members; for a
        single member, set `Member.factor`.
        """
        return self.members[0].factor

    @factor.setter
    def factor(self, value: float) -> None:
        self.factors[:] = checks.real(value, "factor", "Run", "[0, inf)")

    @property
    def stopped_by(self) -> str:
        """Why training stopped, for most of the members; empty while a member continues."""
        if self.n_active:
            return ""
        reasons = [member.stopped_by for member in self.members]
        return max(sorted(set(reasons)), key=reasons.count)

    def stop(self, reason: str) -> None:
        """Stop after the current step or epoch; the reason becomes ``history.stopped_by``."""
        for member in self.members:
            member.stop(reason)

    def is_better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Return whether a value of the monitored metric is better than another by more than `by`.

        If the other is NaN, every number is better.
        """
        if math.isnan(than):
            return not math.isnan(value)
        return value > than + by if self.higher_is_better else value < than - by

    def divergence(self, what: str, value: float, k: int, step: int) -> DivergenceError:
        """Return the error which says that `what`, of member k, became infinite or NaN."""
        learning_rate = float(np.broadcast_to(self.learning_rate, len(self.members))[k])
        rate = "" if math.isnan(learning_rate) else f" (learning rate {learning_rate:g})"
        return DivergenceError(
            f"{what} became {value} in epoch {self.epoch}, step {step}{rate}. Try a smaller "
            "learning rate, clip_norm=1, or inputs scaled to zero mean and unit variance",
            epoch=self.epoch,
            step=step,
            learning_rate=learning_rate,
        )

    def begin_epoch(self) -> None:
        """Begin the next epoch; if it is judged by its training loss, keep the current weights."""
        self.epoch += 1
        self.step = 0
        self.is_under_way = True
        if self.judges_start:
            self._candidate = self.trainer.snapshot()

    def record(self, metrics: Mapping[int, dict[str, float]]) -> None:
        """Add an epoch's metrics to the members' histories, and keep the best weights so far.

        A training loss is measured before each step, so it is attributed to the weights at the
        beginning of the epoch.
        """
        self.is_under_way = False
        improved = []
        for k, measured in metrics.items():
            member, value = self.members[k], measured[self.monitor]
            if math.isnan(value):
                of = f" of member {k}" if self.is_ensemble else ""
                raise InvalidDataError(
                    f"{self.monitor}{of}, by which epochs are judged, is NaN in epoch {self.epoch}"
                )
            member.history.append(measured)
            if self.is_better(value, member.best):
                member.best = value
                member.history.best_epoch = self.epoch - self.judges_start
                improved.append(k)
        if not improved:
            return
        source = self._candidate if self.judges_start else self.trainer.snapshot()
        if not self.is_ensemble:
            self._best = source
            return
        for name, array in source.items():
            self._best[name][improved] = array[improved]

    def restore_best(self, members: Sequence[Member]) -> None:
        """Restore these members' best weights; if no epoch was judged, the initial weights."""
        if not members:
            return
        whole = self._best
        if self.is_ensemble:
            whole, rows = self.trainer.snapshot(), [self.members.index(one) for one in members]
            for name, array in self._best.items():
                whole[name][rows] = array[rows]
        self.trainer.set_state(join({"network": whole}))

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return what `set_state` restores: values for JSON, and arrays by name."""
        numbers: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        numbers |= {name: np.asarray(getattr(self, name)).tolist() for name in _PER_MEMBER}
        numbers["members"] = [
            {name: getattr(member, name) for name in _OF_MEMBER}
            | {
                "history": dict(member.history),
                "best_epoch": member.history.best_epoch,
                "error": None if member.error is None else _recorded(member.error),
            }
            for member in self.members
        ]
        snapshots = {"best": {name: array.copy() for name, array in self._best.items()}}
        if self.judges_start and self.is_under_way:
            snapshots["candidate"] = self._candidate
        return numbers, join(snapshots)

    def set_state(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Restore what `state` returned, in a run with the same arguments."""
        for name in _NUMBERS:
            setattr(self, name, numbers[name])
        for name in _PER_MEMBER:
            value = np.array(numbers[name])
            setattr(self, name, value if value.ndim else float(value))
        for member, kept in zip(self.members, numbers["members"], strict=True):
            for name in _OF_MEMBER:
                setattr(member, name, kept[name])
            member.history = History(kept["history"])
            member.history.best_epoch = kept["best_epoch"]
            recorded = kept["error"]
            member.error = None if recorded is None else DivergenceError(**recorded)
        self._best = {name: array.copy() for name, array in part_of(arrays, "best").items()}
        self._candidate = part_of(arrays, "candidate")
        self.n_active = len(self.active)


def _recorded(error: DivergenceError) -> dict[str, Any]:
    """Return the arguments of an error, as values for JSON."""
    place = {name: getattr(error, name) for name in ("epoch", "step", "learning_rate")}
    return {"message": error.rule} | place
