"""Column: the base class of the kinds of columns, which encode a table's entries as inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer.data import Tally
from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.data.row import Entry
from multilayer.errors import InvalidDataError

__all__ = [
    "NOTHING",
    "Column",
    "Embedded",
    "Found",
    "NothingToLearn",
    "are_identifiers",
    "check_entries",
    "missing_notes",
    "parts_of",
]

Array = npt.NDArray[Any]

NOTHING: Mapping[str, str] = MappingProxyType({})

MANY = 20
"""Entries that are nearly all distinct are identifiers if there are at least this many."""
DIFFERENT = 0.9
"""Entries are nearly all distinct if the share of distinct ones is larger than this."""
FEW = 10
HARDLY_ANY = 0.01
"""A column has hardly any entries if fewer than `FEW`, and than this share of rows, are present."""


class Found(NamedTuple):
    """The result of matching training entries with a kind of column."""

    column: "Column | None" = None
    """The column for these entries; None if they are of another kind."""
    notes: Sequence[Note] = ()
    """Notes on decisions that may be wrong."""
    shows: Mapping[str, str] = NOTHING
    """What the entries show for certain about how the table is written: ``{"decimal": ","}``."""
    is_open: bool = False
    """Whether the entries are ambiguous, so that other columns decide what they mean."""


class Embedded(NamedTuple):
    """An input that a network turns into a learned vector: see `multilayer.Embeddings`."""

    place: int
    """The position among the column's inputs, from 0."""
    size: int
    """The number of pieces of a number's range, or of vectors for categories."""
    is_number: bool
    """Whether the input is a number; else it is a category."""


class NothingToLearn(Exception):  # noqa: N818  # not an error: the column is ignored
    """Raised for a column from which a network can learn nothing.

    Parameters
    ----------
    why : str
        The reason, such as ``"identifiers"``.
    is_open : bool
        Whether the column could be used if other columns showed how it is written.
    otherwise : Found, optional
        The column to use if the entries are nearly all distinct only because they are a sample.
    """

    def __init__(self, why: str, *, is_open: bool = False, otherwise: Found | None = None) -> None:
        super().__init__(why)
        self.is_open, self.otherwise = is_open, otherwise


