"""Notes: decisions about a table that are open to doubt, reported in warnings."""

from typing import Any, NamedTuple

__all__ = ["Note", "TableWarning"]


class Note(NamedTuple):
    """A note on one column."""

    column: str
    table: str
    says: str
    """The text after the column's name, such as ``has more than 256 categories``."""
    otherwise: str = ""
    """The kind of column to pass to change the decision, if there is one."""
    marks: tuple[str, ...] = ()
    """Texts that may mark missing values; `says` then ends in a condition for passing them."""

    def __str__(self) -> str:
        said = f"column {self.column!r} of {self.table} {self.says}"
        if self.marks:
            return f"{said}, pass missing={list(self.marks)} to read_file"
        if not self.otherwise:
            return said
        return f"{said}; to change this, pass columns={{{self.column!r}: {self.otherwise!r}}}"


class TableWarning(UserWarning):
    """A warning about a table, mostly about decisions that are open to doubt.

    Attributes
    ----------
    notes : tuple of Note
        The notes on single columns; empty if the warning is about the whole table.
    """

    def __init__(self, message: str, notes: tuple[Note, ...]) -> None:
        super().__init__(message)
        self.notes = notes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.notes)
