"""Dates: days and times in the forms in which people write them, read as seconds.

``2024-01-05``, ``5.1.2024``, ``01/05/24 3:30 pm``, ``Jan 5, 2024``, ``2024-01-05T10:00:00+02:00``,
``Dec-2015``, ``01/2024``, ``2024Q1``, ``2024-W05``, ``20240105``. A date becomes a number of
seconds since the beginning of 1970: in UTC if it has a time zone, otherwise in local time.
"""

import datetime
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["PIVOT", "Moment", "compact_dates", "iso_seconds", "iso_texts", "moment"]

Array = npt.NDArray[Any]

DAY = 86400.0
ORDINAL_OF_1970 = datetime.date(1970, 1, 1).toordinal()
PIVOT = 69
"""Two-digit years from this one on are in the 1900s, others in the 2000s, as in POSIX."""
COMPACT = len("20240105")
LEAST_COMPACT = 10
"""How many distinct numbers such as 20240105 a column must have to hold dates."""

NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
MONTHS = {name[:n]: i for i, name in enumerate(NAMES, 1) for n in (3, len(name))} | {"sept": 9}
MONTH = rf"(?P<name>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?"
DAY_OF_MONTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
CLOCK = (
    r"(?:(?:T|:|,?\s+)(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:\.\d+)?))?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?"
)
FORMS = [
    re.compile(WEEKDAY + form, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + CLOCK,
        r"(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4})" + CLOCK,
        r"(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<short>\d\d)" + CLOCK,
        DAY_OF_MONTH + rf"[-\s./]*{MONTH},?[-\s./]*(?P<year>\d{{4}}|\d\d)" + CLOCK,
        MONTH + r"\s+" + DAY_OF_MONTH + r",?\s+(?P<year>\d{4})" + CLOCK,
        MONTH + r"\s+" + DAY_OF_MONTH + CLOCK + r"\s+(?P<year>\d{4})",
        MONTH + r"(?:[-\s/](?P<year>\d{4})|(?:[-/]|\s')(?P<short>\d\d))",  # Jan 05 is a day
        r"(?P<year>\d{4})[-\s/]" + MONTH,
        r"(?P<year>(?:1[5-9]|20|21)\d\d)(?:[-/]|-?M)(?P<month>\d\d)",
        r"(?P<month>\d{1,2})[-/](?P<year>(?:1[5-9]|20|21)\d\d)",
        r"(?P<year>\d{4})[-\s/]?Q(?P<quarter>[1-4])",
        r"(?:Q(?P<quarter>[1-4])|(?P<fourth>[1-4])Q)[-\s/]?(?P<year>\d{4})",
        r"(?P<year>\d{4})-?W(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)/\d{4}-\d\d-\d\d",  # a week, by its ends
        r"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)"
        r"(?:\.0+|T(?P<hour>\d\d)(?P<minute>[0-5]\d)(?P<second>[0-5]\d)(?P<zone>Z)?)?",
    )
]  # fmt: skip
ISO = re.compile(r"(?!0000)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?")
"""A date that NumPy can parse: it parses many at once, which is fast."""


class Moment(NamedTuple):
    """The parts of a date."""

    year: int
    month: int
    day: int
    is_open: bool = False
    """Whether ``day``, the number that comes first, may be the month, as in ``5/1/2024``."""
    seconds: float = 0.0
    """Since the beginning of the day."""
    offset: float | None = None
    """The time zone's offset in seconds east of Greenwich; None if there is no time zone."""
    is_compact: bool = False
    """Whether the date is written in digits alone, like a number: ``20240105``."""
    has_short_year: bool = False
    """Whether the year has two digits and so might be a day: ``24-01-15``, ``Jan-15``."""

    def since_1970(self, *, month_first: bool = False) -> float | None:
        """Return the seconds since the beginning of 1970, or None if the day does not exist."""
        month, day = (self.day, self.month) if month_first and self.is_open else self[1:3]
        try:
            ordinal = datetime.date(self.year, month, day).toordinal()
        except ValueError:
            return None
        seconds = (ordinal - ORDINAL_OF_1970) * DAY + self.seconds - (self.offset or 0.0)
        return round(seconds, 6)  # to the microsecond, as NumPy does it in `iso_seconds`


