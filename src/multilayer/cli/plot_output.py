"""Output of ``mlp plot``: to a file, to the screen, or both."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from multilayer.atomic import replacing
from multilayer.cli import options
from multilayer.errors import InvalidArgumentError, MissingPackageError
from multilayer.registry import Names

__all__ = ["FORMATS", "Save", "Show", "begin", "finish"]

FORMATS = Names("format", ["png", "svg", "pdf"])

Save = Annotated[
    Path | None, typer.Option(help="Draw to this .png, .svg or .pdf file.", metavar="FILE")
]
Show = Annotated[bool, typer.Option("--show", help="Open the picture in a window.")]


def begin(save: Path | None, show: bool) -> None:
    """Choose matplotlib's backend; raise, before any computation, if the picture would be lost.

    Raises
    ------
    InvalidArgumentError
        If neither option is given, the file cannot be written, or there is no screen.
    MissingPackageError
        If matplotlib is not installed.
    """
    if save is None and not show:
        raise InvalidArgumentError("mlp plot needs --save FILE, or --show")
    if save is not None:
        FORMATS.check(save.suffix.lower().removeprefix("."), "--save")
        options.check_file(save, "save")
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingPackageError(
            'mlp plot needs matplotlib: pip install "multilayer[plot]"'
        ) from error
    if not show:
        mpl.use("Agg")
        return
    from matplotlib import pyplot as plt

    backend = str(plt.get_backend()).lower()
    if backend in ("agg", "pdf", "svg", "ps", "cairo", "template"):
        rule = f"needs a screen; matplotlib's backend is {backend!r} here"
        raise InvalidArgumentError(rule, "show")


def finish(axes: Any, save: Path | None, show: bool) -> None:
    """Save the figure of these Axes, completely or not at all, and show it if required.

    Parameters
    ----------
    axes : Axes or array of Axes
        The result of a function of `multilayer.plots`.
    """
    from matplotlib import pyplot as plt

    figure = np.ravel(axes)[0].get_figure(root=True)
    if save is not None:
        with replacing(save) as file:
            figure.savefig(file, format=save.suffix.lower().removeprefix("."), dpi=150)
        Console(stderr=True).print(f"picture written to {save}", highlight=False, soft_wrap=True)
    if show:
        plt.show()
    plt.close(figure)
