"""Streamed: the batches of a stream, part after part."""

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

__all__ = ["Streamed"]

Array = npt.NDArray[Any]

PART_BYTES = 2**25
"""Bytes of a part; at any time one is in memory, and the next is being read."""


class _Piece(NamedTuple):
    """A part of an epoch, not yet read."""

    spans: list[tuple[int, int]]
    """The positions of its rows in the file."""
    n_steps: list[int]
    """The number of steps, of each network."""


class Streamed:
    """Divides the samples of a stream into parts, and those into batches.

    While a part is trained on, a thread reads the next one.

    Parameters
    ----------
    stream : Stream
    check : callable
        Makes `Data` of samples, targets and weights: see ``Trainer.check``.
    batch_size : int
    shuffle : bool
        Whether each epoch takes blocks of rows in a new order, and shuffles each part; otherwise
        parts are in order, and batches are those of `Batches`.
    least : int
        If the last batch of a part has fewer samples, it joins the one before.
    trains_on : array of bool of shape (K, n_slots), optional
        Of K networks, the slots that each one takes; all by default.
    n_members : int
        K, of networks that draw orders of their own; 0 if all have the same.

    Raises
    ------
    InvalidArgumentError
        If networks take different slots, and `shuffle` is False.
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
        self._n_blocks = n_blocks
        if stream.most_rows is not None:
            self._n_blocks = min(n_blocks, -(-stream.most_rows // stream.block))
        self._n_rows = max(PART_BYTES // (4 * stream.shape[1]), stream.block)  # of a part

    @property
    def size(self) -> int:
        """The number of samples in a full batch."""
        return min(self._batch_size, self.n_samples)

    @property
    def n_steps(self) -> list[int]:
        """About how many steps an epoch has, of each network: that depends on its blocks."""
        counts = self.stream.counts.sum(axis=0) * self._n_blocks / len(self.stream.counts)
        return self._steps_of(counts)

    def draw(self, rng: Any) -> Epoch:
        """Return the next epoch."""
        pieces = list(self._in_blocks(rng) if self.shuffle else self._in_order())
        n_steps = np.sum([piece.n_steps for piece in pieces], axis=0)
        return Epoch(n_steps.tolist(), self._parts(pieces, rng))

    def _in_blocks(self, rng: Any) -> Iterator[_Piece]:
        """Yield parts made of random blocks, all of about the same size."""
        first = rng[0] if isinstance(rng, Generators) else rng
        counts, size, n = self.stream.counts, self.stream.block, self.n_samples
        blocks = first.permutation(len(counts))[: self._n_blocks]
        n_parts = -(-len(blocks) * size // self._n_rows)
        for own in np.array_split(blocks, min(n_parts, len(blocks))):
            own.sort()
            spans = [(start, min(start + size, n)) for start in (own * size).tolist()]
            yield _Piece(spans, self._steps_of(counts[own].sum(axis=0)))

    def _in_order(self) -> Iterator[_Piece]:
        """Yield parts of neighbouring rows; all but the last have full batches alone."""
        n_rows = max(self._n_rows // self._batch_size, 1) * self._batch_size
        starts = starts_of(self.n_samples, n_rows, max(self._least, self._batch_size))
        for start, stop in pairwise([*starts, self.n_samples]):
            n_steps = len(starts_of(stop - start, self._batch_size, self._least))
            yield _Piece([(start, stop)], [n_steps] * len(self._trains_on))

    def _steps_of(self, counts: Array) -> list[int]:
        """Return the number of steps of each network, given the number of rows in each slot."""
        n_rows = (self._trains_on @ counts).astype(int).tolist()
        return [len(starts_of(n, self._batch_size, self._least)) for n in n_rows]

    def _parts(self, pieces: Sequence[_Piece], rng: Any) -> Iterator[Part]:
        with ThreadPoolExecutor(1, "multilayer-stream") as reader:
            coming = [reader.submit(self.stream.read, pieces[0].spans)]
            for _, after in zip_longest(pieces, pieces[1:]):
                rows = coming.pop().result()
                if after is not None:
                    coming.append(reader.submit(self.stream.read, after.spans))
                yield self._part(rows, rng)

    def _part(self, rows: Rows, rng: Any) -> Part:
        """Return the batches of some rows in memory."""
        data = self._check(rows.X, rows.y, rows.weight)
        how: dict[str, Any] = {"batch_size": self._batch_size, "least": self._least}
        how["shuffle"] = self.shuffle
        batches: Any
        if self._n_members:
            slots = np.zeros(data.n_samples, np.intp) if rows.slots is None else rows.slots
            own = [np.flatnonzero(takes[slots]) for takes in self._trains_on]
            batches = Lockstep(data.n_samples, own, data.weight, **how)
        else:
            batches = Batches(data.n_samples, data.weight, **how)
        order, masses = batches.epoch(rng)
        return Part(batches, order, masses, data)
