"""Activations that are close to the identity for large z > 0: relu and its smooth relatives."""

import math

import numpy as np

from multilayer import forks
from multilayer.numpy.activations.base import Array, Elementwise
from multilayer.numpy.activations.sigmoids import logistic

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "GELUTanh",
    "Identity",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Softplus",
]


class Identity(Elementwise):
    """σ(z) = z: no activation at all. Its derivative is 1."""

    formula = "z"
    derivative_formula = "1"
    range = "(−∞, ∞)"

    def forward(self, z: Array) -> Array:
        return z

    def derivative(self, z: Array, a: Array) -> Array:
        return np.ones_like(z)

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        return da


class ReLU(Elementwise):
    """σ(z) = max(0, z), the rectified linear unit (Nair & Hinton 2010).

    Above 0 it is z, with slope 1; below 0 it is constant. At 0 any slope between 0 and 1 is a
    subgradient; 0 is used, as in PyTorch.
    """

    formula = "max(0, z)"
    derivative_formula = "1 if z > 0 else 0"
    range = "[0, ∞)"
    kinks = (0.0,)
    initializer = "he"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def derivative(self, z: Array, a: Array) -> Array:
        return (z > 0).astype(z.dtype)

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        return np.multiply(da, z > 0)


class LeakyReLU(Elementwise):
    """σ(z) = z above 0 and 0.01 z below (Maas et al. 2013), so that no unit dies.

    At 0 the slope from the left is used, as in PyTorch.
    """

    formula = "z if z > 0 else 0.01 z"
    derivative_formula = "1 if z > 0 else 0.01"
    range = "(−∞, ∞)"
    kinks = (0.0,)
    initializer = "he"
    negative_slope = 0.01

    def forward(self, z: Array) -> Array:
        return np.maximum(z, self.negative_slope * z)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(self.negative_slope))


class ELU(Elementwise):
    """σ(z) = z above 0 and eᶻ − 1 below (Clevert et al. 2016).

    Below 0, d(eᶻ − 1)/dz = eᶻ = σ(z) + 1, so the derivative there is a + 1. At 0 both sides have
    slope 1; the second derivative jumps from 1 to 0.
    """

    formula = "z if z > 0 else eᶻ − 1"
    derivative_formula = "1 if z > 0 else a + 1"
    range = "(−1, ∞)"
    kinks = (0.0,)
    initializer = "he"

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), a + 1)


class SELU(Elementwise):
    """σ(z) = λ z above 0 and λ α (eᶻ − 1) below (Klambauer et al. 2017, eq. 2).

    λ and α make zero mean and unit variance a fixed point of a layer with LeCun's initial weights.
    Below 0, d/dz λα(eᶻ − 1) = λαeᶻ = σ(z) + λα.
    """

    formula = "λ z if z > 0 else λ α (eᶻ − 1), λ ≈ 1.0507, α ≈ 1.6733"
    derivative_formula = "λ if z > 0 else a + λ α"
    range = "(−1.7581, ∞)"
    kinks = (0.0,)
    initializer = "lecun"
    alpha = 1.6732632423543772848170429916717
    scale = 1.0507009873554804934193349852946

    def forward(self, z: Array) -> Array:
        below = self.scale * self.alpha * np.expm1(np.minimum(z, 0))
        return np.where(z > 0, self.scale * z, below)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(self.scale), a + self.scale * self.alpha)


class GELU(Elementwise):
    """σ(z) = z Φ(z), with Φ the standard normal distribution function (Hendrycks & Gimpel 2016).

    By the product rule σ'(z) = Φ(z) + z φ(z), with the density φ(z) = Φ'(z) = exp(−z²/2)/√(2π).
    """

    formula = "z Φ(z)"
    derivative_formula = "Φ(z) + z φ(z)"
    range = "[−0.1700, ∞)"
    initializer = "he"

    @staticmethod
    def _normal_distribution(z: Array) -> Array:
        with forks.imports:
            from scipy.special import ndtr  # NumPy has no error function

        return np.asarray(ndtr(z), dtype=z.dtype)

    def forward(self, z: Array) -> Array:
        return z * self._normal_distribution(z)

    def derivative(self, z: Array, a: Array) -> Array:
        density = np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
        return self._normal_distribution(z) + z * density


