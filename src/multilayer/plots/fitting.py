"""Training of networks for pictures: the best of several starts, by L-BFGS."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.numpy import LBFGS, MLP
from multilayer.training import fit

__all__ = ["best_of", "classifier"]

Array = npt.NDArray[Any]

N_EPOCHS = 1000
"""Maximum number of epochs; the optimizer stops earlier when it has converged."""
EQUAL = 1e-3
"""Losses within this relative difference are equally good for a picture."""


def best_of(
    architecture: Architecture,
    data: tuple[Array, Array],
    *,
    loss: str,
    n_starts: int,
    rng: np.random.Generator,
    l2: float,
) -> MLP:
    """Return the network with the lowest loss among `n_starts` random starts.

    A network with few units has many poor minima, and a single start may be unlucky. Among equally
    good networks the first one wins, so that rounding does not decide. A picture has few samples,
    so L-BFGS takes all of them at once.
    """
    best, least = None, np.inf
    for _ in range(n_starts):
        net = MLP(architecture, dtype="float64", initializer="glorot", rng=rng)
        optimizer = LBFGS(tolerance=1e-6, loss_tolerance=1e-9)
        fit(net, data, loss=loss, optimizer=optimizer, n_epochs=N_EPOCHS, l2=l2, rng=rng)
        reached, _ = net.loss_and_gradients(*data, loss=loss, l2=l2)
        if best is None or reached < (1 - EQUAL) * least:
            best, least = net, reached
    assert best is not None
    return best


def classifier(
    X: Array,
    y: Array,
    hidden_features: tuple[int, ...],
    *,
    activation: str | tuple[str, ...] = "tanh",
    n_starts: int = 1,
    rng: np.random.Generator,
    l2: float = 1e-4,
) -> MLP:
    """Return a trained network for two classes, with one output."""
    architecture = Architecture(
        X.shape[1],
        hidden_features,
        1,
        activation=activation if hidden_features else "identity",
        output="sigmoid",
    )
    return best_of(
        architecture, (X, y), loss="binary_cross_entropy", n_starts=n_starts, rng=rng, l2=l2
    )
