"""The losses, each with its gradient. To add one, see CONTRIBUTING.md."""

from multilayer.numpy.losses.base import Loss, SquaredError
from multilayer.numpy.losses.classification import NLL, BinaryCrossEntropy, CrossEntropy
from multilayer.numpy.losses.grouped import GroupedCrossEntropy
from multilayer.numpy.losses.regression import AbsoluteError, Huber, Poisson, Quantile
from multilayer.registry import Names, Registry

__all__ = [
    "LOSSES",
    "NLL",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "GroupedCrossEntropy",
    "Huber",
    "Loss",
    "Poisson",
    "Quantile",
    "SquaredError",
]

_CLASSES: tuple[type[Loss], ...] = (
    SquaredError,
    AbsoluteError,
    Huber,
    Quantile,
    Poisson,
    CrossEntropy,
    GroupedCrossEntropy,
    NLL,
    BinaryCrossEntropy,
)

LOSSES: Registry[type[Loss]] = Registry(Names("loss", []), {c.name: c for c in _CLASSES})
