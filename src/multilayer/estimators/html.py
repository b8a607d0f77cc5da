"""A fitted estimator in a notebook: the table of its layers and its loss curve."""

import math
from typing import Any

from multilayer.inspection import summary

__all__ = ["fitted_html"]

WIDTH, HEIGHT, MARGIN = 360, 140, 10
COLOURS = {"training loss": "#0072b2", "validation loss": "#d55e00"}
"""Two that the colour-blind tell apart (Okabe & Ito 2008)."""


def fitted_html(estimator: Any) -> str:
    """Return HTML of the layers and of the losses of each epoch."""
    curves = {
        "training loss": estimator.loss_curve_,
        "validation loss": estimator.validation_loss_curve_ or [],
    }
    return f"<div>{_layers(estimator)}{_curves(curves)}</div>"


def _layers(estimator: Any) -> str:
    rows = [
        f"<tr><td>{row.name}</td><td>{row.operations}</td>"
        f"<td>{row.out_features:,} × {row.in_features:,}</td><td>{row.n_parameters:,}</td></tr>"
        for row in summary(estimator.network_.architecture)
    ]
    total = f"{estimator.network_.n_parameters:,}"
    return (
        "<table><thead><tr><th>layer</th><th>computes</th><th>W</th><th>parameters</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody><tfoot><tr><td>total</td><td></td><td></td>"
        f"<td>{total}</td></tr></tfoot></table>"
    )


def _curves(curves: dict[str, list[float]]) -> str:
    """Return the curves as SVG, one scale for all; nothing of fewer than two epochs."""
    finite = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    n_epochs = max(map(len, curves.values()))
    if n_epochs < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    x_scale = (WIDTH - 2 * MARGIN) / (n_epochs - 1)
    y_scale = (HEIGHT - 2 * MARGIN) / ((high - low) or 1)
    lines = []
    for name, curve in curves.items():
        points = " ".join(
            f"{MARGIN + x_scale * epoch:.1f},{HEIGHT - MARGIN - y_scale * (value - low):.1f}"
            for epoch, value in enumerate(curve)
            if math.isfinite(value)
        )
        if points:
            lines.append(
                f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" '
                f'stroke-width="1.5"><title>{name}</title></polyline>'
            )
    legend = " · ".join(
        f'<span style="color:{COLOURS[name]}">{name} {curve[-1]:.4g}</span>'
        for name, curve in curves.items()
        if curve
    )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="loss of each epoch">{"".join(lines)}</svg>'
        f"<div>{legend}, after {n_epochs:,} epochs, {low:.4g} to {high:.4g}</div>"
    )
