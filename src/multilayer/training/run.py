"""Run: a training under way, as callbacks see it; and its members, one for each network."""

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
    """One network of a training: the only one, or one of an ensemble's.

    Attributes
    ----------
    history : History
        The metrics of its epochs so far.
    stopped_by : str
        Why its training stopped; empty while it continues.
    best : float
        The best value so far of the metric by which epochs are judged; NaN if there is none.
    error : DivergenceError or None
        What ended it, if it diverged while others of its ensemble continued.
    """

    def __init__(self, run: "Run", index: int) -> None:
        self._run, self._index = run, index
        self.history = History()
        self.stopped_by = ""
        self.best = math.nan
        self.error: DivergenceError | None = None

    @property
    def factor(self) -> float:
        """What multiplies its learning rate, beside the schedule: at least 0."""
        return float(self._run.factors[self._index])

    @factor.setter
    def factor(self, value: float) -> None:
        self._run.factors[self._index] = checks.real(value, "factor", "Run", "[0, inf)")

    @property
    def is_judged(self) -> bool:
        """Whether an epoch of it is over and was judged."""
        return not math.isnan(self.best)

    def stop(self, reason: str) -> None:
        """Stop it after the step or epoch under way; the others of an ensemble continue."""
        if not self.stopped_by:
            self.stopped_by = reason
            self._run.n_active -= 1

    def diverge(self, error: DivergenceError) -> None:
        """Stop it because of this error, even if it was about to end."""
        self.stop("divergence")
        self.stopped_by, self.error = "divergence", error


class Run:
    """A training under way.

    Attributes
    ----------
    trainer : Trainer
        What takes the steps.
    training : Data or Stream
        The checked samples to train on.
    members : list of Member
        The networks in training, each with its own history and its own end: one, or an ensemble's.
    is_ensemble : bool
        Whether it is an ensemble that is trained, be it of one member.
    n_epochs, n_steps : int
        How many epochs there are at most, and how many steps in each.
    epoch : int
        The epoch under way, from 1.
    step : int
        How many steps of this epoch are over.
    is_under_way : bool
        Whether the epoch has begun and is not yet over.
    loss : float or array of shape (K,)
        The last step's loss; on a GPU, the last one that was read. It is 0 for a member of an
        ensemble that took no step.
    learning_rate : float or array of shape (K,)
        The last step's learning rate; NaN with L-BFGS, which has none.
    factors : array of shape (K,)
        What multiplies each member's learning rate: see `factor`.
    n_active : int
        How many members continue.
    monitor : str
        The metric by which epochs are judged.
    higher_is_better : bool
        Whether a higher value of it is better.
    keep_best : bool
        Whether the best epoch's weights are restored at the end, whatever ends the training.
    judges_start : bool
        Whether epochs are judged by a loss of the weights at their beginning.
    outputs : dict of int to array
        What each member computed for its validation samples at the end of the epoch: the argument
        of its loss, which are logits if `Loss.takes_logits`.
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
        # Of an ensemble, rows of the best are overwritten.
        self._best: Arrays = trainer.snapshot() if trainer.n_members else self._candidate

    @property
    def net(self) -> Any:
        """The network, or the ensemble, which may be inspected and called."""
        return self.trainer.net

    @property
    def history(self) -> Any:
        """The history of the network; of an ensemble, the list of its members' histories."""
        histories = [member.history for member in self.members]
        return histories if self.is_ensemble else histories[0]

    @property
    def active(self) -> list[int]:
        """The numbers of the members that continue."""
        return [k for k, member in enumerate(self.members) if not member.stopped_by]

    @property
    def n_complete(self) -> int:
        """How many epochs are over."""
        return self.epoch - self.is_under_way

    @property
    def factor(self) -> float:
        """What multiplies the learning rate, beside the schedule: at least 0.

        It may be changed after any step; of an ensemble, for all members, or for each in its
        `Member.factor`.
        """
        return self.members[0].factor

    @factor.setter
    def factor(self, value: float) -> None:
        self.factors[:] = checks.real(value, "factor", "Run", "[0, inf)")

    @property
    def stopped_by(self) -> str:
        """Why the training stops; empty while a member continues."""
        if self.n_active:
            return ""
        reasons = [member.stopped_by for member in self.members]
        return max(sorted(set(reasons)), key=reasons.count)

    def stop(self, reason: str) -> None:
        """Stop after the step or epoch under way; the reason goes into ``history.stopped_by``."""
        for member in self.members:
            member.stop(reason)

    def is_better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Return whether a value of the monitored metric beats another by more than `by`."""
        if math.isnan(than):
            return not math.isnan(value)
        return value > than + by if self.higher_is_better else value < than - by

    def divergence(self, what: str, value: float, k: int, step: int) -> DivergenceError:
        """Return the error that `what` of member k became infinite or NaN in this step."""
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
        """Begin the next epoch; keep the weights to which its training loss will belong."""
        self.epoch += 1
        self.step = 0
        self.is_under_way = True
        if self.judges_start:
            self._candidate = self.trainer.snapshot()

    def record(self, metrics: Mapping[int, dict[str, float]]) -> None:
        """Add an epoch's metrics to the members' histories; keep the best weights yet.

        A training loss is measured before each step: it belongs to the weights at the epoch's
        beginning.
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
        """Restore these members' best weights; the first ones if no epoch was judged."""
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
