"""``mlp plot history, weights, network``: pictures of a model file."""

from typing import Annotated

import typer

from multilayer import plots
from multilayer.cli import plot_output
from multilayer.cli.member import Member, load_member
from multilayer.cli.samples import ModelFile
from multilayer.errors import InvalidArgumentError
from multilayer.files import load_model

__all__ = ["history", "network", "weights"]


def history(path: ModelFile, save: plot_output.Save = None, show: plot_output.Show = False) -> None:
    """Draw the loss curves, the learning rate and the best epoch."""
    plot_output.begin(save, show)
    plot_output.finish(plots.history(load_model(path)), save, show)


def weights(
    path: ModelFile,
    image_shape: Annotated[
        str | None,
        typer.Option("--shape", metavar="HxW", help="Shape of an image; square by default."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of units.")] = 24,
    columns: Annotated[int, typer.Option(help="Number of images in a row.")] = 8,
    member: Member = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw the first layer's weights, one image per unit, largest first."""
    plot_output.begin(save, show)
    shape = None if image_shape is None else _read_shape(image_shape)
    axes = plots.first_layer_weights(
        load_member(path, member), image_shape=shape, n=n, columns=columns
    )
    plot_output.finish(axes, save, show)


def network(
    path: ModelFile,
    max_units: Annotated[int, typer.Option(help="Maximum number of units drawn per layer.")] = 10,
    member: Member = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw the network's units, with a line for each weight."""
    plot_output.begin(save, show)
    plot_output.finish(
        plots.network_diagram(load_member(path, member), max_units=max_units), save, show
    )


def _read_shape(text: str) -> tuple[int, int]:
    """Read ``28x28``."""
    try:
        height, width = map(int, text.lower().split("x"))
    except ValueError:
        rule = "must be height and width such as 28x28"
        raise InvalidArgumentError(rule, "image_shape", got=repr(text)) from None
    return height, width
