"""multilayer: the multilayer perceptron, done properly.

The names below are imported on first use, so ``import multilayer`` costs next to nothing. The
engine from scratch is `multilayer.numpy`; the training loop is `multilayer.training`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multilayer.version import __version__

if TYPE_CHECKING:
    from multilayer.architecture import Architecture
    from multilayer.embeddings import Embeddings
    from multilayer.errors import MultilayerError
    from multilayer.estimators import (
        MLPClassifier,
        MLPRegressor,
        TabularClassifier,
        TabularRegressor,
    )
    from multilayer.files import load_model as load

__all__ = [
    "Architecture",
    "Embeddings",
    "MLPClassifier",
    "MLPRegressor",
    "MultilayerError",
    "TabularClassifier",
    "TabularRegressor",
    "__version__",
    "load",
]


_HOMES = {
    "Architecture": "multilayer.architecture.Architecture",
    "Embeddings": "multilayer.embeddings.Embeddings",
    "MLPClassifier": "multilayer.estimators.MLPClassifier",
    "MLPRegressor": "multilayer.estimators.MLPRegressor",
    "MultilayerError": "multilayer.errors.MultilayerError",
    "TabularClassifier": "multilayer.estimators.TabularClassifier",
    "TabularRegressor": "multilayer.estimators.TabularRegressor",
    "load": "multilayer.files.load_model",
}


_ROOMS = (
    "data", "doctor", "estimators", "evaluation", "files", "graph", "inspection", "model", "numpy",
    "plots", "torch", "training",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"multilayer.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'multilayer' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].rpartition(".")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
