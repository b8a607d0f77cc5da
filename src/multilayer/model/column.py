"""Column: one column of a table, and what it makes of its entries; the kinds derive from it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError

__all__ = [
    "NOTHING",
    "Column",
    "Found",
    "NothingToLearn",
    "are_identifiers",
    "missing_notes",
    "parts_of",
]

Array = npt.NDArray[Any]

NOTHING: Mapping[str, str] = MappingProxyType({})

MANY = 20
"""Entries from which categories that hardly ever come twice are identifiers."""
DIFFERENT = 0.9
"""The share of different entries from which they are."""


class Found(NamedTuple):
    """What a kind of column finds in training entries."""

    column: "Column | None" = None
    """The column that they ask for; None if they are of another kind."""
    notes: Sequence[Note] = ()
    """What is open to doubt."""
    shows: Mapping[str, str] = NOTHING
    """What the entries show beyond doubt about how the table is written: ``{"decimal": ","}``."""
    is_open: bool = False
    """Whether the entries would mean something else if other columns showed something else."""


class NothingToLearn(Exception):  # noqa: N818  # no error: the column is left out
    """Says that a network can learn nothing from a column.

    Parameters
    ----------
    why : str
        What the entries are: ``"identifiers"``.
    is_open : bool
        Whether they would mean something if other columns showed how they are written.
    """

    def __init__(self, why: str, *, is_open: bool = False) -> None:
        super().__init__(why)
        self.is_open = is_open


@dataclass(frozen=True)
class Column(ABC):
    """A column of a table.

    A kind is a subclass, a frozen dataclass, in ``COLUMNS``. It need not know the other kinds.

    Attributes
    ----------
    kind : str
        The kind's name.
    options : dict of str to dict
        What may follow the kind's name after a colon, as in ``"numeric: decimal comma"``, and what
        it says to `of`: ``{"decimal": ","}``.
    name : str
        The column's name.
    """

    kind: ClassVar[str]
    options: ClassVar[Mapping[str, dict[str, str]]] = {}

    name: str

    @classmethod
    @abstractmethod
    def of(
        cls, entries: Entries, said: Mapping[str, str] = NOTHING, *, is_asked: bool = False
    ) -> Found:
        """Return the column that training entries ask for, if they are of this kind.

        Parameters
        ----------
        entries : Entries
        said : mapping of str to str
            What `options`, the table, or its other columns say of how the entries are written.
        is_asked : bool
            Whether the user says that they are of this kind.

        Raises
        ------
        NothingToLearn
            If they are of this kind, but nothing can be learned from them.
        InvalidDataError
            If they cannot be of this kind, though the user says so.
        """

    @property
    @abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """What its inputs are called."""

    @abstractmethod
    def encode(self, entries: Entries, notes: list[Note]) -> Array:
        """Return what entries make of its inputs.

        Returns
        -------
        inputs : array of float32, of shape (n_rows, n_inputs)
            Or, where one input at most is 1 and all others are 0, an array of int32, of shape
            (n_rows,): the place of that input, −1 where there is none.

        Raises
        ------
        InvalidDataError
            If they are not of this kind; the message names column and row.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Say what it is, in a line: ``numeric, median 30``."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    @abstractmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """Return the column that `to_dict` was told of; `found` has no kind, and may hold anything.

        Raises
        ------
        InvalidDataError
            If it tells of none.
        """


def are_identifiers(n_different: int, n_present: int) -> bool:
    """Return whether categories hardly ever come twice: nothing can be learned of them."""
    return n_present >= MANY and n_different > DIFFERENT * n_present


def missing_notes(entries: Entries, is_missing: Array) -> list[Note]:
    """Return what is said of missing entries in a column that had none in training."""
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
    """Return the parts of a JSON object, if it has just these, each of its type.

    A tuple is a list of strings; of type object is anything.

    Raises
    ------
    InvalidDataError
        If it has not.
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
