"""Scaled: the robust scaling that columns of numbers and dates share."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data import Tally
from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.data.row import Entry
from multilayer.errors import InvalidDataError
from multilayer.model.column import Column, Embedded, NothingToLearn, missing_notes, parts_of

__all__ = ["FAR", "Scaled", "center_and_scale", "knots_of", "scaled_parts"]

Array = npt.NDArray[Any]

FAR = 1e100
"""Scaled numbers are clipped to ± this, so that their squares are finite."""
N_PIECES = 48
"""The number of pieces of a piecewise linear function (Gorishniy et al. 2025, TabM, use 48)."""
TINY = float(np.finfo(np.float64).tiny)
"""Knots are further apart than this, so that the slope between them is finite."""
PIECE = 8192
"""How many numbers are scaled at a time, so that they stay in the cache."""


@dataclass(frozen=True)
class Scaled(Column):
    """A column of real numbers, centred, scaled, and smoothly clipped to (−3, 3).

    With the median m and the scale s, a value x becomes

        r = (x − m)/s,    input = r / √(1 + (r/3)²)

    which is the robust scaling and smooth clipping of Holzmüller, Grinsztajn & Steinwart 2024
    (RealMLP), Section 3. A missing value becomes 0, with a last input of 1.

    Parameters
    ----------
    name : str
    median, scale : float
        The median of the training values, and their interquartile range or what `center_and_scale`
        uses instead. A scale of 0 means that all values were equal; the input is then 0.
    has_missing : bool
        Whether training values were missing; if so, a last input is 1 in rows with a missing value.
    knots : tuple of float
        The increasing knots of a piecewise linear function that the network learns; empty for
        none. With knots, the input is instead the position of a value among them: i at knot i,
        linear in between, and 0 if the value is missing.
    """

    name: str
    median: float
    scale: float
    has_missing: bool = False
    knots: tuple[float, ...] = field(default=(), kw_only=True)

    @property
    def input_names(self) -> tuple[str, ...]:
        names = (self.name, *self._other_names())
        return (*names, f"{self.name} is missing") if self.has_missing else names

    def of_all(self, tally: Tally) -> Self:
        has_missing = tally.n_present < len(tally) or self.n_missing(tally.different()) > 0
        return replace(self, has_missing=self.has_missing or has_missing)

    def embedded(self, entries: Entries, tally: Tally | None = None) -> Self:
        values = self.values(entries, [])
        return replace(self, knots=knots_of(values[~np.isnan(values)]))

    @property
    def embeddings(self) -> tuple[Embedded, ...]:
        return (Embedded(0, len(self.knots) - 1, is_number=True),) if self.knots else ()

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        strays: list[Note] = []
        values = self.values(entries, strays)
        is_missing = np.isnan(values)
        notes += strays if strays or self.has_missing else missing_notes(entries, is_missing)
        inputs = np.empty((len(values), len(self.input_names)), np.float32)
        if self.knots:
            inputs[:, 0] = np.interp(values, *self._points)
            inputs[is_missing, 0] = 0
        else:
            _bend(values, self.median, self.scale, out=inputs[:, 0])
        self._fill_others(values, is_missing, inputs[:, 1:])
        if self.has_missing:
            inputs[:, -1] = is_missing
        return inputs

    def encode_entry(self, entry: Entry, out: Array) -> bool:
        value = math.nan if entry is None else self._value(entry)
        if value is None or (math.isnan(value) and not self.has_missing):
            return False
        if not self.knots:
            _bend(np.array([value]), self.median, self.scale, out=out[:1])
        elif not math.isnan(value):
            out[0] = np.interp(value, *self._points)
        if self._other_names():
            values = np.array([value])
            self._fill_others(values, np.isnan(values), out[np.newaxis, 1:])
        if self.has_missing:
            out[-1] = math.isnan(value)
        return True

    def n_missing(self, entries: Entries) -> int:  # texts that mark missing values are NaN too
        return int(np.count_nonzero(np.isnan(self.values(entries, []))))

    @cached_property
    def _points(self) -> tuple[Array, Array]:
        """The knots, and their positions."""
        return np.array(self.knots), np.arange(float(len(self.knots)))

    @abstractmethod
    def values(self, entries: Entries, notes: list[Note]) -> Array:
        """Return entries as float64, NaN if missing; add notes on entries treated as missing."""

    def _value(self, entry: str | float) -> float | None:
        """Return the value of a plain entry, as `values` does; None if that might add a note."""
        return None

    def _other_names(self) -> tuple[str, ...]:
        """Return the names of the inputs after the scaled value."""
        return ()

    def _fill_others(self, values: Array, is_missing: Array, out: Array) -> None:
        """Write the inputs after the scaled value to the first columns of `out`."""


def knots_of(values: Array) -> tuple[float, ...]:
    """Return the knots of a column's piecewise linear function, at most `N_PIECES` + 1.

    A value that makes up at least 1/`N_PIECES` of all values is a knot of its own; the remaining
    knots divide the other values into equal shares. Otherwise, a column in which most values are 0
    would have hardly any knots among its other values.

    Examples
    --------
    >>> knots_of(np.array([3.0, 1.0, 2.0, 2.0]))
    (1.0, 2.0, 3.0)
    >>> income = np.r_[np.zeros(900), np.arange(1.0, 101.0)]
    >>> len(knots_of(income)), len(np.unique(np.quantile(income, np.linspace(0, 1, N_PIECES + 1))))
    (49, 6)
    """
    different, counts = np.unique(values, return_counts=True)
    if len(different) > N_PIECES + 1:
        is_frequent = counts >= len(values) / N_PIECES
        others = np.repeat(different[~is_frequent], counts[~is_frequent])
        shares = np.linspace(0, 1, max(N_PIECES + 1 - is_frequent.sum(), 2))
        different = np.union1d(different[is_frequent], np.quantile(others, shares))
    if len(different) < 2:
        return ()
    is_apart = different[1:] > different[:-1] + TINY
    different = different[np.append(True, is_apart)]
    return tuple(different.tolist()) if len(different) > 1 else ()


def center_and_scale(values: Array) -> tuple[float, float]:
    """Return the median, and the interquartile range as the scale.

    If that is 0, as in a column of mostly zeros, the scale is half the median distance of the other
    values from the median. RealMLP uses the full range instead, which a single typo can determine.

    Raises
    ------
    NothingToLearn
        If there are no values, or they are too far apart for float64.
    """
    if not len(values):
        why = "no entries"
        raise NothingToLearn(why)
    with np.errstate(over="ignore", invalid="ignore"):  # too far apart: handled below
        first, median, third = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        scale = third - first
        if scale == 0:
            others = values[values != median]
            scale = float(np.median(np.abs(others / 2 - median / 2))) if len(others) else 0.0
    if not np.isfinite(scale):
        why = "numbers too far apart"
        raise NothingToLearn(why)
    return median, scale


def scaled_parts(found: Any, owner: str, types: Mapping[str, type]) -> dict[str, Any]:
    """Return the parts of a scaled column in a file: the common ones, and those in `types`.

    Raises
    ------
    InvalidDataError
        If `found` does not describe such a column.
    """
    common = {"name": str, "median": float, "scale": float, "has_missing": bool, "knots": list}
    if isinstance(found, dict):
        found = {"knots": []} | found  # older files lack them
    parts = parts_of(found, owner, common | dict(types))
    knots = parts["knots"]
    are_numbers = all(type(knot) is float and math.isfinite(knot) for knot in knots)
    if not are_numbers or len(knots) == 1 or any(a >= b for a, b in pairwise(knots)):
        raise InvalidDataError("must be empty, or two or more increasing numbers", "knots", owner)
    parts["knots"] = tuple(knots)
    if parts["scale"] < 0:
        got = f"{parts['scale']:g}"
        raise InvalidDataError("must be at least 0", "scale", "a column", got=got)
    return parts


def _bend(values: Array, center: float, scale: float, *, out: Array) -> None:
    """Write r/√(1 + (r/3)²), r = (x − center)/scale, to `out`; 0 for NaN, or if the scale is 0."""
    if scale == 0:
        out[:] = 0
        return
    for start in range(0, len(values), PIECE):
        with np.errstate(over="ignore"):  # infinite numbers are clipped
            r = values[start : start + PIECE] - center
            r /= scale
        np.clip(r, -FAR, FAR, out=r)
        length = r / 3
        length *= length
        length += 1
        r /= np.sqrt(length, out=length)
        np.copyto(r, 0, where=np.isnan(r))
        out[start : start + PIECE] = r
