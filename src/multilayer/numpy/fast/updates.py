"""The optimizers' updates, in one pass over a part of the parameter vector.

They are derived in ``optimizers/``. Each takes the gradients of the workers' rows, adds them up on
the way, and changes the parameters and the state from `start` to `stop`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.numpy.clipping import Clip, clip_by_norm
from multilayer.numpy.optimizers import SGD, Adam, AdamW, Optimizer, State

__all__ = ["Update", "add_penalty", "add_up", "clip_in_place", "update_of"]

Array = npt.NDArray[Any]
Update = Callable[[Array, int, int, int, float], None]
"""A function of the workers' gradients, their number, start, stop, and the learning rate."""

BLOCK = 2048
"""Numbers added up at a time, so that a block of gradients is still in the cache when used."""


def _add_up(gradients: Array, n_parts: int, start: int, stop: int) -> None:
    for part in range(1, n_parts):
        gradients[0, start:stop] += gradients[part, start:stop]


@kernel(plain=_add_up)
def add_up(gradients, n_parts, start, stop):  # type: ignore[no-untyped-def]
    """Add the gradients of all parts to the first."""
    total = gradients[0, start:stop]
    for part in range(1, n_parts):
        other = gradients[part, start:stop]
        for i in range(total.size):
            total[i] += other[i]


def _add_penalty(
    gradient: Array, parameters: Array, start: int, stop: int, l1: float, l2: float
) -> float:
    W = parameters[start:stop]
    gradient[start:stop] += l2 * W + l1 * np.sign(W)
    return 0.5 * l2 * float(W @ W) + l1 * float(np.abs(W).sum())


@kernel(plain=_add_penalty)
def add_penalty(gradient, parameters, start, stop, l1, l2):  # type: ignore[no-untyped-def]
    """Return λ₁ Σ|W| + λ₂/2 ΣW² of some weights, and add its gradient λ₁ sign(W) + λ₂ W."""
    W, dW = parameters[start:stop], gradient[start:stop]
    slope, factor = W.dtype.type(l1), W.dtype.type(l2)
    squares, sizes = 0.0, 0.0
    for block in range(0, W.size, 64):  # short sums in W's type, added up in double
        of_block, size = W.dtype.type(0), W.dtype.type(0)
        for i in range(block, min(block + 64, W.size)):
            value = W[i]
            of_block += value * value
            size += abs(value)
            dW[i] += factor * value + slope * np.sign(value)
        squares += of_block
        sizes += size
    return 0.5 * l2 * squares + l1 * sizes


def clip_in_place(gradient: Array, clip: Clip) -> None:
    """Clip a gradient in place, as `Clip` does."""
    norm, value = clip.norm, clip.value
    if value is not None:
        np.clip(gradient, -value, value, out=gradient)
    if norm is not None:
        square = float(np.dot(gradient, gradient))
        if not 0 < square < math.inf:  # the squares vanish or overflow
            gradient[:] = clip_by_norm(gradient, norm)
        elif math.sqrt(square) > norm:
            gradient *= norm / math.sqrt(square)


def _plain(optimizer: Optimizer, parameters: Array, state: State) -> Update:
    """Return an optimizer's own update, of the whole vector."""

    def update(gradients: Array, n_parts: int, start: int, stop: int, rate: float) -> None:
        add_up.plain(gradients, n_parts, start, stop)
        optimizer._step(parameters, gradients[0], state, rate)

    return update


