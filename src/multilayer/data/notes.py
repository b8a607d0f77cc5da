"""Notes: what was decided about a table and is open to doubt, said in a warning."""

from typing import NamedTuple

__all__ = ["Note", "TableWarning"]


class Note(NamedTuple):
    """What is said of one column."""

    column: str
    table: str
    says: str
    """What follows the column's name, such as ``has more than 256 categories``."""
    otherwise: str = ""
    """The kind of column that decides otherwise, if one does."""

    def __str__(self) -> str:
        said = f"column {self.column!r} of {self.table} {self.says}"
        if not self.otherwise:
            return said
        return f"{said}; columns={{{self.column!r}: {self.otherwise!r}}} says otherwise"


class TableWarning(UserWarning):
    """Something about a table's columns that was decided, and is open to doubt.

    Attributes
    ----------
    notes : tuple of Note
        What is said of each column.
    """

    def __init__(self, message: str, notes: tuple[Note, ...]) -> None:
        super().__init__(message)
        self.notes = notes
