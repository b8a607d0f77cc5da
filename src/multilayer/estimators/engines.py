"""Engine: what trains the networks of a table: NumPy or PyTorch, in one process or in several."""

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
"""After how many steps ranks agree on whether to go on: an exchange takes time."""


class Engine(NamedTuple):
    """What trains networks."""

    device: str | None = None
    """The device on which PyTorch does; None for the NumPy engine."""
    ranks: Ranks = ALONE
    """The processes that do it together."""

    @classmethod
    def of(cls, parameters: Any) -> Self:
        """Return what an estimator's parameters say, in the processes that PyTorch has joined.

        Raises
        ------
        InvalidArgumentError
            If they contradict each other.
        """
        if not uses_torch(parameters):
            return cls()
        from multilayer.torch import distributed

        return cls(distributed.local_device(parameters.device), distributed.ranks())

    def twin(self, ensemble: Ensemble) -> Any:
        """Return what is trained in place of an ensemble: itself, or the same on PyTorch."""
        if self.device is None:
            return ensemble
        from multilayer.torch import Ensemble as TorchEnsemble

        return TorchEnsemble.from_numpy(ensemble, device=self.device)

    def check_same(self, *data: Any) -> None:
        """Raise if the processes do not have the same samples, targets and weights in memory.

        Raises
        ------
        InvalidDataError
            In all of them.
        """
        if len(set(self.ranks.gather_late(fingerprint(*data)))) > 1:
            rule = "must be the same in every process: each takes its share of the batches"
            raise InvalidDataError(rule, "X", "fit")


class Together(Callback):
    """Lets Ctrl-C end a training in all processes after the same step; else one would wait in vain.

    As a context, it notes Ctrl-C in place of Python. In a single process it does nothing.

    Parameters
    ----------
    ranks : Ranks
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._interrupts = Interrupts(is_patient=True)  # torchrun passes on what all have heard

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
    """Return whether ranks agree after this step on whether to go on; a single process always."""
    return ranks.n_ranks == 1 or run.step % EVERY == 0 or run.step == run.n_steps
