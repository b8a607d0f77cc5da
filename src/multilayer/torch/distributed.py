"""Training in several processes, on one or more machines, started by `torchrun`.

Every rank draws the same order of samples and takes its own rows of each batch. The gradients of
all ranks are added, so a step equals that of a single process on the whole batch.
"""

import atexit
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed

from multilayer.errors import InvalidArgumentError, LostRankError
from multilayer.ranks import Ranks
from multilayer.torch.module import Net

__all__ = [
    "agree",
    "gather_rows",
    "is_launched",
    "local_device",
    "own_places",
    "ranks",
    "shard",
    "start",
    "stop",
    "sum_over_ranks",
    "wait_for_others",
]

Array = npt.NDArray[Any]
Tensor = torch.Tensor

TIMEOUT = timedelta(seconds=60)
"""How long a rank waits for the others; after that it gives up, as one may have died.

With NCCL, PyTorch then ends the process itself.
"""
PATIENCE = timedelta(seconds=2)
"""How long a rank that lost another waits before it ends.

Meanwhile torchrun notices which process ended first, reports it, and ends the others; and ranks
that are still alive can say so.
"""

GLANCE = 0.2
"""The seconds between two checks of which ranks have arrived."""
PASS = timedelta(days=2)
"""How much longer a pass over a table may take on one rank than on another."""


def is_launched() -> bool:
    """Return whether this process was started by torchrun."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def local_device(device: str) -> str:
    """Return this process's own GPU if torchrun started it and `device` is ``"auto"``."""
    if device == "auto" and is_launched() and torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device


def start(device: torch.device) -> None:
    """Join the other ranks given by torchrun's environment, with NCCL on GPUs or gloo on CPUs.

    `stop` is called when the process exits.
    """
    # PyTorch's process group must be gone before Python ends: a thread of the group that releases
    # a tensor later aborts the process. The functions of the module imported here, which
    # `torch.func` and `torch.compile` import too, have the group as a default argument, and would
    # keep it alive if it existed before the import.
    import torch.distributed.nn.functional

    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, timeout=TIMEOUT)
    atexit.register(stop)


def stop() -> None:
    """Leave the other ranks."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def shard() -> tuple[int, int]:
    """Return this process's rank and the number of ranks; (0, 1) for a single process."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def ranks() -> Ranks:
    """Return the processes that train together; just this one without a process group."""
    return Ranks(*shard(), _gather, lambda: wait_for_others(PASS / timedelta(minutes=1)))


def own_places(start: int, stop: int) -> slice:
    """Return this rank's share of these positions; in a single process, all of them.

    Examples
    --------
    >>> own_places(10, 15)
    slice(10, 15, 1)
    """
    rank, n_ranks = shard()
    return slice(start + rank, stop, n_ranks)


def agree(net: Net, seeds: Sequence[int]) -> None:
    """Make all ranks start equal, so that they take the same steps; do nothing in one process.

    All get the weights of rank 0, since PyTorch's initial weights differ from process to process.

    Parameters
    ----------
    net : Net
        The network to train, or an ensemble.
    seeds : sequence of int
        Numbers drawn by the generator that also draws the order of the samples.

    Raises
    ------
    InvalidArgumentError
        If the generators of the ranks differ, or the network uses batch normalisation, since each
        rank sees only a part of a batch.
    LostRankError
        If another rank does not answer.
    """
    _, n_ranks = shard()
    if n_ranks == 1:
        return
    if net.architecture.normalization == "batch":
        raise InvalidArgumentError(
            "normalization 'batch' cannot be trained in several processes; use 'layer'"
        )
    if any(drawn != seeds for drawn in _gather(seeds)):
        rule = "must be a generator with the same seed in every process"
        raise InvalidArgumentError(rule, "rng", "fit")
    with _in_touch():
        for tensor in net.state_dict().values():
            distributed.broadcast(tensor, 0)


def sum_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their sums over all ranks, in one exchange; in one process, do nothing.

    Raises
    ------
    LostRankError
        If another rank does not answer.
    """
    if shard()[1] == 1:
        return
    whole = torch.cat([tensor.flatten() for tensor in tensors])
    with _in_touch():
        distributed.all_reduce(whole)
    sums = torch.split(whole, [tensor.numel() for tensor in tensors])
    for tensor, total in zip(tensors, sums, strict=True):
        tensor.copy_(total.view_as(tensor))


def gather_rows(rows: Array, n_rows: int) -> Array:
    """Return all rows on every rank; rank r of w has the rows r, r + w, r + 2w, ….

    Parameters
    ----------
    rows : array of shape (…, n_own_rows, width)
        This rank's rows.
    n_rows : int
        The number of rows of all ranks together.

    Raises
    ------
    LostRankError
        If another rank does not answer.
    """
    _, n_ranks = shard()
    if n_ranks == 1:
        return rows
    whole = np.empty((*rows.shape[:-2], n_rows, rows.shape[-1]), dtype=rows.dtype)
    for rank, part in enumerate(_gather(rows)):
        whole[..., rank::n_ranks, :] = part
    return whole


def wait_for_others(minutes: float) -> None:
    """Wait until every rank has called this; for work that takes some ranks far longer than others.

    Raises
    ------
    LostRankError
        If a rank does not arrive within this time.
    """
    rank, n_ranks = shard()
    if n_ranks == 1:
        return
    turn = _store().add(f"turn of {rank}", 1)
    if missing := _missing(f"turn {turn}", timedelta(minutes=minutes)):
        raise LostRankError(f"{_named(missing)} did not arrive within {minutes:g} minutes")


def _gather(value: Any) -> list[Any]:
    """Return every rank's value."""
    values: list[Any] = [value] * shard()[1]
    if len(values) == 1:
        return values
    with _in_touch():
        distributed.all_gather_object(values, value)
    return values


@contextmanager
def _in_touch() -> Iterator[None]:
    """Raise an error that says what happened to the other ranks if an exchange inside fails."""
    began = time.monotonic()
    try:
        yield
    except RuntimeError:
        seconds = time.monotonic() - began
        if seconds < TIMEOUT.total_seconds():
            # No rank knows which one ended: its neighbours fail first, then their neighbours.
            time.sleep(PATIENCE.total_seconds())
            raise LostRankError(
                "another process of this training run ended, so this one cannot continue; torchrun "
                "reports which one it was, and the output of that process says why"
            ) from None
        names = _named(_missing("roll call", PATIENCE)) or "another process of this training"
        raise LostRankError(f"{names} did not answer for {seconds:.0f} s") from None


def _missing(occasion: str, patience: timedelta) -> list[int]:
    """Announce this rank, and return the ranks that do not announce themselves in time."""
    rank, n_ranks = shard()
    names = [f"{occasion}: {r}" for r in range(n_ranks)]
    store, end = _store(), time.monotonic() + patience.total_seconds()
    try:
        store.set(names[rank], "here")
        while missing := [r for r, name in enumerate(names) if not store.check([name])]:
            left = end - time.monotonic()
            if left <= 0:
                return missing
            time.sleep(min(left, GLANCE))  # the store's own wait() prints a warning
    except RuntimeError:  # the process with the store has ended: the next exchange reports it
        pass
    return []


def _store() -> Any:
    """Return the key-value store that all ranks share."""
    whole = distributed.distributed_c10d._get_default_store()
    return distributed.PrefixStore("multilayer", whole)  # type: ignore[attr-defined]


def _named(ranks: Sequence[int]) -> str:
    """Return the ranks' names for a message."""
    return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}" if ranks else ""
