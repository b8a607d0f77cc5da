"""Regression losses besides the squared error: absolute differences, quantiles, counts."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy.losses.base import Array, Loss, SquaredError
from multilayer.numpy.losses.targets import log_mean

__all__ = ["AbsoluteError", "Huber", "Poisson", "Quantile"]

ANY_OUTPUT = SquaredError.outputs


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """ℓ = Σ |ŷ − y|, with gradient sign(ŷ − y), which is 0 where they are equal."""

    name = "absolute_error"
    outputs = ANY_OUTPUT
    takes_logits = False
    task = "regression"
    centre = "median"
    formula = "Σ |ŷ − y|"

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        residual = p - targets
        return np.abs(residual).sum(axis=-1), np.sign(residual)


@dataclass(frozen=True)
class Huber(Loss):
    """Quadratic for errors up to δ, linear for larger ones (Huber 1964).

    With r = ŷ − y, ℓ is the sum of ½ r² where |r| ≤ δ and δ (|r| − δ/2) elsewhere. Its derivative
    is r clipped to [−δ, δ].

    Parameters
    ----------
    delta : float
        δ > 0, in the units of the targets.
    """

    delta: float = 1.0

    name = "huber"
    outputs = ANY_OUTPUT
    takes_logits = False
    task = "regression"
    centre = "median"
    formula = "Σ ½ r² if |r| ≤ δ else δ (|r| − δ/2), r = ŷ − y"

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", checks.real(self.delta, "delta", "Huber", "(0, inf)"))

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        residual = p - targets
        clipped = np.clip(residual, -self.delta, self.delta)
        # With c the clipped r, both cases are c (r − c/2).
        return np.sum(clipped * (residual - 0.5 * clipped), axis=-1), clipped


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss, smallest where ŷ is a quantile of the targets (Koenker & Bassett 1978).

    For quantile τ and r = y − ŷ, ℓ = max(τ r, (τ − 1) r); its derivative with respect to ŷ is −τ
    where r > 0, 1 − τ where r < 0, and 0 where r = 0. Several quantiles can be learned at once:
    each target has len(quantiles) adjacent outputs, one per quantile, and ℓ is the sum over them.

    Parameters
    ----------
    quantiles : sequence of float
        Each in (0, 1), in increasing order.
    """

    quantiles: tuple[float, ...] = (0.5,)

    name = "quantile"
    outputs = ANY_OUTPUT
    takes_logits = False
    task = "regression"
    formula = "Σ max(τ r, (τ − 1) r), r = y − ŷ"

    def __post_init__(self) -> None:
        values = np.atleast_1d(checks.array(self.quantiles, "quantiles", "Quantile")).tolist()
        quantiles = tuple(
            checks.real(tau, f"quantiles[{i}]", "Quantile", "(0, 1)")
            for i, tau in enumerate(values)
        )
        if not quantiles or any(a >= b for a, b in pairwise(quantiles)):
            rule = "must be non-empty and strictly increasing"
            raise InvalidArgumentError(rule, "quantiles", "Quantile", got=repr(self.quantiles))
        object.__setattr__(self, "quantiles", quantiles)

    @property
    def levels(self) -> tuple[float, ...]:
        return self.quantiles

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        tau = np.asarray(self.quantiles, dtype=p.dtype)
        residual = targets[..., np.newaxis] - p.reshape(*p.shape[:-1], -1, len(tau))
        values = np.maximum(tau * residual, (tau - 1) * residual).sum(axis=(-2, -1))
        gradient = np.where(residual > 0, -tau, np.where(residual < 0, 1 - tau, 0))
        return values, gradient.reshape(p.shape)

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        return super().targets(y, n_samples, out_features // self.n_each, dtype)

    def check_width(self, out_features: int) -> None:
        if out_features % self.n_each:
            raise InvalidArgumentError(
                f"loss 'quantile' with {self.n_each} quantiles needs a multiple of {self.n_each} "
                f"outputs; got {out_features}"
            )


@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance of y ≥ 0, such as counts, from the logarithm z of their mean.

    The negative log-likelihood of the rate eᶻ is eᶻ − y z + log y!. Less its minimum, which is at
    z = log y, it is half the deviance: ℓ = Σ (eᶻ − y) − y (z − log y), with derivative eᶻ − y.

    PyTorch's PoissonNLLLoss differs by a term that depends only on y; the gradients are equal.
    """

    name = "poisson"
    outputs = ("identity", "exp")
    link = "exp"
    takes_logits = True
    task = "regression"
    formula = "Σ eᶻ − y − y (z − log y)"

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        with np.errstate(over="ignore"):  # an infinite loss is reported as divergence
            difference = np.exp(p) - targets
        log_targets = np.log(np.where(targets > 0, targets, 1))
        return np.sum(difference - targets * (p - log_targets), axis=-1), difference

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        array = super().targets(y, n_samples, out_features, dtype)
        if (array < 0).any():
            row = int(np.argmax((array < 0).any(axis=1)))
            rule = "must not be negative for loss 'poisson'"
            raise InvalidDataError(rule, "y", got=f"{array[row].min():g} at row {row}")
        return array

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array:
        return log_mean(targets, out_features, weight)

    def predict(self, p: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(p))
