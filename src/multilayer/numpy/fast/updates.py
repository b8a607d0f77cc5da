"""The optimizers' updates, in one pass over a part of the parameter vector.

They are derived in ``optimizers/``. Each takes the gradients of the workers' rows, adds them up on
the way, and changes the parameters and the state from `start` to `stop`. Parameters have the shape
(K, n_parameters), gradients (n_workers, K, n_parameters), and every hyperparameter (K,): a single
network is K = 1.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel
from multilayer.numpy.clipping import Clip
from multilayer.numpy.optimizers import SGD, Adam, AdamW, Optimizer, State

__all__ = ["Update", "add_penalty", "add_up", "clip_in_place", "update_of"]

Array = npt.NDArray[Any]
Update = Callable[[Array, int, int, int, Array], None]
"""A function of the workers' gradients, their number, start, stop, and the learning rates."""

BLOCK = 2048
"""Numbers added up at a time, so that a block of gradients is still in the cache when used."""


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
    """Add λ₁ sign(W) + λ₂ W to some weights' gradient, and λ₁ Σ|W| + λ₂/2 ΣW² to the total."""
    for k in range(parameters.shape[0]):
        W, dW = parameters[k, start:stop], gradient[k, start:stop]
        slope, factor = W.dtype.type(l1[k]), W.dtype.type(l2[k])
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


def _plain(optimizer: Optimizer, parameters: Array, state: State) -> Update:
    """Return an optimizer's own update, of whole vectors."""

    def update(gradients: Array, n_parts: int, start: int, stop: int, rates: Array) -> None:
        add_up.plain(gradients, n_parts, start, stop)
        gradient = gradients[0]
        if parameters.ndim == 1:
            optimizer._step(parameters, gradient[0], state, rates.item())
        else:
            optimizer._step(parameters, gradient, state, rates[:, np.newaxis])

    return update


def _column(numbers: Array, vectors: Array) -> Array:
    """Return a number for each network so that it multiplies vectors, in their type."""
    return numbers.astype(vectors.dtype)[:, np.newaxis]


def _sgd_plain(
    parameters: Array,
    gradients: Array,
    velocity: Array,
    n_parts: int,
    start: int,
    stop: int,
    rate: Array,
    momentum: Array,
    nesterov: bool,
    decay: Array,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    for k in range(len(parameters)):
        optimizer = SGD(1.0, momentum[k], nesterov and momentum[k] > 0, decay[k])
        state = {"velocity": velocity[k, start:stop]}
        theta, gradient = parameters[k, start:stop], gradients[0, k, start:stop]
        optimizer._step(theta, gradient, state, float(rate[k]))


@kernel(plain=_sgd_plain)
def sgd(  # type: ignore[no-untyped-def]
    parameters, gradients, velocity, n_parts, start, stop, rates, momenta, nesterov, decays
):
    """Compute v ← μ v + g and θ ← θ − η v, as in `SGD`."""
    kind = parameters.dtype.type
    for k in range(parameters.shape[0]):
        rate, momentum, decay = kind(rates[k]), kind(momenta[k]), kind(decays[k])
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
    step: Array,
    n_parts: int,
    start: int,
    stop: int,
    rate: Array,
    beta_1: Array,
    beta_2: Array,
    epsilon: Array,
    decay: Array,
) -> None:
    add_up.plain(gradients, n_parts, start, stop)
    for k in range(len(parameters)):
        optimizer = AdamW(1.0, beta_1[k], beta_2[k], epsilon[k], decay[k])
        state = {"step": int(step[k]), "m": m[k, start:stop], "v": v[k, start:stop]}
        theta, gradient = parameters[k, start:stop], gradients[0, k, start:stop]
        optimizer._step(theta, gradient, state, float(rate[k]))


@kernel(plain=_adam_plain)
def adam(  # type: ignore[no-untyped-def]
    parameters,
    gradients,
    m,
    v,
    steps,
    n_parts,
    start,
    stop,
    rates,
    betas_1,
    betas_2,
    epsilons,
    decays,
):
    """Compute θ ← (1 − η λ) θ − η m̂/(√v̂ + ε), as in `Adam` and `AdamW`."""
    kind = parameters.dtype.type
    for k in range(parameters.shape[0]):
        # The corrections in η m̂/(√v̂ + ε) are the same for all, and taken out of the loop.
        size = kind(rates[k] / (1 - betas_1[k] ** steps[k]))
        correction = kind(1 / np.sqrt(1 - betas_2[k] ** steps[k]))
        keep_1, take_1 = kind(betas_1[k]), kind(1 - betas_1[k])
        keep_2, take_2 = kind(betas_2[k]), kind(1 - betas_2[k])
        epsilon, shrink = kind(epsilons[k]), kind(1 - rates[k] * decays[k])
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


def update_of(optimizer: Optimizer, parameters: Array, state: State) -> tuple[Update, bool]:
    """Return an optimizer's update, and whether it can update parts of the vector.

    The update changes the arrays in `state`, the optimizer's; its hyperparameters and
    ``state["step"]`` are numbers, or of shape (K, 1) if the parameters are (K, n_parameters).
    """
    theta = np.atleast_2d(parameters)

    def numbers(value: Any) -> Array:
        return np.broadcast_to(np.ravel(value), len(theta)).astype(np.float64)

    if type(optimizer) is SGD:
        o, run = optimizer, sgd.fastest
        velocity = np.atleast_2d(state.get("velocity", theta[:, :0]))
        momenta, decays = numbers(o.momentum), numbers(o.weight_decay)

        def update_sgd(gradients: Array, n_parts: int, start: int, stop: int, rates: Array) -> None:
            run(theta, gradients, velocity, n_parts, start, stop, rates,
                momenta, o.nesterov, decays)  # fmt: skip

        return update_sgd, True
    if type(optimizer) in (Adam, AdamW):
        a: Any = optimizer
        decay = numbers(a.weight_decay if type(optimizer) is AdamW else 0.0)
        m, v, run_adam = np.atleast_2d(state["m"]), np.atleast_2d(state["v"]), adam.fastest
        settings = numbers(a.beta_1), numbers(a.beta_2), numbers(a.epsilon), decay
        step = np.zeros(len(theta), dtype=np.int64)

        def update_adam(
            gradients: Array, n_parts: int, start: int, stop: int, rates: Array
        ) -> None:
            step[:] = state["step"] if parameters.ndim == 1 else state["step"][:, 0]
            run_adam(theta, gradients, m, v, step, n_parts, start, stop, rates, *settings)

        return update_adam, True
    return _plain(optimizer, parameters, state), False
