"""The features that a network has learned: each layer's space, and each unit over the plane."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model import class_places, of_outputs, one_network
from multilayer.numpy.observation import hidden_layers, outputs_after
from multilayer.plots.boundaries import RESOLUTION, draw_points, draw_regions, margins
from multilayer.plots.models import (
    class_probabilities,
    model_of,
    plane_grid,
    samples_of,
)
from multilayer.plots.style import diverging, many_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["hidden_units", "learned_features"]

Array = npt.NDArray[Any]

UNITS_RESOLUTION = 100


class _Section(NamedTuple):
    """A plane in the space of a layer's outputs: the points origin + c · axes."""

    origin: Array
    axes: Array
    """Orthonormal rows, of shape (2, width), or (1, width) for a single unit."""
    share: float
    """The share of the outputs' variance in the plane."""

    def coordinates(self, a: Array) -> Array:
        """Return the coordinates of outputs on the plane, of shape (n_samples, 2)."""
        c = (a - self.origin) @ self.axes.T
        return c if c.shape[1] == 2 else np.hstack([c, np.zeros_like(c)])

    def points(self, c: Array) -> Array:
        """Return the outputs, of shape (n, width), at coordinates on the plane."""
        return np.asarray(self.origin + c[:, : len(self.axes)] @ self.axes)


def learned_features(model: Any, X: object, y: object, *, axes: Any = None) -> npt.NDArray[Any]:
    r"""Draw samples in the space of each layer, to show how a network makes classes separable.

    The first panel shows the inputs, as the network takes them. Each other panel shows the outputs
    of a hidden layer; the last panel shows the features ψ(x). The background shows what the rest of
    the network predicts at each point. Only an affine map follows the last hidden layer, so the
    boundary in the space of ψ is straight: there the network is a linear model.

    A layer with more than two units is drawn in its first two principal components; the title shows
    their share of the variance. Predictions depend on the other components too, so these panels
    have no background, except for ψ. There, the line shows where the boundary cuts the plane of the
    two components, and samples outside the plane may lie on the other side. A layer with one unit
    is drawn as a line.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A classifier with at least one hidden layer, on either engine.
    X : array or table of shape (n_samples, in_features)
        At least two samples, in the form that the model takes.
    y : array of shape (n_samples,)
        The samples' classes.
    axes : array of Axes, optional
        Where to draw: one Axes for the inputs and one per hidden layer.

    Returns
    -------
    axes : array of Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model is not a classifier with hidden layers, or samples and classes do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import MLPClassifier
    >>> from multilayer.data import toy
    >>> X, y = toy.xor(100, rng=np.random.default_rng(0))
    >>> clf = MLPClassifier((4, 2), activation="tanh", solver="lbfgs", random_state=1).fit(X, y)
    >>> [ax.get_title() for ax in learned_features(clf, X, y)][::2]
    ['inputs x', 'ψ(x), hidden layer 2']
    """
    owner = "learned_features"
    found = model_of(model, owner)
    net = one_network(found.net, "model", owner)
    n_hidden = len(net.architecture.hidden_features)
    if not n_hidden:
        raise InvalidArgumentError("must have hidden layers", "model", owner, got=repr(net))
    raw = samples_of(X, owner)
    classes, p = class_probabilities(model, raw, owner)
    places = class_places(y, classes, len(p), owner)
    x = checks.sample_matrix(found.inputs.encode(raw), net.architecture.in_features, np.float64)
    spaces = [x, *(layer.output.astype(np.float64) for layer in hidden_layers(net, x))]
    panels = many_axes(axes, len(spaces), owner, panel=(3.1, 3.6))
    for i, (ax, a) in enumerate(zip(panels, spaces, strict=True)):
        section = _section(a)
        low, high = margins(section.coordinates(a))
        if a.shape[1] <= 2 or i == n_hidden:
            plane = plane_grid(low, high, RESOLUTION)
            outputs = outputs_after(net, i, section.points(plane.points))
            draw_regions(ax, plane, of_outputs(net, outputs, owner).probabilities)
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(low[1], high[1])
        draw_points(ax, section.coordinates(a), places, classes, has_legend=i == n_hidden)
        _name_space(ax, i, n_hidden, a.shape[1], section.share)
    return panels


def _section(a: Array) -> _Section:
    """Return the plane of up to two units, or of the first two principal components."""
    width = a.shape[1]
    if width <= 2:
        return _Section(np.zeros(width), np.eye(width), 1.0)
    origin = a.mean(axis=0)
    _, sizes, directions = np.linalg.svd(a - origin, full_matrices=False)
    variances = sizes**2
    share = float(variances[:2].sum() / variances.sum()) if variances.any() else 1.0
    return _Section(origin, directions[:2], share)


