"""Residuals of a regression model: how far its predictions are off."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.metrics import PredictionErrorDisplay

from multilayer import checks
from multilayer.errors import InvalidDataError
from multilayer.plots.models import predicted_values, samples_of
from multilayer.plots.style import BLUE, ORANGE, one_axes
from multilayer.registry import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ResidualsDisplay", "residuals"]

KINDS = Names("kind", ["residual_vs_predicted", "actual_vs_predicted"])

OPACITY, N_CLEAR = 0.6, 2000
"""Opacity of a point; it is lower for more than `N_CLEAR` points, to show where they are dense."""
N_TICKS = 5
"""Maximum number of intervals between ticks, so that large numbers fit side by side."""


class ResidualsDisplay(PredictionErrorDisplay):  # type: ignore[misc]
    """scikit-learn's ``PredictionErrorDisplay``, also for networks and `Model`s.

    ``from_predictions`` is inherited from scikit-learn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> display = ResidualsDisplay.from_estimator(lambda X: X[:, 0], [[1.0], [2.0]], [1.5, 2.0])
    >>> display.y_true - display.y_pred
    array([0.5, 0. ])
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "residual_vs_predicted",
        ax: "Axes | None" = None,
        **settings: Any,
    ) -> Self:
        """Return the display of a model's predictions: see `residuals`.

        Parameters
        ----------
        estimator, X, y, kind, ax
            As in `residuals`.
        **settings
            Arguments of scikit-learn's ``PredictionErrorDisplay.from_predictions``.
        """
        owner = "residuals"
        KINDS.check(kind, owner)
        predicted = predicted_values(estimator, samples_of(X, owner), owner)
        truth = checks.finite_array(y, "y", np.float64, owner)
        if truth.shape == (len(predicted), 1):
            truth = truth[:, 0]
        if truth.shape != predicted.shape:
            rule = f"must have shape {predicted.shape}, one value per sample"
            raise InvalidDataError(rule, "y", owner, got=truth.shape)
        alpha = OPACITY * float(np.clip(N_CLEAR / len(truth), 0.1, 1.0))
        settings = {
            "subsample": None,
            "scatter_kwargs": {"color": BLUE, "alpha": alpha, "s": 16},
            "line_kwargs": {"color": ORANGE, "linestyle": "--", "alpha": 1.0},
        } | settings
        display = cls.from_predictions(
            truth, predicted, kind=kind, ax=one_axes(ax, owner, (5.0, 4.0)), **settings
        )
        rmse = float(np.sqrt(np.mean((truth - predicted) ** 2)))
        is_residual = kind == "residual_vs_predicted"
        ylabel = "residual (true − predicted)" if is_residual else "true value"
        display.ax_.set(xlabel="predicted value", ylabel=ylabel)
        if not is_residual:  # scikit-learn places five ticks, at numbers that are not round
            from matplotlib.ticker import AutoLocator, ScalarFormatter

            for axis in (display.ax_.xaxis, display.ax_.yaxis):
                axis.set_major_locator(AutoLocator())
                axis.set_major_formatter(ScalarFormatter())
        display.ax_.locator_params(axis="x", nbins=N_TICKS)
        display.ax_.set_title(f"root mean squared error {rmse:.4g}", fontsize="medium")
        return display


def residuals(
    model: Any,
    X: Any,
    y: Any,
    *,
    kind: str = "residual_vs_predicted",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw residuals over the predicted values.

    For a good model, points scatter without a pattern around the dashed line of no error. A bow
    means that the model is not curved enough; a funnel means that the spread of the errors grows
    with the value.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A model that predicts one value per sample.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,)
        The true values.
    kind : {"residual_vs_predicted", "actual_vs_predicted"}
        Whether to draw true − predicted, or the true value.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> residuals(lambda X: 2 * X[:, 0], [[1.0], [2.0]], [2.0, 5.0]).get_title()
    'root mean squared error 0.7071'
    """
    axes: Axes = ResidualsDisplay.from_estimator(model, X, y, kind=kind, ax=ax).ax_
    return axes
