"""Entries: one typed column of a table: numbers, texts, dates, or unusable entries.

Entries from any source can be read as numbers, dates or categories. A kind of column
(`multilayer.model`) reads them in one of these ways, and need not know where they came from.
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
