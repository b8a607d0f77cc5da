"""What a network looks at: gradients with respect to pixels, and integrated gradients."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.inspection import integrated_gradients
from multilayer.inspection.twin import Twin
from multilayer.plots.images import draw_image, image_rows, images_of, said
from multilayer.plots.models import class_probabilities, opened
from multilayer.plots.style import diverging

__all__ = ["saliency"]

Array = npt.NDArray[Any]

ROWS = ("image", "gradient", "integrated\ngradients")
N_STEPS = 200
"""More than the default, since networks of ReLUs have kinks."""


def saliency(
    model: Any, X: object, *, n: int = 5, baseline: float | Array = 0.0, axes: Any = None
) -> npt.NDArray[Any]:
    r"""Draw which pixels the prediction of an image depends on, by two measures.

    The first row shows the images, with the predicted class. The second shows the gradient of that
    class's logit, |∂z/∂x| (Simonyan, Vedaldi & Zisserman 2014): how much a little more or less ink
    would change the logit; darker is more. The third shows integrated gradients: what each pixel
    contributes to the logit, compared with the baseline; orange pixels raise it, blue ones lower
    it. Each picture in the second and third rows has its own scale.

    Parameters
    ----------
    model : MLP, Model, estimator or path
        A classifier of images: a network of either engine, or an object that contains one.
    X : array of shape (n_samples, height, width) or (n_samples, in_features)
        Images in the form that the model takes; flattened ones must be squares of at least 8 × 8
        pixels.
    n : int
        How many images to draw, starting with the first.
    baseline : float or array of shape (in_features,)
        As in `multilayer.inspection.integrated_gradients`.
    axes : array of Axes, optional
        Where to draw, row by row: three Axes for each image.

    Returns
    -------
    axes : array of Axes, of shape (3, number of images)

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
    >>> net = MLP(Architecture(4, (), 2))
    >>> net.parameters[:] = 1, 0, 0, 0, 0, 1, 0, 0, 0, 0
    >>> axes = saliency(net, [[[2.0, 0.0], [0.0, 0.0]]])
    >>> axes[0, 0].get_title()
    'predicted 0\n88.1 %'
    """
    owner = "saliency"
    model = opened(model)
    twin = Twin.of(model, owner)
    images = images_of(X, owner)[: checks.integer(n, "n", owner)]
    flat = images.reshape(len(images), -1)
    classes, p = class_probabilities(model, flat, owner)
    predicted = p.argmax(axis=1)
    n_outputs = twin.net.architecture.out_features
    # A single logit is that of the second class; lowering it raises the first class.
    sign = np.where(predicted == 0, -1.0, 1.0)[:, np.newaxis] if n_outputs == 1 else 1.0
    outputs = np.minimum(predicted, n_outputs - 1)
    one_hot = np.eye(n_outputs)[outputs]
    gradients = twin.gradient(twin.encode(flat), lambda _, rows: one_hot[rows]) * twin.slopes
    with checks.in_terms_of(owner, {"baseline": "baseline"}):
        found = integrated_gradients(
            model, flat, output=outputs, baseline=baseline, of_logits=True, n_steps=N_STEPS
        )
    shown = np.abs(gradients).reshape(images.shape), (sign * found.values).reshape(images.shape)
    grid = image_rows(axes, ROWS, len(images), owner, 1.6)
    for i, image in enumerate(images):
        draw_image(grid[0, i], image, images.min(), images.max())
        grid[0, i].set_title(said(classes[predicted[i]], p[i].max()), fontsize="small")
        slopes, parts = (each[i] for each in shown)
        draw_image(grid[1, i], slopes, 0, slopes.max() or 1)
        largest = np.abs(parts).max() or 1
        draw_image(grid[2, i], parts, -largest, largest, diverging())
    return grid
