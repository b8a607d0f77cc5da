"""EncodedTable: a table as a network's inputs, made when a batch reads them."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.samples import LazySamples

__all__ = ["EncodedTable"]

Array = npt.NDArray[Any]


def _fill(numbers: Array, places: Array, ones: Array, rows: Array, out: Array) -> None:
    out[:] = 0
    out[:, places] = numbers[rows]
    where = ones[rows]
    row, column = np.nonzero(where >= 0)
    out[row, where[row, column]] = 1


@kernel(plain=_fill)
def fill(numbers, places, ones, rows, out):  # type: ignore[no-untyped-def]
    """Write the inputs of some rows."""
    for i in range(rows.size):
        row = rows[i]
        inputs = out[i]
        for j in range(inputs.size):
            inputs[j] = 0
        for j in range(places.size):
            inputs[places[j]] = numbers[row, j]
        for j in range(ones.shape[1]):
            place = ones[row, j]
            if place >= 0:
                inputs[place] = 1


class EncodedTable(LazySamples):
    """The inputs that the columns of a table make, in float32.

    A categorical column takes four bytes per row, however many categories it has: its ones and
    zeros are written only when rows are read.

    Parameters
    ----------
    parts : sequence of array
        Each column's inputs: numbers, of shape (n_rows, n_inputs), or the position of the one input
        that is 1, of shape (n_rows,): see `multilayer.model.Column.encode`.
    widths : sequence of int
        The number of inputs of each column.

    Examples
    --------
    >>> numbers = np.array([[0.5], [1.5]], np.float32)
    >>> colours = np.array([1, -1], np.int32)
    >>> EncodedTable([numbers, colours], [1, 2])[:]
    array([[0.5, 0. , 1. ],
           [1.5, 0. , 0. ]], dtype=float32)
    """

    reads_in_parallel = True
    is_in_memory = True
    dtype = np.dtype(np.float32)

    def __init__(self, parts: Sequence[Array], widths: Sequence[int]) -> None:
        *starts, in_features = accumulate(widths, initial=0)
        n_rows = len(parts[0])
        self.shape = (n_rows, in_features)
        places, numbers = [np.empty(0, np.intp)], [np.empty((n_rows, 0), np.float32)]
        ones = [np.empty((n_rows, 0), np.int32)]
        for part, start, width in zip(parts, starts, widths, strict=True):
            if part.ndim == 2:
                numbers.append(part)
                places.append(np.arange(start, start + width))
            else:
                own = np.where(part < 0, -1, part + start).astype(np.int32)
                ones.append(own[:, np.newaxis])
        self._numbers, self._places = np.concatenate(numbers, axis=1), np.concatenate(places)
        self._ones = np.concatenate(ones, axis=1)

    def __getitem__(self, rows: Any) -> Array:
        out = np.empty((len(np.arange(len(self))[rows]), self.shape[1]), np.float32)
        self.read(rows, out)
        return out

    def read(self, rows: Any, out: Array) -> None:
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        form = fill.plain if len(rows) < FEW else fill.fastest
        form(self._numbers, self._places, self._ones, rows, out)


FEW = 512
"""Fewer rows are written by plain NumPy, so that a small prediction loads no compiled kernel."""
