"""Small synthetic data sets that are easy to plot: classes in the plane, a plane, and a curve.

Classes have equal sizes, or, if that is not possible, the first ones have one sample more. Samples
are in random order. Coordinates are centred near 0 and about 1 in size, so that a network can use
them without scaling. `noise` is the standard deviation of the noise, which is added to each
coordinate of classes, and to the values of the plane and the curve.

`formula` makes a data set from a formula given as text.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data.formula import UNKNOWN, Formula
from multilayer.errors import InvalidDataError
from multilayer.registry import Names, Registry

__all__ = ["PLANE_SETS", "blobs", "circles", "curve", "formula", "moons", "plane", "spirals", "xor"]

Array = npt.NDArray[Any]

REACH = 1.5
"""The points of a formula have coordinates between −1.5 and 1.5."""
LEAST = 0.1
"""The minimum share of points at which a formula must have a value."""


def circles(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return a circle of radius 1 (class 0) around a circle of radius 1/2 (class 1).

    No straight line separates them, but the squared distance from 0 does.

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
    return _classes(_circle, 2, n_samples, noise, rng, "circles")


def moons(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return two interlocking half circles of radius 1.

    Class 0 is the upper one, around (−1/2, −1/4); class 1 is the lower one, around (1/2, 1/4).

    Parameters, results and errors are as in `circles`.

    Examples
    --------
    >>> X, y = moons(5, rng=np.random.default_rng(0))
    >>> X.shape, np.bincount(y)
    ((5, 2), array([3, 2]))
    """
    return _classes(_moon, 2, n_samples, noise, rng, "moons")


def xor(
    n_samples: int = 200, noise: float = 0.3, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return the exclusive or: class 1 at (1, −1) and (−1, 1), class 0 at (1, 1) and (−1, −1).

    A perceptron cannot learn this function (Minsky & Papert 1969).

    Parameters, results and errors are as in `circles`.

    Examples
    --------
    >>> X, y = xor(20, noise=0.0, rng=np.random.default_rng(0))
    >>> bool(((X[:, 0] * X[:, 1] < 0) == y).all())
    True
    """
    return _classes(_corners, 2, n_samples, noise, rng, "xor")


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
    return _classes(_spiral, 2, n_samples, noise, rng, "spirals")


def blobs(
    n_samples: int = 200, noise: float = 0.3, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return three round clouds around the corners of a triangle, at a distance of 1 from 0.

    Three straight lines separate them; the classes are 0, 1 and 2.

    Parameters, results and errors are as in `circles`, except that `n_samples` is at least 3.

    Examples
    --------
    >>> X, y = blobs(7, noise=0.0, rng=np.random.default_rng(0))
    >>> np.bincount(y), bool(np.allclose(np.hypot(X[:, 0], X[:, 1]), 1))
    (array([3, 2, 2]), True)
    """
    return _classes(_corner, 3, n_samples, noise, rng, "blobs")


def plane(
    n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return samples of the plane y = (x₁ + x₂)/2 over the square [−1, 1]².

    Parameters, results and errors are as in `curve`, except that X has shape (n_samples, 2).

    Examples
    --------
    >>> X, y = plane(5, noise=0.0, rng=np.random.default_rng(0))
    >>> bool(np.allclose(y, X.mean(axis=1)))
    True
    """
    n_samples, noise, rng = _checked(n_samples, noise, rng, "plane")
    X = rng.uniform(-1, 1, (n_samples, 2))
    return X, X.mean(axis=1) + noise * rng.normal(size=n_samples)


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
    n_samples, noise, rng = _checked(n_samples, noise, rng, "curve")
    x = np.sort(rng.uniform(-2, 2, n_samples))
    y = np.sin(3 * x) + x / 2
    return x[:, None], y + noise * rng.normal(size=n_samples)


def formula(
    text: str, n_samples: int = 200, noise: float = 0.1, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Return samples that follow a formula: two classes, a surface, or a curve.

    A condition, such as ``y > sin(3*x)`` or ``x^2 + y^2 < 1 and x > 0``, defines two classes in the
    plane: 1 where it is true, 0 elsewhere. An expression in x and y, such as ``sin(3*x) * y``,
    defines a surface over the plane; an expression in x alone, such as ``abs(sin(3*x))``, a curve.
    x and y are drawn uniformly from [−1.5, 1.5].

    A formula may contain the operators ``+ - * / % ^``, comparisons, which can be chained, ``and``,
    ``or`` and ``not``, the constants ``pi`` and ``e``, and the functions ``sin``, ``cos``, ``tan``,
    ``asin``, ``acos``, ``atan``, ``sinh``, ``cosh``, ``tanh``, ``exp``, ``log``, ``sqrt``, ``abs``,
    ``sign``, ``floor``, ``min`` and ``max``. Nothing else is evaluated.

    Parameters
    ----------
    text : str
        The formula, of at most 200 characters.
    n_samples : int
        Number of points that are drawn, at least 2. Points at which the formula has no finite
        value, such as the logarithm of a negative number, are left out.
    noise : float
        Standard deviation of the noise, which is added to the coordinates of classes, or to the
        values of a surface or a curve.
    rng : numpy.random.Generator, optional
        Draws the samples; by default it is seeded by the system.

    Returns
    -------
    X : array of shape (n, 2), or (n, 1) for a curve, whose samples are in the order of x
        n is `n_samples` minus the number of points left out.
    y : array of shape (n,)
        The classes, 0 and 1, or the values.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the formula cannot be read; the message names the place and what was expected there. Or
        if another argument has the wrong type, or is out of range.
    InvalidDataError
        If more than nine tenths of the points have no value, or all values are equal.

    Examples
    --------
    >>> X, y = formula("x^2 + y^2 < 1 and x > 0", noise=0.0, rng=np.random.default_rng(0))
    >>> bool(np.array_equal(y, (np.hypot(*X.T) < 1) & (X[:, 0] > 0)))
    True
    >>> X, y = formula("sqrt(x)", 100, rng=np.random.default_rng(0))
    >>> X.shape, bool(X.min() > 0)
    ((56, 1), True)
    """
    function = Formula(text)
    n_samples, noise, rng = _checked(n_samples, noise, rng, "formula", minimum=2)
    is_curve = not function.is_condition and function.variables <= {"x"}
    X = rng.uniform(-REACH, REACH, (n_samples, 1 if is_curve else 2))
    if is_curve:
        X.sort(axis=0)
    values = function(X[:, 0], X[:, -1])
    if function.is_condition:
        is_there = values != UNKNOWN
    else:  # infinite in float32 too, in which networks compute
        is_there = np.abs(values) <= np.finfo(np.float32).max
    X, values = X[is_there], values[is_there]
    if len(X) < max(2, LEAST * n_samples):
        rule = f"has a finite value at only {len(X):,} of {n_samples:,} points"
        raise InvalidDataError(f"{rule} with x and y between -{REACH} and {REACH}", "formula")
    spread, largest = np.ptp(values), np.abs(values).max()
    if spread <= 1e-9 * largest:  # equal up to rounding, as in sin(x)^2 + cos(x)^2
        value = ("false", "true")[int(values[0])] if function.is_condition else f"{values[0]:.6g}"
        rule = f"is {value} at all {len(X):,} points with x and y between -{REACH} and {REACH}"
        raise InvalidDataError(f"{rule}: there is nothing to learn", "formula")
    if function.is_condition:
        return X + noise * rng.normal(size=X.shape), values.astype(np.int64)
    return X, values + noise * rng.normal(size=len(X))


PLANE_SETS: Registry[Callable[..., tuple[Array, Array]]] = Registry(
    Names("data set", []), {"circles": circles, "moons": moons, "xor": xor, "spirals": spirals}
)
"""The data sets with two classes in the plane, by name."""


def _circle(label: int, n: int, rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, 2 * np.pi, n)
    return (1.0, 0.5)[label] * np.column_stack([np.cos(angle), np.sin(angle)])


def _moon(label: int, n: int, rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, np.pi, n)
    # The lower one is the upper one rotated around 0 by half a turn.
    return (1, -1)[label] * np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])


