"""Source: the samples, targets and weights of a training run, and the rows of each batch."""

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
    np.take(X, rows, axis=0, out=out, mode="clip")  # mode="raise" would buffer `out`


@kernel(plain=_gather)
def gather(X, rows, out):  # type: ignore[no-untyped-def]
    """Copy these rows of a matrix to `out`."""
    for i in range(rows.size):
        row = X[rows[i]]
        for j in range(row.size):
            out[i, j] = row[j]


class Source:
    """Gives each worker its rows of a batch, in the epoch's order.

    If K networks each have their own order, the results have an additional first axis.

    Parameters
    ----------
    X : array of shape (n_samples, in_features) or LazySamples
        Lazy samples are read directly into the network's work arrays.
    targets : array of n_samples rows
    weight : array of shape (n_samples,) or (K, n_samples), optional
    reorders : bool
        Whether small samples are reordered once per epoch.
    """

    def __init__(
        self,
        X: Array | LazySamples,
        targets: Array,
        weight: Array | None,
        *,
        reorders: bool = True,
    ) -> None:
        self._bytes = X.nbytes if reorders and isinstance(X, np.ndarray) else None
        self.X, self.targets, self.weight = X, targets, weight
        self._read = reader(X) if isinstance(X, LazySamples) else None
        self.order: Array | None = None
        self.has_own = False  # whether each network has its own order
        self._now: tuple[Any, Array, Array | None] = (X, targets[np.newaxis], weight)

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch, (n,) or (K, n); None means that of the samples."""
        self.order = order
        self.has_own = order is not None and order.ndim == 2
        self._now = self.X, self.targets[np.newaxis], self.weight
        if order is None or self._bytes is None:
            return
        n_copies = order.size / max(len(self.X), 1)
        if self._bytes * n_copies <= REORDERED_BYTES:
            targets = self.targets[order] if self.has_own else self.targets[order][np.newaxis]
            self._now = self.X[order], targets, _weights_at(self.weight, order)
            self.order = None

    def samples(self, start: int, stop: int, out: Array) -> Array:
        """Return the samples at these positions of the order: in `out`, or as a view of X."""
        X, order = self._now[0], self.order
        if order is None:
            if self._read is None:
                return X[:, start:stop] if self.has_own else X[start:stop]
            self._read(slice(start, stop), out)
            return out
        rows = order[..., start:stop]
        if rows.ndim == 2:
            out, rows = out.reshape(-1, out.shape[-1]), rows.ravel()
        if self._read is not None:
            self._read(rows, out)
        else:
            gather.fastest(X, rows, out)
        return out if order.ndim == 1 else out.reshape(len(order), -1, out.shape[-1])

    def targets_of(self, start: int, stop: int) -> Array:
        """Return the targets at these positions, of shape (K, n, …), or (1, n, …) if shared."""
        order = self.order
        if order is None:
            return self._now[1][:, start:stop]
        found = self.targets[order[..., start:stop]]
        return found if self.has_own else found[np.newaxis]

    def mass(self, start: int, stop: int) -> float:
        """Return the sum of the weights at these positions; without weights, the number of rows."""
        weight = self._weights_of(start, stop)
        return float(stop - start) if weight is None else float(weight.sum(dtype=np.float64))

    def take_shares(self, start: int, stop: int, out: Array) -> Array | None:
        """Write each sample's share wᵢ/Σw of the mean to `out`, of shape (K, n) or (1, n).

        Without weights, `out` keeps its equal shares.

        Returns
        -------
        is_empty : array of bool, or None
            Which rows of `out` have no positive weight; None if there is no such row.
        """
        weight = self._weights_of(start, stop)
        if weight is None:
            return None
        largest = weight.max(axis=-1, keepdims=True)
        is_empty = np.atleast_1d(largest[..., 0] <= 0)
        largest[largest <= 0] = 1
        np.divide(weight, largest, out=out)  # a sum of large weights could overflow
        total = out.sum(axis=-1, keepdims=True)
        total[total <= 0] = 1
        out /= total
        return is_empty if is_empty.any() else None

    def _weights_of(self, start: int, stop: int) -> Array | None:
        weight, order = self._now[2], self.order
        if weight is None or order is None:
            return None if weight is None else weight[..., start:stop]
        return _weights_at(weight, order[..., start:stop])


def _weights_at(weight: Array | None, rows: Array) -> Array | None:
    """Return the weights of these rows, of shape (n,) or (K, n)."""
    if weight is None:
        return None
    if weight.ndim == 2 and rows.ndim == 2:
        return np.take_along_axis(weight, rows, axis=1)
    return weight[..., rows]
