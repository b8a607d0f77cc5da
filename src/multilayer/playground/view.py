"""View: the line or plane that a picture shows of an input space of any dimension."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError
from multilayer.registry import Names

__all__ = ["View"]

Array = npt.NDArray[Any]

MARGIN = 0.12
"""Margin around the samples, as a share of their extent, on each side."""


@dataclass(frozen=True, eq=False)
class View:
    """A line or a plane in the space of inputs, x = origin + position · basis.

    Attributes
    ----------
    origin : array of shape (in_features,)
    basis : array of shape (1 or 2, in_features)
        Orthonormal.
    low, high : array of shape (1 or 2,)
        The positions at the picture's edges.
    names : tuple of str
        The names of the axes.
    is_to_scale : bool
        Whether positions are coordinates of the samples, so that the axes can show numbers.
    features : callable, optional
        Turns points of the picture into inputs of the network, if these are different.
    """

    origin: Array
    basis: Array
    low: Array
    high: Array
    names: tuple[str, ...]
    is_to_scale: bool = True
    features: Callable[[Array], Array] | None = None

    @classmethod
    def of_drawn(
        cls, X: Array, reach: float | None = None, names: tuple[str, str] = ("x₁", "x₂")
    ) -> Self:
        """Return the square around samples in the plane, or the interval around those on a line.

        It extends from −`reach` to `reach`, by default around the samples with a margin; `names`
        are the names of the plane's axes.
        """
        n = X.shape[1]
        if reach is None:
            reach = float(np.abs(X).max()) * (1 + MARGIN) or 1.0
        basis = np.eye(n, dtype=np.float32)
        sides = np.full(n, -reach), np.full(n, reach)
        return cls(np.zeros(n, np.float32), basis, *sides, names if n > 1 else ("x",))

    @classmethod
    def of_table(cls, X: Array, input_names: Sequence[str], shown: Sequence[str]) -> Self:
        """Return the plane through the mean along two inputs or two principal components.

        Parameters
        ----------
        X : array of shape (n_samples, in_features)
        input_names : sequence of str
        shown : sequence of str
            The names of two inputs; empty for the first two principal components.
        """
        n = X.shape[1]
        origin = X.mean(axis=0)
        names = tuple(shown)
        if n == 1:
            basis, names, origin = np.eye(1), tuple(input_names), np.zeros(1)
        elif names:
            if len(set(names)) != 2:
                raise InvalidArgumentError("must be two different inputs, or none", "shown")
            known = Names("shown", input_names)
            places = [list(input_names).index(known.check(name)) for name in names]
            basis = np.eye(n)[places]
            origin = np.where(basis.any(axis=0), 0, origin)
        else:
            basis = np.linalg.svd(_some(X - origin), full_matrices=False)[2][:2]
            if len(basis) < 2:  # there is only one row
                basis = np.eye(n)[:2]
            names = "first principal component", "second principal component"
        basis, origin = basis.astype(np.float32), origin.astype(np.float32)
        positions = (X - origin) @ basis.T
        low, high = positions.min(axis=0), positions.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        return cls(origin, basis, low - MARGIN * span, high + MARGIN * span, names, False)

    def positions(self, X: Array) -> Array:
        """Return the positions of points, of shape (n_samples, 1 or 2), from 0 to 1 if inside."""
        return ((X - self.origin) @ self.basis.T - self.low) / (self.high - self.low)

    def grid(self, side: int) -> Array:
        """Return the inputs at the points of a grid, row by row, the top row first."""
        steps = (np.arange(side) + 0.5) / side
        axes = [low + steps * (high - low) for low, high in zip(self.low, self.high, strict=True)]
        if len(axes) == 1:
            places = axes[0][:, np.newaxis]
        else:
            down, right = np.meshgrid(axes[1][::-1], axes[0], indexing="ij")
            places = np.column_stack([right.ravel(), down.ravel()])
        points = (self.origin + places @ self.basis).astype(np.float32)
        return points if self.features is None else self.features(points)


def _some(X: Array) -> Array:
    """Return evenly spaced rows: at most 5,000, and at most 1,000,000 numbers."""
    most = max(2, min(5_000, 1_000_000 // X.shape[1]))
    return X[:: -(-len(X) // most)]
