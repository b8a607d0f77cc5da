"""TextEntries: a column of texts, with each distinct text stored once."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.date_format import DateFormat, DateFormatFound, find_date_format
from multilayer.data.entries.base import Entries, Origin
from multilayer.data.entries.numbers import numbers_among
from multilayer.data.notation import Notation, NotationFound, find_notation
from multilayer.data.notes import Note
from multilayer.data.numerals import numeral, plain

__all__ = ["TextEntries", "cleaned"]

Array = npt.NDArray[Any]

WAYS = {
    ".": "a decimal point",
    ",": "a decimal comma",
    "day first": "the day first",
    "month first": "the month first",
}


class TextEntries(Entries):
    """Texts: the distinct texts, and the position of each row's text among them.

    Texts have no surrounding blanks and are in Unicode normal form C, so that texts that look the
    same are the same. Empty texts are missing values.

    Parameters
    ----------
    codes : array of int32, of shape (n_rows,)
        The position of each row's text; −1 for missing values.
    texts : sequence of str
        The distinct texts.
    is_category : bool
        Whether the column has a library's type for categories: even plain numbers are then names.
    are_tidy : bool
        Whether the texts come from other entries, and so need no cleaning, but some may not occur.
    """

    what = "text"

    def __init__(
        self,
        column: str,
        origin: Origin,
        codes: Array,
        texts: Sequence[str],
        *,
        is_category: bool = False,
        are_tidy: bool = False,
    ) -> None:
        super().__init__(column, origin)
        tidied = _occurring if are_tidy else _tidied
        self.codes, self.texts, self.counts = tidied(codes, texts)
        self.is_category = is_category
        self._found: dict[Any, Any] = {}
        """A cache of what was read from the distinct texts: training reads them several times."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def n_present(self) -> int:
        return int(self.counts.sum())

    @property
    def is_constant(self) -> bool:
        return len(self.texts) < 2

    def take(self, rows: Array, origin: Origin) -> Self:
        codes, is_category = self.codes[rows], self.is_category
        return type(self)(
            self.column, origin, codes, self.texts, is_category=is_category, are_tidy=True
        )

    def without(self, missing: Sequence[str]) -> Self:
        known, numbers = set(missing), numbers_among(missing)
        texts = [
            "" if text in known or (numbers and _number_in(text) in numbers) else text
            for text in self.texts
        ]
        if texts == self.texts:
            return self
        return type(self)(self.column, self.origin, self.codes, texts, is_category=self.is_category)

    def find_notation(
        self, decimal: str | None = None, *, is_asked: bool = False
    ) -> NotationFound | None:
        if self.is_category and not is_asked and all(map(plain, self.texts)):
            return None
        how = decimal, is_asked
        if how not in self._found:
            found = find_notation(self.texts, self.counts, decimal, is_asked=is_asked)
            self._found[how] = found
        return self._found[how]

    def find_date_format(
        self, order: str | None = None, *, is_asked: bool = False
    ) -> DateFormatFound | None:
        return find_date_format(self.texts, self.counts, order, is_asked=is_asked)

    def numbers(self, notation: Notation, notes: list[Note]) -> Array:
        return self._read(notation, notation.numbers, "numbers", notes)

    def dates(self, form: DateFormat, notes: list[Note]) -> Array:
        return self._read(form, form.dates, "dates", notes)

    def categories(self) -> tuple[Array, list[str]]:
        return self.codes, self.texts

    def counted(self) -> tuple[list[str], Array]:
        return self.texts, self.counts

    def _read(
        self,
        form: Notation | DateFormat,
        read: Callable[[Sequence[str]], tuple[Array, list[int]]],
        wanted: str,
        notes: list[Note],
    ) -> Array:
        """Return each row's value, and add a note on texts that cannot be read."""
        bare = replace(form, missing=())  # so that the cache does not depend on `missing`
        if bare not in self._found:
            self._found[bare] = read(self.texts)
        values, others = self._found[bare]
        others = [i for i in others if self.texts[i] not in form.missing]
        if others:
            rows = np.flatnonzero(np.isin(self.codes, others))
            first = self.texts[self.codes[rows[0]]]
            if not self.origin.is_continued:
                got = f"{first!r} at {self.origin.row(int(rows[0]))}"
                own, shown = self._ways(form)
                if own != shown:
                    rule = f"{wanted} with {WAYS[own]}, as the model reads them"
                    raise self._mismatch(rule, f"{got}, with {WAYS[shown]}")
                if np.isnan(values).all():
                    raise self._mismatch(wanted, got)
            notes.append(self._strays(rows, first, wanted))
        return np.append(values, np.nan)[self.codes]  # −1 selects the last value

    def _ways(self, form: Notation | DateFormat) -> tuple[str, str]:
        """Return the decimal mark or date order of a form, and the one that the entries show.

        They differ only if all entries can be read the other way, and some only that way.
        """
        found: NotationFound | DateFormatFound | None
        if isinstance(form, Notation):
            own = form.decimal if form.scale != "clock" and not form.is_boolean else ""
            found = self.find_notation(is_asked=True)
        else:
            own, found = form.order, self.find_date_format(is_asked=True)
        if not own or found is None or not set(found.others) <= set(form.missing):
            return own, own
        return own, found.shows or own


def cleaned(text: str) -> str:
    """Return a text without surrounding blanks, in Unicode normal form C."""
    text = text.strip()
    # Some programs write ="007", so that Excel keeps the zeros.
    if len(text) > 2 and text.startswith('="') and text.endswith('"'):
        text = text[2:-1].strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _tidied(codes: Array, texts: Sequence[str]) -> tuple[Array, list[str], Array]:
    """Clean texts and drop those that do not occur; return codes, texts and counts."""
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
    if _are_tidy(texts) and counts.all():
        return codes, list(texts), counts
    tidy: dict[str, int] = {}
    places = np.full(len(texts) + 1, -1, np.int32)  # code −1 selects the last place
    for i, (text, count) in enumerate(zip(texts, counts.tolist(), strict=True)):
        if count and (clean := cleaned(text)):
            places[i] = tidy.setdefault(clean, len(tidy))
    kept = list(tidy)
    if kept != list(texts):
        codes = places[codes]
        counts = np.bincount(codes + 1, minlength=len(kept) + 1)[1:]
    return codes, kept, counts


def _occurring(codes: Array, texts: Sequence[str]) -> tuple[Array, list[str], Array]:
    """Return the same as `_tidied` for texts that are already clean."""
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
    kept = np.flatnonzero(counts)
    if len(kept) == len(texts):
        return codes, list(texts), counts
    places = np.full(len(texts) + 1, -1, np.int32)  # code −1 selects the last place
    places[kept] = np.arange(len(kept))
    return places[codes], [texts[i] for i in kept.tolist()], counts[kept]


def _are_tidy(texts: Sequence[str]) -> bool:
    """Return whether texts surely need no cleaning: distinct, ASCII, not empty, without blanks."""
    whole = "".join(texts)
    return (
        whole.isascii()
        and whole.split(maxsplit=1) == [whole]
        and '="' not in whole
        and all(texts)
        and len(set(texts)) == len(texts)
    )


def _number_in(text: str) -> float | None:
    """Return the number in a text, whatever its decimal mark and unit, or None."""
    found = numeral(text)
    if found is None or found.qualifier or found.factor != 1:
        return None
    try:
        number = float(found.body.replace(",", ".") + found.exponent)
    except ValueError:  # with thousands separators
        return None
    return -number if found.is_negative else number
