"""Initial weights, scaled so that signals neither vanish nor explode on their way.

Numbers are drawn in float64 whatever the network's dtype, first W and then b, layer by layer: the
same seed gives the same network in both dtypes, up to rounding.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.registry import Names, Registry

__all__ = [
    "INITIALIZERS",
    "Glorot",
    "He",
    "Initializer",
    "KaimingUniform",
    "LeCun",
    "Normal",
    "Orthogonal",
    "ScikitLearn",
    "Zeros",
]

Array = npt.NDArray[Any]


class Initializer:
    """Draws the weights W, of shape (out_features, in_features), and the biases b of a layer."""

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        """Return W."""
        raise NotImplementedError

    def biases(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        """Return b, of shape (out_features,): zeros, unless a subclass overrides this."""
        return np.zeros(out_features)


@dataclass(frozen=True)
class Normal(Initializer):
    """W ~ N(0, std²) and b ~ N(bias, std²).

    Parameters
    ----------
    std : float
        Standard deviation of weights and biases, at least 0.
    bias : float
        Mean of the biases. A small positive one keeps relu units alive at the start.
    """

    std: float = 0.01
    bias: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", checks.real(self.std, "std", "Normal", "[0, inf)"))
        object.__setattr__(self, "bias", checks.real(self.bias, "bias", "Normal"))

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        return self.std * rng.standard_normal((out_features, in_features))

    def biases(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        return self.std * rng.standard_normal(out_features) + self.bias


@dataclass(frozen=True)
class KaimingUniform(Initializer):
    """W and b ~ U(−1/√n, 1/√n) with n = in_features: the default of PyTorch's Linear.

    PyTorch derives it from He et al. 2015's uniform distribution, U(−g√(3/n), g√(3/n)), with the
    gain g = √(2/(1 + 5)) = √(1/3) of a leaky relu of slope √5.
    """

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        bound = 1 / math.sqrt(in_features)
        return rng.uniform(-bound, bound, (out_features, in_features))

    def biases(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        bound = 1 / math.sqrt(in_features)
        return rng.uniform(-bound, bound, out_features)


@dataclass(frozen=True)
class He(Initializer):
    """W ~ N(0, 2/in_features), b = 0 (He et al. 2015, eq. 10).

    Relu halves the second moment of its input; the factor 2 makes up for that.
    """

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        return math.sqrt(2 / in_features) * rng.standard_normal((out_features, in_features))


@dataclass(frozen=True)
class Glorot(Initializer):
    """W ~ U(−√(6/n), √(6/n)) with n = in_features + out_features, b = 0.

    Its variance 2/n is between 1/in_features, which preserves the variance of activations, and
    1/out_features, which preserves that of gradients (Glorot & Bengio 2010, eq. 16).
    """

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        bound = math.sqrt(6 / (in_features + out_features))
        return rng.uniform(-bound, bound, (out_features, in_features))


@dataclass(frozen=True)
class ScikitLearn(Initializer):
    """W and b ~ U(−√(f/n), √(f/n)) with n = in_features + out_features: scikit-learn's MLP.

    The weights are Glorot's, and the biases have the same range. Numbers are drawn in
    scikit-learn's order, column by column of W, so the same random bits give the same weights.

    Parameters
    ----------
    factor : float
        f > 0; scikit-learn uses 6, and 2 for the logistic activation.
    """

    factor: float = 6.0

    def __post_init__(self) -> None:
        factor = checks.real(self.factor, "factor", "ScikitLearn", "(0, inf)")
        object.__setattr__(self, "factor", factor)

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        bound = math.sqrt(self.factor / (in_features + out_features))
        return rng.uniform(-bound, bound, (in_features, out_features)).T

    def biases(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        bound = math.sqrt(self.factor / (in_features + out_features))
        return rng.uniform(-bound, bound, out_features)


@dataclass(frozen=True)
class LeCun(Initializer):
    """W ~ N(0, 1/in_features), b = 0 (LeCun et al. 1998, eq. 16), as selu needs."""

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        return rng.standard_normal((out_features, in_features)) / math.sqrt(in_features)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """W with orthonormal rows or columns, times `gain`, and b = 0 (Saxe et al. 2014).

    In the QR decomposition of a Gaussian matrix, Q is uniformly distributed over the orthogonal
    matrices once each column is multiplied by the sign of R's diagonal entry (Mezzadri 2007).

    Parameters
    ----------
    gain : float
        Above 0; √2 suits relu.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", checks.real(self.gain, "gain", "Orthogonal", "(0, inf)"))

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        tall = (max(out_features, in_features), min(out_features, in_features))
        Q, R = np.linalg.qr(rng.standard_normal(tall))
        Q *= np.sign(np.diag(R))
        return self.gain * (Q if out_features >= in_features else Q.T)


@dataclass(frozen=True)
class Zeros(Initializer):
    """W = 0 and b = 0: fine for a linear model; in deeper networks, a layer's units stay equal."""

    def weights(self, out_features: int, in_features: int, rng: np.random.Generator) -> Array:
        return np.zeros((out_features, in_features))


INITIALIZERS: Registry[type[Initializer]] = Registry(
    Names("initializer", []),
    {
        "kaiming_uniform": KaimingUniform,
        "he": He,
        "glorot": Glorot,
        "scikit_learn": ScikitLearn,
        "lecun": LeCun,
        "orthogonal": Orthogonal,
        "normal": Normal,
        "zeros": Zeros,
    },
)
