"""``mlp plot confusion, reliability, …``: pictures of a model file and samples."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from multilayer import plots
from multilayer.cli import options, plot_output
from multilayer.cli.notes import notes
from multilayer.cli.samples import BUNDLED, ModelFile, SampleFile, Target, read_samples
from multilayer.files import load_model

__all__ = [
    "adversarial",
    "confusion",
    "importance",
    "reliability",
    "residuals",
    "robustness",
    "saliency",
    "wrong",
]

Picture = Callable[[Any, Any, Any], Any]
"""A function of model, samples and targets that draws a picture and returns its Axes."""


def _command(name: str, text: str) -> Callable[..., None]:
    """Return a command that draws the picture with this name."""

    def command(
        model: ModelFile,
        data: SampleFile,
        target: Target = None,
        data_dir: options.DataDir = None,
        separator: options.Separator = None,
        encoding: options.Encoding = None,
        save: plot_output.Save = None,
        show: plot_output.Show = False,
    ) -> None:
        # Looked up only now, because scikit-learn's displays are slow to import.
        given = {"target": target, "data_dir": data_dir, "separator": separator}
        _draw(getattr(plots, name), model, data, given | {"encoding": encoding}, save, show)

    command.__doc__ = text
    return command


confusion = _command(
    "confusion_matrix",
    "Draw the confusion matrix; for digits and mnist, of the test images.",
)
reliability = _command(
    "reliability",
    "Draw how well probabilities match frequencies; for digits and mnist, of the test images.",
)
residuals = _command("residuals", "Draw how far predicted values are from the true ones.")
importance = _command(
    "importance", "Draw each input's importance: how much the score drops when it is shuffled."
)


def _command_with_n(picture: Callable[..., Any], text: str, default: int) -> Callable[..., None]:
    """Return a command that draws `n` samples; `picture` takes n after a `Picture`'s arguments."""

    def command(
        model: ModelFile,
        data: SampleFile,
        target: Target = None,
        n: Annotated[int, typer.Option("--n", min=1, help="Number of samples.")] = default,
        data_dir: options.DataDir = None,
        separator: options.Separator = None,
        encoding: options.Encoding = None,
        save: plot_output.Save = None,
        show: plot_output.Show = False,
    ) -> None:
        def draw(found: Any, X: Any, y: Any) -> Any:
            if data in BUNDLED:
                side = math.isqrt(found.inputs.in_features)
                X = X.reshape(len(X), side, side)
            return picture(found, X, y, n)

        given = {"target": target, "data_dir": data_dir, "separator": separator}
        _draw(draw, model, data, given | {"encoding": encoding}, save, show)

    command.__doc__ = text
    return command


wrong = _command_with_n(
    lambda model, X, y, n: plots.most_wrong(model, X, y, n=n),
    "Draw the samples with the worst predictions, with their true and predicted classes.",
    12,
)
saliency = _command_with_n(
    lambda model, X, _, n: plots.saliency(model, X, n=n),
    "Draw which pixels of an image its prediction depends on.",
    5,
)
adversarial = _command_with_n(
    lambda model, X, y, n: plots.adversarial_examples(model, X, y, n=n),
    "Draw correctly classified images, and a small change that makes their prediction wrong.",
    5,
)
robustness = _command_with_n(
    lambda model, X, y, n: plots.robustness(model, X[:n], y[:n]),
    "Draw the accuracy on samples that are changed slightly so as to increase the loss.",
    500,
)


def _draw(
    picture: Picture,
    model: Path,
    data: str,
    given: dict[str, Any],
    save: Path | None,
    show: bool,
) -> None:
    """Draw a picture of a model's predictions, for the validation set if there is one."""
    plot_output.begin(save, show)
    found = load_model(model)
    samples = read_samples(data, found, **given)
    with samples.noting_guess(), notes(), Console(stderr=True).status("predicting …"):
        axes = picture(found, *(samples.validation or (samples.X, samples.y)))
    plot_output.finish(axes, save, show)
