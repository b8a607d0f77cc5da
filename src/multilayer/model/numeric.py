"""Numeric: a column of numbers, scaled robustly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries
from multilayer.data.notation import MARKS, Notation
from multilayer.data.notes import Note
from multilayer.data.numerals import SCALES
from multilayer.errors import InvalidDataError
from multilayer.model.column import (
    Column,
    NothingToLearn,
    Reading,
    are_identifiers,
    missing_notes,
    parts_of,
)

__all__ = ["FAR", "Numeric", "bent", "center_and_scale"]

Array = npt.NDArray[Any]

FAR = 1e100
"""Beyond this many scales a number is as far as can be; its square is still finite."""
PLAIN = Notation()
PIECE = 8192
"""Numbers that are scaled at a time, so that they stay in the cache."""
MANY = 20
"""Rows from which whole numbers that differ in all of them may number these."""
IDENTIFIER = re.compile(
    r"|index|unnamed: \d+|(?:.*[\W_])?(?:id|idx|uuid|guid|rowid)|.*[a-z](?-i:Id|ID)", re.IGNORECASE
)
"""Names of columns that number the rows: ``id``, ``user_id``, ``PassengerId``, ``Unnamed: 0``."""


@dataclass(frozen=True)
class Numeric(Column):
    """A column of numbers, centred, scaled, and bent so that outliers keep within (−3, 3).

    With the median m and the scale s, an entry x becomes

        r = (x − m)/s,    input = r / √(1 + (r/3)²)

    which is the robust scaling and smooth clipping of Holzmüller, Grinsztajn & Steinwart 2024
    (RealMLP), Section 3. The scale is the distance of the quartiles; where they are equal, half
    the median distance of those entries that are not the median. A missing entry is filled with the
    median, whose input is 0, and a second input says so. Booleans are the numbers 0 and 1;
    durations and times of day are seconds.

    Parameters
    ----------
    name : str
    median, scale : float
        Of the training entries; a scale of 0 says that they were all the same, and makes the
        input 0.
    has_missing : bool
        Whether training entries were missing, and so a second input: 1 where one is.
    notation : Notation
        How numbers are written, where they come as text.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> age = Numeric.of(read_table({"age": ["20", "30", "40", "?"]})["age"], Reading())
    >>> age.median, age.scale, age.has_missing
    (30.0, 10.0, True)
    >>> age.encode(read_table({"age": [30, 40, None]})["age"], []).round(3)
    array([[0.   , 0.   ],
           [0.949, 0.   ],
           [0.   , 1.   ]], dtype=float32)
    """

    kind: ClassVar[str] = "numeric"
    options: ClassVar[Mapping[str, dict[str, str]]] = {
        "decimal point": {"decimal": "."},
        "decimal comma": {"decimal": ","},
    }

    name: str
    median: float
    scale: float
    has_missing: bool = False
    notation: Notation = PLAIN

    @classmethod
    def of(cls, entries: Entries, reading: Reading) -> Self | None:
        found = entries.find_notation(reading.decimal, is_asked=reading.is_asked)
        if found is not None and found.notation is None and _are_different(entries):
            # As categories they would be identifiers: rather some numbers are missing.
            found = entries.find_notation(reading.decimal, is_asked=True)
        if found is not None:
            where = entries.column, entries.origin.table
            reading.notes += [Note(*where, *doubt) for doubt in found.doubts]
            reading.shows |= {"decimal": found.shows} if found.shows else {}
            reading.is_open = found.is_open
        notation = None if found is None else found.notation
        if notation is None:
            if not reading.is_asked:
                return None
            notation = PLAIN  # which says what is wrong
        strays: list[Note] = []
        # What is no number is noted: the notation, which knows it, would pass over it.
        numbers = entries.numbers(replace(notation, missing=()), strays)
        reading.notes += [note._replace(otherwise="categorical") for note in strays]
        present = numbers[~np.isnan(numbers)]
        if not reading.is_asked and _are_identifiers(entries.column, present, len(numbers)):
            why = "identifiers"
            raise NothingToLearn(why)
        center, scale = center_and_scale(present)
        return cls(entries.column, center, scale, len(present) < len(numbers), notation)

    @property
    def input_names(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} is missing") if self.has_missing else (self.name,)

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        strays: list[Note] = []
        numbers = entries.numbers(self.notation, strays)
        notes += strays if strays or self.has_missing else missing_notes(entries, np.isnan(numbers))
        inputs = np.empty((len(numbers), len(self.input_names)), np.float32)
        bent(numbers, self.median, self.scale, out=inputs[:, 0])
        if self.has_missing:
            inputs[:, 1] = np.isnan(numbers)
        return inputs

    def __str__(self) -> str:
        parts = [f"numeric, median {self.median:.6g}, scale {self.scale:.6g}", str(self.notation)]
        parts += ["missing entries"] if self.has_missing else []
        return "; ".join(part for part in parts if part)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        types = {"name": str, "median": float, "scale": float, "has_missing": bool}
        parts = parts_of(found, "a numeric column", types | {"notation": dict})
        if parts["scale"] < 0:
            msg = f"scale of a column must be at least 0; got {parts['scale']:g}"
            raise InvalidDataError(msg)
        parts["notation"] = _notation(parts["notation"])
        return cls(**parts)


def center_and_scale(numbers: Array) -> tuple[float, float]:
    """Return the median and the distance of the quartiles.

    Where that is 0, as in a column of zeros with some other numbers, it is half the median distance
    of those others: the range, which RealMLP takes, would be the largest slip of anyone's pen.

    Raises
    ------
    NothingToLearn
        If they are too far apart for float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is too far apart is looked at below
        first, median, third = np.quantile(numbers, (0.25, 0.5, 0.75)).tolist()
        scale = third - first
        if scale == 0:
            others = numbers[numbers != median]
            scale = float(np.median(np.abs(others / 2 - median / 2))) if len(others) else 0.0
    if not np.isfinite(scale):
        why = "numbers too far apart"
        raise NothingToLearn(why)
    return median, scale


