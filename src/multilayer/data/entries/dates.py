"""DateEntries: a column of dates."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound
from multilayer.data.dates import iso_texts, moment
from multilayer.data.entries.base import Entries, Origin
from multilayer.data.notes import Note

__all__ = ["DateEntries"]

Array = npt.NDArray[Any]


class DateEntries(Entries):
    """Dates, with or without a time of day, as seconds since the beginning of 1970.

    Parameters
    ----------
    seconds : array of float64, of shape (n_rows,)
        The dates; NaN for missing values.
    has_zone : bool
        Whether the dates are in UTC; otherwise they are in local time.
    """

    what = "dates"

    def __init__(self, column: str, origin: Origin, seconds: Array, has_zone: bool) -> None:
        super().__init__(column, origin)
        self.seconds, self.has_zone = seconds, has_zone

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def n_present(self) -> int:
        return len(self) - int(np.count_nonzero(np.isnan(self.seconds)))

    @property
    def is_constant(self) -> bool:
        present = self.seconds[~np.isnan(self.seconds)]
        return not len(present) or bool((present == present[0]).all())

    def take(self, rows: Array, origin: Origin) -> Self:
        return type(self)(self.column, origin, self.seconds[rows], self.has_zone)

    def without(self, missing: Sequence[str]) -> Self:
        moments = [found.since_1970() for text in missing if (found := moment(text)) is not None]
        is_missing = np.isin(self.seconds, np.array(moments, dtype=np.float64))  # None becomes NaN
        if not is_missing.any():
            return self
        seconds = np.where(is_missing, np.nan, self.seconds)
        return type(self)(self.column, self.origin, seconds, self.has_zone)

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound:
        return DateFormatFound(DateFormat(has_zone=self.has_zone))

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        if self.has_zone != form.has_zone and self.n_present:
            zones = {True: "dates with a time zone", False: "dates without a time zone"}
            raise self._mismatch(f"{zones[form.has_zone]}, as in training", zones[self.has_zone])
        return self.seconds

    def categories(self) -> tuple[Array, list[str]]:
        is_present = ~np.isnan(self.seconds)
        values, places = np.unique(self.seconds[is_present], return_inverse=True)
        codes = np.full(len(self), -1, np.int32)
        codes[is_present] = places
        texts = iso_texts(values)
        if self.has_zone:  # in the form of Python's datetime
            texts = [text if " " in text else f"{text} 00:00:00" for text in texts]
            texts = [f"{text}+00:00" for text in texts]
        return codes, texts
