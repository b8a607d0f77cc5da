"""The hand-derived gradient, checked against central differences."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.numpy.activations import ACTIVATIONS, Activation
from multilayer.numpy.blocks import with_caches
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.initializers import Normal
from multilayer.numpy.layers import Activate, Layer
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.mlp import MLP
from multilayer.numpy.objective import Batch, Objective
from multilayer.numpy.sensitivity import to_inputs
from multilayer.registry import resolve

__all__ = ["ArrayCheck", "GradientReport", "check_gradients", "smooth_problem"]

Array = npt.NDArray[Any]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
"""h = ε^(1/3), for which the truncation error h² and the rounding error ε/h are equally large."""

LONG_STEP = float(np.finfo(np.float64).eps) ** (1 / 4)
"""h for a difference of four values: short enough for h⁴ to be small where the loss is curved."""

SMALL = 1e-3
"""Errors of gradients below this fraction of the largest are relative to that fraction of it."""


@dataclass(frozen=True)
class ArrayCheck:
    """How well the gradient with respect to one array agrees with central differences."""

    name: str
    shape: tuple[int, ...]
    max_relative_error: float
    index: tuple[int, ...]
    """Where the error is largest."""
    analytic: float
    numeric: float


@dataclass(frozen=True)
class GradientReport:
    """The result of `check_gradients`: a check of each array of parameters, and of X."""

    arrays: tuple[ArrayCheck, ...]
    tolerance: float

    @property
    def max_relative_error(self) -> float:
        """The largest error of all arrays."""
        return float(np.max([check.max_relative_error for check in self.arrays]))  # keeps NaN

    @property
    def passed(self) -> bool:
        """Whether all errors are within the tolerance."""
        return self.max_relative_error <= self.tolerance

    def __str__(self) -> str:
        lines = [f"{'array':<12}{'shape':<14}{'largest relative error':<24}where"]
        for check in self.arrays:
            where = f"{list(check.index)}: {check.analytic:+.8e} against {check.numeric:+.8e}"
            lines.append(
                f"{check.name:<12}{check.shape!s:<14}{check.max_relative_error:<24.1e}{where}"
            )
        verdict = "passed" if self.passed else "FAILED"
        lines.append(f"{verdict}: {self.max_relative_error:.1e} (tolerance {self.tolerance:.0e})")
        return "\n".join(lines)


MAX_DRAWS = 1000


def check_gradients(
    net: MLP,
    X: object,
    y: object,
    *,
    loss: str | Loss,
    l1: float = 0.0,
    l2: float = 0.0,
    sample_weight: object = None,
    training: bool = True,
    seed: int = 0,
    max_entries: int | None = None,
    tolerance: float = 1e-6,
) -> GradientReport:
    r"""Compare the hand-derived gradients with central differences, in float64.

    For every parameter :math:`θ_k`, and likewise for every entry of X, with
    :math:`h_k = ε^{1/3} \max(1, |θ_k|)`,

    .. math:: n_k = \frac{J(θ + h_k e_k) - J(θ - h_k e_k)}{2 h_k}, \qquad
              \text{error} = \frac{|g_k - n_k|}{\max(|g_k|, |n_k|, 10^{-3} \max_l |g_l|)}.

    The last term makes the rounding error of a difference, about 1e-11, negligible for gradients
    that are tiny compared with the others. If the error is above the tolerance, a difference of
    four values is tried as well, whose truncation error falls with the fourth power of the step,
    and the smaller error is used: a wrong gradient is far from both differences.

    Parameters
    ----------
    net : MLP
        The network. A float64 copy is checked, so the network is not changed.
    X, y, loss, l1, l2, sample_weight, training
        As in `MLP.loss_and_gradients`.
    seed : int
        Draws dropout masks and noise, the same at every evaluation, and the entries to check.
    max_entries : int, optional
        Number of entries to check in each array, drawn at random; all by default. Each takes two
        evaluations of the loss, or six.
    tolerance : float
        The largest error that passes.

    Notes
    -----
    A difference across a kink, such as relu's at 0, does not approximate the derivative. If a
    pre-activation, residual or weight happens to lie within about 1e-5 of a kink, a large error
    means nothing; `smooth_problem` draws networks and data for which none does.

    The gradient with respect to X is the one by which an `Adversary` moves samples. A network with
    embeddings has no such gradient, and its report has no line for X.

    Examples
    --------
    >>> architecture = Architecture(in_features=3, hidden_features=(4,), out_features=2,
    ...                             activation="tanh")
    >>> rng = np.random.default_rng(0)
    >>> net = MLP(architecture, rng=rng)
    >>> report = check_gradients(net, rng.normal(size=(5, 3)), [0, 1, 1, 0, 1],
    ...                          loss="cross_entropy", l2=0.1)
    >>> report.passed
    True
    """
    if not isinstance(net, MLP):
        rule = "must be a multilayer.numpy.MLP"
        raise InvalidTypeError(rule, "net", "check_gradients", got=repr(net))
    tolerance = checks.real(tolerance, "tolerance", "check_gradients", "(0, inf)")
    seed = checks.integer(seed, "seed", "check_gradients", minimum=0)
    if max_entries is not None:
        max_entries = checks.integer(max_entries, "max_entries", "check_gradients")
    twin = net.copy(dtype="float64")

    mode: dict[str, Any] = {"training": training, "rng": np.random.default_rng(seed)}
    _, pairs = twin.loss_and_gradients(
        X, y, loss=loss, l1=l1, l2=l2, sample_weight=sample_weight, **mode
    )
    gradients = [array for pair in pairs for array in pair if array is not None]
    chosen = resolve(loss, LOSSES, Loss)
    batch = twin.batch(X, y, sample_weight, chosen)
    batch = batch._replace(x=batch.x.copy())  # the differences change it
    objective = Objective(chosen, l1, l2)
    arrays = [*_named_arrays(twin)]
    if twin.architecture.embeddings is None:
        arrays.append(("X", batch.x))
        gradients.append(_gradient_in_x(twin, objective, batch, training=training, seed=seed))

    def value() -> float:
        """Return the loss at the current parameters, with the same masks and noise each time."""
        rng = np.random.default_rng(seed)
        return objective.value(twin.network, batch, training=training, rng=rng)

    largest = float(np.nanmax([np.abs(gradient).max() for gradient in gradients]))
    floor = max(SMALL * largest, float(np.finfo(np.float64).tiny))
    draw = np.random.default_rng(seed)
    found = []
    for (name, theta), gradient in zip(arrays, gradients, strict=True):
        entries = np.arange(theta.size)
        if max_entries is not None and max_entries < theta.size:
            entries = np.sort(draw.choice(theta.size, max_entries, replace=False))
        flat = theta.reshape(-1)  # a view: writing to it changes the network, or the samples
        analytic = gradient.reshape(-1)[entries]
        numeric = np.empty_like(analytic)
        errors = np.empty_like(analytic)
        for i, k in enumerate(entries.tolist()):
            numeric[i] = _difference_of_2(flat, k, value)
            errors[i] = _relative_error(analytic[i], numeric[i], floor)
            if errors[i] > tolerance:
                other = _difference_of_4(flat, k, value)
                if (error := _relative_error(analytic[i], other, floor)) < errors[i]:
                    numeric[i], errors[i] = other, error
        worst = int(np.argmax(errors))
        found.append(
            ArrayCheck(
                name=name,
                shape=theta.shape,
                max_relative_error=float(errors[worst]),
                index=tuple(int(n) for n in np.unravel_index(entries[worst], theta.shape)),
                analytic=float(analytic[worst]),
                numeric=float(numeric[worst]),
            )
        )
    return GradientReport(tuple(found), tolerance)


def _gradient_in_x(
    net: MLP, objective: Objective, batch: Batch, *, training: bool, seed: int
) -> Array:
    """Return ∂J/∂x, in the same mode and with the same masks as for the gradient in θ."""
    rng = np.random.default_rng(seed)
    passed = net.network.forward(batch.x, training=training, rng=rng)
    _, dz = objective.loss_and_dz(net.network, passed.logits, batch)
    return to_inputs(net.network, dz, passed)


def _relative_error(analytic: float, numeric: float, floor: float) -> float:
    """Return |g − n|/max(|g|, |n|, floor), or infinity if g or n is not finite."""
    if not (np.isfinite(analytic) and np.isfinite(numeric)):
        return float("inf")
    return float(abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor))


def _difference_of_2(theta: Array, k: int, loss: Callable[[], float]) -> float:
    """Return (J(θ + h eₖ) − J(θ − h eₖ))/2h, and leave θ unchanged."""
    h = STEP * max(1.0, abs(float(theta[k])))
    above, below = (_moved(theta, k, distance, loss) for distance in (h, -h))
    return (above - below) / (2 * h)


def _difference_of_4(theta: Array, k: int, loss: Callable[[], float]) -> float:
    """Return (8 (J(θ + h) − J(θ − h)) − (J(θ + 2h) − J(θ − 2h)))/12h, with an error of O(h⁴)."""
    h = LONG_STEP * max(1.0, abs(float(theta[k])))
    near, far = (
        _moved(theta, k, distance, loss) - _moved(theta, k, -distance, loss)
        for distance in (h, 2 * h)
    )
    return (8 * near - far) / (12 * h)


def _moved(theta: Array, k: int, distance: float, loss: Callable[[], float]) -> float:
    """Return the loss with entry k moved by `distance`, and restore the entry."""
    value = float(theta[k])
    theta[k] = value + distance
    try:
        return loss()
    finally:
        theta[k] = value


def _named_arrays(net: MLP) -> Iterator[tuple[str, Array]]:
    """Yield the network's parameter arrays in order, named ``0.W``, ``0.b``, ``1.γ`` and so on."""
    for i, pair in enumerate(net.weights):
        letters = "γβ" if pair[0].ndim == 1 else "Wb"
        for array, letter in zip(pair, letters, strict=True):
            if array is not None:
                yield f"{i}.{letter}", array


