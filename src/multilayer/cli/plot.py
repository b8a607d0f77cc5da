"""``mlp plot``: the pictures of `multilayer.plots`, a subcommand each."""

import typer

from multilayer.cli import plot_ideas

__all__ = ["app"]

app = typer.Typer(help="Draw a picture into a file or a window.")
# Of ideas: they need no model, or train one.
app.command("activations")(plot_ideas.activations)
