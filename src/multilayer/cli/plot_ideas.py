"""``mlp plot activations, boundaries, …``: pictures of ideas, which train what they need."""

from typing import Annotated

import typer

from multilayer import plots
from multilayer.cli import plot_output

__all__ = ["activations"]


def activations(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; by default all. See mlp activations.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Draw all of them in one picture.")
    ] = False,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw activations and their derivatives."""
    plot_output.begin(save, show)
    plot_output.finish(plots.activations(names or None, together=together), save, show)
