"""The activations as PyTorch modules; autograd computes their gradients."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from multilayer import architecture
from multilayer.registry import Registry

__all__ = ["ACTIVATIONS", "OUTPUTS", "Exp"]


class Exp(nn.Module):
    """eᶻ, limited to the largest finite number of z's dtype."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return eᶻ."""
        largest = math.log(torch.finfo(z.dtype).max)
        return torch.exp(z.clamp(max=math.nextafter(largest, 0) * (1 - 1e-7)))


ACTIVATIONS: Registry[Callable[[], nn.Module]] = Registry(
    architecture.ACTIVATIONS,
    {
        "identity": nn.Identity,
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "elu": nn.ELU,
        "selu": nn.SELU,
        "gelu": nn.GELU,
        "gelu_tanh": partial(nn.GELU, approximate="tanh"),
        "silu": nn.SiLU,
        "mish": nn.Mish,
        "softplus": nn.Softplus,
        "softsign": nn.Softsign,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "hard_tanh": nn.Hardtanh,
        "softmax": partial(nn.Softmax, dim=-1),
        "log_softmax": partial(nn.LogSoftmax, dim=-1),
    },
)

OUTPUTS: Registry[Callable[[], nn.Module]] = Registry(
    architecture.OUTPUTS,
    {
        "identity": ACTIVATIONS["identity"],
        "sigmoid": ACTIVATIONS["sigmoid"],
        "softmax": ACTIVATIONS["softmax"],
        "log_softmax": ACTIVATIONS["log_softmax"],
        "exp": Exp,
    },
)
