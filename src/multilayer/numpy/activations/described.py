"""What pictures, documentation and gradient checks need to know about an activation."""

from typing import Protocol

__all__ = ["Described"]


class Described(Protocol):
    """The attributes that describe an `Activation` but do not take part in computing it."""

    @property
    def formula(self) -> str:
        """σ(z) as text."""

    @property
    def derivative_formula(self) -> str:
        """σ'(z) as text, or the product that `backward` computes."""

    @property
    def range(self) -> str:
        """The interval of σ's values, as text."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """The points where σ is not twice differentiable; finite differences fail across them."""

    @property
    def initializer(self) -> str:
        """The initializer that suits σ, as a name in ``INITIALIZERS``.

        ``glorot`` assumes σ(z) ≈ z near 0 (Glorot & Bengio 2010, section 4.2); ``he`` was derived
        for relu (He et al. 2015, section 2.2).
        """
