"""The adversaries in PyTorch: the losses of `multilayer.numpy.adversaries`, by autograd."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from multilayer.numpy.adversaries import LINKS, SMALL, Adversary, divergence_of
from multilayer.randomness import Generators
from multilayer.torch import distributed
from multilayer.torch.activations import OUTPUTS
from multilayer.torch.losses import mean_loss
from multilayer.torch.module import Net

__all__ = ["draw_directions", "loss_with"]

Tensor = torch.Tensor


def loss_with(
    adversary: Adversary | None, objective: Any, samples: Sequence[Tensor], part: float
) -> Tensor:
    """Return the loss of a batch, or the K losses of K networks, adversarial loss included.

    Parameters
    ----------
    adversary : Adversarial, VirtualAdversarial or None
    objective : Objective
    samples : X, targets, shares, and what `draw_directions` returns
    part : float
        The part of the penalty that is added.
    """
    X, targets, share, *directions = samples
    if adversary is not None and not adversary.is_virtual:
        return _uphill(adversary, objective, X, targets, share, part)
    value: Tensor = objective(X, targets, share, part)
    if adversary is None:
        return value
    return value + adversary.weight * _virtual(adversary, objective, X, share, *directions)


def draw_directions(
    adversary: Adversary | None,
    rng: np.random.Generator | Generators | None,
    X: Tensor,
    n_whole: int | None,
) -> list[Tensor]:
    """Draw a virtual adversary's first direction for each sample; others need none.

    X is this rank's part of a batch of `n_whole` samples. K generators draw the directions of K
    networks, of shape (K, n, in_features). On any device they equal those of the engine from
    scratch.
    """
    if adversary is None or not adversary.is_virtual:
        return []
    assert rng is not None
    shape = X.shape[-2] if n_whole is None else n_whole, X.shape[-1]
    several = (len(rng),) if isinstance(rng, Generators) else ()
    dtype = np.float64 if X.dtype == torch.float64 else np.float32
    drawn = np.empty((*several, *shape), dtype)
    rng.standard_normal(dtype=dtype, out=drawn)
    rank, n_ranks = distributed.shard()
    return [torch.from_numpy(drawn[..., rank::n_ranks, :]).to(X.device)]


def _uphill(
    adversary: Adversary, objective: Any, x: Tensor, targets: Tensor, share: Tensor, part: float
) -> Tensor:
    length = adversary.epsilon / adversary.n_steps
    if (k := objective.net.n_members) and x.ndim == 2:
        x = x.expand(k, *x.shape)  # each network moves them its own way
    near = x.detach().requires_grad_()
    value = objective(near, targets, share, part)
    (g,) = torch.autograd.grad(value.sum(), near, retain_graph=True)
    with _still_statistics(objective.net):
        for _ in range(adversary.n_steps - 1):
            near = (near + length * g.sign()).detach().requires_grad_()
            (g,) = torch.autograd.grad(objective(near, targets, share, part).sum(), near)
        far = objective((near + length * g.sign()).detach(), targets, share, part)
    return torch.lerp(value, far, adversary.weight)


def _virtual(
    adversary: Adversary, objective: Any, x: Tensor, share: Tensor, directions: Tensor
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
            (g,) = torch.autograd.grad(moved(r).sum(), r)
            # The entries may be so small that their squares vanish in float32.
            d = F.normalize(g / g.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30), dim=-1)
        return moved(adversary.epsilon * d) - least


@contextmanager
def _still_statistics(net: Net) -> Iterator[None]:
    """Let batch normalisation use the batch's statistics without updating the running ones."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
