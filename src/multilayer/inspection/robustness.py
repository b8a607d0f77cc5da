"""How a classifier is fooled: small changes that change its predictions, and how often they do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.inspection.twin import Twin
from multilayer.model import Prediction, class_places, class_prediction
from multilayer.numpy import OUTPUTS

__all__ = ["AdversarialExamples", "adversarial_accuracy", "deepfool"]

Array = npt.NDArray[Any]

CHUNK = 256
"""How many samples are moved at once, each with the derivatives of all logits."""
EDGE = 1e-9
"""The least difference between logits, relative to their size: on the boundary itself, a step would
otherwise have length 0."""


@dataclass(frozen=True, eq=False)
class AdversarialExamples:
    """The result of `deepfool`: changes r of the samples that change the prediction.

    Attributes
    ----------
    changes : array of shape (n_samples, in_features)
        r, in the units of the raw samples.
    distances : array of shape (n_samples,)
        ‖r‖₂; infinite where no change of the prediction was found.
    predicted, predicted_after : array of shape (n_samples,)
        The classes predicted for x and for x + r.
    """

    changes: Array
    distances: Array
    predicted: Array
    predicted_after: Array


def deepfool(
    model: Any, X: object, *, overshoot: float = 0.02, max_steps: int = 50
) -> AdversarialExamples:
    r"""Find a small change of each sample that changes the predicted class, and its length.

    DeepFool (Moosavi-Dezfooli, Fawzi & Frossard 2016, algorithm 2) treats the network as linear
    around the sample, and steps to the nearest of the hyperplanes on which another logit equals
    that of the predicted class c:

    .. math:: f_k = z_k - z_c, \quad w_k = \frac{∂f_k}{∂x}, \qquad
              l = \arg\min_{k ≠ c} \frac{|f_k|}{‖w_k‖_2}, \qquad
              r ← r + \frac{|f_l|}{‖w_l‖_2^2}\, w_l ,

    and repeats this from x + (1 + η) r until the prediction there changes. The result is (1 + η) r.
    For a linear classifier, one step leads to the nearest boundary, so the distance is 1 + η times
    the true one. For others, it is only an upper bound: there may be a nearer boundary.

    Parameters
    ----------
    model : MLP, Model or estimator
        A classifier for plain or scaled numbers: a network of either engine, or an object that
        contains one.
    X : array of shape (n_samples, in_features)
        Raw samples; further axes, such as those of images, are flattened.
    overshoot : float
        η ≥ 0.
    max_steps : int
        The most steps that a sample may take.

    Returns
    -------
    AdversarialExamples

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If the model is an ensemble, has fewer than two classes or does not take plain or scaled
        numbers, or an argument does not fit it.

    Notes
    -----
    The paper's algorithm takes its steps from x + r, and applies the factor 1 + η at the end. Its
    authors' program steps as described here, which does not stall on a boundary.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (), 1))
    >>> net.parameters[:] = 3, 4, -10  # z = 3 x₁ + 4 x₂ − 10 is 0 at distance 2 from the origin
    >>> found = deepfool(net, [[0.0, 0.0]], overshoot=0.01)
    >>> found.distances.round(6), found.predicted, found.predicted_after
    (array([2.02]), array([0]), array([1]))
    """
    owner = "deepfool"
    reach = 1 + checks.real(overshoot, "overshoot", owner, "[0, inf)")
    max_steps = checks.integer(max_steps, "max_steps", owner)
    twin = Twin.of(model, owner)
    x = twin.encode(X)
    classes, p = _prediction(twin, X, owner)
    start = p.argmax(axis=1)
    changes = np.zeros_like(x)
    for first in range(0, len(x), CHUNK):
        rows = slice(first, first + CHUNK)
        changes[rows] = reach * _way_out(twin, x[rows], start[rows], reach, max_steps)
    after = _logits(twin, x + changes * twin.slopes).argmax(axis=1)
    distances = np.where(after == start, np.inf, np.linalg.norm(changes, axis=1))
    return AdversarialExamples(changes, distances, classes[start], classes[after])


def adversarial_accuracy(
    model: Any, X: object, y: object, epsilons: Sequence[float] | Array, *, n_steps: int = 1
) -> Array:
    r"""Measure the accuracy on samples that are moved by at most ε in each input to raise the loss.

    .. math:: x + ε \operatorname{sign} \frac{∂ℓ}{∂x}

    is the fast gradient sign method (Goodfellow, Shlens & Szegedy 2015, section 4). With n steps of
    length ε/n, each from where the last one led (Kurakin, Goodfellow & Bengio 2017, eq. 2), the
    move follows a curved loss. ℓ is the cross-entropy. A sample counts as right if it is predicted
    correctly both before and after the move. A better attack may fool the network on more samples:
    the result is an upper bound of the accuracy under any such change.

    The gradient is divided by 1 − p, with p the probability of the true class, before its sign is
    taken. So the sign remains where a prediction is so sure that the gradient itself rounds to 0.

    Parameters
    ----------
    model : MLP, Model or estimator
        As in `deepfool`.
    X : array of shape (n_samples, in_features)
        Raw samples.
    y : array of shape (n_samples,)
        The true classes; for a network by itself, the numbers of its outputs.
    epsilons : array of shape (n_epsilons,)
        Each ε ≥ 0, in the units of the raw samples.
    n_steps : int
        The number of steps n.

    Returns
    -------
    array of shape (n_epsilons,)
        The share of samples that are right.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        As in `deepfool`, or if `y` contains other classes.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (), 1))
    >>> net.parameters[:] = 3, 4, -10  # moved by ε, x changes z by 7 ε
    >>> adversarial_accuracy(net, [[0.0, 0.0], [4.0, 4.0]], [0, 1], [0.0, 1.0, 2.0, 3.0])
    array([1. , 1. , 0.5, 0. ])
    """
    owner = "adversarial_accuracy"
    n_steps = checks.integer(n_steps, "n_steps", owner)
    lengths = checks.finite_array(epsilons, "epsilons", np.float64)
    if lengths.ndim != 1 or (lengths < 0).any():
        rule = "must be a vector of numbers of at least 0"
        raise InvalidDataError(rule, "epsilons", owner, got=repr(epsilons))
    twin = Twin.of(model, owner)
    x = twin.encode(X)
    classes, p = _prediction(twin, X, owner)
    truth = class_places(y, classes, len(x), owner)
    is_right = p.argmax(axis=1) == truth
    if not is_right.any():
        return np.zeros(len(lengths))
    x, truth = x[is_right], truth[is_right]

    def dz(z: Array, rows: slice) -> Array:
        """Return ∂ℓ/∂z divided by 1 − p of the true class, which rounds to 0 if p is near 1."""
        others, k = _for_each_class(z).copy(), truth[rows]
        every = np.arange(len(z))
        others[every, k] = -np.inf
        found = OUTPUTS["softmax"].forward(others)
        found[every, k] = -1
        return found[:, -z.shape[1] :]

    shares = np.empty(len(lengths))
    for i, length in enumerate(lengths):
        moved = x
        for _ in range(n_steps):
            uphill = np.sign(twin.gradient(moved, dz))
            moved = moved + length / n_steps * uphill * twin.slopes
        shares[i] = (_logits(twin, moved).argmax(axis=1) == truth).mean()
    return shares * is_right.mean()


def _prediction(twin: Twin, X: object, owner: str) -> Prediction:
    found = class_prediction(twin.model, X, owner)
    if len(found.classes) < 2:
        rule = "must distinguish at least two classes"
        raise InvalidArgumentError(rule, "model", owner, got=f"one, {found.classes[0]}")
    return found


def _way_out(twin: Twin, x: Array, start: Array, reach: float, max_steps: int) -> Array:
    """Return r for each of the network's inputs x."""
    r = np.zeros_like(x)
    left = np.arange(len(x))
    for _ in range(max_steps):
        moved = x[left] + reach * r[left] * twin.slopes
        z = _logits(twin, moved)
        is_same = z.argmax(axis=1) == start[left]
        left, moved, z = left[is_same], moved[is_same], z[is_same]
        if not len(left):
            break
        r[left] += _step(z, _jacobian(twin, moved), start[left])
    return r


