"""How every picture looks, and the Axes that it is drawn in.

The colours are Okabe and Ito's, which the colour-blind can tell apart (Okabe & Ito 2008, "Color
Universal Design"). Line styles and markers differ too, for pictures in grey. Surfaces go from blue
through white to an orange that is lighter than the blue, in grey too.
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
"""Of classes and curves, in this order; then from the first again."""
MARKERS = "os^DvPX*"
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
WIDEST = 9.5
"""Inches of a figure of many panels: a page scales wider ones down, and their text with them."""
N_COLUMNS = 4
"""Panels in a row, where the caller does not say how many."""
N_LETTERS = 20
"""Of a name, those that a picture has room for."""


def look(i: int) -> dict[str, Any]:
    """Return how the i-th curve is told from the others, in colour and in grey.

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
    """Return names as texts, of long ones the beginning and the end; whole if two became one.

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
    """Return the colours of surfaces: blue, white in the middle, orange."""
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
        The function that was called, for the message.
    size : tuple of float
        Width and height of the new figure in inches.

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
    """Return `n` Axes as a vector: those given, or new ones in rows of `columns`.

    Parameters
    ----------
    axes : array or sequence of Axes, or None
        As many as are needed; of more than one row, row by row.
    columns : int, optional
        How many stand in a row; by default up to 4, as many in each row as can be.
    panel : tuple of float
        Width and height of each new one in inches; where the figure would be too wide, they are
        narrower, by a third at most.
    **settings
        Of ``matplotlib.pyplot.subplots``, such as ``sharey``.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If these are no Axes, or not as many as are needed.
    """
    plt = pyplot()
    if axes is not None:
        given = [axes] if not isinstance(axes, (Sequence, np.ndarray)) else np.ravel(axes)
        found = [_checked(ax, f"axes[{i}]", owner) for i, ax in enumerate(given)]
        if len(found) != n:
            rule = f"must be {n} matplotlib Axes, one a panel"
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
