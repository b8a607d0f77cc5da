"""Descriptions of a table's columns, for display: kind, examples, and encoding."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from multilayer.cli.notes import says_of
from multilayer.data import Note, Table, TableWarning
from multilayer.data.entries import Entries
from multilayer.data.tally import Tally
from multilayer.json_text import printable
from multilayer.model import Column, Columns

__all__ = ["Described", "describe_columns", "print_columns"]

N_EXAMPLES = 3
N_LOOKED_AT = 1000
"""Number of entries from which the examples are taken."""
LONGEST = 24
"""Maximum number of characters shown of an example."""


class Described(NamedTuple):
    """A column: its detected kind, some facts about its entries, and its encoding."""

    name: str
    kind: str
    way: str
    """The kind in the form that `Columns.of` accepts, such as ``numeric: decimal comma``."""
    reads: str
    """How the entries are written, if that is unusual."""
    examples: tuple[str, ...]
    missing_share: float
    n_distinct: int
    becomes: str
    """How the column is encoded, such as ``embedded: 48 pieces``."""
    n_inputs: int
    notes: tuple[str, ...]
    """Remarks on doubtful decisions."""


def describe_columns(
    table: Table,
    kinds: Mapping[str, str],
    *,
    embedded: bool,
    weight: Any = None,
    tallies: Mapping[str, Tally] | None = None,
) -> list[Described]:
    """Return what `Columns.of` decides for each column of a table.

    Parameters
    ----------
    table : Table
    kinds : mapping of str to str
        The kinds of the columns that the user has set.
    embedded : bool
        Whether the network learns embeddings.
    weight : array of shape (n_samples,), optional
        The weights of the rows; rows with weight 0 are ignored.
    tallies : mapping of str to Tally, optional
        If the table is a sample, the statistics of all rows, by column.

    Raises
    ------
    InvalidArgumentError, InvalidDataError
        As in `Columns.of`.
    """
    table = table.weighted(weight)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        columns = Columns.of(table, kinds, table.name, embedded=embedded, tallies=tallies)
    notes = [
        note
        for each in caught
        if isinstance(each.message, TableWarning)
        for note in each.message.notes
    ]
    return [_described(column, table[column.name], notes) for column in columns.columns]


def _described(column: Column, entries: Entries, notes: Sequence[Note]) -> Described:
    examples, n_distinct = _examples(entries)
    return Described(
        column.name,
        column.kind,
        column.way,
        column.reads,
        examples,
        column.n_missing(entries) / max(len(entries), 1),
        n_distinct,
        column.becomes,
        len(column.input_names),
        tuple(says_of(note) for note in notes if note.column == column.name),
    )


def _examples(entries: Entries) -> tuple[tuple[str, ...], int]:
    """Return the first few distinct entries, and the number of distinct entries."""
    if not entries.is_usable:
        return (), 0
    codes, names = entries.categories()
    first = codes[np.flatnonzero(codes >= 0)[:N_LOOKED_AT]]
    shown = [names[code] for code in dict.fromkeys(first.tolist())][:N_EXAMPLES]
    short = (text if len(text) <= LONGEST else f"{text[:LONGEST]}…" for text in shown)
    return tuple(short), len(names)


def print_columns(columns: Sequence[Described], most: int | None = None) -> None:
    """Print a table of columns, at most the first `most` of them."""
    console = Console(highlight=False)
    grid = Grid("column", "kind", "examples")
    for name in ("missing", "distinct"):
        grid.add_column(name, justify="right")
    grid.add_column("becomes")
    for each in columns[:most]:
        cells = (
            each.name,
            "; ".join(filter(None, (each.kind, each.reads))),
            "; ".join(each.examples),
            f"{each.missing_share:.1%}" if each.missing_share else "",
            f"{each.n_distinct:,}",
            each.becomes,
        )
        grid.add_row(*map(_plain, cells))
    console.print(grid)
    n_more = 0 if most is None else len(columns) - most
    if n_more > 0:
        console.print(f"and {n_more:,} more columns; mlp schema lists all of them")


def _plain(text: str) -> str:
    return printable(text).replace("[", "\\[")
