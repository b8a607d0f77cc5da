"""Precision: matrix products in a dtype of lower precision than the parameters'."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from multilayer.registry import Names

__all__ = ["Precision"]

Array = npt.NDArray[Any]

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Precision:
    """The dtype of matrix products, and the scaler that float16 needs.

    Small gradients vanish in float16, so the loss is scaled up before the backward pass, and the
    gradients are scaled down after it.

    Parameters
    ----------
    name : {"bfloat16", "float16"}, optional
        By default, the dtype of the parameters.
    device : torch.device
    """

    def __init__(self, name: str | None, device: torch.device) -> None:
        self.dtype = None if name is None else DTYPES[Names("precision", DTYPES).check(name, "fit")]
        self._device_type = device.type
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)

    @property
    def scales(self) -> bool:
        """Whether the loss is scaled; each step then inspects its gradients."""
        return self.dtype is torch.float16

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context for the forward pass."""
        return torch.autocast(self._device_type, self.dtype, enabled=self.dtype is not None)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the scaled gradient of the loss to the parameters' ``grad``."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Scale the gradients down again, before they are clipped."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take a step; if a gradient overflowed, lower the scale instead."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def arrays(self) -> dict[str, Array]:
        """Return the scaler's state, by name."""
        return {name: np.array(value) for name, value in self._scaler.state_dict().items()}

    def set_arrays(self, arrays: dict[str, Array]) -> None:
        """Restore what `arrays` returned."""
        self._scaler.load_state_dict({name: array.item() for name, array in arrays.items()})
