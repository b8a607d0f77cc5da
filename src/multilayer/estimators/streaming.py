"""Streaming: a table too large for memory, whose rows are encoded on disk for training."""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import compute_sample_weight

from multilayer.caller import warn
from multilayer.data import Stream, Table, TableWarning
from multilayer.data.entries import Entries
from multilayer.data.folds import Split, ordered_starts
from multilayer.data.large import LargeTable
from multilayer.data.stream import Rows, StreamWriter
from multilayer.errors import InvalidArgumentError, InvalidDataError, ModelFileError
from multilayer.estimators.roles import Roles
from multilayer.model import Columns, Targets
from multilayer.randomness import hashed
from multilayer.version import __version__

__all__ = ["EPOCH_ROWS", "Beyond", "Slots"]

Array = npt.NDArray[Any]

EPOCH_ROWS = 2**21
"""The most rows of an epoch. If there are more, each epoch takes some blocks at random, so that
networks are judged often enough to stop in time."""
GIB = 2**30
LARGEST = float(np.sqrt(np.finfo(np.float32).max))
"""Targets up to this size have finite squares in float32."""
MOST_TIMES = 1e18
"""The limit of weights relative to the sample's largest: float32 can hold the sum of many such."""
SEED = 1
"""Deals rows to slots: a row has the same slot in each run and process. It must differ from the
sample's seed."""


class Slots(NamedTuple):
    """How the rows of a large table are divided: each has a slot, known from the row alone."""

    of: Callable[[Table, Array], Array]
    """Returns the slots of rows, given as a table and their places."""
    trains_on: Array
    """Which slots each network trains on, of shape (K, n_slots)."""
    judged_by: Array
    """Which slots judge each network, of the same shape."""
    starts: tuple[float, ...] = ()
    """The times at which slots start, if they are spans of time."""


class RowWeights(NamedTuple):
    """The weights of rows and classes."""

    by_class: Mapping[Any, float] | None
    """The weight of each class."""
    largest: float
    """The largest weight in the sample, by which all are divided."""

    @classmethod
    def of(cls, class_weight: Any, y: Array, classes: Any, largest: float) -> Self:
        """Return the weights for `class_weight`, the targets of a sample, and all classes."""
        if class_weight is None:
            return cls(None, largest)
        seen, first = np.unique(y, return_index=True)
        own = compute_sample_weight(class_weight, y)[first].tolist()
        by_class = dict(zip(seen.tolist(), own, strict=True))
        for each in classes.tolist():  # the sample may lack some, which are all rare
            other = max(own) if class_weight == "balanced" else class_weight.get(each, 1.0)
            by_class.setdefault(each, other)
        return cls(by_class, largest)

    def weights(self, table: Table, roles: Roles) -> Array:
        """Return the weight of each row.

        Raises
        ------
        InvalidDataError
            If a weight is too large, compared with those of the sample; the message names the row.
        """
        weight = roles.weights_of(table)
        if weight is None:
            weight = np.ones(len(table))
        elif (are_large := weight > MOST_TIMES * self.largest).any():
            row, entries = int(np.argmax(are_large)), table[str(roles.weight)]
            got = f"{weight[row]:g} at {entries.origin.row(row)}"
            rule = f"must hold weights of at most {MOST_TIMES:g} times the largest in a sample"
            raise InvalidDataError(rule, entries.where, got=got)
        if self.by_class is not None:
            classes, own = np.unique(roles.targets_of(table), return_inverse=True)
            weight = weight * np.array([self.by_class[each] for each in classes.tolist()])[own]
        return weight / self.largest