def moment(text: str) -> Moment | None:
    """Return the parts of a date, or None if the text is not a date.

    Examples
    --------
    >>> moment("Jan 5, 2024 3:30 pm")[:3], moment("Jan 5, 2024 3:30 pm").seconds
    ((2024, 1, 5), 55800.0)
    >>> moment("5/1/24").since_1970() == moment("2024-01-05").since_1970()
    True
    """
    for form in FORMS:
        if found := form.fullmatch(text):
            break
    else:
        return None
    part = found.groupdict()
    digits = part.get("year") or part["short"]
    year = int(digits)
    if len(digits) == 2:
        year += 1900 if year >= PIVOT else 2000
    if part.get("week"):
        try:
            weekday = int(part["weekday"] or 1)
            first = datetime.date.fromisocalendar(year, int(part["week"]), weekday)
        except ValueError:
            return None
        return Moment(first.year, first.month, first.day)
    is_open = "a" in part and part["mark"] != "."  # in 5.1.2024, the day comes first
    day, month = int(part.get("day") or part.get("a") or 1), part.get("month") or part.get("b")
    if quarter := part.get("quarter") or part.get("fourth"):
        month = 3 * int(quarter) - 2
    elif part.get("name"):
        month = MONTHS[part["name"].lower()]
    seconds, offset = _clock(part)
    is_compact = len(digits := text.partition(".")[0]) == COMPACT and digits.isdigit()
    is_short = part.get("short") is not None
    return Moment(year, int(month or 1), day, is_open, seconds, offset, is_compact, is_short)


def _clock(part: dict[str, Any]) -> tuple[float, float | None]:
    """Return the seconds of the day, and the time zone's offset if there is one."""
    if not part.get("hour"):
        return 0.0, None
    hour, half = int(part["hour"]), part.get("half")
    if half:
        hour = hour % 12 + 12 * (half.lower() == "p")
    seconds = 3600.0 * hour + 60.0 * int(part["minute"]) + float(part["second"] or 0)
    zone = part.get("zone")
    if not zone:
        return seconds, None
    if zone[0] not in "+-":
        return seconds, 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = 3600.0 * int(digits[:2]) + 60.0 * int(digits[2:])
    return seconds, -offset if zone[0] == "-" else offset


def iso_seconds(texts: Sequence[str]) -> Array | None:
    """Return seconds since 1970 if all texts are ISO dates without a time zone, else None."""
    if not all(map(ISO.fullmatch, texts)):
        return None
    try:
        moments = np.array(texts, dtype="datetime64[us]")
    except ValueError:  # the 30th of February
        return None
    return moments.astype(np.int64) / 1e6


def iso_texts(seconds: Array) -> list[str]:
    """Return times as text in ISO form, each as short as possible.

    Examples
    --------
    >>> iso_texts(np.array([0.0, 86460.0, 0.5]))
    ['1970-01-01', '1970-01-02 00:01:00', '1970-01-01 00:00:00.500000']
    """
    moments = np.rint(seconds * 1e6).astype("datetime64[us]")
    texts = np.datetime_as_string(moments, unit="us").tolist()
    short = (text.removesuffix(".000000").removesuffix("T00:00:00") for text in texts)
    return [text.replace("T", " ") for text in short]


def compact_dates(numbers: Array) -> Array:
    """Return numbers such as 20240105 as seconds since 1970, NaN for numbers that are not dates.

    Examples
    --------
    >>> compact_dates(np.array([20240105.0, np.nan, 20241505.0]))
    array([1.7044128e+09,           nan,           nan])
    """
    seconds = np.full(len(numbers), np.nan)
    is_date = (numbers >= 19000101) & (numbers <= 21001231) & (numbers == np.rint(numbers))
    whole = np.where(is_date, numbers, 0).astype(np.int64)
    years, months, days = whole // 10000, whole // 100 % 100, whole % 100
    is_date &= (months >= 1) & (months <= 12) & (days >= 1)
    first = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (months - 1)
    moments = first.astype("datetime64[D]") + (days - 1)
    is_date &= moments.astype("datetime64[M]") == first
    seconds[is_date] = moments[is_date].astype(np.int64) * DAY
    return seconds
