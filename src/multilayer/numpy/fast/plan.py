"""Plan: a forward and backward pass over a fixed number of rows, in arrays that are made once.

A network becomes a list of stages. A stage is a layer; for an affine layer or a normalisation, it
includes the activation that follows.

For K networks trained as one, every array has an additional first axis, and matrix products are
those of stacks of matrices. The kernels always expect this axis: see ``passes.py``.
"""

from collections.abc import Mapping
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.blocks import Dropout, GaussianNoise, RandomLayer, Residual
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.normalize import Measured, Normalize
from multilayer.numpy.fast.passes import PASSES, Passes
from multilayer.numpy.fast.stages import (
    Custom,
    Dense,
    Drop,
    Noise,
    Readable,
    Skip,
    Stage,
    Thin,
    Turns,
    backward,
    backward_in_turns,
    forward,
    forward_in_turns,
    stages_of,
)
from multilayer.numpy.fast.thin import WIDEST
from multilayer.numpy.layers import Activate, Affine, Layer
from multilayer.numpy.network import Network, Pair
from multilayer.numpy.normalization import BatchNorm

__all__ = ["Plan", "may_wait", "measured_by", "random_layers"]

Array = npt.NDArray[Any]

MEETING = 2e7
"""The least number of floating-point operations between two waits of workers for each other."""


class Plan:
    """The loss of some rows and its gradient, computed without making new arrays.

    Parameters
    ----------
    network : Network
    gradients : list of (dW, db), optional
        The arrays for the gradients, one pair for each layer with parameters. Without them, only
        the gradient in the inputs is computed.
    drawn : list of array of shape (n_rows, width) or (K, n_rows, width)
        The random numbers for each random layer, drawn before each pass.
    criterion : callable
        See ``criteria.py``.
    n_rows : int
        The number of rows of a pass.
    measured : dict of Layer to Measured
        What the workers share for each `BatchNorm`.
    part : int
        The number of this worker.
    need_dx : bool
        Whether `backward` returns the gradient in the inputs.
    """

    def __init__(
        self,
        network: Network,
        gradients: list[Pair] | None,
        drawn: list[Array],
        criterion: Criterion,
        n_rows: int,
        *,
        measured: Mapping[Layer, Measured],
        part: int,
        need_dx: bool = False,
    ) -> None:
        self._pairs = iter(gradients or repeat((None, None)))
        self._drawn = iter(drawn)
        self.n_rows, self.dtype = n_rows, network.parameters.dtype
        self.networks = network.parameters.shape[:-1]
        self.values = np.empty(self.networks or (1,))
        self.criterion = criterion
        self._has_input = need_dx
        self._measured, self._part = measured, part
        self.stages = self._stages(network.hidden)
        last = network.last
        if self.stages and last.W.shape[-2] <= WIDEST:
            self.stages.append(Thin(last, next(self._pairs), n_rows, True))
        else:
            self.stages.append(self._stage(last, PASSES[Identity]))
        self.logits: Array = self.stages[-1].zs  # type: ignore[attr-defined]

    def run(self, x: Array, targets: Array, shares: Array) -> Array:
        """Return the loss of the rows, (K,) or (1,), and write its gradient to `gradients`.

        Parameters
        ----------
        x : array of shape (n_rows, in_features), or (K, n_rows, in_features)
        targets : array of shape (K, n_rows, …), or (1, n_rows, …) if all networks share them
        shares : array of shape (K, n_rows) or (1, n_rows)
            The weight of each row's loss.
        """
        self.forward(x)
        self.backward(targets, shares)
        return self.values

    def run_in_turns(self, x: Array, targets: Array, shares: Array) -> Turns:
        """Do the work of `run`; yield wherever it must wait for all workers to get there."""
        yield from self.forward_in_turns(x)
        yield from self.backward_in_turns(targets, shares)
        return self.values

    def forward(self, x: Array) -> None:
        """Write the logits of the rows to `logits`, of shape (K, n_rows, out_features)."""
        self._top = forward(self.stages, x)

    def backward(self, targets: Array, shares: Array) -> Array | None:
        """Write the loss to `values`; return its gradient in x, if needed; overwrite `logits`."""
        self.criterion(self.logits, targets, shares, self.values)
        dx: Array | None = backward(self.stages, self._top)
        return dx

    def forward_in_turns(self, x: Array) -> Turns:
        """Do the work of `forward` in the same way."""
        self._top = yield from forward_in_turns(self.stages, x)

    def backward_in_turns(self, targets: Array, shares: Array) -> Turns:
        """Do the work of `backward` in the same way."""
        self.criterion(self.logits, targets, shares, self.values)
        return (yield from backward_in_turns(self.stages, self._top))

    def update_state(self) -> None:
        """Update the layers' state with the statistics of the last pass."""
        for stage in self.stages:
            stage.update_state()

    def _stages(self, layer: Layer) -> list[Stage]:
        parts = stages_of(layer, (Affine, BatchNorm))
        return [self._stage(part, passes) for part, passes in parts]

    def _stage(self, layer: Layer, passes: Passes) -> Stage:
        if isinstance(layer, Affine):
            need_dx, self._has_input = self._has_input, True
            return Dense(layer, passes, next(self._pairs), self.n_rows, need_dx)
        if isinstance(layer, Residual):
            shape = (*self.networks, self.n_rows, layer.parameters[0].shape[-1])
            return Skip(self._stages(layer.inner), shape, self.dtype)
        if isinstance(layer, Activate):
            return Custom(layer.activation)
        if isinstance(layer, Dropout):
            return Drop(layer, next(self._drawn), self.dtype)
        if isinstance(layer, GaussianNoise):
            return Noise(layer, next(self._drawn), self.dtype)
        if isinstance(layer, Embedding):
            self._has_input = True
        if isinstance(layer, BatchNorm):
            measured = self._measured[layer]
            return Normalize(layer, passes, next(self._pairs), self.n_rows, measured, self._part)
        return Readable(layer, self._pairs)


def may_wait(network: Network, n_operations: float) -> bool:
    """Return whether workers may share a batch although layers need statistics of all its rows.

    They must then wait for each other twice per layer, which only `BatchNorm` supports. Between two
    waits there must be enough work for their cost not to matter.

    Parameters
    ----------
    network : Network
    n_operations : float
        The floating-point operations of a pass.
    """
    layers = [layer for layer in network.layers if not layer.by_rows]
    is_long = n_operations >= MEETING * (1 + 2 * len(layers))
    return is_long and all(isinstance(layer, BatchNorm) for layer in layers)


def measured_by(network: Network, sizes: list[int]) -> dict[Layer, Measured]:
    """Return what workers with these numbers of rows share, for each `BatchNorm`."""
    layers = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    return {layer: Measured(layer, sizes) for layer in layers}


def random_layers(network: Network, in_features: int) -> list[tuple[RandomLayer, int]]:
    """Return the layers that draw random numbers, in forward order, each with its width."""
    found, width = [], in_features
    for layer in network.layers:
        if isinstance(layer, Affine):
            width = layer.W.shape[-2]
        elif isinstance(layer, RandomLayer):
            found.append((layer, width))
    return found
