"""Callbacks that print something when a training run begins."""

import sys
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from multilayer.architecture import Architecture
from multilayer.compiled import on_compiling
from multilayer.inspection import summary
from multilayer.numpy import MLP, Ensemble
from multilayer.training import Callback, Run

__all__ = ["NoteCompiling", "ShowLayers"]


class NoteCompiling(Callback):
    """Print why the first training run on a machine takes longer, once numba begins to compile."""

    def on_train_begin(self, run: Run) -> None:
        self._listening = ExitStack()
        if isinstance(run.net, MLP | Ensemble):
            self._listening.enter_context(on_compiling(self._say))

    def on_train_end(self, run: Run) -> None:
        self._listening.close()

    def _say(self) -> None:
        self._listening.close()  # once is enough
        # Neither a Console nor typer would print it above the progress.
        note = "the first training run on a machine compiles its code, which takes a few seconds"
        print(note, file=sys.stderr, flush=True)


class ShowLayers(Callback):
    """Print the layers when training begins, after all arguments have been checked.

    Parameters
    ----------
    architecture : Architecture, optional
        By default that of the network in training, which for a ladder has one more layer.
    """

    def __init__(self, architecture: Architecture | None = None) -> None:
        self._architecture = architecture

    def on_train_begin(self, run: Run) -> None:
        architecture = self._architecture or run.net.architecture
        title = f"{architecture.n_parameters:,} parameters"
        table = Table("layer", "computes", title=title, title_justify="left")
        for name in ("W", "parameters"):
            table.add_column(name, justify="right")
        for row in summary(architecture):
            shape = f"{row.out_features} × {row.in_features}"
            table.add_row(row.name, row.operations, shape, f"{row.n_parameters:,}")
        Console().print(table)
