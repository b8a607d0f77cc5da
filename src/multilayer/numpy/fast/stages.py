"""Stages: the layers of a `Plan`, each with the arrays that it writes to.

`backward` takes the gradient with respect to a stage's result, and may overwrite it. Gradients with
respect to parameters are written to views of one vector.
"""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.base import Activation
from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.blocks import Dropout, GaussianNoise, RandomLayer
from multilayer.numpy.fast.passes import (
    PASSES,
    SMALL,
    Passes,
    bias_of,
    dropout,
    fastest,
    is_transposed,
    passes_of,
    transpose,
)
from multilayer.numpy.fast.thin import thin_backward, thin_forward
from multilayer.numpy.fast.updates import numbers_of
from multilayer.numpy.layers import Activate, Affine, Layer, Stack

__all__ = [
    "Custom",
    "Dense",
    "Drop",
    "Noise",
    "Places",
    "Readable",
    "Skip",
    "Stage",
    "Thin",
    "Turns",
    "backward",
    "backward_in_turns",
    "forward",
    "forward_in_turns",
    "stacked",
    "stages_of",
]

Array = npt.NDArray[Any]
Places = tuple[Array | None, Array | None]
"""The arrays for the gradients of a layer's parameters; None for gradients that are not needed."""

Turns = Generator[None, None, Any]

NARROW = 8
"""From this ratio of inputs to outputs on, it is faster to compute dWᵀ = xᵀ dz instead of dW.

BLAS rearranges its first operand in large pieces, and its second in small ones, which stay in the
cache. So the large matrix x should be the second (measured, see docs/performance.md).
"""


def stages_of(
    layer: Layer, heads: tuple[type[Layer], ...] = (Affine,), *, training: bool = True
) -> list[tuple[Layer, Passes]]:
    """Return a layer's parts in forward order, with stacks flattened.

    If an activation that has passes follows a layer of a class in `heads`, they become one stage.
    For prediction, layers that only act in training are left out.
    """
    stages: list[tuple[Layer, Passes]] = []
    alone = PASSES[Identity]
    for part in _opened(layer):
        if isinstance(part, RandomLayer) and not training:
            continue
        before, behind = stages[-1] if stages else (None, None)
        passes = passes_of(part.activation) if isinstance(part, Activate) else None
        if passes is not None and isinstance(before, heads) and behind is alone:
            stages[-1] = before, passes
        else:
            stages.append((part, alone))
    return stages


def _opened(layer: Layer) -> list[Layer]:
    if not isinstance(layer, Stack):
        return [layer]
    return [part for inner in layer.layers for part in _opened(inner)]


class Stage:
    """A part of the forward pass and of the backward pass."""

    def forward(self, x: Array) -> Array:
        """Return the stage's result, in an array that belongs to the stage."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array | None:
        """Return the gradient in x, or None if it is not needed; dy may be overwritten."""
        raise NotImplementedError

    def forward_in_turns(self, x: Array) -> Turns:
        """Do the work of `forward`; yield wherever it must wait for all workers to get there."""
        return self.forward(x)
        yield

    def backward_in_turns(self, dy: Array) -> Turns:
        """Do the work of `backward` in the same way."""
        return self.backward(dy)
        yield

    def update_state(self) -> None:
        """Update the layer's state, if any, with the statistics of the last batch."""


def stacked(array: Array, n_axes: int = 3) -> Array:
    """Return an array with a first axis for networks, which is added if it is missing."""
    return array if array.ndim == n_axes else array[np.newaxis]


class _Affine(Stage):
    """z = x Wᵀ + b, with arrays for z and for the gradients.

    Kernels need contiguous arrays. Those of K networks are not contiguous, because each network has
    its own parameter vector; so they are copied, before or after a pass.
    """

    def __init__(self, layer: Affine, gradients: Places, n_rows: int, need_dx: bool) -> None:
        *networks, out_features, in_features = layer.W.shape
        dtype = layer.W.dtype
        self.product = np.matmul if networks else np.dot
        self.W, self.b = layer.W, bias_of(layer.W, layer.b)
        self.dW, db = gradients  # if None, dW is not computed; db is computed, but not used
        self.db = np.empty_like(self.b) if db is None else db
        self.b_copy = np.empty_like(self.b) if networks else None
        self.bs = stacked(self.b, 2) if self.b_copy is None else self.b_copy
        self.db_copy = np.empty_like(self.b) if networks else None
        self.dbs = stacked(self.db, 2) if self.db_copy is None else self.db_copy
        self.z = np.empty((*networks, n_rows, out_features), dtype)
        self.zs = stacked(self.z)
        self.dy: Array | None = None
        self.dx = np.empty((*networks, n_rows, in_features), dtype) if need_dx else None


