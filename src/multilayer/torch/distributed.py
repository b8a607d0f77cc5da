"""Training in several processes, on one or more machines, started by `torchrun`.

Every rank draws the same order of samples and takes its own rows of each batch;
DistributedDataParallel adds the gradients over ranks, so a step is the same as that of a single
process on the whole batch.
"""

import os
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError

__all__ = [
    "gather_rows",
    "is_launched",
    "local_device",
    "mean_over_ranks",
    "shard",
    "start",
    "stop",
    "sum_over_ranks",
    "synchronized",
]

Array = npt.NDArray[Any]

TIMEOUT = timedelta(seconds=60)
"""How long a rank waits for the others; after that it gives up, as one may have died."""


def is_launched() -> bool:
    """Return whether this process was started by torchrun."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def local_device(device: str) -> str:
    """Return this process's own GPU if torchrun started it and `device` is ``"auto"``."""
    if device == "auto" and is_launched() and torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device


def start(device: torch.device) -> None:
    """Join the other ranks given by torchrun's environment, with NCCL on GPUs or gloo on CPUs."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, timeout=TIMEOUT)


def stop() -> None:
    """Leave the other ranks."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def shard() -> tuple[int, int]:
    """Return this process's rank and the number of ranks; (0, 1) for a single process."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def synchronized(module: nn.Module, architecture: Architecture) -> nn.Module:
    """Return a module whose gradients are averaged over ranks; in one process, the module itself.

    Raises
    ------
    InvalidArgumentError
        If the network uses statistics of the batch, since each rank sees only a part of it.
    """
    if shard()[1] == 1:
        return module
    if architecture.normalization == "batch":
        raise InvalidArgumentError(
            "normalization 'batch' cannot be trained in several processes; use 'layer'"
        )
    return DistributedDataParallel(module)


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of all ranks' tensors; in one process, the tensor itself."""
    if shard()[1] == 1:
        return tensor
    total = tensor.detach().clone()
    distributed.all_reduce(total)
    return total


def mean_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Return the mean of all ranks' tensors; in one process, the tensor itself."""
    n_ranks = shard()[1]
    return tensor if n_ranks == 1 else sum_over_ranks(tensor) / n_ranks


def gather_rows(rows: Array, n_rows: int) -> Array:
    """Return all n_rows rows on every rank, when rank r of w has the rows r, r + w, r + 2w, …."""
    _, n_ranks = shard()
    if n_ranks == 1:
        return rows
    parts: list[Any] = [None] * n_ranks
    distributed.all_gather_object(parts, rows)
    whole = np.empty((n_rows, *rows.shape[1:]), dtype=rows.dtype)
    for rank, part in enumerate(parts):
        whole[rank::n_ranks] = part
    return whole
