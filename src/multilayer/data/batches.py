"""Batches of samples held in memory."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["Batch", "Batches"]

Array = npt.NDArray[Any]
Batch = tuple[Any, Any, Any]


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
    shuffle : bool
        Whether the order is drawn anew; otherwise batches are views of consecutive rows.
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
        shuffle: bool = True,
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
        self.shuffle = shuffle and batch_size < len(X)
        self.shard = shard
        self.index = index
        self._bounds = list(range(0, len(X), batch_size))
        if len(self._bounds) > 1 and len(X) - self._bounds[-1] < least:
            self._bounds.pop()
        self._bounds.append(len(X))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._bounds) - 1

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Batch, float]]:
        """Yield each sample once, as batches (X, y, weight), each with its mass.

        The mass is the sum of its samples' weights, or their number, over all processes.
        """
        rank, n_ranks = self.shard
        order = rng.permutation(len(self.X)) if self.shuffle else None
        masses = self._masses(order)
        if order is not None and self.index is not None:
            order = self.index(self.X, order)
        for (start, stop), mass in zip(pairwise(self._bounds), masses, strict=True):
            part = slice(start + rank, stop, n_ranks)
            rows = part if order is None else order[part]
            weight = None if self.weight is None else self.weight[rows]
            yield (self.X[rows], self.y[rows], weight), mass

    def _masses(self, order: Array | None) -> list[float]:
        if self.weight is None:
            return np.diff(self._bounds).astype(float).tolist()
        weight = np.asarray(self.weight, dtype=np.float64)
        ordered = weight if order is None else weight[order]
        return np.add.reduceat(ordered, self._bounds[:-1]).tolist()
