"""The kinds of columns of a table: what makes a network's inputs of entries.

Each has a `name`, `input_names`, `of` to make one from training entries, and `encode`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError

__all__ = ["COLUMNS", "MAX_WORDS", "Categorical", "Column", "Numeric", "column_from_dict"]

Array = npt.NDArray[Any]

MAX_WORDS = 256
"""The words of a vocabulary; the rarer ones are taken as words that nobody has seen."""
NOTHING = "column {!r} holds nothing but gaps: leave it out"
MOST = 0.9
"""Of more words than a vocabulary holds, the share of entries beyond which they are names."""
LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Numeric:
    """A column of numbers, centred, scaled, and bent so that outliers keep within (−3, 3).

    Entries are float64, with NaN for gaps. With the median m and the scale s, an entry x becomes

        r = (x − m)/s,    input = r / √(1 + (r/3)²)

    which is the robust scaling and smooth clipping of Holzmüller, Grinsztajn & Steinwart 2024
    (RealMLP), Section 3. The scale is the distance of the quartiles; where they are equal, half
    the range. A gap is filled with the median, whose input is 0, and a second input tells it.

    Parameters
    ----------
    name : str
    median, scale : float
        Of the training entries; a scale of 0 says that they were all the same, and makes the
        input 0.
    has_gaps : bool
        Whether the training entries had gaps, and so a second input: 1 where there is a gap.

    Raises
    ------
    InvalidDataError
        From `of`, if there is no number, or the scale is beyond float64.

    Examples
    --------
    >>> age = Numeric.of("age", np.array([20, 30, 40, np.nan]))
    >>> age
    Numeric(name='age', median=30.0, scale=10.0, has_gaps=True)
    >>> age.encode(np.array([30, 40, np.nan])).round(3)
    array([[0.   , 0.   ],
           [0.949, 0.   ],
           [0.   , 1.   ]])
    """

    kind: ClassVar[str] = "numeric"

    name: str
    median: float
    scale: float
    has_gaps: bool = False

    @classmethod
    def of(cls, name: str, entries: Array) -> Self:
        """Return the column that training entries ask for."""
        present = entries[~np.isnan(entries)]
        if not len(present):
            raise InvalidDataError(NOTHING.format(name))
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            low, first, median, third, high = np.quantile(present, (0, 0.25, 0.5, 0.75, 1)).tolist()
        scale = third - first if first < third else high / 2 - low / 2
        if not np.isfinite(scale):
            msg = (
                f"the numbers of column {name!r} are too far apart to be scaled: {low:g}, {high:g}"
            )
            raise InvalidDataError(msg)
        return cls(name, median, scale, has_gaps=len(present) < len(entries))

    @property
    def input_names(self) -> tuple[str, ...]:
        """What its inputs are called."""
        return (self.name, f"{self.name} is missing") if self.has_gaps else (self.name,)

    def encode(self, entries: Array) -> Array:
        """Return the inputs, of shape (n_samples, 1), or 2 where there are gaps."""
        is_gap = np.isnan(entries)
        if self.scale == 0:
            distance = np.zeros(len(entries))
        else:
            with np.errstate(over="ignore"):  # what is infinitely far is as far as can be
                distance = (np.where(is_gap, self.median, entries) - self.median) / self.scale
            distance = distance.clip(-LARGEST, LARGEST)
        inputs = distance / np.hypot(1, distance / 3)
        return np.column_stack([inputs, is_gap] if self.has_gaps else [inputs])


@dataclass(frozen=True)
class Categorical:
    """A column of words, each of which has an input of its own: 1 where it stands, else 0.

    Entries are strings, with None for gaps. A word outside the vocabulary, rare in training or
    never seen, has zeros alone.

    Parameters
    ----------
    name : str
    words : tuple of str
        The vocabulary, in order: of the training words the most frequent 256.
    has_gaps : bool
        Whether the training entries had gaps, and so a last input: 1 where there is a gap.

    Raises
    ------
    InvalidDataError
        From `of`, if there is no word, or nearly each of many entries is another one, as in names.

    Examples
    --------
    >>> job = Categorical.of("job", ["cook", "baker", "cook", None])
    >>> job.input_names
    ('job = baker', 'job = cook', 'job is missing')
    >>> job.encode(["cook", None, "smith"])
    array([[0., 1., 0.],
           [0., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    """

    kind: ClassVar[str] = "categorical"

    name: str
    words: tuple[str, ...]
    has_gaps: bool = False

    @classmethod
    def of(cls, name: str, entries: Sequence[str | None]) -> Self:
        """Return the column that training entries ask for."""
        counts = Counter(word for word in entries if word is not None)
        n_present = counts.total()
        if not counts:
            raise InvalidDataError(NOTHING.format(name))
        if len(counts) > max(MAX_WORDS, MOST * n_present):
            msg = (
                f"column {name!r} has {len(counts):,} words in {n_present:,} entries, from which "
                "nothing can be learned: leave it out"
            )
            raise InvalidDataError(msg)
        in_order = sorted(counts, key=lambda word: (-counts[word], word))
        words = tuple(sorted(in_order[:MAX_WORDS]))
        return cls(name, words, has_gaps=n_present < len(entries))

    @property
    def input_names(self) -> tuple[str, ...]:
        """What its inputs are called."""
        names = tuple(f"{self.name} = {word}" for word in self.words)
        return (*names, f"{self.name} is missing") if self.has_gaps else names

    def encode(self, entries: Sequence[str | None]) -> Array:
        """Return the inputs, of shape (n_samples, n_words), or one more where there are gaps."""
        places: dict[str | None, int] = {word: i for i, word in enumerate(self.words)}
        if self.has_gaps:
            places[None] = len(self.words)
        width = len(places)
        found = np.array([places.get(word, width) for word in entries], dtype=np.intp)
        inputs = np.zeros((len(found), width), np.float32)
        rows = np.flatnonzero(found < width)
        inputs[rows, found[rows]] = 1
        return inputs


TYPES = {"name": str, "median": float, "scale": float, "has_gaps": bool, "words": list}
"""What each part of a column is in JSON."""
Column = Numeric | Categorical
COLUMNS: dict[str, type[Column]] = {column.kind: column for column in (Numeric, Categorical)}


def column_from_dict(found: Any) -> Column:
    """Return the column that a file tells of, if each of its parts is what it must be.

    Raises
    ------
    InvalidDataError
        If it tells of none.
    """
    kind = COLUMNS.get(str(found.get("kind"))) if isinstance(found, dict) else None
    if kind is None:
        msg = f"a column must be an object with a kind of {', '.join(COLUMNS)}"
        raise InvalidDataError(msg)
    values = {name: value for name, value in found.items() if name != "kind"}
    wanted = [field.name for field in fields(kind)]
    if set(values) != set(wanted):
        msg = f"a {kind.kind} column must have {', '.join(wanted)}; got {', '.join(values)}"
        raise InvalidDataError(msg)
    for name, value in values.items():
        if type(value) is not TYPES[name]:
            msg = f"{name} of a column must be a {TYPES[name].__name__}; got {value!r}"
            raise InvalidDataError(msg)
    if values.get("scale", 0) < 0:
        msg = f"scale of a column must be at least 0; got {values['scale']:g}"
        raise InvalidDataError(msg)
    if "words" in values:
        words = values["words"] = tuple(values["words"])
        if not all(type(word) is str for word in words) or len(set(words)) < len(words):
            msg = "words of a column must be strings, each once"
            raise InvalidDataError(msg)
    return kind(**values)