def _name_space(ax: "Axes", i: int, n_hidden: int, width: int, share: float) -> None:
    """Write the title and labels for the space of hidden layer i; 0 stands for the inputs."""
    symbol = "x" if i == 0 else "ψ" if i == n_hidden else f"a^{{({i})}}"
    name = "inputs x" if i == 0 else f"hidden layer {i}"
    if i == n_hidden:
        name = f"ψ(x), {name}"
    if width > 2:
        name += f"\nfirst 2 of {width} principal components\n({share:.0%} of the variance)"
        labels = ["component 1", "component 2"]
    else:
        labels = [f"${symbol}_{k + 1}$" for k in range(width)]
    ax.set_title(name, fontsize="medium")
    ax.set_xlabel(labels[0])
    if width == 1:
        ax.set_yticks([])
    else:
        ax.set_ylabel(labels[1])


def hidden_units(model: Any, X: object, *, n_units: int = 8, axes: Any = None) -> npt.NDArray[Any]:
    r"""Draw the output of each hidden unit over the plane of two inputs.

    Each row is a layer, each panel a unit. Black lines show where the unit's pre-activation z is 0:
    a straight line in the first layer, where z = w·x + b, and a curve in later layers, which
    combine curved surfaces. White is 0, orange is positive and blue negative, on a scale up to the
    unit's largest absolute value; the title shows the smallest and the largest value.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A network of either engine with two inputs and hidden layers.
    X : array of shape (n_samples, 2)
        Samples; their extent determines the part of the plane.
    n_units : int
        Maximum number of units per layer, starting with the first.
    axes : array of Axes, optional
        Where to draw: one Axes per drawn unit, layer by layer.

    Returns
    -------
    axes : array of Axes
        One per drawn unit, layer by layer.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model is not a network with two inputs and hidden layers.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (3, 2), 1), rng=np.random.default_rng(0))
    >>> axes = hidden_units(net, [[-1.0, -1.0], [1.0, 1.0]])
    >>> [ax.get_title().partition("\n")[0] for ax in axes][2:]
    ['layer 1, unit 3', 'layer 2, unit 1', 'layer 2, unit 2']
    """
    owner = "hidden_units"
    held = model_of(model, owner)
    net, inputs = one_network(held.net, "model", owner), held.inputs
    n_units = checks.integer(n_units, "n_units", owner)
    widths = [min(n, n_units) for n in net.architecture.hidden_features]
    n_columns = inputs.in_features if inputs.names is None else len(inputs.names)
    if n_columns != 2 or not widths:
        rule = "must have two inputs and hidden layers"
        raise InvalidDataError(rule, "model", owner, got=repr(net))
    low, high = margins(checks.sample_matrix(X, 2, np.float64))
    xx, yy, points = plane_grid(low, high, UNITS_RESOLUTION)
    found = _grid_of_units(axes, widths, owner)
    units = [
        (number, k, layer)
        for number, (layer, n) in enumerate(
            zip(hidden_layers(net, inputs.encode(points)), widths, strict=True), start=1
        )
        for k in range(n)
    ]
    for ax, (number, k, layer) in zip(found, units, strict=True):
        a, z = (values[:, k].reshape(xx.shape) for values in (layer.output, layer.z))
        largest = float(np.abs(a).max()) or 1.0
        ax.imshow(a, cmap=diverging(), vmin=-largest, vmax=largest, origin="lower", aspect="auto",
                  extent=(low[0], high[0], low[1], high[1]), interpolation="bilinear")  # fmt: skip
        if z.min() < 0 < z.max():
            ax.contour(xx, yy, z, levels=[0], colors="black", linewidths=1.2)
        ends = f"{a.min():.3g} to {a.max():.3g}".replace("-", "−")
        ax.set_title(f"layer {number}, unit {k + 1}\n{ends}", fontsize="small")
        ax.set_xlabel("$x_1$")
        ax.set_ylabel("$x_2$")
        if axes is None:
            ax.label_outer()
    return found


def _grid_of_units(axes: Any, widths: list[int], owner: str) -> npt.NDArray[Any]:
    """Return one Axes per unit: those given, or new ones with one row per layer."""
    if axes is not None:
        return many_axes(axes, sum(widths), owner)
    columns = max(widths)
    every = many_axes(None, len(widths) * columns, owner, columns=columns, panel=(1.7, 1.9),
                      sharex=True, sharey=True)  # fmt: skip
    used = []
    for i, n in enumerate(widths):
        row = every[i * columns : (i + 1) * columns]
        used += list(row[:n])
        for spare in row[n:]:
            spare.remove()
    return many_axes(used, len(used), owner)
