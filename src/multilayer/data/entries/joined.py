"""Join the parts of a column into one column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.entries.base import Entries, Origin, UnusableEntries
from multilayer.data.entries.dates import DateEntries
from multilayer.data.entries.numbers import LARGEST, NumberEntries
from multilayer.data.entries.texts import TextEntries

__all__ = ["joined"]

Array = npt.NDArray[Any]


def joined(parts: Sequence[Entries], origin: Origin) -> Entries:
    """Return the parts of a column, in this order, as one column.

    If all parts are numbers, the result is numbers; if all are dates, it is dates; otherwise all
    entries become the texts that name them. A part whose entries are all missing fits any other.
    The result is unusable if a part is, or if only some dates have a time zone.

    Parameters
    ----------
    parts : sequence of Entries
        At least one; the first gives the column its name.
    origin : Origin
        The origin of all the rows.
    """
    if len(parts) == 1:
        return parts[0].take(np.arange(len(parts[0])), origin)
    present = [part for part in parts if part.n_present] or parts[:1]
    column, n_rows = parts[0].column, sum(map(len, parts))
    unusable = next((part.what for part in present if not part.is_usable), None)
    if all(isinstance(part, DateEntries) for part in present):
        zones = {part.has_zone for part in present if isinstance(part, DateEntries)}
        if len(zones) == 1:
            return _dates(parts, column, origin, zones.pop())
        unusable = "dates with a time zone and dates without one"
    if unusable is not None:
        return UnusableEntries(column, origin, n_rows, unusable)
    numbers = [part for part in present if isinstance(part, NumberEntries)]
    if len(numbers) == len(present) and (dtype := _common_type(numbers)) is not None:
        return _numbers(parts, column, origin, dtype, are_times=numbers[0].are_times)
    return _texts(parts, column, origin)


def _common_type(parts: Sequence[NumberEntries]) -> np.dtype[Any] | None:
    """Return a type that can hold all numbers exactly; None if there is none, or kinds differ."""
    if len({part.are_times for part in parts}) > 1:
        return None
    dtypes = [part.values.dtype for part in parts]
    if len({dtype.kind == "b" for dtype in dtypes}) > 1:  # among numbers, booleans are names
        return None
    common = np.result_type(*dtypes)
    whole = [part.values for part in parts if part.values.dtype.kind in "iu"]
    if common.kind == "f" and any(_is_large(values) for values in whole):
        return None
    return common


def _is_large(values: Array) -> bool:
    """Return whether some whole numbers are too large for float64 to hold exactly."""
    return not -LARGEST <= int(values.min()) <= int(values.max()) <= LARGEST


def _numbers(
    parts: Sequence[Entries], column: str, origin: Origin, dtype: np.dtype[Any], *, are_times: bool
) -> NumberEntries:
    values, is_missing = [], []
    for part in parts:
        if isinstance(part, NumberEntries) and part.n_present:
            values.append(part.values)
            is_missing.append(part.is_missing)
        else:
            values.append(np.zeros(len(part), dtype))
            is_missing.append(np.ones(len(part), dtype=bool))
    missing = np.concatenate(is_missing)
    return NumberEntries(
        column,
        origin,
        np.concatenate(values, dtype=dtype),
        missing if missing.any() else None,
        are_times=are_times,
    )


def _dates(parts: Sequence[Entries], column: str, origin: Origin, has_zone: bool) -> DateEntries:
    seconds = [
        part.seconds if isinstance(part, DateEntries) else np.full(len(part), np.nan)
        for part in parts
    ]
    return DateEntries(column, origin, np.concatenate(seconds), has_zone)


def _texts(parts: Sequence[Entries], column: str, origin: Origin) -> TextEntries:
    """Return all entries as texts."""
    places: dict[str, int] = {}
    codes, is_category = [], False
    for part in parts:
        if not part.n_present:
            codes.append(np.full(len(part), -1, np.int32))
            continue
        own, names = part.categories()
        known = [places.setdefault(name, len(places)) for name in names]
        codes.append(np.array([*known, -1], np.int32)[own])
        is_category |= isinstance(part, TextEntries) and part.is_category
    all_codes, texts = np.concatenate(codes), list(places)
    return TextEntries(column, origin, all_codes, texts, is_category=is_category, are_tidy=True)
