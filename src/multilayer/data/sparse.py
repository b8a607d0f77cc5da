"""Sparse matrices as samples: only the batch that is read becomes dense."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.samples import LazySamples

__all__ = ["SparseSamples"]


class SparseSamples(LazySamples):
    """A SciPy sparse matrix as samples of a network.

    Parameters
    ----------
    matrix : sparse matrix or array of shape (n_samples, in_features)
        In any format that has a method ``tocsr``.

    Examples
    --------
    >>> from scipy.sparse import eye_array
    >>> SparseSamples(eye_array(3))[1:]
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """

    reads_in_parallel = True

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        self.shape = self.matrix.shape

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        return np.asarray(self.matrix[rows].toarray())

    def read(self, rows: Any, out: npt.NDArray[Any]) -> None:
        if out.dtype == self.matrix.dtype and out.flags.c_contiguous:
            self.matrix[rows].toarray(out=out)
        else:
            super().read(rows, out)
