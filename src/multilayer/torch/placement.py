"""The placement of samples: all on the network's device if there is room, else on the host."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from multilayer.samples import Data, LazySamples
from multilayer.torch.module import Net

__all__ = ["as_index", "on_host", "place", "to_device", "together", "whole"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor

RESIDENT_BYTES = 2**31
"""The size of samples, targets and weights, in bytes, up to which the samples are moved."""


def on_host(values: object) -> object:
    """Return a tensor as an array, and anything else unchanged."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def whole(X: Array | LazySamples, device: torch.device, dtype: str) -> Array | LazySamples:
    """Return lazy samples as an array if they are in memory and a GPU has room for it.

    A CPU would gain nothing, so there they stay lazy and small.
    """
    if not isinstance(X, LazySamples) or not X.is_in_memory or device.type == "cpu":
        return X
    is_small = X.shape[0] * X.shape[1] * np.dtype(dtype).itemsize <= RESIDENT_BYTES
    return np.asarray(X[:], dtype=dtype) if is_small else X


def place(
    X: Array | LazySamples, targets: Array, weight: Array | None, device: torch.device
) -> Data:
    """Return checked samples as tensors, on the device if there is room; lazy ones stay lazy.

    Targets and weights stay on the host, where splits, metrics and the loop need them.
    """
    beside = torch.from_numpy(targets), None if weight is None else torch.from_numpy(weight)
    if isinstance(X, LazySamples):
        return Data(X, *beside)
    n_bytes = sum(array.nbytes for array in (X, targets, weight) if array is not None)
    samples = torch.from_numpy(X)
    return Data(samples.to(device) if n_bytes <= RESIDENT_BYTES else samples, *beside)


def together(data: Data) -> Data:
    """Return the data with targets and weights on the same device as the samples."""
    X, targets, weight = data
    if not isinstance(X, Tensor):
        return data
    return Data(X, targets.to(X.device), None if weight is None else weight.to(X.device))


def as_index(X: Any, order: Array) -> Any:
    """Return row numbers to index X: a tensor on its device, or an array for lazy samples."""
    return torch.from_numpy(order).to(X.device) if isinstance(X, Tensor) else order


def to_device(part: Any, net: Net) -> Tensor:
    """Return a part of a batch as a tensor on the network's device."""
    tensor = torch.as_tensor(part)
    dtype = net.last.weight.dtype if tensor.is_floating_point() else None
    return tensor.to(net.device, dtype=dtype, non_blocking=True)
