"""Streamed: the batches of a stream, part by part."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.batches import Batches, Epoch, Lockstep, Part, starts_of
from multilayer.data.stream import Rows, Stream
from multilayer.errors import InvalidArgumentError
from multilayer.randomness import Generators
from multilayer.samples import Data

__all__ = ["Piece", "Streamed"]

Array = npt.NDArray[Any]

PART_BYTES = 2**25
"""Bytes in a part; at any time, one part is in memory, and the next is being read."""


class Piece(NamedTuple):
    """A part of an epoch, not yet read."""

    spans: list[tuple[int, int]]
    """The ranges of its rows in the file, as (start, stop)."""
    counts: Array
    """The number of rows for each network, of shape (K,); or for each rank too, (n_ranks, K)."""


class Streamed:
    """Divides the samples of a stream into parts, and the parts into batches.

    While the training uses one part, a thread reads the next.

    Parameters
    ----------
    stream : Stream
    check : callable
        Makes `Data` from samples, targets and weights: see ``Trainer.check``.
    batch_size : int
    shuffle : bool
        Whether each epoch takes blocks of rows in a new order, and shuffles each part; otherwise
        all rows stay in order, and the batches are the same as those of `Batches`.
    least : int
        If the last batch of a part has fewer samples, it is merged into the one before.
    trains_on : array of bool of shape (K, n_slots), optional
        The slots that each of K networks trains on; by default, all slots.
    n_members : int
        K, if each network has its own order of samples; 0 if all share one order.

    Raises
    ------
    InvalidArgumentError
        If `trains_on` is given, and `shuffle` is False.
    """

    member_rows: tuple[Array, ...] = ()

    def __init__(
        self,
        stream: Stream,
        check: Callable[[Any, Any, Any], Data],
        *,
        batch_size: int,
        shuffle: bool = True,
        least: int = 1,
        trains_on: Array | None = None,
        n_members: int = 0,
    ) -> None:
        if trains_on is not None and not shuffle:
            rule = "must be True where members take different samples of a stream"
            raise InvalidArgumentError(rule, "shuffle", "fit", got=False)
        self.stream, self._check, self.shuffle = stream, check, shuffle
        self.n_samples = stream.n_samples
        self._batch_size, self._least, self._n_members = batch_size, least, n_members
        n_blocks, n_slots = stream.counts.shape
        self._trains_on = np.ones((max(n_members, 1), n_slots), bool)
        if trains_on is not None:
            self._trains_on = trains_on
        self._counts = stream.counts @ self._trains_on[:, :n_slots].T  # of each network's rows
        self._n_blocks = n_blocks
        if stream.most_rows is not None:
            self._n_blocks = min(n_blocks, -(-stream.most_rows // stream.block))
        n_rows = max(PART_BYTES // (4 * stream.shape[1]), stream.block)
        self._n_parts = -(-self._n_blocks * stream.block // n_rows)
        self._n_rows = n_rows

    @property
    def size(self) -> int:
        """The number of samples in a full batch."""
        return min(self._batch_size, self.n_samples)

    @property
    def n_steps(self) -> list[int]:
        """About how many steps an epoch of each network has: it depends on the blocks drawn."""
        return self._steps_of(self._counts.sum(axis=0) * self._n_blocks // len(self._counts))

    def draw(self, rng: Any) -> Epoch:
        """Draw the next epoch."""
        pieces = self._pieces(rng)
        n_steps = np.sum([self._steps_of(piece.counts) for piece in pieces], axis=0)
        return Epoch(n_steps.tolist(), self._parts(pieces, rng))

    def _pieces(self, rng: Any) -> list[Piece]:
        return list(self._in_blocks(rng) if self.shuffle else self._in_order())

    def _in_blocks(self, rng: Any) -> Iterator[Piece]:
        """Yield parts of random blocks, all of about the same size."""
        first = rng[0] if isinstance(rng, Generators) else rng
        size, n = self.stream.block, self.stream.n_samples
        blocks = first.permutation(len(self._counts))[: self._n_blocks]
        for own in np.array_split(blocks, self._n_parts):
            own.sort()
            spans = [(start, min(start + size, n)) for start in (own * size).tolist()]
            yield Piece(spans, self._counts[own].sum(axis=0))

    def _in_order(self) -> Iterator[Piece]:
        """Yield parts of consecutive rows; all but the last have only full batches."""
        n_rows = max(self._n_rows // self._batch_size, 1) * self._batch_size
        starts = starts_of(self.n_samples, n_rows, max(self._least, self._batch_size))
        for start, stop in pairwise([*starts, self.n_samples]):
            yield Piece([(start, stop)], np.full(len(self._trains_on), stop - start))

    def _steps_of(self, counts: Array) -> list[int]:
        """Return the number of steps of each network, given their numbers of rows."""
        return [len(starts_of(int(n), self._batch_size, self._least)) for n in counts]

    def _parts(self, pieces: Sequence[Piece], rng: Any) -> Iterator[Part]:
        with ThreadPoolExecutor(1, "multilayer-stream") as reader:
            coming = [reader.submit(self.stream.read, pieces[0].spans)]
            for piece, after in zip_longest(pieces, pieces[1:]):
                rows = coming.pop().result()
                if after is not None:
                    coming.append(reader.submit(self.stream.read, after.spans))
                yield self._part(rows, piece, rng)

    def _part(self, rows: Rows, piece: Piece, rng: Any) -> Part:
        """Return the batches of some rows in memory."""
        data = self._check(rows.X, rows.y, rows.weight)
        how: dict[str, Any] = {"batch_size": self._batch_size, "least": self._least}
        how["shuffle"] = self.shuffle
        batches: Any
        if self._n_members:
            batches = Lockstep(data.n_samples, self._own_rows(rows), data.weight, **how)
        else:
            batches = Batches(data.n_samples, data.weight, **how)
        order, masses = batches.epoch(rng)
        return Part(batches, order, masses, data)

    def _own_rows(self, rows: Rows) -> list[Array]:
        """Return the numbers of the rows that each network trains on."""
        slots = np.zeros(len(rows.X), np.intp) if rows.slots is None else rows.slots
        return [np.flatnonzero(takes[slots]) for takes in self._trains_on]
