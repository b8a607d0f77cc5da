"""Streaming: a table too large for memory, of which networks train on rows encoded on disk."""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.data import Note, Stream, Table, TableWarning
from multilayer.data.entries import Entries
from multilayer.data.large import LargeTable
from multilayer.data.stream import Rows, StreamWriter
from multilayer.errors import InvalidArgumentError, InvalidDataError, ModelFileError
from multilayer.estimators.folds import Split, ordered_starts
from multilayer.estimators.roles import Roles
from multilayer.model import Columns, Targets
from multilayer.model.numeric import read_weights
from multilayer.randomness import hashed
from multilayer.version import __version__

__all__ = ["EPOCH_ROWS", "Beyond", "Slots"]

Array = npt.NDArray[Any]

EPOCH_ROWS = 2**21
"""The most rows of an epoch: of more rows, each epoch takes some blocks at random, so that networks
are judged often enough to stop in time."""
SEED = 1
"""Deals rows to slots: the same row has the same one in each run and each process. It must not be
the sample's."""


class Slots(NamedTuple):
    """How the rows of a large table are divided: each has a slot, known from the row alone."""

    of: Callable[[Table, Array], Array]
    """Returns the slots of some rows, given them as a table, and their places."""
    trains_on: Array
    """Which slots each network trains on, of shape (K, n_slots)."""
    judged_by: Array
    """Which slots judge it."""


class RowWeights(NamedTuple):
    """How much rows count."""

    by_class: Mapping[Any, float] | None
    """The weight of each class."""
    largest: float
    """What all weights are divided by."""

    def of(self, table: Table, roles: Roles, targets: Targets) -> Array:
        """Return the weight of each row."""
        weight = np.ones(len(table))
        if roles.weight is not None:
            weight *= read_weights(table[roles.weight], [])
        if self.by_class is not None:
            classes = _targets_of(table[roles.target], targets, [])
            rarest = max(self.by_class.values())  # of classes that the sample lacks
            weight *= [self.by_class.get(each, rarest) for each in classes.tolist()]
        return weight / self.largest