def bent(numbers: Array, center: float, scale: float, *, out: Array) -> None:
    """Write r/√(1 + (r/3)²), of r = (x − center)/scale, to `out`; 0 of NaN and of a scale of 0."""
    if scale == 0:
        out[:] = 0
        return
    for start in range(0, len(numbers), PIECE):
        with np.errstate(over="ignore"):  # what is infinitely far is as far as can be
            r = numbers[start : start + PIECE] - center
            r /= scale
        np.clip(r, -FAR, FAR, out=r)
        length = r / 3
        length *= length
        length += 1
        r /= np.sqrt(length, out=length)
        np.copyto(r, 0, where=np.isnan(r))
        out[start : start + PIECE] = r


def _are_different(entries: Entries) -> bool:
    _, names = entries.categories()
    return are_identifiers(len(names), entries.n_present)


def _are_identifiers(name: str, present: Array, n_rows: int) -> bool:
    """Return whether numbers number the rows: whole ones, all different, by a name that says so."""
    if n_rows < MANY or len(present) < n_rows or not IDENTIFIER.fullmatch(name.strip()):
        return False
    return bool((present == np.rint(present)).all()) and len(np.unique(present)) == n_rows


def _notation(found: Any) -> Notation:
    """Return the notation that a file tells of."""
    types: dict[str, type] = {each.name: type(each.default) for each in fields(Notation)}
    parts = parts_of(found, "a notation", types | {"missing": list})
    allowed = {
        "decimal": {decimal for decimal, _ in MARKS},
        "thousands": {thousands for _, thousands in MARKS},
        "scale": {"", "clock", *SCALES},
    }
    for name, values in allowed.items():
        if parts[name] not in values:
            msg = f"{name} of a notation must be one of {sorted(values)}; got {parts[name]!r}"
            raise InvalidDataError(msg)
    return Notation(**parts)
