"""Entries: one column of a table, typed once: numbers, texts, dates, or what no network can use.

Wherever a column came from, it can be read as numbers, dates or categories. A kind of column
(`multilayer.model`) reads one of them, and need not know about the others.
"""

from multilayer.data.entries.base import Entries, Origin, UnusableEntries
from multilayer.data.entries.dates import DateEntries
from multilayer.data.entries.joined import joined
from multilayer.data.entries.numbers import LARGEST, NumberEntries, category
from multilayer.data.entries.texts import TextEntries, cleaned

__all__ = [
    "LARGEST",
    "DateEntries",
    "Entries",
    "NumberEntries",
    "Origin",
    "TextEntries",
    "UnusableEntries",
    "category",
    "cleaned",
    "joined",
]
