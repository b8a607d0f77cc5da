"""Activations that level off on both sides: the S-shaped functions."""

import numpy as np

from multilayer.numpy.activations.base import Array, Elementwise

__all__ = ["HardTanh", "Sigmoid", "Softsign", "logistic"]


class Sigmoid(Elementwise):
    """σ(z) = 1/(1 + e⁻ᶻ), the logistic function.

    With u = 1 + e⁻ᶻ, σ = 1/u and σ' = −u'/u² = e⁻ᶻ/u² = (1/u)(1 − 1/u) = a (1 − a).
    """

    formula = "1/(1 + e⁻ᶻ)"
    derivative_formula = "a (1 − a)"
    range = "(0, 1)"

    def forward(self, z: Array) -> Array:
        return logistic(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a * (1 - a)


class Softsign(Elementwise):
    """σ(z) = z/(1 + |z|) (Bergstra et al. 2009).

    For z > 0, d/dz z/(1 + z) = 1/(1 + z)²; σ is odd, so σ' is even: σ'(z) = 1/(1 + |z|)². The
    second derivative jumps at 0.
    """

    formula = "z/(1 + |z|)"
    derivative_formula = "1/(1 + |z|)²"
    range = "(−1, 1)"
    kinks = (0.0,)

    def forward(self, z: Array) -> Array:
        return z / (1 + np.abs(z))

    def derivative(self, z: Array, a: Array) -> Array:
        return 1 / (1 + np.abs(z)) ** 2


class HardTanh(Elementwise):
    """σ(z) = z, clipped to [−1, 1]: a tanh made of straight lines (Collobert 2004).

    Its slope is 1 inside and 0 outside; at ±1 it is taken to be 0, as in PyTorch.
    """

    formula = "min(1, max(−1, z))"
    derivative_formula = "1 if |z| < 1 else 0"
    range = "[−1, 1]"
    kinks = (-1.0, 1.0)

    def forward(self, z: Array) -> Array:
        return np.clip(z, -1, 1)

    def derivative(self, z: Array, a: Array) -> Array:
        return (np.abs(z) < 1).astype(z.dtype)


def logistic(z: Array) -> Array:
    """Return 1/(1 + e⁻ᶻ), accurate on both sides and without overflow.

    For z < 0 it is computed as eᶻ/(1 + eᶻ), so that only exp(−|z|) ≤ 1 is needed.
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)
