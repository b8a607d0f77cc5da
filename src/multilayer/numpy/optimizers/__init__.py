"""Optimizers, from plain gradient descent to L-BFGS, and the registry of their names."""

from multilayer.numpy.optimizers.adam import Adam
from multilayer.numpy.optimizers.adaptive import Adagrad, AdamW, AMSGrad, Lion, NAdam, RMSprop
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.numpy.optimizers.lbfgs import LBFGS
from multilayer.numpy.optimizers.sgd import SGD
from multilayer.registry import Names, Registry, resolve

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "State",
    "resolve_optimizer",
]

OPTIMIZERS: Registry[type[Optimizer | LBFGS]] = Registry(
    Names("optimizer", []),
    {
        "sgd": SGD,
        "adam": Adam,
        "amsgrad": AMSGrad,
        "adamw": AdamW,
        "nadam": NAdam,
        "rmsprop": RMSprop,
        "adagrad": Adagrad,
        "lion": Lion,
        "lbfgs": LBFGS,
    },
)


def resolve_optimizer(optimizer: object) -> Optimizer | LBFGS:
    """Return an optimizer that is given itself or by its name; raise as `resolve` does."""
    if isinstance(optimizer, LBFGS):
        return optimizer
    return resolve(optimizer, OPTIMIZERS, Optimizer)
