"""What pictures, documentation and gradient checks need to know about an activation."""

from typing import Protocol

__all__ = ["Described"]


class Described(Protocol):
    """The part of an `Activation` that is not mathematics."""

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
        """The scale of first weights that suits σ, a name in ``INITIALIZERS``.

        glorot assumes σ(z) ≈ z near 0 (Glorot & Bengio 2010, section 4.2); he was derived for relu
        (He et al. 2015, section 2.2).
        """
