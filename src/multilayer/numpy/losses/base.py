"""Losses: per-sample values and gradients, and their weighted mean over a batch."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from multilayer.numpy.losses.targets import Array, Checked, number

__all__ = ["Array", "Loss", "SquaredError", "number"]


class Loss(Checked):
    r"""A loss L of a batch, and its gradient with respect to the network's predictions p.

    p, of shape (n_samples, out_features), holds the last layer's values z, called logits, or the
    outputs σ(z), with σ the link function, such as softmax: see `takes_logits`. With :math:`ℓ_i`
    the loss of sample i, summed over its outputs, and sample weights :math:`w_i` (1 by default),

    .. math:: L = \frac{\sum_i w_i ℓ_i}{\sum_i w_i}, \qquad
              \frac{∂L}{∂p_i} = \frac{w_i}{\sum_k w_k} \frac{∂ℓ_i}{∂p_i}.

    A subclass computes :math:`ℓ_i` and :math:`∂ℓ_i/∂p_i` in `per_sample`.

    Attributes
    ----------
    takes_logits : bool
        True if p holds the logits: the link function is then part of ℓ's formula, as softmax is in
        the cross-entropy. False if p holds the outputs.
    outputs : tuple of str
        Names, in ``activations.OUTPUTS``, of the link functions that the network may have.
    task : {"classification", "multilabel", "regression"}
        What is predicted: one class of several, any number of labels, or real values.

    Notes
    -----
    Losses sum over a sample's outputs and average over samples. PyTorch's regression losses and
    BCEWithLogitsLoss average over both, and its MSELoss has no ½.
    """

    task: ClassVar[Literal["classification", "multilabel", "regression"]]
    formula: ClassVar[str]

    def value_and_gradient(
        self, p: Array, targets: Array, weight: Array | None = None
    ) -> tuple[Any, Array]:
        """Return L, a float or of shape (K,), and ∂L/∂p, of p's shape; 0 and 0 if all w_i are 0."""
        values, gradient = self.per_sample(p, targets)
        if weight is None:
            return number(values.mean(axis=-1)), gradient / values.shape[-1]
        largest = weight.max(axis=-1, keepdims=True)
        weight = weight / np.where(largest > 0, largest, 1)  # keeps the sum from overflowing
        total = weight.sum(axis=-1, keepdims=True)
        share = weight / np.where(total > 0, total, 1)
        return number(np.vecdot(values, share)), gradient * share[..., np.newaxis]

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        """Return ℓ, of shape (n_samples,), and ∂ℓ/∂p, for targets made by the method `targets`."""
        raise NotImplementedError


@dataclass(frozen=True)
class SquaredError(Loss):
    """ℓ = ½ ‖ŷ − y‖², with gradient ŷ − y: ŷ is the prediction p, and y the target.

    Thanks to the ½, the mean over n samples has the gradient (ŷ − y)/n.

    Examples
    --------
    >>> p, y = np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]])
    >>> value, gradient = SquaredError().value_and_gradient(p, y)
    >>> value, gradient.tolist()
    (1.0, [[1.0], [0.0]])
    """

    name = "squared_error"
    outputs = ("identity", "sigmoid", "softmax", "log_softmax", "exp")
    takes_logits = False
    task = "regression"
    centre = "mean"  # of the targets: the constant p with the lowest loss
    formula = "½ ‖ŷ − y‖²"

    def per_sample(self, p: Array, targets: Array) -> tuple[Array, Array]:
        residual = p - targets
        return 0.5 * np.sum(residual * residual, axis=-1), residual
