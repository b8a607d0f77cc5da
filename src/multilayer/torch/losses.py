"""What the losses' names mean to PyTorch: ℓ of each sample, of which autograd takes the gradient.

A loss itself, with its parameters and the checks of its targets, is the object of
`multilayer.numpy`; here stands the formula, through PyTorch's own functions.
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
    tau = torch.stack([p.new_full((), q) for q in loss.quantiles])  # made where p lies
    residual = y.unsqueeze(2) - p.reshape(len(p), -1, len(tau))
    # τ relu(r) + (1 − τ) relu(−r), whose gradient is 0 where r is.
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
"""Those of this module."""

LOSSES: Registry[PerSample] = Registry(Names("loss", []), FORMULAS)
"""By a loss's name, a function of the loss, what it takes, and targets: ℓ of each sample."""


def mean_loss(loss: Loss, p: Tensor, targets: Tensor, share: Tensor) -> Tensor:
    """Return Σ sᵢ ℓᵢ, with sᵢ each sample's share of the mean, as a tensor of no dimensions.

    Raises
    ------
    InvalidArgumentError
        If `LOSSES` has no entry for the loss: one of your own needs its formula in both engines.
    """
    if loss.name not in LOSSES:
        raise InvalidArgumentError(
            f"loss {loss.name!r} has no formula in PyTorch: "
            f"multilayer.torch.LOSSES.register({loss.name!r}, function)"
        )
    return LOSSES[loss.name](loss, p, targets) @ share
