"""Categorical: a column of categories, with one input per category."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data import Tally
from multilayer.data.dates import moment
from multilayer.data.entries import Entries, category, cleaned
from multilayer.data.notes import Note
from multilayer.data.numerals import clock, plain
from multilayer.data.row import Entry
from multilayer.errors import InvalidDataError
from multilayer.model.column import (
    NOTHING,
    Column,
    Embedded,
    Found,
    NothingToLearn,
    are_identifiers,
    missing_notes,
    parts_of,
)

__all__ = ["MOST_CATEGORIES", "Categorical"]

Array = npt.NDArray[Any]

MOST_CATEGORIES = 256
"""The most categories that are one-hot encoded; rarer ones are treated as unseen."""
MANY = 20
"""If training had rare categories, unknown ones get a note only in more than this and half of all
rows."""
FEWEST = 5
"""Embedded categories with fewer training rows than this share one vector with unseen ones, so that
this vector is trained and rare categories are not memorized."""
MOST_ONE_HOT = 2
"""A column with at most this many categories, counting missing values as one, is never embedded."""
WHOLE = re.compile(r"\+?(-?)0*(\d+)(?:\.0*)?")
"""A whole number in any usual spelling: ``7``, ``+7``, ``007``, ``7.0``."""
WITH_POINT = re.compile(r"[+-]?\d+\.0+")


@dataclass(frozen=True)
class Categorical(Column):
    """A column of one-hot encoded categories: each has an input that is 1 in its rows, otherwise 0.

    A category that was not seen in training, or was too rare to be kept, has only zeros.

    Equal values of different types are the same category if that is unambiguous: 7, 7.0, ``"7.0"``
    and ``"07"``; a time or date and its text; the boolean True and ``"True"``, ``"TRUE"``, or 1
    unless both are categories. Other text is case-sensitive: ``"Yes"`` is not ``"yes"``.

    Parameters
    ----------
    name : str
    categories : tuple of str
        The categories in training, sorted; if one-hot encoded, only the 256 most frequent.
    has_missing : bool
        Whether training values were missing; if so, a last input is 1 in rows with a missing value.
    has_rare : bool
        Whether there were rarer categories, which were not kept.
    is_embedded : bool
        Whether the network turns categories into learned vectors. The only input is then the
        category's position, counted from 1; the next number for a missing value, if there were any
        in training; and 0 for anything else.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> jobs = read_table({"job": ["cook", "baker", "cook", None]})["job"]
    >>> job = Categorical.of(jobs).column
    >>> job.input_names
    ('job = baker', 'job = cook', 'job is missing')
    >>> job.encode(read_table({"job": ["cook", None, "smith"]})["job"], [])
    array([ 1,  2, -1], dtype=int32)
    """

    kind: ClassVar[str] = "categorical"

    name: str
    categories: tuple[str, ...]
    has_missing: bool = False
    has_rare: bool = False
    is_embedded: bool = False

    @classmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        codes, names = _merged(*entries.categories())
        counts = np.bincount(codes + 1, minlength=len(names) + 1)[1:]
        n_present = int(counts.sum())
        if not n_present:
            why = "no entries"
            raise NothingToLearn(why)
        found = Found(cls(entries.column, tuple(sorted(names)), n_present < len(codes)))
        if are_identifiers(len(names), n_present) and not is_asked:
            why = "identifiers"
            raise NothingToLearn(why, otherwise=found)
        return found

    def of_all(self, tally: Tally) -> Self:
        has_missing = self.has_missing or tally.n_present < len(tally)
        counted = tally.counted()  # if None, the sample's categories are the best estimate
        _, names = _merged(np.empty(0, np.int32), counted[0] if counted else self.categories)
        categories, has_rare = tuple(sorted(names)), tally.n_missed > 0
        return replace(self, categories=categories, has_missing=has_missing, has_rare=has_rare)

    def limited(self, notes: list[Note], entries: Entries, tally: Tally | None = None) -> Self:
        if len(self.categories) <= MOST_CATEGORIES:
            return self
        counts = self._counts(entries, tally)
        order = sorted(range(len(counts)), key=lambda i: (-counts[i], self.categories[i]))
        kept = tuple(self.categories[i] for i in sorted(order[:MOST_CATEGORIES]))
        most = MOST_CATEGORIES
        says = f"has more than {most} categories; only the {most} most frequent are kept"
        notes.append(Note(entries.column, entries.origin.table, says))
        return replace(self, categories=kept, has_rare=True)

    def embedded(self, entries: Entries, tally: Tally | None = None) -> Self:
        if len(self.categories) + self.has_missing <= MOST_ONE_HOT:
            return self
        counts = self._counts(entries, tally)
        fewest = min(FEWEST, counts.max())  # at least the most frequent one is kept
        kept = tuple(c for c, n in zip(self.categories, counts, strict=True) if n >= fewest)
        has_rare = self.has_rare or len(kept) < len(self.categories)
        return replace(self, categories=kept, has_rare=has_rare, is_embedded=True)

    @property
    def embeddings(self) -> tuple[Embedded, ...]:
        size = 1 + len(self.categories) + self.has_missing
        return (Embedded(0, size, is_number=False),) if self.is_embedded else ()

    def _counts(self, entries: Entries, tally: Tally | None) -> Array:
        """Return the number of entries of each category, in all rows if these were counted."""
        counted = None if tally is None else tally.counted()
        names, counts = counted or entries.counted()
        places = self.places(names)
        is_known = places >= 0
        found = np.zeros(len(self.categories), np.int64)
        np.add.at(found, places[is_known], counts[is_known])
        return found

    @property
    def input_names(self) -> tuple[str, ...]:
        if self.is_embedded:
            return (self.name,)
        names = tuple(f"{self.name} = {category}" for category in self.categories)
        return (*names, f"{self.name} is missing") if self.has_missing else names

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        codes, names = entries.categories()
        places = self.places(names)
        unknown = np.flatnonzero(places < 0)
        rows = np.flatnonzero(np.isin(codes, unknown)) if len(unknown) else unknown
        # Rare categories are expected; they are worth a note only if most rows have them.
        if len(rows) > (max(MANY, len(codes) / 2) if self.has_rare else 0):
            which = "rare or not seen in training" if self.has_rare else "not seen in training"
            says = (
                f"has categories {which}, such as {names[codes[rows[0]]]!r} at "
                f"{entries.origin.row(int(rows[0]))}; known ones include {self.categories[0]!r}"
            )
            notes.append(Note(self.name, entries.origin.table, says))
        if not self.has_missing:
            notes += missing_notes(entries, codes < 0)
        missing = len(self.categories) if self.has_missing else -1
        found = np.append(places, np.int32(missing))[codes]  # code −1 picks the last
        return (found + 1).astype(np.float32)[:, np.newaxis] if self.is_embedded else found

    def encode_entry(self, entry: Entry, out: Array) -> bool:
        if isinstance(entry, str):
            name = cleaned(entry)
        else:
            name = "" if entry is None else category(entry)
        place = self._known.get(name) if name else len(self.categories)
        if place is None or not (name or self.has_missing):
            return False
        if self.is_embedded:
            out[0] = place + 1
        else:
            out[place] = 1
        return True

    def __str__(self) -> str:
        shown = ", ".join(self.categories[:3]) + ", …" * (len(self.categories) > 3)
        n = len(self.categories)
        parts = [f"{n:,} categor{'y' if n == 1 else 'ies'}: {shown}"]
        parts += ["rarer ones"] if self.has_rare else []
        parts += ["missing values"] if self.has_missing else []
        return "; ".join(parts)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        types = {
            "name": str,
            "categories": tuple,
            "has_missing": bool,
            "has_rare": bool,
            "is_embedded": bool,
        }
        found = {"is_embedded": False} | found  # older files lack it
        parts = parts_of(found, "a categorical column", types)
        if not parts["categories"] or len(set(parts["categories"])) < len(parts["categories"]):
            raise InvalidDataError("must be one or more distinct texts", "categories", "a column")
        return cls(**parts)

    def places(self, names: Sequence[str]) -> Array:
        """Return each name's position among the categories; −1 if it is unknown."""
        places = [self._known.get(name, -1) for name in names]
        if -1 in places:
            for i, name in enumerate(names):
                if places[i] < 0:
                    places[i] = self._alike.get(self._meaning(name), -1)
        return np.array(places, np.int32)

    @cached_property
    def _known(self) -> dict[str, int]:
        return {category: place for place, category in enumerate(self.categories)}

    @cached_property
    def _kinds(self) -> list[Callable[[str], str | None]]:
        """The parsers of values with several spellings that match at least one category."""
        return [_boolean, *(kind for kind in KINDS if any(map(kind, self.categories)))]

    def _meaning(self, name: str) -> str:
        """Return a form common to all spellings of a value; the name itself if it has only one."""
        return next((found for kind in self._kinds if (found := kind(name)) is not None), name)

    @cached_property
    def _alike(self) -> dict[str, int]:
        """The position of each meaning; −1 if several categories share it."""
        alike: dict[str, int] = {}
        for place, meaning in enumerate(map(self._meaning, self.categories)):
            alike[meaning] = -1 if meaning in alike else place
        for word, number in (("true", "1"), ("false", "0")):
            of_word, of_number = alike.get(word, -1), alike.get(number, -1)
            alike.setdefault(word, of_number)
            alike.setdefault(number, of_word)
        return alike


