"""Warnings at the end of a training run that did not go well."""

import math
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from multilayer.estimators.samples import Part
from multilayer.estimators.settings import Settings
from multilayer.training import History

__all__ = ["warning_of"]

REASONS = {
    "n_epochs": (1, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"),
    "max_evaluations": (1, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"),
    "line_search": (2, "ABNORMAL: no step along the last direction lowered the loss"),
}
"""SciPy's status and message for each reason why L-BFGS stops before it has converged."""
SCALING = (
    "\nYou might also want to scale the data as shown in:\n"
    "    https://scikit-learn.org/stable/modules/preprocessing.html"
)
FAR = 10.0
"""Targets train well with a deviation from 1/FAR to FAR, and a mean of at most FAR deviations."""


def warning_of(
    settings: Settings, training: Part, history: History, divergence: str, best: float
) -> Warning | None:
    """Return a warning if training did not converge or learned nothing; else None.

    Parameters
    ----------
    settings : Settings
    training : Part
        The training data.
    history : History
    divergence : str
        The error's message if training diverged; else empty.
    best : float
        The monitored value of the best epoch; infinite if no epoch was judged.
    """
    takes_steps, reason = settings.optimizer.takes_steps, history.stopped_by
    advice = _advice(settings, training)
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
    if advice and _is_no_better_than_the_mean(settings, training, history):
        msg = f"The trained network is no better than predicting the targets' mean.{advice}"
        return ConvergenceWarning(msg)
    return None


def _advice(settings: Settings, training: Part) -> str:
    """Return the advice to scale the targets if that would help; else an empty string."""
    targets: Any = settings.targets
    if targets.task != "regression" or targets.mean is not None or targets.output != "identity":
        return ""
    y = training.targets
    mean, deviation = float(y.mean()), float(y.std())
    if deviation == 0 or (1 / FAR <= deviation <= FAR and abs(mean) <= FAR * deviation):
        return ""
    return (
        f" The targets have mean {mean:.2g} and standard deviation {deviation:.2g}: with "
        "scale_targets=True, the network trains on scaled targets, which works far better."
    )


def _is_no_better_than_the_mean(settings: Settings, training: Part, history: History) -> bool:
    """Return whether the squared error is no lower than that of the targets' mean."""
    variance = float(np.var(training.targets, axis=0).sum())
    loss = history.get("train_loss", [math.nan])[-1]
    return settings.loss.name == "squared_error" and not loss < variance / 2
