"""Plan: a forward and backward pass over a fixed number of rows, in arrays that are made once.

A network becomes a list of stages. Each is a layer, or an affine layer with the activation after
it, together with the arrays that it writes to. `backward` takes the gradient with respect to a
stage's result, and may overwrite it; those of parameters go into views of one vector.

For K networks trained as one, every array has one more axis in front, and products are those of a
stack of matrices. The kernels always have this axis: see ``passes.py``.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.base import Activation
from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.blocks import Dropout, GaussianNoise, RandomLayer, Residual
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.normalize import normalize, normalize_backward
from multilayer.numpy.fast.passes import PASSES, Passes, bias_of, dropout, fastest, passes_of
from multilayer.numpy.fast.thin import WIDEST, thin_backward, thin_forward
from multilayer.numpy.fast.updates import numbers_of
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.network import Network, Pair
from multilayer.numpy.normalization import BatchNorm, Normalized, check_batch

__all__ = ["Plan", "random_layers", "stacked", "stages_of"]

Array = npt.NDArray[Any]
Places = tuple[Array | None, Array | None]
"""Where the gradients of a layer's parameters go; None for those that are not needed."""

NARROW = 8
"""With this many times more inputs than outputs it pays to compute dWᵀ = xᵀ dz instead of dW.

BLAS rearranges its first operand in large pieces and its second in small ones, which stay in the
cache, so the large matrix x should be the second (measured, see docs/performance.md).
"""


SMALL = 4096
"""Of K networks, weights of up to this many numbers are transposed before the product x Wᵀ.

BLAS does not rearrange small operands, and then takes about twice the time for a second operand
that is transposed (measured, see docs/performance.md)."""


def stages_of(
    layer: Layer, heads: tuple[type[Layer], ...] = (Affine,), *, training: bool = True
) -> list[tuple[Layer, Passes]]:
    """Return a layer's parts in forward order, with stacks flattened.

    A layer of the kinds in `heads` comes with the passes of the activation after it, if that has
    any, and the activation is then not a stage of its own. In prediction, layers that only act in
    training are left out.
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


def random_layers(network: Network, in_features: int) -> list[tuple[RandomLayer, int]]:
    """Return the layers that draw numbers, in forward order, each with its width."""
    found, width = [], in_features
    for layer in network.layers:
        if isinstance(layer, Affine):
            width = layer.W.shape[-2]
        elif isinstance(layer, RandomLayer):
            found.append((layer, width))
    return found


class _Stage(Protocol):
    def forward(self, x: Array) -> Array: ...

    def backward(self, dy: Array) -> Array | None: ...


def stacked(array: Array, n_axes: int = 3) -> Array:
    """Return an array as that of one network, if it has no axis for networks."""
    return array if array.ndim == n_axes else array[np.newaxis]


class _Affine:
    """z = x Wᵀ + b, with arrays for z and for the gradients.

    Kernels need arrays without gaps, which those of K networks are not, one after another in each
    one's vector: so these are copied, before or after a pass.
    """

    def __init__(self, layer: Affine, gradients: Places, n_rows: int, need_dx: bool) -> None:
        *networks, out_features, in_features = layer.W.shape
        dtype = layer.W.dtype
        self.product = np.matmul if networks else np.dot
        self.W, self.b = layer.W, bias_of(layer.W, layer.b)
        self.dW, db = gradients  # without a place, dW is not computed, and db goes nowhere
        self.db = np.empty_like(self.b) if db is None else db
        self.b_copy = np.empty_like(self.b) if networks else None
        self.bs = stacked(self.b, 2) if self.b_copy is None else self.b_copy
        self.db_copy = np.empty_like(self.b) if networks else None
        self.dbs = stacked(self.db, 2) if self.db_copy is None else self.db_copy
        self.z = np.empty((*networks, n_rows, out_features), dtype)
        self.zs = stacked(self.z)
        self.dy: Array | None = None
        self.dx = np.empty((*networks, n_rows, in_features), dtype) if need_dx else None


class _Dense(_Affine):
    """a = σ(z), written over z; backward, dz over da, then dW = dzᵀ x and dx = dz W."""

    def __init__(self, layer: Affine, passes: Passes, *arrays: Any) -> None:
        super().__init__(layer, *arrays)
        *networks, out_features, in_features = self.W.shape
        self.is_small = bool(networks) and out_features * in_features <= SMALL
        self.WT = self.W.mT.copy() if self.is_small else self.W.mT
        is_narrow = NARROW * out_features <= in_features
        shape = (*networks, in_features, out_features)
        self.dWT = np.empty(shape, self.W.dtype) if is_narrow and self.dW is not None else None
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest

    def forward(self, x: Array) -> Array:
        z = self.z
        if self.is_small:
            self.WT[:] = self.W.mT
        self.product(x, self.WT, out=z)
        if self.b_copy is not None:
            self.b_copy[:] = self.b
        self.forward_pass(self.zs, self.bs)
        self.x = x
        return z

    def backward(self, dy: Array) -> Array | None:
        if dy is not self.dy:  # it is the same array in each pass, except behind a custom part
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


class _Thin(_Affine):
    """A last layer with few outputs: one pass forward and one pass backward."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.forward_pass, self.backward_pass = thin_forward.fastest, thin_backward.fastest
        # The kernel writes dW, wanted or not.
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


