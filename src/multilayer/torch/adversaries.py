"""The adversaries in PyTorch: the losses of `multilayer.numpy.adversaries`, by autograd."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from multilayer.numpy.adversaries import (
    LINKS,
    SMALL,
    Adversarial,
    VirtualAdversarial,
    divergence_of,
)
from multilayer.torch import distributed
from multilayer.torch.activations import OUTPUTS
from multilayer.torch.losses import mean_loss
from multilayer.torch.module import Net

__all__ = ["adversarial_loss", "draw_directions"]

Tensor = torch.Tensor


def adversarial_loss(
    adversary: Any, objective: Any, samples: Sequence[Tensor], part: float
) -> Tensor:
    """Return the loss of samples, that of the adversary's samples included.

    Parameters
    ----------
    adversary : Adversarial or VirtualAdversarial
    objective : Objective
    samples : X, targets, shares, and for `VirtualAdversarial` directions
        These are of X's shape, and where it begins.
    part : float
        Of the penalty.
    """
    X, targets, share, *directions = samples
    if isinstance(adversary, Adversarial):
        return _uphill(adversary, objective, X, targets, share, part)
    value = objective(X, targets, share, part)
    return value + adversary.weight * _virtual(adversary, objective, X, share, *directions)


def draw_directions(rng: np.random.Generator, X: Tensor, n_whole: int | None) -> Tensor:
    """Draw a direction for each sample of a batch, of which this rank has a part.

    They are those that the engine from scratch draws, on any device.
    """
    shape = len(X) if n_whole is None else n_whole, X.shape[1]
    drawn = rng.standard_normal(shape, dtype=np.float64 if X.dtype == torch.float64 else np.float32)
    rank, n_ranks = distributed.shard()
    return torch.from_numpy(drawn[rank::n_ranks]).to(X.device)


def _uphill(
    adversary: Adversarial, objective: Any, x: Tensor, targets: Tensor, share: Tensor, part: float
) -> Tensor:
    length = adversary.epsilon / adversary.n_steps
    near = x.detach().requires_grad_()
    value = objective(near, targets, share, part)
    (g,) = torch.autograd.grad(value, near, retain_graph=True)
    with _still_statistics(objective.net):
        for _ in range(adversary.n_steps - 1):
            near = (near + length * g.sign()).detach().requires_grad_()
            (g,) = torch.autograd.grad(objective(near, targets, share, part), near)
        far = objective((near + length * g.sign()).detach(), targets, share, part)
    return torch.lerp(value, far, adversary.weight)


def _virtual(
    adversary: VirtualAdversarial, objective: Any, x: Tensor, share: Tensor, directions: Tensor
) -> Tensor:
    net: Net = objective.net
    divergence = divergence_of(objective.loss)
    takes = net.logits if divergence.takes_logits else net

    def moved(r: Tensor) -> Tensor:
        return mean_loss(divergence, takes(x + r).to(share.dtype), fixed, share)

    with _still_statistics(net):
        with torch.no_grad():
            z = takes(x).to(share.dtype)
            link = OUTPUTS[LINKS.get(divergence.name, "identity")]()
            fixed = link(z)
            least = mean_loss(divergence, z, fixed, share)
        d = F.normalize(directions, dim=-1)
        for _ in range(adversary.n_steps):
            r = (SMALL * adversary.epsilon * d).requires_grad_()
            (g,) = torch.autograd.grad(moved(r), r)
            # The entries may be so small that their squares vanish in float32.
            d = F.normalize(g / g.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30), dim=-1)
        return moved(adversary.epsilon * d) - least


@contextmanager
def _still_statistics(net: Net) -> Iterator[None]:
    """Let batch normalisation take the batch's statistics without noting them."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
