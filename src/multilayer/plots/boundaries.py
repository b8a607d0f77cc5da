"""Decision regions of models with two inputs: classes, probabilities and boundaries."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.model import class_places
from multilayer.plots.models import Plane, class_probabilities, plane_grid
from multilayer.plots.style import COLOURS, MARKERS, diverging, many_axes, one_axes, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["decision_boundaries", "decision_boundary", "draw_points", "draw_regions", "margins"]

Array = npt.NDArray[Any]

RESOLUTION = 200
MARGIN = 0.12
"""Margin on each side, as a fraction of the samples' extent."""
N_LETTERS_BELOW = 32
"""Characters in a row of the legend; each marker counts as four."""


def decision_boundary(
    model: Any,
    X: object,
    y: object,
    *,
    resolution: int = RESOLUTION,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw samples on a model's predictions over the plane of its two inputs.

    Colours show the class and its probability: for two classes in steps of 0.1, with white at 1/2;
    for more, in the colour of the most probable class, paler where it is less probable. Black lines
    are the decision boundary, where two classes are equally probable.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A network of either engine, whose classes are the numbers of its outputs; a classifier from
        this package or another; or a function of samples of shape (n, 2) that returns the
        probability of the second class, probabilities of shape (n, n_classes), or classes.
    X : array of shape (n_samples, 2)
        Samples to draw; their extent determines the part of the plane. The column names of a table
        label the axes.
    y : array of shape (n_samples,)
        The samples' classes.
    resolution : int
        Number of grid points per side, at least 2.
    ax : Axes, optional
        Where to draw; by default a new figure, with a colour bar if there are two classes.

    Returns
    -------
    ax : Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model has fewer than two classes, the samples do not have two features, or `y` has
        other classes.

    Notes
    -----
    This package's estimators also work with scikit-learn's own
    ``sklearn.inspection.DecisionBoundaryDisplay.from_estimator``, which takes estimators only.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import MLPClassifier
    >>> from multilayer.data import toy
    >>> X, y = toy.moons(100, rng=np.random.default_rng(0))
    >>> clf = MLPClassifier((8, 8), solver="lbfgs", random_state=0).fit(X, y)
    >>> decision_boundary(clf, X, y).get_title()
    'accuracy 100.0%'
    """
    owner = "decision_boundary"
    draw = _drawing(X, y, resolution, owner)
    found = one_axes(ax, owner, size=(5.2, 4.8))
    draw(model, found, "", True, ax is None)
    return found


def decision_boundaries(
    models: Mapping[str, Any],
    X: object,
    y: object,
    *,
    resolution: int = RESOLUTION,
    axes: Any = None,
) -> npt.NDArray[Any]:
    r"""Draw the decision boundaries of several models side by side.

    Parameters
    ----------
    models : mapping of str to model
        The models by name.
    X, y, resolution
        As in `decision_boundary`.
    axes : array of Axes, optional
        Where to draw, one per model.

    Returns
    -------
    axes : array of Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        As in `decision_boundary`.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> X, y = [[-1.0, 0.0], [1.0, 0.5]], [0, 1]
    >>> models = {"left": lambda X: X[:, 0] > 0, "upper": lambda X: X[:, 1] > 1}
    >>> [ax.get_title() for ax in decision_boundaries(models, X, y)]
    ['left\naccuracy 100.0%', 'upper\naccuracy 50.0%']
    """
    owner = "decision_boundaries"
    if not isinstance(models, Mapping) or not models:
        rule = "must be a mapping of names to models"
        raise InvalidTypeError(rule, "models", owner, got=repr(models))
    draw = _drawing(X, y, resolution, owner)
    found = many_axes(axes, len(models), owner, panel=(3.1, 3.5), sharex=True, sharey=True)
    last = len(found) - 1
    for i, (ax, (name, model)) in enumerate(zip(found, models.items(), strict=True)):
        draw(model, ax, f"{name}\n", i == last, axes is None and i == last)
        if axes is None:
            ax.tick_params(labelbottom=True)  # the last row may have fewer panels
            if not ax.get_subplotspec().is_first_col():
                ax.set_ylabel("")
    return found


def _drawing(
    X: object, y: object, resolution: int, owner: str
) -> Callable[[Any, "Axes", str, bool, bool], None]:
    """Check samples, and return a function that draws the panel of one model."""
    resolution = checks.integer(resolution, "resolution", owner, minimum=2)
    x = checks.sample_matrix(X, 2, np.float64)
    plane = plane_grid(*margins(x), resolution)
    names = list(map(str, getattr(X, "columns", ("$x_1$", "$x_2$"))))

    def draw(model: Any, ax: "Axes", name: str, is_last: bool, has_bar: bool) -> None:
        # In one call, since a function's classes are derived from the values it returns.
        classes, p = class_probabilities(model, np.vstack([x, plane.points]), owner)
        if len(classes) < 2:
            rule = "must tell at least two classes apart"
            raise InvalidArgumentError(rule, "model", owner, got=f"one, {classes[0]}")
        places = class_places(y, classes, len(x), owner)
        label = f"probability of class {classes[-1]}" if has_bar else None
        draw_regions(ax, plane, p[len(x) :], bar_label=label)
        draw_points(ax, x, places, classes, has_legend=is_last)
        accuracy = (p[: len(x)].argmax(axis=1) == places).mean()
        ax.set_title(f"{name}accuracy {accuracy:.1%}")
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])

    return draw


def draw_regions(ax: "Axes", plane: Plane, p: Array, *, bar_label: str | None = None) -> None:
    """Draw class probabilities over a rectangle, and the boundary between the classes.

    Parameters
    ----------
    plane : Plane
        A grid over the rectangle.
    p : array of shape (n_points, n_classes)
        The probabilities of at least two classes at the grid's points.
    bar_label : str, optional
        Label of the colour bar for two classes; None draws no colour bar.
    """
    xx, yy, points = plane
    low, high = points[0], points[-1]
    n_classes = p.shape[1]
    if n_classes == 2:
        shown = p[:, 1].reshape(xx.shape)
        surface = ax.contourf(xx, yy, shown, levels=np.linspace(0, 1, 11), cmap=diverging(),
                              alpha=0.6)  # fmt: skip
        if bar_label is not None:
            figure = ax.get_figure(root=True)
            assert figure is not None
            figure.colorbar(surface, ax=ax, label=bar_label,
                            ticks=np.linspace(0, 1, 6))  # fmt: skip
    else:
        ax.imshow(_blended(p).reshape(*xx.shape, 3), origin="lower", aspect="auto",
                  extent=(low[0], high[0], low[1], high[1]), interpolation="bilinear")  # fmt: skip
    for k in range(1 if n_classes == 2 else 0, n_classes):
        # The contour where class k ties with the best other class.
        lead = (p[:, k] - np.delete(p, k, axis=1).max(axis=1)).reshape(xx.shape)
        if lead.min() < 0 < lead.max():
            ax.contour(xx, yy, lead, levels=[0], colors="black", linewidths=1.4)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])


def draw_points(
    ax: "Axes", X: Array, places: Array, classes: Iterable[object], *, has_legend: bool
) -> None:
    """Draw samples, with a colour and marker for each class, and a legend.

    Parameters
    ----------
    X : array of shape (n_samples, 2)
    places : array of shape (n_samples,)
        The position of each sample's class in `classes`.
    has_legend : bool
        Whether to draw a legend below; panels side by side need only one.
    """
    size = float(np.clip(4000 / len(X), 8, 30))
    names = short_names(classes)
    for k, name in enumerate(names):
        mine = X[places == k]
        ax.scatter(mine[:, 0], mine[:, 1], s=size, color=COLOURS[k % len(COLOURS)],
                   marker=MARKERS[k % len(MARKERS)], edgecolors="white", linewidths=0.6,
                   label=name, zorder=3)  # fmt: skip
    if has_legend:
        # Below the picture, since samples may be anywhere inside.
        columns = max(1, N_LETTERS_BELOW // (4 + max(map(len, names))))
        ax.legend(title="class", loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4.2,
                  ncols=min(columns, len(names)), fontsize="small", title_fontsize="small",
                  frameon=False, handletextpad=0.2, columnspacing=1.2)  # fmt: skip


def margins(X: Array) -> tuple[Array, Array]:
    """Return the corners of a rectangle around samples, with a margin: 1 around a single point."""
    low, high = X.min(axis=0), X.max(axis=0)
    extent = high - low
    pad = MARGIN * np.where(extent > 0, extent, extent.max()) if extent.any() else 1.0
    return low - pad, high + pad


def _blended(p: Array) -> Array:
    """Return the colour of each row's most probable class, paler where it is less probable."""
    from matplotlib.colors import to_rgb

    n_classes = p.shape[1]
    colours = np.array([to_rgb(colour) for colour in COLOURS])[p.argmax(axis=1) % len(COLOURS)]
    strength = (p.max(axis=1) - 1 / n_classes) / (1 - 1 / n_classes)
    strength = 0.6 * np.clip(strength, 0, 1)[:, None]
    return np.asarray(strength * colours + (1 - strength))
