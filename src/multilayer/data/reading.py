"""What is found in one file: a table, what is open to doubt, and the rows that are broken."""

from collections.abc import Sequence
from typing import NamedTuple

from multilayer.data.table import Table

__all__ = ["BrokenRow", "Read", "rule_of", "shown"]

N_SHOWN = 3


class BrokenRow(NamedTuple):
    """A row that has more cells than its header."""

    line: int
    """The number of its last line in the file, counted from 1."""
    n_cells: int


class Read(NamedTuple):
    """What is found in one file."""

    table: Table
    remarks: tuple[str, ...] = ()
    """What was decided and is open to doubt."""
    broken: tuple[BrokenRow, ...] = ()
    """Rows that are not in the table."""


def rule_of(n_columns: int, broken: Sequence[BrokenRow]) -> str:
    """Return what an error says of broken rows."""
    return f"must have {n_columns} cells in each row, as in its header; {shown(broken)}"


def shown(broken: Sequence[BrokenRow]) -> str:
    """Return what messages say of broken rows: the first few of them."""
    said = [f"line {row.line:,} has {row.n_cells}" for row in broken[:N_SHOWN]]
    return ", ".join([*said, *["…"] * (len(broken) > N_SHOWN)])
