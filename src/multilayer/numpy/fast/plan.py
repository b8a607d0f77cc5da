"""Plan: a forward and backward pass over a fixed number of rows, in arrays that are made once.

A network becomes a list of stages. Each is a layer, or an affine layer with the activation after
it, together with the arrays that it writes to. `backward` takes the gradient with respect to a
stage's result, and may overwrite it; those of parameters go into views of one vector.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.base import Activation
from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.blocks import Dropout, Residual
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.passes import PASSES, Passes, bias_of, dropout, fastest, passes_of
from multilayer.numpy.fast.thin import WIDEST, thin_backward, thin_forward
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.network import Network, Pair

__all__ = ["Plan", "dropout_widths", "stages_of"]

Array = npt.NDArray[Any]

NARROW = 8
"""With this many times more inputs than outputs it pays to compute dWᵀ = xᵀ dz instead of dW.

BLAS rearranges its first operand in large pieces and its second in small ones, which stay in the
cache, so the large matrix x should be the second (measured, see docs/performance.md).
"""


def stages_of(layer: Layer) -> list[tuple[Layer, Passes]]:
    """Return a layer's parts in forward order, with stacks flattened.

    An affine layer comes with the passes of the activation after it, if that has any, and the
    activation is then not a stage of its own.
    """
    stages: list[tuple[Layer, Passes]] = []
    alone = PASSES[Identity]
    for part in _opened(layer):
        before, behind = stages[-1] if stages else (None, None)
        passes = passes_of(part.activation) if isinstance(part, Activate) else None
        if passes is not None and isinstance(before, Affine) and behind is alone:
            stages[-1] = before, passes
        else:
            stages.append((part, alone))
    return stages


def _opened(layer: Layer) -> list[Layer]:
    if not isinstance(layer, Stack):
        return [layer]
    return [part for inner in layer.layers for part in _opened(inner)]


def dropout_widths(network: Network) -> list[int]:
    """Return the width of each dropout layer, in forward order."""
    widths, width = [], network.in_features
    for layer in network.layers:
        if isinstance(layer, Affine):
            width = len(layer.W)
        elif isinstance(layer, Dropout):
            widths.append(width)
    return widths


class _Stage(Protocol):
    def forward(self, x: Array) -> Array: ...

    def backward(self, dy: Array) -> Array | None: ...


class _Affine:
    """z = x Wᵀ + b, with arrays for z and for the gradients."""

    def __init__(self, layer: Affine, gradients: Pair, n_rows: int, need_dx: bool) -> None:
        out_features, in_features = layer.W.shape
        dtype = layer.W.dtype
        self.W, self.b = layer.W, bias_of(layer.W, layer.b)
        self.dW, db = gradients  # the gradient of a missing bias goes nowhere
        self.db = np.empty(out_features, dtype) if db is None else db
        self.z = np.empty((n_rows, out_features), dtype)
        self.dx = np.empty((n_rows, in_features), dtype) if need_dx else None


class _Dense(_Affine):
    """a = σ(z), written over z; backward, dz over da, then dW = dzᵀ x and dx = dz W."""

    def __init__(self, layer: Affine, passes: Passes, *arrays: Any) -> None:
        super().__init__(layer, *arrays)
        self.WT = self.W.T
        out_features, in_features = self.W.shape
        is_narrow = NARROW * out_features <= in_features
        self.dWT = np.empty((in_features, out_features), self.W.dtype) if is_narrow else None
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest

    def forward(self, x: Array) -> Array:
        z = self.z
        np.dot(x, self.WT, out=z)
        self.forward_pass(z, self.b)
        self.x = x
        return z

    def backward(self, dy: Array) -> Array | None:
        self.backward_pass(dy, self.z, self.db)
        if self.dWT is None:
            np.dot(dy.T, self.x, out=self.dW)
        else:
            np.dot(self.x.T, dy, out=self.dWT)
            self.dW[:] = self.dWT.T
        dx = self.dx
        return None if dx is None else np.dot(dy, self.W, out=dx)


class _Thin(_Affine):
    """A last layer with few outputs: one pass forward and one pass backward."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.forward_pass, self.backward_pass = thin_forward.fastest, thin_backward.fastest

    def forward(self, x: Array) -> Array:
        self.x = x
        self.forward_pass(x, self.W, self.b, self.z)
        return self.z

    def backward(self, dy: Array) -> Array | None:
        self.backward_pass(dy, self.x, self.W, self.dW, self.db, self.dx)
        return self.dx


class _Activation:
    """a = σ(z), through its own `forward` and `backward`."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def forward(self, x: Array) -> Array:
        self.z = x
        self.a = _like(x, self.activation.forward(x))
        return self.a

    def backward(self, dy: Array) -> Array:
        return _like(dy, self.activation.backward(dy, self.z, self.a))


class _Drop:
    """y = x m/(1 − rate), where m is 1 if a uniform number is at least the rate, else 0."""

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

    def __init__(self, layer: Layer, pairs: Iterator[Pair]) -> None:
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
    """y = x + f(x), where f is the inner stages: dx = dy + df."""

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
    """The loss of some rows and its gradient, computed without making new arrays.

    Parameters
    ----------
    network : Network
    gradients : list of (dW, db)
        The arrays for the gradients, one pair for each layer with parameters.
    uniforms : list of array of shape (n_rows, width)
        The numbers that decide what each dropout layer drops, drawn before each pass.
    criterion : callable
        See ``criteria.py``.
    n_rows : int
        The number of rows of a pass.
    """

    def __init__(
        self,
        network: Network,
        gradients: list[Pair],
        uniforms: list[Array],
        criterion: Criterion,
        n_rows: int,
    ) -> None:
        self._pairs, self._uniforms = iter(gradients), iter(uniforms)
        self.n_rows, self.dtype = n_rows, network.parameters.dtype
        self.criterion = criterion
        self._has_input = False
        self._readable: list[_Readable] = []
        self.stages = self._stages(network.hidden)
        last = network.last
        if self.stages and len(last.W) <= WIDEST:
            self.stages.append(_Thin(last, next(self._pairs), n_rows, True))
        else:
            self.stages.append(self._stage(last, PASSES[Identity]))

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
        """Update the layers' state with the statistics of the last pass."""
        for stage in self._readable:
            stage.layer.update_state(stage.cache)

    def _stages(self, layer: Layer) -> list[_Stage]:
        return [self._stage(part, passes) for part, passes in stages_of(layer)]

    def _stage(self, layer: Layer, passes: Passes) -> _Stage:
        if isinstance(layer, Affine):
            need_dx, self._has_input = self._has_input, True
            return _Dense(layer, passes, next(self._pairs), self.n_rows, need_dx)
        if isinstance(layer, Residual):
            width = layer.parameters[0].shape[1]
            return _Skip(self._stages(layer.inner), (self.n_rows, width), self.dtype)
        if isinstance(layer, Activate):
            return _Activation(layer.activation)
        if isinstance(layer, Dropout):
            return _Drop(layer, next(self._uniforms), self.dtype)
        self._readable.append(_Readable(layer, self._pairs))
        return self._readable[-1]


def _forward(stages: list[_Stage], x: Array) -> Array:
    for stage in stages:
        x = stage.forward(x)
    return x


def _backward(stages: list[_Stage], dy: Any) -> Any:
    for stage in reversed(stages):  # only the first may return None
        dy = stage.backward(dy)
    return dy


def _like(array: Array, result: Array) -> Array:
    """Return a result in an array's type, since a custom part may compute in float64."""
    return np.asarray(result, dtype=array.dtype)
