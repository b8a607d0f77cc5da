"""The engine from scratch, in NumPy: each function is next to its hand-derived derivative.

Read it in this order: ``activations/base.py``, ``layers.py``, ``losses/base.py``, ``optimizers/``
(``base.py``, ``sgd.py``, ``adam.py``), ``network.py``, and ``objective.py``, which ends with
``take_step``, one step of training. The rest of the mathematics is in the files beside these;
``fast/`` computes the same, faster, and ``gradcheck.py`` checks the derivatives.
"""

from multilayer.numpy.activations import ACTIVATIONS, OUTPUTS, Activation, Elementwise
from multilayer.numpy.adversaries import Adversarial, Adversary, VirtualAdversarial
from multilayer.numpy.average import RunningAverage
from multilayer.numpy.blocks import Dropout, GaussianNoise, Residual
from multilayer.numpy.clipping import Clip, clip_by_norm, clip_by_value
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.ensemble import Ensemble
from multilayer.numpy.gradcheck import GradientReport, check_gradients, smooth_problem
from multilayer.numpy.initializers import (
    INITIALIZERS,
    Glorot,
    He,
    Initializer,
    KaimingUniform,
    LeCun,
    Normal,
    Orthogonal,
    ScikitLearn,
    Zeros,
)
from multilayer.numpy.ladder import Ladder
from multilayer.numpy.layers import Activate, Affine, Layer, Stack
from multilayer.numpy.losses import (
    LOSSES,
    NLL,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    GroupedCrossEntropy,
    Huber,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
)
from multilayer.numpy.max_norm import limit_norms
from multilayer.numpy.mlp import MLP
from multilayer.numpy.network import Network
from multilayer.numpy.normalization import BatchNorm, LayerNorm
from multilayer.numpy.objective import Batch, Objective, take_step
from multilayer.numpy.observation import LayerObservation, observe
from multilayer.numpy.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
)
from multilayer.numpy.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    Plateau,
    ReduceOnPlateau,
    Schedule,
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
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adversarial",
    "Adversary",
    "Affine",
    "Batch",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Clip",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "Dropout",
    "Elementwise",
    "Embedding",
    "Ensemble",
    "Exponential",
    "GaussianNoise",
    "Glorot",
    "GradientReport",
    "GroupedCrossEntropy",
    "He",
    "Huber",
    "Initializer",
    "InverseScaling",
    "KaimingUniform",
    "Ladder",
    "Layer",
    "LayerNorm",
    "LayerObservation",
    "LeCun",
    "Lion",
    "Loss",
    "NAdam",
    "Network",
    "Normal",
    "Objective",
    "OneCycle",
    "Optimizer",
    "Orthogonal",
    "Plateau",
    "Poisson",
    "Quantile",
    "RMSprop",
    "ReduceOnPlateau",
    "Residual",
    "RunningAverage",
    "Schedule",
    "ScikitLearn",
    "SquaredError",
    "Stack",
    "Step",
    "VirtualAdversarial",
    "WarmUp",
    "Zeros",
    "check_gradients",
    "clip_by_norm",
    "clip_by_value",
    "limit_norms",
    "observe",
    "smooth_problem",
    "take_step",
]
