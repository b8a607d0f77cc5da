"""``mlp plot confusion, reliability, residuals, importance, wrong``: a model file and samples."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multilayer import plots
from multilayer.cli import options, plot_output
from multilayer.cli.samples import ModelFile, SampleFile, Target, read_samples
from multilayer.errors import MultilayerError
from multilayer.files import load_model

__all__ = ["confusion", "importance", "reliability", "residuals", "wrong"]


def confusion(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    data_dir: options.DataDir = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw how many samples of each class are taken for which; of images those for testing."""
    _draw(plots.confusion_matrix, model, data, target, data_dir, save, show)


def reliability(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    data_dir: options.DataDir = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw how often what has a probability is so; of images those for testing."""
    _draw(plots.reliability, model, data, target, data_dir, save, show)


def residuals(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    data_dir: options.DataDir = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw how far predicted values are from the true ones."""
    _draw(plots.residuals, model, data, target, data_dir, save, show)


def importance(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    data_dir: options.DataDir = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw what each input counts: how much worse the score is when it is shuffled."""
    _draw(plots.importance, model, data, target, data_dir, save, show)


def wrong(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    n: Annotated[int, typer.Option("--n", help="How many.")] = 12,
    data_dir: options.DataDir = None,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw the samples that are most wrong, with what they are taken for."""

    def draw(found: Any, X: Any, y: Any) -> Any:
        side = round(found.inputs.in_features**0.5)
        is_image = data in ("digits", "mnist")
        images = X.reshape(len(X), side, side) if is_image else None
        return plots.most_wrong(found, X, y, n=n, images=images)

    _draw(draw, model, data, target, data_dir, save, show)


def _draw(
    picture: Callable[[Any, Any, Any], Any],
    model: Path,
    data: str,
    target: str | None,
    data_dir: Path | None,
    save: Path | None,
    show: bool,
) -> None:
    """Draw a picture of a model's predictions, of samples to validate on where there are."""
    plot_output.begin(save, show)
    found = load_model(model)
    given = read_samples(data, target, data_dir, found)
    X, y = given.validation or (given.X, given.y)
    try:
        axes = picture(found, X, y)
    except MultilayerError as error:
        error.args = (f"{error}{given.guess}",)
        raise
    plot_output.finish(axes, save, show)
