"""The compiled loops for a pass, and for a step of K networks, one member after the other.

A step consists of forward pass, loss, backward pass, penalty, clipping and update. The loops call
BLAS for matrix products, and this folder's kernels for everything else. This module needs numba:
see `chain` and `fused`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from multilayer.compiled import machine_code
from multilayer.numpy.fast import criteria, embed, passes, product, thin, updates
from multilayer.numpy.fast.product import multiply
from multilayer.numpy.fast.thin import WIDEST

__all__ = [
    "BIAS",
    "BINARY_CROSS_ENTROPY",
    "CROSS_ENTROPY",
    "DROP",
    "IDENTITY",
    "IN",
    "LEAKY_RELU",
    "OUT",
    "PASS",
    "RELU",
    "SQUARED_ERROR",
    "WEIGHT",
    "ZT",
    "Y",
    "Z",
    "backward",
    "forward",
    "take_steps",
]


def _compile(loops: Callable[..., Any]) -> Any:
    parts = criteria, embed, passes, product, thin, updates
    return machine_code(loops, *parts, error_model="numpy")


add_bias = passes.add_bias.compiled
sum_columns = passes.sum_columns.compiled
relu_forward = passes.relu_forward.compiled
relu_backward = passes.relu_backward.compiled
leaky_relu_forward = passes.leaky_relu_forward.compiled
leaky_relu_backward = passes.leaky_relu_backward.compiled
transpose = passes.transpose.compiled
dropout = passes.dropout.compiled
cross_entropy = criteria.cross_entropy.compiled
binary_cross_entropy = criteria.binary_cross_entropy.compiled
squared_error = criteria.squared_error.compiled
thin_forward = thin.thin_forward.compiled
thin_backward = thin.thin_backward.compiled
embed_inputs = embed.embed.compiled
embed_backward = embed.embed_backward.compiled
add_penalty = updates.add_penalty.compiled
sgd = updates.sgd.compiled
adam = updates.adam.compiled
limit_in_place = updates.limit_in_place.compiled

IDENTITY, RELU, LEAKY_RELU = range(3)
CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR = range(3)
WEIGHT, BIAS, IN, OUT, PASS, DROP, Z, Y, ZT = range(9)
"""Columns of a network's description, which has a row for each affine layer: where W and b begin in
the parameter vector (b: −1 if there is none), the layer's shape, its pass, which dropout follows
(−1 if none), and where z, the output and zᵀ begin in the work array (zᵀ: −1 if not needed). The
last layer's z is at the end of the work array."""


@_compile
def _gather(X, rows, out):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        row, target = X[rows[i]], out[i]
        for j in range(row.size):
            target[j] = row[j]


@_compile
def forward(layers, theta, x, work, uniforms, rates, no_bias, gemm):  # type: ignore[no-untyped-def]
    """Compute the forward pass of one member."""
    n = x.shape[0]
    uniform_from = 0
    for s in range(layers.shape[0]):
        layer = layers[s]
        n_in, n_out = layer[IN], layer[OUT]
        W = theta[layer[WEIGHT] : layer[WEIGHT] + n_out * n_in].reshape(n_out, n_in)
        b = no_bias[0, :n_out] if layer[BIAS] < 0 else theta[layer[BIAS] : layer[BIAS] + n_out]
        bs = b.reshape(1, n_out)
        z = work[layer[Z] : layer[Z] + n * n_out].reshape(n, n_out)
        zs = z.reshape(1, n, n_out)
        if s == layers.shape[0] - 1 and s > 0 and n_out <= WIDEST:
            thin_forward(x.reshape(1, n, n_in), W.reshape(1, n_out, n_in), bs, zs)
            return
        if layer[ZT] < 0:
            multiply(gemm, x, False, W, True, z)
        else:
            zT = work[layer[ZT] : layer[ZT] + n * n_out].reshape(n_out, n)
            multiply(gemm, W, False, x, True, zT)
            transpose(zT.reshape(1, n_out, n), zs)
        if layer[PASS] == RELU:
            relu_forward(zs, bs)
        elif layer[PASS] == LEAKY_RELU:
            leaky_relu_forward(zs, bs)
        else:
            add_bias(zs, bs)
        x = z
        if layer[DROP] >= 0:
            x = work[layer[Y] : layer[Y] + n * n_out].reshape(n, n_out)
            uniform = uniforms[uniform_from : uniform_from + n * n_out].reshape(1, n, n_out)
            drop = layer[DROP]
            dropout(zs, uniform, rates[drop : drop + 1], x.reshape(1, n, n_out))
            uniform_from += n * n_out


