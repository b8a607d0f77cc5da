"""SciPy's L-BFGS on a module, with its parameters as one vector."""

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from multilayer.numpy.optimizers import LBFGS
from multilayer.samples import Data
from multilayer.torch.module import Net
from multilayer.torch.placement import to_device

__all__ = ["minimize"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor


def minimize(
    optimizer: LBFGS,
    net: Net,
    data: Data,
    backward: Callable[[Data], Tensor],
    n_iterations: int,
    after_iteration: Callable[[float], bool],
) -> str:
    """Run L-BFGS on all samples; return why it stopped: see `multilayer.numpy.LBFGS.minimize`.

    `backward` returns the loss of a batch and leaves its gradient in the parameters' ``grad``.
    """
    parameters = list(net.parameters())
    accepted = parameters_to_vector(parameters).detach().clone()

    def put(vector: Array) -> None:
        tensor = torch.from_numpy(vector).to(accepted)
        vector_to_parameters(tensor, parameters)

    def objective(vector: Array) -> tuple[float, Array]:
        put(vector)
        statistics = net.state
        net.train()  # an evaluation may have come in between
        value = backward(data)
        net.set_state(statistics)
        gradient = torch.cat([_gradient(p).flatten() for p in parameters])
        return value.item(), gradient.double().cpu().numpy()

    def accept(vector: Array, value: float) -> bool:
        put(vector)
        accepted.copy_(parameters_to_vector(parameters))
        if net.state:
            net.train()
            with torch.no_grad():
                net(to_device(data.X, net))
        return after_iteration(value)

    try:
        start = accepted.double().cpu().numpy()
        return optimizer.minimize(objective, start, n_iterations, accept)
    finally:
        vector_to_parameters(accepted, parameters)


def _gradient(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad
