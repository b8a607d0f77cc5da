"""The engine from scratch: NumPy, and every derivative by hand beside its function.

Read it in this order: ``activations/``, ``losses/``, ``layers.py``, ``normalization.py``,
``network.py``, ``optimizers.py``; then ``gradcheck.py``, which proves the rest.
"""

from multilayer.numpy.activations import ACTIVATIONS, OUTPUTS
from multilayer.numpy.gradcheck import GradientReport, check_gradients, smooth_problem
from multilayer.numpy.initializers import (
    INITIALIZERS,
    Glorot,
    He,
    KaimingUniform,
    LeCun,
    Normal,
    Orthogonal,
    Zeros,
)
from multilayer.numpy.layers import Activate, Affine, Dropout, Residual, Stack
from multilayer.numpy.lbfgs import LBFGS
from multilayer.numpy.losses import (
    LOSSES,
    NLL,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)
from multilayer.numpy.network import MLP
from multilayer.numpy.normalization import BatchNorm, LayerNorm
from multilayer.numpy.optimizers import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    RMSprop,
    clip_by_norm,
    clip_by_value,
)
from multilayer.numpy.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmUp,
)

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LBFGS",
    "LOSSES",
    "MLP",
    "NLL",
    "OPTIMIZERS",
    "OUTPUTS",
    "SCHEDULES",
    "SGD",
    "AMSGrad",
    "AbsoluteError",
    "Activate",
    "Adagrad",
    "Adam",
    "AdamW",
    "Affine",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "Dropout",
    "Exponential",
    "Glorot",
    "GradientReport",
    "He",
    "Huber",
    "InverseScaling",
    "KaimingUniform",
    "LayerNorm",
    "LeCun",
    "Lion",
    "NAdam",
    "Normal",
    "OneCycle",
    "Orthogonal",
    "Poisson",
    "Quantile",
    "RMSprop",
    "ReduceOnPlateau",
    "Residual",
    "SquaredError",
    "Stack",
    "Step",
    "WarmUp",
    "Zeros",
    "check_gradients",
    "clip_by_norm",
    "clip_by_value",
    "smooth_problem",
]
