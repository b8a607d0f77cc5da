"""What the training loop asks of an engine: two small protocols."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture

__all__ = ["Engine", "Trainer"]

Array = npt.NDArray[Any]
Batch = tuple[Array, Array, Array | None]


class _Loss(Protocol):
    @property
    def task(self) -> str: ...

    def predict(self, p: Array) -> Array: ...


class Trainer(Protocol):
    """A network with its loss and optimizer: takes steps, evaluates, keeps and restores.

    `multilayer.numpy.Trainer` documents each method.
    """

    @property
    def loss(self) -> _Loss: ...

    @property
    def optimizer(self) -> Any: ...

    def check(self, X: object, y: object, weight: object) -> Batch: ...

    def step(self, batch: Batch, learning_rate: float) -> float: ...

    def minimize(
        self, data: Batch, n_iterations: int, after_iteration: Callable[[float], bool]
    ) -> bool: ...

    def evaluate(self, data: Batch) -> tuple[float, Array]: ...

    def snapshot(self) -> Any: ...

    def restore(self, snapshot: Any) -> None: ...


class Engine(Protocol):
    """A network that can be trained."""

    @property
    def architecture(self) -> Architecture: ...

    def trainer(
        self,
        *,
        loss: Any,
        optimizer: Any,
        l1: float,
        l2: float,
        clip_norm: float | None,
        clip_value: float | None,
        rng: np.random.Generator | None,
    ) -> Trainer: ...