def smooth_problem(
    architecture: Architecture,
    loss: str | Loss,
    rng: np.random.Generator,
    *,
    n_samples: int = 6,
    margin: float = 1e-3,
    seed: int = 0,
) -> tuple[MLP, Array, Array]:
    """Draw a network, samples and targets away from every kink, for `check_gradients`.

    Parameters
    ----------
    architecture : Architecture
        The network's architecture.
    loss : str or Loss
        The loss to draw targets for.
    rng : numpy.random.Generator
        Draws the network, the samples and the targets.
    n_samples : int
        Number of samples.
    margin : float
        The smallest distance allowed from a pre-activation, residual or weight to a kink.
    seed : int
        Draws dropout masks and noise, as in `check_gradients`.

    Returns
    -------
    net : MLP
        In float64.
    X, y : array

    Raises
    ------
    InvalidArgumentError
        If none is found that is far enough from every kink, as for thousands of units.
    """
    loss = resolve(loss, LOSSES, Loss)
    loss.check_architecture(architecture)
    n_samples = checks.integer(n_samples, "n_samples", "smooth_problem")
    margin = checks.real(margin, "margin", "smooth_problem", "(0, inf)")
    initializer = Normal(std=0.5, bias=0.1)
    for _ in range(MAX_DRAWS):
        net = MLP(architecture, dtype="float64", initializer=initializer, rng=rng)
        X = rng.normal(size=(n_samples, architecture.in_features))
        if (found := architecture.embeddings) is not None:
            for place, size in (*found.numbers, *found.categories):
                X[:, place] = rng.uniform(0, size, n_samples)
        y = draw_targets(loss, n_samples, architecture.out_features, rng)
        if _distance_from_kinks(net, X, y, loss, seed) > margin:
            return net, X, y
    raise InvalidArgumentError(
        f"no smooth point found in {MAX_DRAWS} draws; a smaller network has fewer kinks"
    )


