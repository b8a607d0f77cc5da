"""Passes between the matrix products: biases, activations forward and backward, and dropout.

``forward(z, b)`` replaces z by a = σ(z + b). ``backward(da, a, db)`` replaces da by dz = da · σ'(z)
and writes its sum over samples to db; so it must be possible to compute σ' from a alone. For an
activation without an entry in `PASSES`, its own `forward` and `backward` are used.

In all kernels of this folder, the first axis of the arrays is for K networks trained as one: z has
shape (K, n_samples, features), b has (K, features). For a single network, K = 1. The plain forms
also work without this axis.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.compiled import Kernel, kernel
from multilayer.numpy.activations.base import Activation, Tanh
from multilayer.numpy.activations.rectifiers import Identity, LeakyReLU, ReLU
from multilayer.numpy.activations.sigmoids import Sigmoid
from multilayer.numpy.fast import blas

__all__ = [
    "PASSES",
    "SMALL",
    "Form",
    "Passes",
    "add_bias",
    "bias_of",
    "dropout",
    "fastest",
    "is_transposed",
    "passes_of",
    "plain",
    "sum_columns",
    "transpose",
]

Array = npt.NDArray[Any]
SMALL = 4096
"""BLAS multiplies matrices of up to this many numbers without rearranging them first."""
Form = Callable[[Kernel], Callable[..., Any]]
"""A function that returns one of a kernel's two forms: `fastest` or `plain`."""


def fastest(kernel: Kernel) -> Callable[..., Any]:
    """Return the form for large arrays: compiled if numba is installed."""
    return kernel.fastest


def plain(kernel: Kernel) -> Callable[..., Any]:
    """Return the form that needs neither numba nor compiled code."""
    return kernel.plain


def bias_of(W: Array, b: Array | None) -> Array:
    """Return a layer's bias; zeros if it has none, which is simpler than a second code path."""
    return np.zeros(W.shape[:-1], W.dtype) if b is None else b


# Affine -----------------------------------------------------------------------------------------


def _add_bias(z: Array, b: Array) -> None:
    np.add(z, b[..., np.newaxis, :], out=z)


@kernel(plain=_add_bias)
def add_bias(zs, bs):  # type: ignore[no-untyped-def]
    """Add the bias: z ← z + b."""
    for m in range(zs.shape[0]):
        z, b = zs[m], bs[m]
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                z[i, j] += b[j]


def _sum_columns(dz: Array, a: Array, db: Array) -> None:
    np.sum(dz, axis=-2, out=db)


@kernel(plain=_sum_columns)
def sum_columns(dzs, as_, dbs):  # type: ignore[no-untyped-def]
    """Sum over samples, db ← Σᵢ dzᵢ: the identity's backward pass, which needs no a."""
    for m in range(dzs.shape[0]):
        dz, db = dzs[m], dbs[m]
        db[:] = 0
        for i in range(dz.shape[0]):
            for j in range(dz.shape[1]):
                db[j] += dz[i, j]


# ReLU -------------------------------------------------------------------------------------------


def _relu_forward(z: Array, b: Array) -> None:
    np.add(z, b[..., np.newaxis, :], out=z)
    np.maximum(z, 0, out=z)


@kernel(plain=_relu_forward)
def relu_forward(zs, bs):  # type: ignore[no-untyped-def]
    """Compute z ← max(0, z + b); NaN stays NaN."""
    for m in range(zs.shape[0]):
        z, b = zs[m], bs[m]
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                value = z[i, j] + b[j]
                z[i, j] = z.dtype.type(0) if value < 0 else value


def _relu_backward(da: Array, a: Array, db: Array) -> None:
    np.multiply(da, a > 0, out=da)
    np.sum(da, axis=-2, out=db)


@kernel(plain=_relu_backward)
def relu_backward(das, as_, dbs):  # type: ignore[no-untyped-def]
    """Compute da ← da if a > 0, else 0; and db ← Σ da."""
    for m in range(das.shape[0]):
        da, a, db = das[m], as_[m], dbs[m]
        db[:] = 0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                value = da[i, j] if a[i, j] > 0 else a.dtype.type(0)
                da[i, j] = value
                db[j] += value


# Leaky ReLU -------------------------------------------------------------------------------------

SLOPE = LeakyReLU.negative_slope


def _leaky_relu_forward(z: Array, b: Array) -> None:
    np.add(z, b[..., np.newaxis, :], out=z)
    np.multiply(z, SLOPE, out=z, where=z < 0)


@kernel(plain=_leaky_relu_forward)
def leaky_relu_forward(zs, bs):  # type: ignore[no-untyped-def]
    """Compute z ← z + b, multiplied by the slope where the sum is negative."""
    for m in range(zs.shape[0]):
        z, b = zs[m], bs[m]
        slope = z.dtype.type(SLOPE)
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                value = z[i, j] + b[j]
                z[i, j] = slope * value if value < 0 else value


def _leaky_relu_backward(da: Array, a: Array, db: Array) -> None:
    np.multiply(da, SLOPE, out=da, where=~(a > 0))
    np.sum(da, axis=-2, out=db)


@kernel(plain=_leaky_relu_backward)
def leaky_relu_backward(das, as_, dbs):  # type: ignore[no-untyped-def]
    """Compute da ← da if a > 0, else da times the slope; and db ← Σ da."""
    for m in range(das.shape[0]):
        da, a, db = das[m], as_[m], dbs[m]
        slope = a.dtype.type(SLOPE)
        db[:] = 0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                value = da[i, j] if a[i, j] > 0 else slope * da[i, j]
                da[i, j] = value
                db[j] += value


