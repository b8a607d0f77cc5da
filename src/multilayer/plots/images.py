"""Pictures of image samples."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.plots.style import GREY, many_axes, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_image", "first_samples", "image_rows", "images_of", "said"]

Array = npt.NDArray[Any]

GAP = 2
"""Pixels between two images."""
LEAST_SIDE = 8
"""Minimum number of rows of a flattened image: four or nine features are columns of a table."""


def first_samples(
    images: object,
    labels: Any = None,
    *,
    n: int = 24,
    columns: int = 8,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the first images of a set in rows, each with its label above.

    Parameters
    ----------
    images : array of shape (n_samples, height, width) or ScaledImages
        Greyscale images in any scaling; large values are drawn dark.
    labels : array of shape (n_samples,), optional
        The text above each image.
    n, columns : int
        The number of images, and the number of images in a row.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        If `images` are not images, a label is missing, or another argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> ax = first_samples(digits.images, digits.target, n=10, columns=5)
    >>> [text.get_text() for text in ax.texts]
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
    """
    owner = "first_samples"
    n = checks.integer(n, "n", owner)
    columns = checks.integer(columns, "columns", owner)
    pixels = getattr(images, "pixels", images)  # ScaledImages keeps them on disk
    shown = np.asarray(pixels[:n] if hasattr(pixels, "__getitem__") else pixels)
    if shown.ndim != 3 or not shown.size:
        rule = "must have shape (n_samples, height, width)"
        raise InvalidDataError(rule, "images", owner, got=shown.shape)
    n = len(shown)
    if labels is not None and len(labels) < n:
        rule = f"must be one for each of the {n} images"
        raise InvalidDataError(rule, "labels", owner, got=len(labels))

    columns = min(columns, n)
    rows = math.ceil(n / columns)
    height, width = shown.shape[1:]
    header = 0 if labels is None else max(height // 3, 3)
    canvas = np.full(
        (rows * (header + height + GAP), columns * (width + GAP) - GAP), float(shown.min())
    )
    ax = one_axes(ax, owner, (columns * 0.9, rows * 0.9 * (header + height) / width))
    for i, image in enumerate(shown):
        top = (i // columns) * (header + height + GAP) + header
        left = (i % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = image
        if labels is not None:
            ax.text(left + width / 2, top - header / 2, str(labels[i]), ha="center", va="center")
    ax.imshow(canvas, cmap="gray_r", interpolation="nearest")
    ax.set_axis_off()
    return ax


def images_of(X: object, owner: str) -> Array:
    """Return samples as images, of shape (n_samples, height, width); flattened ones are squares.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If the samples are not images, or contain anything but finite numbers.
    """
    found = checks.finite_array(X, "X", np.float64, owner)
    side = math.isqrt(found.shape[-1]) if found.ndim == 2 else 0
    if len(found) and side >= LEAST_SIDE and side**2 == found.shape[1]:
        return found.reshape(len(found), side, side)
    if not found.size or found.ndim != 3:
        rule = (
            "must have shape (n_samples, height, width), or as many features as a square of "
            f"at least {LEAST_SIDE} × {LEAST_SIDE} pixels"
        )
        raise InvalidDataError(rule, "X", owner, got=f"shape {found.shape}")
    return found


def draw_image(ax: "Axes", image: Array, low: float, high: float, cmap: Any = "gray_r") -> None:
    """Draw a single image in Axes, in a frame without ticks; by default, `high` is black."""
    ax.imshow(image, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=GREY, linewidth=0.6)


def image_rows(
    axes: Any, names: Sequence[str], n: int, owner: str, height: float
) -> npt.NDArray[Any]:
    """Return Axes for rows of n images, each row with its name on the left.

    `height` is the height of one Axes of a new figure, in inches.
    """
    grid = many_axes(axes, len(names) * n, owner, columns=n, panel=(1.5, height))
    grid = grid.reshape(len(names), n)
    for ax, name in zip(grid[:, 0], names, strict=True):
        ax.set_ylabel(name, fontsize="small")
    return grid


def said(name: object, probability: float) -> str:
    """Return the text for a predicted class and its probability."""
    return f"predicted {name}\n{100 * probability:.1f} %"
