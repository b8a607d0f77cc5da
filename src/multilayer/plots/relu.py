"""Why ReLU: measurements of activations as a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.inspection import ActivationMeasurement
from multilayer.plots.style import look, many_axes

__all__ = ["why_relu"]


def why_relu(
    measurements: Sequence[ActivationMeasurement], *, axes: Any = None
) -> npt.NDArray[Any]:
    """Draw the size of gradients by depth, the share of zeros, and the time of activations.

    The first panel shows the root mean square of dW in each hidden layer, relative to the last one,
    on a logarithmic scale: how much of the gradient reaches the first layers. A layer with a
    gradient of 0 has no point.

    Parameters
    ----------
    measurements : sequence of ActivationMeasurement
        The result of `multilayer.inspection.measure_activations`.
    axes : array of three Axes, optional
        Where to draw.

    Returns
    -------
    axes : array of three Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidTypeError
        If these are not measurements, or the networks differ in depth.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer.inspection import measure_activations
    >>> axes = why_relu(measure_activations(["tanh", "relu"], depth=4, width=20, n_networks=2,
    ...                                     rng=np.random.default_rng(0)))
    >>> [line.get_label() for line in axes[0].get_lines()]
    ['tanh', 'relu']
    """
    owner = "why_relu"
    _check(measurements, owner)
    found = many_axes(axes, 3, owner, panel=(3.6, 3.2))
    gradients, zeros, times = found
    depth = len(measurements[0].zeros)
    layers = np.arange(1, depth + 1)
    for i, measured in enumerate(measurements):
        sizes = np.where(measured.gradient_sizes > 0, measured.gradient_sizes, np.nan)
        gradients.plot(layers, sizes / sizes[-1], label=measured.name, **look(i))
        zeros.plot(layers, 100 * measured.zeros, label=measured.name, **look(i))
    names = [measured.name for measured in measurements]
    colours = [look(i)["color"] for i in range(len(names))]
    bars = times.barh(names, [measured.nanoseconds for measured in measurements], color=colours)
    times.bar_label(bars, fmt="%.2g", padding=3)
    times.margins(x=0.15)
    times.invert_yaxis()
    gradients.set_yscale("log")
    gradients.set_title("size of dW relative to the last layer", fontsize="medium")
    gradients.legend(fontsize="small")
    zeros.set_ylim(-4, 104)
    zeros.set_title("share of zero outputs, in %", fontsize="medium")
    times.set_title("forward + backward, ns per number", fontsize="medium")
    for ax in (gradients, zeros):
        ax.set_xlabel("hidden layer")
        ax.locator_params(axis="x", integer=True)
    return found


def _check(measurements: Any, owner: str) -> None:
    """Raise if these are not measurements of networks with the same depth."""
    are_measurements = (
        isinstance(measurements, Sequence)
        and measurements
        and all(isinstance(each, ActivationMeasurement) for each in measurements)
    )
    if not are_measurements:
        rule = "must be the result of measure_activations"
        raise InvalidTypeError(rule, "measurements", owner, got=repr(measurements))
    depths = {len(each.zeros) for each in measurements}
    if len(depths) > 1:
        rule = "must be of networks with the same depth"
        raise InvalidArgumentError(rule, "measurements", owner, got=sorted(depths))
