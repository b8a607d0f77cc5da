"""The chart of each contestant's cost as a multiple of ours, on a logarithmic scale."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from report import Entry, Section, said

__all__ = ["draw", "save"]

# Okabe and Ito's colours, which colour-blind people can distinguish, and hatches for grey prints.
LOOKS = {
    "eager": ("PyTorch, eager", "#E69F00", ""),
    "compiled": ("PyTorch, compiled", "#F0E442", "////"),
    "torch": ("multilayer on PyTorch", "#56B4E9", "\\\\\\\\"),
    "sklearn": ("scikit-learn", "#009E73", "xxxx"),
    "numpy, one thread": ("ours, kept to one thread", "#FFFFFF", ""),
    "textbook": ("PyTorch, sample by sample", "#CC79A7", "----"),
    "one by one": ("ours, one by one", "#FFFFFF", ""),
    "vmap": ("torch.func.vmap", "#E69F00", ""),
}
STEP = 0.8  # height of a bar, in rows
GAP = 1.4  # rows between two sections
TICKS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128)


def draw(sections: Iterable[Section]) -> Figure:
    """Return a figure with a bar for each peer and a mark at its goal."""
    contests = [section for section in sections if any(e.name in LOOKS for e in section.entries)]
    n_bars = sum(len(_peers(section)) for section in contests)
    figure = Figure(figsize=(8, 1.2 + 0.21 * (n_bars + GAP * len(contests))), layout="constrained")
    ax = figure.subplots()
    y = 0.0
    for section in contests:
        ours = next(entry for entry in section.entries if entry.ratio is None)
        title = f"{section.title}: ours {said(section.kind, ours.cost)} per {section.unit}"
        ax.text(
            0.01,
            y,
            title,
            transform=ax.get_yaxis_transform(),
            va="center",
            weight="bold",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        y += 1
        for entry in _peers(section):
            _bar(ax, y, entry)
            y += 1
        y += GAP - 1
    widest = max((_end(entry) for section in contests for entry in _peers(section)), default=2)
    ax.set_xscale("log")
    ax.set_xlim(0.35, 4 * max(widest, 2))
    ax.set_ylim(y - 0.4, -0.9)
    ax.set_xticks([t for t in TICKS if t <= 1.5 * widest], minor=False)
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
    ax.set_yticks([])
    ax.axvline(1, color="black", linewidth=1)
    ax.grid(axis="x", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(
        "cost ÷ ours, median over the rounds (right of 1: more than ours); line: lowest to "
        "highest round; ◇: goal",
        fontsize=8,
    )
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the figure as an SVG file; the same numbers give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})


def _peers(section: Section) -> list[Entry]:
    return [entry for entry in section.entries if entry.name in LOOKS and entry.ratio is not None]


def _bar(ax: "matplotlib.axes.Axes", y: float, entry: Entry) -> None:
    """Draw a peer's bar from 1 to its ratio, with its name and number next to it."""
    assert entry.ratio is not None
    label, colour, hatch = LOOKS[entry.name]
    ratio = entry.ratio
    ax.barh(y, ratio.median - 1, left=1, height=STEP, color=colour, hatch=hatch,
            edgecolor="black", linewidth=0.6)  # fmt: skip
    ax.plot([ratio.low, ratio.high], [y, y], color="black", linewidth=1.2)
    goal = _goal(entry)
    if goal is not None:
        ax.plot(goal, y, marker="D", markersize=4.5, color="white", markeredgecolor="black")
    text = f"{label} {ratio.median:.2f} ×" + (" (off)" if entry.off else "")
    ax.annotate(
        text, (_end(entry), y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
    )


def _goal(entry: Entry) -> float | None:
    return entry.goal.bound if entry.goal is not None and entry.goal.of == "ratio" else None


def _end(entry: Entry) -> float:
    """Return where the drawing of an entry ends."""
    return max(1, entry.ratio.high if entry.ratio else 1, _goal(entry) or 1)
