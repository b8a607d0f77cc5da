"""Evaluation: how well a model does on new samples, for people and programs."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from multilayer.evaluation.bootstrap import Estimate
from multilayer.evaluation.reliability import Reliability
from multilayer.evaluation.results import Calibration, ClassScore, Peer
from multilayer.evaluation.slices import Slice
from multilayer.json_text import finite, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Evaluation"]

WIDTH = 100
"""Characters in a line of plain text."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The result of `evaluate`.

    ``str`` gives plain text, and rich prints it in colour.

    Attributes
    ----------
    subject : str
        The model.
    task : {"classification", "regression"}
    n_samples : int
        The number of samples with a target.
    n_without_target : int
        The number of samples that were left out.
    n_groups : int or None
        The number of groups, which resamples draw as a whole; None without groups.
    metrics : dict of str to Estimate
        The model's measures, with their 95 % intervals.
    main : str
        The metric by which the model is compared with simple ones; lower is better.
    width : float or None
        The share of samples that should lie between the outer of several quantiles.
    baseline, linear : Peer or None
        The best constant prediction and a linear model; None if there are too few samples.
    calibration : Calibration
    classes : tuple of ClassScore
    confusion : list of list of int or None
        For each true class, the number of samples predicted as each class; None for values, and for
        more than 20 classes.
    error : str
        The error by which slices are compared.
    slices : tuple of Slice
        The groups of samples compared with all others, the worst first.
    notes : tuple of str
        What could not be done, and why.
    """

    subject: str
    task: str
    n_samples: int
    n_without_target: int
    n_groups: int | None
    metrics: dict[str, Estimate]
    main: str
    width: float | None
    baseline: Peer | None
    linear: Peer | None
    calibration: Calibration
    classes: tuple[ClassScore, ...]
    confusion: list[list[int]] | None
    error: str
    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def worst(self) -> tuple[Slice, ...]:
        """The slices that are worse than the other samples by more than chance."""
        return tuple(each for each in self.slices if each.is_worse)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold; numbers that are not finite are None."""
        bins = zip(*(own.tolist() for own in self.calibration.bins), strict=True)
        calibration = {
            "of": self.calibration.of,
            "bins": [dict(zip(Reliability._fields, own, strict=True)) for own in bins],
            "bias": self.calibration.bias._asdict(),
            "meaning": self.calibration.meaning,
            "error": self.calibration.error,
            "by_chance": self.calibration.by_chance,
        }
        peers = {
            name: None if peer is None else {**vars(peer), "gain": peer.gain._asdict()}
            for name, peer in (("baseline", self.baseline), ("linear", self.linear))
        }
        return finite(
            vars(self)
            | peers
            | {
                "metrics": {name: each._asdict() for name, each in self.metrics.items()},
                "calibration": calibration,
                "classes": [vars(each) for each in self.classes],
                "slices": [each._asdict() | {"is_worse": each.is_worse} for each in self.slices],
                "notes": list(self.notes),
            }
        )

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=WIDTH, highlight=False, color_system=None).print(self)
        return text.getvalue().rstrip("\n")

    __repr__ = __str__

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        for part in self._report():
            # As plain text: brackets in a name are not markup.
            yield Text(printable(part)) if isinstance(part, str) else part

    def _report(self) -> Iterator[Any]:
        """Yield tables and lines."""
        from multilayer.evaluation import report

        kind = f"{len(self.classes):,} classes" if self.classes else "regression"
        of = "rows" if self.n_groups is None else f"{self.n_groups:,} groups"
        yield self.subject
        yield report.metrics(f"{kind}, {self.n_samples:,} rows", self.metrics, self._peers)
        yield f"intervals: bootstrap over {of}"
        yield from report.lines_of(self._peers, self.main)
        if self.width is not None:
            yield f"coverage: {self.width:.0%} of the values should lie between the outer quantiles"
        if self.n_without_target:
            yield f"{self.n_without_target:,} rows without a target are left out"
        if self.classes:
            yield from report.classes(self.classes, self.confusion)
        yield from report.calibration(self.calibration)
        yield from report.slices(self.slices, self.error, are_shares=bool(self.classes))
        yield from (f"note: {note}" for note in self.notes)

    @property
    def _peers(self) -> dict[str, Peer]:
        peers = {"linear model": self.linear, "baseline": self.baseline}
        return {name: peer for name, peer in peers.items() if peer is not None}
