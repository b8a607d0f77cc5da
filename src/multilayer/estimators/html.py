"""A fitted estimator in a notebook: its layers or its columns, and its loss curve."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from multilayer.training.curves import curves_html

__all__ = ["fitted_html", "tabular_html"]


def fitted_html(estimator: Any) -> str:
    """Return HTML with the layers and the loss of each epoch, averaged over members."""
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


def tabular_html(estimator: Any) -> str:
    """Return HTML with scores, findings, the loss of each epoch, and columns with importances.

    An estimator from a pickle shows importances only if they were computed before pickling, since a
    pickle does not hold training data.
    """
    scores = estimator.oob_scores_
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    facts = [
        f"out-of-fold {estimator._score_name} {estimator.oob_score_:.3f} ± {error:.3f}, the "
        f"standard error, from {len(scores)} folds",
        f"best of {len(estimator.loss_curve_)} epochs: {estimator.n_iter_}",
    ]
    if hasattr(estimator, "classes_"):
        facts.append(f"log-loss {estimator.loss_:.4g}, temperature {estimator.temperature_:.3g}")
    of = "log-loss" if hasattr(estimator, "classes_") else "loss"
    best = estimator.n_iter_, "best"
    curves = curves_html({f"out-of-fold {of}": estimator.loss_curve_}, mark=best)
    means = getattr(estimator, "feature_importances_", None)
    heads, columns = ["column", "taken as"], estimator.columns_.columns
    cells = [[escape(column.name), escape(str(column))] for column in columns]
    if means is not None:
        heads.append("importance")
        spreads = estimator.feature_importances_std_
        for row, mean, std in zip(cells, means, spreads, strict=True):
            row.append(f"{mean:.3g} ± {std:.1g}" if mean or std else "")
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in cells)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    found = "".join(
        f"<p><b>{escape(finding.severity)}: {escape(finding.name)}</b>. {escape(finding.meaning)} "
        f"{escape(finding.advice)}</p>"
        for finding in estimator.findings_
    )
    return f"<div><p>{'; '.join(facts)}</p>{found}{curves}{table}</div>"


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean of curves; a shorter curve is extended with its last value."""
    length = max(map(len, curves), default=0)
    if not length:
        return []
    each = [np.pad(curve, (0, length - len(curve)), mode="edge") for curve in curves if curve]
    return np.mean(each, axis=0).tolist()
