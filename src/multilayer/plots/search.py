"""The result of a search: the score against each hyperparameter."""

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.plots.style import BLUE, ORANGE, many_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["search"]

SPREAD = 20.0
"""The ratio of the largest to the smallest value from which an axis is logarithmic."""


def search(source: Any, *, metric: str = "score", axes: Any = None) -> npt.NDArray[Any]:
    """Draw the score of each candidate against each searched hyperparameter.

    Parameters
    ----------
    source : MLPSearchCV, another fitted search of scikit-learn, or dict
        The search, or its ``cv_results_``.
    metric : str
        The score to draw, if there are several.
    axes : array of Axes, optional
        Where to draw: one Axes for each hyperparameter; a new figure by default.

    Returns
    -------
    array of Axes
        Each point is a candidate at its mean score over the folds, with a line of one standard
        deviation up and down; the best candidate is marked. After halving, only the last round is
        drawn.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If `source` is not a fitted search, or does not have this score.
    MissingPackageError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> results = {"params": [{"alpha": 0.1}, {"alpha": 0.2}], "mean_test_score": [0.5, 0.7],
    ...            "std_test_score": [0.1, 0.1]}
    >>> [ax.get_xlabel() for ax in search(results)]
    ['alpha']
    """
    results = getattr(source, "cv_results_", source)
    if not isinstance(results, dict) or "params" not in results:
        rule = "must be a fitted search, or its cv_results_"
        raise InvalidTypeError(rule, "source", "search", got=type(source).__name__)
    if f"mean_test_{metric}" not in results:
        known = [n.removeprefix("mean_test_") for n in results if n.startswith("mean_test_")]
        rule = f"must be one of {', '.join(known)}"
        raise InvalidArgumentError(rule, "metric", "search", got=repr(metric))
    rounds = np.asarray(results.get("iter", np.zeros(len(results["params"]))))
    mean, deviation = (np.asarray(results[f"{name}_test_{metric}"]) for name in ("mean", "std"))
    kept = np.flatnonzero((rounds == rounds.max()) & np.isfinite(mean))
    if not len(kept):
        raise InvalidArgumentError("must have a candidate with a finite score", "source", "search")
    several = [results["params"][i] for i in kept]
    mean, deviation = mean[kept], deviation[kept]
    best = int(np.argmax(mean))
    names = list(dict.fromkeys(name for parameters in several for name in parameters))
    panels = many_axes(axes, len(names), "search", sharey=True)
    for ax, name in zip(panels, names, strict=True):
        own = [i for i, parameters in enumerate(several) if name in parameters]
        places = _places(ax, [several[i][name] for i in own])
        ax.errorbar(places, mean[own], deviation[own], fmt="o", color=BLUE, alpha=0.7,
                    markersize=4, elinewidth=0.8)  # fmt: skip
        if best in own:
            ax.plot(places[own.index(best)], mean[best], "D", color=ORANGE, markersize=7, zorder=3)
        ax.set_xlabel(name)
    panels[0].set_ylabel(metric.replace("_", " "))
    return panels


def _places(ax: "Axes", values: list[Any]) -> npt.NDArray[Any]:
    """Return where values lie on the x-axis: numbers at their value, others side by side."""
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        found = np.array(values, dtype=float)
        if found.min() > 0 and found.max() / found.min() >= SPREAD:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter("")  # within two decades, minor labels would overlap
        return found
    texts = [str(value) for value in values]
    different = list(dict.fromkeys(texts))
    ax.set_xticks(range(len(different)), different)
    ax.margins(x=0.2)
    return np.array([different.index(text) for text in texts], dtype=float)
