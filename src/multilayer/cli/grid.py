"""Checks of every activation with every loss: the networks, the progress, and the table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from multilayer.numpy import ACTIVATIONS, LOSSES, Loss, Quantile

__all__ = ["VARIANTS", "Grid", "check_all"]

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "noise": {"noise": 0.25},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer"},
    "residual": {"residual": True},
}


class Grid(NamedTuple):
    """The largest deviation that a check has found for each activation with each loss."""

    activations: list[str]
    losses: list[str]
    found: Mapping[str, dict[str, float]]
    """The deviations, by activation and loss."""
    n_networks: int
    """Number of networks that were checked."""

    @property
    def largest(self) -> float:
        """The largest of all; NaN if any of them is NaN."""
        return float(np.max([list(row.values()) for row in self.found.values()]))

    def print(self, title: str, tolerance: float) -> None:
        """Print the deviations as a table, with those above the tolerance in red."""
        table = Table(title=title, box=None, collapse_padding=True, pad_edge=False)
        table.add_column("", no_wrap=True)
        for name in self.losses:
            table.add_column(name.replace("_", "\n"), justify="right")
        for a in self.activations:
            cells = []
            for name in self.losses:
                value = self.found[a][name]
                style = "green" if value <= tolerance else "bold red"
                cells.append(f"[{style}]{f'{value:.0e}'.replace('e-0', 'e-')}[/]")
            table.add_row(a, *cells)
        Console().print(table)


def check_all(
    activations: Iterable[str] | None,
    losses: Iterable[str] | None,
    check: Callable[[str, str, Loss], list[float]],
    verb: str,
) -> Grid:
    """Check each activation with each loss, with progress on a terminal.

    Parameters
    ----------
    activations, losses : iterable of str or None
        Names; by default all of them.
    check : function of (activation, loss's name, loss)
        Returns the deviation of each network that it checked.
    verb : str
        What the check does, for the progress bar: ``checking``.

    Raises
    ------
    UnknownNameError
        If a name is unknown.
    """
    rows = [ACTIVATIONS.names.check(name) for name in activations or ACTIVATIONS]
    columns = [LOSSES.names.check(name) for name in losses or LOSSES]
    found: dict[str, dict[str, float]] = {a: {} for a in rows}
    n_networks = 0
    console = Console(stderr=True)
    pairs = [(a, name) for a in rows for name in columns]
    for a, name in track(
        pairs, verb, console=console, disable=not console.is_terminal, transient=True
    ):
        loss = Quantile((0.1, 0.5, 0.9)) if name == "quantile" else LOSSES[name]()
        values = check(a, name, loss)
        found[a][name] = float(np.max(values))
        n_networks += len(values)
    return Grid(rows, columns, found, n_networks)
