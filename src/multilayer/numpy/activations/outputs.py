"""Functions that turn logits into predictions: softmax, its logarithm, and exp for counts."""

from typing import Any, ClassVar

import numpy as np

from multilayer.numpy.activations.base import Array, Elementwise

__all__ = ["Exp", "LogSoftmax", "Softmax", "log_softmax"]


class Softmax:
    r"""a = softmax(z), over a sample's features: :math:`a_i = e^{z_i} / \sum_k e^{z_k}`.

    It mixes the features, so its Jacobian is a full matrix. With :math:`S = \sum_k e^{z_k}`,

    .. math::
        \frac{∂a_i}{∂z_j} = \frac{δ_{ij} e^{z_i}}{S} - \frac{e^{z_i} e^{z_j}}{S^2}
                          = a_i (δ_{ij} - a_j).

    The chain rule needs only its product with a vector, which can be computed without the matrix:

    .. math::
        dz_j = \sum_i da_i \, a_i (δ_{ij} - a_j) = a_j \Big(da_j - \sum_i da_i a_i\Big).

    The cross-entropy takes logits and does not need this product: its gradient is dz = a − y.
    """

    formula = "eᶻ / Σ eᶻ"
    derivative_formula = "dz = a (da − Σ da a)"
    range = "[0, 1]"
    kinks: ClassVar[tuple[float, ...]] = ()
    initializer = "glorot"

    def forward(self, z: Array) -> Array:
        """Return softmax(z); subtracting a row's maximum first keeps eᶻ from overflowing."""
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        e /= e.sum(axis=-1, keepdims=True)
        return e

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz = a (da − Σ da a)."""
        return np.multiply(a, da - np.sum(da * a, axis=-1, keepdims=True))


class LogSoftmax:
    r"""a = log softmax(z), over a sample's features: :math:`a_i = z_i - \log\sum_k e^{z_k}`.

    With p = softmax(z), :math:`∂a_i/∂z_j = δ_{ij} - p_j`, so

    .. math:: dz_j = \sum_i da_i (δ_{ij} - p_j) = da_j - p_j \sum_i da_i, \qquad p = e^a.
    """

    formula = "z − log Σ eᶻ"
    derivative_formula = "dz = da − eᵃ Σ da"
    range = "(−∞, 0]"
    kinks: ClassVar[tuple[float, ...]] = ()
    initializer = "glorot"

    def forward(self, z: Array) -> Array:
        """Return log softmax(z)."""
        return log_softmax(z)

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz = da − eᵃ Σ da."""
        return np.subtract(da, np.exp(a) * np.sum(da, axis=-1, keepdims=True))


class Exp(Elementwise):
    """a = eᶻ, the link function for counts: rates are never negative. It is its own derivative.

    Where eᶻ would exceed the largest finite number of z's dtype, the function is constant at about
    that number, and its derivative is 0.
    """

    formula = "eᶻ"
    derivative_formula = "a"
    range = "(0, ∞)"

    def forward(self, z: Array) -> Array:
        return np.exp(np.minimum(z, self._largest_exponent(z)))

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z <= self._largest_exponent(z), a, 0)

    @staticmethod
    def _largest_exponent(z: Array) -> Any:
        # The next number below log(max), so that rounding cannot push its exponential past max.
        return np.nextafter(np.log(np.finfo(z.dtype).max), z.dtype.type(0))


def log_softmax(z: Array) -> Array:
    """Return z − log Σ eᶻ for each row; subtracting its maximum first prevents overflow."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return np.subtract(shifted, np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
