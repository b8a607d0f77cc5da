"""Sensitivity: derivatives of losses and outputs with respect to the inputs, by autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from multilayer.errors import InvalidDataError
from multilayer.numpy.losses import Loss
from multilayer.samples import Data
from multilayer.torch.losses import mean_loss
from multilayer.torch.module import Net
from multilayer.torch.placement import to_device

__all__ = ["input_gradients", "jacobian"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor

CHUNK = 4096
"""How many samples are processed at once."""


def input_gradients(net: Net, samples: Data, loss: Loss) -> Array:
    """Return ∂ℓᵢ/∂xᵢ of each sample's loss, of x's shape."""
    takes: Callable[[Tensor], Tensor] = net.logits if loss.takes_logits else net

    def gradient(x: Tensor, rows: slice) -> Tensor:
        targets = torch.as_tensor(samples.targets[rows]).to(net.device)
        # Samples are independent: row i of the sum's gradient is the gradient of loss i.
        p = takes(x)
        value = mean_loss(loss, p, targets, torch.ones_like(p[:, 0]))
        return torch.autograd.grad(value, x)[0]

    return _by_chunks(net, samples.X, gradient)


def jacobian(net: Net, X: Any, *, of_logits: bool) -> Array:
    """Return ∂f_k/∂x_j of each sample, of shape (n_samples, out_features, in_features)."""
    takes: Callable[[Tensor], Tensor] = net.logits if of_logits else net

    def rows_of(x: Tensor, _: slice) -> Tensor:
        outputs = takes(x)
        each = [torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in outputs.T]
        return torch.stack(each, dim=1)

    return _by_chunks(net, X, rows_of)


def _by_chunks(net: Net, X: Any, derivative: Callable[[Tensor, slice], Tensor]) -> Array:
    if net.architecture.embeddings is not None:
        raise InvalidDataError(
            "must not be embedded: an embedding has no gradient with respect to its inputs", "X"
        )
    net.eval()
    parts = []
    for start in range(0, X.shape[0], CHUNK):
        rows = slice(start, start + CHUNK)
        with torch.enable_grad():
            x = to_device(X[rows], net).detach().requires_grad_()
            parts.append(derivative(x, rows).cpu())
    return np.concatenate([part.numpy() for part in parts])
