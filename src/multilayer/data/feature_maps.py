"""Fixed features φ(x): functions of the inputs that are chosen, not learned.

A linear model on these features is linear in φ but curved in x: its boundary w·φ(x) + b = 0 can be
drawn in the plane of the inputs (Bishop 2006, "Pattern Recognition and Machine Learning",
section 3.1). For products of the inputs, use scikit-learn's
``PolynomialFeatures(include_bias=False).fit_transform``.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from multilayer import checks

__all__ = ["FeatureMap", "FourierFeatures", "RadialBasisFeatures"]

Array = npt.NDArray[Any]


class FeatureMap(Protocol):
    """A function from samples, of shape (n_samples, in_features), to their features."""

    def __call__(self, X: Array, /) -> Array:
        """Return φ(X), of shape (n_samples, n_features)."""
        ...


@dataclass(frozen=True)
class RadialBasisFeatures:
    r"""Bumps around the points of a grid: :math:`φ_c(x) = \exp(-‖x - c‖² / (2 s²))`.

    Parameters
    ----------
    n_centers : int
        Number of centers c along each axis, at least 2.
    half_width : float
        The centers are evenly spaced from −half_width to half_width.
    scale : float
        s, the width of a bump.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If n_centers is below 2, or another argument is not positive.

    Examples
    --------
    >>> RadialBasisFeatures(n_centers=3)(np.zeros((1, 2))).shape
    (1, 9)
    """

    n_centers: int = 5
    half_width: float = 1.5
    scale: float = 0.5

    def __post_init__(self) -> None:
        checks.integer(self.n_centers, "n_centers", "RadialBasisFeatures", minimum=2)
        for name in ("half_width", "scale"):
            checks.real(getattr(self, name), name, "RadialBasisFeatures", "(0, inf)")

    def __call__(self, X: object) -> Array:
        """Return φ(X), of shape (n_samples, n_centers ** in_features)."""
        x = _matrix(X)
        along = np.linspace(-self.half_width, self.half_width, self.n_centers)
        centers = np.array(list(product(along, repeat=x.shape[1])))
        distances = ((x[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
        return np.exp(-distances / (2 * self.scale**2))


@dataclass(frozen=True)
class FourierFeatures:
    r"""Waves: :math:`\cos(2π k·x / T)` and :math:`\sin(2π k·x / T)` for integer vectors k.

    Only one of k and −k is used, since both give the same waves, up to sign; k = 0, which gives a
    constant, is left out.

    Parameters
    ----------
    order : int
        The largest absolute value of an entry of k.
    period : float
        T, the length of the longest wave, after which all waves repeat.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument is not positive.

    Examples
    --------
    >>> FourierFeatures(order=1, period=1.0)([[0.25]]).round(12) + 0.0
    array([[0., 1.]])
    """

    order: int = 2
    period: float = 4.0

    def __post_init__(self) -> None:
        checks.integer(self.order, "order", "FourierFeatures")
        checks.real(self.period, "period", "FourierFeatures", "(0, inf)")

    def __call__(self, X: object) -> Array:
        """Return φ(X), of shape (n_samples, (2 order + 1) ** in_features − 1)."""
        x = _matrix(X)
        numbers = range(-self.order, self.order + 1)
        zero = (0,) * x.shape[1]
        waves = np.array([k for k in product(numbers, repeat=x.shape[1]) if k > zero])
        phase = 2 * np.pi / self.period * (x @ waves.T)
        return np.hstack([np.cos(phase), np.sin(phase)])


def _matrix(X: object) -> Array:
    found = checks.number_array(X, "X")
    return checks.sample_matrix(found, int(np.prod(found.shape[1:])), np.float64)
