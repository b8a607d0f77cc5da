"""Batches: which samples a step takes, and in what order."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["DEFAULT_BATCH_SIZE", "Batches", "Sampler"]

DEFAULT_BATCH_SIZE = 32

Array = npt.NDArray[Any]


class Sampler(Protocol):
    """Row numbers, drawn anew for each iteration, such as one of PyTorch's samplers.

    If it has a method ``order``, that returns all of them as an array, which is faster.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[int]: ...


class Batches:
    """Divides the samples of an epoch into batches, in a new random order for each epoch.

    It knows positions and row numbers only; whoever has the samples reads them.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    weight : array of shape (n_samples,), optional
        Sample weights.
    batch_size : int
        Samples per batch. The last batch may be shorter; no sample is left out.
    shuffle : bool or sampler
        Whether each epoch has a new order; or a sampler, which has a length and yields that many
        row numbers for each epoch.
    least : int
        A last batch with fewer samples joins the one before: batch normalisation needs two.

    Attributes
    ----------
    bounds : list of (start, stop)
        The positions of each batch in the order of an epoch.

    Examples
    --------
    >>> batches = Batches(7, batch_size=3)
    >>> batches.bounds
    [(0, 3), (3, 6), (6, 7)]
    >>> order, masses = batches.epoch(np.random.default_rng(0))
    >>> print(order, masses)
    [2 4 3 6 5 0 1] [3.0, 3.0, 1.0]
    """

    def __init__(
        self,
        n_samples: int,
        weight: Any = None,
        *,
        batch_size: int,
        shuffle: bool | Sampler = True,
        least: int = 1,
    ) -> None:
        batch_size = checks.integer(batch_size, "batch_size", "Batches")
        if weight is not None and len(weight) != n_samples:
            rule = f"must have {n_samples} entries"
            raise InvalidDataError(rule, "weight", "Batches", got=len(weight))
        self.n_samples = n_samples
        self.weight = None if weight is None else np.asarray(weight, dtype=np.float64)
        self.shuffle = shuffle
        n_rows = n_samples if isinstance(shuffle, bool) else len(shuffle)
        if n_rows == 0:
            raise InvalidDataError("an epoch of Batches must have samples; got none")
        starts = list(range(0, n_rows, batch_size))
        if len(starts) > 1 and n_rows - starts[-1] < least:
            starts.pop()
        self.bounds = list(pairwise([*starts, n_rows]))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.bounds)

    def epoch(self, rng: np.random.Generator) -> tuple[Array | None, list[float]]:
        """Return the order of an epoch, and the mass of each batch.

        The order is an array of row numbers, or None for all rows as they are. A batch's mass is
        the sum of its samples' weights; without weights, their number.
        """
        order = self._order(rng)
        if self.weight is None:
            return order, [float(stop - start) for start, stop in self.bounds]
        ordered = self.weight if order is None else self.weight[order]
        return order, np.add.reduceat(ordered, [start for start, _ in self.bounds]).tolist()

    def _order(self, rng: np.random.Generator) -> Array | None:
        if isinstance(self.shuffle, bool):
            one_batch = len(self) == 1
            return rng.permutation(self.n_samples) if self.shuffle and not one_batch else None
        whole: Any = getattr(self.shuffle, "order", None)
        order = np.fromiter(self.shuffle, dtype=np.intp) if whole is None else whole()
        n_rows = self.bounds[-1][1]
        if len(order) != n_rows or ((order < 0) | (order >= self.n_samples)).any():
            raise InvalidDataError(
                f"the sampler must give {n_rows} row numbers of 0 to {self.n_samples - 1}; got "
                f"{len(order)}, from {order.min(initial=0)} to {order.max(initial=0)}"
            )
        return order
