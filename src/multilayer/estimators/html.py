"""A fitted estimator in a notebook: the table of its layers and its loss curve."""

from typing import Any

from multilayer.training.curves import curves_html

__all__ = ["fitted_html"]


def fitted_html(estimator: Any) -> str:
    """Return HTML with the layers and the loss of each epoch."""
    curves = {
        "training loss": estimator.loss_curve_,
        "validation loss": estimator.validation_loss_curve_ or [],
    }
    # After a warm start the history, and so its best epoch, covers only the last fit.
    history = estimator.history_
    is_whole = history.n_epochs == len(estimator.loss_curve_)
    pictures = curves_html(curves, mark=history.best if is_whole else (0, ""))
    return f"<div>{estimator.network_.architecture._repr_html_()}{pictures}</div>"
