"""How a classifier is fooled: slightly changed images, and the accuracy under attack."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.inspection import adversarial_accuracy, deepfool
from multilayer.inspection.twin import model_of_numbers
from multilayer.model import class_places
from multilayer.plots.images import draw_image, image_rows, images_of, said
from multilayer.plots.models import class_probabilities, opened, samples_of
from multilayer.plots.style import diverging, look, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["adversarial_examples", "robustness"]

ROWS = ("image", "change,\nenlarged", "changed image")
N_EPSILONS = 16
"""The default number of ε."""
LARGEST = 0.2
"""The largest ε by default, as a share of the range of the samples."""


def adversarial_examples(
    model: Any, X: object, y: object, *, n: int = 5, axes: Any = None
) -> npt.NDArray[Any]:
    r"""Draw correctly predicted images, and the small changes that make the predictions wrong.

    The first row shows the images, with the predicted class and its probability. The second shows
    the change that `multilayer.inspection.deepfool` finds, enlarged to the range of the images:
    orange pixels get more ink, blue ones less. The third shows the changed images, with the class
    predicted for them, its probability, and the distance: the square root of the sum of the squared
    changes.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A classifier of images: a network of either engine, or an object that contains one.
    X : array of shape (n_samples, height, width) or (n_samples, in_features)
        Images in the form that the model takes; flattened ones must be squares of at least 8 × 8
        pixels.
    y : array of shape (n_samples,)
        The true classes.
    n : int
        How many correctly predicted images to draw, starting with the first.
    axes : array of Axes, optional
        Where to draw, row by row: three Axes for each image.

    Returns
    -------
    axes : array of Axes, of shape (3, number of images)

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, an argument is invalid, or no image is predicted correctly.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(4, (), 1))
    >>> net.parameters[:] = 2, 0, 0, 0, -1
    >>> axes = adversarial_examples(net, [[[1.0, 0.0], [0.0, 0.0]]], [1])
    >>> axes[0, 0].get_title(), axes[2, 0].get_xlabel()
    ('predicted 1\n73.1 %', 'predicted 0\n50.5 %\ndistance 0.51')
    """
    owner = "adversarial_examples"
    n = checks.integer(n, "n", owner)
    model = opened(model)
    model_of_numbers(model, owner)  # rejects models of columns, whose samples are not images
    images = images_of(X, owner)
    classes, p = class_probabilities(model, images.reshape(len(images), -1), owner)
    truth = class_places(y, classes, len(images), owner)
    rows = np.flatnonzero(p.argmax(axis=1) == truth)[:n]
    if not len(rows):
        rule = "must contain an image that is predicted correctly; there is none"
        raise InvalidDataError(rule, "X", owner)
    before, shape = images[rows], images[rows].shape
    with checks.in_terms_of(owner, {"model": "model"}):
        found = deepfool(model, before.reshape(len(rows), -1))
    changes = found.changes.reshape(shape)
    after = before + changes
    p_after = class_probabilities(model, after.reshape(len(rows), -1), owner).probabilities
    extent = images.max() - images.min()
    grid = image_rows(axes, ROWS, len(rows), owner, 1.8)
    for i, row in enumerate(rows):
        largest = np.abs(changes[i]).max() or 1
        draw_image(grid[0, i], before[i], images.min(), images.max())
        draw_image(grid[1, i], changes[i], -largest, largest, diverging())
        draw_image(grid[2, i], after[i], images.min(), images.max())
        grid[0, i].set_title(said(classes[truth[row]], p[row].max()), fontsize="small")
        grid[1, i].set_xlabel(f"× {_two_digits(extent / largest)}", fontsize="small")
        text = "not fooled"
        if np.isfinite(found.distances[i]):
            text = said(found.predicted_after[i], p_after[i].max())
            text += f"\ndistance {_two_digits(found.distances[i])}"
        grid[2, i].set_xlabel(text, fontsize="small")
    return grid


def robustness(
    models: Any,
    X: object,
    y: object,
    *,
    epsilons: Any = None,
    n_steps: int = 10,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the accuracy on samples whose inputs are changed by at most ε each to raise the loss.

    Parameters
    ----------
    models : mapping of str to model, or a model
        Classifiers to compare, by name: networks of either engine, Models, estimators or paths.
    X : array of shape (n_samples, in_features) or (n_samples, height, width)
        Samples in the form that the models take.
    y : array of shape (n_samples,)
        The true classes.
    epsilons : array of shape (n_epsilons,), optional
        The values of ε; by default 16, from 0 to 0.2 times the range of X.
    n_steps : int
        As in `multilayer.inspection.adversarial_accuracy`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    MissingPackageError, InvalidArgumentError, InvalidDataError, InvalidTypeError
        If matplotlib is not installed, or an argument is invalid.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (), 1))
    >>> net.parameters[:] = 3, 4, -10
    >>> ax = robustness({"a line": net}, [[0.0, 0.0], [4.0, 4.0]], [0, 1], epsilons=[0, 1, 2])
    >>> ax.lines[0].get_ydata()
    array([1. , 1. , 0.5])
    """
    owner = "robustness"
    named = models if isinstance(models, Mapping) else {"": models}
    if not named:
        rule = "must be a mapping of names to models, or a model"
        raise InvalidTypeError(rule, "models", owner, got=repr(models))
    samples = checks.finite_array(samples_of(X, owner), "X", np.float64, owner)
    if epsilons is None:
        epsilons = np.linspace(0, LARGEST * np.ptp(samples), N_EPSILONS)
    names = {name: name for name in ("y", "epsilons", "n_steps")} | {"model": "models"}
    with checks.in_terms_of(owner, names):
        shares = [
            adversarial_accuracy(opened(model), samples, y, epsilons, n_steps=n_steps)
            for model in named.values()
        ]
    ax = one_axes(ax, owner, (5.4, 3.8))
    for i, (name, share) in enumerate(zip(named, shares, strict=True)):
        ax.plot(epsilons, share, label=name, markersize=4, **look(i))
    if isinstance(models, Mapping):
        ax.legend(frameon=False, fontsize="small")
    steps = "one step" if n_steps == 1 else f"{n_steps} steps"
    ax.set(xlabel=f"ε, the largest change of an input (in {steps})", ylabel="accuracy")
    ax.set_ylim(-0.02, 1.02)
    ax.grid(alpha=0.3)
    return ax


def _two_digits(value: float) -> str:
    """Return a number with at least two significant digits, without an exponent."""
    places = 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{max(places, 0)}f}"
