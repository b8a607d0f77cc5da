"""Source: the samples, targets and weights of a training, and the rows of each batch."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.samples import LazySamples, reader

__all__ = ["Source", "gather"]

Array = npt.NDArray[Any]

REORDERED_BYTES = 2**22
"""Samples of up to this many bytes are reordered once per epoch, not batch by batch."""


def _gather(X: Array, rows: Array, out: Array) -> None:
    np.take(X, rows, axis=0, out=out, mode="clip")  # this mode needs no copy of `out`


@kernel(plain=_gather)
def gather(X, rows, out):  # type: ignore[no-untyped-def]
    """Copy some rows of a matrix."""
    for i in range(rows.size):
        row = X[rows[i]]
        for j in range(row.size):
            out[i, j] = row[j]


class Source:
    """Gives each worker its rows of a batch, in the epoch's order.

    Parameters
    ----------
    X : array of shape (n_samples, in_features) or LazySamples
        Lazy samples are read directly into the network's work arrays.
    targets : array of n_samples rows
    weight : array of shape (n_samples,), optional
    """

    def __init__(self, X: Array | LazySamples, targets: Array, weight: Array | None) -> None:
        self.X, self.targets, self.weight = X, targets, weight
        self._read = reader(X) if isinstance(X, LazySamples) else None
        self.order: Array | None = None
        self._now: tuple[Any, Array, Array | None] = (X, targets, weight)

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch; None keeps that of the samples."""
        self.order = order
        if order is None:
            self._now = self.X, self.targets, self.weight
        elif isinstance(self.X, np.ndarray) and self.X.nbytes <= REORDERED_BYTES:
            weight = None if self.weight is None else self.weight[order]
            self._now = self.X[order], self.targets[order], weight
            self.order = None

    def samples(self, start: int, stop: int, out: Array) -> Array:
        """Return the samples at these positions of the order, read into `out` if they are read."""
        X, order = self._now[0], self.order
        if self._read is not None:
            self._read(slice(start, stop) if order is None else order[start:stop], out)
            return out
        if order is not None:
            gather.fastest(X, order[start:stop], out)
            return out
        return X[start:stop]

    def targets_of(self, start: int, stop: int) -> Array:
        """Return the targets at these positions of the order."""
        targets = self._now[1]
        return targets[start:stop] if self.order is None else targets[self.order[start:stop]]

    def mass(self, start: int, stop: int) -> float:
        """Return the sum of the weights at these positions, or their number without weights."""
        weight = self._weights_of(start, stop)
        return float(stop - start) if weight is None else float(weight.sum(dtype=np.float64))

    def take_shares(self, start: int, stop: int, out: Array) -> bool:
        """Write each sample's share wᵢ/Σw of the mean to `out`; return whether any weight is > 0.

        Without weights, `out` keeps its equal shares.
        """
        weight = self._weights_of(start, stop)
        if weight is None:
            return True
        largest = weight.max()
        if largest <= 0:
            return False
        np.divide(weight, largest, out=out)  # a sum of large weights could overflow
        out /= out.sum()
        return True

    def _weights_of(self, start: int, stop: int) -> Array | None:
        weight = self._now[2]
        if weight is None:
            return None
        return weight[start:stop] if self.order is None else weight[self.order[start:stop]]
