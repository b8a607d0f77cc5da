"""Small loss curves without a plotting library: as SVG for notebooks, as blocks for terminals."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

__all__ = ["curves_html", "sparkline", "sparklines"]

Curves = Mapping[str, Sequence[float]]
Mark = tuple[int, str]

WIDTH, HEIGHT, MARGIN = 360, 140, 10
LOOKS = (("#0072b2", ""), ("#d55e00", "6 3"), ("#009e73", "2 2"))
"""Colours that colour-blind readers can tell apart (Okabe & Ito 2008), and dashes for printing in
grey; further curves start again from the first."""
BLOCKS = "▁▂▃▄▅▆▇█"


def curves_html(curves: Curves, *, mark: Mark = (0, "")) -> str:
    """Return curves as SVG on a common scale, with a line of numbers below.

    Parameters
    ----------
    curves : mapping of str to sequence of float
        The values of each curve, one per epoch. Infinite and NaN values are left out. If there are
        more epochs than pixels, each point is the mean of several epochs.
    mark : tuple of int and str
        An epoch, counted from 1, to mark with a vertical line, and the line's meaning; 0 for none.

    Returns
    -------
    str
        HTML; empty if there are fewer than two epochs or fewer than two finite values.

    Examples
    --------
    >>> curves_html({"training loss": [2.0, 1.0, 0.5]}).count("<polyline")
    1
    >>> curves_html({"training loss": [2.0]})
    ''
    """
    thinned = {name: _thinned(curve, WIDTH) for name, curve in curves.items()}
    finite = [value for curve in thinned.values() for _, value in curve if math.isfinite(value)]
    n_epochs = max(map(len, curves.values()), default=0)
    if n_epochs < 2 or len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    x_scale = (WIDTH - 2 * MARGIN) / (n_epochs - 1)
    height = HEIGHT - 2 * MARGIN
    drawn, legend = [], []
    marked, meaning = mark
    if marked:
        x = MARGIN + x_scale * (marked - 1)
        drawn.append(
            f'<line x1="{x:.1f}" y1="{MARGIN}" x2="{x:.1f}" y2="{HEIGHT - MARGIN}" '
            f'stroke="#888888"><title>{escape(meaning)}</title></line>'
        )
    for (name, curve), (colour, dashes) in zip(curves.items(), cycle(LOOKS), strict=False):
        if not curve:
            continue
        points = " ".join(
            f"{MARGIN + x_scale * i:.1f},{MARGIN + height * (1 - _share(value, low, high)):.1f}"
            for i, value in thinned[name]
            if math.isfinite(value)
        )
        style = f' stroke-dasharray="{dashes}"' if dashes else ""
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"{style}>'
            f"<title>{escape(name)}</title></polyline>"
        )
        legend.append(f'<span style="color:{colour}">{escape(name)} {curve[-1]:.4g}</span>')
    text = f"; {escape(meaning)}" if marked else ""
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(", ".join(curves))} by epoch">{"".join(drawn)}</svg>'
        f"<div>{' · '.join(legend)}, after {n_epochs:,} epochs{text}; vertical axis from "
        f"{low:.4g} to {high:.4g}</div>"
    )


def sparkline(values: Sequence[float], *, low: float, high: float, width: int = 60) -> str:
    """Return a curve as a row of block characters, with eight heights from `low` to `high`.

    If there are more values than `width`, each block shows the mean of several. Where a value is
    infinite or NaN, there is a blank.

    Parameters
    ----------
    values : sequence of float
    low, high : float
        The values shown by the lowest and the highest block.
    width : int
        The largest number of blocks.

    Examples
    --------
    >>> sparkline([8.0, 4.0, 2.0, 1.0, 1.0], low=1.0, high=8.0)
    '█▄▂▁▁'
    >>> sparkline([3.0, 1.0, 2.0, 0.0], low=0.0, high=2.0, width=2)
    '█▅'
    """
    top = len(BLOCKS) - 1
    return "".join(
        BLOCKS[min(max(round(top * _share(mean, low, high)), 0), top)]
        if math.isfinite(mean)
        else " "
        for _, mean in _thinned(values, width)
    )


def sparklines(curves: Curves, *, width: int = 60) -> tuple[dict[str, str], str]:
    """Return curves as rows of block characters on a common scale, and the scale in words.

    The scale is logarithmic if all finite values are positive: on a linear scale, a loss that falls
    by orders of magnitude would look like a cliff followed by a plain.

    Parameters
    ----------
    curves : mapping of str to sequence of float
    width : int
        The largest number of blocks in a row.

    Returns
    -------
    rows : dict of str to str
        Empty if no value is finite.
    scale : str

    Examples
    --------
    >>> sparklines({"training": [8.0, 4.0, 2.0, 1.0], "validation": [8.0, 8.0, 4.0, 4.0]})
    ({'training': '█▆▃▁', 'validation': '██▆▆'}, '▁ 1 to █ 8, logarithmic')
    """
    finite = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    if not finite:
        return {}, ""
    low, high = min(finite), max(finite)
    is_log = low > 0
    scale = math.log if is_log else float
    rows = {
        name: sparkline(
            [scale(value) if math.isfinite(value) else math.nan for value in curve],
            low=scale(low), high=scale(high), width=width,
        )
        for name, curve in curves.items()
    }  # fmt: skip
    return rows, f"▁ {low:.4g} to █ {high:.4g}, {'logarithmic' if is_log else 'linear'}"


def _share(value: float, low: float, high: float) -> float:
    """Return the position of a value between `low`, 0, and `high`, 1; 0 if these are equal."""
    span = high / 2 - low / 2  # halves, since the difference of huge numbers may be infinite
    return (value / 2 - low / 2) / span if span > 0 else 0.0


def _thinned(values: Sequence[float], n_points: int) -> list[tuple[float, float]]:
    """Return at most `n_points` pairs (position, mean of a part); a mean is NaN unless finite."""
    n = len(values)
    n_points = min(n, n_points)
    thinned = []
    for k in range(n_points):
        start, stop = n * k // n_points, n * (k + 1) // n_points
        part = values[start:stop]
        is_finite = all(map(math.isfinite, part))
        mean = sum(value / len(part) for value in part) if is_finite else math.nan
        thinned.append(((start + stop - 1) / 2, mean))
    return thinned