class GELUTanh(Elementwise):
    """σ(z) = z/2 (1 + tanh u), u = √(2/π) (z + 0.044715 z³): GELU without an error function.

    Since (1 + tanh u)/2 = 1/(1 + e⁻²ᵘ), it is computed as z s with the logistic s = s(2u), which
    loses no digits where tanh u is near −1. By the product rule and s' = s (1 − s),
    σ'(z) = s + 2 z s (1 − s) u', with u' = √(2/π) (1 + 3 · 0.044715 z²)
    (Hendrycks & Gimpel 2016, section 2).
    """

    formula = "z/2 (1 + tanh u), u = √(2/π) (z + 0.044715 z³)"
    derivative_formula = "s + 2 z s (1 − s) u', s = (1 + tanh u)/2"
    range = "[−0.1700, ∞)"
    initializer = "he"
    slope = math.sqrt(2 / math.pi)
    cubic = 0.044715

    def _logistic_2u(self, z: Array) -> Array:
        return logistic(2 * self.slope * z * (1 + self.cubic * z * z))

    def forward(self, z: Array) -> Array:
        return z * self._logistic_2u(z)

    def derivative(self, z: Array, a: Array) -> Array:
        s = self._logistic_2u(z)
        du = self.slope * (1 + 3 * self.cubic * z * z)
        return s + 2 * z * s * (1 - s) * du


class SiLU(Elementwise):
    """σ(z) = z s(z), with the logistic s(z) = 1/(1 + e⁻ᶻ) (Elfwing et al. 2018, eq. 1).

    By the product rule and s' = s (1 − s): σ'(z) = s + z s (1 − s) = s + a (1 − s).
    """

    formula = "z s(z), s(z) = 1/(1 + e⁻ᶻ)"
    derivative_formula = "s + a (1 − s)"
    range = "[−0.2785, ∞)"
    initializer = "he"

    def forward(self, z: Array) -> Array:
        return z * logistic(z)

    def derivative(self, z: Array, a: Array) -> Array:
        s = logistic(z)
        return s + a * (1 - s)


class Softplus(Elementwise):
    """σ(z) = log(1 + eᶻ), a smooth relu (Dugas et al. 2001).

    Its derivative is eᶻ/(1 + eᶻ) = 1/(1 + e⁻ᶻ), the logistic function. Softplus is computed as
    max(0, z) + log(1 + exp(−|z|)), which cannot overflow.
    """

    formula = "log(1 + eᶻ)"
    derivative_formula = "1/(1 + e⁻ᶻ)"
    range = "(0, ∞)"
    initializer = "he"

    def forward(self, z: Array) -> Array:
        return softplus(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return logistic(z)


class Mish(Elementwise):
    """σ(z) = z tanh(p), with the softplus p = log(1 + eᶻ) (Misra 2020, eq. 1).

    By the product rule, with p' = s(z) the logistic and tanh' = 1 − tanh²:
    σ'(z) = tanh p + z (1 − tanh² p) s(z).
    """

    formula = "z tanh(log(1 + eᶻ))"
    derivative_formula = "tanh p + z (1 − tanh² p)/(1 + e⁻ᶻ), p = log(1 + eᶻ)"
    range = "[−0.3088, ∞)"
    initializer = "he"

    def forward(self, z: Array) -> Array:
        return z * np.tanh(softplus(z))

    def derivative(self, z: Array, a: Array) -> Array:
        t = np.tanh(softplus(z))
        return t + z * (1 - t * t) * logistic(z)


def softplus(z: Array) -> Array:
    """Return log(1 + eᶻ) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
