"""Prediction: the outputs for all samples, computed in chunks, on any device."""

from typing import Any

import numpy.typing as npt
import torch

from multilayer.torch import distributed
from multilayer.torch.module import Net
from multilayer.torch.placement import to_device

__all__ = ["predict"]

CHUNK = 8192
"""How many samples are predicted at once, times the number of networks."""


def predict(net: Net, X: Any, *, logits: bool) -> npt.NDArray[Any]:
    """Return the outputs or logits of all samples in prediction mode; (K, …) for K networks.

    With several ranks, each predicts its share of the samples, and all get the whole result.
    """
    net.eval()
    takes = net.logits if logits else net
    rank, n_ranks = distributed.shard()
    several = (net.n_members,) if net.n_members else ()
    length = max(CHUNK // max(net.n_members, 1), 1) * n_ranks
    with torch.inference_mode():
        parts = [
            takes(to_device(X[start : start + length : n_ranks], net)).cpu()
            for start in range(rank, X.shape[0], length)
        ]
        shape = *several, 0, net.architecture.out_features
        empty = torch.empty(shape, dtype=net.last.weight.dtype)
        return distributed.gather_rows(torch.cat([*parts, empty], dim=-2).numpy(), X.shape[0])
