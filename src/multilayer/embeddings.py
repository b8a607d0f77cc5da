"""Embeddings: the inputs of a network that become learned vectors."""

from dataclasses import dataclass

from multilayer import checks
from multilayer.errors import InvalidArgumentError

__all__ = ["Embeddings"]


@dataclass(frozen=True)
class Embeddings:
    r"""Inputs that a network turns into learned vectors before its first affine layer.

    A *number* is given as a position :math:`t ∈ [0, m]` among m + 1 knots: knot i has position i,
    and between two knots t is linear. It becomes a vector that is piecewise linear in t (Gorishniy
    et al. 2022, section 3.2), with a ReLU:

    .. math::
        e(t) = \max\Big(0, s \big(v_0 + \sum_{i=1}^m \min(\max(t - i + 1, 0), 1)\, v_i\big)\Big)

    A *category* is given as a whole number c from 0 to n − 1, and becomes the vector :math:`v_c`.
    Other inputs stay unchanged and come first, in their order, followed by the numbers' vectors and
    then the categories' vectors.

    Each v is a learned row of the layer's only weight matrix. An optimizer such as Adam, whose
    steps do not depend on the gradient's size, moves the numbers' vectors s times as fast as other
    parameters.

    Parameters
    ----------
    numbers : sequence of (int, int)
        The index of each number among the inputs, and its number of pieces m ≥ 1.
    categories : sequence of (int, int)
        The index of each category among the inputs, and its number of categories n ≥ 1.
    width : int
        The length of the vectors.
    speed : float
        The factor s > 0.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If a value is not allowed, or an index occurs twice.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> embeddings = Embeddings(numbers=[(0, 48)], categories=[(2, 5)], width=8)
    >>> Architecture(3, (16,), 1, embeddings=embeddings).hidden_layers[0].in_features
    17
    """

    numbers: tuple[tuple[int, int], ...] = ()
    categories: tuple[tuple[int, int], ...] = ()
    width: int = 8
    speed: float = 1.0

    def __post_init__(self) -> None:
        owner = "Embeddings"
        for name in ("numbers", "categories"):
            pairs = []
            for i, pair in enumerate(checks.sequence(getattr(self, name), name, owner)):
                of = f"{name}[{i}]"
                values = checks.sequence(pair, of, owner)
                if len(values) != 2:
                    rule = "must be a pair of an input's index and a size"
                    raise InvalidArgumentError(rule, of, owner, got=repr(pair))
                place = checks.integer(values[0], f"{of}[0]", owner, minimum=0)
                pairs.append((place, checks.integer(values[1], f"{of}[1]", owner)))
            object.__setattr__(self, name, tuple(pairs))
        if not self.places or len(set(self.places)) < len(self.places):
            rule = "must name at least one input, and none twice"
            raise InvalidArgumentError(rule, "numbers and categories", owner, got=self.places)
        object.__setattr__(self, "width", checks.integer(self.width, "width", owner))
        object.__setattr__(self, "speed", checks.real(self.speed, "speed", owner, "(0, inf)"))

    @property
    def places(self) -> list[int]:
        """The indices of the embedded inputs, in the order of their vectors."""
        return [place for place, _ in (*self.numbers, *self.categories)]

    def plain(self, in_features: int) -> list[int]:
        """Return the indices of the inputs that are not embedded, in increasing order."""
        return sorted({*range(in_features)} - {*self.places})

    @property
    def n_vectors(self) -> int:
        """The number of learned vectors v."""
        return sum(m + 1 for _, m in self.numbers) + sum(n for _, n in self.categories)

    def out_features(self, in_features: int) -> int:
        """Return the number of outputs for `in_features` inputs."""
        return in_features + len(self.places) * (self.width - 1)

    def check_places(self, in_features: int) -> None:
        """Raise if an index is not below `in_features`."""
        if (largest := max(self.places)) >= in_features:
            rule = f"must have indices below in_features={in_features}"
            raise InvalidArgumentError(rule, "embeddings", "Architecture", got=largest)
