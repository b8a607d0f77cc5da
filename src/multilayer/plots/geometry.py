"""The geometry of the perceptron: its decision line, the normal, and distances."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.inspection import Hyperplane, decision_hyperplane
from multilayer.model import class_places, one_network
from multilayer.plots.boundaries import draw_points
from multilayer.plots.models import model_of
from multilayer.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["hyperplane"]

Array = npt.NDArray[Any]

MANY = 12
"""With more points, distances are drawn without numbers."""


def hyperplane(
    model: Any,
    X: object = None,
    y: object = None,
    *,
    classes: tuple[int, int] = (0, 1),
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw the line w·x + b = 0 on which a perceptron with two inputs is undecided.

    The picture shows three geometric facts. The normal w/‖w‖ is perpendicular to the line. The
    line's distance from the origin, along the normal, is −b/‖w‖. The signed distance of a point
    from the line is (w·x + b)/‖w‖, positive on the tinted side, to which the normal points.

    Parameters
    ----------
    model : Hyperplane, MLP, Model, estimator or path
        A line, or a model with two inputs and no hidden layers.
    X : array of shape (n_samples, 2), optional
        Points, drawn with their distances to the line; with up to 12 points, also as numbers.
    y : array of shape (n_samples,), optional
        The points' classes, shown by colours and markers.
    classes : tuple of two int
        Positions of the two classes to compare, if the model has several outputs.
    ax : Axes, optional
        Where to draw; a new figure by default. Both axes get the same scale, to keep right angles.

    Returns
    -------
    ax : Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model has hidden layers, takes the columns of a table, or does not have two inputs;
        if `classes` are not among its outputs, or are given with a Hyperplane; or if `y` is given
        without `X`, or does not have one class per point.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> line = Hyperplane(w=np.array([3.0, 4.0]), b=-10.0)
    >>> ax = hyperplane(line, [[0.0, 4.0], [1.0, 0.5]])
    >>> [text.get_text() for text in ax.texts if text.get_text()]
    ['w/‖w‖', '+1.20', '−1.00']
    """
    owner = "hyperplane"
    plane = _plane(model, classes, owner)
    if plane.w.size != 2:
        raise InvalidDataError(
            f"hyperplane draws models with two inputs; this one has {plane.w.size}"
        )
    if X is None and y is not None:
        raise InvalidArgumentError("must be given with X; X is None", "y", "hyperplane")
    points = np.empty((0, 2)) if X is None else checks.sample_matrix(X, 2, np.float64)
    found = one_axes(ax, owner, size=(5.4, 5.0))
    foot = plane.distance_from_origin * plane.normal
    low, high = _view(plane, foot, points)
    _draw_line(found, plane, foot, low, high)
    _draw_origin(found, plane, foot)
    _draw_distances(found, plane, points)
    if y is not None:
        names = np.unique(checks.array(y, "y", owner))
        places = class_places(y, names, len(points), owner)
        draw_points(found, points, places, [f"class {name}" for name in names], has_legend=False)
    else:
        found.scatter(points[:, 0], points[:, 1], color=BLACK, s=22, zorder=4)
    found.legend(fontsize="small", framealpha=0.85)
    found.set_aspect("equal")
    found.set_xlim(low[0], high[0])
    found.set_ylim(low[1], high[1])
    found.set_xlabel("$x_1$")
    found.set_ylabel("$x_2$")
    return found


def _plane(model: Any, classes: tuple[int, int], owner: str) -> Hyperplane:
    """Return the model's hyperplane in terms of its raw inputs."""
    if isinstance(model, Hyperplane):
        if classes != (0, 1):
            rule = "apply to several outputs"
            raise InvalidArgumentError(rule, "classes", owner, got=f"{classes!r} for a Hyperplane")
        return model
    found = model_of(model, owner)
    inner = decision_hyperplane(one_network(found.net, "model", owner), classes)
    if not found.inputs.is_affine:  # encoding a table's columns is not affine
        rule = "must take plain or scaled numbers"
        raise InvalidArgumentError(rule, "model", owner, got=repr(found.inputs))
    # w·(x − m)/s + b is affine in x: its slopes and its value at 0 give the plane of raw inputs.
    (at_zero,) = found.inputs.encode(np.zeros((1, inner.w.size)))
    slopes = found.inputs.encode(np.eye(inner.w.size)) - at_zero
    return Hyperplane(slopes @ inner.w, float(inner.w @ at_zero + inner.b))


