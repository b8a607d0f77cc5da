"""The style of all pictures, and their Axes.

The colours are Okabe and Ito's, which colour-blind readers can tell apart (Okabe & Ito 2008, "Color
Universal Design"). Line styles and markers differ too, for greyscale. Surfaces go from blue through
white to an orange that is lighter than the blue also in greyscale.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidTypeError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "LINE_STYLES",
    "MARKERS",
    "ORANGE",
    "diverging",
    "look",
    "many_axes",
    "one_axes",
    "pyplot",
    "short_names",
]

BLUE, ORANGE, GREEN, BLACK, GREY = "#0072b2", "#d55e00", "#009e73", "#000000", "#666666"
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#7a5200", BLACK)
"""Colours of classes and curves, in this order; they repeat if there are more."""
MARKERS = "os^DvPX*"
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
WIDEST = 9.5
"""Maximum width of a figure in inches: a page would shrink a wider one and its text."""
N_COLUMNS = 4
"""Default maximum number of panels in a row."""
N_LETTERS = 20
"""Maximum length of a name in a picture."""


def look(i: int) -> dict[str, Any]:
    """Return the colour, line style and marker of the i-th curve.

    Examples
    --------
    >>> look(1)
    {'color': '#d55e00', 'linestyle': '--', 'marker': 's'}
    """
    kinds = {"color": COLOURS, "linestyle": LINE_STYLES, "marker": MARKERS}
    return {name: choices[i % len(choices)] for name, choices in kinds.items()}


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            'multilayer.plots needs matplotlib: pip install "multilayer[plot]"'
        ) from error
    return plt


def short_names(names: Iterable[object]) -> list[str]:
    """Return names as strings; shorten long ones in the middle unless two would look the same.

    Examples
    --------
    >>> short_names(["cat", "owner of a house in the country"])
    ['cat', 'owner of a…e country']
    """
    whole = [str(name) for name in names]
    half = N_LETTERS // 2
    short = [
        text if len(text) <= N_LETTERS else f"{text[:half].rstrip()}…{text[1 - half :]}"
        for text in whole
    ]
    return short if len(set(short)) == len(set(whole)) else whole


def diverging() -> "LinearSegmentedColormap":
    """Return the colours of surfaces: from blue through white to orange."""
    pyplot()
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "blue_orange", [BLUE, "#8fc1de", "#ffffff", "#f6d795", "#e69f00"]
    )


def one_axes(ax: "Axes | None", owner: str, size: tuple[float, float] = (5.0, 4.0)) -> "Axes":
    """Return `ax`, or the Axes of a new figure if it is None.

    Parameters
    ----------
    owner : str
        The calling function, for error messages.
    size : tuple of float
        Width and height of a new figure in inches.

    Raises
    ------
    InvalidTypeError
        If `ax` is something else.
    """
    plt = pyplot()
    if ax is None:
        return plt.subplots(figsize=size, layout="constrained")[1]
    return _checked(ax, "ax", owner)


def many_axes(
    axes: Any,
    n: int,
    owner: str,
    *,
    columns: int | None = None,
    panel: tuple[float, float] = (3.0, 2.7),
    **settings: Any,
) -> npt.NDArray[Any]:
    """Return `n` Axes as a vector: the given ones, or new ones in rows of `columns`.

    Parameters
    ----------
    axes : array or sequence of Axes, or None
        Exactly `n` Axes, row by row.
    columns : int, optional
        Number of Axes in a row; by default up to 4, spread evenly over the rows.
    panel : tuple of float
        Width and height of new Axes in inches; they are up to a third narrower if the figure would
        be too wide.
    **settings
        Arguments of ``matplotlib.pyplot.subplots``, such as ``sharey``.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If `axes` are not Axes, or their number is not `n`.
    """
    plt = pyplot()
    if axes is not None:
        given = [axes] if not isinstance(axes, (Sequence, np.ndarray)) else np.ravel(axes)
        found = [_checked(ax, f"axes[{i}]", owner) for i, ax in enumerate(given)]
        if len(found) != n:
            rule = f"must be {n} matplotlib Axes, one per panel"
            raise InvalidArgumentError(rule, "axes", owner, got=len(found))
        return _vector(found)
    columns = math.ceil(n / math.ceil(n / N_COLUMNS)) if columns is None else min(columns, n)
    rows = math.ceil(n / columns)
    width, height = panel
    width = min(width, max(WIDEST / columns, 2 / 3 * width))
    figure, new = plt.subplots(
        rows,
        columns,
        figsize=(columns * width, rows * height),
        layout="constrained",
        squeeze=False,
        **settings,
    )
    for spare in new.ravel()[n:]:
        figure.delaxes(spare)
    return _vector(new.ravel()[:n])


def _vector(axes: Sequence["Axes"]) -> npt.NDArray[Any]:
    found = np.empty(len(axes), dtype=object)
    found[:] = list(axes)
    return found


def _checked(ax: Any, parameter: str, owner: str) -> Any:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise InvalidTypeError("must be a matplotlib Axes", parameter, owner, got=type(ax).__name__)
    return ax
