"""Evidence: how many texts of a kind, such as dates, make the whole column one of that kind."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.data.numerals import is_missing_mark

__all__ = ["FEW", "TOLERANCE", "are_few", "probe", "sample"]

Array = npt.NDArray[Any]

TOLERANCE = 0.02
"""The largest share of entries that may be something else in a column of numbers or dates."""
FEW = 10
"""With at most this many distinct numbers, other texts among them make all of them categories."""
MANY = 20
MOST_MARKS = 2
"""Among at least `MANY` distinct numbers, up to this many other texts mark missing values, if they
make up less than half of the entries."""
PROBED = 1000
"""At most this many distinct entries are looked at first."""


def sample(entries: Any) -> Any:
    """Return some of a column's distinct entries, evenly spread."""
    return entries[:: len(entries) // PROBED + 1]


def probe(texts: Sequence[str], is_one: Callable[[str], Any]) -> bool:
    """Return whether at least half of a sample of a column's texts are of a kind."""
    some = sample(texts)
    n_marks = sum(map(is_missing_mark, some))
    n = sum(bool(is_one(text)) for text in some)
    return n > 0 and 2 * n >= len(some) - n_marks


def are_few(others: Sequence[int], present: Array) -> bool:
    """Return whether texts that do not fit are few enough to be typos or marks of missing values.

    Typos make up at most 2 % of the entries. Marks of missing values are one or two texts, such as
    ``Varies with device``, among many distinct numbers, and make up less than half of the entries.

    Parameters
    ----------
    others : sequence of int
        The indices of the texts that do not fit.
    present : array of int
        How often each distinct text occurs in the column; 0 for marks of missing values.
    """
    if not others:
        return bool(present.any())
    n_others, n = int(present[list(others)].sum()), int(present.sum())
    n_different = np.count_nonzero(present) - len(others)
    are_typos = n_different > FEW and (n_others == 1 or n_others <= TOLERANCE * n)
    are_marks = n_different >= MANY and len(others) <= MOST_MARKS and 2 * n_others < n
    return bool(are_typos or are_marks)
