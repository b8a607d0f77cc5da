"""Measure what an activation does to a deep network: gradients by depth, zeros, and time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidTypeError
from multilayer.numpy import ACTIVATIONS, INITIALIZERS, MLP, Activation, Initializer, observe
from multilayer.registry import resolve

__all__ = ["ActivationMeasurement", "measure_activations"]

Array = npt.NDArray[Any]

N_CLASSES = 10
TIMED_SHAPE = (256, 256)
N_TIMINGS = 30


@dataclass(frozen=True, eq=False)
class ActivationMeasurement:
    """Measurements of one activation.

    Attributes
    ----------
    name : str
        The name of the activation.
    gradient_sizes : array of shape (depth,)
        The root mean square of dW in each hidden layer, from the first to the last: the geometric
        mean over the networks, or 0 if it was 0 in one of them.
    zeros : array of shape (depth,)
        The share of outputs in each hidden layer that are exactly 0.
    nanoseconds : float
        Time per number, forward and backward, on this machine.
    """

    name: str
    gradient_sizes: Array
    zeros: Array
    nanoseconds: float


def measure_activations(
    names: Sequence[str] = ("sigmoid", "tanh", "relu"),
    *,
    depth: int = 10,
    width: int = 100,
    n_samples: int = 256,
    n_networks: int = 5,
    initializer: str | Initializer | None = None,
    rng: np.random.Generator | None = None,
) -> list[ActivationMeasurement]:
    r"""Measure what activations do to the gradients of untrained deep networks.

    On its way back, a gradient is multiplied by :math:`W^⊤` and by σ'(z) in each layer. If σ' is
    small, like the sigmoid's, which is at most 1/4, the gradient shrinks in each layer (Glorot &
    Bengio 2010, section 4.2). The ReLU passes it on unchanged or not at all (Glorot, Bordes &
    Bengio 2011, section 3).

    Parameters
    ----------
    names : sequence of str
        Names of ``multilayer.numpy.ACTIVATIONS``.
    depth, width : int
        Number of hidden layers, and of units in each.
    n_samples : int
        Number of samples, with `width` standard normal inputs and one of ten classes at random; the
        loss is the cross-entropy.
    n_networks : int
        Number of networks for each activation.
    initializer : str or Initializer, optional
        Draws the weights; by default the one designed for the activation, its ``initializer``.
    rng : numpy.random.Generator, optional
        Draws samples and weights.

    Returns
    -------
    list of ActivationMeasurement
        In the order of `names`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an activation or initializer does not exist, or a number is not a positive integer.

    Notes
    -----
    The time is for ``forward`` and ``backward`` of the readable engine on 256 × 256 float32
    numbers, the shortest of 30 runs. The fast path and PyTorch have their own code for activations.

    Examples
    --------
    >>> sigmoid, relu = measure_activations(["sigmoid", "relu"], rng=np.random.default_rng(0))
    >>> bool(sigmoid.gradient_sizes[0] < 1e-3 * sigmoid.gradient_sizes[-1])
    True
    >>> bool(relu.gradient_sizes[0] > 0.1 * relu.gradient_sizes[-1])
    True
    >>> bool(0.4 < relu.zeros.mean() < 0.6), float(sigmoid.zeros.max())
    (True, 0.0)
    """
    owner = "measure_activations"
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        rule = "must be a sequence of activations"
        raise InvalidTypeError(rule, "names", owner, got=repr(names))
    for name in names:
        ACTIVATIONS.names.check(name, owner)
    depth, width, n_samples, n_networks = (
        checks.integer(value, parameter, owner)
        for parameter, value in (
            ("depth", depth),
            ("width", width),
            ("n_samples", n_samples),
            ("n_networks", n_networks),
        )
    )
    chosen = None if initializer is None else resolve(initializer, INITIALIZERS, Initializer)
    rng = checks.random_generator(rng, owner)
    X = rng.normal(size=(n_samples, width))
    y = rng.integers(N_CLASSES, size=n_samples)
    found = []
    for name in names:
        draw = chosen or INITIALIZERS[ACTIVATIONS[name].initializer]()
        architecture = Architecture(width, (width,) * depth, N_CLASSES, activation=name)
        sizes, zeros = [], []
        for _ in range(n_networks):
            net = MLP(architecture, dtype="float64", initializer=draw, rng=rng)
            layers = observe(net, X, y, loss="cross_entropy")[:-1]
            sizes.append([np.sqrt(np.mean(layer.dW**2)) for layer in layers])
            zeros.append([np.mean(layer.a == 0) for layer in layers])
        shares = np.mean(zeros, axis=0)
        nanoseconds = _nanoseconds(ACTIVATIONS[name], rng)
        mean = _geometric_mean(np.array(sizes))
        found.append(ActivationMeasurement(name, mean, shares, nanoseconds))
    return found


def _geometric_mean(sizes: Array) -> Array:
    """Return the geometric mean of each column, since sizes differ by factors."""
    with np.errstate(divide="ignore"):  # the logarithm of 0 is −∞, whose exponential is 0 again
        return np.exp(np.log(sizes).mean(axis=0))


def _nanoseconds(activation: Activation, rng: np.random.Generator) -> float:
    """Return the time per number, forward and backward: the shortest of many runs."""
    z = rng.normal(size=TIMED_SHAPE).astype(np.float32)
    da = np.ones_like(z)
    shortest = np.inf
    for _ in range(N_TIMINGS):
        start = time.perf_counter_ns()
        activation.backward(da, z, activation.forward(z))
        shortest = min(shortest, time.perf_counter_ns() - start)
    return float(shortest / z.size)
