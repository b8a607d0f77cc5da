"""Date: a column of dates, as elapsed time and phases of the day, week, month and year."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound
from multilayer.data.dates import iso_texts
from multilayer.data.entries import Entries, cleaned
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError
from multilayer.model.column import NOTHING, Embedded, Found, NothingToLearn, parts_of
from multilayer.model.scaled import Scaled, center_and_scale, scaled_parts

__all__ = ["CYCLES", "Date"]

Array = npt.NDArray[Any]

ISO = DateFormat()
YEAR = 365.2425 * 86400.0
CYCLES = {"day": 86400.0, "week": 604800.0, "month": YEAR / 12, "year": YEAR}
"""Periods in seconds; months and years have their mean length in the calendar."""
PIECES = {"day": 24, "week": 7, "month": 30, "year": 24}
"""The pieces of each cycle's piecewise linear function: hours, days, days and half months."""


@dataclass(frozen=True)
class Date(Scaled):
    """A column of dates: elapsed time, and the phases of the day, the week, the month and the year.

    The time t, in seconds since the start of 1970, is scaled as in `Scaled`. Each cycle of P
    seconds that the training dates cover at least twice adds two inputs:

        sin(2π t/P),    cos(2π t/P)

    For a network with embeddings, each such cycle instead adds one input: the position in the
    cycle, counted in equal pieces, such as the 24 hours of a day.

    A missing date becomes zeros, with a last input of 1. Dates with a time zone are in UTC; others
    are in local time.

    Parameters
    ----------
    name, median, scale, has_missing
        See `Scaled`; in seconds since 1970.
    cycles : tuple of {"day", "week", "month", "year"}
        The cycles whose phases are inputs.
    format : DateFormat
        How dates are written, if they come as text.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> days = read_table({"day": ["2024-01-01", "2024-01-16", "2024-01-31"]})["day"]
    >>> day = Date.of(days).column
    >>> day.input_names
    ('day', 'day, week sin', 'day, week cos')
    >>> day.encode(days, [])[:, 0].round(2)
    array([-0.95,  0.  ,  0.95], dtype=float32)
    """

    kind: ClassVar[str] = "date"
    options: ClassVar[Mapping[str, dict[str, str]]] = {
        "day first": {"date_order": "day first"},
        "month first": {"date_order": "month first"},
    }

    cycles: tuple[str, ...] = ()
    format: DateFormat = ISO

    @classmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        found = entries.find_date_format(said.get("date_order"), is_asked=is_asked)
        if found is None:
            if not is_asked:
                return Found()
            found = DateFormatFound(ISO)  # reading raises an error that names the entry
        if found.format is None:
            raise NothingToLearn(found.why, is_open=True)
        strays: list[Note] = []
        seconds = entries.dates(found.format, strays)
        notes = [note._replace(otherwise="categorical") for note in strays]
        if found.doubt:
            notes.append(Note(entries.column, entries.origin.table, found.doubt))
        present = seconds[~np.isnan(seconds)]
        scaling = center_and_scale(present)
        cycles = tuple(name for name, period in CYCLES.items() if _runs_through(present, period))
        form = replace(found.format, missing=found.others)
        column = cls(entries.column, *scaling, len(present) < len(seconds), cycles, form)
        return Found(column, notes, {"date_order": found.shows} if found.shows else {})

    @property
    def way(self) -> str:
        return f"{self.kind}: {self.format.order}" if self.format.order else self.kind

    @property
    def reads(self) -> str:
        return str(self.format)

    def shown(self, value: float) -> str:
        return str(np.datetime64(round(value), "s").astype("datetime64[D]"))

    def values(self, entries: Entries, notes: list[Note]) -> Array:
        return entries.dates(self.format, notes)

    def _value(self, entry: str | float) -> float | None:
        if not isinstance(entry, str):
            return None
        text = cleaned(entry)
        if not text:
            return math.nan
        seconds, others = self.format.dates([text])
        return None if others else float(seconds[0])

    @property
    def embeddings(self) -> tuple[Embedded, ...]:
        of_cycles = enumerate((PIECES[cycle] for cycle in self.cycles if self.knots), start=1)
        return (*super().embeddings, *(Embedded(i, m, is_number=True) for i, m in of_cycles))

    def _other_names(self) -> tuple[str, ...]:
        if self.knots:
            return tuple(f"{self.name}, {cycle}" for cycle in self.cycles)
        return tuple(f"{self.name}, {cycle} {f}" for cycle in self.cycles for f in ("sin", "cos"))

    def _fill_others(self, values: Array, is_missing: Array, out: Array) -> None:
        for i, cycle in enumerate(self.cycles):
            period = CYCLES[cycle]
            place = np.where(is_missing, 0.0, values) % period
            if self.knots:
                out[:, i] = place * (PIECES[cycle] / period)
                continue
            phase = place * (2 * np.pi / period)
            out[:, 2 * i] = np.where(is_missing, 0.0, np.sin(phase))
            out[:, 2 * i + 1] = np.where(is_missing, 0.0, np.cos(phase))

    def __str__(self) -> str:
        parts = [f"date, median {iso_texts(np.array([np.rint(self.median)]))[0]}"]
        parts += [f"phase in the {', the '.join(self.cycles)}"] if self.cycles else []
        parts += [str(self.format)] if str(self.format) else []
        return "; ".join([*parts, "missing values"] if self.has_missing else parts)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        parts = scaled_parts(found, "a date column", {"cycles": tuple, "format": dict})
        if not set(parts["cycles"]) <= CYCLES.keys():
            rule = f"must be among {', '.join(CYCLES)}"
            raise InvalidDataError(rule, "cycles", "a date column", got=parts["cycles"])
        kinds: dict[str, type] = {each.name: type(each.default) for each in fields(DateFormat)}
        form = parts_of(parts["format"], "the format of dates", kinds)
        if form["order"] not in ("", *cls.options):
            rule = f"must be one of {', '.join(cls.options)} or empty"
            raise InvalidDataError(rule, "order", "the format of dates")
        return cls(**parts | {"format": DateFormat(**form)})


def _runs_through(seconds: Array, period: float) -> bool:
    """Return whether times cover a period at least twice, with more than one phase."""
    if np.ptp(seconds) < 2 * period:
        return False
    return bool(np.ptp(seconds % period) > 0)
