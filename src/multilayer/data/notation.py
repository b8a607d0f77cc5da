"""Notation: how the numbers of a column are written, decided from all its texts together."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer.data.evidence import FEW, TOLERANCE, are_few, probe
from multilayer.data.numerals import (
    PLAIN,
    SCALES,
    Numeral,
    clock,
    grammar,
    is_currency,
    is_infinite,
    is_missing_mark,
    numeral,
    plain,
)

__all__ = ["TIMES", "Notation", "NotationFound", "find_notation"]

Array = npt.NDArray[Any]

LONGEST = 15
"""The number of digits that float64 holds exactly; longer whole numbers are codes."""
MOST = 0.5
"""A majority is more than this share of entries: bounds such as <0.5 in a majority are names."""
NEARLY_ALL = 0.9
"""The least share of numbers, in any notation, for a note that they are written in several ways."""
CATEGORICAL = "categorical"
SEVERAL_UNITS = "numbers in several units"
UNITS = {
    "duration": "seconds", "clock": "seconds", "bytes": "bytes", "mass": "grams",
    "length": "metres",
}  # fmt: skip
"""The unit of each scale's numbers after conversion."""
READ_AS = {scale: f"in {unit}" for scale, unit in UNITS.items()}
READ_AS |= {
    "duration": f"durations, {READ_AS['duration']}",
    "clock": f"times, {READ_AS['clock']}",
    "multiple": "with k, M and the like",
}
"""How a column's description mentions a scale."""
TIMES = ("clock", "duration")
"""The scales in seconds."""

ADDRESS = re.compile(r"(?:(?:1?\d?\d|2[0-4]\d|25[0-5])\.){3}(?:1?\d?\d|2[0-4]\d|25[0-5])")
"""Four numbers up to 255, such as 192.168.100.101, whose points might look like thousands marks."""
BOOLEANS = {"true": 1.0, "false": 0.0}
MARKS = (
    (".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"),
    (".", "_"),
)  # fmt: skip
"""Pairs of a decimal mark and a thousands mark; if several fit equally well, the first is used."""


@dataclass(frozen=True)
class Notation:
    """How the numbers of a column are written.

    Parameters
    ----------
    decimal, thousands : str
        The marks: a decimal point or comma; and for thousands a comma, point, space, apostrophe,
        underscore, or none.
    unit : str
        What may precede or follow a number, in lower case: ``"$"``, ``"%"``, ``"sqm"``.
    scale : {"", "duration", "clock", "bytes", "mass", "length", "multiple"}
        A set of units that are converted to one: units of time (``"duration"``) or hours and
        minutes as in 12:30 (``"clock"``), both to seconds; bytes; masses to grams; lengths to
        metres; or multiples such as k and M to ones.
    is_boolean : bool
        Whether ``true`` and ``false``, in upper or lower case, mean 1 and 0; the numbers 1 and 0
        may also occur.
    missing : tuple of str
        Texts in the training data that are not numbers and are treated as missing values. Known
        marks of missing values, such as ``NA`` and ``?``, are always missing.

    Examples
    --------
    >>> prices = Notation(thousands=",", unit="$")
    >>> prices.number("$1,200.50"), prices.number("n/a"), prices.number("ask")
    (1200.5, nan, None)
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    scale: str = ""
    is_boolean: bool = False
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Describe what is unusual about the notation, such as ``decimal comma, in €``."""
        parts = {
            "true and false": self.is_boolean,
            "decimal comma": self.decimal == ",",
            f"thousands {self.thousands!r}": self.thousands,
            f"in {self.unit}": self.unit,
            READ_AS.get(self.scale, ""): self.scale,
            f"missing where {', '.join(self.missing[:3])}": self.missing,
        }
        return ", ".join(part for part, is_so in parts.items() if is_so)

    @property
    def measure(self) -> str:
        """The unit of the numbers, such as ``seconds`` or ``€``; empty if it is unknown."""
        return UNITS.get(self.scale, self.unit)

    def number(self, text: str) -> float | None:
        """Return the number in a text: NaN if it is missing, None if it is not a finite number."""
        if self.decimal == "." and not self.scale and plain(text):
            return _finite(float(text))
        if text in self.missing or is_missing_mark(text):
            return math.nan
        if self.is_boolean:
            return BOOLEANS.get(text.lower())
        if self.scale == "clock":
            return clock(text)
        found = numeral(text)
        worth = None if found is None else self._worth(found.unit)
        if found is None or worth is None:
            return None
        if not grammar(self.decimal, self.thousands).fullmatch(found.body):
            return None
        digits = found.body.replace(self.thousands, "") if self.thousands else found.body
        number = float(digits.replace(self.decimal, ".") + found.exponent) * worth * found.factor
        return _finite(-number if found.is_negative else number)

    def numbers(self, texts: Iterable[str]) -> tuple[Array, list[int]]:
        """Return numbers, NaN if missing; and the indices of texts that are not numbers."""
        number, is_plain = self.number, PLAIN.fullmatch
        if self.decimal == "." and not self.scale:  # a fast path for plain numbers
            found = [float(text) if is_plain(text) else number(text) for text in texts]
        else:
            found = [number(text) for text in texts]
        numbers = np.array(found, dtype=np.float64)  # None becomes NaN
        numbers[np.isinf(numbers)] = np.nan
        others = [i for i in np.flatnonzero(np.isnan(numbers)).tolist() if not _is_nan(found[i])]
        return numbers, others

    def _worth(self, unit: str) -> float | None:
        """Return the factor of a number in this unit, or None if the unit does not fit."""
        if self.scale and unit:
            return SCALES[self.scale].get(unit)
        return 1.0 if unit in ("", self.unit) and self.scale in ("", "multiple") else None


