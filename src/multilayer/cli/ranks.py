"""The processes in which a command was started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from multilayer.ranks import ALONE, Ranks

__all__ = ["joined"]


@contextmanager
def joined(engine: str, device: str) -> Iterator[Ranks]:
    """Join the other processes of torchrun, if PyTorch trains; and leave them at the end.

    Meanwhile only the first one prints. What ends another one is printed after that.

    Parameters
    ----------
    engine, device : str
        The options of these names.
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
