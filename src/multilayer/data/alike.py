"""Alike: whether the parts of a table, one after the other, have the same columns and types."""

from collections.abc import Sequence
from typing import NamedTuple

from multilayer.data.entries import Entries
from multilayer.data.table import Table, check_columns
from multilayer.errors import InvalidDataError

__all__ = ["Alike"]


class _Seen(NamedTuple):
    kind: type[Entries]
    what: str
    where: str


class Alike:
    """Checks that parts of a table fit together, when they are never in memory together.

    Parameters
    ----------
    columns : sequence of str
        Those that all parts must have.
    name : str
        What messages call the first part.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        self.columns, self.name = tuple(columns), name
        self._seen: dict[str, _Seen] = {}

    def fitted(self, table: Table, part: int = 0) -> Table:
        """Return the next part, with its columns in the order of the first.

        Texts of a CSV file may be of any type. What is missing throughout a part fits any other.

        Parameters
        ----------
        table : Table
        part : int
            Which part it is, counted from 1, if they have the same name.

        Raises
        ------
        InvalidDataError
            If it has other columns, or a column holds entries of another type; the message names
            the part and the column.
        """
        check_columns(table, self.columns, self.name, part)
        for column in self.columns:
            self._check_type(table[column], part)
        return table if table.columns == self.columns else table.select(self.columns)

    def _check_type(self, entries: Entries, part: int) -> None:
        seen = self._seen.get(entries.column)
        if type(entries) is getattr(seen, "kind", None) or entries.origin.is_file:
            return
        if not entries.n_present:
            return
        table = f"part {part} of {entries.origin.table}" if part else entries.origin.table
        if seen is None:
            where = f"part {part}" if part else table
            self._seen[entries.column] = _Seen(type(entries), entries.what, where)
        else:
            rule = f"must hold {seen.what}, as in {seen.where}"
            raise InvalidDataError(rule, f"column {entries.column!r}", table, got=entries.what)