class Dense(_Affine):
    """a = σ(z), which overwrites z; backward: dz, which overwrites da, dW = dzᵀ x and dx = dz W."""

    def __init__(self, layer: Affine, passes: Passes, *arrays: Any) -> None:
        super().__init__(layer, *arrays)
        *networks, out_features, in_features = self.W.shape
        # In K networks, a small W is transposed before the product: BLAS does not rearrange small
        # operands, and takes about twice as long if the second one is transposed.
        self.is_small = bool(networks) and out_features * in_features <= SMALL
        self.zT: Array | None = None
        if is_transposed(self.z.shape[-2], in_features, out_features):
            self.zT = np.empty(self.z.mT.shape, self.z.dtype)
            self.zTs, self.transpose = stacked(self.zT), transpose.fastest
        self.WT = self.W.mT.copy() if self.is_small else self.W.mT
        is_narrow = NARROW * out_features <= in_features
        shape = (*networks, in_features, out_features)
        self.dWT = np.empty(shape, self.W.dtype) if is_narrow and self.dW is not None else None
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest

    def forward(self, x: Array) -> Array:
        z = self.z
        if self.is_small:
            self.WT[:] = self.W.mT
        if self.zT is None:
            self.product(x, self.WT, out=z)
        else:
            self.product(self.W, x.mT, out=self.zT)
            self.transpose(self.zTs, self.zs)
        if self.b_copy is not None:
            self.b_copy[:] = self.b
        self.forward_pass(self.zs, self.bs)
        self.x = x
        return z

    def backward(self, dy: Array) -> Array | None:
        if dy is not self.dy:  # it is the same array each time, except from a custom part
            self.dy, self.dys = dy, stacked(dy)
        self.backward_pass(self.dys, self.zs, self.dbs)
        if self.db_copy is not None:
            self.db[:] = self.db_copy
        if self.dW is None:
            pass
        elif self.dWT is None:
            self.product(dy.mT, self.x, out=self.dW)
        else:
            self.product(self.x.mT, dy, out=self.dWT)
            self.dW[:] = self.dWT.mT
        dx = self.dx
        return None if dx is None else self.product(dy, self.W, out=dx)


class Thin(_Affine):
    """A last layer with few outputs: one pass forward and one pass backward."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.forward_pass, self.backward_pass = thin_forward.fastest, thin_backward.fastest
        # The kernel always writes dW, even if it is not needed.
        self.out_dW = np.empty_like(self.W) if self.dW is None else self.dW
        self.W_copy = np.empty_like(self.W) if self.b_copy is not None else None
        self.Ws = stacked(self.W) if self.W_copy is None else self.W_copy
        self.dW_copy = np.empty_like(self.W) if self.b_copy is not None else None
        self.dWs = stacked(self.out_dW) if self.dW_copy is None else self.dW_copy
        assert self.dx is not None
        self.dxs = stacked(self.dx)
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        if x is not self.x:
            self.x, self.xs = x, stacked(x)
        if self.b_copy is not None and self.W_copy is not None:
            self.b_copy[:] = self.b
            self.W_copy[:] = self.W
        self.forward_pass(self.xs, self.Ws, self.bs, self.zs)
        return self.z

    def backward(self, dy: Array) -> Array | None:
        if dy is not self.dy:
            self.dy, self.dys = dy, stacked(dy)
        self.backward_pass(self.dys, self.xs, self.Ws, self.dWs, self.dbs, self.dxs)
        if self.db_copy is not None and self.dW_copy is not None:
            self.db[:] = self.db_copy
            self.out_dW[:] = self.dW_copy
        return self.dx


class Custom(Stage):
    """a = σ(z), through the activation's own `forward` and `backward`."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def forward(self, x: Array) -> Array:
        self.z = x
        self.a = _like(x, self.activation.forward(x))
        return self.a

    def backward(self, dy: Array) -> Array:
        return _like(dy, self.activation.backward(dy, self.z, self.a))