def _is_nan(number: float | None) -> bool:
    return number is not None and math.isnan(number)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


class NotationFound(NamedTuple):
    """The result of `find_notation`."""

    notation: Notation | None
    """None if there are numbers, but written in more than one way."""
    others: tuple[str, ...] = ()
    """Texts that are neither numbers nor known marks of missing values."""
    doubts: tuple[tuple[str, str], ...] = ()
    """Notes on what is open to doubt, each with the kind of column that would change it."""
    shows: str = ""
    """The decimal mark, if the texts leave no doubt about it."""
    is_open: bool = False
    """Whether the texts would also fit another decimal mark, with different numbers."""
    why: str = ""
    """Why no notation reads most of the numbers, if they are in different currencies."""


def find_notation(
    texts: Sequence[str], counts: Array, decimal: str | None = None, *, is_asked: bool = False
) -> NotationFound | None:
    """Return how the numbers of a column are written, or None if it does not hold numbers.

    A column holds numbers if its texts are numbers in one notation, apart from marks of missing
    values and from other texts in at most 2 % of its entries. Whole numbers with leading zeros or
    more than 15 digits are codes, and so are texts with letters before their digits.

    Parameters
    ----------
    texts : sequence of str
        The column's distinct texts, without surrounding blanks.
    counts : array of int
        How often each occurs in the column.
    decimal : {".", ","}, optional
        The decimal mark to use if the texts leave it open.
    is_asked : bool
        Whether the user says that the column holds numbers: then all numbers are read, even codes,
        and other texts are missing values.

    Examples
    --------
    >>> find_notation(["1.200,50 €", "850 €", "?"], np.array([1, 1, 1])).notation
    Notation(decimal=',', thousands='.', unit='€', scale='', is_boolean=False, missing=())
    >>> find_notation(["02139", "10001"], np.array([1, 1])) is None
    True
    """
    booleans = [text for text in texts if text.lower() in BOOLEANS]
    if booleans and len(booleans) + sum(map(plain, texts)) == len(texts):
        return NotationFound(Notation(is_boolean=True))
    if not is_asked and not probe(texts, _is_numeral):
        return None
    # Infinite numbers are treated as missing, however many there are; reading them adds a note.
    is_plain = [plain(text) for text in texts]
    rest = [text for text, is_one in zip(texts, is_plain, strict=True) if not is_one]
    is_mark = [
        not is_one and (is_missing_mark(text) or is_infinite(text))
        for text, is_one in zip(texts, is_plain, strict=True)
    ]
    present = np.where(is_mark, 0, counts)
    doubts: list[tuple[str, str]] = []
    why = ""
    is_one = reads = is_plain
    if decimal != "," and not any(map(_is_numeral, rest)):  # all numbers are plain
        is_code = [text.isdigit() and _is_code(Numeral(text)) for text in texts]
        if _share(present, is_code) > TOLERANCE and not is_asked:
            return None
        result = _written_plainly(texts, is_plain)
    else:
        found = [None if mark else numeral(t) for mark, t in zip(is_mark, texts, strict=True)]
        is_clock = [clock(text) is not None for text in texts]
        is_numeral = [n is not None for n in found]
        is_one = [n or c for n, c in zip(is_numeral, is_clock, strict=True)]
        has_clock = any(c and not n for n, c in zip(is_numeral, is_clock, strict=True))
        if has_clock and _share(present, is_clock) >= _share(present, is_numeral):
            result, reads = _Written(Notation(scale="clock"), is_clock), is_clock
        else:
            is_code = [n is not None and _is_code(n) for n in found]
            if _share(present, is_code) > TOLERANCE and not is_asked:
                return None
            result, reads = _written(found, counts, decimal)
            has_bound = [n is not None and n.qualifier not in ("", "~", "≈") for n in found]
            is_name = [n is not None and ADDRESS.fullmatch(n.body) is not None for n in found]
            # These are names of ranges, such as <=50K and >50K, or network addresses.
            if not is_asked and max(_share(present, has_bound), _share(present, is_name)) > MOST:
                return None
            currencies = {n.unit for n in found if n is not None} - {""}
            if len(currencies) > 1 and all(map(is_currency, currencies)):
                why = SEVERAL_UNITS if _share(present, reads) <= MOST else ""
            if any(has_bound):
                text = texts[has_bound.index(True)]
                says = f"has bounds such as {text!r}, which are read as numbers"
                doubts.append((says, CATEGORICAL))
            if bare := _bare(result.notation, texts, found):
                doubts.append((bare, CATEGORICAL))
    others = [i for i, fits in enumerate(result.fits) if not fits and not is_mark[i]]
    if not are_few(others, present) and not is_asked:
        is_several = _share(present, is_one) >= NEARLY_ALL and (
            why != "" or _share(present, reads) > MOST
        )
        if not is_several or sum(is_one) <= FEW:
            return None
        several = f"has numbers written in more than one way, such as {texts[others[0]]!r}, and is"
        doubt = f"{several} treated as categorical", "numeric"
        return NotationFound(None, doubts=(doubt,), why=why)
    notation = result.notation
    if result.is_open and decimal is None and _may_have_thousands(notation, texts, result.fits):
        mark = notation.thousands or "."
        text = next(t for t, fits in zip(texts, result.fits, strict=True) if fits and mark in t)
        says = f"writes {text!r}, which is read as {notation.number(text):g}"
        doubts.append((says, "numeric: decimal comma"))
    missing = tuple(texts[i] for i in others)
    return NotationFound(notation, missing, tuple(doubts), result.shows, result.is_open)


