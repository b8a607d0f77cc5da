"""Stream: samples that need not fit into memory, in a file that is read in parts."""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.container import Format, reading, write
from multilayer.errors import InvalidDataError, InvalidTypeError, ModelFileError
from multilayer.ranks import ALONE, Ranks

__all__ = ["Rows", "Stream", "StreamWriter"]

Array = npt.NDArray[Any]

FORMAT = Format(
    "multilayer stream", "stream of samples", ("1",), ": delete the folder, and write it again"
)
BLOCK_BYTES = 2**16
"""Bytes in a block, which is read at once: large enough for a disk to be fast, and small enough
that a part consists of blocks from many places in the file."""
N_NUMBERS = ("in_features", "n_targets", "is_vector", "has_labels", "has_weight", "has_slots")


class Rows(NamedTuple):
    """Some samples of a stream."""

    X: Array
    """Of shape (n, in_features)."""
    y: Array
    """Targets in the form that the loss needs, of shape (n,) or (n, n_targets)."""
    weight: Array | None = None
    """Sample weights, of shape (n,)."""
    slots: Array | None = None
    """Each sample's slot, a small integer, of shape (n,): each network trains on certain slots."""


class Stream:
    """Samples that need not fit into memory: float32 numbers in a file that `fit` reads in parts.

    An epoch takes blocks of neighbouring rows in random order. Several hundred blocks at a time
    are in memory and shuffled together, while the next ones are being read. The folder holds
    ``rows.npy``, an ordinary NumPy file, and ``stream.safetensors``, which describes it and is
    written last: without this file, the stream is incomplete.

    Parameters
    ----------
    folder : path
        A folder written by `Stream.write`.
    most_rows : int, optional
        About the maximum number of rows in an epoch. If there are more rows, each epoch takes a
        random selection of the blocks.
    ranks : Ranks
        The processes that train together, each with a stream of its own samples; `most_rows` is
        for all of them together.

    Attributes
    ----------
    n_samples, in_features : int
    counts : array of int of shape (n_blocks, n_slots)
        How many rows of each slot each block has.
    block : int
        The number of rows in a block; the last one may have fewer.
    about : dict
        Further information that was written with the stream, as JSON values.
    arrays : dict of str to array
        Further information that was written with the stream, as arrays.

    Raises
    ------
    ModelFileError
        If the folder does not hold a complete stream.

    Examples
    --------
    >>> import tempfile
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import fit
    >>> rng = np.random.default_rng(0)
    >>> def parts():
    ...     for _ in range(3):
    ...         X = rng.normal(size=(500, 2)).astype(np.float32)
    ...         yield X, (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> stream = Stream.write(tempfile.mkdtemp(), parts())
    >>> stream
    Stream(1500 samples of 2 features)
    >>> net = MLP(Architecture(2, (16,), 2), rng=rng)
    >>> history = fit(net, stream, loss="cross_entropy", n_epochs=20, rng=rng)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        most_rows: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.folder, self.ranks = Path(folder), ranks
        self.most_rows = most_rows and checks.integer(most_rows, "most_rows", "Stream")
        with _described(self.folder) as (about, arrays):
            self.counts = arrays.pop("counts").astype(np.int64)
            numbers = [about.pop(name) for name in N_NUMBERS]
            self.in_features, self._n_targets, *flags = numbers
            self._is_vector, self._has_labels, self._has_weight, self._has_slots = flags
        self.about, self.arrays = about, arrays
        self.n_samples = int(self.counts.sum())
        self._width = self.in_features + self._n_targets + self._has_weight + self._has_slots
        self.block = int(self.counts[0].sum())
        try:
            with self._path.open("rb") as file:
                self._start = _skip_header(file, self.n_samples, self._width)
                found = os.fstat(file.fileno())
        except (OSError, ValueError) as error:
            raise ModelFileError(f"cannot be read: {error}", self._path) from error
        if found.st_size < self._start + self.n_samples * self._width * 4:
            raise ModelFileError(f"is cut short: {found.st_size:,} bytes", self._path)
        self._stamp = found.st_ino, found.st_mtime_ns

    def __repr__(self) -> str:
        return f"Stream({self.n_samples} samples of {self.in_features} features)"

    @classmethod
    def write(cls, folder: str | os.PathLike[str], parts: Iterable[tuple[Array, ...]]) -> Self:
        """Write samples, part by part, and return them as a stream.

        Parameters
        ----------
        folder : path
            Created if it does not exist; an existing stream is replaced.
        parts : iterable of tuples (X, y) or (X, y, sample_weight)
            Samples of shape (n, in_features), targets in the form that the loss needs, and weights.
            All are stored as float32.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If there are no samples, or the parts do not fit together. No files are left behind.
        OSError
            If the files cannot be written, for example because the disk is full.
        """
        with StreamWriter(folder) as writer:
            for part in parts:
                writer.add(Rows(*part))
            writer.finish()
        return cls(folder)

    @property
    def _path(self) -> Path:
        return self.folder / "rows.npy"

    @property
    def shape(self) -> tuple[int, int]:
        """The number of samples, and how many numbers are stored for each."""
        return self.n_samples, self._width

    def __getitem__(self, rows: Array) -> Array:
        """Read some rows, with all the numbers stored for each."""
        return self._read([(int(row), int(row) + 1) for row in rows])

    def read(self, spans: Sequence[tuple[int, int]]) -> Rows:
        """Read the samples in these ranges of rows.

        Parameters
        ----------
        spans : sequence of (start, stop)

        Raises
        ------
        InvalidDataError
            If the file has changed since the stream was opened, or cannot be read.
        """
        found = self._read(spans)
        ends = np.cumsum([self.in_features, self._n_targets, self._has_weight])
        X, y, weight, slots = np.split(found, ends, axis=1)
        y = y[:, 0] if self._is_vector else y
        return Rows(
            np.ascontiguousarray(X),
            y.astype(np.intp) if self._has_labels else np.ascontiguousarray(y),
            weight[:, 0].copy() if self._has_weight else None,
            slots[:, 0].astype(np.intp) if self._has_slots else None,
        )

    def _read(self, spans: Sequence[tuple[int, int]]) -> Array:
        found = np.empty((sum(stop - start for start, stop in spans), self._width), np.float32)
        spans = [(start, stop) for start, stop in spans if start < stop]
        begin = 0
        try:
            with self._path.open("rb", buffering=0) as file:
                now = os.fstat(file.fileno())
                if (now.st_ino, now.st_mtime_ns) != self._stamp:
                    raise InvalidDataError("has changed since it was opened", self._path)
                for start, stop in spans:
                    out = found[begin : begin + stop - start]
                    file.seek(self._start + start * self._width * 4)
                    if not _fill(file, memoryview(out.data).cast("B")):
                        raise InvalidDataError("has been cut short", self._path)
                    begin += stop - start
        except OSError as error:
            raise InvalidDataError(f"cannot be read: {error.strerror}", self._path) from error
        return found


class StreamWriter:
    """Writes a stream: in a ``with`` block, call `add` for each part, then `finish`.

    If the block ends without `finish`, no new files remain, and an existing stream is kept.

    Parameters
    ----------
    folder : path
        Created if it does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._numbers: dict[str, Any] | None = None
        self._counts: list[Array] = []
        self._open: Array = np.zeros(0, np.intp)  # slots of rows in the last, unfinished block
        self._n_rows = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._temporary = self.folder / f".rows.npy.{secrets.token_hex(4)}.tmp"
        self._file = self._temporary.open("xb")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def add(self, rows: Rows) -> None:
        """Write some samples.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If they do not match the samples that were added before.
        """
        X = checks.array(rows.X, "X")
        y = checks.array(rows.y, "y")
        if X.ndim != 2 or X.dtype.kind not in "fiub" or y.ndim not in (1, 2):
            got = f"shapes {X.shape} and {y.shape}, dtype {X.dtype}"
            raise InvalidTypeError(
                "must be matrices of numbers with their targets", "parts", got=got
            )
        parts = [X, y.reshape(len(y), -1)]
        parts += [np.reshape(own, (-1, 1)) for own in rows[2:] if own is not None]
        if len({len(part) for part in parts}) > 1:
            got = ", ".join(str(len(part)) for part in parts)
            rule = "must have the same length"
            raise InvalidDataError(rule, "samples, targets and weights", got=got)
        numbers = dict(
            zip(
                N_NUMBERS,
                (
                    X.shape[1],
                    parts[1].shape[1],
                    y.ndim == 1,
                    y.dtype.kind in "iub",
                    rows.weight is not None,
                    rows.slots is not None,
                ),
                strict=True,
            )
        )
        if self._numbers is None:
            self._numbers = numbers
            self._width = sum(part.shape[1] for part in parts)
            _write_header(self._file, 0, self._width)
        if numbers != self._numbers:
            rule = "must match the first in features, targets and weights"
            raise InvalidDataError(rule, "parts", got=f"{numbers}; the first: {self._numbers}")
        self._file.write(np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe").data)
        self._n_rows += len(X)
        slots = np.zeros(len(X), np.intp) if rows.slots is None else rows.slots.astype(np.intp)
        self._count(np.concatenate([self._open, slots]))

    def finish(
        self, about: Mapping[str, Any] | None = None, arrays: Mapping[str, Array] | None = None
    ) -> None:
        """Complete the stream, and move it to its final name in the folder.

        Parameters
        ----------
        about : mapping, optional
            Further information to write with the stream, as JSON values.
        arrays : mapping of str to array, optional
            Further information to write with the stream, as arrays.

        Raises
        ------
        InvalidDataError
            If there are no samples.
        """
        if not self._n_rows or self._numbers is None:
            raise InvalidDataError("must have samples; got none", "parts", "Stream")
        if len(self._open):
            self._counts.append(np.bincount(self._open))
        n_slots = max(map(len, self._counts))
        counts = np.zeros((len(self._counts), n_slots))
        for row, own in zip(counts, self._counts, strict=True):
            row[: len(own)] = own
        self._file.seek(0)
        _write_header(self._file, self._n_rows, self._width)
        self._file.flush()
        os.fsync(self._file.fileno())
        described = self.folder / "stream.safetensors"
        described.unlink(missing_ok=True)  # the rows that it describes are about to be replaced
        self._temporary.replace(self.folder / "rows.npy")
        text = np.frombuffer(json.dumps({**self._numbers, **(about or {})}).encode(), np.uint8)
        kept: dict[str, Array] = {"counts": counts, "about": text, **(arrays or {})}
        write(described, FORMAT, {}, kept, has_digest=True)

    def _count(self, slots: Array) -> None:
        block = _block(self._width)
        n_full = len(slots) // block
        self._counts += [np.bincount(slots[i * block : (i + 1) * block]) for i in range(n_full)]
        self._open = slots[n_full * block :]


@contextmanager
def _described(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Yield the description of a stream; errors in the block become errors about its file."""
    path = folder / "stream.safetensors"
    if not path.is_file():
        raise ModelFileError("holds no stream, or an incomplete one", folder)
    with reading(path, FORMAT) as file:
        arrays = file.read_all()
        yield json.loads(arrays.pop("about").tobytes()), arrays


def _block(width: int) -> int:
    """Return the number of rows in a block."""
    return max(1, BLOCK_BYTES // (4 * width))


def _fill(file: Any, out: memoryview) -> bool:
    """Read until `out` is full, and return whether there were enough bytes."""
    while len(out):
        n = file.readinto(out)
        if not n:
            return False
        out = out[n:]
    return True


def _write_header(file: Any, n_rows: int, width: int) -> None:
    """Write the header of a NumPy file; its length is the same for any number of rows."""
    described = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, width)}
    np.lib.format.write_array_header_1_0(file, described)


def _skip_header(file: Any, n_rows: int, width: int) -> int:
    """Return where the numbers of a NumPy file begin."""
    np.lib.format.read_magic(file)
    shape, is_transposed, dtype = np.lib.format.read_array_header_1_0(file)
    if shape != (n_rows, width) or is_transposed or dtype != np.float32:
        raise ValueError(f"it holds {dtype} of shape {shape}, not float32 of {(n_rows, width)}")
    return int(file.tell())