def draw_targets(loss: Loss, n_samples: int, out_features: int, rng: np.random.Generator) -> Array:
    """Draw targets of the kind that the loss takes."""
    if loss.task == "classification":
        return rng.integers(out_features, size=n_samples)
    if loss.task == "multilabel":
        return rng.integers(2, size=(n_samples, out_features))
    n_targets = out_features // loss.n_each
    if loss.link == "exp":
        return rng.poisson(2.0, size=(n_samples, n_targets))
    return rng.normal(size=(n_samples, n_targets))


def _distance_from_kinks(net: MLP, X: Array, y: Array, loss: Loss, seed: int) -> float:
    """Return the smallest distance from a weight, pre-activation or residual to a kink.

    Pre-activations and residuals are those of training and those of prediction.
    """
    distances = [float(np.abs(pair[0]).min()) for pair in net.weights if pair[0].ndim == 2]
    for training in (False, True):
        rng = np.random.default_rng(seed)
        forward = net.network.forward(X, training=training, rng=rng)
        for layer, cache in with_caches(net.network.hidden, forward.caches):
            for activation, z in _pre_activations(layer, cache):
                distances += [float(np.abs(z - kink).min()) for kink in activation.kinks]
        if loss.task == "regression" and not loss.takes_logits:
            outputs = net.network.link.forward(forward.logits)
            residuals = outputs.reshape(len(X), y.shape[1], -1) - y[:, :, np.newaxis]
            delta = getattr(loss, "delta", 0.0)
            distances += [float(np.abs(residuals - kink).min()) for kink in (0.0, delta, -delta)]
    return min(distances)


def _pre_activations(layer: Layer, cache: Any) -> Iterator[tuple[Activation, Array]]:
    """Yield a layer's activations, if any, each with its z from a forward pass."""
    if isinstance(layer, Activate):
        yield layer.activation, cache[0]
    elif isinstance(layer, Embedding):
        codes, _ = cache
        for k, (_, rows, is_number) in zip(codes, layer.inputs, strict=True):
            if is_number:
                yield ACTIVATIONS["relu"], k @ layer.V[rows]