class _Normalize:
    """a = σ(γ x̂ + β), batch normalisation with the activation after it."""

    def __init__(self, layer: BatchNorm, passes: Passes, gradients: Places, n_rows: int) -> None:
        check_batch(n_rows)
        self.layer = layer
        *networks, width = layer.gamma.shape
        dtype = layer.gamma.dtype
        self.dgamma, self.dbeta = (
            np.empty_like(layer.gamma) if g is None else g for g in gradients
        )
        self.x_hat, self.y = np.empty((2, *networks, n_rows, width), dtype)
        self.mean, self.variance, self.inverse_std = np.empty((3, *networks, width), dtype)
        self.forward_pass, self.backward_pass = passes.forward(fastest), passes.backward.fastest
        self.sums = np.empty((2, len(stacked(self.mean, 2)), width), dtype)

    def forward(self, x: Array) -> Array:
        layer, y = self.layer, stacked(self.y)
        normalize.fastest(
            stacked(x), np.ascontiguousarray(stacked(layer.gamma, 2)), layer.epsilon,
            stacked(self.x_hat), stacked(self.mean, 2), stacked(self.variance, 2),
            stacked(self.inverse_std, 2), y,
        )  # fmt: skip
        self.forward_pass(y, np.ascontiguousarray(stacked(layer.beta, 2)))
        return self.y

    def backward(self, dy: Array) -> Array:
        dys, (dgamma, dbeta) = stacked(dy), self.sums
        self.backward_pass(dys, stacked(self.y), dbeta)
        normalize_backward.fastest(
            dys, stacked(self.x_hat), np.ascontiguousarray(stacked(self.layer.gamma, 2)),
            stacked(self.inverse_std, 2), dgamma, dbeta,
        )  # fmt: skip
        stacked(self.dgamma, 2)[:], stacked(self.dbeta, 2)[:] = dgamma, dbeta
        return dy

    def update_state(self) -> None:
        found = Normalized(self.x_hat, self.inverse_std, self.mean, self.variance)
        self.layer.update_state(found)


class _Noise:
    """y = x + σ n, with numbers n drawn before the pass."""

    def __init__(self, layer: GaussianNoise, normal: Array, dtype: npt.DTypeLike) -> None:
        self.std, self.normal = layer.std, normal
        self.y = np.empty(normal.shape, dtype)

    def forward(self, x: Array) -> Array:
        np.multiply(self.std, self.normal, out=self.y)
        return np.add(x, self.y, out=self.y)

    def backward(self, dy: Array) -> Array:
        return dy


