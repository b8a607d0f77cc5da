"""Chain: a worker's pass over its rows, forward and backward in one compiled call each.

A `Plan` calls a kernel or BLAS about thirty times per pass, and around each call a thread releases
Python's global lock and acquires it again. If two threads want it at once, one of them is put to
sleep, which takes longer than many kernels. So threads that share a batch run the loops of
`fused_loops` instead, if these cover the network.

This module needs numba; it is imported only if numba is installed.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.rectifiers import Identity, LeakyReLU, ReLU
from multilayer.numpy.blocks import Dropout
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast import fused_loops
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.fused_loops import (
    DROP,
    IDENTITY,
    IN,
    LEAKY_RELU,
    OUT,
    RELU,
    WEIGHT,
    Y,
    Z,
)
from multilayer.numpy.fast.passes import PASSES, is_transposed
from multilayer.numpy.fast.product import product_address
from multilayer.numpy.fast.stages import stages_of
from multilayer.numpy.layers import Affine
from multilayer.numpy.network import Network
from multilayer.samples import LazySamples

__all__ = ["Chain", "arrays_for", "is_ready", "layers_of"]

Array = npt.NDArray[Any]

CODES: dict[type, int] = {Identity: IDENTITY, ReLU: RELU, LeakyReLU: LEAKY_RELU}


class Chain:
    """A replacement for `Plan` in compiled code, for the networks that `covers` accepts.

    Parameters
    ----------
    network : Network
    gradient : array of shape (n_parameters,)
        The array for the gradient.
    drawn : list of array of shape (n_rows, width)
        The random numbers for each dropout layer, drawn before each pass.
    criterion : callable
        See ``criteria.py``.
    n_rows : int
        The number of rows of a pass.
    """

    def __init__(
        self,
        network: Network,
        gradient: Array,
        drawn: list[Array],
        criterion: Criterion,
        n_rows: int,
    ) -> None:
        layers, dtype = layers_of(network, n_rows), network.parameters.dtype
        assert layers is not None
        work, self._slopes, no_bias = arrays_for(layers, n_rows, dtype)
        drops = [layer.rate for layer in network.layers if isinstance(layer, Dropout)]
        self.values = np.empty(1)
        self._criterion, self._drawn, self._gradient = criterion, drawn, gradient
        self._uniforms = np.empty(sum(numbers.size for numbers in drawn), np.float32)
        self._network = layers, network.parameters
        self._arrays = work, self._uniforms, np.array(drops, np.float64), no_bias
        self._logits = work[layers[-1, Z] :].reshape(1, n_rows, -1)
        self._gemm = product_address(dtype)

    @staticmethod
    def covers(network: Network, X: Array | LazySamples) -> bool:
        """Return whether the compiled loops can compute this network's passes.

        Its hidden layers must be affine, with ReLU, leaky ReLU or no activation, and optionally
        dropout. Samples in memory must be contiguous and have the network's dtype.
        """
        layers = layers_of(network, 1)
        if layers is None or layers[0, WEIGHT] > 0 or X.shape[-1] != layers[0, IN]:
            return False
        return not isinstance(X, np.ndarray) or is_ready(X, network)

    def run(self, x: Array, targets: Array, shares: Array) -> Array:
        """Return the loss of the rows, (1,), and write its gradient: see `Plan.run`."""
        start = 0
        for numbers in self._drawn:
            self._uniforms[start : start + numbers.size] = numbers.ravel()
            start += numbers.size
        forward: Any = fused_loops.forward
        backward: Any = fused_loops.backward
        forward(*self._network, x, *self._arrays, self._gemm)
        self._criterion(self._logits, targets, shares, self.values)
        backward(*self._network, x, *self._arrays, self._slopes, self._gradient, False, self._gemm)
        return self.values

    def update_state(self) -> None:
        """Do nothing: these layers have no state."""


def is_ready(X: Array, network: Network) -> bool:
    """Return whether samples in memory are contiguous and have the network's dtype."""
    return X.dtype == network.parameters.dtype and X.flags.c_contiguous


def arrays_for(layers: Array, n_rows: int, dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """Return the arrays that the loops work in.

    These are the work array; an array of two rows, which alternate as the gradients of a layer's
    output and input; and an array of two rows for layers without a bias: zeros to add, and a place
    to write a gradient that is not used.
    """
    last, widest = layers[-1], int(layers[:, [IN, OUT]].max())
    work = np.empty(last[Z] + n_rows * last[OUT], dtype)
    return work, np.empty((2, n_rows * widest), dtype), np.zeros((2, widest), dtype)


def layers_of(network: Network, n_rows: int) -> Array | None:
    """Return a description of the layers for batches of this size; None if they are not covered.

    See `fused_loops` for its columns.
    """
    rows: list[list[int]] = []
    place, n_drops, start = 0, 0, 0
    stages = [*stages_of(network.hidden), (network.last, PASSES[Identity])]
    codes = {PASSES[kind]: code for kind, code in CODES.items()}
    for layer, behind in stages:
        if isinstance(layer, Embedding) and not rows:
            start = layer.V.shape[-2] * layer.V.shape[-1]
        elif isinstance(layer, Dropout) and rows and rows[-1][DROP] < 0:
            rows[-1][DROP], rows[-1][Y] = n_drops, place
            n_drops += 1
            place += n_rows * rows[-1][OUT]
        elif isinstance(layer, Affine) and behind in codes:
            n_out, n_in = layer.W.shape[-2:]
            bias = -1 if layer.b is None else start + n_out * n_in
            zT = -1
            if is_transposed(n_rows, n_in, n_out):
                zT, place = place, place + n_rows * n_out
            rows.append([start, bias, n_in, n_out, codes[behind], -1, place, place, zT])
            start += n_out * n_in + (0 if layer.b is None else n_out)
            place += n_rows * n_out
        else:
            return None
    return np.array(rows)
