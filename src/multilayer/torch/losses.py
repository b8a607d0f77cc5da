"""The losses in PyTorch: ℓ of each sample, whose gradient autograd derives.

A loss with its parameters and checks is an object of `multilayer.numpy`; here are only the
formulas, in PyTorch's own functions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from multilayer.errors import InvalidArgumentError
from multilayer.numpy.losses import Loss
from multilayer.registry import Names, Registry

__all__ = ["FORMULAS", "LOSSES", "mean_loss"]

Tensor = torch.Tensor
PerSample = Callable[[Any, Tensor, Tensor], Tensor]


def _squared_error(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return 0.5 * F.mse_loss(p, y, reduction="none").sum(dim=1)


def _absolute_error(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.l1_loss(p, y, reduction="none").sum(dim=1)


def _huber(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.huber_loss(p, y, reduction="none", delta=loss.delta).sum(dim=1)


def _quantile(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    tau = torch.stack([p.new_full((), q) for q in loss.quantiles])  # made on p's device
    residual = y.unsqueeze(2) - p.reshape(len(p), -1, len(tau))
    # τ relu(r) + (1 − τ) relu(−r), whose gradient is 0 at r = 0.
    values = tau * F.relu(residual) + (1 - tau) * F.relu(-residual)
    return values.sum(dim=(1, 2))


def _poisson(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return (torch.exp(p) - y * p - y + torch.xlogy(y, y)).sum(dim=1)


def _cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(p, y, reduction="none", label_smoothing=loss.label_smoothing)


def _grouped_cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    parts = [
        F.cross_entropy(
            p[:, group], y[:, g], reduction="none", label_smoothing=loss.label_smoothing
        )
        for g, group in enumerate(loss.groups(p.shape[1]))
    ]
    return torch.stack(parts).sum(dim=0)


def _nll(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(p, y, reduction="none")


def _binary_cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(p, y, reduction="none").sum(dim=1)


FORMULAS: dict[str, PerSample] = {
    "squared_error": _squared_error,
    "absolute_error": _absolute_error,
    "huber": _huber,
    "quantile": _quantile,
    "poisson": _poisson,
    "cross_entropy": _cross_entropy,
    "grouped_cross_entropy": _grouped_cross_entropy,
    "nll": _nll,
    "binary_cross_entropy": _binary_cross_entropy,
}
"""This module's own formulas."""

LOSSES: Registry[PerSample] = Registry(Names("loss", []), FORMULAS)
"""For each loss's name, a function of (loss, its argument, targets) that returns ℓ per sample."""


def mean_loss(loss: Loss, p: Tensor, targets: Tensor, share: Tensor) -> Tensor:
    """Return Σ sᵢ ℓᵢ as a scalar tensor, where sᵢ is each sample's share of the mean.

    Raises
    ------
    InvalidArgumentError
        If `LOSSES` has no entry for the loss; a custom loss needs its formula in both engines.
    """
    if loss.name not in LOSSES:
        raise InvalidArgumentError(
            f"loss {loss.name!r} has no formula in PyTorch: "
            f"multilayer.torch.LOSSES.register({loss.name!r}, function)"
        )
    return LOSSES[loss.name](loss, p, targets) @ share