def _corners(label: int, n: int, rng: np.random.Generator) -> Array:
    side = np.where(rng.permutation(n) % 2 == 0, 1.0, -1.0)  # equally many on both sides
    return np.column_stack([side, side if label == 0 else -side])


def _spiral(label: int, n: int, rng: np.random.Generator) -> Array:
    share = np.sqrt(rng.uniform(0, 1, n))  # so that points are equally dense along the spiral
    angle = 3 * np.pi * share + np.pi * label
    return (0.1 + 1.2 * share)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _corner(label: int, n: int, _: np.random.Generator) -> Array:
    angle = np.full(n, np.pi / 2 + 2 * np.pi * label / 3)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _classes(
    draw: Callable[[int, int, np.random.Generator], Array],
    n_classes: int,
    n_samples: int,
    noise: float,
    rng: np.random.Generator | None,
    owner: str,
) -> tuple[Array, Array]:
    """Return samples of all classes, with noise, shuffled."""
    n_samples, noise, rng = _checked(n_samples, noise, rng, owner, minimum=n_classes)
    y = np.arange(n_samples) % n_classes
    X = np.empty((n_samples, 2))
    for label in range(n_classes):
        X[y == label] = draw(label, int((y == label).sum()), rng)
    X += noise * rng.normal(size=X.shape)
    order = rng.permutation(n_samples)
    return X[order], y[order]


def _checked(
    n_samples: object, noise: object, rng: object, owner: str, minimum: int = 1
) -> tuple[int, float, np.random.Generator]:
    return (
        checks.integer(n_samples, "n_samples", owner, minimum=minimum),
        checks.real(noise, "noise", owner, "[0, inf)"),
        checks.random_generator(rng, owner),
    )