class _Written(NamedTuple):
    """A notation, and which texts it fits."""

    notation: Notation
    fits: Sequence[bool]
    shows: str = ""
    is_open: bool = False


def _is_numeral(text: str) -> bool:
    return plain(text) or numeral(text) is not None or clock(text) is not None


def _share(counts: Array, which: Sequence[bool] | Array) -> float:
    """Return what share of all entries these texts make up."""
    return float(counts[np.array(which, dtype=bool)].sum() / max(counts.sum(), 1))


def _is_code(found: Numeral) -> bool:
    """Return whether a number is probably a code, not a quantity."""
    is_whole = found.body.isdigit() and not (found.unit or found.exponent)
    has_zeros = len(found.body) > 1 and found.body.startswith("0")
    return is_whole and (has_zeros or len(found.body) > LONGEST)


def _unit(found: Sequence[Numeral | None], counts: Array) -> tuple[str, str]:
    """Return the unit of a column's numbers and "", or "" and the scale of their several units."""
    units: Counter[str] = Counter()
    may_scale = True
    for n, count in zip(found, counts.tolist(), strict=True):
        if n is not None:
            units[n.unit] += count
            may_scale &= n.may_scale or not n.unit
    units.pop("", 0)
    for scale, worths in SCALES.items():
        is_scale = len(units) > 1 or (scale == "duration" and units.keys() != {"m"})
        is_scale = is_scale or (scale == "multiple" and may_scale)
        if units and units.keys() <= worths.keys() and is_scale:
            return "", scale
    return (units.most_common(1)[0][0] if units else ""), ""


