"""Net: the network interface that the parts of this engine use."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from multilayer.architecture import Architecture

__all__ = ["Net"]

Array = npt.NDArray[Any]


class Net(nn.Module):
    """A module with an architecture, logits, and running statistics as arrays.

    It is the base of `MLP` and `Ensemble`.
    """

    architecture: Architecture
    n_members = 0
    """K, the number of networks of an ensemble; 0 for an `MLP`."""
    flatten: nn.Module
    hidden: nn.Sequential
    last: nn.Linear
    output: nn.Module

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.last.weight.device

    @property
    def dtype(self) -> str:
        """The parameters' dtype, ``"float32"`` or ``"float64"``."""
        return str(self.last.weight.dtype).removeprefix("torch.")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs, of shape (n_samples, out_features), or (K, …) for an ensemble."""
        return self.output(self.logits(x))

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's values before the link function."""
        return self.last(self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return ψ(x), the last hidden layer's output, or the flat inputs without hidden layers."""
        return self.hidden(self.flatten(x))

    @property
    def state(self) -> dict[str, Array]:
        """Copies of the running statistics."""
        raise NotImplementedError

    def set_state(self, state: Mapping[str, object]) -> None:
        """Copy running statistics into the network."""
        raise NotImplementedError
