"""Checks of optimizers: the intervals of hyperparameters, and the gradient's shape."""

from dataclasses import fields
from typing import Any

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["check_gradient", "check_hyperparameters"]

INTERVALS = {
    "learning_rate": "(0, inf)",
    "momentum": "[0, 1)",
    "weight_decay": "[0, inf)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "decay": "[0, 1)",
    "momentum_decay": "[0, inf)",
    "epsilon": "(0, inf)",
}


def check_hyperparameters(optimizer: Any) -> None:
    """Convert a dataclass's fields to numbers and flags; raise if one is outside its interval."""
    owner = type(optimizer).__name__
    for field in fields(optimizer):
        value = getattr(optimizer, field.name)
        if field.name in INTERVALS:
            value = checks.real(value, field.name, owner, INTERVALS[field.name])
        else:
            value = checks.flag(value, field.name, owner)
        object.__setattr__(optimizer, field.name, value)


def check_gradient(optimizer: Any, gradient: Any, parameters: Any) -> None:
    """Raise unless the gradient is an array of the shape of the parameters."""
    shape = getattr(gradient, "shape", None)
    if shape != parameters.shape:
        rule = f"must be one vector of shape {parameters.shape}, such as net.flatten(gradients)"
        got = type(gradient).__name__ if shape is None else shape
        raise InvalidDataError(rule, "gradient", f"{type(optimizer).__name__}.update", got=got)
