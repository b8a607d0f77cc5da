"""The optimizers' updates, in one pass over a part of the parameter vector.

For their derivations, see ``optimizers/``. Each update takes the gradients of all workers, adds
them up on the way, and changes the parameters and the state from `start` to `stop`. Parameters have
shape (K, n_parameters), gradients (n_gradients, K, n_parameters), and every hyperparameter (K,).
For a single network, K = 1.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import Kernel, kernel
from multilayer.numpy.clipping import Clip, shortened
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.layers import Affine
from multilayer.numpy.network import Network
from multilayer.numpy.optimizers import SGD, Adam, AdamW, Optimizer, State

__all__ = [
    "KERNELS",
    "Update",
    "add_penalty",
    "add_up",
    "clip_in_place",
    "limit_in_place",
    "matrices_of",
    "numbers_of",
    "settings_of",
    "update_of",
]

Array = npt.NDArray[Any]
Update = Callable[[Array, int, int, int, Any], None]
"""A function of the gradients, how many of them to add up, start, stop, and the learning rate (a
number, or of shape (K,))."""

BLOCK = 2048
"""Numbers updated at a time, so that the sum of the gradients is still in the cache when used."""


def _add_up(gradients: Array, n_parts: int, start: int, stop: int) -> None:
    for part in range(1, n_parts):
        gradients[0, :, start:stop] += gradients[part, :, start:stop]


@kernel(plain=_add_up)
def add_up(gradients, n_parts, start, stop):  # type: ignore[no-untyped-def]
    """Add the gradients of all parts to the first."""
    for part in range(1, n_parts):
        for k in range(gradients.shape[1]):
            total, other = gradients[0, k, start:stop], gradients[part, k, start:stop]
            for i in range(total.size):
                total[i] += other[i]


def _add_penalty(
    gradient: Array, parameters: Array, start: int, stop: int, l1: Array, l2: Array, total: Array
) -> None:
    W, slope, factor = parameters[:, start:stop], _column(l1, gradient), _column(l2, gradient)
    gradient[:, start:stop] += factor * W + slope * np.sign(W)
    total += 0.5 * l2 * np.vecdot(W, W) + l1 * np.abs(W).sum(axis=1)


@kernel(plain=_add_penalty)
def add_penalty(gradient, parameters, start, stop, l1, l2, total):  # type: ignore[no-untyped-def]
    """Add λ₁ sign(W) + λ₂ W to the gradient of these weights, and λ₁ Σ|W| + λ₂/2 ΣW² to `total`."""
    for k in range(parameters.shape[0]):
        W, dW = parameters[k, start:stop], gradient[k, start:stop]
        slope, factor = W.dtype.type(l1[k]), W.dtype.type(l2[k])
        squares, sizes = 0.0, 0.0
        for block in range(0, W.size, 64):  # short sums in W's dtype, added up in float64
            of_block, size = W.dtype.type(0), W.dtype.type(0)
            for i in range(block, min(block + 64, W.size)):
                value = W[i]
                of_block += value * value
                size += abs(value)
                dW[i] += factor * value + slope * np.sign(value)
            squares += of_block
            sizes += size
        total[k] += 0.5 * l2[k] * squares + l1[k] * sizes


def clip_in_place(gradients: Array, clip: Clip) -> None:
    """Clip gradients of shape (K, n_parameters) in place, as `Clip` does."""
    if clip.value is not None:
        np.clip(gradients, -clip.value, clip.value, out=gradients)
    if clip.norm is None:
        return
    for gradient, norm in zip(
        gradients, np.broadcast_to(clip.norm, (len(gradients), 1)), strict=True
    ):
        square = float(np.dot(gradient, gradient))
        if not 0 < square < math.inf:  # the squares vanish or overflow
            gradient[:] = Clip(norm=norm.item())(gradient)
        elif math.sqrt(square) > norm:
            gradient *= norm.item() / math.sqrt(square)


def matrices_of(network: Network) -> Array:
    """Return a row (start, out, in) for each affine layer: where W begins in θ, and its shape."""
    layers = [layer for layer in network.layers if isinstance(layer, (Affine, Embedding))]
    return np.array(
        [
            (place.start, *layer.W.shape[-2:])
            for place, layer in zip(network.weight_slices, layers, strict=True)
            if isinstance(layer, Affine)
        ]
    )


def _limit(parameters: Array, matrices: Array, max_norms: Array) -> None:
    for start, n_out, n_in in matrices.tolist():
        W = parameters[:, start : start + n_out * n_in].reshape(-1, n_out, n_in)
        W[:] = shortened(W, max_norms[:, np.newaxis, np.newaxis])


@kernel(plain=_limit, reassociate=True)
def limit_in_place(parameters, matrices, max_norms):  # type: ignore[no-untyped-def]
    """Compute w ← w min(1, c/‖w‖) for each row w of these matrices, as `limit_norms` does."""
    for k in range(parameters.shape[0]):
        longest = max_norms[k]
        for m in range(matrices.shape[0]):
            start, n_out, n_in = matrices[m, 0], matrices[m, 1], matrices[m, 2]
            for begin in range(start, start + n_out * n_in, n_in):
                w = parameters[k, begin : begin + n_in]
                square = 0.0
                for i in range(n_in):
                    square += np.float64(w[i]) * np.float64(w[i])
                norm, largest = np.sqrt(square), 1.0
                if norm == np.inf:  # the squares overflow
                    square, largest = 0.0, 0.0
                    for i in range(n_in):
                        largest = max(largest, abs(np.float64(w[i])))
                    for i in range(n_in):
                        square += (w[i] / largest) ** 2
                    norm = np.sqrt(square)
                if norm * largest > longest and largest < np.inf:
                    if largest != 1:
                        for i in range(n_in):
                            w[i] /= largest
                    factor = w.dtype.type(longest / norm)
                    for i in range(n_in):
                        w[i] *= factor


def _plain(optimizer: Optimizer, parameters: Array, state: State) -> Update:
    """Return an update that calls the optimizer's own method, for the whole vector."""

    def update(gradients: Array, n_parts: int, start: int, stop: int, rate: Any) -> None:
        add_up.plain(gradients, n_parts, start, stop)
        gradient = gradients[0]
        if parameters.ndim == 1:
            optimizer._step(parameters, gradient[0], state, rate)
        else:
            optimizer._step(parameters, gradient, state, rate[:, np.newaxis])

    return update


