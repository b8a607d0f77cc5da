"""Layers during training: activations, gradients, dead units and updates."""

from typing import TYPE_CHECKING, Any

import numpy as np

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.plots.style import BLACK, BLUE, GREY, ORANGE, look, one_axes
from multilayer.training import LayerStatistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["gradient_flow", "layer_statistics"]

LABELS = {
    "activations": "activation a",
    "gradients": "size of the gradient |∂J/∂a|",
    "activation_mean": "mean of the activations",
    "activation_std": "standard deviation of the activations",
    "zeros": "share of activations that are 0",
    "dead": "share of dead units: slope 0 for every sample",
    "saturated": "share of saturated units",
    "weight_norm": "norm of the weights ‖W‖",
    "gradient_norm": "norm of the gradient ‖∂J/∂W‖",
    "update_ratio": "relative size of the update ‖ΔW‖/‖W‖",
}
LOGARITHMIC = ("gradients", "gradient_norm", "update_ratio")
"""Statistics that span orders of magnitude from layer to layer."""
STRIP = 0.84
"""Width of a layer's strip; layers are 1 apart."""
N_LINES = 5
"""Maximum number of lines in a gradient flow."""


def layer_statistics(
    statistics: LayerStatistics, name: str = "activations", *, ax: "Axes | None" = None
) -> "Axes":
    """Draw one statistic of every layer over the steps of a training run.

    The distributions ``activations`` and ``gradients`` have a strip per layer, with the steps from
    left to right: the median, a dark band with the middle 50 % of the values, and a light band with
    90 %. All other statistics have a line per layer.

    Look for activations that shrink or grow from layer to layer, gradients that vanish towards the
    inputs, units that die, and updates much larger or smaller than a thousandth of the weights.

    Parameters
    ----------
    statistics : LayerStatistics
        The callback, after `fit` has used it.
    name : str
        The name of the statistic.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidTypeError, InvalidArgumentError, UnknownNameError
        If `statistics` is something else or was not used in training, or the name is unknown.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import fit
    >>> X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    >>> watch = LayerStatistics(X, y)
    >>> history = fit(MLP(Architecture(2, (8,), 2)), (X, y), loss="cross_entropy", n_epochs=20,
    ...               callbacks=[watch])
    >>> ax = layer_statistics(watch, "dead")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['hidden 1', 'output']
    """
    _check(statistics, "layer_statistics")
    values = statistics[name]
    is_distribution = values.ndim == 3
    n_layers = len(statistics.layers)
    size = (max(1.4 * n_layers + 1.0, 4.0), 3.6) if is_distribution else (5.6, 4.0)
    ax = one_axes(ax, "layer_statistics", size)
    if is_distribution:
        _draw_strips(ax, statistics, values)
    else:
        for i, layer in enumerate(statistics.layers):
            ax.plot(
                statistics.steps, values[:, i], label=layer, **look(i),
                markersize=4, markevery=max(len(statistics.steps) // 8, 1),
            )  # fmt: skip
        ax.set_xlabel("step")
        ax.legend()
    ax.set_ylabel(LABELS[name])
    # A gradient of 0 has no logarithm and leaves a break in the line.
    if name in LOGARITHMIC and (values > 0).any():
        ax.set_yscale("log")
    if name in ("zeros", "dead", "saturated"):
        ax.set_ylim(-0.03, 1.03)
    return ax


def gradient_flow(statistics: LayerStatistics, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the size of the gradient of each layer's weights, from the inputs to the output.

    Each line is a step: the first, the last, and some in between. Lines that fall steeply towards
    the inputs show vanishing gradients; lines that rise towards the inputs show exploding
    gradients. The size is the root mean square of the gradient's entries, to make wide and narrow
    layers comparable.

    Parameters
    ----------
    statistics : LayerStatistics
        The callback, after `fit` has used it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidTypeError, InvalidArgumentError
        If matplotlib is not installed, or `statistics` is something else or was not used in
        training.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import fit
    >>> X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    >>> watch = LayerStatistics(X, y)
    >>> history = fit(MLP(Architecture(2, (8,), 2)), (X, y), loss="cross_entropy", n_epochs=20,
    ...               batch_size=40, callbacks=[watch])
    >>> [line.get_label() for line in gradient_flow(watch).get_lines()]
    ['step 1', 'step 10', 'step 20']
    """
    _check(statistics, "gradient_flow")
    sizes = statistics["gradient_norm"] / np.sqrt(statistics.n_weights)
    n_layers, n_records = len(statistics.layers), len(statistics.steps)
    ax = one_axes(ax, "gradient_flow", (max(1.1 * n_layers + 1.6, 4.4), 3.8))
    chosen = np.unique(np.linspace(0, n_records - 1, min(N_LINES, n_records)).round().astype(int))
    for i, record in enumerate(chosen):
        n_above = len(chosen) - 1 - i  # lines below are wider, to stay visible
        ax.plot(
            range(n_layers), sizes[record],
            **look(i) | {"color": _ramp(i, len(chosen))},
            linewidth=1.2 + 0.5 * n_above, markersize=4 + 1.5 * n_above,
            label=f"step {statistics.steps[record]:,}",
        )  # fmt: skip
    ax.set_xticks(range(n_layers), statistics.layers)
    ax.set_ylabel("root mean square of ∂J/∂W")
    if (sizes > 0).any():
        ax.set_yscale("log")
    ax.legend()
    return ax


def _draw_strips(ax: "Axes", statistics: LayerStatistics, values: Any) -> None:
    """Draw a strip for each layer, with the steps from left to right."""
    steps = np.asarray(statistics.steps, dtype=np.float64)
    along = (steps - steps[0]) / (np.ptp(steps) or 1) * STRIP - STRIP / 2
    if len(steps) == 1:  # draw a single record as a bar
        along, values = np.array([-STRIP / 2, STRIP / 2]), np.repeat(values, 2, axis=0)
    for i in range(len(statistics.layers)):
        low, first, median, third, high = values[:, i].T
        names = ("90 %", "50 % of the values", "median") if i == 0 else (None, None, None)
        ax.fill_between(i + along, low, high, color="#c9dfee", linewidth=0, label=names[0])
        ax.fill_between(i + along, first, third, color="#6aabd2", linewidth=0, label=names[1])
        ax.plot(i + along, median, color=BLACK, linewidth=1.2, label=names[2])
        ax.axvline(i - 0.5, color=GREY, linewidth=0.5)
    ax.set(xlim=(-0.5, len(statistics.layers) - 0.5))
    ax.set_xticks(range(len(statistics.layers)), statistics.layers)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel(f"steps {statistics.steps[0]:,} to {statistics.steps[-1]:,} in each strip")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False,
              fontsize="small")  # fmt: skip


def _ramp(i: int, n: int) -> Any:
    """Return the i-th of n colours, from light to dark even in greyscale."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = LinearSegmentedColormap.from_list("steps", ["#e69f00", "#cc79a7", ORANGE, BLUE, BLACK])
    return steps(i / max(n - 1, 1))


def _check(statistics: Any, owner: str) -> None:
    if not isinstance(statistics, LayerStatistics):
        rule = "must be a LayerStatistics"
        raise InvalidTypeError(rule, "statistics", owner, got=type(statistics).__name__)
    if not statistics.steps:
        rule = "must have been used in training: fit(…, callbacks=[statistics])"
        raise InvalidArgumentError(rule, "statistics", owner)
