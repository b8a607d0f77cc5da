"""Ranks: the processes that train together, as the code that reads and divides data sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["ALONE", "Ranks"]


def _itself(value: Any) -> list[Any]:
    """Return the value of the only process."""
    return [value]


def _no_wait() -> None:
    """Return at once: there is no other process."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them.

    Parameters
    ----------
    rank : int
        The number of this process, from 0.
    n_ranks : int
        The number of processes.
    gather : callable
        Returns the values of all ranks, given this rank's value; all must call it together.
    wait : callable
        Returns once all ranks have called it, however long that takes.

    Examples
    --------
    >>> ALONE.gather("a"), ALONE.first("a")
    (['a'], 'a')
    """

    rank: int = 0
    n_ranks: int = 1
    gather: Callable[[Any], list[Any]] = _itself
    wait: Callable[[], None] = _no_wait

    def gather_late(self, value: Any) -> list[Any]:
        """Return the values of all ranks, after work that may take some far longer than others."""
        self.wait()
        return self.gather(value)

    def first(self, value: Any) -> Any:
        """Return the value of rank 0, such as the time on its clock; all must call it together."""
        values = self.gather(value)
        return value if self.rank == 0 else values[0]


ALONE = Ranks()
"""A single process."""
