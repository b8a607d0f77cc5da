"""Scaled: what columns of numbers and of dates have in common, the robust scaling."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError
from multilayer.model.column import Column, NothingToLearn, missing_notes, parts_of

__all__ = ["FAR", "Scaled", "center_and_scale", "scaled_parts"]

Array = npt.NDArray[Any]

FAR = 1e100
"""Beyond this many scales a number is as far as can be; its square is still finite."""
PIECE = 8192
"""Numbers that are scaled at a time, so that they stay in the cache."""


@dataclass(frozen=True)
class Scaled(Column):
    """A column of real numbers, centred, scaled, and bent so that outliers keep within (−3, 3).

    With the median m and the scale s, a value x becomes

        r = (x − m)/s,    input = r / √(1 + (r/3)²)

    which is the robust scaling and smooth clipping of Holzmüller, Grinsztajn & Steinwart 2024
    (RealMLP), Section 3. A missing one has 0, and a last input that is 1.

    Parameters
    ----------
    name : str
    median, scale : float
        Of the training values: the median, and the distance of the quartiles or what
        `center_and_scale` takes in its place; a scale of 0 says that all were the same, and makes
        the input 0.
    has_missing : bool
        Whether training values were missing, and so a last input: 1 where one is.
    """

    name: str
    median: float
    scale: float
    has_missing: bool = False

    @property
    def input_names(self) -> tuple[str, ...]:
        names = (self.name, *self._other_names())
        return (*names, f"{self.name} is missing") if self.has_missing else names

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        strays: list[Note] = []
        values = self.values(entries, strays)
        is_missing = np.isnan(values)
        notes += strays if strays or self.has_missing else missing_notes(entries, is_missing)
        inputs = np.empty((len(values), len(self.input_names)), np.float32)
        _bend(values, self.median, self.scale, out=inputs[:, 0])
        self._fill_others(values, is_missing, inputs[:, 1:])
        if self.has_missing:
            inputs[:, -1] = is_missing
        return inputs

    @abstractmethod
    def values(self, entries: Entries, notes: list[Note]) -> Array:
        """Return entries as float64, NaN for missing ones; `notes` say what is taken as missing."""

    def _other_names(self) -> tuple[str, ...]:
        """Return the names of inputs beside the scaled value."""
        return ()

    def _fill_others(self, values: Array, is_missing: Array, out: Array) -> None:
        """Write the inputs beside the scaled value to the first columns of `out`."""


def center_and_scale(values: Array) -> tuple[float, float]:
    """Return the median and the distance of the quartiles.

    Where that is 0, as in a column of zeros with some other numbers, it is half the median distance
    of those others: the range, which RealMLP takes, would be the largest slip of anyone's pen.

    Raises
    ------
    NothingToLearn
        If there is none, or they are too far apart for float64.
    """
    if not len(values):
        why = "no entries"
        raise NothingToLearn(why)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too far apart is looked at below
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
    """Return the parts of a scaled column that a file tells of: these, and those of them all.

    Raises
    ------
    InvalidDataError
        If it tells of none.
    """
    common = {"name": str, "median": float, "scale": float, "has_missing": bool}
    parts = parts_of(found, owner, common | dict(types))
    if parts["scale"] < 0:
        got = f"{parts['scale']:g}"
        raise InvalidDataError("must be at least 0", "scale", "a column", got=got)
    return parts


def _bend(values: Array, center: float, scale: float, *, out: Array) -> None:
    """Write r/√(1 + (r/3)²), of r = (x − center)/scale, to `out`; 0 of NaN and of a scale of 0."""
    if scale == 0:
        out[:] = 0
        return
    for start in range(0, len(values), PIECE):
        with np.errstate(over="ignore"):  # what is infinitely far is as far as can be
            r = values[start : start + PIECE] - center
            r /= scale
        np.clip(r, -FAR, FAR, out=r)
        length = r / 3
        length *= length
        length += 1
        r /= np.sqrt(length, out=length)
        np.copyto(r, 0, where=np.isnan(r))
        out[start : start + PIECE] = r
