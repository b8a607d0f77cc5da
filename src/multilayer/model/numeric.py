"""Numeric: a column of numbers, scaled robustly."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries, cleaned
from multilayer.data.notation import MARKS, Notation, NotationFound
from multilayer.data.notes import Note
from multilayer.data.numerals import SCALES
from multilayer.errors import InvalidDataError
from multilayer.model.column import NOTHING, Found, NothingToLearn, are_identifiers, parts_of
from multilayer.model.scaled import Scaled, center_and_scale, scaled_parts

__all__ = ["Numeric", "notation_from_dict", "read_numbers", "read_weights"]

Array = npt.NDArray[Any]

PLAIN = Notation()
MANY = 20
"""In at least this many rows, whole numbers that are nearly all distinct may be identifiers."""
IDENTIFIER = re.compile(
    r"|index|unnamed: \d+|(?:.*[\W_])?(?:id|idx|uuid|guid|rowid)|.*[a-z](?-i:Id|ID)", re.IGNORECASE
)
"""Names of columns of identifiers: ``id``, ``user_id``, ``PassengerId``, ``Unnamed: 0``."""


@dataclass(frozen=True)
class Numeric(Scaled):
    """A column of numbers, scaled as in `Scaled`.

    Booleans become 0 and 1; durations and times of day are in seconds.

    Parameters
    ----------
    name, median, scale, has_missing
        See `Scaled`.
    notation : Notation
        How numbers are written, if they come as text.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> age = Numeric.of(read_table({"age": ["20", "30", "40", "?"]})["age"]).column
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

    notation: Notation = PLAIN

    @classmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        decimal = said.get("decimal")
        found = entries.find_notation(decimal, is_asked=is_asked)
        if found is not None and found.notation is None and _are_different(entries):
            if found.why:
                raise NothingToLearn(found.why)
            # As categories they would be identifiers: better to treat some entries as missing.
            found = entries.find_notation(decimal, is_asked=True)
        if found is None:
            if not is_asked:
                return Found()
            found = NotationFound(PLAIN)  # reading raises an error that names the entry
        where = entries.column, entries.origin.table
        notes = [Note(*where, *doubt) for doubt in found.doubts]
        if found.notation is None:
            return Found(notes=notes)
        strays: list[Note] = []
        numbers = entries.numbers(found.notation, strays)
        otherwise = "categorical" if entries.what == "text" else ""  # not for infinite numbers
        notes += [note._replace(otherwise=otherwise) for note in strays]
        present = numbers[~np.isnan(numbers)]
        scaling = center_and_scale(present)
        notation = replace(found.notation, missing=found.others)
        column = cls(entries.column, *scaling, len(present) < len(numbers), notation)
        shows = {"decimal": found.shows} if found.shows else {}
        result = Found(column, notes, shows, found.is_open)
        if not is_asked and _are_identifiers(entries.column, present, len(numbers)):
            why = "identifiers"
            raise NothingToLearn(why, otherwise=result)
        return result

    @property
    def way(self) -> str:
        if self.notation.decimal == ",":
            return f"{self.kind}: decimal comma"
        return f"{self.kind}: decimal point" if self.notation.thousands == "," else self.kind

    @property
    def reads(self) -> str:
        return str(self.notation)

    def values(self, entries: Entries, notes: list[Note]) -> Array:
        return entries.numbers(self.notation, notes)

    def _value(self, entry: str | float) -> float | None:
        if isinstance(entry, str):
            text = cleaned(entry)
            return self.notation.number(text) if text else math.nan
        is_bare = self.notation.scale in ("", "multiple") and self.notation.unit != "%"
        return float(entry) if is_bare and math.isfinite(entry) else None

    def __str__(self) -> str:
        size = f"{len(self.knots)} knots" if self.knots else f"scale {self.scale:.6g}"
        parts = [f"numeric, median {self.median:.6g}, {size}", str(self.notation)]
        parts += ["missing values"] if self.has_missing else []
        return "; ".join(part for part in parts if part)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        parts = scaled_parts(found, "a numeric column", {"notation": dict})
        return cls(**parts | {"notation": notation_from_dict(parts["notation"])})


def read_numbers(
    entries: Entries,
    notes: list[Note],
    notation: Notation | None = None,
    decimal: str | None = None,
) -> tuple[Array, Notation]:
    """Return entries as numbers, with NaN for missing ones, and their notation.

    Without a `notation`, find the one that fits, with the mark `decimal` if entries are ambiguous.
    Notes on decisions that may be wrong are added to `notes`.

    Raises
    ------
    InvalidDataError
        If an entry is not a number.
    """
    if notation is None:
        found = entries.find_notation(decimal, is_asked=True)
        notation = (found and found.notation) or PLAIN
        where = entries.column, entries.origin.table
        notes += [
            Note(*where, says, kind if kind.startswith("numeric") else "")
            for says, kind in (found.doubts if found else ())
        ]
    return entries.numbers(notation, notes), notation


def read_weights(entries: Entries, notes: list[Note], notation: Notation | None = None) -> Array:
    """Return entries as the weights of their rows, read by `read_numbers`.

    Raises
    ------
    InvalidDataError
        If a weight is missing or below 0; the message names the row.
    """
    weights, _ = read_numbers(entries, notes, notation)
    wrong = np.flatnonzero(~(weights >= 0))
    if len(wrong):
        got = entries.objects()[wrong[0]]
        raise InvalidDataError(
            "must hold numbers of at least 0, the rows' weights",
            entries.where,
            got=f"{'a missing value' if got is None else repr(got)} at "
            f"{entries.origin.row(int(wrong[0]))}",
        )
    return weights


def _are_different(entries: Entries) -> bool:
    _, names = entries.categories()
    return are_identifiers(len(names), entries.n_present)


def _are_identifiers(name: str, present: Array, n_rows: int) -> bool:
    """Return whether a column holds identifiers: whole, nearly all distinct, with such a name."""
    if n_rows < MANY or not IDENTIFIER.fullmatch(name.strip()):
        return False
    is_whole = bool((present == np.rint(present)).all())
    return is_whole and are_identifiers(len(np.unique(present)), len(present))


def notation_from_dict(found: Any) -> Notation:
    """Return the notation that a file describes.

    Raises
    ------
    InvalidDataError
        If `found` does not describe a notation.
    """
    types: dict[str, type] = {each.name: type(each.default) for each in fields(Notation)}
    parts = parts_of(found, "a notation", types)
    allowed = {
        "decimal": {decimal for decimal, _ in MARKS},
        "thousands": {thousands for _, thousands in MARKS},
        "scale": {"", "clock", *SCALES},
    }
    for name, values in allowed.items():
        if parts[name] not in values:
            rule = f"must be one of {sorted(values)}"
            raise InvalidDataError(rule, name, "a notation", got=repr(parts[name]))
    return Notation(**parts)
