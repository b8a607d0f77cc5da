"""Lazy samples, read when a batch needs them; and `Data`: samples with targets and weights."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError

__all__ = ["Data", "Guarded", "LazySamples", "Parts", "check_weights", "reader"]


class LazySamples:
    """A matrix of samples that is never in memory as a whole; a subclass reads its rows.

    Attributes
    ----------
    shape : tuple of int
        (n_samples, in_features).
    """

    shape: tuple[int, int]

    reads_in_parallel = False
    """Whether several threads may read at once; otherwise they take turns."""

    is_in_memory = False
    """Whether the rows come from memory; a device with enough room may then hold all of them."""

    def __len__(self) -> int:
        """Return n_samples."""
        return self.shape[0]

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        """Return the samples of a slice or of an array of row numbers, read now."""
        raise NotImplementedError

    def read(self, rows: Any, out: npt.NDArray[Any]) -> None:
        """Read the samples of a slice or of an array of row numbers into `out`."""
        out[:] = self[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all samples, read now."""
        return np.asarray(self[:], dtype=dtype)

    def subset(self, rows: npt.NDArray[np.intp]) -> "LazySamples":
        """Return these rows as lazy samples: only the row numbers are kept."""
        return _Subset(self, rows)


class Data(NamedTuple):
    """Checked samples with their targets and weights, as the engine's own arrays."""

    X: Any
    """Samples, of shape (n_samples, in_features), possibly lazy."""
    targets: Any
    """Targets as the loss takes them, of shape (n_samples,) or (n_samples, out_features)."""
    weight: Any = None
    """A weight for each sample, or None if all count the same; of shape (K, n_samples) if each
    member of an ensemble has its own weights."""

    @property
    def n_samples(self) -> int:
        """The number of samples."""
        return len(self.targets)

    def part(self, rows: Any) -> "Data":
        """Return these rows, with their targets and weights; lazy samples stay lazy."""
        X = self.X.subset(rows) if isinstance(self.X, LazySamples) else self.X[rows]
        return Data(X, self.targets[rows], None if self.weight is None else self.weight[..., rows])

    def of_member(self, k: int) -> "Data":
        """Return all samples with the weights of one member of an ensemble."""
        has_own = self.weight is not None and self.weight.ndim == 2
        return self._replace(weight=self.weight[k]) if has_own else self

    def divided(self, training: Any, held_out: Any) -> tuple["Data", "Data"]:
        """Return the training rows and the held-out rows.

        Raises
        ------
        InvalidDataError
            If all weights of a part are zero.
        """
        check_weights(self.weight, training, held_out)
        return self.part(training), self.part(held_out)


def check_weights(weight: Any, training: Any, held_out: Any, of: str = "") -> None:
    """Raise if all weights of the training rows are zero, or all of the held-out rows, if any.

    Raises
    ------
    InvalidDataError
        The message names the part, followed by `of`, such as ``" of member 2"``.
    """
    for name, rows in (("training", training), ("validation", held_out)):
        if weight is None or rows is None or (has_some := weight[..., rows].any(axis=-1)).all():
            continue
        if weight.ndim == 2:
            of = f" of member {int(np.argmin(has_some))}"
        rule = f"must not be zero for every sample of the {name} part{of}"
        raise InvalidDataError(rule, "sample_weight")


class Parts:
    """Samples that the members of an ensemble share, with each member's own rows.

    ``parts[k]`` is the `Data` of member k, made on access.
    """

    def __init__(self, data: Data, rows: Sequence[npt.NDArray[np.intp]]) -> None:
        self.data, self.rows = data, tuple(rows)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.rows)

    def __getitem__(self, k: int) -> Data:
        return self.data.of_member(k).part(self.rows[k])


def reader(X: LazySamples) -> Callable[[Any, npt.NDArray[Any]], None]:
    """Return the samples' `read`, made safe for several threads."""
    if X.reads_in_parallel:
        return X.read
    # One lock per process: at a fork, another thread may hold the parent's.
    locks: dict[int, threading.Lock] = {}

    def read(rows: Any, out: npt.NDArray[Any]) -> None:
        with locks.setdefault(os.getpid(), threading.Lock()):
            X.read(rows, out)

    return read


class Guarded(LazySamples):
    """Lazy samples that several threads may read at once, even through separate readers."""

    reads_in_parallel = True

    def __init__(self, whole: LazySamples) -> None:
        self._whole, self._read = whole, reader(whole)
        self.shape, self.is_in_memory = whole.shape, whole.is_in_memory

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return self._whole[rows]

    def read(self, rows: Any, out: npt.NDArray[Any]) -> None:
        self._read(rows, out)


class _Subset(LazySamples):
    """Some rows of lazy samples."""

    def __init__(self, whole: LazySamples, rows: npt.NDArray[np.intp]) -> None:
        self.whole = whole
        self.rows = rows
        self.shape = (len(rows), whole.shape[1])
        self.reads_in_parallel = whole.reads_in_parallel
        self.is_in_memory = whole.is_in_memory

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return self.whole[self.rows[rows]]

    def read(self, rows: Any, out: npt.NDArray[Any]) -> None:
        self.whole.read(self.rows[rows], out)