class Beyond:
    """The rows of a large table beyond the sample that is in memory.

    Parameters
    ----------
    table : LargeTable
    roles : Roles
        The columns that are no inputs.
    time : str or None
        The column in whose order networks are judged.
    cache : path or None
        The folder for the encoded rows, which stay there for the next time; None for one that is
        deleted.
    """

    def __init__(
        self, table: LargeTable, roles: Roles, time: str | None, cache: str | PathLike[str] | None
    ) -> None:
        self.table, self.roles, self.time = table, roles, time
        self._cache = None if cache is None else Path(cache)

    @property
    def epoch_share(self) -> float:
        """How many times as many rows an epoch has as the sample."""
        return min(self.table.n_rows, EPOCH_ROWS) / len(self.table.sample)

    def splits(
        self, columns: Columns, weight: Array | None, n_members: int, _: object = None
    ) -> list[Split]:
        """Return the rows of the sample that each network trains on, and those that judge it."""
        table, places = self.table.sample, self.table.places
        slots = self._slots(columns, n_members)
        own = slots.of(table, places)
        counts = np.ones(len(own), bool) if weight is None else weight.astype(np.float32) > 0
        return [
            (np.flatnonzero(trains[own] & counts), np.flatnonzero(judges[own] & counts))
            for trains, judges in zip(slots.trains_on, slots.judged_by, strict=True)
        ]

    def _slots(self, columns: Columns, n_members: int) -> Slots:
        """Return how rows are divided among networks."""
        if self.time is not None:
            return self._by_time(columns, n_members)
        if self.roles.groups is not None:
            return self._by_groups(self.roles.groups, n_members)
        is_own = np.eye(n_members, dtype=bool)
        return Slots(lambda _, places: _dealt(places, n_members), ~is_own, is_own)

    def _by_time(self, columns: Columns, n_members: int) -> Slots:
        assert self.time is not None
        time = self.time

        def times_of(table: Table) -> Array:
            return columns.numbers(time, self.roles.inputs_of(table))

        starts = ordered_starts(times_of(self.table.sample), n_members)
        n = len(starts)

        def of(table: Table, _: Array) -> Array:
            times = times_of(table)
            return np.where(np.isnan(times), 0, np.searchsorted(starts, times, side="right"))

        is_before = np.arange(n + 1) <= np.arange(n)[:, np.newaxis]
        return Slots(of, is_before, np.eye(n, n + 1, 1, dtype=bool))

    def _by_groups(self, column: str, n_members: int) -> Slots:
        """Deal groups, the largest ones first, each to the slot that has the fewest rows."""
        tally = self.table.tallies[column]
        if len(tally.counts) < 2:
            raise InvalidArgumentError("must be at least two", "groups", "fit")
        sizes = [0] * min(n_members, len(tally.counts))
        slots: dict[str, int] = {}
        for name, n in sorted(tally.counts.items(), key=lambda pair: (-pair[1], pair[0])):
            slots[name] = int(np.argmin(sizes))
            sizes[slots[name]] += n

        def of(table: Table, _: Array) -> Array:
            codes, names = table[column].categories()
            if (codes < 0).any():
                row = table[column].origin.row(int(np.argmax(codes < 0)))
                rule = "must not have missing values: give each such sample a group of its own"
                raise InvalidDataError(rule, table[column].where, got=f"one at {row}")
            own = [slots.get(name, _slot_of(name, len(sizes))) for name in names]
            return np.array(own, np.intp)[codes]

        is_own = np.eye(len(sizes), dtype=bool)
        return Slots(of, ~is_own, is_own)

    @contextmanager
    def encoded(
        self, columns: Columns, targets: Targets, n_members: int, weights: RowWeights | None
    ) -> Iterator[tuple[Stream, Array]]:
        """Encode all rows, unless the cache has them.

        Yield them as a stream, and which slots each network trains on. Predictions of `targets` may
        reach all targets that are met.
        """
        slots = self._slots(columns, n_members)
        folder = self._cache or Path(tempfile.mkdtemp(prefix="multilayer-"))
        try:
            key = self._key(columns, targets, slots, weights)
            stream = self._known(folder, key)
            if stream is None:
                self._check_space(folder, columns.in_features + targets.out_features + 2)
                self._encode(folder, columns, targets, slots, weights, key)
                stream = Stream(folder, EPOCH_ROWS)
            targets.widen(stream.arrays["extremes"])
            yield stream, slots.trains_on
        finally:
            if self._cache is None:
                shutil.rmtree(folder, ignore_errors=True)

    def _known(self, folder: Path, key: str) -> Stream | None:
        """Return what the cache holds, if it is this."""
        try:
            stream = Stream(folder, EPOCH_ROWS)
        except ModelFileError:  # nothing, or damaged, or not written to its end: it is made again
            return None
        return stream if stream.about["key"] == key else None

    def _key(
        self, columns: Columns, targets: Targets, slots: Slots, weights: RowWeights | None
    ) -> str:
        """Return what the encoded rows depend on."""
        said = [
            __version__, self.table.blocks.fingerprint(), self.time, columns.to_dict(),
            targets.to_dict(), slots.trains_on.tolist(), repr([self.roles, weights]),
        ]  # fmt: skip
        digest = hashlib.blake2b(json.dumps(said).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.table.places).tobytes())  # also of what is left out
        return digest.hexdigest()

    def _check_space(self, folder: Path, width: int) -> None:
        """Raise if the rows do not fit on the disk."""
        folder.mkdir(parents=True, exist_ok=True)
        wanted, free = 4 * width * self.table.n_rows, shutil.disk_usage(folder).free
        if wanted > free:
            rule = f"must be a folder with room for the encoded rows, {wanted / 2**30:,.1f} GiB"
            got = f"{folder}, with {free / 2**30:,.1f} GiB"
            raise InvalidArgumentError(rule, "cache", "fit", got=got)

    def _encode(
        self,
        folder: Path,
        columns: Columns,
        targets: Targets,
        slots: Slots,
        weights: RowWeights | None,
        key: str,
    ) -> None:
        """Write the rows that have a weight."""
        extremes = []
        with StreamWriter(folder) as writer, _each_note_once() as notes:
            for each in self.table.parts():
                places, table = each
                weight = None
                if weights is not None:
                    weight = weights.of(table, self.roles, targets)
                    kept = np.flatnonzero(weight > 0)
                    places, table, weight = places[kept], table.take(kept), weight[kept]
                if not len(places):
                    continue
                y = _targets_of(table[self.roles.target], targets, notes)
                if targets.classes is None:
                    extremes += [y.min(), y.max()]
                X = columns.encode(self.roles.inputs_of(table))[:]
                writer.add(Rows(X, targets.encode(y), weight, slots.of(table, places)))
            ends = np.array([min(extremes), max(extremes)] if extremes else [], np.float64)
            writer.finish({"key": key}, {"extremes": ends})


def _targets_of(entries: Entries, targets: Targets, notes: list[Note]) -> Array:
    """Return the targets of rows, none of which is missing."""
    y = targets.from_entries(entries, notes)
    if y.dtype == object:
        return np.array(y.tolist())
    if y.dtype.kind == "f" and np.isnan(y).any():
        row = int(np.argmax(np.isnan(y)))
        got = f"{entries.objects()[row]!r} at {entries.origin.row(row)}"
        raise InvalidDataError("must hold finite numbers, the targets", entries.where, got=got)
    return y


@contextmanager
def _each_note_once() -> Iterator[list[Note]]:
    """Say what is to be said of a column once, though many blocks say it."""
    notes: list[Note] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    said: set[Any] = set()
    for each in caught:
        message = each.message
        if not isinstance(message, TableWarning):
            warn(message)
            continue
        of = tuple(note.column for note in message.notes) or str(message)
        if of not in said:
            said.add(of)
            warn(message)


def _dealt(places: Array, n_slots: int) -> Array:
    return (hashed(places, SEED) % np.uint64(n_slots)).astype(np.intp)


def _slot_of(name: str, n_slots: int) -> int:
    """Return the slot of a group that is too rare to have been counted."""
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % n_slots
