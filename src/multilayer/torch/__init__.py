"""The second engine: the same networks in PyTorch, with gradients by autograd, on any device.

It shares `Architecture`, losses, optimizers, schedules and initializers with the engine from
scratch; only the computation differs. `multilayer.inspection.parity` shows that the two engines
agree.
"""

from multilayer.errors import MissingPackageError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        'multilayer.torch needs PyTorch: pip install "multilayer[torch]"'
    ) from error

from multilayer.torch.activations import ACTIVATIONS, OUTPUTS
from multilayer.torch.dataset import SampleDataset
from multilayer.torch.embedding import Embedding
from multilayer.torch.ensemble import Ensemble
from multilayer.torch.ensemble_trainer import EnsembleTrainer
from multilayer.torch.layers import Dropout, GaussianNoise, RandomLayer, Residual
from multilayer.torch.losses import LOSSES
from multilayer.torch.network import MLP, find_device
from multilayer.torch.optimizers import OPTIMIZERS, Lion
from multilayer.torch.trainer import Trainer

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "MLP",
    "OPTIMIZERS",
    "OUTPUTS",
    "Dropout",
    "Embedding",
    "Ensemble",
    "EnsembleTrainer",
    "GaussianNoise",
    "Lion",
    "RandomLayer",
    "Residual",
    "SampleDataset",
    "Trainer",
    "find_device",
]
