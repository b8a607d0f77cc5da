"""Fingerprint: a short hash that identifies a data set."""

import hashlib
from itertools import chain
from typing import Any

import numpy as np

from multilayer.data.sparse import SparseSamples

__all__ = ["fingerprint"]

N_ROWS = 1000
"""At most this many rows are hashed, to save time."""


def fingerprint(*arrays: Any) -> str:
    """Return a hash of the arrays' shapes, types, and up to 1,000 evenly spaced rows of each.

    Parameters
    ----------
    *arrays : array or LazySamples or None
        Samples, targets, weights.

    Returns
    -------
    str
        32 hexadecimal digits.

    Examples
    --------
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> fingerprint(X) == fingerprint(X.copy())
    True
    >>> fingerprint(X) == fingerprint(X[::-1])
    False
    """
    found = hashlib.blake2b(digest_size=16)
    for array in chain.from_iterable(map(_parts, arrays)):
        if array is None:
            found.update(b"none")
            continue
        n_rows = int(array.shape[0])
        rows = np.unique(np.linspace(0, max(n_rows - 1, 0), min(n_rows, N_ROWS)).astype(np.intp))
        values = array[rows]
        # A tensor may be on a GPU.
        values = np.ascontiguousarray(values.cpu() if hasattr(values, "cpu") else values)
        if values.dtype.kind == "O":
            values = np.array([repr(value) for value in values.ravel()])
        found.update(f"{tuple(array.shape)} {values.dtype}".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def _parts(array: Any) -> tuple[Any, ...]:
    """Return the arrays that a sparse matrix consists of, or any other array itself."""
    if isinstance(array, SparseSamples):
        matrix = array.matrix
        return matrix.data, matrix.indices, matrix.indptr
    return (array,)
