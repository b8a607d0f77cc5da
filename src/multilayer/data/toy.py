"""Small synthetic data sets that can be pictured: four with two classes in the plane, and a curve.

The classes are equally large, except that class 0 gets an odd sample, and come in random order.
Coordinates are centred near 0 and about 1 in size, so that a network takes them as they are.
`noise` is the standard deviation of what is added to each coordinate.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.registry import Names, Registry

__all__ = ["PLANE_SETS", "circles", "curve", "moons", "spirals", "xor"]

Array = npt.NDArray[Any]


def circles(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return a circle of radius 1 (class 0) around one of radius 1/2 (class 1).

    No straight line separates them; the square of the distance from 0 does.

    Parameters
    ----------
    n_samples : int
        Number of samples, at least 2.
    noise : float
        Standard deviation of the noise.
    rng : numpy.random.Generator, optional
        Draws the samples; by default it is seeded by the system.

    Returns
    -------
    X : array of shape (n_samples, 2)
    y : array of shape (n_samples,)
        The classes, 0 and 1.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument has the wrong type, or is out of range.

    Examples
    --------
    >>> X, y = circles(6, noise=0.0, rng=np.random.default_rng(0))
    >>> radius = np.hypot(X[:, 0], X[:, 1])
    >>> bool(np.allclose(radius, np.where(y == 0, 1.0, 0.5)))
    True
    """
    return _two_classes(_circle, n_samples, noise, rng, "circles")


def moons(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return two half circles of radius 1, each reaching into the other.

    Class 0 is the upper one, around (−1/2, −1/4); class 1 the lower one, around (1/2, 1/4).

    Parameters, results and errors are as in `circles`.

    Examples
    --------
    >>> X, y = moons(5, rng=np.random.default_rng(0))
    >>> X.shape, np.bincount(y)
    ((5, 2), array([3, 2]))
    """
    return _two_classes(_moon, n_samples, noise, rng, "moons")


def xor(
    n_samples: int = 200, noise: float = 0.3, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return the exclusive or: class 1 at (1, −1) and (−1, 1), class 0 at (1, 1) and (−1, −1).

    A perceptron cannot learn it (Minsky & Papert 1969).

    Parameters, results and errors are as in `circles`.

    Examples
    --------
    >>> X, y = xor(20, noise=0.0, rng=np.random.default_rng(0))
    >>> bool(((X[:, 0] * X[:, 1] < 0) == y).all())
    True
    """
    return _two_classes(_corners, n_samples, noise, rng, "xor")


def spirals(
    n_samples: int = 200, noise: float = 0.03, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return two spirals of one and a half turns, class 1 half a turn from class 0.

    The radius grows with the angle, from 0.1 to 1.3 (after Lang & Witbrock 1988, whose spirals make
    three turns).

    Parameters, results and errors are as in `circles`.

    Examples
    --------
    >>> X, y = spirals(100, noise=0.0, rng=np.random.default_rng(0))
    >>> radius = np.hypot(X[:, 0], X[:, 1])
    >>> bool(0.1 <= radius.min() and radius.max() <= 1.3)
    True
    """
    return _two_classes(_spiral, n_samples, noise, rng, "spirals")


def curve(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return samples of y = sin(3x) + x/2 for x in [−2, 2], in the order of x.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    noise : float
        Standard deviation of the noise, added to y.
    rng : numpy.random.Generator, optional
        Draws x, uniformly, and the noise.

    Returns
    -------
    X : array of shape (n_samples, 1)
    y : array of shape (n_samples,)

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        As in `circles`.

    Examples
    --------
    >>> X, y = curve(5, noise=0.0, rng=np.random.default_rng(0))
    >>> bool(np.allclose(y, np.sin(3 * X[:, 0]) + X[:, 0] / 2))
    True
    """
    n_samples = checks.integer(n_samples, "n_samples", "curve")
    noise = checks.real(noise, "noise", "curve", "[0, inf)")
    rng = checks.random_generator(rng, "curve")
    x = np.sort(rng.uniform(-2, 2, n_samples))
    y = np.sin(3 * x) + x / 2
    return x[:, None], y + noise * rng.normal(size=n_samples)


PLANE_SETS: Registry[Callable[..., tuple[Array, Array]]] = Registry(
    Names("data set", []), {"circles": circles, "moons": moons, "xor": xor, "spirals": spirals}
)
"""The data sets with two classes in the plane, by name."""


def _circle(label: int, n: int, rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, 2 * np.pi, n)
    return (1.0, 0.5)[label] * np.column_stack([np.cos(angle), np.sin(angle)])


def _moon(label: int, n: int, rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, np.pi, n)
    # The lower one is the upper one, rotated by half a turn around 0.
    return (1, -1)[label] * np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])


def _corners(label: int, n: int, rng: np.random.Generator) -> Array:
    side = np.where(rng.permutation(n) % 2 == 0, 1.0, -1.0)  # equally many on both sides
    return np.column_stack([side, side if label == 0 else -side])


def _spiral(label: int, n: int, rng: np.random.Generator) -> Array:
    share = np.sqrt(rng.uniform(0, 1, n))  # as dense outside as inside
    angle = 3 * np.pi * share + np.pi * label
    return (0.1 + 1.2 * share)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _two_classes(
    draw: Callable[[int, int, np.random.Generator], Array],
    n_samples: int,
    noise: float,
    rng: np.random.Generator | None,
    owner: str,
) -> tuple[Array, Array]:
    """Return samples of both classes, with noise, shuffled."""
    n_samples = checks.integer(n_samples, "n_samples", owner, minimum=2)
    noise = checks.real(noise, "noise", owner, "[0, inf)")
    rng = checks.random_generator(rng, owner)
    y = np.arange(n_samples) % 2
    X = np.empty((n_samples, 2))
    for label in (0, 1):
        X[y == label] = draw(label, int((y == label).sum()), rng)
    X += noise * rng.normal(size=X.shape)
    order = rng.permutation(n_samples)
    return X[order], y[order]
