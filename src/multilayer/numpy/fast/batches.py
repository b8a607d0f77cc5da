"""Batches: the arrays for batches of each size, and how the work on a batch is divided.

Each worker first gets some of the rows, with a plan for them and its own gradient array. Then it
gets a part of the parameter vector, for which it adds up all gradients and updates the parameters.
"""

from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.compiled import numba
from multilayer.numpy.adversaries import Adversary
from multilayer.numpy.fast.adversary import AdversarialPlan, n_gradients, n_passes
from multilayer.numpy.fast.criteria import Criterion
from multilayer.numpy.fast.normalize import Measured
from multilayer.numpy.fast.plan import Plan, measured_by, random_layers
from multilayer.numpy.fast.source import Source
from multilayer.numpy.fast.workers import n_parts
from multilayer.numpy.layers import Layer
from multilayer.numpy.losses import Loss
from multilayer.numpy.network import Network

__all__ = ["Batch", "Batches", "Part", "Rows", "chain_of"]

Array = npt.NDArray[Any]

LONG = 200_000
"""The number of parameters from which several threads share the update."""
ALIGN = 16
"""Parts of the parameter vector begin at multiples of this number: a cache line of float32."""


class Rows(NamedTuple):
    """A worker's rows of a batch, with their arrays and their plan."""

    start: int
    stop: int
    x: Array
    shares: Array
    plan: Any
    """A `Plan`, an `AdversarialPlan` or a `Chain`."""


class Part(NamedTuple):
    """A worker's part of the parameter vector."""

    start: int
    stop: int
    penalized: list[tuple[int, int]]
    n_gradients: int
    """How many gradients to add up: one for each worker; with an adversary, up to two."""
    penalties: Array
    """The penalty on this part's weights, for each network."""


class Batch(NamedTuple):
    """The arrays for batches of one size, and how the work on such a batch is divided."""

    shares: Array
    """Each row's share of the mean, of shape (1, n_rows); with sample weights, (K, n_rows)."""
    drawn: list[Array]
    """The random numbers for each random layer, in each pass."""
    normals: Array | None
    """The random directions that a virtual adversary starts from."""
    rows: list[Rows]
    parts: list[Part]


class Batches:
    """Makes a `Batch` for each batch size, and keeps it for reuse.

    Parameters
    ----------
    network : Network
    source : Source
        The samples.
    criterion : callable
        See ``criteria.py``.
    loss : Loss
    adversary : Adversary or None
    has_penalty : bool
        Whether there is a penalty on weights.
    chain : type or None
        `Chain`, if workers can use it instead of `Plan`: see `chain_of`.
    n_operations : float
        The floating-point operations per row, which decide how many workers pay off; 0 if a batch
        cannot be divided.
    work : float or None
        The operations from which a worker pays off: see `n_rewarding`.
    n_workers : int
        The number of workers; a small batch is divided among fewer.

    Attributes
    ----------
    gradients : array of shape (n_gradients, K, n_parameters)
        The gradients of the first worker's rows, then those of the second's, and so on.
    random_layers : list of (RandomLayer, int)
        The layer and the width for each array in ``Batch.drawn``.
    """

    def __init__(
        self,
        network: Network,
        source: Source,
        criterion: Criterion,
        loss: Loss,
        adversary: Adversary | None,
        *,
        has_penalty: bool,
        chain: Any,
        n_operations: float,
        work: float | None,
        n_workers: int,
    ) -> None:
        self._network, self._source, self._criterion = network, source, criterion
        self._loss, self._adversary = loss, adversary
        self._penalized = network.weight_slices if has_penalty else []
        self._in_features = source.X.shape[-1]
        self._chain, self._n_workers = chain, n_workers
        self._n_operations, self._work = n_operations, work
        self._n_each = n_gradients(adversary)
        theta = np.atleast_2d(network.parameters)
        self.gradients = np.zeros((n_workers * self._n_each, *theta.shape), theta.dtype)
        self.random_layers = random_layers(network, self._in_features) * n_passes(adversary)
        self._kept: dict[int, Batch] = {}

    def of(self, n_rows: int) -> Batch:
        """Return the `Batch` for this many rows."""
        batch = self._kept.get(n_rows)
        if batch is None:
            batch = self._kept[n_rows] = self._made(n_rows)
        return batch

    def clear(self) -> None:
        """Drop all batches, with their arrays."""
        self._kept = {}

    def _made(self, n_rows: int) -> Batch:
        network, dtype = self._network, self.gradients.dtype
        n = n_parts(n_rows, self._n_operations, self._n_workers, self._work)
        _, n_networks, size = self.gradients.shape
        lead = network.parameters.shape[:-1]
        n_shares = 1 if self._source.weight is None else n_networks
        shares = np.full((n_shares, n_rows), 1 / n_rows, dtype)
        drawn = [np.zeros((*lead, n_rows, width), np.float32) for _, width in self.random_layers]
        normals = None
        if self._adversary is not None and self._adversary.is_virtual:
            normals = np.zeros((*lead, n_rows, self._in_features), dtype)
        own = lead if self._source.has_own else ()
        cuts = _cuts(n_rows, n)
        sizes = [stop - start for start, stop in cuts]
        measured = [measured_by(network, sizes) for _ in range(n_passes(self._adversary))]
        rows = []
        for part, (start, stop) in enumerate(cuts):
            cut = slice(start, stop)
            plan = self._plan(
                self.gradients[self._n_each * part : self._n_each * (part + 1)],
                [numbers[..., cut, :] for numbers in drawn],
                None if normals is None else normals[..., cut, :],
                stop - start,
                measured,
                part,
                n,
            )
            x = np.empty((*own, stop - start, self._in_features), dtype)
            rows.append(Rows(start, stop, x, shares[:, cut], plan))
        parts = []
        # One thread updates a short vector faster than it could wake another.
        for start, stop in _cuts(size, n if n_networks * size >= LONG else 1, ALIGN):
            inside = [(max(start, w.start), min(stop, w.stop)) for w in self._penalized]
            penalized = [(lo, hi) for lo, hi in inside if lo < hi]
            parts.append(Part(start, stop, penalized, n * self._n_each, np.zeros(n_networks)))
        return Batch(shares, drawn, normals, rows, parts)

    def _plan(
        self,
        gradients: Array,
        drawn: list[Array],
        normals: Array | None,
        n_rows: int,
        measured: list[dict[Layer, Measured]],
        part: int,
        n_workers: int,
    ) -> Any:
        """Return the plan for a worker's rows."""
        network, criterion, adversary = self._network, self._criterion, self._adversary
        if self._chain is not None and n_workers > 1:
            return self._chain(network, gradients[0, 0], drawn, criterion, n_rows)
        is_one = network.parameters.ndim == 1
        pairs = [network.pairs(g[0] if is_one else g) for g in gradients]
        if adversary is None:
            return Plan(
                network, pairs[0], drawn, criterion, n_rows, measured=measured[0], part=part
            )
        return AdversarialPlan(
            network, pairs, drawn, normals, criterion, n_rows, adversary, self._loss,
            measured=measured, part=part,
        )  # fmt: skip


def chain_of(network: Network, source: Source) -> Any:
    """Return `Chain` if numba is installed and it covers the network; otherwise None."""
    with forks.imports:
        if numba() is None:
            return None
        chain = import_module("multilayer.numpy.fast.chain").Chain
    return chain if chain.covers(network, source.X) else None


def _cuts(size: int, n: int, align: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of n nearly equal parts of ``range(size)``."""
    bounds = [size * part // n // align * align for part in range(n)]
    return list(pairwise([*bounds, size]))
