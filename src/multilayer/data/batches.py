"""Batches of samples held in memory."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["Batch", "Batches", "Sampler"]

Array = npt.NDArray[Any]
Batch = tuple[Any, Any, Any]


class Sampler(Protocol):
    """Row numbers, drawn anew each time it is gone through: such as PyTorch's samplers."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[int]: ...


class Batches:
    """Cuts samples, targets and weights into batches, in a new random order for each epoch.

    Parameters
    ----------
    X, y : array of n_samples rows
        Samples, which may be lazy, and targets.
    weight : array of shape (n_samples,), optional
        Sample weights.
    batch_size : int
        Samples in a batch. The last one may be shorter; no sample is left out.
    shuffle : bool or sampler
        Whether the order is drawn anew; otherwise batches are views of consecutive rows. A sampler
        has a length, and gives that many row numbers each time it is gone through.
    least : int
        A last batch of fewer samples joins the one before: batch normalisation needs two.
    shard : tuple of int
        Rank r and number w of processes: only rows r, r + w, … of each batch are yielded.
    index : callable, optional
        Turns (X, order), an array of row numbers, into what indexes X, once an epoch.

    Examples
    --------
    >>> batches = Batches(np.arange(7), np.arange(7), None, batch_size=3, shuffle=False)
    >>> for (X, y, weight), mass in batches.epoch(np.random.default_rng(0)):
    ...     print(X, mass)
    [0 1 2] 3.0
    [3 4 5] 3.0
    [6] 1.0
    >>> len(batches)
    3
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        weight: Any,
        *,
        batch_size: int,
        shuffle: bool | Sampler = True,
        least: int = 1,
        shard: tuple[int, int] = (0, 1),
        index: Callable[[Any, Array], Any] | None = None,
    ) -> None:
        batch_size = checks.integer(batch_size, "batch_size", "Batches")
        if len(y) != len(X) or (weight is not None and len(weight) != len(X)):
            msg = f"X, y and weight of Batches must be of one length; got {len(X)} and {len(y)}"
            raise InvalidDataError(msg)
        self.X = X
        self.y = y
        self.weight = weight
        self.shuffle = shuffle
        self.shard = shard
        self.index = index
        self._n_rows = len(X) if isinstance(shuffle, bool) else len(shuffle)
        self._bounds = list(range(0, self._n_rows, batch_size))
        if len(self._bounds) > 1 and self._n_rows - self._bounds[-1] < least:
            self._bounds.pop()
        self._bounds.append(self._n_rows)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._bounds) - 1

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        """Yield each sample once, as batches (X, y, weight), each with its mass.

        The mass is the sum of its samples' weights, or their number, over all processes.
        """
        rank, n_ranks = self.shard
        order = self._order(rng)
        masses = self._masses(order)
        if order is not None and self.index is not None:
            order = self.index(self.X, order)
        for (start, stop), mass in zip(pairwise(self._bounds), masses, strict=True):
            part = slice(start + rank, stop, n_ranks)
            rows = part if order is None else order[part]
            weight = None if self.weight is None else self.weight[rows]
            yield (self.X[rows], self.y[rows], weight), mass

    def _order(self, rng: np.random.Generator) -> Array | None:
        """Return this epoch's row numbers; None for all rows as they come."""
        if isinstance(self.shuffle, bool):
            one_batch = len(self) == 1
            return rng.permutation(self._n_rows) if self.shuffle and not one_batch else None
        order = np.fromiter(self.shuffle, dtype=np.intp)
        if len(order) != self._n_rows or ((order < 0) | (order >= len(self.X))).any():
            msg = (
                f"the sampler must give {self._n_rows} row numbers of 0 to {len(self.X) - 1}; got "
                f"{len(order)}, from {order.min(initial=0)} to {order.max(initial=0)}"
            )
            raise InvalidDataError(msg)
        return order

    def _masses(self, order: Array | None) -> list[float]:
        if self.weight is None:
            return np.diff(self._bounds).astype(float).tolist()
        weight = np.asarray(self.weight, dtype=np.float64)
        ordered = weight if order is None else weight[order]
        return np.add.reduceat(ordered, self._bounds[:-1]).tolist()
