"""A check of every activation with every loss: its networks, its progress, and its table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from multilayer.numpy import ACTIVATIONS, LOSSES, Loss, Quantile

__all__ = ["VARIANTS", "Grid"]

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer"},
    "residual": {"residual": True},
}


class Grid:
    """The largest number that a check finds for each activation with each loss.

    Parameters
    ----------
    activations, losses : iterable of str or None
        Names; by default all there are.
    check : function of (activation, loss's name, loss)
        Returns a number for each network that it checked.
    verb : str
        What it does, to show progress on a terminal.

    Raises
    ------
    UnknownNameError
        For an unknown name.
    """

    def __init__(
        self,
        activations: Iterable[str] | None,
        losses: Iterable[str] | None,
        check: Callable[[str, str, Loss], list[float]],
        verb: str,
    ) -> None:
        self.rows = [ACTIVATIONS.names.check(name) for name in activations or ACTIVATIONS]
        self.columns = [LOSSES.names.check(name) for name in losses or LOSSES]
        self.n_networks = 0
        self.found: Mapping[str, dict[str, float]] = {a: {} for a in self.rows}
        console = Console(stderr=True)
        pairs = [(a, name) for a in self.rows for name in self.columns]
        for a, name in track(
            pairs, verb, console=console, disable=not console.is_terminal, transient=True
        ):
            loss = Quantile((0.1, 0.5, 0.9)) if name == "quantile" else LOSSES[name]()
            values = check(a, name, loss)
            self.found[a][name] = float(np.max(values))
            self.n_networks += len(values)

    @property
    def largest(self) -> float:
        """The largest number of all; NaN if there is one."""
        return float(np.max([list(row.values()) for row in self.found.values()]))

    def print(self, title: str, tolerance: float) -> None:
        """Print the numbers as a table, in red where one is above the tolerance."""
        table = Table(title=title, box=None, collapse_padding=True, pad_edge=False)
        table.add_column("", no_wrap=True)
        for name in self.columns:
            table.add_column(name.replace("_", "\n"), justify="right")
        for a in self.rows:
            cells = []
            for name in self.columns:
                value = self.found[a][name]
                style = "green" if value <= tolerance else "bold red"
                cells.append(f"[{style}]{f'{value:.0e}'.replace('e-0', 'e-')}[/]")
            table.add_row(a, *cells)
        Console().print(table)
