"""Integrated gradients: how much each input contributes to an output."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.inspection.twin import Twin

__all__ = ["Attributions", "integrated_gradients"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Attributions:
    """The result of `integrated_gradients`.

    Attributes
    ----------
    values : array of shape (n_samples, in_features)
        What each input contributes to the output, in the output's units.
    output : array of shape (n_samples,)
        The index of the output that is attributed.
    at_samples, at_baseline : array of shape (n_samples,)
        This output for the samples, and for their baselines.
    """

    values: Array
    output: Array
    at_samples: Array
    at_baseline: Array

    @property
    def gaps(self) -> Array:
        """The sum of the attributions minus f(x) − f(x′), of shape (n_samples,).

        It would be 0 if the integral were exact; if it is not small, take more steps.
        """
        return self.values.sum(axis=1) - (self.at_samples - self.at_baseline)


def integrated_gradients(
    model: Any,
    X: object,
    *,
    output: int | Array | None = None,
    baseline: object = 0.0,
    of_logits: bool = False,
    n_steps: int = 50,
) -> Attributions:
    r"""Attribute an output to the inputs, by its gradients along the way from a baseline.

    .. math:: A_j(x) = (x_j - x'_j) \int_0^1
              \frac{∂f}{∂x_j}\big(x' + t\,(x - x')\big) \, dt

    (Sundararajan, Taly & Yan 2017, eq. 1). The attributions add up to f(x) − f(x'), since their sum
    is the integral of the derivative of f along the straight line from x' to x. The gradient at x
    alone has no such meaning: where an output is saturated, it is near 0 for all inputs.

    The integral is computed by Gauss–Legendre quadrature with n nodes, instead of the paper's n
    equal steps (eq. 3). For smooth activations, the error falls exponentially with n; at each kink
    of a ReLU along the way, it falls as 1/n with either method. `Attributions.gaps` is the error of
    the sum.

    Parameters
    ----------
    model : MLP, Model or estimator
        A network of either engine, or an object that contains one, for plain or scaled numbers.
    X : array of shape (n_samples, in_features)
        Raw samples; further axes, such as those of images, are flattened.
    output : int or array of shape (n_samples,), optional
        The index of the network's output, the same for all samples or one for each; by default,
        that of each sample's largest output, which belongs to the predicted class. (The single
        output of a network for two classes always belongs to the second class.)
    baseline : float or array of shape (in_features,) or (n_samples, in_features)
        x', a sample without information: a black image, or the mean of the training samples.
    of_logits : bool
        Whether f is the logit instead of the output after the link function.
    n_steps : int
        The number of nodes n.

    Returns
    -------
    Attributions

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model is an ensemble or does not take plain or scaled numbers, or an argument does
        not fit it.

    Notes
    -----
    Attributions depend on the baseline, but not on how the inputs are scaled before they reach the
    network.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (), 1))
    >>> net.parameters[:] = 2, -1, 5  # f(x) = 2 x₁ − x₂ + 5
    >>> found = integrated_gradients(net, [[3.0, 4.0]])
    >>> found.values.round(6)
    array([[ 6., -4.]])
    >>> bool(abs(found.gaps[0]) < 1e-12)
    True
    """
    owner = "integrated_gradients"
    of_logits = checks.flag(of_logits, "of_logits", owner)
    n_steps = checks.integer(n_steps, "n_steps", owner)
    twin = Twin.of(model, owner)
    x = twin.encode(X)
    start = np.broadcast_to(twin.encode(_rows(baseline, x.shape, owner)), x.shape)
    f = twin.net.logits if of_logits else twin.net
    ends = f(x)
    chosen = ends.argmax(axis=1) if output is None else _places(output, ends.shape, owner)
    every = np.arange(len(x))
    one_hot = np.zeros_like(ends)
    one_hot[every, chosen] = 1

    def dz(z: Array, rows: slice) -> Array:
        link = twin.net.network.link
        return one_hot[rows] if of_logits else link.backward(one_hot[rows], z, link.forward(z))

    nodes, weights = np.polynomial.legendre.leggauss(n_steps)  # on [−1, 1]
    way, mean = x - start, np.zeros_like(x)
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean += weight * twin.gradient(start + t * way, dz)
    return Attributions(way * mean, chosen, ends[every, chosen], f(start)[every, chosen])


def _rows(baseline: object, shape: tuple[int, ...], owner: str) -> Array:
    """Return the baseline as one row, or as one for each sample."""
    n, in_features = shape
    found = checks.finite_array(baseline, "baseline", np.float64)
    if found.size == 1:
        return np.full((1, in_features), found.item())
    if found.size not in (in_features, n * in_features):
        rule = f"must be a number, a sample of {in_features} features, or {n} of them"
        raise InvalidDataError(rule, "baseline", owner, got=f"shape {found.shape}")
    return found.reshape(-1, in_features)


def _places(output: Any, shape: tuple[int, ...], owner: str) -> Array:
    """Return the index of each sample's output."""
    n, n_outputs = shape
    found = checks.array(output, "output", owner)
    are_numbers = found.dtype.kind in "iu" and found.shape in ((), (n,))
    if not are_numbers or (found < 0).any() or (found >= n_outputs).any():
        rule = f"must be a number from 0 to {n_outputs - 1}, or {n} of them, one per sample"
        raise InvalidArgumentError(rule, "output", owner, got=repr(output))
    return np.broadcast_to(found, (n,)).astype(np.intp)
