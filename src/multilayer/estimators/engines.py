"""Engine: how a table's networks are trained: by NumPy or PyTorch, in one process or several."""

from typing import Any, NamedTuple, Self

from multilayer.data import fingerprint
from multilayer.errors import InvalidDataError
from multilayer.estimators.settings import uses_torch
from multilayer.numpy import Ensemble
from multilayer.ranks import ALONE, Ranks
from multilayer.training import Callback, Run
from multilayer.training.interrupts import Interrupts

__all__ = ["Engine", "Together", "is_time_to_agree"]

EVERY = 16
"""Ranks agree on whether to continue once in so many steps, since an exchange takes time."""


class Engine(NamedTuple):
    """The engine that trains networks."""

    device: str | None = None
    """The device of PyTorch; None for the NumPy engine."""
    ranks: Ranks = ALONE
    """The processes that train together."""

    @classmethod
    def of(cls, parameters: Any) -> Self:
        """Return the engine for an estimator's parameters, with the processes PyTorch has joined.

        Raises
        ------
        InvalidArgumentError
            If parameters contradict each other.
        """
        if not uses_torch(parameters):
            return cls()
        from multilayer.torch import distributed

        return cls(distributed.local_device(parameters.device), distributed.ranks())

    def twin(self, ensemble: Ensemble) -> Any:
        """Return the ensemble to train: the given one, or its twin in PyTorch."""
        if self.device is None:
            return ensemble
        from multilayer.torch import Ensemble as TorchEnsemble

        return TorchEnsemble.from_numpy(ensemble, device=self.device)

    def check_same(self, *data: Any) -> None:
        """Raise if the processes do not have the same samples, targets and weights in memory.

        Raises
        ------
        InvalidDataError
            If they differ; it is raised in every process.
        """
        if len(set(self.ranks.gather_late(fingerprint(*data)))) > 1:
            rule = "must be the same in every process: each takes its share of the batches"
            raise InvalidDataError(rule, "X", "fit")


class Together(Callback):
    """A callback that lets Ctrl-C end training in all processes after the same step.

    Otherwise, some processes would wait forever for the others. As a context manager, it handles
    Ctrl-C in place of Python. In a single process, it does nothing.

    Parameters
    ----------
    ranks : Ranks
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        # torchrun sends the signal again to processes that have already received it.
        self._interrupts = Interrupts(is_patient=True)

    def on_step_end(self, run: Run) -> None:
        """Raise KeyboardInterrupt if any process was interrupted."""
        has_come = self._interrupts.has_come
        if is_time_to_agree(run, self._ranks) and any(self._ranks.gather(has_come)):
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if self._ranks.n_ranks > 1:
            self._interrupts.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._interrupts.__exit__(*error)


def is_time_to_agree(run: Run, ranks: Ranks) -> bool:
    """Return whether ranks agree after this step on whether to continue; always for one process."""
    return ranks.n_ranks == 1 or run.step % EVERY == 0 or run.step == run.n_steps
