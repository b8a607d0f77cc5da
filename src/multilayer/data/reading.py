"""What is found in one file: a table, remarks on what is open to doubt, and broken rows."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from multilayer.data.table import Table
from multilayer.errors import InvalidDataError
from multilayer.registry import Names

__all__ = [
    "BAD_ROWS",
    "MOST_BAD_ROWS",
    "SKIP",
    "BrokenRow",
    "Counted",
    "FirstFew",
    "Read",
    "are_too_many",
    "refuse_broken",
    "shown",
]

T = TypeVar("T")

BAD_ROWS = Names("bad_rows", ["skip", "fail"])
MOST_BAD_ROWS = 0.01
"""The share of rows that may be skipped by default."""
SKIP = "bad_rows='skip'"
"""The argument that messages recommend; commands replace it by their option."""
N_SHOWN = 3


class BrokenRow(NamedTuple):
    """A row that has more cells than the header."""

    line: int
    """The number of the row's last line in the file, counted from 1."""
    n_cells: int


class FirstFew(Generic[T]):
    """A count of items that keeps only the first few of them.

    Attributes
    ----------
    n : int
        The number of items.
    first : list
        The first 3 of them.
    """

    def __init__(self) -> None:
        self.n = 0
        self.first: list[T] = []

    def add(self, each: T) -> None:
        """Count one more item."""
        self.n += 1
        if len(self.first) < N_SHOWN:
            self.first.append(each)


class Counted(NamedTuple):
    """How many rows a file has, and which of them are broken."""

    name: str
    n_columns: int
    n_rows: int
    """The number of all rows, including broken ones."""
    broken: FirstFew[BrokenRow]


class Read(NamedTuple):
    """What is found in one file."""

    table: Table
    remarks: tuple[str, ...] = ()
    """Remarks on decisions that are open to doubt."""
    broken: FirstFew[BrokenRow] = FirstFew()
    """Rows that were left out of the table."""

    @property
    def counted(self) -> Counted:
        """The numbers of all rows and of broken rows."""
        n_rows, n_columns = self.table.shape
        return Counted(self.table.name, n_columns, n_rows + self.broken.n, self.broken)


def are_too_many(n_bad: int, n_rows: int, bad_rows: str | None) -> bool:
    """Return whether so many rows cannot be used that the table is refused."""
    most = {"skip": 1.0, "fail": 0.0, None: MOST_BAD_ROWS}[bad_rows]
    return n_bad > most * n_rows


def refuse_broken(found: Sequence[Counted], bad_rows: str | None, *, is_whole: bool = True) -> None:
    """Raise if too many rows are broken.

    Parameters
    ----------
    found : sequence of Counted
        The files.
    bad_rows : {"skip", "fail"}, optional
        As in `multilayer.data.read_file`.
    is_whole : bool
        Whether all rows have been counted, rather than only those read so far.

    Raises
    ------
    InvalidDataError
        If too many rows are broken; the message names the first file with broken rows, and their
        lines.
    """
    n_broken = sum(each.broken.n for each in found)
    n_rows = sum(each.n_rows for each in found)
    if not are_too_many(n_broken, n_rows, bad_rows):
        return
    first = next(each for each in found if each.broken.n)
    rule = f"must have {first.n_columns} cells in each row, as in its header; {shown(first.broken)}"
    if n_broken > 1:
        of_all = " in all files" * (len(found) > 1)
        rule += f" ({n_broken:,} of {'' if is_whole else 'the first '}{n_rows:,} rows{of_all})"
    if n_broken == n_rows > 1:
        rule += "; a cell that contains the separator must be in double quotes, and a column of "
        rule += "row names needs a title"
    elif bad_rows is None:
        rule += f"; to leave such rows out, pass {{{SKIP}}}"
    raise InvalidDataError(rule, first.name, others=[SKIP])


def shown(broken: FirstFew[BrokenRow]) -> str:
    """Return a list of the first few broken rows, for messages."""
    lines = [f"line {row.line:,} has {row.n_cells}" for row in broken.first]
    return ", ".join([*lines, *["…"] * (broken.n > len(lines))])
