"""Batches of samples held in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "Batches"]

Array = npt.NDArray[Any]
Batch = tuple[Array, Array, Array | None]


class Batches:
    """Cuts samples, targets and weights into batches, in a new random order for each epoch.

    Parameters
    ----------
    X, y : array of n_samples rows
        Samples and targets.
    weight : array of shape (n_samples,), optional
        Sample weights.
    batch_size : int
        Samples in a batch. The last one may be shorter; no sample is left out.
    shuffle : bool
        Whether the order is drawn anew; otherwise batches are views of consecutive rows.
    least : int
        A last batch of fewer samples joins the one before: batch normalisation needs two.

    Examples
    --------
    >>> batches = Batches(np.arange(7), np.arange(7), None, batch_size=3, shuffle=False)
    >>> [X.tolist() for X, y, weight in batches.epoch(np.random.default_rng(0))]
    [[0, 1, 2], [3, 4, 5], [6]]
    >>> len(batches)
    3
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        *,
        batch_size: int,
        shuffle: bool = True,
        least: int = 1,
    ) -> None:
        self.X = X
        self.y = y
        self.weight = weight
        self.shuffle = shuffle and batch_size < len(X)
        self._bounds = list(range(0, len(X), batch_size))
        if len(self._bounds) > 1 and len(X) - self._bounds[-1] < least:
            self._bounds.pop()
        self._bounds.append(len(X))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._bounds) - 1

    def epoch(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield each sample once, as batches (X, y, weight)."""
        order = rng.permutation(len(self.X)) if self.shuffle else None
        for start, stop in zip(self._bounds[:-1], self._bounds[1:], strict=True):
            rows = slice(start, stop) if order is None else order[start:stop]
            weight = None if self.weight is None else self.weight[rows]
            yield self.X[rows], self.y[rows], weight
