"""Universal approximation: a curve drawn as the sum of the hidden units' contributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.data import toy
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy import MLP
from multilayer.plots.fitting import best_of
from multilayer.plots.style import BLACK, BLUE, COLOURS, GREY, LINE_STYLES, ORANGE, many_axes

__all__ = ["approximation"]

Array = npt.NDArray[Any]

N_SAMPLES, NOISE = 200, 0.1
N_POINTS = 400
SMOOTH = 1e-4
"""λ of the penalty: too small to change the curve, but enough to keep units from cancelling."""


def approximation(
    X: object = None,
    y: object = None,
    *,
    widths: Sequence[int] = (1, 3, 10, 100),
    activation: str = "relu",
    n_starts: int = 5,
    rng: np.random.Generator | None = None,
    axes: Any = None,
) -> npt.NDArray[Any]:
    r"""Fit networks with one hidden layer to a curve, and draw what each unit contributes.

    With n hidden units the network computes

    .. math:: f(x) = b + \sum_{j=1}^{n} v_j σ(w_j x + b_j).

    The upper row shows the samples and f; the lower row shows the terms :math:`v_j σ(w_j x + b_j)`
    and the constant b. With enough units, such sums approximate any continuous function
    on an interval as closely as desired: Cybenko 1989, theorem 1, for S-shaped σ; Leshno et al.
    1993, theorem 1, for any σ that is not a polynomial. The theorems say that suitable weights
    exist, not that training finds them.

    Parameters
    ----------
    X : array of shape (n_samples, 1), optional
        Samples; by default, 200 from `multilayer.data.toy.curve`.
    y : array of shape (n_samples,), optional
        The samples' values.
    widths : sequence of int
        The number n of hidden units in each network.
    activation : str
        σ: one of ``multilayer.numpy.ACTIVATIONS``.
    n_starts : int
        Number of training runs by L-BFGS for each width; the best one is drawn.
    rng : numpy.random.Generator, optional
        Draws samples and initial weights.
    axes : array of Axes, optional
        Where to draw: one Axes per width for the fits, then one per width for the contributions.

    Returns
    -------
    axes : array of Axes, of shape (2, number of widths)

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If only one of X and y is given, the samples do not have exactly one input, or an argument
        is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> axes = approximation(widths=(1, 3), n_starts=2, rng=np.random.default_rng(0))
    >>> [ax.get_title().partition(",")[0] for ax in axes[0]]
    ['1 hidden unit', '3 hidden units']
    """
    owner = "approximation"
    rng = checks.random_generator(rng, owner)
    n_starts = checks.integer(n_starts, "n_starts", owner)
    x, values = _samples(X, y, rng, owner)
    chosen = _widths(widths, owner)
    found = many_axes(axes, 2 * len(chosen), owner, columns=len(chosen), panel=(2.9, 2.4),
                      sharex=True)  # fmt: skip
    grid = found.reshape(2, len(chosen))
    line = np.linspace(x.min(), x.max(), N_POINTS)[:, None]
    for i, (n, (upper, lower)) in enumerate(zip(chosen, grid.T, strict=True)):
        architecture = Architecture(1, (n,), 1, activation=activation)
        net = best_of(
            architecture, (x, values), loss="squared_error", n_starts=n_starts, rng=rng, l2=SMOOTH
        )
        rmse = float(np.sqrt(np.mean((net(x)[:, 0] - values) ** 2)))
        upper.scatter(x, values, s=8, color=GREY, alpha=0.5, linewidths=0, label="samples")
        upper.plot(line, net(line), color=BLUE, linewidth=2, label="network")
        unit = "unit" if n == 1 else "units"
        upper.set_title(f"{n} hidden {unit}, RMSE {rmse:.1g}", fontsize="medium")
        _draw_units(lower, net, line)
        lower.set_xlabel("x")
        if not i:
            upper.set_ylabel("y")
            lower.set_ylabel("terms of the sum")
            for ax in (upper, lower):
                ax.legend(fontsize="small", loc="best")
    return grid


def _draw_units(ax: Any, net: MLP, line: Array) -> None:
    """Draw each term v_j σ(w_j x + b_j), and the constant."""
    terms = net.features(line) * net.weights[-1][0][0]
    (_, constant) = net.weights[-1]
    assert constant is not None
    few = terms.shape[1] <= len(LINE_STYLES)
    look: dict[str, Any] = {"color": ORANGE, "linewidth": 0.7, "alpha": 0.6}
    for j, term in enumerate(terms.T):
        if few:
            look = {"color": COLOURS[j], "linestyle": LINE_STYLES[j]}
        ax.plot(line, term, label=None if j else "$v_j$ σ($w_j$ x + $b_j$)", **look)
    ax.axhline(constant[0], color=BLACK, linestyle=":", linewidth=1.2, label="output bias")


def _samples(X: object, y: object, rng: np.random.Generator, owner: str) -> tuple[Array, Array]:
    """Return samples with one input and their values, given or drawn at random."""
    if X is None and y is None:
        return toy.curve(N_SAMPLES, NOISE, rng)
    if X is None or y is None:
        given, other = ("y", "X") if X is None else ("X", "y")
        raise InvalidArgumentError(f"must be given with {other}; {other} is None", given, owner)
    x = checks.sample_matrix(X, 1, np.float64)
    values = checks.finite_array(y, "y", np.float64, owner)
    if values.shape not in ((len(x),), (len(x), 1)):
        rule = f"must have shape ({len(x)},), one value per sample"
        raise InvalidDataError(rule, "y", owner, got=values.shape)
    if x.min() == x.max():
        rule = f"must have samples that differ; all {len(x)} are {x[0, 0]}"
        raise InvalidDataError(rule, "X", owner)
    return x, values.ravel()


def _widths(widths: Sequence[int], owner: str) -> list[int]:
    if isinstance(widths, str) or not isinstance(widths, Sequence) or not widths:
        raise InvalidTypeError("must be a sequence of integers", "widths", owner, got=repr(widths))
    return [checks.integer(n, f"widths[{i}]", owner) for i, n in enumerate(widths)]
