"""A fitted estimator in a notebook: the table of its layers and its loss curve."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from multilayer.training.curves import curves_html

__all__ = ["fitted_html"]


def fitted_html(estimator: Any) -> str:
    """Return HTML with the layers and the loss of each epoch; of several members, their mean."""
    history, losses = estimator.history_, estimator.loss_curve_
    validation, of, mark = estimator.validation_loss_curve_ or [], "", (0, "")
    if isinstance(history, list):
        of = f", mean over {len(history)} members"
        losses, validation = _mean(losses), _mean(validation)
    elif history.n_epochs == len(losses):
        # After a warm start the history, and so its best epoch, covers only the last fit.
        mark = history.best
    curves = {f"training loss{of}": losses, f"validation loss{of}": validation}
    layers = estimator.networks_[0].architecture._repr_html_()
    return f"<div>{layers}{curves_html(curves, mark=mark)}</div>"


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean of curves; one that has ended counts with its last value."""
    length = max(map(len, curves), default=0)
    if not length:
        return []
    each = [np.pad(curve, (0, length - len(curve)), mode="edge") for curve in curves if curve]
    return np.mean(each, axis=0).tolist()
