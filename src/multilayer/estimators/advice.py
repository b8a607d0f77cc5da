"""What an estimator warns of at the end of a training: that it has not come to a good one."""

import math
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from multilayer.estimators.settings import Settings
from multilayer.samples import Data
from multilayer.training import History

__all__ = ["warning_of"]

REASONS = {
    "n_epochs": (1, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"),
    "max_evaluations": (1, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"),
    "line_search": (2, "ABNORMAL: no step along the last direction lowered the loss"),
}
"""SciPy's status of what ends L-BFGS before it has converged, and its words."""
SCALING = (
    "\nYou might also want to scale the data as shown in:\n"
    "    https://scikit-learn.org/stable/modules/preprocessing.html"
)
FAR = 10.0
"""Targets whose mean or standard deviation is so many times what it ought to be train badly."""


def warning_of(
    settings: Settings, data: Data, history: History, divergence: str, best: float
) -> Warning | None:
    """Return what to warn of if the training has not ended by itself, or is of no use.

    Parameters
    ----------
    settings : Settings
    data : Data
        What was trained on.
    history : History
    divergence : str
        What the error says where the training diverged; else nothing.
    best : float
        The best epoch's value of what epochs are judged by; infinite if none was judged.
    """
    takes_steps, reason = settings.optimizer.takes_steps, history.stopped_by
    advice = _advice(settings, data)
    if reason == "interrupt":
        return UserWarning("Training interrupted by user.")
    if divergence:
        kept = "best epoch's" if math.isfinite(best) else "first"
        msg = f"Training diverged, and the {kept} weights are kept: {divergence}"
        return ConvergenceWarning(msg)
    if not takes_steps and reason in REASONS:
        status, why = REASONS[reason]
        msg = f"lbfgs failed to converge after {history.n_epochs} iteration(s) (status={status}):"
        msg += f"\n{why}\n"
        if reason == "n_epochs":
            msg += (
                "\nIncrease the number of iterations to improve the convergence "
                f"(max_iter={settings.n_epochs})."
            )
        return ConvergenceWarning(msg + SCALING + advice)
    if takes_steps and reason == "n_epochs" and not settings.is_incremental:
        return ConvergenceWarning(
            f"Stochastic Optimizer: Maximum iterations ({settings.n_epochs}) reached and the "
            f"optimization hasn't converged yet.{advice}"
        )
    if advice and _is_no_better_than_the_mean(settings, data, history):
        msg = f"The training ended no better than with the mean of the targets.{advice}"
        return ConvergenceWarning(msg)
    return None


def _advice(settings: Settings, data: Data) -> str:
    """Return that targets had better be scaled, where they ought to be; else nothing."""
    targets: Any = settings.targets
    if targets.task != "regression" or targets.mean is not None or targets.output != "identity":
        return ""
    mean, deviation = float(data.targets.mean()), float(data.targets.std())
    if deviation == 0 or (1 / FAR <= deviation <= FAR and abs(mean) <= FAR * deviation):
        return ""
    return (
        f" The targets have mean {mean:.2g} and standard deviation {deviation:.2g}: with "
        "scale_targets=True the network trains on scaled targets, which works far better."
    )


def _is_no_better_than_the_mean(settings: Settings, data: Data, history: History) -> bool:
    """Return whether the squared error is that of the best constant, or more."""
    variance = float(np.var(data.targets, axis=0).sum())
    loss = history.get("train_loss", [math.nan])[-1]
    return settings.loss.name == "squared_error" and not loss < variance / 2
