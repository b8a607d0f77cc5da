"""The three protocols that an engine must implement for the training loop."""

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
        """The number of networks in an ensemble; 0 for a single network."""

    @property
    def loss(self) -> _Loss:
        """The loss."""

    @property
    def optimizer(self) -> object:
        """The optimizer."""

    @property
    def learning_rate(self) -> float | None:
        """The optimizer's learning rate; None for L-BFGS, which takes no steps: see `minimize`."""

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights, and return them as the other methods take them."""

    def description(self) -> dict[str, Any]:
        """Return what is trained, and how, by name, as values for JSON."""

    def begin(self, data: Data, batch_size: int) -> None:
        """Set the samples to train on, and the size of a full batch.

        It may be called again between steps, with the samples for the steps that follow.
        """

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's samples; None means that of the data."""

    def step(self, start: int, stop: int, learning_rate: float) -> float | None:
        """Take an optimizer step on the samples at these positions of the epoch's order.

        Returns
        -------
        loss : float or None
            The loss before the step, penalty included; None if a device is still computing it.
        """

    def settle(self) -> tuple[list[float], bool]:
        """Wait for the steps taken so far.

        Returns
        -------
        losses : list of float
            The losses that `step` did not return, in order.
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
        """Return a copy of everything that the next step depends on, as arrays by name.

        The network's arrays are in the group ``"network"``: see `multilayer.groups`.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If a part of the state cannot be saved.
        """

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Groups that are absent stay unchanged: ``join({"network": snapshot})`` restores a snapshot.
        """

    def finish(self) -> None:
        """Release threads and work arrays, and leave the network ready for use."""


class EnsembleTrainer(Trainer, Protocol):
    """K networks with their losses and optimizers, trained as one.

    Learning rates and losses have shape (K,), with a loss of 0 for a member that takes no step.
    ``start`` and ``stop`` have this shape too if members' batches differ. ``evaluate`` also accepts
    `Parts`, and returns a dict with the result of each member that still takes steps, by number.
    ``settle`` returns for each member whether its parameters are finite. The first axis of the
    arrays of ``snapshot`` is for members. ``minimize`` may be missing, since no member is trained
    by L-BFGS.
    """

    @property
    def losses(self) -> Sequence[_Loss]:
        """The members' own losses."""

    @property
    def optimizers(self) -> Sequence[object]:
        """The members' own optimizers."""

    def keep(self, members: Sequence[int]) -> None:
        """Let only these members take steps until `finish` is called."""


def trains_ensemble(trainer: Trainer) -> TypeGuard[EnsembleTrainer]:
    """Return whether a trainer trains an ensemble."""
    return trainer.n_members > 0


class Net(Protocol):
    """A network that can be trained."""

    @property
    def architecture(self) -> Architecture:
        """The network's architecture."""

    @property
    def options(self) -> tuple[str, ...]:
        """The parameters of `fit` that exist only for this engine."""

    @property
    def trainer(self) -> Callable[..., Any]:
        """A function that returns a `Trainer` for the network, with a loss and an optimizer."""