def _column(numbers: Array, vectors: Array) -> Array:
    """Return one number per network as a column that multiplies `vectors`, in their dtype."""
    return numbers.astype(vectors.dtype)[:, np.newaxis]


def _sgd_plain(
    parameters: Array,
    gradients: Array,
    velocity: Array,
    n_parts: int,
    start: int,
    stop: int,
    settings: Array,
    nesterov: bool,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    for k, (rate, momentum, decay) in enumerate(settings.tolist()):
        optimizer = SGD(1.0, momentum, nesterov and momentum > 0, decay)
        state = {"velocity": velocity[k, start:stop]}
        theta, gradient = parameters[k, start:stop], gradients[0, k, start:stop]
        optimizer._step(theta, gradient, state, rate)


@kernel(plain=_sgd_plain)
def sgd(  # type: ignore[no-untyped-def]
    parameters, gradients, velocity, n_parts, start, stop, settings, nesterov
):
    """Compute v ← μ v + g and θ ← θ − η v, as in `SGD`; the settings are η, μ and the decay."""
    kind = parameters.dtype.type
    for k in range(parameters.shape[0]):
        rate, momentum, decay = kind(settings[k, 0]), kind(settings[k, 1]), kind(settings[k, 2])
        for lo in range(start, stop, BLOCK):
            hi = min(lo + BLOCK, stop)
            theta, g = parameters[k, lo:hi], gradients[0, k, lo:hi]
            for part in range(1, n_parts):
                other = gradients[part, k, lo:hi]
                for i in range(g.size):
                    g[i] += other[i]
            if momentum == 0:
                for i in range(g.size):
                    theta[i] -= rate * (g[i] + decay * theta[i])
                continue
            v = velocity[k, lo:hi]
            for i in range(g.size):
                slope = g[i] + decay * theta[i]
                v[i] = momentum * v[i] + slope
                theta[i] -= rate * (slope + momentum * v[i] if nesterov else v[i])


def _adam_plain(
    parameters: Array,
    gradients: Array,
    m: Array,
    v: Array,
    n_parts: int,
    start: int,
    stop: int,
    settings: Array,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    for k, (rate, step, beta_1, beta_2, epsilon, decay) in enumerate(settings.tolist()):
        optimizer = AdamW(1.0, beta_1, beta_2, epsilon, decay)
        state = {"step": int(step), "m": m[k, start:stop], "v": v[k, start:stop]}
        theta, gradient = parameters[k, start:stop], gradients[0, k, start:stop]
        optimizer._step(theta, gradient, state, rate)


@kernel(plain=_adam_plain)
def adam(parameters, gradients, m, v, n_parts, start, stop, settings):  # type: ignore[no-untyped-def]
    """Compute θ ← (1 − η λ) θ − η m̂/(√v̂ + ε), as in `Adam` and `AdamW`.

    The settings are η, the number of the step, β₁, β₂, ε and λ.
    """
    kind = parameters.dtype.type
    for k in range(parameters.shape[0]):
        rate, step, beta_1, beta_2 = (
            settings[k, 0],
            int(settings[k, 1]),
            settings[k, 2],
            settings[k, 3],
        )
        # The bias corrections are the same for all parameters, so they are outside the loop.
        size = kind(rate / (1 - beta_1**step))
        correction = kind(1 / np.sqrt(1 - beta_2**step))
        keep_1, take_1 = kind(beta_1), kind(1 - beta_1)
        keep_2, take_2 = kind(beta_2), kind(1 - beta_2)
        epsilon, shrink = kind(settings[k, 4]), kind(1 - rate * settings[k, 5])
        for lo in range(start, stop, BLOCK):
            hi = min(lo + BLOCK, stop)
            theta, g = parameters[k, lo:hi], gradients[0, k, lo:hi]
            m_part, v_part = m[k, lo:hi], v[k, lo:hi]
            for part in range(1, n_parts):
                other = gradients[part, k, lo:hi]
                for i in range(g.size):
                    g[i] += other[i]
            for i in range(g.size):
                m_part[i] = keep_1 * m_part[i] + take_1 * g[i]
                v_part[i] = keep_2 * v_part[i] + take_2 * g[i] * g[i]
                step_size = size * m_part[i] / (np.sqrt(v_part[i]) * correction + epsilon)
                theta[i] = shrink * theta[i] - step_size


KERNELS: dict[type, Kernel] = {SGD: sgd, Adam: adam, AdamW: adam}
"""The kernels of the optimizers' updates; optimizers without a kernel update the whole vector."""


def numbers_of(value: Any, n_networks: int) -> Array:
    """Return an array of shape (K,) from one number for all networks, or K numbers of any shape."""
    return np.full(n_networks, np.ravel(value), np.float64)


def settings_of(optimizer: Optimizer, n_networks: int) -> Array:
    """Return the settings for an optimizer's kernel; 0 where each step sets its own value."""
    o: Any = optimizer
    decay = getattr(o, "weight_decay", 0.0)
    if KERNELS[type(o)] is sgd:
        columns = [0.0, o.momentum, decay]
    else:
        columns = [0.0, 0.0, o.beta_1, o.beta_2, o.epsilon, decay]
    return np.column_stack([numbers_of(column, n_networks) for column in columns])


def update_of(optimizer: Optimizer, parameters: Array, state: State) -> tuple[Update, bool]:
    """Return an optimizer's update, and whether it can update parts of the vector.

    The update changes the arrays in `state`, the optimizer's state. The hyperparameters and
    ``state["step"]`` are numbers; they may have shape (K, 1) if the parameters have shape
    (K, n_parameters).
    """
    found = KERNELS.get(type(optimizer))
    if found is None:
        return _plain(optimizer, parameters, state), False
    theta, is_one, run = np.atleast_2d(parameters), parameters.ndim == 1, found.fastest
    settings = settings_of(optimizer, len(theta))
    if found is sgd:
        nesterov = getattr(optimizer, "nesterov", False)
        velocity = np.atleast_2d(state.get("velocity", theta[:, :0]))

        def update_sgd(gradients: Array, n_parts: int, start: int, stop: int, rate: Any) -> None:
            settings[:, 0] = rate
            run(theta, gradients, velocity, n_parts, start, stop, settings, nesterov)

        return update_sgd, True
    m, v = np.atleast_2d(state["m"]), np.atleast_2d(state["v"])

    def update_adam(gradients: Array, n_parts: int, start: int, stop: int, rate: Any) -> None:
        if is_one:
            settings[0, 0], settings[0, 1] = rate, state["step"]
        else:
            settings[:, 0], settings[:, 1:2] = rate, state["step"]
        run(theta, gradients, m, v, n_parts, start, stop, settings)

    return update_adam, True
