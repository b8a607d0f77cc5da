"""How a fitted estimator was trained: the information that its file records."""

import json
import math
from typing import Any

import numpy as np

from multilayer.data import fingerprint

__all__ = ["described", "information_of"]

METRICS = ("loss_", "best_loss_", "best_validation_score_", "oob_score_")


def information_of(estimator: Any) -> dict[str, Any]:
    """Return parameters, metrics, history and the data's fingerprint, ready for JSON.

    Metrics are averaged over several members; each member has its own history.
    """
    metrics = {"epochs": getattr(estimator, "n_iter_", 0)}
    for name in METRICS:
        value = getattr(estimator, name, None)
        value = float(np.mean(value)) if isinstance(value, list) else value
        if value is not None and math.isfinite(value):
            metrics[name.strip("_")] = value
    parameters = estimator.get_params(deep=False)
    recorded = {
        "estimator": type(estimator).__name__,
        "training": {name: _plain(value) for name, value in parameters.items()},
        "metrics": metrics,
        "history": _recorded(getattr(estimator, "history_", None)),
        "data": getattr(estimator, "_data", None),
    }
    findings = getattr(estimator, "findings_", ())
    if findings:
        recorded["findings"] = [finding.to_dict() for finding in findings]
    return recorded


def described(X: Any, y: Any, n_features: int) -> dict[str, Any]:
    """Return a description of the data; the fingerprint is of the network's inputs."""
    return {"n_samples": len(y), "n_features": n_features, "fingerprint": fingerprint(X, y)}


def _recorded(history: Any) -> Any:
    if isinstance(history, list):
        return [_recorded(own) for own in history]
    return None if history is None else json.loads(history.to_json())


def _plain(value: Any) -> Any:
    """Return a parameter in a form for JSON: a number, string or sequence, or else its repr."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (bool, int, str, type(None))):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = repr(value)
    return type(value).__name__ if " object at 0x" in text else text
