"""Where models of two inputs decide what: regions, probabilities and the boundary between."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.plots.models import Plane, class_places, class_probabilities, plane_grid
from multilayer.plots.style import COLOURS, MARKERS, diverging, many_axes, one_axes, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["decision_boundaries", "decision_boundary", "draw_points", "draw_regions", "margins"]

Array = npt.NDArray[Any]

RESOLUTION = 200
MARGIN = 0.12
"""Of the samples' extent, on each side of them."""
N_LETTERS_BELOW = 32
"""Of the legend's classes in a row, four for each marker with them."""


def decision_boundary(
    model: Any,
    X: object,
    y: object,
    *,
    resolution: int = RESOLUTION,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw what a model of two inputs predicts all over the plane, and samples on it.

    Colours say which class, and how probable it is: of two classes in steps of 0.1 from white at
    1/2; of more the most probable one's colour, paler the less probable it is. Black lines are the
    decision boundary, where two classes are equally probable.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A network of either engine, whose classes are its outputs by number; an estimator of
        classes, of this package or another; or a function of samples of shape (n, 2), which returns
        the probability of the second class, probabilities of shape (n, n_classes), or classes.
    X : array of shape (n_samples, 2)
        Samples to draw; they also say how much of the plane is shown. The columns of a table give
        the axes their names.
    y : array of shape (n_samples,)
        Their classes.
    resolution : int
        Points a side at which the model predicts, 2 at least.
    ax : Axes, optional
        Where to draw; in a new figure by default, beside which two classes' probability is told in
        a colour bar.

    Returns
    -------
    ax : Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model tells no two classes apart, samples have not two features, or `y` has other
        classes.

    Notes
    -----
    The estimators of this package may also be given to scikit-learn's own
    ``sklearn.inspection.DecisionBoundaryDisplay.from_estimator``; it takes estimators only.

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
    r"""Draw the decision boundaries of several models side by side, as `decision_boundary` does.

    Parameters
    ----------
    models : mapping of str to model
        What each is called, and the model.
    X, y, resolution
        As of `decision_boundary`.
    axes : array of Axes, optional
        Where to draw, one a model.

    Returns
    -------
    axes : array of Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        As `decision_boundary` does.

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
            ax.tick_params(labelbottom=True)  # in the last row a panel may be missing
            if not ax.get_subplotspec().is_first_col():
                ax.set_ylabel("")
    return found


def _drawing(
    X: object, y: object, resolution: int, owner: str
) -> Callable[[Any, "Axes", str, bool, bool], None]:
    """Check samples, and return the function that draws one model's panel."""
    resolution = checks.integer(resolution, "resolution", owner, minimum=2)
    x = checks.sample_matrix(X, 2, np.float64)
    plane = plane_grid(*margins(x), resolution)
    names = list(map(str, getattr(X, "columns", ("$x_1$", "$x_2$"))))

    def draw(model: Any, ax: "Axes", name: str, is_last: bool, has_bar: bool) -> None:
        # Both at once: a function of samples tells its classes by those that come up.
        classes, p = class_probabilities(model, np.vstack([x, plane.points]), owner)
        if len(classes) < 2:
            rule = "must tell two classes apart at least"
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
    """Draw the classes' probabilities over a rectangle, and the boundary between the classes.

    Parameters
    ----------
    plane : Plane
        A grid over the rectangle.
    p : array of shape (n_points, n_classes)
        The probabilities at its points, of two classes at least.
    bar_label : str, optional
        What a colour bar says; by default there is none, as where there are more than two classes.
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
        # Where class k ties with the best of the others.
        lead = (p[:, k] - np.delete(p, k, axis=1).max(axis=1)).reshape(xx.shape)
        if lead.min() < 0 < lead.max():
            ax.contour(xx, yy, lead, levels=[0], colors="black", linewidths=1.4)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])


def draw_points(
    ax: "Axes", X: Array, places: Array, classes: Iterable[object], *, has_legend: bool
) -> None:
    """Draw samples, each class with its own colour and marker, and a legend of the classes.

    Parameters
    ----------
    X : array of shape (n_samples, 2)
    places : array of shape (n_samples,)
        The place of each sample's class among `classes`.
    has_legend : bool
        Whether there is a legend, below; of panels side by side one will do, in the last row.
    """
    size = float(np.clip(4000 / len(X), 8, 30))
    names = short_names(classes)
    for k, name in enumerate(names):
        mine = X[places == k]
        ax.scatter(mine[:, 0], mine[:, 1], s=size, color=COLOURS[k % len(COLOURS)],
                   marker=MARKERS[k % len(MARKERS)], edgecolors="white", linewidths=0.6,
                   label=name, zorder=3)  # fmt: skip
    if has_legend:
        # Below the picture: inside it there is no place that samples never take.
        columns = max(1, N_LETTERS_BELOW // (4 + max(map(len, names))))
        ax.legend(title="class", loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4.2,
                  ncols=min(columns, len(names)), fontsize="small", title_fontsize="small",
                  frameon=False, handletextpad=0.2, columnspacing=1.2)  # fmt: skip


def margins(X: Array) -> tuple[Array, Array]:
    """Return the corners of a rectangle around samples, with a margin; of one point, 1 around."""
    low, high = X.min(axis=0), X.max(axis=0)
    extent = high - low
    pad = MARGIN * np.where(extent > 0, extent, extent.max()) if extent.any() else 1.0
    return low - pad, high + pad


def _blended(p: Array) -> Array:
    """Return the colour of the most probable class of each row, paler the less probable it is."""
    from matplotlib.colors import to_rgb

    n_classes = p.shape[1]
    colours = np.array([to_rgb(colour) for colour in COLOURS])[p.argmax(axis=1) % len(COLOURS)]
    strength = (p.max(axis=1) - 1 / n_classes) / (1 - 1 / n_classes)
    strength = 0.6 * np.clip(strength, 0, 1)[:, None]
    return np.asarray(strength * colours + (1 - strength))
