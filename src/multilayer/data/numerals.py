"""Numerals: what people write where a number is meant, taken apart.

``1,200``, ``$35``, ``45%``, ``72 sqm``, ``3,5``, ``(12)``, ``1.2k``, ``2 years``, ``12:30``.
"""

import re
from functools import cache
from typing import NamedTuple

__all__ = [
    "MISSING_MARKS",
    "SCALES",
    "Numeral",
    "clock",
    "grammar",
    "is_currency",
    "is_missing_mark",
    "numeral",
    "plain",
]

MISSING_MARKS = frozenset((
    "na", "n/a", "n.a.", "n.a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "(null)", "none",
    "nil", "nat", "\\n", "missing", "unknown", "undefined", "(blank)", "nd", "n.d.", "n/d", "-",
    "--", "---", "–", "—", ".", "..", "...", "?", "??", "*", "#div/0!", "#value!", "#ref!",
    "#name?", "#num!", "#null!", "#nv", "#wert!", "#bezug!", "#zahl!", "0000-00-00",
))  # fmt: skip
"""What people and programs write where a number or a date is missing, in lower case."""

SCALES: dict[str, dict[str, float]] = {
    scale: {word: worth for words, worth in units.items() for word in words.split()}
    for scale, units in {
        "duration": {
            "s sec secs second seconds": 1.0,
            "min mins minute minutes": 60.0,
            "h hr hrs hour hours": 3600.0,
            "d day days": 86400.0,
            "w wk wks week weeks": 604800.0,
            "mo mos mth mths month months": 31556952.0 / 12,
            "y yr yrs year years": 31556952.0,
        },
        "bytes": {"b byte bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
        "mass": {
            "mg": 1e-3,
            "g": 1.0,
            "kg": 1e3,
            "t": 1e6,
            "oz": 28.349523125,
            "lb lbs": 453.59237,
        },
        "length": {
            "mm": 1e-3,
            "cm": 1e-2,
            "m": 1.0,
            "km": 1e3,
            "in": 0.0254,
            "ft": 0.3048,
            "yd": 0.9144,
            "mi": 1609.344,
        },
        "multiple": {"k thousand": 1e3, "m mn mio million": 1e6, "b bn billion": 1e9},
    }.items()
}
"""Units that stand side by side in a column, and what each is worth: in seconds, bytes, grams and
metres."""

ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),  # spaces that do not break
        **dict.fromkeys("\u2212\u2013\uff0d\ufe63", "-"),  # the minus of typesetters, dashes
        **dict.fromkeys("\u2019\u02bc", "'"),
    }
)
CURRENCIES = (
    r"[$€£¥₹₽₩₺฿₫₴₦₱¢]|(?:US|CA|A|C|HK|NZ|S|R)\$|Rs\.?|kr\.?|USD|EUR|GBP|CHF|JPY|INR|CNY|RMB|CAD"
    r"|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|RUB|TRY|KRW"
)
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
NUMERAL = re.compile(
    rf"""
    (?P<qualifier>[<>≤≥~≈]|<=|>=)?\s*
    (?P<open>\()?\s*
    (?P<sign>[+-])?\s*
    (?:(?P<before>{CURRENCIES})\s*)?
    (?P<inner>[+-])?
    (?P<body>\d+(?:[.,'_\ ]\d+)*[.,]?|[.,]\d+)
    (?P<exponent>[eE][+-]?\d+)?\s*
    (?P<after>\+|/-|/\ ?\d+|[^\s\d.,()'_+:/-][^\s\d()]*(?:\ [^\s\d()]+)*[23]?)?\s*
    (?P<behind>-)?
    (?P<close>\))?
    """,
    re.VERBOSE,
)
NOTHING = re.compile(rf"(?:{CURRENCIES})?\s*-+", re.IGNORECASE)
"""A dash where an accountant has no number: ``$ -``."""
CLOCK = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d+)\s*days?,?\s+)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?\s*(?:(?P<half>[ap])\.?m\.?)?",
    re.IGNORECASE,
)


class Numeral(NamedTuple):
    """The parts of a numeral."""

    body: str
    """Digits with the marks between them."""
    exponent: str = ""
    unit: str = ""
    """What stands before or behind, in lower case."""
    is_negative: bool = False
    qualifier: str = ""
    """``<``, ``>`` or ``~``, where it is a bound or a guess."""


def is_missing_mark(text: str) -> bool:
    """Return whether a text stands for a missing number or date: ``NA``, ``?``, ``$ -``."""
    return text.lower() in MISSING_MARKS or NOTHING.fullmatch(text) is not None


def plain(text: str) -> bool:
    """Return whether a text is a number as programs write it: ``-1.5e3``."""
    return PLAIN.fullmatch(text) is not None


def numeral(text: str) -> Numeral | None:
    """Take a numeral apart; None if the text is none.

    Examples
    --------
    >>> numeral("-$1,200.50")[:4], numeral("(12 %)")[:4], numeral("T1200")
    (('1,200.50', '', '$', True), ('12', '', '%', True), None)
    """
    found = NUMERAL.fullmatch(text if text.isascii() else text.translate(ALIKE))
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = "".join(found[name] or "" for name in ("sign", "inner", "behind"))
    units = [unit for unit in (found["before"], found["after"]) if unit]
    if len(signs) > 1 or len(units) > 1:
        return None
    is_negative = signs == "-" or bool(found["open"])
    unit, exponent = "".join(units).lower(), found["exponent"] or ""
    return Numeral(found["body"], exponent, unit, is_negative, found["qualifier"] or "")


def clock(text: str) -> float | None:
    """Return a time of day, or a duration written like one, in seconds; None if it is none.

    Examples
    --------
    >>> clock("12:30"), clock("1:05:00 pm"), clock("2 days 03:00:00"), clock("12.30")
    (45000.0, 47100.0, 183600.0, None)
    """
    found = CLOCK.fullmatch(text)
    if found is None:
        return None
    hours = int(found["hours"])
    if found["half"]:
        hours = hours % 12 + 12 * (found["half"].lower() == "p")
    seconds = 86400.0 * int(found["days"] or 0) + 3600.0 * hours + 60.0 * int(found["minutes"])
    seconds += float(found["seconds"] or 0)
    return -seconds if found["sign"] else seconds


def is_currency(unit: str) -> bool:
    """Return whether a unit is money."""
    return re.fullmatch(CURRENCIES, unit, re.IGNORECASE) is not None


@cache
def grammar(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return what a numeral's body looks like, where these are its marks.

    Thousands are groups of three digits; with commas also of two, as in India (``12,34,567``).
    """
    whole = r"\d+"
    if thousands:
        mark = re.escape(thousands)
        whole += rf"|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+"
        whole += r"|[1-9]\d?(?:,\d\d)+,\d{3}" if thousands == "," else ""
    point = re.escape(decimal)
    return re.compile(rf"(?:{whole})(?:{point}\d*)?|{point}\d+")
