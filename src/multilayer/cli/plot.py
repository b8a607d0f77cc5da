"""``mlp plot``: the pictures of `multilayer.plots`, one subcommand each."""

import typer

from multilayer.cli import plot_ideas, plot_model, plot_samples
from multilayer.cli.command import Command

__all__ = ["app"]

app = typer.Typer(help="Draw a picture to a file or in a window.")
# Pictures of ideas: they need no model file, and train networks if necessary.
app.command("activations", cls=Command)(plot_ideas.activations)
app.command("hyperplane", cls=Command)(plot_ideas.hyperplane)
app.command("boundaries", cls=Command)(plot_ideas.boundaries)
app.command("features", cls=Command)(plot_ideas.features)
app.command("units", cls=Command)(plot_ideas.units)
app.command("fixed", cls=Command)(plot_ideas.fixed)
app.command("approximation", cls=Command)(plot_ideas.approximation)
app.command("relu", cls=Command)(plot_ideas.relu)
# Pictures of a model file.
app.command("history", cls=Command)(plot_model.history)
app.command("weights", cls=Command)(plot_model.weights)
app.command("network", cls=Command)(plot_model.network)
# Pictures of a model file and samples.
app.command("confusion", cls=Command)(plot_samples.confusion)
app.command("reliability", cls=Command)(plot_samples.reliability)
app.command("residuals", cls=Command)(plot_samples.residuals)
app.command("importance", cls=Command)(plot_samples.importance)
app.command("wrong", cls=Command)(plot_samples.wrong)
app.command("saliency", cls=Command)(plot_samples.saliency)
app.command("adversarial", cls=Command)(plot_samples.adversarial)
app.command("robustness", cls=Command)(plot_samples.robustness)