def _whole(name: str) -> str | None:
    found = WHOLE.fullmatch(name)
    return None if found is None else (found[1] + found[2] if found[2] != "0" else "0")


def _boolean(name: str) -> str | None:
    return name.lower() if name.lower() in ("true", "false") else None


def _number(name: str) -> str | None:
    return category(float(name)) if plain(name) else None


def _time(name: str) -> str | None:
    seconds = clock(name)
    return None if seconds is None else f"{seconds} s"


def _moment(name: str) -> str | None:
    found = moment(name)
    if found is None or found.is_open or (seconds := found.since_1970()) is None:
        return None
    return f"{seconds} s {'after' if found.offset is None else 'in UTC after'} 1970"


KINDS = (_whole, _number, _time, _moment)


def _merged(codes: Array, names: Sequence[str]) -> tuple[Array, Sequence[str]]:
    """Merge whole numbers with and without a decimal point, as in concatenated files."""
    whole = [name.partition(".")[0] if WITH_POINT.fullmatch(name) else name for name in names]
    different = list(dict.fromkeys(whole))
    if len(different) == len(names):
        return codes, names if different == list(names) else different
    places = {name: place for place, name in enumerate(different)}
    new = np.array([places[name] for name in whole] + [-1], np.int32)  # code −1 picks the last
    return new[codes], different
