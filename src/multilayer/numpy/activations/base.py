"""Activation functions, each with its step of the backward pass.

The backward pass follows the chain rule from a batch's loss L back: dq is ∂L/∂q, of q's shape.
Samples are rows: z has shape (n_samples, features), or (K, n_samples, features) for K networks.
"""

from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from multilayer.numpy.activations.described import Described

__all__ = ["Activation", "Array", "Elementwise", "Tanh"]

Array = npt.NDArray[Any]


class Activation(Described, Protocol):
    """A function a = σ(z) of a layer's values z, and the step back from da to dz.

    For each sample, by the chain rule, dz_k = Σ_j da_j ∂a_j/∂z_k: the row da times ∂a/∂z.
    """

    def forward(self, z: Array) -> Array:
        """Return a = σ(z)."""
        ...

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz, given da and the forward pass's z and a = σ(z)."""
        ...


class Elementwise:
    """Base of the activations in which a_k depends on z_k alone; an `Activation` by its methods.

    Only one term of the chain rule's sum is left: dz = da · σ'(z), element by element.
    """

    formula: ClassVar[str]  # for these five, see `Described`
    derivative_formula: ClassVar[str]
    range: ClassVar[str]
    kinks: ClassVar[tuple[float, ...]] = ()
    initializer: ClassVar[str] = "glorot"

    def forward(self, z: Array) -> Array:
        """Return a = σ(z)."""
        raise NotImplementedError

    def derivative(self, z: Array, a: Array) -> Array:
        """Return σ'(z), given z and a = σ(z): many derivatives are simpler in terms of a."""
        raise NotImplementedError

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz = da · σ'(z)."""
        return np.multiply(da, self.derivative(z, a))


class Tanh(Elementwise):
    """σ(z) = (eᶻ − e⁻ᶻ)/(eᶻ + e⁻ᶻ).

    By the quotient rule σ' = ((eᶻ + e⁻ᶻ)² − (eᶻ − e⁻ᶻ)²)/(eᶻ + e⁻ᶻ)² = 1 − a².
    """

    formula = "(eᶻ − e⁻ᶻ)/(eᶻ + e⁻ᶻ)"
    derivative_formula = "1 − a²"
    range = "(−1, 1)"

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return 1 - a * a
