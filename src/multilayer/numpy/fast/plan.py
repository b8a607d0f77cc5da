"""Plan: a pass forward and back over a fixed number of rows, in arrays that are made once.

A network becomes a list of stages. Each is a layer, or an affine layer with the activation behind
it, together with the arrays that it writes into. `backward` takes the gradient in a stage's result
and may overwrite it; the gradient in parameters goes into views of one vector.
"""

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations import ACTIVATIONS
from multilayer.numpy.activations.base import Activation
from multilayer.numpy.blocks import Dropout, Residual
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.passes import (
    add_bias,
    bias_of,
    dropout,
    fastest,
    passes_of,
    sum_columns,
)
from multilayer.numpy.fast.thin import WIDEST, thin_backward, thin_forward
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.network import Network

__all__ = ["Plan", "dropout_widths", "fused", "is_by_rows"]

Array = npt.NDArray[Any]

NARROW = 8
"""How many times more inputs than outputs make it worth while to compute dWᵀ = xᵀ dz instead of dW:

BLAS rearranges its first operand in large pieces and its second in small ones, which stay in the
cache; the large matrix x is better the second one (measured, see docs/performance.md).
"""
Pairs = Iterator[tuple[Array, Array | None]]


def fused(layers: tuple[Layer, ...]) -> Iterator[tuple[Layer, Activation | None]]:
    """Yield layers in order; an affine one with the activation that follows it, if one does."""
    taken: Layer | None = None
    for layer, after in zip_longest(layers, layers[1:]):
        if layer is taken:
            continue
        if isinstance(layer, Affine) and isinstance(after, Activate):
            taken = after
            yield layer, after.activation
        else:
            yield layer, None


def is_by_rows(layer: Layer) -> bool:
    """Return whether a layer treats each sample by itself, so that a batch may be cut in parts."""
    if isinstance(layer, Residual):
        return is_by_rows(layer.inner)
    if isinstance(layer, Stack):
        return all(is_by_rows(inner) for inner in layer.layers)
    return layer.by_rows


def dropout_widths(layer: Layer) -> list[int]:
    """Return the width of each dropout layer inside a layer, in forward order."""
    if isinstance(layer, Residual):
        return dropout_widths(layer.inner)
    if not isinstance(layer, Stack):
        return []
    widths: list[int] = []
    for before, inner in pairwise((layer, *layer.layers)):
        if isinstance(before, Affine):
            width = len(before.W)
        if isinstance(inner, Dropout):
            widths.append(width)
        else:
            widths += dropout_widths(inner)
    return widths


class _Stage(Protocol):
    def forward(self, x: Array) -> Array: ...

    def backward(self, dy: Array) -> Array | None: ...


class _Dense:
    """a = σ(x Wᵀ + b), written over z; dz over da, then dW = dzᵀ x and dx = dz W."""

    def __init__(
        self,
        layer: Affine,
        activation: Activation,
        gradients: tuple[Array, Array | None],
        n_rows: int,
        need_dx: bool,
    ) -> None:
        out_features, in_features = layer.W.shape
        dtype = layer.W.dtype
        self.W, self.WT = layer.W, layer.W.T
        self.b = bias_of(layer.W, layer.b)
        self.dW, db = gradients  # a gradient in the zeros of a missing bias goes nowhere
        self.db = np.empty(out_features, dtype) if db is None else db
        self.z = np.empty((n_rows, out_features), dtype)
        self.dx = np.empty((n_rows, in_features), dtype) if need_dx else None
        is_narrow = NARROW * out_features <= in_features
        self.dWT = np.empty((in_features, out_features), dtype) if is_narrow else None
        self.activation = activation
        passes = passes_of(activation)
        self.is_fused = passes is not None
        if passes is not None:
            self.epilogue = passes.forward(fastest)
            self.backward_pass = passes.backward.fastest
        else:
            self.epilogue = add_bias.fastest
            self.backward_pass = sum_columns.fastest

    def forward(self, x: Array) -> Array:
        z = self.z
        np.dot(x, self.WT, out=z)
        self.epilogue(z, self.b)
        self.x = x
        self.a = z if self.is_fused else _like(z, self.activation.forward(z))
        return self.a

    def backward(self, dy: Array) -> Array | None:
        if not self.is_fused:
            dy = _like(dy, self.activation.backward(dy, self.z, self.a))
        self.backward_pass(dy, self.a, self.db)
        if self.dWT is None:
            np.dot(dy.T, self.x, out=self.dW)
        else:
            np.dot(self.x.T, dy, out=self.dWT)
            self.dW[:] = self.dWT.T
        dx = self.dx
        return None if dx is None else np.dot(dy, self.W, out=dx)


class _Thin:
    """The last layer z = x Wᵀ + b where it has few outputs: a pass forward and a pass back."""

    def __init__(self, layer: Affine, gradients: tuple[Array, Array | None], n_rows: int) -> None:
        out_features, in_features = layer.W.shape
        dtype = layer.W.dtype
        self.W = layer.W
        self.b = bias_of(layer.W, layer.b)
        self.dW, db = gradients
        self.db = np.empty(out_features, dtype) if db is None else db
        self.z = np.empty((n_rows, out_features), dtype)
        self.dx = np.empty((n_rows, in_features), dtype)
        self.forward_pass, self.backward_pass = thin_forward.fastest, thin_backward.fastest

    def forward(self, x: Array) -> Array:
        self.x = x
        self.forward_pass(x, self.W, self.b, self.z)
        return self.z

    def backward(self, dy: Array) -> Array:
        self.backward_pass(dy, self.x, self.W, self.dW, self.db, self.dx)
        return self.dx


