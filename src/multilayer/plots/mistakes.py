"""A classifier's worst mistakes, as images or as rows of a table."""

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.model import class_places
from multilayer.plots.models import class_probabilities
from multilayer.plots.style import one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["most_wrong"]

Array = npt.NDArray[Any]

GAP = 0.15
"""Space between two images, relative to an image's width."""
LINES = 0.42
"""Height of the text above an image, relative to the image's width."""
N_COLUMNS = 6
"""Maximum number of a table's inputs to show."""


def most_wrong(
    model: Any,
    X: Any,
    y: Any,
    *,
    n: int = 12,
    columns: int = 6,
    images: Any = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the wrongly predicted samples, starting with the least probable true class.

    They show wrong labels, hard samples, and what the model has not learned.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A classifier; a network's classes are the numbers of its outputs.
    X : array or table of shape (n_samples, in_features), or (n_samples, height, width)
        Samples in the form that the model takes; images are flattened for it.
    y : array of shape (n_samples,)
        The true classes.
    n : int
        Maximum number of samples to draw.
    columns : int
        Number of images in a row.
    images : array of shape (n_samples, height, width), optional
        An image of each sample, such as the pixels before scaling and flattening. By default X
        itself, if it has this shape; otherwise samples are drawn as rows of a table, with the first
        few inputs in which they differ.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        Each sample has its row number in X, or its label in a data frame's index, and its true and
        predicted class with their probabilities.

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> X = np.array([[[0.1, 0.0]], [[0.6, 0.0]], [[0.9, 1.0]]])
    >>> ax = most_wrong(lambda X: X[:, 0], X, [0, 0, 0], n=2)
    >>> print(ax.texts[0].get_text())
    row 2
    true 0: 10.0 %
    predicted 1: 90.0 %
    """
    owner = "most_wrong"
    n = checks.integer(n, "n", owner)
    columns = checks.integer(columns, "columns", owner)
    samples = checks.array(X, "X", owner)
    if images is None and samples.ndim == 3:
        images = samples
    if samples.ndim not in (2, 3):
        rule = "must have shape (n_samples, in_features) or (n_samples, height, width)"
        raise InvalidDataError(rule, "X", owner, got=samples.shape)
    if images is not None and (np.ndim(images) != 3 or len(images) != len(samples)):
        rule = f"must have shape ({len(samples)}, height, width), one per sample"
        raise InvalidDataError(rule, "images", owner, got=np.shape(images))
    flat = X if hasattr(X, "columns") else samples.reshape(len(samples), -1)
    classes, p = class_probabilities(model, flat, owner)
    truth = class_places(y, classes, len(p), owner)
    predicted = p.argmax(axis=1)
    of_truth = p[np.arange(len(p)), truth]
    wrong = np.flatnonzero(predicted != truth)
    rows = wrong[np.argsort(of_truth[wrong], kind="stable")][:n]
    labels = X.index if hasattr(X, "iloc") else range(len(p))
    captions = [
        (
            str(labels[row]),
            f"{classes[truth[row]]}: {_share(of_truth[row])}",
            f"{classes[predicted[row]]}: {_share(p[row].max())}",
        )
        for row in rows
    ]
    if not captions:
        ax = one_axes(ax, owner, (5, 1))
        ax.text(
            0.5, 0.5, f"all {len(p):,} samples are predicted correctly", ha="center", va="center"
        )
        ax.set_axis_off()
        return ax
    if images is None:
        names = [str(name) for name in getattr(X, "columns", range(samples.shape[1]))]
        return _draw_rows(samples[rows], captions, names, ax)
    return _draw_images(np.asarray(images)[rows], captions, min(columns, len(rows)), ax)


def _draw_images(
    images: Array, captions: list[tuple[str, str, str]], columns: int, ax: "Axes | None"
) -> "Axes":
    """Draw images of width 1 in rows, each with its text above."""
    tall = images.shape[1] / images.shape[2]
    step_x, step_y = 1 + GAP, tall + LINES + GAP
    n_lines = math.ceil(len(images) / columns)
    ax = one_axes(ax, "most_wrong", (1.3 * columns * step_x, 1.3 * n_lines * step_y))
    # The largest font for which three lines fit above an image, and the longest fits its width.
    box, figure = ax.get_window_extent(), ax.get_figure(root=True)
    assert figure is not None
    pixels = min(box.width / (columns * step_x), box.height / (n_lines * step_y))
    scale = 72 / figure.dpi * pixels
    n_letters = max(len(f"predicted {predicted}") for _, _, predicted in captions)
    font_size = min(scale * LINES / 3.9, scale * (1 + GAP) / (0.58 * n_letters), 9.0)
    for i, (image, (row, true, predicted)) in enumerate(zip(images, captions, strict=True)):
        left, top = i % columns * step_x, i // columns * step_y + LINES
        ax.imshow(
            image, cmap="gray_r", interpolation="nearest", extent=(left, left + 1, top + tall, top)
        )
        text = f"row {row}\ntrue {true}\npredicted {predicted}"
        ax.text(left, top - 0.03, text, fontsize=font_size, va="bottom")
    ax.set(xlim=(0, columns * step_x - GAP), ylim=(n_lines * step_y - GAP, 0), aspect="equal")
    ax.set_axis_off()
    return ax


def _draw_rows(
    samples: Array, captions: list[tuple[str, str, str]], names: list[str], ax: "Axes | None"
) -> "Axes":
    """Draw a table with one row per sample."""
    n_more = len(names) - N_COLUMNS
    more = ["…"] if n_more > 0 else []
    # Inputs with the same value in all these samples come last.
    order = sorted(range(len(names)), key=lambda j: len(set(map(str, samples[:, j]))) == 1)
    shown = order[:N_COLUMNS]
    heads = [
        "row",
        "true",
        "predicted",
        *(names[j] for j in shown),
        *(f"{n_more} more" for _ in more),
    ]
    cells = [
        [*texts, *(_short(sample[j]) for j in shown), *more]
        for sample, texts in zip(samples, captions, strict=True)
    ]
    n_letters = sum(max(map(len, column)) + 3 for column in zip(heads, *cells, strict=True))
    ax = one_axes(ax, "most_wrong", (n_letters / 13, 0.28 * len(cells) + 0.5))
    ax.set_axis_off()
    table = ax.table(cells, colLabels=heads, loc="center", cellLoc="right", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width(list(range(len(heads))))
    table.scale(1, 1.2)
    return ax


def _share(probability: float) -> str:
    percent = 100 * probability
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.1g} %"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, Real) else str(value)
