"""DateFormat: how the dates of a column are written, decided once from all its texts."""

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.dates import LEAST_COMPACT, PIVOT, Moment, iso_seconds, moment
from multilayer.data.evidence import are_few, probe
from multilayer.data.numerals import is_missing_mark

__all__ = ["DateFormat", "DateFormatFound", "find_date_format"]

Array = npt.NDArray[Any]

ORDER = "dates in which it is unclear whether day or month comes first: 'date: day first' decides"
ORDERS = "dates that mix day-first and month-first order"
YEARS = "dates in which it is unclear whether the year comes first or last"
ZONES = "dates with a time zone and dates without one"
YEARS_OR_DAYS = f"{YEARS}: 'date: day first' decides"
LIKE_ISO = re.compile(r"\d\d-(?:0[1-9]|1[0-2])-\d\d(?!\d)")
"""A date whose first part may be the year: 20-02-17."""
VERSION = re.compile(r"\d\.\d{1,2}\.\d\d|\d\d\.\d\.\d\d")
LAST_MONTH, LAST_DAY, TO_COME = 12, 31, 30
"""The largest month and day; two-digit years from `TO_COME` on would be in the future."""
FAR = 10
"""A two-digit year is in doubt if it is read as a year more than this many years ahead."""


@dataclass(frozen=True)
class DateFormat:
    """How the dates of a column are written.

    Parameters
    ----------
    order : {"", "day first", "month first"}
        How to read ``5/1/2024``; empty if no date is written like that.
    has_zone : bool
        Whether dates have a time zone; they are then converted to UTC.
    missing : tuple of str
        Texts in the training data that are not dates and are treated as missing values. Known marks
        of missing values, such as ``NA`` and ``?``, are always missing.

    Examples
    --------
    >>> seconds, others = DateFormat("day first").dates(["2/1/1970", "?", "soon"])
    >>> seconds, others
    (array([86400.,    nan,    nan]), [2])
    """

    order: str = ""
    has_zone: bool = False
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Describe what is unusual about the format."""
        parts = {
            self.order: self.order,
            "UTC": self.has_zone,
            f"missing where {', '.join(self.missing[:3])}": self.missing,
        }
        return ", ".join(part for part, is_so in parts.items() if is_so)

    def dates(self, texts: Sequence[str]) -> tuple[Array, list[int]]:
        """Return seconds since 1970, NaN if missing; and the indices of texts that do not fit."""
        if not self.has_zone and (quick := iso_seconds(texts)) is not None:
            return quick, []
        found = [self._seconds(text) for text in texts]
        others = [i for i, seconds in enumerate(found) if seconds is None]
        return np.array(found, dtype=np.float64), others  # None becomes NaN

    def _seconds(self, text: str) -> float | None:
        if text in self.missing or is_missing_mark(text):
            return math.nan
        found = moment(text)
        if found is None or (found.offset is not None) != self.has_zone:
            return None
        if found.is_open and found.day != found.month and not self.order:
            return None
        return found.since_1970(month_first=self.order == "month first")


class DateFormatFound(NamedTuple):
    """The result of `find_date_format`."""

    format: DateFormat | None
    """None if there are dates, but it is unclear how to read them."""
    others: tuple[str, ...] = ()
    """Texts that are neither dates nor known marks of missing values."""
    shows: str = ""
    """The order of day and month, if the texts leave no doubt about it."""
    why: str = ""
    """What is unclear, if `format` is None."""
    doubt: str = ""
    """A note on dates that may have been read wrongly."""


def find_date_format(
    texts: Sequence[str], counts: Array, order: str | None = None, *, is_asked: bool = False
) -> DateFormatFound | None:
    """Return how the dates of a column are written, or None if it does not hold dates.

    A column holds dates if its texts are dates, apart from marks of missing values and from other
    texts in at most 2 % of its entries. If the first or second number of dates such as ``5/1/2024``
    exceeds 12 in some text, the other number is the month in all texts.

    Parameters
    ----------
    texts : sequence of str
        The column's distinct texts, without surrounding blanks.
    counts : array of int
        How often each occurs in the column.
    order : {"day first", "month first"}, optional
        The order to use if the texts leave it open.
    is_asked : bool
        Whether the user says that the column holds dates: then all dates are read, and other texts
        are missing values.

    Examples
    --------
    >>> once = np.ones(2, dtype=int)
    >>> find_date_format(["1/5/2024", "1/31/2024"], once).format
    DateFormat(order='month first', has_zone=False, missing=())
    >>> print(find_date_format(["1/5/2024", "2/5/2024"], once).format)
    None
    """
    if not is_asked and not probe(texts, moment):
        return None
    if iso_seconds(texts) is not None:
        return DateFormatFound(DateFormat())
    found = [moment(text) for text in texts]
    is_mark = [is_missing_mark(text) for text in texts]
    present = np.where(is_mark, 0, counts)
    if not is_asked and (why := _doubt_of_years(texts, found, order)) is not None:
        return DateFormatFound(None, why=why) if why else None
    n_compact = sum(m is not None and m.is_compact for m in found)
    if 0 < n_compact < LEAST_COMPACT and not is_asked:
        return None
    with_zone = [m is not None and m.offset is not None for m in found]
    has_zone = bool(2 * present[np.array(with_zone)].sum() > present.sum())
    strays = {
        way: tuple(
            i
            for i, m in enumerate(found)
            if not is_mark[i]
            and (
                m is None
                or (m.offset is not None) != has_zone
                or m.since_1970(month_first=way == "month first") is None
            )
        )
        for way in ("day first", "month first")
    }
    weight = {way: int(present[list(others)].sum()) for way, others in strays.items()}
    chosen = min(weight, key=lambda way: (weight[way], way != order))
    if not are_few(strays[chosen], present) and not is_asked:
        are_dates = are_few(
            [i for i, m in enumerate(found) if m is None and not is_mark[i]], present
        )
        is_mixed = 0 < present[np.array(with_zone)].sum() < present.sum()
        why = ZONES if is_mixed else ORDERS if len(set(strays.values())) > 1 else ""
        return DateFormatFound(None, why=why) if are_dates and why else None
    shows = chosen if len(set(weight.values())) > 1 else ""
    if any(m is not None and m.is_open and m.day != m.month for m in found):
        if not shows and order is None:
            return DateFormatFound(None, why=ORDER)
    else:
        chosen = shows = ""
    others = tuple(texts[i] for i in strays[chosen or "day first"])
    doubt = _doubt_of_centuries(texts, found)
    return DateFormatFound(DateFormat(chosen, has_zone), others, shows, doubt=doubt)


def _doubt_of_centuries(texts: Sequence[str], found: Sequence[Moment | None]) -> str:
    """Return a note on two-digit years read as years far ahead, as happens to years of birth."""
    last = datetime.date.today().year + FAR
    for text, m in zip(texts, found, strict=True):
        if m is not None and m.year > last and not re.search(r"\d{4}", text):
            years = f"{1900 + PIVOT} to {1999 + PIVOT}"
            return (
                f"has two-digit years, which are read as {years}: {text!r} is read as {m.year}; "
                "four-digit years would be unambiguous"
            )
    return ""


def _doubt_of_years(
    texts: Sequence[str], found: Sequence[Moment | None], order: str | None
) -> str | None:
    """Return why two-digit years are in doubt; None if they are not, "" if the texts are no dates.

    Days should vary a lot and years little, and years should not be in the future. A text such as
    3.11.10 is a version number.
    """
    short = [m for m in found if m is not None and m.has_short_year]
    years = {m.year % 100 for m in short}
    if not short or max(years) > LAST_DAY:
        return None
    if all(m.day == 1 and not m.is_open for m in short):  # Jan-05
        return "" if max(years) >= TO_COME else None
    first = {m.day for m in short}
    if max(first) <= LAST_MONTH and any(VERSION.fullmatch(text) for text in texts):
        return ""
    if len(first) <= 2 < len(years) and min(first) > LAST_MONTH:
        return YEARS
    may_be_years = LAST_MONTH < max(first) <= datetime.date.today().year % 100
    are_like_iso = may_be_years and order != "day first" and len(first) <= len(years)
    dates = [text for text, m in zip(texts, found, strict=True) if m is not None]
    return YEARS_OR_DAYS if are_like_iso and all(map(LIKE_ISO.match, dates)) else None
