"""Alike: check that the parts of a table, read one after another, fit together."""

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
    """Checks that parts of a table have the same columns and types, seeing one part at a time.

    Parameters
    ----------
    columns : sequence of str
        The columns that every part must have, in any order.
    name : str
        What messages call the first part.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        self.columns, self.name = tuple(columns), name
        self._seen: dict[str, _Seen] = {}

    def fitted(self, table: Table, part: int = 0) -> Table:
        """Check the next part, and return it with its columns in the order of the first.

        Texts from a CSV file match any type, and so does a column without any values.

        Parameters
        ----------
        table : Table
        part : int
            The number of this part, counted from 1, for messages; 0 if its name is enough.

        Raises
        ------
        InvalidDataError
            If the part has different columns, or a column has entries of a different type; the
            message names the part and the column.
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
