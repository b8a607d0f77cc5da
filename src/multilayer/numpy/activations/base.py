"""What an activation is: a function, and the chain rule's step back through it."""

from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Activation", "Array", "Elementwise"]

Array = npt.NDArray[Any]


class Activation(Protocol):
    """A function a = σ(z) of a layer's pre-activations, and its vector–Jacobian product."""

    @property
    def formula(self) -> str:
        """σ(z) in writing."""

    @property
    def derivative_formula(self) -> str:
        """σ'(z) in writing, or the product that `backward` computes."""

    @property
    def range(self) -> str:
        """The interval of σ's values."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where σ is not twice differentiable: finite differences across such a point mislead."""

    @property
    def initializer(self) -> str:
        """The name in ``INITIALIZERS`` of the one that was derived for σ.

        That is glorot for functions that are about linear around 0 (Glorot & Bengio 2010, section
        4.2), he for relu and what resembles it (He et al. 2015, section 2.2).
        """

    def forward(self, z: Array) -> Array:
        """Return a = σ(z), of z's shape (n_samples, features)."""
        ...

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz, the loss's gradient in z, from da, its gradient in a = σ(z)."""
        ...


class Elementwise:
    """An activation that treats each number by itself.

    Its Jacobian is then diagonal, diag(σ'(z)), and the chain rule a product of numbers:
    dz = da · σ'(z).
    """

    formula: ClassVar[str]
    derivative_formula: ClassVar[str]
    range: ClassVar[str]
    kinks: ClassVar[tuple[float, ...]] = ()
    initializer: ClassVar[str] = "glorot"

    def forward(self, z: Array) -> Array:
        """Return a = σ(z)."""
        raise NotImplementedError

    def derivative(self, z: Array, a: Array) -> Array:
        """Return σ'(z); a = σ(z) is at hand, since many derivatives are simple in a."""
        raise NotImplementedError

    def backward(self, da: Array, z: Array, a: Array) -> Array:
        """Return dz = da · σ'(z)."""
        return np.multiply(da, self.derivative(z, a))
