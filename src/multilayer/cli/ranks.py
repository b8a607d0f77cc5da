"""The processes in which a command was started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from multilayer.ranks import ALONE, Ranks

__all__ = ["joined"]


@contextmanager
def joined(engine: str, device: str) -> Iterator[Ranks]:
    """Join the process group if torchrun started this command with PyTorch; leave it at the end.

    Inside the context only rank 0 prints. An exception on another rank is reported afterwards.

    Parameters
    ----------
    engine, device : str
        The values of ``--engine`` and ``--device``.
    """
    if engine != "torch":
        yield ALONE
        return
    from multilayer.torch import distributed, find_device

    if not distributed.is_launched():
        yield ALONE
        return
    distributed.start(find_device(distributed.local_device(device)))
    try:
        ranks = distributed.ranks()
        if ranks.rank == 0:
            yield ranks
            return
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
            yield ranks
    finally:
        distributed.stop()