def _step(z: Array, jacobian: Array, start: Array) -> Array:
    """Return the step to the nearest hyperplane on which another logit equals that of `start`."""
    every = np.arange(len(z))
    f = np.abs(z - z[every, start][:, np.newaxis])
    f = np.maximum(f, EDGE * (1 + np.abs(z).max(axis=1, keepdims=True)))
    w = jacobian - jacobian[every, start][:, np.newaxis]
    norms = np.linalg.norm(w, axis=2)
    far = np.full_like(f, np.inf)  # the distance if the logits' difference is constant
    nearest = np.divide(f, norms, out=far, where=norms > 0).argmin(axis=1)
    f, w, norms = f[every, nearest], w[every, nearest], norms[every, nearest]
    length = np.divide(f, norms**2, out=np.zeros_like(f), where=norms > 0)
    return length[:, np.newaxis] * w


def _logits(twin: Twin, x: Array) -> Array:
    return _for_each_class(twin.net.logits(x))


def _jacobian(twin: Twin, x: Array) -> Array:
    """Return the derivatives of `_logits` with respect to the raw samples."""
    return _for_each_class(twin.net.jacobian(x, of_logits=True) * twin.slopes)


def _for_each_class(of_logits: Array) -> Array:
    """Return values for each class; a single logit is the second class's, and the first gets 0."""
    if of_logits.shape[1] > 1:
        return of_logits
    return np.concatenate([np.zeros_like(of_logits), of_logits], axis=1)
