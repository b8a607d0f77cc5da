"""Batches of rows that are divided among ranks, which all take the same steps."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.batches import Part, starts_of
from multilayer.data.stream import Rows, Stream
from multilayer.data.streamed import Piece, Streamed
from multilayer.ranks import Ranks
from multilayer.samples import Data

__all__ = ["Divided", "StreamedInRanks"]

Array = npt.NDArray[Any]

ORDER_BYTES = 2**28
"""Largest size in bytes of the order of a part, which has positions for all ranks."""


class Divided:
    """The batches of K networks whose rows are divided among ranks, with a new order each epoch.

    A network takes as many steps as it would with all rows in one process. Each rank spreads its
    rows evenly over these steps. So all ranks take the same steps, however many rows they have,
    each row is used once, and each rank's part of a batch is proportional to its number of rows.
    Trainers need the same number of positions from every rank, so a rank with fewer rows in a batch
    fills its other positions with a row of weight 0.

    Parameters
    ----------
    rows : sequence of K arrays
        This rank's row numbers for each network, from 0 to n − 1.
    n_samples : int
        n, the number of this rank's rows; it is also the number of the row of weight 0.
    counts : array of int of shape (n_ranks, K)
        How many rows each rank has for each network.
    ranks : Ranks
    batch_size, least
        As in `Batches`.

    Attributes
    ----------
    bounds : list of (starts, stops)
        As in `Lockstep`. Rank r of w has every w-th position of a batch, starting with the r-th.
    is_padded : bool
        Whether any rank needs the row of weight 0.
    n_steps : list of int
        The number of steps in an epoch of each network.

    Examples
    --------
    >>> rows, counts = [np.arange(3)], np.array([[3], [1]])
    >>> first = Divided(rows, 3, counts, Ranks(0, 2), batch_size=2, least=1)
    >>> first.bounds, first.is_padded
    ([(0, 2), (2, 6)], True)
    >>> second = Divided([np.arange(1)], 1, counts, Ranks(1, 2), batch_size=2, least=1)
    >>> orders, _ = second.epoch([np.random.default_rng(0)], None)
    >>> orders[0, 1::2]
    array([0, 1, 1])
    """

    def __init__(
        self,
        rows: Sequence[Array],
        n_samples: int,
        counts: Array,
        ranks: Ranks,
        *,
        batch_size: int,
        least: int,
    ) -> None:
        self._rows, self._filler, self._ranks = rows, n_samples, ranks
        totals = counts.sum(axis=0).tolist()
        self.n_steps = [len(starts_of(n, batch_size, least)) for n in totals]
        w, n_steps = ranks.n_ranks, np.maximum(self.n_steps, 1)
        # After s of S steps, rank r has taken ⌊n s/S + r/w⌋ of its n rows: if steps have fewer rows
        # than there are ranks, the ranks take turns.
        over = np.minimum(np.arange(max(self.n_steps) + 1)[:, np.newaxis], n_steps)
        turns = np.arange(w)[:, np.newaxis, np.newaxis] * n_steps
        cuts = (counts[:, np.newaxis] * over * w + turns) // (n_steps * w)
        sizes = np.diff(cuts, axis=1)  # of shape (n_ranks, n_steps, K)
        takes = sizes.any(axis=0)
        self._cuts, self._sizes = cuts[ranks.rank], sizes[ranks.rank]
        self._widths = sizes.max(axis=(0, 2), initial=0)
        self.is_padded = bool((takes & (sizes < self._widths[:, np.newaxis])).any())
        self._ends = np.cumsum([0, *w * self._widths])
        self.bounds: list[tuple[Any, Any]] = [
            (start, stop) if own.all() else (np.full(len(rows), start), np.where(own, stop, start))
            for start, stop, own in zip(
                self._ends[:-1].tolist(), self._ends[1:].tolist(), takes, strict=True
            )
        ]

    def __len__(self) -> int:
        """Return the number of steps in an epoch."""
        return len(self.bounds)

    def epoch(
        self, rngs: Sequence[np.random.Generator], weight: Array | None
    ) -> tuple[Array, list[list[float]]]:
        """Draw the orders of an epoch, and return them with the masses of each network's batches.

        The orders are row numbers, of shape (K, n_positions), set only at this rank's positions.
        The masses are those of all ranks together.

        Parameters
        ----------
        rngs : sequence of K generators
        weight : array of shape (n_samples,) or None
        """
        step = np.repeat(np.arange(len(self)), self._widths)
        place = np.arange(len(step)) - (np.cumsum(self._widths) - self._widths)[step]
        positions = self._ends[step] + self._ranks.rank + self._ranks.n_ranks * place
        orders = np.zeros((len(self._rows), self._ends[-1]), np.intp)
        masses = np.zeros((len(self._rows), len(self)))
        for k, (own, rng) in enumerate(zip(self._rows, rngs, strict=True)):
            mixed = rng.permutation(own)
            is_row = place < self._sizes[step, k]
            taken = mixed[(self._cuts[step, k] + place)[is_row]]
            orders[k, positions] = self._filler
            orders[k, positions[is_row]] = taken
            weights = None if weight is None else weight[taken]
            masses[k] = np.bincount(step[is_row], weights, len(self))
        of_all = np.sum(self._ranks.gather(masses), axis=0)
        return orders, [own[:n].tolist() for own, n in zip(of_all, self.n_steps, strict=True)]


class StreamedInRanks(Streamed):
    """The batches of a stream in several processes, each of which has a stream of its own rows.

    All processes read the same number of parts, as many as the rank with the most rows needs, and
    take the same steps: see `Divided`.

    Parameters
    ----------
    stream, check, **how
        As in `Streamed`, with `n_members` of at least 1.
    """

    def __init__(self, stream: Stream, check: Callable[[Any, Any, Any], Data], **how: Any) -> None:
        super().__init__(stream, check, **how)
        self._ranks = stream.ranks
        found = self._ranks.gather_late((stream.n_samples, self._counts.sum(axis=0)))
        self.n_samples = sum(n for n, _ in found)
        self._counts_of_all = sum(counts for _, counts in found)
        self._share = min(1.0, (stream.most_rows or math.inf) / self.n_samples)
        self._n_blocks = math.ceil(self._share * len(self._counts))
        most = ORDER_BYTES // (8 * self._n_members * self._ranks.n_ranks)
        n_rows = max(min(self._n_rows, most), stream.block)
        self._n_parts = max(self._ranks.gather(-(-self._n_blocks * stream.block // n_rows)))

    @property
    def n_steps(self) -> list[int]:
        """About how many steps an epoch of each network has: it depends on the blocks drawn."""
        return self._steps_of(self._share * self._counts_of_all)

    def _pieces(self, rng: Any) -> list[Piece]:
        """Return this rank's parts, with the counts of all ranks."""
        own = list(self._in_blocks(rng))
        of_all = self._ranks.gather([piece.counts for piece in own])
        return [
            piece._replace(counts=np.stack(counts))
            for piece, *counts in zip(own, *of_all, strict=True)
        ]

    def _steps_of(self, counts: Array) -> list[int]:
        return super()._steps_of(np.atleast_2d(counts).sum(axis=0))

    def _part(self, rows: Rows, piece: Piece, rng: Any) -> Part:
        n = len(rows.X)
        how = {"batch_size": self._batch_size, "least": self._least}
        batches: Any = Divided(self._own_rows(rows), n, piece.counts, self._ranks, **how)
        orders, masses = batches.epoch(rng, rows.weight)
        X, y, weight = rows.X, rows.y, rows.weight
        if batches.is_padded:  # append a copy of the first row, or zeros if there are no rows
            X, y = (np.resize(array, (n + 1, *array.shape[1:])) for array in (X, y))
            weight = np.append(np.ones(n) if weight is None else weight, 1.0)
        data = self._check(X, y, weight)
        if batches.is_padded:
            data.weight[n] = 0.0
        return Part(batches, orders, masses, data)
