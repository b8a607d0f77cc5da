"""A diagram of a network: units in columns, with a line for each weight."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.model import one_network
from multilayer.plots.models import model_of
from multilayer.plots.style import BLACK, BLUE, GREY, ORANGE, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection

__all__ = ["network_diagram"]

Array = npt.NDArray[Any]

GAP = 2.4
"""Smallest distance between columns; units in a column are 1 apart."""
RADIUS = 0.32
INCHES = 0.45
"""Inches per unit of length in a new figure."""
LETTER = 0.17
"""Width of a letter in a name."""
WIDEST = 2.2
"""Width of the line for the largest weight, in points."""


def network_diagram(model: Any, *, max_units: int = 10, ax: "Axes | None" = None) -> "Axes":
    """Draw a network: its units in columns, and a line for each weight.

    A line's colour and width show its weight: blue and dashed if negative, orange and solid if
    positive, wider if larger. All layers share one scale. Biases and normalisations are not drawn.
    Grey lines connect inputs with their embeddings. If a layer has more than `max_units` units,
    only the first and the last ones are drawn, with dots between them.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A network of either engine, or an object that contains one. The columns and classes of a
        Model or estimator label the inputs and outputs.
    max_units : int
        Maximum number of units drawn per layer, at least 2.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidTypeError
        If matplotlib is not installed, or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> ax = network_diagram(MLP(Architecture(2, (3,), 1), rng=np.random.default_rng(0)))
    >>> [text.get_text().replace(chr(10), ": ") for text in ax.texts]
    ['inputs: 2', 'hidden 1: 3, relu', 'output: 1, identity']
    """
    owner = "network_diagram"
    max_units = checks.integer(max_units, "max_units", owner, minimum=2)
    found = model_of(model, owner)
    net = one_network(found.net, "model", owner)
    architecture = net.architecture
    embeddings, n_inputs = architecture.embeddings, architecture.in_features
    embedded = () if embeddings is None else (embeddings.out_features(n_inputs),)
    widths = (n_inputs, *embedded, *architecture.hidden_features, architecture.out_features)
    shown = [_shown(width, max_units) for width in widths]
    places = [_places(width, units) for width, units in zip(widths, shown, strict=True)]
    top = max(float(each.max()) for each in places) + 1
    columns = np.arange(len(widths)) * (GAP + top / 4)  # tall columns are farther apart
    input_names = found.inputs.input_names or ()
    output_names = () if found.targets is None else found.targets.output_names
    left, right = (1.2 + LETTER * max(map(len, names), default=0)
                   for names in (input_names, output_names))  # fmt: skip
    size = (INCHES * (left + columns[-1] + right) + 1.1, INCHES * (2 * top + 1.6))
    ax = one_axes(ax, owner, (float(size[0]), max(float(size[1]), 2.2)))

    layers = [W for W, _ in net.weights if W.ndim == 2]
    if embeddings is not None:  # lines only from each input to its own embedding
        sources = [*embeddings.plain(n_inputs), *np.repeat(embeddings.places, embeddings.width)]
        layers[0] = np.where(np.equal.outer(sources, np.arange(n_inputs)), 0.0, np.nan)
    layers = [W[np.ix_(shown[i + 1], shown[i])] for i, W in enumerate(layers)]
    largest = max(float(np.abs(W).max()) for W in layers[len(embedded) :]) or 1.0
    for i, W in enumerate(layers):
        lines = _draw_weights(ax, W, columns[i : i + 2], places[i : i + 2], largest)
        if i < len(embedded):
            lines.set(array=None, color=GREY, linewidth=0.6)
    heads = [
        f"inputs\n{widths[0]:,}",
        *(f"embeddings\n{width:,}" for width in embedded),
        *(
            f"hidden {i}\n{layer.out_features:,}, {layer.activation}"
            for i, layer in enumerate(architecture.hidden_layers, start=1)
        ),
        f"output\n{widths[-1]:,}, {architecture.output}",
    ]
    for x, heights, width, head in zip(columns, places, widths, heads, strict=True):
        _draw_units(ax, x, heights, is_elided=width > len(heights))
        ax.text(x, top, head, ha="center", va="bottom")
    for names, i, align in ((input_names, 0, "right"), (output_names, -1, "left")):
        x = columns[i] + (0.5 if align == "left" else -0.5)
        for unit, y in zip(shown[i], places[i], strict=True):
            if names:
                ax.text(x, y, names[unit], ha=align, va="center", fontsize="small")
    _draw_scale(ax, largest)
    ax.set(xlim=(-left, columns[-1] + right), ylim=(-top, top + 1.6), aspect="equal")
    ax.set_axis_off()
    return ax


def _shown(width: int, max_units: int) -> Array:
    """Return the indices of the units to draw."""
    if width <= max_units:
        return np.arange(width)
    first = (max_units + 1) // 2
    return np.concatenate([np.arange(first), np.arange(width - (max_units - first), width)])


def _places(width: int, units: Array) -> Array:
    """Return the units' heights, the first on top, with a gap where units are left out."""
    heights = -np.arange(len(units), dtype=np.float64)
    if width > len(units):
        heights[(len(units) + 1) // 2 :] -= 1.2
    return heights - (heights[0] + heights[-1]) / 2


def _draw_weights(
    ax: "Axes", W: Array, columns: Array, places: Sequence[Array], largest: float
) -> "LineCollection":
    """Draw the lines of a layer, with the largest weights on top; NaN means no line."""
    from matplotlib.collections import LineCollection

    order = np.argsort(np.abs(W), axis=None)[: W.size - np.isnan(W).sum()]  # NaN comes last
    to, source = np.unravel_index(order, W.shape)
    w = W[to, source].astype(np.float64)
    ends = np.empty((w.size, 2, 2))
    ends[:, :, 0] = columns
    ends[:, 0, 1], ends[:, 1, 1] = places[0][source], places[1][to]
    lines = LineCollection(
        list(ends),
        linewidths=0.3 + (WIDEST - 0.3) * np.abs(w) / largest,
        linestyles=[(0, (3, 1.5)) if each < 0 else "solid" for each in w],
        cmap=_colours(),
        zorder=1,
    )
    lines.set_array(w)
    lines.set_clim(-largest, largest)
    ax.add_collection(lines)
    return lines


def _colours() -> Any:
    """Return colours from blue to orange, with a visible grey instead of white in the middle."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("weights", [BLUE, "#dddddd", ORANGE])


def _draw_units(ax: "Axes", x: float, heights: Array, *, is_elided: bool) -> None:
    from matplotlib.patches import Circle

    for y in heights:
        ax.add_patch(Circle((x, y), RADIUS, facecolor="white", edgecolor=BLACK, zorder=2))
    if is_elided:
        above, below = next(pair for pair in pairwise(heights) if pair[0] - pair[1] > 1.5)
        dots = (above + below) / 2 + np.array([-0.3, 0.0, 0.3])
        ax.plot([x] * 3, dots, "o", color=GREY, markersize=3, zorder=2)


def _draw_scale(ax: "Axes", largest: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(-largest, largest), _colours())
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(mappable, ax=ax, label="weight", shrink=0.7, pad=0.02)
