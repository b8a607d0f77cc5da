"""Objective: the loss of a batch, penalty included, as a module."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from multilayer.numpy.losses import Loss
from multilayer.torch import distributed
from multilayer.torch.embedding import Embedding
from multilayer.torch.losses import mean_loss
from multilayer.torch.module import Net

__all__ = ["Objective", "shares"]

Tensor = torch.Tensor


class Objective(nn.Module):
    """The loss as one module, for torch.compile.

    For K networks the loss has the shape (K,), and the penalties are numbers or tensors of shape
    (K,).
    """

    def __init__(self, net: Net, loss: Loss, l1: Any, l2: Any) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.l1 = l1
        self.l2 = l2

    def forward(self, X: Tensor, targets: Tensor, share: Tensor, part: float) -> Tensor:
        """Return the loss of samples with these shares, plus a part of the penalty."""
        p = self.net.logits(X) if self.loss.takes_logits else self.net(X)
        value = mean_loss(self.loss, p.to(share.dtype), targets, share)
        for W in self._weights():
            if isinstance(self.l2, Tensor) or self.l2:
                value = value + part * 0.5 * self.l2 * W.square().sum(dim=(-2, -1))
            if isinstance(self.l1, Tensor) or self.l1:
                value = value + part * self.l1 * W.abs().sum(dim=(-2, -1))
        return value

    def _weights(self) -> Iterator[Tensor]:
        for module in self.net.modules():
            if isinstance(module, (nn.Linear, Embedding)):
                yield module.weight


def shares(weight: Tensor | None, like: Tensor, n_whole: int | None = None) -> Tensor:
    """Return each sample's share wᵢ/Σw of the mean over a batch.

    `like` has the shape (…, n, features) of the samples: those of the batch, or this rank's part of
    a batch with `n_whole` samples.
    """
    n = like.shape[-2]
    if weight is None:
        return like.new_full((n,), 1 / max(n if n_whole is None else n_whole, 1))
    total = weight.sum(dim=-1, keepdim=True)
    if n_whole is not None:
        distributed.sum_over_ranks([total])
    return weight / torch.where(total > 0, total, torch.ones_like(total))
