"""Numerals: numbers in the forms in which people write them, split into their parts.

``1,200``, ``$35``, ``45%``, ``72 sqm``, ``3,5``, ``5,-``, ``(12)``, ``1.2k``, ``2 years``,
``12:30``.
"""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

__all__ = [
    "MISSING_MARKS",
    "PLAIN",
    "SCALES",
    "Numeral",
    "clock",
    "grammar",
    "is_currency",
    "is_infinite",
    "is_missing_mark",
    "numeral",
    "plain",
]

MISSING_MARKS = frozenset((
    "na", "n/a", "n.a.", "n.a", "#n/a", "#na", "#n/a n/a", "<na>", "nan", "-nan", "1.#ind",
    "-1.#ind", "1.#qnan", "-1.#qnan", "null", "(null)", "none", "nil", "nat", "\\n", "missing",
    "unknown", "undefined", "(blank)", "nd", "n.d.", "n/d", "-", "--", "---", "—", ".", "..", "...",
    "…", "?", "??", "*", "#nv", "#n/d", "#n/b",
))  # fmt: skip
"""What people and programs write for a missing number or date, in lower case."""

SCALES: dict[str, dict[str, float]] = {
    scale: {word: worth for words, worth in units.items() for word in words.split()}
    for scale, units in {
        "duration": {
            "s sec secs second seconds": 1.0,
            "m min mins minute minutes": 60.0,
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
        "multiple": {
            "k thousand": 1e3,
            "lakh lakhs lac lacs": 1e5,
            "m mn mio million": 1e6,
            "cr crore crores": 1e7,
            "b bn billion": 1e9,
        },
    }.items()
}
"""Units that may occur together in a column, and their values in seconds, bytes, grams, metres or
ones."""

ALIKE = str.maketrans(
    {
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full-width forms
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),  # spaces
        **dict.fromkeys("\u2212\u2013\ufe63", "-"),  # minus signs, dashes
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict(zip("\u066a\u066b\u066c", "%.,", strict=True)),  # Arabic
    }
)
CURRENCIES = (
    r"[$€£¥₹₽₩₺฿₫₴₦₱¢]|(?:US|CA|A|C|HK|NZ|S|R)\$|Rs\.?|kr\.?|USD|EUR|GBP|CHF|JPY|INR|CNY|RMB|CAD"
    r"|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|RUB|TRY|KRW"
)
PLAIN = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A plain number, as programs write it."""
NUMERAL = re.compile(
    rf"""
    (?P<qualifier>[<>≤≥~≈]|<=|>=)?\s*
    (?:(?P<outside>{CURRENCIES})\s*)?
    (?P<open>\()?\s*
    (?P<sign>[+-])?\s*
    (?:(?P<before>{CURRENCIES})\s*)?
    (?P<inner>[+-])?
    (?P<body>\d+(?:[.,'_\ ]\d+)*[.,]?|[.,]\d+)(?:(?<=[.,])[-—]+)?  # no cents: 5,- and 5.—
    (?P<exponent>[eE][+-]?\d+)?\s*
    (?P<after>\+|/-|/\ ?[1-9]\d*|[^\s\d.,()'_+:/-][^\s\d()]*(?:\ [^\s\d()]+)*[23]?)?\s*
    (?P<behind>-)?
    (?P<close>\))?
    """,
    re.VERBOSE,
)
LONGEST = 64
"""Maximum number of characters in a numeral: a longer text is not parsed."""
ORNAMENTS = ("/-", "+")
"""Signs that may follow an amount of money and mean nothing."""
NOTHING = re.compile(
    rf"(?:{CURRENCIES})?\s*[-—]+"  # an accountant's dash for no number: $ -
    r"|#[¡¿]?[^\W_]+(?:/0)?[!?]|\#+"  # spreadsheet errors, in any language
    r"|(?:0000(?P<m>[-/.])00(?P=m)00|00(?P<n>[-/.])00(?P=n)0000)(?:[T ]00:00(?::00)?)?",
    re.IGNORECASE,
)
INFINITE = re.compile(r"[+-]?(?:inf(?:inity)?|∞)", re.IGNORECASE)
CLOCK = re.compile(
    r"(?:(?P<days>[+-]?\d+)\s*days?,?\s+\+?)?(?P<sign>-)?(?P<hours>\d{1,3})"
    r"(?:[:h](?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?)?"
    r"\s*(?:(?P<half>[ap])\.?m\.?)?",
    re.IGNORECASE,
)
SPAN = re.compile(
    r"(?!P[^T]*M)P?(?:(?P<day>\d+)\s*d(?:ays?)?)?[\s,T]*(?:(?P<hour>\d+)\s*h(?:(?:ou)?rs?)?)?[\s,]*"
    r"(?:(?P<minute>\d+)\s*m(?:in(?:ute)?s?)?)?[\s,]*"
    r"(?:(?P<second>\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
"""A duration in words or letters, or in ISO form: ``2h 50m``, ``PT2H50M``."""
LENGTHS = {"day": 86400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0}


class Numeral(NamedTuple):
    """The parts of a numeral."""

    body: str
    """The digits, and the marks between them."""
    exponent: str = ""
    unit: str = ""
    """The unit before or after the digits, in lower case."""
    is_negative: bool = False
    qualifier: str = ""
    """``<``, ``>`` or ``~``, if it is a bound or an estimate."""
    factor: float = 1.0
    """The value of k or M in an amount of money, such as ``$1.2M``."""
    may_scale: bool = False
    """Whether the unit may be a multiple: a word, or a letter directly after the number, as in 5k
    and 5M. But 5 m is a length, and 300 K a temperature."""


def is_missing_mark(text: str) -> bool:
    """Return whether a text marks a missing number or date: ``NA``, ``?``, ``$ -``."""
    text = _alike(text)
    return text.lower() in MISSING_MARKS or NOTHING.fullmatch(text) is not None


def is_infinite(text: str) -> bool:
    """Return whether a text is an infinite number: ``inf``, ``-Infinity``, ``∞``."""
    return INFINITE.fullmatch(_alike(text)) is not None


def plain(text: str) -> bool:
    """Return whether a text is a plain number, as programs write it: ``-1.5e3``."""
    return PLAIN.fullmatch(text) is not None


def numeral(text: str) -> Numeral | None:
    """Return the parts of a numeral, or None if the text is not one.

    Examples
    --------
    >>> numeral("-$1,200.50")[:4], numeral("(12 %)")[:4], numeral("T1200")
    (('1,200.50', '', '$', True), ('12', '', '%', True), None)
    """
    if found := PLAIN.fullmatch(text):  # the usual case, and fast
        return Numeral(found[2], found[3] or "", is_negative=found[1] == "-")
    found = NUMERAL.fullmatch(_alike(text)) if len(text) <= LONGEST else None
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    if found["behind"] and not re.search(r"\D|\d{3}", found["body"]):
        return None  # 2- is a school grade
    signs = "".join(found[name] or "" for name in ("sign", "inner", "behind"))
    unit = _unit([found[name] for name in ("outside", "before", "after") if found[name]])
    if len(signs) > 1 or unit is None:
        return None
    if unit[0].startswith("/") and re.fullmatch(r"0\d+", found["body"]):
        return None  # 05/01 is a day and a month
    is_negative = signs == "-" or bool(found["open"])
    exponent, qualifier = found["exponent"] or "", found["qualifier"] or ""
    return Numeral(
        found["body"], exponent, unit[0], is_negative, qualifier, unit[1], _may_scale(found)
    )


def _may_scale(found: re.Match[str]) -> bool:
    unit = found["after"]
    if not unit:
        return False
    is_joined = not found.string[found.start("after") - 1].isspace()
    return len(unit) > 1 or (is_joined and (unit in ("k", "K") or unit.isupper()))


def _alike(text: str) -> str:
    """Return a text with the signs, marks, blanks and digits of any script replaced by ASCII."""
    if text.isascii():
        return text
    return re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), text.translate(ALIKE))


def _unit(parts: list[str]) -> tuple[str, float] | None:
    """Return the unit made of these parts, and a factor; None if they are not one unit."""
    words = [word.rstrip(".") for word in " ".join(parts).lower().split()]
    money = [word for word in words if is_currency(word)]
    if len(words) == 2 and len(money) == 1:
        (other,) = set(words) - set(money)
        factor = 1.0 if other in ORNAMENTS else SCALES["multiple"].get(other)
        if factor is not None:
            return money[0], factor
    if len(parts) > 1 or (parts and words[0].replace(".", "") in ("am", "pm")):
        return None
    return " ".join(words).replace("/ ", "/"), 1.0


def clock(text: str) -> float | None:
    """Return a time of day or a duration such as 2h 50m in seconds; None if it is neither.

    Examples
    --------
    >>> clock("12:30"), clock("1:05 pm"), clock("2 days 03:00:00"), clock("2h 50m")
    (45000.0, 47100.0, 183600.0, 10200.0)
    >>> clock("12.30"), clock("12")
    (None, None)
    """
    if found := CLOCK.fullmatch(text):
        if not found["minutes"] and not found["half"]:
            return None
        hours = int(found["hours"])
        if found["half"]:
            hours = hours % 12 + 12 * (found["half"].lower() == "p")
        seconds = 3600.0 * hours + 60.0 * int(found["minutes"] or 0) + float(found["seconds"] or 0)
        return 86400.0 * int(found["days"] or 0) + (-seconds if found["sign"] else seconds)
    if found := SPAN.fullmatch(text):
        parts = [float(n) * LENGTHS[part] for part, n in found.groupdict().items() if n]
        return sum(parts) if parts else None
    return None


def is_currency(unit: str) -> bool:
    """Return whether a unit is a currency."""
    return re.fullmatch(CURRENCIES, unit, re.IGNORECASE) is not None


@cache
def grammar(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return the pattern of a numeral's body with these marks.

    Thousands marks separate groups of three digits; commas may also separate groups of two, as in
    India (``12,34,567``).
    """
    whole = r"\d+"
    if thousands:
        mark = re.escape(thousands)
        whole += rf"|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+"
        whole += r"|[1-9]\d?(?:,\d\d)+,\d{3}" if thousands == "," else ""
    point = re.escape(decimal)
    return re.compile(rf"(?:{whole})(?:{point}\d*)?|{point}\d+")