class Beyond:
    """All rows of a large table, of which only a sample is in memory.

    Parameters
    ----------
    table : LargeTable
    roles : Roles
        The columns that are not inputs.
    time : str or None
        The column of times, if later rows are to judge.
    cache : path or None
        The folder where the encoded rows stay for the next fit; None for a temporary folder. If
        there are several processes, each has its own folder inside it.
    """

    def __init__(
        self, table: LargeTable, roles: Roles, time: str | None, cache: str | PathLike[str] | None
    ) -> None:
        self.table, self.roles, self._time = table, roles, time
        self._cache = None if cache is None else Path(cache)
        ranks = table.ranks
        if self._cache is not None and ranks.n_ranks > 1:
            self._cache /= f"rank {ranks.rank} of {ranks.n_ranks}"
        self._slots: Slots | None = None

    @property
    def epoch_share(self) -> float:
        """The number of rows in an epoch, divided by that in the sample."""
        return min(self.table.n_rows, EPOCH_ROWS) / len(self.table.sample)

    def deal(self, columns: Columns, rows: Array, n_members: int) -> list[Split]:
        """Divide all rows among networks, as `encoded` will do.

        Parameters
        ----------
        columns : Columns
        rows : array of int
            The rows of the sample that have a weight.
        n_members : int
            The intended number of networks; there are fewer if the sample has no rows for some.

        Returns
        -------
        splits : list of pairs of arrays
            The rows of the sample that each network trains on, and those that judge it.

        Raises
        ------
        InvalidArgumentError, InvalidDataError
            If there are too few groups or times.
        """
        sample, places = self.table.sample.take(rows), self.table.places[rows]
        if self._time is not None:
            slots = self._by_time(columns, self._time, sample, n_members)
        elif self.roles.groups is not None:
            slots = self._by_groups(self.roles.groups, n_members)
        else:
            is_own = np.eye(n_members, dtype=bool)
            slots = Slots(lambda _, places: _dealt(places, n_members), ~is_own, is_own)
        own = slots.of(sample, places)
        splits = [
            (rows[trains[own]], rows[judges[own]])
            for trains, judges in zip(slots.trains_on, slots.judged_by, strict=True)
        ]
        have = [bool(len(training) and len(judging)) for training, judging in splits]
        if self.roles.groups is not None and sum(have) < 2:
            rule = "must be at least two, none of which has nearly all rows of the table"
            raise InvalidArgumentError(rule, "groups", "fit")
        self._slots = slots._replace(
            trains_on=slots.trains_on[have], judged_by=slots.judged_by[have]
        )
        return [split for split, is_kept in zip(splits, have, strict=True) if is_kept]

    def _by_time(self, columns: Columns, time: str, sample: Table, n_members: int) -> Slots:
        """Let spans of time judge, each with about as many rows: see `ordered_folds`."""

        def times_of(table: Table) -> Array:
            return columns.numbers(time, self.roles.inputs_of(table))

        starts = ordered_starts(times_of(sample), n_members)
        n = len(starts)

        def of(table: Table, _: Array) -> Array:
            times = times_of(table)
            return np.where(np.isnan(times), 0, np.searchsorted(starts, times, side="right"))

        is_before = np.arange(n + 1) <= np.arange(n)[:, np.newaxis]
        return Slots(of, is_before, np.eye(n, n + 1, 1, dtype=bool), tuple(starts.tolist()))

    def _by_groups(self, column: str, n_members: int) -> Slots:
        """Deal groups, the largest first, each to the slot that has the fewest rows."""
        tally = self.table.tallies[column]
        n_groups = len(tally.counts) + tally.n_missed  # more than n_members, if some are missed
        sizes = [0] * max(min(n_members, n_groups), 1)
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
        self, columns: Columns, targets: Targets, weights: RowWeights | None
    ) -> Iterator[tuple[Stream, Array]]:
        """Encode all rows with a weight, or this rank's share of them, unless the cache has them.

        Yield them as a stream, divided as they were last dealt, and which slots each network trains
        on. The limits of `targets` are extended to the least and the greatest of all targets.
        """
        slots = self._slots
        assert slots is not None
        folder = self._cache or Path(tempfile.mkdtemp(prefix="multilayer-"))
        try:
            key = self._key(columns, targets, slots, weights)
            stream = self._known(folder, key)
            if stream is None:
                self._check_space(folder, columns.in_features + targets.out_features + 2)
                self._encode(folder, columns, targets, slots, weights, key)
                stream = self._stream(folder)
            extremes = self.table.ranks.gather_late(stream.arrays["extremes"])
            targets.widen(np.concatenate(extremes))
            yield stream, slots.trains_on
        finally:
            if self._cache is None:
                shutil.rmtree(folder, ignore_errors=True)

    def _stream(self, folder: Path) -> Stream:
        return Stream(folder, EPOCH_ROWS, self.table.ranks)

    def _known(self, folder: Path, key: str) -> Stream | None:
        """Return the stream in the cache, if it is the one with this key."""
        if self.table.blocks.fingerprint() is None:  # what is not in files may have changed
            return None
        try:
            stream = self._stream(folder)
        except ModelFileError:  # missing, damaged or incomplete: it is made again
            return None
        return stream if stream.about.get("key") == key else None

    def _key(
        self, columns: Columns, targets: Targets, slots: Slots, weights: RowWeights | None
    ) -> str:
        """Return a hash of everything that the encoded rows depend on."""
        said = [
            __version__, self.table.blocks.fingerprint(), self._time, columns.to_dict(),
            targets.to_dict(), slots.trains_on.tolist(), slots.starts,
            repr([self.roles, weights]), self.table.ranks.rank, self.table.ranks.n_ranks,
        ]  # fmt: skip
        digest = hashlib.blake2b(json.dumps(said).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.table.places).tobytes())  # shows what is left out
        return digest.hexdigest()

    def _check_space(self, folder: Path, width: int) -> None:
        """Raise if the folder cannot be made, or the rows do not fit on its disk."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            rule = "must be a folder, or a path where one can be made"
            got = f"{folder}: {error.strerror}"
            raise InvalidArgumentError(rule, "cache", got=got) from error
        n_rows = self.table.n_rows // self.table.ranks.n_ranks
        wanted, free = 4 * width * n_rows, shutil.disk_usage(folder).free
        if wanted > free:
            rule = f"must be a folder with room for the encoded rows, {wanted / GIB:,.1f} GiB"
            got = f"{folder}, with {free / GIB:,.1f} GiB"
            raise InvalidArgumentError(rule, "cache", got=got)

    def _encode(
        self,
        folder: Path,
        columns: Columns,
        targets: Targets,
        slots: Slots,
        weights: RowWeights | None,
        key: str,
    ) -> None:
        extremes: list[float] = []
        with StreamWriter(folder) as writer, _each_note_once():
            for each in self.table.parts():
                places, table = each
                weight = None
                if weights is not None:
                    weight = weights.weights(table, self.roles)
                    kept = np.flatnonzero(weight.astype(np.float32) > 0)
                    places, table, weight = places[kept], table.take(kept), weight[kept]
                if not len(places):
                    continue
                y = self.roles.targets_of(table)
                if targets.classes is None:
                    extremes += [y.min(), y.max()]
                encoded = targets.encode(y)
                _check(encoded, targets, table[self.roles.target])
                X = columns.encode(self.roles.inputs_of(table))[:]
                writer.add(Rows(X, encoded, weight, slots.of(table, places)))
            ends = np.array([min(extremes), max(extremes)] if extremes else [], np.float64)
            writer.finish({"key": key}, {"extremes": ends})


def _check(encoded: Array, targets: Targets, entries: Entries) -> None:
    """Raise if the loss does not accept these targets; later, its error could not name the row."""
    are_counts = targets.output == "exp"
    rules = {
        "must hold targets whose squares are finite in float32": np.abs(encoded) > LARGEST,
        "must hold counts, at least 0, for this loss": are_counts & (encoded < 0),
    }
    for rule, wrong in rules.items():
        if wrong.any():
            row = int(np.argmax(wrong.reshape(len(encoded), -1).any(axis=1)))
            got = f"{entries.objects()[row]!r} at {entries.origin.row(row)}"
            raise InvalidDataError(rule, entries.where, got=got)


@contextmanager
def _each_note_once() -> Iterator[None]:
    """Issue the warning about a column once, even if many blocks raise it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
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
