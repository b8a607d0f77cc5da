"""What the training loop requires of an engine: three small protocols."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeGuard

import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.samples import Data

__all__ = ["EnsembleTrainer", "Net", "Trainer", "trains_ensemble"]

Array = npt.NDArray[Any]


class _Loss(Protocol):
    @property
    def task(self) -> str: ...

    def predict(self, p: Array) -> Array: ...

    def truth(self, targets: Array) -> Array: ...


class Trainer(Protocol):
    """A network with its loss and optimizer: takes steps, evaluates, and keeps its state."""

    @property
    def net(self) -> Any:
        """The `Net` that it trains."""

    @property
    def n_members(self) -> int:
        """The number of networks of an ensemble; 0 for a network by itself."""

    @property
    def loss(self) -> _Loss:
        """The loss: its task, and what its argument and the targets mean."""

    @property
    def optimizer(self) -> object:
        """The optimizer."""

    @property
    def learning_rate(self) -> float | None:
        """The optimizer's own rate; None for L-BFGS, which takes no steps: see `minimize`."""

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights, and return them as the other methods take them."""

    def description(self) -> dict[str, Any]:
        """Return what it trains, and how, by name, as values for JSON."""

    def begin(self, data: Data, batch_size: int) -> None:
        """Take the samples to train on, and the size of a full batch.

        In the middle of a training, they are the samples of the steps that follow.
        """

    def begin_epoch(self, order: Array | None) -> None:
        """Take the order of the next epoch's samples; None leaves them as they came."""

    def step(self, start: int, stop: int, learning_rate: float) -> float | None:
        """Take an optimizer step on the samples at these positions of the epoch's order.

        Returns
        -------
        loss : float or None
            Before the step, penalty included; None if a device is still computing it.
        """

    def settle(self) -> tuple[list[float], bool]:
        """Wait for the steps taken so far.

        Returns
        -------
        losses : list of float
            Those that `step` did not return, in order.
        is_finite : bool
            Whether every parameter is a finite number.
        """

    def minimize(
        self, data: Data, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return why it stopped, as in ``History.stopped_by``."""

    def evaluate(self, data: Data) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and the argument of the loss."""

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of what predictions depend on: parameters and running statistics."""

    def state(self) -> dict[str, Array]:
        """Return a copy of everything the next step depends on, as arrays by name.

        Those of the network are in the group ``"network"``: see `multilayer.groups`.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If some of it cannot be saved.
        """

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Groups that are absent stay as they are: ``{"network": …}`` alone, joined, restores a
        snapshot.
        """

    def finish(self) -> None:
        """Release threads and work arrays, and leave the network ready for use."""


class EnsembleTrainer(Trainer, Protocol):
    """K networks with their losses and optimizers, trained as one.

    Rates and losses have the shape (K,), with a loss of 0 for a member that takes no step; so have
    positions, if members' batches differ. ``evaluate`` also takes `Parts`, and returns the result
    of each member that takes steps, by its number. ``settle`` says for each member whether its
    parameters are finite. Arrays of ``snapshot`` have an axis for members in front. ``minimize``
    may be missing, since no member is trained by L-BFGS.
    """

    @property
    def losses(self) -> Sequence[_Loss]:
        """The members' own losses."""

    @property
    def optimizers(self) -> Sequence[object]:
        """The members' own optimizers."""

    def keep(self, members: Sequence[int]) -> None:
        """Let only these members take steps from now on, until `finish`."""


def trains_ensemble(trainer: Trainer) -> TypeGuard[EnsembleTrainer]:
    """Return whether a trainer is that of an ensemble."""
    return trainer.n_members > 0


class Net(Protocol):
    """A network that can be trained."""

    @property
    def architecture(self) -> Architecture:
        """What the network is."""

    @property
    def options(self) -> tuple[str, ...]:
        """The parameters of `fit` that only this engine has."""

    @property
    def trainer(self) -> Callable[..., Any]:
        """Return the network with a loss and an optimizer, ready to be trained: a `Trainer`."""
