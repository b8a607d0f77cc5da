"""Date: a column of dates, as elapsed time and the phases of the day, the week and the year."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat
from multilayer.data.dates import iso_texts
from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError
from multilayer.model.column import Column, NothingToLearn, Reading, missing_notes, parts_of
from multilayer.model.numeric import bent, center_and_scale

__all__ = ["CYCLES", "Date"]

Array = npt.NDArray[Any]

ISO = DateFormat()
CYCLES = {"day": 86400.0, "week": 604800.0, "year": 365.2425 * 86400.0}
"""What recurs, and after how many seconds; the year is the mean one of the calendar."""


@dataclass(frozen=True)
class Date(Column):
    """A column of dates: how much time has passed, and where in the day, the week and the year.

    A moment of t seconds since the beginning of 1970 becomes the scaled and bent number of
    `Numeric`, and of each cycle of P seconds that the training dates run through twice at least

        sin(2π t/P),    cos(2π t/P)

    A missing date has zeros, and an input that says so. Dates with a time zone are in UTC; others
    are what a clock on the wall shows.

    Parameters
    ----------
    name : str
    median, scale : float
        Of the training dates, in seconds since 1970: the median and the distance of the quartiles.
    cycles : tuple of {"day", "week", "year"}
        Those whose phases are inputs.
    has_missing : bool
        Whether training dates were missing, and so a last input: 1 where one is.
    format : DateFormat
        How dates are written, where they come as text.

    Examples
    --------
    >>> from multilayer.data import read_table
    >>> days = read_table({"day": ["2024-01-01", "2024-01-16", "2024-01-31"]})["day"]
    >>> day = Date.of(days, Reading())
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

    name: str
    median: float
    scale: float
    cycles: tuple[str, ...] = ()
    has_missing: bool = False
    format: DateFormat = ISO

    @classmethod
    def of(cls, entries: Entries, reading: Reading) -> Self | None:
        found = entries.find_date_format(reading.date_order, is_asked=reading.is_asked)
        if found is None and not reading.is_asked:
            return None
        if found is not None and found.format is None:
            reading.is_open = True
            raise NothingToLearn(found.why)
        form = ISO  # which says what is wrong where there are no dates
        if found is not None and found.format is not None:
            reading.shows |= {"date_order": found.shows} if found.shows else {}
            form = found.format
        strays: list[Note] = []
        # What is no date is noted: the format, which knows it, would pass over it.
        seconds = entries.dates(replace(form, missing=()), strays)
        reading.notes += [note._replace(otherwise="categorical") for note in strays]
        present = seconds[~np.isnan(seconds)]
        cycles = tuple(name for name, period in CYCLES.items() if _runs_through(present, period))
        center, scale = center_and_scale(present)
        return cls(entries.column, center, scale, cycles, len(present) < len(seconds), form)

    @property
    def input_names(self) -> tuple[str, ...]:
        phases = (f"{self.name}, {cycle} {f}" for cycle in self.cycles for f in ("sin", "cos"))
        names = (self.name, *phases)
        return (*names, f"{self.name} is missing") if self.has_missing else names

    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        strays: list[Note] = []
        seconds = entries.dates(self.format, strays)
        is_missing = np.isnan(seconds)
        notes += strays if strays or self.has_missing else missing_notes(entries, is_missing)
        inputs = np.zeros((len(seconds), len(self.input_names)), np.float32)
        bent(seconds, self.median, self.scale, out=inputs[:, 0])
        for i, cycle in enumerate(self.cycles):
            period = CYCLES[cycle]
            phase = np.where(is_missing, 0.0, seconds) % period * (2 * np.pi / period)
            inputs[:, 2 * i + 1] = np.where(is_missing, 0.0, np.sin(phase))
            inputs[:, 2 * i + 2] = np.where(is_missing, 0.0, np.cos(phase))
        if self.has_missing:
            inputs[:, -1] = is_missing
        return inputs

    def __str__(self) -> str:
        parts = [f"date, median {iso_texts(np.array([np.rint(self.median)]))[0]}"]
        parts += [f"phase in the {', the '.join(self.cycles)}"] if self.cycles else []
        parts += [str(self.format)] if str(self.format) else []
        return "; ".join([*parts, "missing entries"] if self.has_missing else parts)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        types = {"name": str, "median": float, "scale": float, "cycles": list, "has_missing": bool}
        parts = parts_of(found, "a date column", types | {"format": dict})
        if parts["scale"] < 0:
            msg = f"scale of a column must be at least 0; got {parts['scale']:g}"
            raise InvalidDataError(msg)
        if not set(parts["cycles"]) <= CYCLES.keys():
            msg = f"cycles of a date column must be of {', '.join(CYCLES)}; got {parts['cycles']}"
            raise InvalidDataError(msg)
        kinds: dict[str, type] = {each.name: type(each.default) for each in fields(DateFormat)}
        form = parts_of(parts["format"], "the format of dates", kinds | {"missing": list})
        if form["order"] not in ("", *cls.options):
            msg = f"order of the format of dates must be one of {', '.join(cls.options)} or empty"
            raise InvalidDataError(msg)
        return cls(**parts | {"format": DateFormat(**form)})


def _runs_through(seconds: Array, period: float) -> bool:
    """Return whether moments run through a period twice at least, and not at one of its phases."""
    if np.ptp(seconds) < 2 * period:
        return False
    return bool(np.ptp(seconds % period) > 0)
