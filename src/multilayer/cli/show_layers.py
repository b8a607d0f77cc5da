"""What is printed when a training begins."""

from rich.console import Console
from rich.table import Table

from multilayer.inspection import summary
from multilayer.numpy import MLP, Ensemble
from multilayer.numpy.fast.updates import add_up
from multilayer.training import Callback, Run

__all__ = ["NoteCompiling", "ShowLayers"]


class NoteCompiling(Callback):
    """Say why the first training on a machine takes longer."""

    def on_train_begin(self, run: Run) -> None:
        if isinstance(run.net, MLP | Ensemble) and not add_up.is_ready:
            note = "the first training compiles its passes, which takes a few seconds"
            Console(stderr=True).print(note, highlight=False, soft_wrap=True)


class ShowLayers(Callback):
    """Print the layers when training begins, after all arguments have been checked."""

    def on_train_begin(self, run: Run) -> None:
        architecture = run.net.architecture
        title = f"{architecture.n_parameters:,} parameters"
        table = Table("layer", "computes", title=title, title_justify="left")
        for name in ("W", "parameters"):
            table.add_column(name, justify="right")
        for row in summary(architecture):
            shape = f"{row.out_features} × {row.in_features}"
            table.add_row(row.name, row.operations, shape, f"{row.n_parameters:,}")
        Console().print(table)
