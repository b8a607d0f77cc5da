"""Reliability diagrams: observed frequencies against a classifier's probabilities."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibrationDisplay

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.evaluation.reliability import Reliability
from multilayer.model import class_places
from multilayer.plots.models import class_probabilities, samples_of
from multilayer.plots.style import BLACK, BLUE, GREY, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ReliabilityDisplay", "reliability"]

Array = npt.NDArray[Any]


class ReliabilityDisplay(CalibrationDisplay):  # type: ignore[misc]
    r"""scikit-learn's ``CalibrationDisplay``, with shares of samples and the calibration error.

    Attributes
    ----------
    expected_calibration_error : float
        As in `multilayer.evaluation.Reliability`.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> display = ReliabilityDisplay.from_predictions([0, 1, 1, 1], [0.5, 0.5, 1.0, 1.0])
    >>> display.expected_calibration_error
    0.0
    """

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, n_bins: int = 10, ax: "Axes | None" = None
    ) -> Self:
        """Return the display of a model's probabilities: see `reliability`.

        Parameters
        ----------
        estimator, X, y, n_bins, ax
            As in `reliability`.
        """
        owner = "reliability"
        classes, p = class_probabilities(estimator, samples_of(X, owner), owner)
        truth = class_places(y, classes, len(p), owner)
        if len(classes) == 2:
            display = cls.from_predictions(truth, p[:, 1], n_bins=n_bins, ax=ax)
            display.ax_.set(
                xlabel=f"predicted probability of class {classes[1]}",
                ylabel=f"share of class {classes[1]} among the samples",
            )
            return display
        is_right = (p.argmax(axis=1) == truth).astype(int)
        display = cls.from_predictions(is_right, p.max(axis=1), n_bins=n_bins, ax=ax)
        display.ax_.set(
            xlabel="predicted probability of the predicted class",
            ylabel="share of correct predictions",
        )
        return display

    @classmethod
    def from_predictions(
        cls, y_true: Any, y_prob: Any, *, n_bins: int = 10, ax: "Axes | None" = None
    ) -> Self:
        """Return the display of probabilities of a binary event.

        Parameters
        ----------
        y_true : array of shape (n_samples,)
            1 where the event happened, otherwise 0.
        y_prob : array of shape (n_samples,)
            The probability of 1.
        n_bins : int
            Number of bins, all of equal width.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        """
        owner = "reliability"
        n_bins = checks.integer(n_bins, "n_bins", owner)
        truth = checks.finite_array(y_true, "y_true", np.float64, owner)
        p = checks.finite_array(y_prob, "y_prob", np.float64, owner)
        if truth.ndim != 1 or truth.shape != p.shape or not truth.size:
            rule, got = "must be vectors of the same length", f"shapes {truth.shape} and {p.shape}"
            raise InvalidDataError(rule, "y_true and y_prob", owner, got=got)
        if not np.isin(truth, (0, 1)).all() or p.min() < -1e-6 or p.max() > 1 + 1e-6:
            rule = "must be 0 or 1, and y_prob probabilities in [0, 1]"
            raise InvalidArgumentError(rule, "y_true", owner)
        p = p.clip(0, 1)
        found = Reliability.of_probabilities(p, truth, n_bins)
        there = found.n > 0
        display = cls(found.observed[there], found.predicted[there], p, estimator_name="observed")
        display.expected_calibration_error = found.error
        edges = np.linspace(0, 1, n_bins + 1)
        display._draw(one_axes(ax, owner, (4.8, 4.8)), found.n / len(p), edges)
        return display

    def _draw(self, ax: "Axes", share: Array, edges: Array) -> None:
        ax.stairs(
            share, edges, fill=True, facecolor="#dddddd", edgecolor=GREY, label="share of samples"
        )
        # Do not clip points at 0 and 1, half of which lie outside the axes.
        self.plot(ax=ax, ref_line=False, color=BLUE, marker="o", zorder=3, clip_on=False)
        ax.plot([0, 1], [0, 1], ":", color=BLACK, label="calibrated", zorder=2)
        ax.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
        ax.set(xlabel="predicted probability", ylabel="observed share")
        error = self.expected_calibration_error
        ax.set_title(f"expected calibration error {error:.3f}", fontsize="medium")
        # Below the picture, since points may be anywhere inside.
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False,
            columnspacing=1.2, handlelength=1.6,
        )  # fmt: skip


def reliability(
    model: Any, X: Any, y: Any, *, n_bins: int = 10, ax: "Axes | None" = None
) -> "Axes":
    """Draw a reliability diagram: observed frequencies against predicted probabilities.

    With two classes, the probability is that of the second class. With more, it is that of the
    predicted class, and the observed frequency is how often the prediction is correct. The points
    of a calibrated model lie on the dotted line; below it, the probabilities are too high. The bars
    show the share of samples in each bin, on the same axis: points above low bars rest on few
    samples.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A classifier; a network's classes are the numbers of its outputs.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,)
        The true classes.
    n_bins : int
        Number of bins, all of equal width.
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
    >>> ax = reliability(lambda X: X[:, 0], [[0.1], [0.9]], [0, 1])
    >>> ax.get_title()
    'expected calibration error 0.100'
    """
    axes: Axes = ReliabilityDisplay.from_estimator(model, X, y, n_bins=n_bins, ax=ax).ax_
    return axes