@_compile
def backward(  # type: ignore[no-untyped-def]
    layers, theta, x, work, uniforms, rates, no_bias, slopes, gradient, has_embeddings, gemm
):
    """Compute the gradient in one member's parameters.

    In the work array, the logits must already be replaced by their gradient. With embeddings, the
    gradient in the first affine layer's inputs is left in the first row of `slopes`.
    """
    n = x.shape[0]
    last = layers.shape[0] - 1
    dy = work[layers[last, Z] : layers[last, Z] + n * layers[last, OUT]]
    uniform_to = 0
    for s in range(layers.shape[0]):
        if layers[s, DROP] >= 0:
            uniform_to += n * layers[s, OUT]
    for s in range(last, -1, -1):
        layer = layers[s]
        n_in, n_out = layer[IN], layer[OUT]
        W = theta[layer[WEIGHT] : layer[WEIGHT] + n_out * n_in].reshape(n_out, n_in)
        dW = gradient[layer[WEIGHT] : layer[WEIGHT] + n_out * n_in].reshape(n_out, n_in)
        b_from = layer[BIAS]
        db = no_bias[1, :n_out] if b_from < 0 else gradient[b_from : b_from + n_out]
        dbs = db.reshape(1, n_out)
        dz = dy.reshape(n, n_out)
        dzs = dz.reshape(1, n, n_out)
        source = x
        if s > 0:
            start = layers[s - 1, Y]
            source = work[start : start + n * n_in].reshape(n, n_in)
        dx = slopes[s % 2, : n * n_in].reshape(n, n_in)
        if s == last and s > 0 and n_out <= WIDEST:
            Ws, dWs = W.reshape(1, n_out, n_in), dW.reshape(1, n_out, n_in)
            sources, dxs = source.reshape(1, n, n_in), dx.reshape(1, n, n_in)
            thin_backward(dzs, sources, Ws, dWs, dbs, dxs)
        else:
            if layer[DROP] >= 0:
                uniform_to -= n * n_out
                uniform = uniforms[uniform_to : uniform_to + n * n_out].reshape(1, n, n_out)
                drop = layer[DROP]
                dropout(dzs, uniform, rates[drop : drop + 1], dzs)
            a = work[layer[Z] : layer[Z] + n * n_out].reshape(1, n, n_out)
            if layer[PASS] == RELU:
                relu_backward(dzs, a, dbs)
            elif layer[PASS] == LEAKY_RELU:
                leaky_relu_backward(dzs, a, dbs)
            else:
                sum_columns(dzs, a, dbs)
            multiply(gemm, dz, True, source, False, dW)
            if s > 0 or has_embeddings:
                multiply(gemm, dz, False, W, False, dx)
        dy = slopes[s % 2, : n * n_in]


@_compile
def _clip(gradient, norm, value):  # type: ignore[no-untyped-def]
    kind = gradient.dtype.type
    if value < np.inf:
        limit = kind(value)
        for i in range(gradient.size):
            gradient[i] = min(max(gradient[i], -limit), limit)
    if norm < np.inf:
        largest = 0.0
        for i in range(gradient.size):
            largest = max(largest, abs(gradient[i]))
        if 0 < largest < np.inf:  # entries are divided by it: squares could overflow or vanish
            square = 0.0
            for i in range(gradient.size):
                square += (gradient[i] / largest) ** 2
            length = largest * np.sqrt(square)
            if length > norm:
                factor = kind(norm / length)
                for i in range(gradient.size):
                    gradient[i] *= factor