def _view(plane: Hyperplane, foot: Array, points: Array) -> tuple[Array, Array]:
    """Return the corners of a square around the origin, the line's normal and the points."""
    everything = np.vstack([np.zeros(2), foot, foot + plane.normal, points])
    low, high = everything.min(axis=0), everything.max(axis=0)
    half = max((high - low).max() * 0.62, 1.0)
    middle = (low + high) / 2
    return middle - half, middle + half


def _draw_line(ax: "Axes", plane: Hyperplane, foot: Array, low: Array, high: Array) -> None:
    """Draw the line, its positive side and its normal."""
    along = np.array([-plane.normal[1], plane.normal[0]])
    reach = float(np.linalg.norm(high - low)) + float(np.linalg.norm(foot))
    ends = np.array([foot - reach * along, foot + reach * along])
    side = np.vstack([ends, ends[::-1] + 2 * reach * plane.normal])
    ax.fill(side[:, 0], side[:, 1], color=ORANGE, alpha=0.12, linewidth=0, zorder=0)
    ax.plot(ends[:, 0], ends[:, 1], color=BLACK, linewidth=1.8, label="w·x + b = 0")
    ax.annotate("", tuple(foot + plane.normal), tuple(foot), zorder=5,
                arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 2, "shrinkA": 0,
                            "shrinkB": 0})  # fmt: skip
    # Next to the arrow, since the line to the origin may continue it; below the samples.
    side = along if along[1] >= 0 else -along
    _write(ax, "w/‖w‖", foot + 0.75 * plane.normal, [side], (19, 6), color=BLUE, zorder=2.5)


def _draw_origin(ax: "Axes", plane: Hyperplane, foot: Array) -> None:
    """Draw the distance from the origin to the line."""
    distance = plane.distance_from_origin
    ax.scatter(0, 0, marker="+", s=80, color=BLACK, zorder=4)
    ax.plot([0, foot[0]], [0, foot[1]], color=GREEN, linestyle="--", linewidth=1.8, zorder=3,
            label=f"−b/‖w‖ = {_signed(distance)}")  # fmt: skip


def _draw_distances(ax: "Axes", plane: Hyperplane, points: Array) -> None:
    """Draw the distance from each point to the line, with its signed value."""
    if not len(points):
        return
    distances = plane.signed_distances(points)
    feet = points - distances[:, None] * plane.normal
    along = np.array([-plane.normal[1], plane.normal[0]])
    for i, (point, foot, distance) in enumerate(zip(points, feet, distances, strict=True)):
        ax.plot([point[0], foot[0]], [point[1], foot[1]], color=GREY, linestyle=":", linewidth=1.2,
                zorder=2, label="" if i else "(w·x + b)/‖w‖")  # fmt: skip
        if len(points) <= MANY:
            # Away from the line, and from the line that shows the distance from the origin.
            sides = [np.copysign(1, distance) * plane.normal, np.copysign(1, along @ point) * along]
            _write(ax, _signed(distance, plus=True), point, sides, (14, 4), fontsize="small")


def _write(
    ax: "Axes",
    text: str,
    place: Array,
    sides: Sequence[Array],
    half: tuple[float, float],
    *,
    zorder: float = 5,
    **look: Any,
) -> None:
    """Write text next to a point, readable even across lines.

    Parameters
    ----------
    sides : sequence of array of shape (2,)
        Unit vectors: the text is moved entirely to these sides of the point.
    half : tuple of float
        Half the width and height of the text in points (1/72 inch).
    """
    from matplotlib.patheffects import withStroke

    offset = np.sum([(np.abs(side) @ half + 2) * side for side in sides], axis=0)
    ax.annotate(text, tuple(place), tuple(offset), textcoords="offset points", ha="center",
                va="center", path_effects=[withStroke(linewidth=2.5, foreground="white")],
                zorder=zorder, **look)  # fmt: skip


def _signed(value: float, *, plus: bool = False) -> str:
    value = round(value, 2) + 0.0  # avoid −0.00
    text = f"{value:+.2f}" if plus else f"{value:.2f}"
    return text.replace("-", "−")
