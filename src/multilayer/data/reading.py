"""What is found in one file: a table, what is open to doubt, and the rows that are broken."""

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
"""The share of rows that may be skipped, unless the user says otherwise."""
SKIP = "bad_rows='skip'"
"""What messages say is to be passed; a command has an option instead."""
N_SHOWN = 3


class BrokenRow(NamedTuple):
    """A row that has more cells than its header."""

    line: int
    """The number of its last line in the file, counted from 1."""
    n_cells: int


class FirstFew(Generic[T]):
    """How many there were of something, and the first few, however many there are.

    Attributes
    ----------
    n : int
    first : list
    """

    def __init__(self) -> None:
        self.n = 0
        self.first: list[T] = []

    def add(self, each: T) -> None:
        """Count one more."""
        self.n += 1
        if len(self.first) < N_SHOWN:
            self.first.append(each)


class Counted(NamedTuple):
    """How many rows a file has, and which of them cannot be used."""

    name: str
    n_columns: int
    n_rows: int
    """Of all rows, also the broken ones."""
    broken: FirstFew[BrokenRow]


class Read(NamedTuple):
    """What is found in one file."""

    table: Table
    remarks: tuple[str, ...] = ()
    """What was decided and is open to doubt."""
    broken: FirstFew[BrokenRow] = FirstFew()
    """Rows that are not in the table."""

    @property
    def counted(self) -> Counted:
        """How many rows there were."""
        n_rows, n_columns = self.table.shape
        return Counted(self.table.name, n_columns, n_rows + self.broken.n, self.broken)


def are_too_many(n_bad: int, n_rows: int, bad_rows: str | None) -> bool:
    """Return whether so many of some rows cannot be used that all of them are refused."""
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
        Whether these are all rows, rather than those up to now.

    Raises
    ------
    InvalidDataError
        The message names the first file that has any, and lines.
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
        rule += "; a cell with the separator in it must be in double quotes, and names of rows "
        rule += "need a title"
    elif bad_rows is None:
        rule += f"; to leave such rows out, pass {{{SKIP}}}"
    raise InvalidDataError(rule, first.name, others=[SKIP])


def shown(broken: FirstFew[BrokenRow]) -> str:
    """Return what messages say of broken rows: the first few of them."""
    said = [f"line {row.line:,} has {row.n_cells}" for row in broken.first]
    return ", ".join([*said, *["…"] * (broken.n > len(said))])
