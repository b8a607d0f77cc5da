"""A whole step of K networks, compiled: one member after the other, each within the cache.

`Step` takes all members through a layer, then through the next; with many small networks, most of
its time goes into fetching their arrays again and again, and into the calls between. Here a member
goes forward and backward and is updated before the next one begins, so that its arrays stay where
they are fast; the activations of one member at a time are all that is kept. Products are BLAS's,
and passes are the kernels of this folder.

This module needs numba, and is imported only when it is there. It covers what most ensembles are
made of: see `fits`.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.np.linalg import ensure_blas

from multilayer.numpy.activations.rectifiers import Identity, LeakyReLU, ReLU
from multilayer.numpy.blocks import Dropout
from multilayer.numpy.clipping import Clip
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast import blas, criteria, embed, passes, thin, updates
from multilayer.numpy.fast.passes import PASSES
from multilayer.numpy.fast.plan import stages_of
from multilayer.numpy.fast.thin import WIDEST
from multilayer.numpy.fast.updates import numbers_of, settings_of
from multilayer.numpy.layers import Affine
from multilayer.numpy.losses import NLL, BinaryCrossEntropy, CrossEntropy, SquaredError
from multilayer.numpy.network import Network
from multilayer.numpy.objective import Objective
from multilayer.numpy.optimizers import SGD, Adam, AdamW, Optimizer, State
from multilayer.randomness import Generators

__all__ = ["FusedStep", "fits"]

Array = npt.NDArray[Any]

ensure_blas()  # type: ignore[no-untyped-call]
blas.find_again()  # numba takes SciPy's

_compile = numba.njit(nogil=True, error_model="numpy", cache=True)
_reassociate = numba.njit(
    nogil=True, error_model="numpy", cache=True, fastmath={"reassoc", "contract", "nsz"}
)

add_bias = _compile(passes.add_bias.loops)
sum_columns = _compile(passes.sum_columns.loops)
relu_forward = _compile(passes.relu_forward.loops)
relu_backward = _compile(passes.relu_backward.loops)
leaky_relu_forward = _compile(passes.leaky_relu_forward.loops)
leaky_relu_backward = _compile(passes.leaky_relu_backward.loops)
dropout = _compile(passes.dropout.loops)
cross_entropy = _compile(criteria.cross_entropy.loops)
binary_cross_entropy = _compile(criteria.binary_cross_entropy.loops)
squared_error = _compile(criteria.squared_error.loops)
thin_forward = _reassociate(thin.thin_forward.loops)
thin_backward = _reassociate(thin.thin_backward.loops)
embed_inputs = _compile(embed.embed.loops)
embed_backward = _compile(embed.embed_backward.loops)
add_penalty = _compile(updates.add_penalty.loops)
sgd = _compile(updates.sgd.loops)
adam = _compile(updates.adam.loops)

IDENTITY, RELU, LEAKY_RELU = range(3)
CODES: dict[type, int] = {Identity: IDENTITY, ReLU: RELU, LeakyReLU: LEAKY_RELU}
CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR = range(3)
WEIGHT, BIAS, IN, OUT, PASS, DROP, Z, Y = range(8)
"""Columns of a network's description, a row for each affine layer: where its W and b begin in the
vector of parameters (no bias: −1), its shape, its pass, which dropout follows (none: −1), and where
its z and its output begin in the work array."""


@_compile
def _gather(X, rows, out):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        row, target = X[rows[i]], out[i]
        for j in range(row.size):
            target[j] = row[j]


@_compile
def _forward(layers, theta, x, work, uniforms, rates, no_bias):  # type: ignore[no-untyped-def]
    """Take one member's samples through its layers."""
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
        np.dot(x, W.T, z)
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
def _backward(  # type: ignore[no-untyped-def]
    layers, theta, x, work, uniforms, rates, no_bias, slopes, gradient, has_embeddings
):
    """Take the gradient of one member's logits, which has replaced them, back to its parameters.

    With embeddings, that of the first layer's inputs stays in the first row of `slopes`.
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
            np.dot(dz.T, source, dW)
            if s > 0 or has_embeddings:
                np.dot(dz, W, dx)
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
        if 0 < largest < np.inf:  # squares of the others do not overflow or vanish
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
    layers, penalized, criterion, X, labels, values, weights, orders, start, stop,
    theta, first, second, steps, uniforms, dropout_rates, rates, l1, l2, norms, limits,
    is_adam, nesterov, settings, plain, embedded, speed, work, slopes, gradient, given, x, label,
    value, share, no_bias, losses,
):  # fmt: skip
    """Take a step of every member on its rows at these positions of its order."""
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
        _forward(layers, parameters, x, work, uniforms[m], dropout_rates[m], no_bias)
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
        _backward(
            layers, parameters, x, work, uniforms[m], dropout_rates[m], no_bias, slopes, g,
            n_embedded > 0,
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


def fits(
    network: Network, objective: Objective, optimizer: Optimizer, X: object, targets: Array
) -> bool:
    """Return whether a step of these networks can be taken in one.

    Their hidden layers are affine, with ReLU, leaky ReLU or no activation, perhaps with dropout;
    the loss is the cross-entropy of labels, the binary cross-entropy or the squared error; the
    optimizer is SGD, Adam or AdamW; samples are in memory.
    """
    loss: Any = objective.loss
    smoothing = getattr(loss, "label_smoothing", 0.0)
    has_criterion = {
        CrossEntropy: targets.dtype.kind == "i" and not np.any(smoothing),
        NLL: True,
        BinaryCrossEntropy: np.ndim(smoothing) == 0,
        SquaredError: type(network.link) is Identity,
    }
    return (
        isinstance(X, np.ndarray)
        and X.dtype == network.parameters.dtype
        and X.flags.c_contiguous
        and type(optimizer) in (SGD, Adam, AdamW)
        and has_criterion.get(type(loss), False)
        and _layers(network, 1) is not None
    )


class FusedStep:
    """Takes optimizer steps on K networks, as `Step` does; the arguments are its."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        optimizer: Any,
        state: State,
        clip: Clip,
        rng: Generators,
        data: tuple[Array, Array, Array | None],
    ) -> None:
        X, targets, weight = data
        self.theta, self.rng, self.state = network.parameters, rng, state
        n_members, size = self.theta.shape
        dtype = self.theta.dtype

        self.network = network
        self.X, self.n_samples = X, len(X)
        loss = objective.loss
        has_labels = targets.dtype.kind == "i"
        self.criterion = (
            SQUARED_ERROR
            if isinstance(loss, SquaredError)
            else CROSS_ENTROPY
            if has_labels
            else BINARY_CROSS_ENTROPY
        )
        self.labels = np.ascontiguousarray(targets if has_labels else np.zeros(0), np.intp)
        width = network.last.W.shape[-2]
        self.values = np.ascontiguousarray(
            np.zeros((0, width)) if has_labels else targets.reshape(-1, width), dtype
        )
        self.weights = np.ascontiguousarray(
            np.zeros((0, 0)) if weight is None else np.atleast_2d(weight), dtype
        )
        self.penalized = np.array([(p.start, p.stop) for p in network.weight_slices])
        self.l1, self.l2 = (
            numbers_of(penalty, n_members) for penalty in (objective.l1, objective.l2)
        )
        self.norms, self.limits = (
            numbers_of(np.inf if limit is None else limit, n_members)
            for limit in (clip.norm, clip.value)
        )
        self.is_adam = not isinstance(optimizer, SGD)
        self.nesterov = bool(getattr(optimizer, "nesterov", False))
        self.settings = settings_of(optimizer, n_members)
        empty = np.zeros((n_members, 0), dtype)
        self.first = state.get("m" if self.is_adam else "velocity", empty)
        self.second = state.get("v", empty)
        self.steps = np.zeros(n_members, np.int64)
        drops = [layer.rate for layer in network.layers if isinstance(layer, Dropout)]
        rates = np.array([numbers_of(rate, n_members) for rate in drops]).reshape(-1, n_members)
        self.dropout_rates = np.ascontiguousarray(rates.T)
        layer = network.layers[0]
        self.embeddings: tuple[Any, ...] = np.zeros(0, np.intp), np.zeros((0, 4), np.intp), 1.0
        if isinstance(layer, Embedding):
            self.embeddings = *embed.description_of(layer), layer.embeddings.speed
        self.gradient = np.zeros((1, 1, size), dtype)
        self.losses = np.zeros(n_members)
        self.rates = np.zeros(n_members)
        self._work: dict[int, tuple[Array, ...]] = {}
        self.begin_epoch(None)

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's rows, of shape (n,) or (K, n)."""
        given = np.arange(self.n_samples) if order is None else order
        self.orders = np.ascontiguousarray(np.atleast_2d(given), dtype=np.intp)

    def take(self, start: int, stop: int, learning_rate: Any) -> Array:
        """Take a step on the rows at these positions; return the losses before it."""
        layers, uniforms, *work = self._work.get(stop - start) or self._prepare(stop - start)
        idle = self._idle(start, stop) if len(self.weights) else None
        begin = 0
        for row in layers[layers[:, DROP] >= 0]:
            end = begin + (stop - start) * row[OUT]
            drops = self.dropout_rates[:, row[DROP]] > 0
            where = drops if idle is None else drops & ~idle
            self.rng.random(out=uniforms[:, begin:end], dtype=np.float32, where=where)
            begin = end
        self.rates[:] = learning_rate
        self.steps[:] = self.state["step"][:, 0]
        run: Any = take_steps
        run(
            layers, self.penalized, self.criterion, self.X, self.labels, self.values,
            self.weights, self.orders, start, stop, self.theta, self.first, self.second,
            self.steps, uniforms, self.dropout_rates, self.rates, self.l1, self.l2, self.norms,
            self.limits, self.is_adam, self.nesterov, self.settings, *self.embeddings, *work,
            self.losses,
        )  # fmt: skip
        self.state["step"][:, 0] = self.steps
        return self.losses

    def finish(self) -> None:
        """Release the work arrays."""
        self._work = {}

    def _idle(self, start: int, stop: int) -> Array:
        """Return which members' rows all have weight 0: they take no step, and draw no masks."""
        n_members = len(self.theta)
        rows = np.broadcast_to(self.orders, (n_members, self.orders.shape[1]))[:, start:stop]
        weights = np.broadcast_to(self.weights, (n_members, self.weights.shape[1]))
        return np.asarray(~np.take_along_axis(weights, rows, axis=1).any(axis=1))

    def _prepare(self, n_rows: int) -> tuple[Array, ...]:
        """Make and keep the arrays for batches of this many rows."""
        layers = _layers(self.network, n_rows)
        assert layers is not None
        dtype, n_members = self.theta.dtype, len(self.theta)
        n_uniforms = int(layers[layers[:, DROP] >= 0, OUT].sum()) * n_rows
        widest = int(layers[:, [IN, OUT]].max())
        last = layers[-1]
        work = self._work[n_rows] = (
            layers,
            np.zeros((n_members, n_uniforms), np.float32),
            np.empty(last[Z] + n_rows * last[OUT], dtype),
            np.empty((2, n_rows * widest), dtype),
            self.gradient,
            np.empty((n_rows, self.X.shape[1]), dtype),
            np.empty((n_rows, layers[0, IN]), dtype),
            np.zeros((1, n_rows), np.intp),
            np.zeros((1, n_rows, last[OUT]), dtype),
            np.empty((1, n_rows), dtype),
            np.zeros((2, widest), dtype),  # what a missing bias adds, and where its gradient goes
        )
        return work


def _layers(network: Network, n_rows: int) -> Array | None:
    """Return a description of the layers, with places for batches of this size, if they fit."""
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
            rows.append([start, bias, n_in, n_out, codes[behind], -1, place, place])
            start += n_out * n_in + (0 if layer.b is None else n_out)
            place += n_rows * n_out
        else:
            return None
    return np.array(rows)