class _Readable:
    """Any other layer, through its own `forward` and `backward`."""

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


class _Skip:
    """y = x + f(x), where f is the inner stages: dx = dy + df."""

    def __init__(self, inner: list[_Stage], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
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
    gradients : list of (dW, db), optional
        The arrays for the gradients, one pair for each layer with parameters. Without them, only
        the gradient in the inputs is computed.
    drawn : list of array of shape (n_rows, width) or (K, n_rows, width)
        The numbers of each layer that draws some, drawn before each pass.
    criterion : callable
        See ``criteria.py``.
    n_rows : int
        The number of rows of a pass.
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
        need_dx: bool = False,
    ) -> None:
        self._pairs: Iterator[Places] = iter(gradients or repeat((None, None)))
        self._drawn = iter(drawn)
        self.n_rows, self.dtype = n_rows, network.parameters.dtype
        self.networks = network.parameters.shape[:-1]
        self.values = np.empty(self.networks or (1,))
        self.criterion = criterion
        self._has_input = need_dx
        self._with_state: list[_Readable | _Normalize] = []
        self.stages = self._stages(network.hidden)
        last = network.last
        if self.stages and last.W.shape[-2] <= WIDEST:
            self.stages.append(_Thin(last, next(self._pairs), n_rows, True))
        else:
            self.stages.append(self._stage(last, PASSES[Identity]))
        self.logits: Array = self.stages[-1].zs  # type: ignore[attr-defined]

    def run(self, x: Array, targets: Array, shares: Array) -> Array:
        """Return the loss of the rows, (K,) or (1,), and leave its gradient in the plan's arrays.

        Parameters
        ----------
        x : array of shape (n_rows, in_features), or (K, n_rows, in_features)
        targets : array of shape (K, n_rows, …), or (1, n_rows, …) if all have the same
        shares : array of shape (K, n_rows) or (1, n_rows)
            The weight of each row's loss.
        """
        self.forward(x)
        self.backward(targets, shares)
        return self.values

    def forward(self, x: Array) -> None:
        """Leave the logits of the rows in `logits`, of shape (K, n_rows, out_features)."""
        self._top = _forward(self.stages, x)

    def backward(self, targets: Array, shares: Array) -> Array | None:
        """Leave the loss in `values`; return its gradient in x, if needed. Logits are lost."""
        self.criterion(self.logits, targets, shares, self.values)
        dx: Array | None = _backward(self.stages, self._top)
        return dx

    def update_state(self) -> None:
        """Update the layers' state with the statistics of the last pass."""
        for stage in self._with_state:
            stage.update_state()

    def _stages(self, layer: Layer) -> list[_Stage]:
        parts = stages_of(layer, (Affine, BatchNorm))
        return [self._stage(part, passes) for part, passes in parts]

    def _stage(self, layer: Layer, passes: Passes) -> _Stage:
        if isinstance(layer, Affine):
            need_dx, self._has_input = self._has_input, True
            return _Dense(layer, passes, next(self._pairs), self.n_rows, need_dx)
        if isinstance(layer, Residual):
            shape = (*self.networks, self.n_rows, layer.parameters[0].shape[-1])
            return _Skip(self._stages(layer.inner), shape, self.dtype)
        if isinstance(layer, Activate):
            return _Activation(layer.activation)
        if isinstance(layer, Dropout):
            return _Drop(layer, next(self._drawn), self.dtype)
        if isinstance(layer, GaussianNoise):
            return _Noise(layer, next(self._drawn), self.dtype)
        if isinstance(layer, Embedding):
            self._has_input = True
        stage: _Readable | _Normalize
        if isinstance(layer, BatchNorm):
            stage = _Normalize(layer, passes, next(self._pairs), self.n_rows)
        else:
            stage = _Readable(layer, self._pairs)
        self._with_state.append(stage)
        return stage


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
