"""Fixed features against learned features, with a linear model on each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import FeatureMap, FourierFeatures, RadialBasisFeatures, toy
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import class_places
from multilayer.numpy import MLP
from multilayer.plots.boundaries import draw_points, draw_regions, margins
from multilayer.plots.fitting import classifier
from multilayer.plots.models import plane_grid
from multilayer.plots.style import many_axes

__all__ = ["fixed_features"]

Array = npt.NDArray[Any]

N_SAMPLES = 200
RESOLUTION = 120


def _cubic(X: Array) -> Array:
    from sklearn.preprocessing import PolynomialFeatures  # slow to import

    return np.asarray(PolynomialFeatures(3, include_bias=False).fit_transform(X))


FEATURES: dict[str, FeatureMap] = {
    "linear": lambda X: X,
    "polynomial, degree 3": _cubic,
    "radial basis, 5 × 5": RadialBasisFeatures(),
    "Fourier, order 2": FourierFeatures(),
}


def fixed_features(
    data: Mapping[str, tuple[object, object]] | None = None,
    *,
    features: Mapping[str, FeatureMap] | None = None,
    hidden_features: tuple[int, ...] = (8, 8),
    l2: float = 1e-4,
    rng: np.random.Generator | None = None,
    axes: Any = None,
) -> npt.NDArray[Any]:
    r"""Draw boundaries of linear models on fixed features, and of a network that learns its own.

    Each row is a data set, each column a kind of features φ. A panel shows logistic regression on
    φ(x), with its boundary w·φ(x) + b = 0 in the plane of the inputs. The last column is a network:
    its last layer is the same logistic regression, on features learned from these samples. All are
    trained by L-BFGS with the same penalty. Each title shows the number of features of the linear
    model.

    Parameters
    ----------
    data : mapping of str to (X, y), optional
        Samples of shape (n_samples, 2), and their classes, 0 and 1; by default, 200 samples of each
        set in `multilayer.data.toy.PLANE_SETS`.
    features : mapping of str to FeatureMap, optional
        Functions from samples to features, such as those in `multilayer.data` or scikit-learn's
        ``fit_transform``; by default, the inputs themselves, polynomials of degree 3, 25 radial
        basis functions, and 24 waves.
    hidden_features : tuple of int
        Widths of the network's hidden tanh layers; the last is its number of features.
    l2 : float
        λ of the penalty λ/2 ‖W‖².
    rng : numpy.random.Generator, optional
        Draws samples and initial weights; the best of three networks is drawn.
    axes : array of Axes, optional
        Where to draw, row by row: one Axes for each data set and column.

    Returns
    -------
    axes : array of Axes, of shape (number of data sets, number of features + 1)

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the samples do not have two inputs, there are classes other than 0 and 1, or an argument
        is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.preprocessing import PolynomialFeatures
    >>> rng = np.random.default_rng(0)
    >>> products = PolynomialFeatures(2, include_bias=False).fit_transform
    >>> axes = fixed_features({"xor": toy.xor(60, rng=rng)}, features={"products": products},
    ...                       rng=rng)
    >>> [ax.get_title() for ax in axes[0]]
    ['products\n5 features, accuracy 100%', 'learned, 8-8\n8 features, accuracy 100%']
    """
    owner = "fixed_features"
    rng = checks.random_generator(rng, owner)
    if not hidden_features:
        rule = "must have at least one width"
        raise InvalidArgumentError(rule, "hidden_features", owner, got=repr(hidden_features))
    widths = tuple(hidden_features)
    l2 = checks.real(l2, "l2", owner, "[0, inf)")
    if data is None:
        data = {name: draw(N_SAMPLES, rng=rng) for name, draw in toy.PLANE_SETS.items()}
    maps = dict(FEATURES if features is None else _mapping(features, "features", owner))
    samples = {
        name: _checked(pair, name, owner) for name, pair in _mapping(data, "data", owner).items()
    }
    columns = len(maps) + 1
    found = many_axes(axes, len(samples) * columns, owner, columns=columns, panel=(2.4, 2.4),
                      sharex="row", sharey="row")  # fmt: skip
    grid = found.reshape(len(samples), columns)
    for i, (row, (name, (X, y))) in enumerate(zip(grid, samples.items(), strict=True)):
        for ax, (kind, phi) in zip(row, maps.items(), strict=False):
            net = classifier(phi(X), y, (), rng=rng, l2=l2)
            _draw(ax, kind, _Composed(net, phi), X, y, has_legend=False)
        net = classifier(X, y, widths, n_starts=3, rng=rng, l2=l2)
        _draw(row[-1], f"learned, {'-'.join(map(str, widths))}", _Composed(net), X, y,
              has_legend=i == len(grid) - 1)  # fmt: skip
        row[0].set_ylabel(f"{name}\n$x_2$", fontsize="large")
    for ax in grid[-1]:
        ax.set_xlabel("$x_1$")
    return grid


@dataclass(frozen=True)
class _Composed:
    """A network on features of the inputs."""

    net: MLP
    phi: FeatureMap | None = None

    def __call__(self, X: Array) -> Array:
        """Return the class probabilities."""
        p = self.net(X if self.phi is None else self.phi(X))
        return np.hstack([1 - p, p])

    @property
    def n_features(self) -> int:
        """The number of inputs of the last, linear layer."""
        a = self.net.architecture
        return (a.in_features, *a.hidden_features)[-1]


def _draw(ax: Any, kind: str, model: _Composed, X: Array, y: Array, *, has_legend: bool) -> None:
    plane = plane_grid(*margins(X), RESOLUTION)
    draw_regions(ax, plane, model(plane.points))
    draw_points(ax, X, y, np.arange(2), has_legend=has_legend)
    accuracy = (model(X).argmax(axis=1) == y).mean()
    ax.set_title(f"{kind}\n{model.n_features} features, accuracy {accuracy:.0%}", fontsize="small")
    ax.tick_params(labelsize="small")


def _mapping(value: Any, parameter: str, owner: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        rule = "must be a mapping with at least one name"
        raise InvalidTypeError(rule, parameter, owner, got=repr(value))
    return value


def _checked(pair: Any, name: str, owner: str) -> tuple[Array, Array]:
    """Return samples with two inputs, and their classes."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        rule = "must be pairs (X, y)"
        raise InvalidTypeError(rule, "data", owner, got=f"{type(pair).__name__} for {name!r}")
    X, y = pair
    x = checks.sample_matrix(X, 2, np.float64)
    return x, class_places(y, np.arange(2), len(x), f"{owner} ({name})")