class _Drop:
    """y = x m/(1 − rate), with m = 1 where the batch's uniform numbers are at least the rate."""

    def __init__(self, layer: Dropout, uniform: Array, dtype: npt.DTypeLike) -> None:
        self.rate, self.uniform = layer.rate, uniform
        self.y = np.empty(uniform.shape, dtype)
        self.mask = dropout.fastest

    def forward(self, x: Array) -> Array:
        self.mask(x, self.uniform, self.rate, self.y)
        return self.y

    def backward(self, dy: Array) -> Array:
        self.mask(dy, self.uniform, self.rate, dy)
        return dy


class _Readable:
    """Any other layer, through its own `forward` and `backward`."""

    def __init__(self, layer: Layer, pairs: Pairs) -> None:
        self.layer = layer
        self.gradients = [g for g in next(pairs) if g is not None] if layer.parameters else []

    def forward(self, x: Array) -> Array:
        y, self.cache = self.layer.forward(x, training=True)
        return _like(x, y)

    def backward(self, dy: Array) -> Array | None:
        dx, found = self.layer.backward(dy, self.cache)
        for array, gradient in zip(self.gradients, found, strict=True):
            array[:] = gradient
        return None if dx is None else _like(dy, dx)


class _Skip:
    """y = x + f(x), with stages f: dx = dy + df."""

    def __init__(self, inner: list[_Stage], shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        self.inner = inner
        self.y, self.dy = np.empty(shape, dtype), np.empty(shape, dtype)

    def forward(self, x: Array) -> Array:
        return np.add(x, _forward(self.inner, x), out=self.y)

    def backward(self, dy: Array) -> Array | None:
        self.dy[:] = dy  # the inner stages may overwrite theirs
        dx = _backward(self.inner, dy)
        return None if dx is None else np.add(dx, self.dy, out=self.dy)


class Plan:
    """The loss of some rows and its gradient, without making an array.

    Parameters
    ----------
    network : Network
    gradients : list of (dW, db)
        Where the gradients go, a pair for each layer that has parameters.
    uniforms : list of array of shape (n_rows, width)
        For each dropout layer the numbers that decide what it drops, drawn before each pass.
    criterion : callable
        See ``criteria.py``.
    n_rows : int
        How many rows a pass has.
    """

    def __init__(
        self,
        network: Network,
        gradients: list[tuple[Array, Array | None]],
        uniforms: list[Array],
        criterion: Criterion,
        n_rows: int,
    ) -> None:
        self._pairs, self._uniforms = iter(gradients), iter(uniforms)
        self.n_rows = n_rows
        last = network.last
        self.dtype = last.W.dtype
        self.criterion = criterion
        self._is_first = True
        self.stages = self._stages(network.hidden)
        if self.stages and len(last.W) <= WIDEST:
            self.stages.append(_Thin(last, next(self._pairs), n_rows))
        else:
            self.stages.append(self._dense(last, ACTIVATIONS["identity"]))

    def run(self, x: Array, targets: Array, share: Array) -> float:
        """Return the loss of the rows, and leave its gradient in the plan's arrays.

        Parameters
        ----------
        x : array of shape (n_rows, in_features)
        targets : array of n_rows rows
        share : array of shape (n_rows,)
            The weight of each row's loss.
        """
        logits = _forward(self.stages, x)
        value = self.criterion(logits, targets, share)
        _backward(self.stages, logits)
        return value

    def update_state(self) -> None:
        """Take the last pass's statistics into the layers' state."""
        for stage in _opened(self.stages):
            if isinstance(stage, _Readable):
                stage.layer.update_state(stage.cache)

    def _stages(self, layer: Layer) -> list[_Stage]:
        """Return the stages of a layer, in forward order."""
        if isinstance(layer, Residual):
            width = layer.parameters[0].shape[1]
            inner = self._stages(layer.inner)
            return [_Skip(inner, (self.n_rows, width), self.dtype)]
        if isinstance(layer, Stack):
            return [
                stage
                for part, activation in fused(layer.layers)
                for stage in (
                    [self._dense(part, activation or ACTIVATIONS["identity"])]
                    if isinstance(part, Affine)
                    else self._stages(part)
                )
            ]
        if isinstance(layer, Dropout):
            return [_Drop(layer, next(self._uniforms), self.dtype)]
        return [_Readable(layer, self._pairs)]

    def _dense(self, layer: Affine, activation: Activation) -> _Dense:
        need_dx, self._is_first = not self._is_first, False
        return _Dense(layer, activation, next(self._pairs), self.n_rows, need_dx)


def _forward(stages: list[_Stage], x: Array) -> Array:
    for stage in stages:
        x = stage.forward(x)
    return x


def _backward(stages: list[_Stage], dy: Array) -> Array | None:
    gradient: Array | None = dy
    for stage in reversed(stages):
        assert gradient is not None
        gradient = stage.backward(gradient)
    return gradient


def _like(array: Array, result: Array) -> Array:
    """Return a result in an array's type: a part of one's own may compute in float64."""
    return np.asarray(result, dtype=array.dtype)


def _opened(stages: list[_Stage]) -> Iterator[_Stage]:
    for stage in stages:
        yield from _opened(stage.inner) if isinstance(stage, _Skip) else [stage]