@_compile
def take_steps(  # type: ignore[no-untyped-def]
    gemm, layers, penalized, criterion, X, labels, values, weights, orders, start, stop,
    theta, first, second, steps, uniforms, dropout_rates, rates, l1, l2, norms, limits,
    matrices, max_norms, is_adam, nesterov, settings, plain, embedded, speed, work, slopes,
    gradient, given, x, label, value, share, no_bias, losses,
):  # fmt: skip
    """Take a step with every member, on the rows at these positions of its order."""
    n = stop - start
    n_embedded = layers[0, WEIGHT]  # the embeddings' parameters come first
    width = (layers[0, IN] - plain.size) // max(embedded.shape[0], 1)
    for m in range(theta.shape[0]):
        if m == 0 or orders.shape[0] > 1:
            rows = orders[m, start:stop]
            _gather(X, rows, given)
            if labels.size:
                for i in range(n):
                    label[0, i] = labels[rows[i]]
            else:
                _gather(values, rows, value[0])
        if weights.shape[0] == 0:
            share[0, :] = 1 / n
        else:
            own = weights[m % weights.shape[0]]
            rows = orders[m % orders.shape[0], start:stop]
            largest = share.dtype.type(0)
            for i in range(n):
                largest = max(largest, own[rows[i]])
            if largest <= 0:
                losses[m] = 0
                continue
            total = share.dtype.type(0)
            for i in range(n):
                share[0, i] = own[rows[i]] / largest
                total += share[0, i]
            for i in range(n):
                share[0, i] /= total
        member = slice(m, m + 1)
        parameters = theta[m]
        if n_embedded:
            V = parameters[:n_embedded].reshape(-1, width)
            embed_inputs(given, V, plain, embedded, speed, x)
        else:
            x = given
        forward(layers, parameters, x, work, uniforms[m], dropout_rates[m], no_bias, gemm)
        last = layers[layers.shape[0] - 1]
        z = work[last[Z] : last[Z] + n * last[OUT]].reshape(1, n, last[OUT])
        if criterion == CROSS_ENTROPY:
            cross_entropy(z, label, share, losses[member])
        elif criterion == BINARY_CROSS_ENTROPY:
            binary_cross_entropy(z, value, share, losses[member])
        else:
            squared_error(z, value, share, losses[member])
        if not np.isfinite(losses[m]):
            continue
        g = gradient[0, 0]
        backward(
            layers, parameters, x, work, uniforms[m], dropout_rates[m], no_bias, slopes, g,
            n_embedded > 0, gemm,
        )  # fmt: skip
        if n_embedded:
            dV = g[:n_embedded].reshape(-1, width)
            dx = slopes[0, : n * layers[0, IN]].reshape(n, layers[0, IN])
            embed_backward(dx, x, given, plain, embedded, speed, dV)
        if l1[m] > 0 or l2[m] > 0:
            for lo, hi in penalized:
                add_penalty(
                    gradient[0], theta[member], lo, hi, l1[member], l2[member], losses[member]
                )
        _clip(g, norms[m], limits[m])
        steps[m] += 1
        settings[m, 0] = rates[m]
        size = theta.shape[1]
        if is_adam:
            settings[m, 1] = steps[m]
            adam(
                theta[member], gradient, first[member], second[member], 1, 0, size,
                settings[member],
            )  # fmt: skip
        else:
            sgd(
                theta[member], gradient, first[member], 1, 0, size, settings[member], nesterov
            )  # fmt: skip
        if max_norms[m] < np.inf:
            limit_in_place(theta[member], matrices, max_norms[member])