def _bare(notation: Notation, texts: Sequence[str], found: Sequence[Numeral | None]) -> str:
    """Return a note on numbers without a unit among numbers in percent or in a scale's unit."""
    units: dict[str, str] = {}  # each unit's first text
    for n, text in zip(found, texts, strict=True):
        if n is not None:
            units.setdefault(n.unit, text)
    bare = units.pop("", None)
    if bare is None or len(units) != 1 or not (notation.unit == "%" or notation.scale):
        return ""
    ((_, text),) = units.items()
    read = notation.number(text), notation.number(bare)
    if None in read:
        return ""
    return f"has {text!r} beside {bare!r}, which are read as {read[0]:g} and {read[1]:g}"


def _may_have_thousands(notation: Notation, texts: Sequence[str], fits: Sequence[bool]) -> bool:
    """Return whether marks before three digits, which may be decimal, probably mark thousands.

    Commas do. Points usually come from programs, which write decimals in all numbers or in none: if
    there are also whole numbers below 1,000, a point may mark thousands. Zeros do not count.
    """
    if notation.thousands or notation.scale:
        return notation.thousands == ","
    found = [numeral(text) for text, is_one in zip(texts, fits, strict=True) if is_one]
    whole = [int(n.body) for n in found if n is not None and n.body.isdigit()]
    return 0 < max(whole, default=0) < 1000


def _written_plainly(texts: Sequence[str], is_plain: Sequence[bool]) -> _Written:
    """Return the notation of plain numbers."""
    with_point = [
        text.lstrip("+-").lower().partition("e")[0]
        for text, is_one in zip(texts, is_plain, strict=True)
        if is_one and "." in text
    ]
    shows = not all(map(grammar(",", ".").fullmatch, with_point))
    return _Written(Notation(), is_plain, "." * shows, bool(with_point) and not shows)


def _written(
    found: Sequence[Numeral | None], counts: Array, decimal: str | None
) -> tuple[_Written, list[bool]]:
    """Return the notation that fits most of these numerals, and which of them fit some notation."""
    unit, scale = _unit(found, counts)
    units = {unit, ""} if not scale else {*SCALES[scale], *([""] * (scale == "multiple"))}
    bodies = [n.body if n is not None and n.unit in units else None for n in found]
    seen = {mark for body in bodies if body is not None for mark in body if not mark.isdigit()}
    choices = [marks for marks in MARKS if marks[1] in seen | {""}]
    if decimal is not None:
        choices.sort(key=lambda marks: marks[0] != decimal)
    if is_currency(unit) and not any(n is not None and n.factor > 1 for n in found):
        # Nobody writes money with three decimals, unless it is in millions.
        choices.sort(key=lambda marks: marks[1] not in seen & {",", "."})
    fits = {
        marks: [body is not None and bool(grammar(*marks).fullmatch(body)) for body in bodies]
        for marks in choices
    }
    weight = {
        marks: int(counts[np.array(which, dtype=bool)].sum()) for marks, which in fits.items()
    }
    best = max(choices, key=lambda marks: weight[marks])  # the first if several are equal
    others = [marks for marks in choices if marks[0] != best[0] and weight[marks] == weight[best]]
    shows = "" if others else best[0]
    is_open = any(fits[marks] == fits[best] for marks in others) and not is_currency(unit)
    is_open = is_open and bool(seen & {",", "."})
    chosen = Notation(best[0], best[1], unit, scale)
    reads = [any(each) for each in zip(*fits.values(), strict=True)]
    return _Written(chosen, fits[best], shows, is_open), reads
