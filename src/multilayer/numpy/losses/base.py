"""What a loss is: per-sample values and gradients, and their weighted mean over a batch."""

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy.losses.targets import target_matrix

__all__ = ["Array", "Loss"]

Array = npt.NDArray[Any]


class Loss:
    r"""A loss over a batch, and its gradient in the network's logits or outputs.

    With :math:`ℓ_i` the loss of sample i, summed over its outputs, and sample weights
    :math:`w_i` (1 where none are given),

    .. math:: L = \frac{\sum_i w_i ℓ_i}{\sum_i w_i}, \qquad
              \frac{∂L}{∂p_i} = \frac{w_i}{\sum_k w_k} \frac{∂ℓ_i}{∂p_i}.

    A subclass gives :math:`ℓ_i` and :math:`∂ℓ_i/∂p_i` in `per_sample`, and checks its targets in
    `targets`.

    Attributes
    ----------
    outputs : tuple of str
        The architecture's outputs that the loss belongs to.
    takes_logits : bool
        True where p are the logits, the values before the output's link function: the loss then
        holds that function itself. False where p are the network's outputs.
    task : {"class", "labels", "value"}
        What is predicted: one class of several, any number of labels, or real values.

    Notes
    -----
    Losses sum over a sample's outputs and average over samples. PyTorch's regression losses and
    BCEWithLogitsLoss average over both: with k outputs they are k times smaller.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    takes_logits: ClassVar[bool]
    task: ClassVar[Literal["class", "labels", "value"]]
    formula: ClassVar[str]

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
        """Return the loss and its gradient, of checked arguments.

        A batch whose weights are all zero has loss 0 and gradient 0.
        """
        values, gradient = self.per_sample(p, targets)
        if weight is None:
            return float(values.mean()), gradient / p.dtype.type(len(p))
        # Against the largest weight first, so that the sum of large ones does not overflow.
        largest = weight.max()
        share = weight / largest if largest > 0 else weight
        share = share / share.sum() if largest > 0 else share
        return float(values @ share), gradient * share[:, np.newaxis]

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        """Return ℓ, of shape (n_samples,), and ∂ℓ/∂p, of shape (n_samples, out_features)."""
        raise NotImplementedError

    def targets(self, y: object, n_samples: int, out_features: int, dtype: npt.DTypeLike) -> Array:
        """Return the targets, checked, as `per_sample` takes them: by default real values."""
        return target_matrix(y, n_samples, out_features, dtype)

    def predict(self, p: Array) -> Array:
        """Return what p says of the targets: classes, labels, or values."""
        return p

    def truth(self, targets: Array) -> Array:
        """Return the targets as `predict` would say them: a class for its probabilities."""
        return targets

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
