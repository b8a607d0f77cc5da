"""Activation functions and the link functions of outputs, each with its derivative.

``ACTIVATIONS`` holds the functions for hidden layers, ``OUTPUTS`` the link functions, which turn
the last layer's logits into predictions. To add one, see CONTRIBUTING.md.
"""

from multilayer import architecture
from multilayer.numpy.activations.base import Activation, Elementwise, Tanh
from multilayer.numpy.activations.outputs import Exp, LogSoftmax, Softmax
from multilayer.numpy.activations.rectifiers import (
    ELU,
    GELU,
    SELU,
    GELUTanh,
    Identity,
    LeakyReLU,
    Mish,
    ReLU,
    SiLU,
    Softplus,
)
from multilayer.numpy.activations.sigmoids import HardTanh, Sigmoid, Softsign
from multilayer.registry import Registry

__all__ = ["ACTIVATIONS", "OUTPUTS", "Activation", "Elementwise"]

ACTIVATIONS: Registry[Activation] = Registry(
    architecture.ACTIVATIONS,
    {
        "identity": Identity(),
        "relu": ReLU(),
        "leaky_relu": LeakyReLU(),
        "elu": ELU(),
        "selu": SELU(),
        "gelu": GELU(),
        "gelu_tanh": GELUTanh(),
        "silu": SiLU(),
        "mish": Mish(),
        "softplus": Softplus(),
        "softsign": Softsign(),
        "sigmoid": Sigmoid(),
        "tanh": Tanh(),
        "hard_tanh": HardTanh(),
        "softmax": Softmax(),
        "log_softmax": LogSoftmax(),
    },
)

OUTPUTS: Registry[Activation] = Registry(
    architecture.OUTPUTS,
    {
        "identity": ACTIVATIONS["identity"],
        "sigmoid": ACTIVATIONS["sigmoid"],
        "softmax": ACTIVATIONS["softmax"],
        "log_softmax": ACTIVATIONS["log_softmax"],
        "exp": Exp(),
    },
)
