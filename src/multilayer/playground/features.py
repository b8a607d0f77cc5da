"""Features: the network's inputs for a point of the plane, by default x₁ and x₂."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.registry import Names

__all__ = ["FEATURES", "NAMES", "Feature", "features_of"]

Array = npt.NDArray[Any]


class Feature(NamedTuple):
    """One input: its label, its Python code for points X, and the function that computes it."""

    label: str
    python: str
    of: Callable[[Array, Array], Array]


FEATURES = {
    "x1": Feature("x₁", "X[:, 0]", lambda x, _: x),
    "x2": Feature("x₂", "X[:, 1]", lambda _, y: y),
    "x1^2": Feature("x₁²", "X[:, 0] ** 2", lambda x, _: x**2),
    "x2^2": Feature("x₂²", "X[:, 1] ** 2", lambda _, y: y**2),
    "x1x2": Feature("x₁x₂", "X[:, 0] * X[:, 1]", lambda x, y: x * y),
    "sin_x1": Feature("sin πx₁", "np.sin(np.pi * X[:, 0])", lambda x, _: np.sin(np.pi * x)),
    "sin_x2": Feature("sin πx₂", "np.sin(np.pi * X[:, 1])", lambda _, y: np.sin(np.pi * y)),
}
NAMES = Names("feature", FEATURES)


def features_of(names: Sequence[str], X: Array) -> Array:
    """Return features of points X as an array of shape (n_samples, number of names).

    Examples
    --------
    >>> features_of(["x1x2", "x1^2"], np.array([[2.0, 3.0]]))
    array([[6., 4.]])
    """
    return np.column_stack([FEATURES[name].of(X[:, 0], X[:, 1]) for name in names])
