"""Net: the interface of a network that the parts of this engine use."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from multilayer.architecture import Architecture

__all__ = ["Net"]

Array = npt.NDArray[Any]


class Net(nn.Module):
    """A module with an architecture, logits, and running statistics as arrays: an `MLP`."""

    architecture: Architecture
    last: nn.Linear

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.last.weight.device

    @property
    def dtype(self) -> str:
        """The parameters' type, ``"float32"`` or ``"float64"``."""
        return str(self.last.weight.dtype).removeprefix("torch.")

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's values before the link function."""
        raise NotImplementedError

    @property
    def state(self) -> dict[str, Array]:
        """Copies of the running statistics."""
        raise NotImplementedError

    def set_state(self, state: Mapping[str, object]) -> None:
        """Copy running statistics into the network."""
        raise NotImplementedError
