"""``mlp plot``: the pictures of `multilayer.plots`, a subcommand each."""

import typer

from multilayer.cli import plot_ideas, plot_model

__all__ = ["app"]

app = typer.Typer(help="Draw a picture into a file or a window.")
# Of ideas: they need no model, or train one.
app.command("activations")(plot_ideas.activations)
app.command("hyperplane")(plot_ideas.hyperplane)
app.command("boundaries")(plot_ideas.boundaries)
app.command("features")(plot_ideas.features)
app.command("units")(plot_ideas.units)
app.command("fixed")(plot_ideas.fixed)
app.command("approximation")(plot_ideas.approximation)
app.command("relu")(plot_ideas.relu)
# Of a model file.
app.command("history")(plot_model.history)
app.command("weights")(plot_model.weights)
app.command("network")(plot_model.network)
