"""What losses share besides their mathematics: checks of targets, predictions and networks."""

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = ["TINY", "Array", "Checked", "check_lengths", "log_mean", "number", "target_matrix"]

Array = npt.NDArray[Any]

TINY = 1e-12
"""The smallest mean to take a logarithm of: that of 0 would be −∞."""


def number(value: Any) -> Any:
    """Return the number of one network as a float; those of K networks remain an array (K,)."""
    return value if value.ndim else float(value)


def check_lengths(y: Array, n_samples: int) -> None:
    """Raise unless there is one target for each sample."""
    if y.ndim == 0 or len(y) != n_samples:
        got = f"shape {y.shape}" if y.ndim == 0 else len(y)
        rule = f"must have one target for each of the {n_samples} samples"
        raise InvalidDataError(rule, "y", got=got)


def target_matrix(y: object, n_samples: int, n_targets: int, dtype: npt.DTypeLike) -> Array:
    """Return real targets as a matrix (n_samples, n_targets); for one target, y may be a vector."""
    array = checks.finite_array(y, "y", dtype)
    check_lengths(array, n_samples)
    if array.ndim == 1 and n_targets == 1:
        array = array.reshape(-1, 1)
    if array.shape != (n_samples, n_targets):
        rule = f"must have shape ({n_samples}, {n_targets})"
        raise InvalidDataError(rule, "y", got=f"shape {array.shape}")
    return array


def log_mean(targets: Array, out_features: int, weight: Array) -> Array:
    """Return the logarithm of each column's mean or, for a vector of labels, each class's share."""
    share = weight / weight.sum()
    is_vector = targets.ndim == 1
    mean = np.bincount(targets, share, out_features) if is_vector else share @ targets
    return np.log(np.maximum(mean, TINY))


class Checked:
    """The part of a loss that is not mathematics: checks, predictions, and where it can be used.

    Attributes
    ----------
    outputs : tuple of str
        The link functions that the network may have: names in ``OUTPUTS``.
    centre : {"mean", "median"} or None
        Which average of real targets is the constant p with the lowest loss; for Huber, the median
        nearly is. None if neither.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    takes_logits: ClassVar[bool]
    centre: ClassVar[Literal["mean", "median"] | None] = None

    @property
    def link(self) -> str:
        """The one of `outputs` that a regression network gets: ``"exp"`` if it predicts rates."""
        return "identity" if "identity" in self.outputs else self.outputs[0]

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of the quantiles that the outputs predict; () if they predict none."""
        return ()

    @property
    def n_each(self) -> int:
        """The number of outputs for each target."""
        return max(len(self.levels), 1)

    def __call__(
        self, prediction: object, y: object, sample_weight: object = None
    ) -> tuple[float, Array]:
        """Check the arguments; return the loss and its gradient with respect to `prediction`.

        Parameters
        ----------
        prediction : array of shape (n_samples, out_features)
            Logits, or outputs if `takes_logits` is false.
        y : array of shape (n_samples,) or (n_samples, out_features)
            Targets.
        sample_weight : array of shape (n_samples,), optional
            Non-negative weights, not all zero.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, InvalidTypeError
            If shapes do not agree, numbers are not finite, or the loss does not accept the targets
            or the number of outputs.
        """
        array = checks.number_array(prediction, "prediction")
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
        p = checks.finite_array(prediction, "prediction", dtype)
        if p.ndim != 2 or not p.size:
            rule = "must have shape (n_samples, out_features)"
            raise InvalidDataError(rule, "prediction", got=f"shape {p.shape}")
        n_samples, out_features = p.shape
        self.check_width(out_features)
        targets = self.targets(y, n_samples, out_features, p.dtype)
        weight = checks.sample_weights(sample_weight, n_samples, p.dtype)
        return self.value_and_gradient(p, targets, weight)

    def value_and_gradient(
        self, p: Array, targets: Array, weight: Array | None = None
    ) -> tuple[float, Array]:
        """Return the loss and its gradient, for arguments that have been checked."""
        raise NotImplementedError

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        """Check the targets and return them as `per_sample` takes them: by default, real values."""
        return target_matrix(y, n_samples, out_features, dtype)

    def check_width(self, out_features: int) -> None:
        """Raise if the loss cannot be used with this number of outputs."""

    def check_architecture(self, architecture: Architecture) -> None:
        """Raise if the loss cannot be used with the network's output."""
        if architecture.output not in self.outputs:
            given = "logits" if self.takes_logits else "outputs"
            raise InvalidArgumentError(
                f"loss {self.name!r} takes {given} of a network with output "
                f"{' or '.join(repr(output) for output in self.outputs)}; got output "
                f"{architecture.output!r}"
            )
        self.check_width(architecture.out_features)

    def best_constant(self, targets: Array, out_features: int, weight: Array) -> Array | None:
        """Return the constant p, of shape (out_features,), with the lowest loss; None if unknown.

        Targets are as `per_sample` takes them; `weight`, of shape (n_samples,), is not all zero.
        """
        if self.levels or self.centre == "median":
            found: Array = np.quantile(
                targets, self.levels or 0.5, axis=0, weights=weight, method="inverted_cdf"
            )
            return found.T.ravel()
        return weight / weight.sum() @ targets if self.centre == "mean" else None

    def predict(self, p: Array) -> Array:
        """Return the predictions that follow from p: in classification, the most likely classes."""
        return p

    def truth(self, targets: Array) -> Array:
        """Return the targets in the form that `predict` returns: classes, not probabilities."""
        return targets
