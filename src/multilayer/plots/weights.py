"""The first layer's weights as images, which show what each unit looks for."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from multilayer import checks
from multilayer.errors import InvalidArgumentError
from multilayer.model import one_network
from multilayer.plots.models import model_of
from multilayer.plots.style import GREY, diverging, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["first_layer_weights"]

GAP = 1
"""Pixels between two images."""


def first_layer_weights(
    model: Any,
    *,
    image_shape: tuple[int, int] | None = None,
    n: int = 24,
    columns: int = 8,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the weights of each unit in the first layer as an image.

    Ink raises a unit's pre-activation z where its weights are orange, and lowers it where they are
    blue; white pixels have no effect. All images share one scale. The units with the largest ‖w‖
    come first.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A network of either engine whose inputs are pixels, or an object that contains one.
    image_shape : tuple (height, width), optional
        Shape of the inputs as an image; a square by default.
    n, columns : int
        The number of units, and the number of units in a row.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidTypeError
        If matplotlib is not installed, or an argument, such as the shape, is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(64, (16,), 10), rng=np.random.default_rng(0))
    >>> first_layer_weights(net).get_title()
    '16 units of the first layer'
    """
    owner = "first_layer_weights"
    n = checks.integer(n, "n", owner)
    columns = checks.integer(columns, "columns", owner)
    net = one_network(model_of(model, owner).net, "model", owner)
    if net.architecture.embeddings is not None:
        rule = "must be a network whose first layer takes the inputs themselves, not embeddings"
        raise InvalidArgumentError(rule, "model", owner)
    W = np.asarray(net.weights[0][0], np.float64)
    height, width = _image_shape(image_shape, W.shape[1])
    units = np.argsort(-np.linalg.norm(W, axis=1), kind="stable")[:n]
    columns = min(columns, len(units))
    rows = math.ceil(len(units) / columns)
    ax = one_axes(ax, owner, (columns * 0.9 + 1.2, rows * 0.9 * height / width + 0.5))
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    canvas = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), np.nan)
    frames = []
    for i, unit in enumerate(units):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = W[unit].reshape(height, width)
        frames.append(Rectangle((left - 0.5, top - 0.5), width, height))
    largest = float(np.abs(W[units]).max()) or 1.0
    image = ax.imshow(
        canvas, cmap=diverging(), vmin=-largest, vmax=largest, interpolation="nearest"
    )
    # Half the width of the outermost lines lies outside the Axes.
    lines = PatchCollection(frames, facecolor="none", edgecolor=GREY, linewidth=0.6, clip_on=False)
    ax.add_collection(lines)
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=ax, label="weight", shrink=0.9, pad=0.02)
    kind = "units" if len(units) > 1 else "unit"
    of = f" of {len(W):,}" if len(W) > len(units) else ""
    ax.set_title(f"{len(units)}{of} {kind} of the first layer", fontsize="medium")
    ax.set_axis_off()
    return ax


def _image_shape(given: Any, in_features: int) -> tuple[int, int]:
    """Return the height and width of the inputs as an image."""
    if given is None:
        side = math.isqrt(in_features)
        if side * side == in_features:
            return side, side
        wanted = "given if the inputs do not form a square"
    else:
        shape = tuple(given) if isinstance(given, (tuple, list)) else ()
        if len(shape) == 2 and math.prod(shape) == in_features and min(shape) > 0:
            return shape[0], shape[1]
        wanted = "(height, width) with one pixel per input"
    raise InvalidArgumentError(
        f"must be {wanted}",
        "image_shape",
        "first_layer_weights",
        got=f"{given!r} for {in_features:,} inputs",
    )