# Tanh and the logistic function -----------------------------------------------------------------
# NumPy computes eᶻ and tanh z for several numbers at a time; a compiled loop would not.


def _tanh_backward(da: Array, a: Array, db: Array) -> None:
    np.multiply(da, 1 - a * a, out=da)
    np.sum(da, axis=-2, out=db)


@kernel(plain=_tanh_backward)
def tanh_backward(das, as_, dbs):  # type: ignore[no-untyped-def]
    """Compute da ← da (1 − a²), and db ← Σ da."""
    for m in range(das.shape[0]):
        da, a, db = das[m], as_[m], dbs[m]
        one = a.dtype.type(1)
        db[:] = 0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                value = da[i, j] * (one - a[i, j] * a[i, j])
                da[i, j] = value
                db[j] += value


def _sigmoid_backward(da: Array, a: Array, db: Array) -> None:
    np.multiply(da, a * (1 - a), out=da)
    np.sum(da, axis=-2, out=db)


@kernel(plain=_sigmoid_backward)
def sigmoid_backward(das, as_, dbs):  # type: ignore[no-untyped-def]
    """Compute da ← da a (1 − a), and db ← Σ da."""
    for m in range(das.shape[0]):
        da, a, db = das[m], as_[m], dbs[m]
        one = a.dtype.type(1)
        db[:] = 0
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                value = da[i, j] * (a[i, j] * (one - a[i, j]))
                da[i, j] = value
                db[j] += value


def _tanh(form: Form) -> Callable[[Array, Array], None]:
    bias = form(add_bias)

    def forward(z: Array, b: Array) -> None:
        bias(z, b)
        np.tanh(z, out=z)

    return forward


def _sigmoid(form: Form) -> Callable[[Array, Array], None]:
    bias = form(add_bias)

    def forward(z: Array, b: Array) -> None:
        bias(z, b)
        np.negative(z, out=z)
        with np.errstate(over="ignore"):  # 1/(1 + ∞) = 0 is right
            np.exp(z, out=z)
        np.add(z, 1, out=z)
        np.reciprocal(z, out=z)

    return forward


class Passes(NamedTuple):
    """A function that makes an activation's forward pass for a `Form`, and its backward kernel."""

    forward: Callable[[Form], Callable[[Array, Array], None]]
    backward: Kernel


PASSES: dict[type[Activation], Passes] = {
    Identity: Passes(lambda form: form(add_bias), sum_columns),
    ReLU: Passes(lambda form: form(relu_forward), relu_backward),
    LeakyReLU: Passes(lambda form: form(leaky_relu_forward), leaky_relu_backward),
    Tanh: Passes(_tanh, tanh_backward),
    Sigmoid: Passes(_sigmoid, sigmoid_backward),
}


def passes_of(activation: Activation) -> Passes | None:
    """Return the passes of an activation; None if it is not in `PASSES`, such as a subclass."""
    return PASSES.get(type(activation))


# Transposed products ----------------------------------------------------------------------------

TILE_ROWS, TILE_FEATURES = 16, 4
"""Samples and features transposed at a time: as these are constants, registers hold a tile."""


def is_transposed(n_rows: int, in_features: int, out_features: int) -> bool:
    """Return whether z = x Wᵀ is computed as zᵀ = W xᵀ, which is then transposed.

    OpenBLAS's AVX-512 kernels are slow to rearrange a first operand that is transposed. Its first
    operand, in Fortran's order, is our second: here Wᵀ. So swapping the operands is faster if both
    sides of W are at least twice as long as x has rows (measured, see docs/performance.md).
    """
    is_larger = n_rows >= TILE_ROWS and min(in_features, out_features) >= 2 * n_rows
    return is_larger and in_features * out_features > SMALL and blas.has_wide_kernels()


def _transpose(zTs: Array, zs: Array) -> None:
    zs[:] = zTs.mT


@kernel(plain=_transpose)
def transpose(zTs, zs):  # type: ignore[no-untyped-def]
    """Compute z ← (zᵀ)ᵀ."""
    for m in range(zs.shape[0]):
        zT, z = zTs[m], zs[m]
        rows, features = z.shape
        tiled_rows, tiled = rows - rows % TILE_ROWS, features - features % TILE_FEATURES
        for row in range(0, tiled_rows, TILE_ROWS):
            for start in range(0, tiled, TILE_FEATURES):
                for i in range(row, row + TILE_ROWS):
                    for j in range(start, start + TILE_FEATURES):
                        z[i, j] = zT[j, i]
        for i in range(rows):  # what the tiles leave over
            for j in range(tiled if i < tiled_rows else 0, features):
                z[i, j] = zT[j, i]


# Dropout ----------------------------------------------------------------------------------------


def _dropout(x: Array, uniform: Array, rate: Array, y: Array) -> None:
    rates = rate[:, np.newaxis, np.newaxis]
    scaled_mask = (uniform >= rates.astype(uniform.dtype)) / (1 - rates).astype(x.dtype)
    np.multiply(x, scaled_mask, out=y)


@kernel(plain=_dropout)
def dropout(xs, uniforms, rates, ys):  # type: ignore[no-untyped-def]
    """Compute y ← x/(1 − rate) if a number drawn from [0, 1) is at least `rate`, else 0."""
    for m in range(xs.shape[0]):
        x, uniform, rate, y = xs[m], uniforms[m], rates[m], ys[m]
        scale = x.dtype.type(1) / x.dtype.type(1 - rate)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                y[i, j] = x[i, j] * scale if uniform[i, j] >= rate else x.dtype.type(0)
