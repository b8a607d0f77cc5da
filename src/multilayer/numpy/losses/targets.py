"""What a loss checks: targets, predictions, and the output of the network."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError

__all__ = ["Array", "Checked", "check_lengths", "number", "target_matrix"]

Array = npt.NDArray[Any]


def number(value: Any) -> Any:
    """Return one network's number as a float; K networks' numbers stay an array of shape (K,)."""
    return value if value.ndim else float(value)


def check_lengths(y: Array, n_samples: int) -> None:
    """Raise if there is not one target for each sample."""
    if y.ndim == 0 or len(y) != n_samples:
        came = f"shape {y.shape}" if y.ndim == 0 else len(y)
        rule = f"must have one target for each of the {n_samples} samples"
        raise InvalidDataError(rule, "y", got=came)


def target_matrix(y: object, n_samples: int, n_targets: int, dtype: npt.DTypeLike) -> Array:
    """Return real targets as a matrix (n_samples, n_targets); a single target may be a vector."""
    array = checks.finite_array(y, "y", dtype)
    check_lengths(array, n_samples)
    if array.ndim == 1 and n_targets == 1:
        array = array.reshape(-1, 1)
    if array.shape != (n_samples, n_targets):
        rule = f"must have shape ({n_samples}, {n_targets})"
        raise InvalidDataError(rule, "y", got=f"shape {array.shape}")
    return array


class Checked:
    """What a loss offers beside its mathematics: checks, and predictions for metrics.

    Attributes
    ----------
    outputs : tuple of str
        The link functions of the networks that the loss is for: names in ``OUTPUTS``.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    takes_logits: ClassVar[bool]

    def __call__(
        self, prediction: object, y: object, sample_weight: object = None
    ) -> tuple[float, Array]:
        """Check the arguments and return the loss and its gradient in `prediction`.

        Parameters
        ----------
        prediction : array of shape (n_samples, out_features)
            Logits, or outputs where `takes_logits` is false.
        y : array of shape (n_samples,) or (n_samples, out_features)
            Targets.
        sample_weight : array of shape (n_samples,), optional
            Non-negative weights, not all zero.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If shapes do not agree, numbers are not finite, or targets are not of the loss's kind.
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
        """Return the loss and its gradient, of checked arguments."""
        raise NotImplementedError

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        """Return the targets, checked, as `per_sample` takes them: by default real values."""
        return target_matrix(y, n_samples, out_features, dtype)

    def check_width(self, out_features: int) -> None:
        """Raise if the loss makes no sense with this number of outputs."""

    def check_architecture(self, architecture: Architecture) -> None:
        """Raise if the network's output is not one that the loss belongs to."""
        if architecture.output not in self.outputs:
            given = "logits" if self.takes_logits else "outputs"
            raise InvalidArgumentError(
                f"loss {self.name!r} takes {given} of a network with output "
                f"{' or '.join(repr(output) for output in self.outputs)}; got output "
                f"{architecture.output!r}"
            )
        self.check_width(architecture.out_features)

    def predict(self, p: Array) -> Array:
        """Return the prediction that p amounts to: of a classification the most likely class."""
        return p

    def truth(self, targets: Array) -> Array:
        """Return the targets in the form of `predict`: classes, if they came as probabilities."""
        return targets