@dataclass(frozen=True)
class Column(ABC):
    """A column of a table.

    Each kind is a subclass: a frozen dataclass in ``COLUMNS``, which need not know other kinds.

    Attributes
    ----------
    kind : str
        The kind's name.
    options : dict of str to dict
        The options that may follow the kind's name, as in ``"numeric: decimal comma"``, with what
        each passes to `of`: ``{"decimal": ","}``.
    name : str
        The column's name.
    """

    kind: ClassVar[str]
    options: ClassVar[Mapping[str, dict[str, str]]] = {}

    name: str

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        own = vars(cls)
        if ("encode" in own or "values" in own) and not ("encode_entry" in own or "_value" in own):
            cls.encode_entry = Column.encode_entry  # type: ignore[method-assign]

    @classmethod
    @abstractmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        """Return the column for training entries, if they are of this kind.

        Parameters
        ----------
        entries : Entries
        said : mapping of str to str
            How the entries are written, from `options`, the table, or its other columns.
        is_asked : bool
            Whether the user chose this kind.

        Raises
        ------
        NothingToLearn
            If they are of this kind, but nothing can be learned from them.
        InvalidDataError
            If they cannot be of this kind, although the user chose it.
        """

    def of_all(self, tally: Tally) -> "Column":
        """Return the column for all rows, which `tally` counts, if `of` saw only a sample of them.

        By default, the column is unchanged.
        """
        return self

    def limited(self, notes: list[Note], entries: Entries, tally: Tally | None = None) -> "Column":
        """Return the column for a network without embeddings; by default, unchanged.

        If training entries lose information by this, a note is added to `notes`. If the entries are
        a sample, `tally` counts all rows.
        """
        return self

    def embedded(self, entries: Entries, tally: Tally | None = None) -> "Column":
        """Return the column for a network with embeddings, fitted to training entries.

        By default, the column is unchanged. See `Architecture`'s `embeddings`. If the entries are a
        sample, `tally` counts all rows.
        """
        return self

    @property
    def embeddings(self) -> tuple["Embedded", ...]:
        """The inputs that the network turns into learned vectors."""
        return ()

    @property
    def way(self) -> str:
        """The kind, with an option if the entries need one: ``numeric: decimal comma``."""
        return self.kind

    @property
    def reads(self) -> str:
        """How entries are written; empty if that is not unusual."""
        return ""

    @property
    def becomes(self) -> str:
        """What becomes of the column: ``2 inputs``, ``embedded: 48 pieces``, ``left out``."""
        if self.embeddings:
            sizes = ", ".join(f"{own.size:,}" for own in self.embeddings)
            what = "piece" if self.embeddings[0].is_number else "vector"
            return f"embedded: {sizes} {what}{'s' * (sizes != '1')}"
        n = len(self.input_names)
        return f"{n:,} input{'s' * (n > 1)}" if n else "left out"

    @property
    @abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """The names of the column's inputs."""

    @abstractmethod
    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        """Return the inputs for entries, and add notes on doubtful entries to `notes`.

        Returns
        -------
        inputs : array of float32, of shape (n_rows, n_inputs)
            If at most one input is 1 and all others are 0, it may instead be an array of int32, of
            shape (n_rows,): the position of that input, or −1 for none.

        Raises
        ------
        InvalidDataError
            If an entry is not of this kind; the message names the column and the row.
        """

    def values(self, entries: Entries, notes: list[Note]) -> Array | None:
        """Return entries as float64, with NaN if missing; None if this kind has no numeric values.

        By default, it has none.
        """
        return None

    def shown(self, value: float) -> str:
        """Return one of `values` as text for people."""
        return f"{value:,.6g}"

    def n_missing(self, entries: Entries) -> int:
        """Return how many entries the column treats as missing."""
        return len(entries) - entries.n_present

    def encode_entry(self, entry: Entry, out: Array) -> bool:
        """Write the inputs of a single plain entry, if it needs no note.

        This is a fast path for a single row, with results equal to those of `encode` bit for bit.
        By default there is none, nor does a subclass inherit one if it overrides only `encode` or
        `values`.

        Parameters
        ----------
        entry : str, number, boolean or None
        out : array of float32, of shape (n_inputs,)
            Must hold zeros.

        Returns
        -------
        is_written : bool
            If False, `encode` must read the entry.
        """
        return False

    @abstractmethod
    def __str__(self) -> str:
        """Describe the column in one line: ``numeric, median 30``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the column as values for JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    @abstractmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """Return the column that `to_dict` described; `found`, without the kind, is untrusted.

        Raises
        ------
        InvalidDataError
            If `found` does not describe a column of this kind.
        """


def check_entries(entries: Entries, tally: Tally | None = None) -> None:
    """Raise `NothingToLearn` if nothing can be learned from entries, whatever the column's kind.

    If the entries are a sample, `tally` counts all rows.
    """
    all_rows = entries if tally is None else tally
    n, n_present = len(all_rows), all_rows.n_present
    why = ""
    if not n_present:
        why = "no entries"
    elif not all_rows.is_usable:
        why = all_rows.what
    elif not entries.n_present or (n_present < FEW and n_present < HARDLY_ANY * n):
        why = "hardly any entries"
    elif n_present == n > 1 and all_rows.is_constant:
        why = "one value"
    if why:
        raise NothingToLearn(why)


def are_identifiers(n_different: int, n_present: int) -> bool:
    """Return whether entries are nearly all distinct, so that nothing can be learned from them."""
    return n_present >= MANY and n_different > DIFFERENT * n_present


def missing_notes(entries: Entries, is_missing: Array) -> list[Note]:
    """Return a note about missing values in a column that had none in training, if any."""
    rows = np.flatnonzero(is_missing)
    if not len(rows):
        return []
    first = entries.origin.row(int(rows[0]))
    if len(rows) == 1:
        says = f"has a missing value at {first}, but had none in training"
    else:
        says = f"has {len(rows):,} missing values, the first at {first}, but had none in training"
    return [Note(entries.column, entries.origin.table, says)]


def parts_of(found: Any, owner: str, types: Mapping[str, type]) -> dict[str, Any]:
    """Return the parts of a JSON object that has exactly those in `types`, each of its type.

    The type tuple means a list of strings, and object means anything.

    Raises
    ------
    InvalidDataError
        If a part is missing, unknown or of another type.
    """
    if not isinstance(found, dict) or set(found) != set(types):
        got = ", ".join(found) if isinstance(found, dict) else type(found).__name__
        rule = f"must have {', '.join(types) or 'nothing else'}"
        raise InvalidDataError(rule, owner, got=got)
    parts = dict(found)
    for name, kind in types.items():
        wanted = list if kind is tuple else kind
        if wanted not in (object, type(parts[name])):
            rule = f"must be a {wanted.__name__}"
            raise InvalidDataError(rule, name, owner, got=repr(parts[name]))
        if kind is tuple:
            if not all(type(each) is str for each in parts[name]):
                raise InvalidDataError("must be strings", name, owner)
            parts[name] = tuple(parts[name])
    return parts
