"""The losses of K networks, on the same samples for all or on each network's own rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.numpy.assembly import members_of
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.network import Network
from multilayer.numpy.stacking import part_of_stack
from multilayer.samples import LazySamples, Parts

__all__ = ["judge", "judge_parts"]

Array = npt.NDArray[Any]
Judged = dict[int, tuple[float, Array]]
"""Each network's loss and the p that it was computed from, by the network's number."""

AT_ONCE = 2**25
"""Bytes of samples to evaluate at a time, if networks have their own rows."""


def judge(
    network: Network,
    loss: Any,
    members: list[int],
    z: Array,
    targets: Array,
    weight: Array | None,
) -> Judged:
    """Return the networks' losses, given their logits, each with its p: logits or outputs.

    Parameters
    ----------
    network : Network
        Any with the networks' link function.
    loss : Loss
        The losses of all networks, `stacked`.
    members : sequence of int
        The numbers of the networks that the logits are from.
    z : array of shape (len(members), n_samples, out_features)
        The logits.
    targets, weight
        The samples' targets and weights.
    """
    loss = part_of_stack(loss, members)
    p = z if loss.takes_logits else network.link.forward(z)
    values, _ = loss.value_and_gradient(p, targets, weight)
    return {k: (float(value), own) for k, value, own in zip(members, values, p, strict=True)}


def judge_parts(
    network: Network,
    architectures: Sequence[Architecture],
    loss: Any,
    members: list[int],
    parts: Parts,
) -> Judged:
    """Return the networks' losses, each on its own rows; `AT_ONCE` limits the networks at a time.

    The arguments are those of `judge`, except that `network` and `architectures` are those of
    `members` only, and `parts` has the samples and each network's rows.
    """
    X = parts.data.X
    found: Judged = {}
    sizes = [len(parts.rows[k]) for k in members]
    if isinstance(X, LazySamples):
        n_at_once = 1
    else:
        n_at_once = max(1, AT_ONCE // (max(sizes) * X.shape[1] * X.itemsize))
    for first in range(0, len(members), n_at_once):
        some = slice(first, first + n_at_once)
        chosen = members[some]
        rows = np.zeros((len(chosen), max(sizes[some])), dtype=np.intp)  # padded with row 0
        for row, k in zip(rows, chosen, strict=True):
            row[: len(parts.rows[k])] = parts.rows[k]
        x = X.subset(rows[0]) if isinstance(X, LazySamples) else X[rows]
        logits = Predictor(members_of(network, architectures, some)).logits(x)
        for k, z in zip(chosen, logits, strict=True):
            own, part = parts.rows[k], parts.data.of_member(k)
            weight = None if part.weight is None else part.weight[own]
            z = z[np.newaxis, : len(own)]
            found |= judge(network, loss, [k], z, part.targets[own], weight)
    return found
