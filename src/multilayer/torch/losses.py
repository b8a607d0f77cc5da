"""The losses in PyTorch: ℓ of each sample; autograd computes its gradient.

Loss objects, with their parameters and checks, are in `multilayer.numpy`; this module has only the
formulas, in terms of PyTorch's functions. They act on the last axes: for K networks, p has an axis
in front, and a parameter of the loss that differs among them is a tensor of shape (K, 1, 1).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy.losses import Loss
from multilayer.registry import Names, Registry

__all__ = ["FORMULAS", "LOSSES", "mean_loss"]

Tensor = torch.Tensor
PerSample = Callable[[Any, Tensor, Tensor], Tensor]


def _squared_error(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return 0.5 * F.mse_loss(p, y, reduction="none").sum(dim=-1)


def _absolute_error(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return F.l1_loss(p, y, reduction="none").sum(dim=-1)


def _huber(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    if not isinstance(loss.delta, Tensor):
        return F.huber_loss(p, y, reduction="none", delta=loss.delta).sum(dim=-1)
    inside = torch.clamp(p - y, -loss.delta, loss.delta)
    return (inside * (p - y - 0.5 * inside)).sum(dim=-1)


def _quantile(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    tau = torch.stack([p.new_full((), q) for q in loss.quantiles])  # made on p's device
    residual = y.unsqueeze(-1) - p.reshape(*p.shape[:-1], -1, len(tau))
    # τ relu(r) + (1 − τ) relu(−r), whose gradient is 0 at r = 0.
    values = tau * F.relu(residual) + (1 - tau) * F.relu(-residual)
    return values.sum(dim=(-2, -1))


def _poisson(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    return (torch.exp(p) - y * p - y + torch.xlogy(y, y)).sum(dim=-1)


def _cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    epsilon = loss.label_smoothing
    has_one = not isinstance(epsilon, Tensor)
    rows = p.flatten(0, -2), y.flatten(0, p.ndim - 2)  # PyTorch expects the classes in axis 1
    values = F.cross_entropy(*rows, reduction="none", label_smoothing=epsilon if has_one else 0.0)
    values = values.view(p.shape[:-1])
    if has_one:
        return values
    of_uniform = -torch.log_softmax(p, dim=-1).mean(dim=-1)
    return torch.lerp(values, of_uniform, epsilon[..., 0])


def _grouped_cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    parts = [
        _cross_entropy(loss, p[..., group], y[..., g])
        for g, group in enumerate(loss.groups(p.shape[-1]))
    ]
    return torch.stack(parts).sum(dim=0)


def _nll(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    rows = p.flatten(0, -2), y.flatten()
    return F.nll_loss(*rows, reduction="none").view(p.shape[:-1])


def _binary_cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    epsilon = loss.label_smoothing
    if isinstance(epsilon, Tensor):  # a number has smoothed the targets already
        y = (1 - epsilon) * y + epsilon / 2
    return F.binary_cross_entropy_with_logits(p, y, reduction="none").sum(dim=-1)


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
    """Return Σ sᵢ ℓᵢ, where sᵢ is each sample's share of the mean: a scalar tensor, or (K,).

    For K networks, p has the shape (K, n_samples, out_features), targets have an axis of networks
    in front, and share has the shape (n_samples,) or (K, n_samples).

    Raises
    ------
    InvalidArgumentError
        If `LOSSES` has no entry for the loss; a custom loss needs a formula in each engine.
    InvalidDataError
        If the formula does not return one number for each sample.
    """
    if loss.name not in LOSSES:
        raise InvalidArgumentError(
            f"loss {loss.name!r} has no formula in PyTorch: "
            f"multilayer.torch.LOSSES.register({loss.name!r}, function)"
        )
    values = LOSSES[loss.name](loss, p, targets)
    if values.shape != p.shape[:-1]:
        rule = f"must have shape {tuple(p.shape[:-1])}: sum over the outputs with dim=-1"
        name = f"the result of LOSSES[{loss.name!r}]"
        raise InvalidDataError(rule, name, got=tuple(values.shape))
    return torch.linalg.vecdot(values, share)
