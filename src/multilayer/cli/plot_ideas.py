"""``mlp plot activations, boundaries, …``: pictures of ideas, which need no model file."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
import typer

from multilayer import checks, plots
from multilayer.cli import options, plot_output
from multilayer.data import toy
from multilayer.errors import InvalidArgumentError
from multilayer.inspection import Hyperplane, measure_activations
from multilayer.numpy import MLP
from multilayer.plots.fitting import classifier

__all__ = [
    "activations",
    "approximation",
    "boundaries",
    "features",
    "fixed",
    "hyperplane",
    "relu",
    "units",
]

Array = npt.NDArray[np.float64]

T = TypeVar("T", int, float)

N_STARTS = 5

Data = Annotated[str, typer.Option(help=f"One of {', '.join(toy.PLANE_SETS)}.")]
Samples = Annotated[int, typer.Option("--n", help="Number of samples.")]
Widths = Annotated[str, typer.Option(help="Widths of the hidden layers.")]
Activation = Annotated[
    str, typer.Option(help="Activation of the hidden layers. See mlp activations.")
]
Seed = Annotated[int, typer.Option(help="Seed for samples and weights.")]


def activations(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names; all by default. See mlp activations.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Draw all of them in the same panels.")
    ] = False,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw activations and their derivatives."""
    plot_output.begin(save, show)
    plot_output.finish(plots.activations(names or None, together=together), save, show)


def hyperplane(
    w: Annotated[str, typer.Option(help="The two weights.")] = "3,4",
    b: Annotated[float, typer.Option(help="The bias.")] = -10.0,
    points: Annotated[str, typer.Option(help="Points, such as 0,4;1,0.5.")] = "0,4;3,2;1,0.5",
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw the line w·x + b = 0, its normal, and distances from it."""
    plot_output.begin(save, show)
    line = Hyperplane(np.array(_pair(w, "w")), b)
    X = [_pair(point, "points") for point in points.split(";")] if points.strip() else None
    plot_output.finish(plots.hyperplane(line, X), save, show)


def boundaries(
    data: Data = "spirals",
    hidden: Annotated[
        list[str] | None,
        typer.Option(help="Widths of the hidden layers; repeat for each network to compare."),
    ] = None,
    activation: Activation = "tanh",
    n: Samples = 300,
    seed: Seed = 0,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Train networks with 1, 2 and 4 hidden layers of 3 units, and draw their decision regions."""
    plot_output.begin(save, show)
    X, y, rng = _samples(data, n, seed)
    models = {}
    for text in hidden or ["3", "3,3", "3,3,3,3"]:
        net = _trained(X, y, text, activation, rng)
        count = len(net.architecture.hidden_features)
        layers = f"{count} hidden layer{'' if count == 1 else 's'}: {text}"
        models[layers if count else "no hidden layer"] = net
    plot_output.finish(plots.decision_boundaries(models, X, y), save, show)


def _command(
    data: str, hidden: str, text: str, picture: Callable[[MLP, Array, Array], Any]
) -> Callable[..., None]:
    """Return a command that trains a network and draws it, with these defaults for its options."""

    def command(
        data: Data = data,
        hidden: Widths = hidden,
        activation: Activation = "tanh",
        n: Samples = 300,
        seed: Seed = 0,
        save: plot_output.Save = None,
        show: plot_output.Show = False,
    ) -> None:
        plot_output.begin(save, show)
        X, y, rng = _samples(data, n, seed)
        net = _trained(X, y, hidden, activation, rng)
        plot_output.finish(picture(net, X, y), save, show)

    command.__doc__ = f"Train a network, and draw {text}."
    return command


features = _command(
    "xor", "2", "the samples in the space of each of its layers", plots.learned_features
)
units = _command(
    "spirals",
    "8,4",
    "the output of each hidden unit over the plane",
    lambda net, X, _: plots.hidden_units(net, X),
)


def fixed(
    data: Annotated[
        list[str] | None, typer.Option(help="A data set; may be repeated. All by default.")
    ] = None,
    hidden: Widths = "8,8",
    n: Samples = 200,
    seed: Seed = 0,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw linear models on fixed features, next to a network that learns its features."""
    plot_output.begin(save, show)
    rng = _generator(seed)
    samples = {name: toy.PLANE_SETS[name](n, rng=rng) for name in data or toy.PLANE_SETS}
    widths = options.read_widths(hidden)
    plot_output.finish(plots.fixed_features(samples, hidden_features=widths, rng=rng), save, show)


def approximation(
    widths: Annotated[str, typer.Option(help="Hidden units in each network.")] = "1,3,10,100",
    activation: Activation = "relu",
    seed: Seed = 0,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Fit networks with one hidden layer to a curve, and draw what each unit contributes."""
    plot_output.begin(save, show)
    numbers = _numbers(widths, int)
    if not numbers:
        rule = "must be whole numbers, such as 1,3,10"
        raise InvalidArgumentError(rule, "widths", got=repr(widths))
    axes = plots.approximation(widths=numbers, activation=activation, rng=_generator(seed))
    plot_output.finish(axes, save, show)


def relu(
    names: Annotated[
        list[str] | None, typer.Argument(help="Activations; by default sigmoid, tanh and relu.")
    ] = None,
    depth: Annotated[int, typer.Option(help="Number of hidden layers.")] = 10,
    width: Annotated[int, typer.Option(help="Units per hidden layer.")] = 100,
    seed: Seed = 0,
    save: plot_output.Save = None,
    show: plot_output.Show = False,
) -> None:
    """Draw measurements of activations: gradients by depth, shares of zeros, and times."""
    plot_output.begin(save, show)
    chosen = names or ["sigmoid", "tanh", "relu"]
    measured = measure_activations(chosen, depth=depth, width=width, rng=_generator(seed))
    plot_output.finish(plots.why_relu(measured), save, show)


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(checks.integer(seed, "seed", "mlp", minimum=0))


def _samples(data: str, n: int, seed: int) -> tuple[Array, Array, np.random.Generator]:
    rng = _generator(seed)
    X, y = toy.PLANE_SETS[data](n, rng=rng)
    return X, y, rng


def _trained(X: Array, y: Array, hidden: str, activation: str, rng: np.random.Generator) -> MLP:
    """Return the best of several networks trained on the samples."""
    widths, activations = options.read_widths(hidden), options.read_activation(activation)
    return classifier(X, y, widths, activation=activations, n_starts=N_STARTS, rng=rng)


def _pair(text: str, option: str) -> list[float]:
    """Read two numbers: ``3,4``."""
    numbers = _numbers(text, float)
    if len(numbers) != 2:
        raise InvalidArgumentError("must be two numbers, such as 3,4", option, got=repr(text))
    return numbers


def _numbers(text: str, kind: type[T]) -> list[T]:
    """Read numbers separated by commas; return an empty list if any part is not a number."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        return []
