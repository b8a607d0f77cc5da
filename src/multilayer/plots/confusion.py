"""Confusion matrices: which classes a classifier confuses."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from multilayer.model import class_places
from multilayer.plots.models import class_probabilities, samples_of
from multilayer.plots.style import one_axes, short_names
from multilayer.registry import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConfusionDisplay", "confusion_matrix"]

NORMALIZATIONS = Names("normalize", ["true", "pred", "all"])
N_WRITTEN = 20
"""With more classes, cells show no numbers."""
N_LETTERS = 40
"""If the names are longer in total, labels are rotated."""

INCHES = 0.08
"""Extra size of the picture per letter of the longest name."""


class ConfusionDisplay(ConfusionMatrixDisplay):  # type: ignore[misc]
    """scikit-learn's ``ConfusionMatrixDisplay``, also for networks and `Model`s.

    ``from_predictions`` is inherited from scikit-learn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> display = ConfusionDisplay.from_estimator(lambda X: X[:, 0] > 0, [[-1.0], [1.0]], [0, 0])
    >>> display.confusion_matrix
    array([[1, 1],
           [0, 0]])
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        normalize: str | None = None,
        ax: "Axes | None" = None,
        **settings: Any,
    ) -> Self:
        """Return the display of a model's predictions: see `confusion_matrix`.

        Parameters
        ----------
        estimator, X, y, normalize, ax
            As in `confusion_matrix`.
        **settings
            Arguments of scikit-learn's ``ConfusionMatrixDisplay.from_predictions``.
        """
        owner = "confusion_matrix"
        if normalize is not None:
            NORMALIZATIONS.check(normalize, owner)
        classes, probabilities = class_probabilities(estimator, samples_of(X, owner), owner)
        truth = class_places(y, classes, len(probabilities), owner)
        n, names = len(classes), short_names(classes)
        longest = max(map(len, names))
        side = min(max(0.55 * n + 1.4, 3.4) + INCHES * longest, 9.0)
        settings = {
            "cmap": "Blues",
            "colorbar": n > N_WRITTEN,
            "include_values": n <= N_WRITTEN,
            "values_format": "d" if normalize is None else ".2f",
            "xticks_rotation": 90 if n * longest > N_LETTERS else 0,
        } | settings
        display = cls.from_predictions(
            truth,
            probabilities.argmax(axis=1),
            labels=np.arange(n),
            display_labels=names,
            normalize=normalize,
            ax=one_axes(ax, owner, (side, side)),
            **settings,
        )
        display.ax_.set(xlabel="predicted", ylabel="true")
        return display


def confusion_matrix(
    model: Any, X: Any, y: Any, *, normalize: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw how many samples of each class are predicted as each class.

    Parameters
    ----------
    model : MLP, Model, estimator, path or callable
        A classifier; a network's classes are the numbers of its outputs.
    X : array of shape (n_samples, in_features)
    y : array of shape (n_samples,)
        The true classes.
    normalize : {"true", "pred", "all"} or None
        Show shares of each row, of each column or of all samples instead of counts.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        Each row is a true class, each column a predicted class.

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> ax = confusion_matrix(lambda X: X[:, 0] > 0, [[-1.0], [1.0], [2.0]], [0, 1, 0])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '1']
    """
    axes: Axes = ConfusionDisplay.from_estimator(model, X, y, normalize=normalize, ax=ax).ax_
    return axes