def _sgd_plain(
    parameters: Array,
    gradients: Array,
    velocity: Array,
    n_parts: int,
    start: int,
    stop: int,
    rate: float,
    momentum: float,
    nesterov: bool,
    decay: float,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    part = slice(start, stop)
    optimizer = SGD(1.0, momentum, nesterov, decay)
    optimizer._step(parameters[part], gradients[0, part], {"velocity": velocity[part]}, rate)


@kernel(plain=_sgd_plain)
def sgd(  # type: ignore[no-untyped-def]
    parameters, gradients, velocity, n_parts, start, stop, rate, momentum, nesterov, decay
):
    """Compute v ← μ v + g and θ ← θ − η v, as in `SGD`."""
    kind = parameters.dtype.type
    rate, momentum, decay = kind(rate), kind(momentum), kind(decay)
    for lo in range(start, stop, BLOCK):
        hi = min(lo + BLOCK, stop)
        theta, g = parameters[lo:hi], gradients[0, lo:hi]
        for part in range(1, n_parts):
            other = gradients[part, lo:hi]
            for i in range(g.size):
                g[i] += other[i]
        if momentum == 0:
            for i in range(g.size):
                theta[i] -= rate * (g[i] + decay * theta[i])
            continue
        v = velocity[lo:hi]
        for i in range(g.size):
            slope = g[i] + decay * theta[i]
            v[i] = momentum * v[i] + slope
            theta[i] -= rate * (slope + momentum * v[i] if nesterov else v[i])


def _adam_plain(
    parameters: Array,
    gradients: Array,
    m: Array,
    v: Array,
    step: int,
    n_parts: int,
    start: int,
    stop: int,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decay: float,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    part = slice(start, stop)
    optimizer = AdamW(1.0, beta_1, beta_2, epsilon, decay)
    state = {"step": step, "m": m[part], "v": v[part]}
    optimizer._step(parameters[part], gradients[0, part], state, rate)


@kernel(plain=_adam_plain)
def adam(  # type: ignore[no-untyped-def]
    parameters, gradients, m, v, step, n_parts, start, stop, rate, beta_1, beta_2, epsilon, decay
):
    """Compute θ ← (1 − η λ) θ − η m̂/(√v̂ + ε), as in `Adam` and `AdamW`."""
    kind = parameters.dtype.type
    # The corrections in η m̂/(√v̂ + ε) are the same for all, and taken out of the loop.
    size = kind(rate / (1 - beta_1**step))
    correction = kind(1 / np.sqrt(1 - beta_2**step))
    keep_1, take_1 = kind(beta_1), kind(1 - beta_1)
    keep_2, take_2 = kind(beta_2), kind(1 - beta_2)
    epsilon, shrink = kind(epsilon), kind(1 - rate * decay)
    for lo in range(start, stop, BLOCK):
        hi = min(lo + BLOCK, stop)
        theta, g, m_part, v_part = parameters[lo:hi], gradients[0, lo:hi], m[lo:hi], v[lo:hi]
        for part in range(1, n_parts):
            other = gradients[part, lo:hi]
            for i in range(g.size):
                g[i] += other[i]
        for i in range(g.size):
            m_part[i] = keep_1 * m_part[i] + take_1 * g[i]
            v_part[i] = keep_2 * v_part[i] + take_2 * g[i] * g[i]
            step_size = size * m_part[i] / (np.sqrt(v_part[i]) * correction + epsilon)
            theta[i] = shrink * theta[i] - step_size


def update_of(optimizer: Optimizer, parameters: Array, state: State) -> tuple[Update, bool]:
    """Return an optimizer's update, and whether it can update parts of the vector.

    The update changes the arrays in `state`, the optimizer's.
    """
    if type(optimizer) is SGD:
        o, velocity, run = optimizer, state.get("velocity", parameters[:0]), sgd.fastest

        def update_sgd(gradients: Array, n_parts: int, start: int, stop: int, rate: float) -> None:
            run(parameters, gradients, velocity, n_parts, start, stop, rate,
                o.momentum, o.nesterov, o.weight_decay)  # fmt: skip

        return update_sgd, True
    if type(optimizer) in (Adam, AdamW):
        a: Any = optimizer
        decay = a.weight_decay if type(optimizer) is AdamW else 0.0
        m, v, run_adam = state["m"], state["v"], adam.fastest

        def update_adam(gradients: Array, n_parts: int, start: int, stop: int, rate: float) -> None:
            run_adam(parameters, gradients, m, v, state["step"], n_parts, start, stop, rate,
                     a.beta_1, a.beta_2, a.epsilon, decay)  # fmt: skip

        return update_adam, True
    return _plain(optimizer, parameters, state), False
