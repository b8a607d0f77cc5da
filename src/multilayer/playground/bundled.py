"""Bundled data: scikit-learn's iris and digits, and the conversion of drawn digits."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.data import Table, read_table

__all__ = ["SIDE", "digits", "iris", "like_a_digit"]

Array = npt.NDArray[Any]

SIDE = 8
"""Height and width of an image, in pixels."""
WIDEST = 7
"""Width of the widest digits, in pixels."""
INK = 0.4
"""A pixel belongs to a digit if it is darker than this share of the darkest pixel."""


@cache
def iris() -> Table:
    """Return 150 irises of three species, each with four measurements."""
    with forks.imports:
        from sklearn.datasets import load_iris
    found = load_iris()
    columns = dict(zip(found.feature_names, found.data.T, strict=True))
    return read_table(columns | {"species": found.target_names[found.target]})


@cache
def digits() -> tuple[Array, Array]:
    """Return 1,797 images of digits, of shape (n, 64), from 0 to 1, and which digits they are."""
    with forks.imports:
        from sklearn.datasets import load_digits
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def like_a_digit(drawn: Array) -> Array:
    """Return a drawn image in the form of the data set: from top to bottom, and centred.

    The ink is scaled to the full height, and its width by the same factor, but to at most 7 of 8
    pixels. Its centre of mass moves to the middle, and its darkest pixel becomes 1. Values between
    pixels are interpolated linearly. Most images of the data set itself move by less than half a
    pixel.

    Parameters
    ----------
    drawn : array of shape (8, 8)
        From 0 to 1; an image without ink stays as it is.

    Returns
    -------
    array of shape (8, 8)
    """
    if not drawn.any():
        return drawn
    ink = drawn > INK * drawn.max()
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    down = SIDE / height
    across = min(down, WIDEST / width)
    middle = (drawn.sum(axis=0) @ (np.arange(SIDE) + 0.5)) / drawn.sum()
    found = _taking(rows[0], down) @ drawn @ _taking(middle - SIDE / 2 / across, across).T
    return found / found.max()


def _taking(start: float, scale: float) -> Array:
    """Return the matrix that resamples a row of pixels from `start` on, enlarged by `scale`."""
    places = (np.arange(SIDE) + 0.5) / scale + start - 0.5
    reach = max(1.0, 1 / scale)  # if the image shrinks, each pixel is a mean of several
    distances = np.abs(np.arange(SIDE) - places[:, np.newaxis])
    return np.clip(1 - distances / reach, 0, None) / reach
