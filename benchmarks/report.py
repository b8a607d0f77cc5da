"""The report: each contestant's measurements and goal, as a table and as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from turns import Ratio, ratio_of, typical

__all__ = [
    "Entry",
    "Goal",
    "Section",
    "as_json",
    "entries_of",
    "remarks",
    "said",
    "table",
    "write",
]

MARKS = {True: "[green]met ✓[/]", False: "[red]short ✗[/]", None: ""}


@dataclass(frozen=True)
class Goal:
    """A goal for a measured value."""

    of: str
    """The value: "ratio", "share" or "cost"."""
    bound: float
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a measured value meets the goal."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        kind = "seconds" if self.of == "cost" else self.of
        return ("≤ " if self.at_most else "≥ ") + said(kind, self.bound)


@dataclass(frozen=True)
class Entry:
    """One contestant of a section."""

    name: str
    cost: float
    """The median of what was measured, such as the seconds of an epoch, a call or an import."""
    share: float | None = None
    """The share of the machine's matrix-product rate, counting only necessary operations."""
    ratio: Ratio | None = None
    """Its cost / ours; None for our entry."""
    goal: Goal | None = None
    off: str = ""
    """How its results differ from the others', if they do; then the entry does not count."""
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None if there is none."""
        if self.goal is None:
            return None
        value = self.ratio.median if self.goal.of == "ratio" and self.ratio else None
        value = {"share": self.share, "cost": self.cost}.get(self.goal.of, value)
        return not self.off and value is not None and self.goal.is_met(value)


@dataclass(frozen=True)
class Section:
    """Contestants that took turns with each other."""

    name: str
    title: str
    unit: str
    """What each cost is for, such as "epoch" or "call"."""
    entries: list[Entry]
    rounds: dict[str, list[list[float]]]
    """For each contestant and round, the cost of each repetition."""
    details: dict[str, Any] = field(default_factory=dict)
    kind: str = "seconds"
    """The unit of the costs: "seconds" or "bytes"."""

    @property
    def is_off(self) -> bool:
        """Whether a contestant's results differ from the others'."""
        return any(entry.off for entry in self.entries)


def entries_of(
    rounds: Mapping[str, list[list[float]]],
    ours: str,
    goals: Mapping[str, float],
    *,
    n_flops: int | None = None,
    rate: float | None = None,
    off: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Return an entry for each contestant of these rounds, ours first."""
    entries = []
    for name in sorted(rounds, key=lambda name: name != ours):
        goal = None
        if name == ours and "limit" in goals:
            goal = Goal("share", goals["limit"])
        elif name != ours and name in goals:
            goal = Goal("ratio", goals[name])
        cost = typical(rounds[name])
        entries.append(
            Entry(
                name,
                cost,
                share=n_flops / cost / rate if n_flops and rate else None,
                ratio=None if name == ours else ratio_of(rounds[name], rounds[ours]),
                goal=goal,
                off=(off or {}).get(name, ""),
                note=(notes or {}).get(name, ""),
            )
        )
    return entries


def table(sections: Iterable[Section]) -> Table:
    """Return all sections as one table for the terminal."""
    result = Table("", "", title="Costs; those of peers also as multiples of ours")
    result.columns[0].header, result.columns[0].max_width = "contest", 34
    result.columns[1].header = "contestant"
    for header in ("cost", "share of limit", "÷ ours (lowest–highest round)", "goal"):
        result.add_column(header, justify="right")
    result.add_column("")
    for section in sections:
        for i, entry in enumerate(section.entries):
            ratio = entry.ratio
            result.add_row(
                f"{section.title}, per {section.unit}" if i == 0 else "",
                entry.name,
                said(section.kind, entry.cost),
                "" if entry.share is None else f"{entry.share:.1%}",
                "" if ratio is None else f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})",
                str(entry.goal or ""),
                "[red]off[/]" if entry.off else MARKS[entry.is_met],
            )
        result.add_section()
    return result


def remarks(sections: Iterable[Section]) -> list[str]:
    """Return the remarks to print below the table."""
    lines = []
    for section in sections:
        for entry in section.entries:
            lines += [f"{section.name}, {entry.name}: {text}" for text in (entry.off, entry.note)]
        for name, text in section.details.get("left_out", {}).items():
            lines.append(f"{section.name}, {name}: left out, {text}")
    return [line for line in lines if not line.endswith(": ")]


def as_json(sections: Iterable[Section], **about: Any) -> dict[str, Any]:
    """Return everything as values for JSON: each entry's fields, and whether its goal is met."""
    return about | {
        "sections": [
            asdict(section) | {"entries": [asdict(e) | {"met": e.is_met} for e in section.entries]}
            for section in sections
        ]
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def said(kind: str, value: float) -> str:
    """Return a value as readable text."""
    if kind == "share":
        return f"{value:.0%}"
    if kind == "ratio":
        return f"{value:.3g} ×"
    if kind == "bytes":
        return f"{value / 1e6:.3g} MB"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"
