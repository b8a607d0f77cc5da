"""Activations and their derivatives as curves."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy import ACTIVATIONS, Elementwise
from multilayer.plots.style import BLUE, GREY, ORANGE, look, many_axes

__all__ = ["activations"]

Array = npt.NDArray[Any]

N_POINTS = 400


def activations(
    names: str | Sequence[str] | None = None,
    *,
    together: bool = False,
    z_max: float = 4.0,
    axes: Any = None,
) -> npt.NDArray[Any]:
    r"""Draw activations a = σ(z) and their derivatives σ'(z).

    Parameters
    ----------
    names : str or sequence of str, optional
        Names of ``multilayer.numpy.ACTIVATIONS``; by default all elementwise ones. Softmax and
        log-softmax act on a whole row, so they have no curve.
    together : bool
        Whether to draw all of them in one pair of panels, σ and σ', for comparison; otherwise each
        has its own panel with both curves.
    z_max : float
        Curves go from −z_max to z_max.
    axes : array of Axes, optional
        Where to draw: one Axes per activation, or two if `together`.

    Returns
    -------
    axes : array of Axes

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    InvalidArgumentError, InvalidTypeError
        If an activation does not exist, or an argument is invalid.

    Notes
    -----
    The curve of σ' is broken where σ' jumps, since it has no value there; the activation's
    docstring says which value the engine uses.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> [ax.get_title() for ax in activations(["sigmoid", "relu"])]
    ['sigmoid', 'relu']
    >>> [ax.get_title() for ax in activations(["sigmoid", "tanh", "relu"], together=True)]
    ['activation σ(z)', "derivative σ'(z)"]
    """
    owner = "activations"
    chosen = _chosen(names, owner)
    z_max = checks.real(z_max, "z_max", owner, "(0, inf)")
    if checks.flag(together, "together", owner):
        found = many_axes(axes, 2, owner, panel=(4.6, 3.8))
        _draw_together(found, chosen, z_max)
    else:
        found = many_axes(axes, len(chosen), owner, panel=(2.4, 2.2))
        _draw_apart(found, chosen, z_max)
    for ax in found:
        ax.set_xlabel("z")
        ax.locator_params(axis="x", integer=True)
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        ax.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    return found


def _draw_apart(axes: Array, chosen: dict[str, Elementwise], z_max: float) -> None:
    for i, (ax, (name, activation)) in enumerate(zip(axes, chosen.items(), strict=True)):
        z, a, slope = _curves(activation, z_max)
        ax.plot(z, a, color=BLUE, label="σ(z)")
        ax.plot(z, slope, color=ORANGE, linestyle="--", label="σ'(z)")
        ax.set_title(name)
        if not i:
            ax.legend(loc="upper left", frameon=False)


def _draw_together(axes: Array, chosen: dict[str, Elementwise], z_max: float) -> None:
    for i, (name, activation) in enumerate(chosen.items()):
        z, a, slope = _curves(activation, z_max)
        curve = look(i) | {"marker": "", "label": name}
        axes[0].plot(z, a, **curve)
        axes[1].plot(z, slope, **curve)
    axes[0].set_title("activation σ(z)")
    axes[1].set_title("derivative σ'(z)")
    axes[0].legend(frameon=False, ncols=1 + len(chosen) // 6)


def _curves(activation: Elementwise, z_max: float) -> tuple[Array, Array, Array]:
    """Return z, σ(z) and σ'(z), with a break at each kink, where σ' may jump."""
    ends = [-z_max, *(kink for kink in activation.kinks if abs(kink) < z_max), z_max]
    pieces: list[Array] = []
    for low, high in itertools.pairwise(ends):
        inside = np.linspace(low, high, N_POINTS)
        inside[0], inside[-1] = np.nextafter(low, high), np.nextafter(high, low)
        pieces += [inside, np.array([np.nan])]
    z: Array = np.concatenate(pieces[:-1])
    a = activation.forward(z)
    return z, a, activation.derivative(z, a)


def _chosen(names: str | Sequence[str] | None, owner: str) -> dict[str, Elementwise]:
    """Return the activations with these names, in this order."""
    curves = {n: act for n, act in ACTIVATIONS.items() if isinstance(act, Elementwise)}
    if names is None:
        return curves
    asked = [names] if isinstance(names, str) else names
    if not isinstance(asked, Sequence):
        raise InvalidTypeError("must be names of activations", "names", owner, got=repr(names))
    if not asked:
        rule = "must contain at least one name"
        raise InvalidArgumentError(rule, "names", owner, got=repr(names))
    for name in asked:
        ACTIVATIONS.names.check(name, owner)
        if name not in curves:
            rule = f"must be elementwise activations: {', '.join(curves)}"
            raise InvalidArgumentError(f"{rule}; {name!r} acts on a whole row", "names", owner)
    return {name: curves[name] for name in asked}