class Drop(Stage):
    """y = x m/(1 − rate), where m is 1 if a uniform number is at least the rate, else 0."""

    def __init__(self, layer: Dropout, uniform: Array, dtype: npt.DTypeLike) -> None:
        self.uniforms = stacked(uniform)
        self.y = np.empty(uniform.shape, dtype)
        self.ys = stacked(self.y)
        self.rates = numbers_of(layer.rate, len(self.ys))
        self.mask = dropout.fastest

    def forward(self, x: Array) -> Array:
        self.mask(stacked(x), self.uniforms, self.rates, self.ys)
        return self.y

    def backward(self, dy: Array) -> Array:
        dys = stacked(dy)
        self.mask(dys, self.uniforms, self.rates, dys)
        return dy


class Noise(Stage):
    """y = x + σ n, with numbers n drawn before the pass."""

    def __init__(self, layer: GaussianNoise, normal: Array, dtype: npt.DTypeLike) -> None:
        self.std, self.normal = layer.std, normal
        self.y = np.empty(normal.shape, dtype)

    def forward(self, x: Array) -> Array:
        np.multiply(self.std, self.normal, out=self.y)
        return np.add(x, self.y, out=self.y)

    def backward(self, dy: Array) -> Array:
        return dy


class Readable(Stage):
    """Any other layer, through the layer's own `forward` and `backward`."""

    def __init__(self, layer: Layer, pairs: Iterator[Places]) -> None:
        self.layer = layer
        self.gradients = next(pairs)[: len(layer.parameters)] if layer.parameters else ()

    def forward(self, x: Array) -> Array:
        y, self.cache = self.layer.forward(x, training=True)
        return _like(x, y)

    def backward(self, dy: Array) -> Array | None:
        dx, found = self.layer.backward(dy, self.cache)
        for array, gradient in zip(self.gradients, found, strict=True):
            if array is not None:
                array[:] = gradient
        return None if dx is None else _like(dy, dx)

    def update_state(self) -> None:
        self.layer.update_state(self.cache)


class Skip(Stage):
    """y = x + f(x), where the inner stages compute f; dx = dy plus their gradient in x."""

    def __init__(self, inner: list[Stage], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.inner = inner
        self.y, self.dy = np.empty(shape, dtype), np.empty(shape, dtype)

    def forward(self, x: Array) -> Array:
        return np.add(x, forward(self.inner, x), out=self.y)

    def backward(self, dy: Array) -> Array | None:
        self.dy[:] = dy  # the inner stages may overwrite it
        dx = backward(self.inner, dy)
        return None if dx is None else np.add(dx, self.dy, out=self.dy)

    def forward_in_turns(self, x: Array) -> Turns:
        return np.add(x, (yield from forward_in_turns(self.inner, x)), out=self.y)

    def backward_in_turns(self, dy: Array) -> Turns:
        self.dy[:] = dy
        dx = yield from backward_in_turns(self.inner, dy)
        return None if dx is None else np.add(dx, self.dy, out=self.dy)

    def update_state(self) -> None:
        for stage in self.inner:
            stage.update_state()


def forward(stages: list[Stage], x: Array) -> Array:
    """Pass x through all stages, and return the last result."""
    for stage in stages:
        x = stage.forward(x)
    return x


def backward(stages: list[Stage], dy: Any) -> Any:
    """Pass dy, the gradient in the last result, back through all stages, and return dx."""
    for stage in reversed(stages):  # if dy is None, only noise is left, which passes it on
        dy = stage.backward(dy)
    return dy


def forward_in_turns(stages: list[Stage], x: Array) -> Turns:
    """Do the work of `forward` in turns: see `Stage.forward_in_turns`."""
    for stage in stages:
        x = yield from stage.forward_in_turns(x)
    return x


def backward_in_turns(stages: list[Stage], dy: Any) -> Turns:
    """Do the work of `backward` in turns: see `Stage.backward_in_turns`."""
    for stage in reversed(stages):
        dy = yield from stage.backward_in_turns(dy)
    return dy


def _like(array: Array, result: Array) -> Array:
    """Return a result in the array's dtype, since a custom part may compute in float64."""
    return np.asarray(result, dtype=array.dtype)
