"""What the training loop asks of an engine: two small protocols."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy.typing as npt

from multilayer.architecture import Architecture

__all__ = ["Batch", "Engine", "Trainer"]

Array = npt.NDArray[Any]
Batch = tuple[Any, Any, Any]
"""Samples, targets and weights (or None), as arrays of the engine's own kind."""


class _Loss(Protocol):
    @property
    def task(self) -> str: ...

    def predict(self, p: Array) -> Array: ...

    def truth(self, targets: Array) -> Array: ...


class Trainer(Protocol):
    """A network with its loss and optimizer: takes steps, evaluates, keeps and restores."""

    @property
    def net(self) -> Any:
        """The `Engine` that it trains."""

    @property
    def loss(self) -> _Loss:
        """The loss: what its task is, and what its argument says of the targets."""

    @property
    def optimizer(self) -> object:
        """The optimizer."""

    @property
    def takes_steps(self) -> bool:
        """Whether the optimizer is one of `step`s, and not L-BFGS, which calls for `minimize`."""

    @property
    def learning_rate(self) -> float:
        """The optimizer's own, which a schedule multiplies; NaN for L-BFGS."""

    @property
    def sync_every(self) -> int:
        """After how many steps the loop looks at the losses."""

    @property
    def shard(self) -> tuple[int, int]:
        """The rank of this process and the number of processes."""

    def check(self, X: object, y: object, weight: object) -> Batch:
        """Return samples, targets and weights, checked, as the other methods take them."""

    def description(self) -> dict[str, Any]:
        """Return what it trains, and how, by name, as values that go into JSON."""

    def begin(self, data: Batch, batch_size: int) -> None:
        """Take the samples that steps are taken on, and how many a full batch has."""

    def begin_epoch(self, order: Array | None) -> None:
        """Take the order of the next epoch's samples; None is that in which they came."""

    def step(self, start: int, stop: int, learning_rate: float) -> Any:
        """Take an optimizer step on the samples at these places of the epoch's order.

        It returns the loss before it, penalty included.
        """

    def losses(self, values: list[Any]) -> list[float]:
        """Return what steps returned as numbers."""

    def minimize(
        self, data: Batch, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> str:
        """Run L-BFGS on all samples; return what ended it, as in ``History.stopped_by``."""

    def evaluate(self, data: Batch) -> tuple[float, Array]:
        """Return the loss without penalty, in prediction mode, and what the loss takes."""

    def is_finite(self) -> bool:
        """Return whether every parameter is a finite number."""

    def snapshot(self) -> Any:
        """Return a copy of the network's numbers."""

    def restore(self, snapshot: Any) -> None:
        """Put a snapshot's numbers back into the network."""

    def to_arrays(self, snapshot: Any) -> dict[str, Array]:
        """Return a snapshot's numbers as arrays by name."""

    def from_arrays(self, arrays: dict[str, Array]) -> Any:
        """Return the snapshot of which `to_arrays` made these arrays."""

    def state(self) -> dict[str, Array]:
        """Return a copy of all that the next step depends on, as arrays by name.

        Those of the network are in the group ``"network"``: see `multilayer.groups`.
        """

    def set_state(self, state: dict[str, Array]) -> None:
        """Put back what `state` returned, of a trainer with the same arguments."""

    def finish(self) -> None:
        """Do what remains at the end of the training."""


class Engine(Protocol):
    """A network that can be trained."""

    @property
    def architecture(self) -> Architecture:
        """What the network is."""

    @property
    def options(self) -> tuple[str, ...]:
        """The parameters that `fit` takes for this engine alone."""

    def trainer(self, *args: Any, **settings: Any) -> Trainer:
        """Return the network with a loss and an optimizer, ready to be trained."""
