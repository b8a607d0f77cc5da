"""Matching: finding the kind of each column of a training table."""

from collections.abc import Iterable, Mapping

from multilayer.data import Table, Tally
from multilayer.data.entries import Entries
from multilayer.data.notes import Note
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.categorical import Categorical
from multilayer.model.column import (
    NOTHING,
    Column,
    Found,
    NothingToLearn,
    are_identifiers,
    check_entries,
)
from multilayer.model.date import Date
from multilayer.model.ignored import Ignored
from multilayer.model.numeric import Numeric
from multilayer.registry import Names, Registry

__all__ = ["COLUMNS", "matched"]

COLUMNS: Registry[type[Column]] = Registry(
    Names("kind of column", []),
    {kind.kind: kind for kind in (Ignored, Categorical, Numeric, Date)},
)
"""The kinds of columns; entries are matched with the last kind first."""


def matched(table: Table, kinds: Mapping[str, str], tallies: Mapping[str, Tally]) -> list[Found]:
    """Return the column found for each column of a training table.

    Parameters
    ----------
    table : Table
    kinds : mapping of str to str
        The kind of some columns, optionally with an option.
    tallies : mapping of str to Tally
        Counts over all rows, for columns of which `table` holds a sample.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If `kinds` names an unknown column or kind, or a column is not of its given kind.
    """
    asked = _asked(table, kinds)
    general = {"decimal": table.decimal, "date_order": table.date_order}
    said = {name: each for name, each in general.items() if each is not None}

    def found(column: str, said: Mapping[str, str]) -> Found:
        kind, own = asked[column]
        return _found(table[column], kind, {**said, **own}, tallies.get(column))

    results = {column: found(column, said) for column in asked}
    shown = _shown(results.values())
    for column, result in results.items():
        if result.is_open and shown:
            results[column] = found(column, {**shown, **said})
    return [*results.values()]


def _asked(
    table: Table, kinds: Mapping[str, str]
) -> dict[str, tuple[type[Column] | None, Mapping[str, str]]]:
    """Return each column's given kind, if any, and the settings of its option."""
    if not isinstance(kinds, Mapping):
        raise InvalidTypeError("must be a mapping", "kinds", "Columns.of", got=type(kinds).__name__)
    asked: dict[str, tuple[type[Column] | None, Mapping[str, str]]] = dict.fromkeys(
        table.columns, (None, NOTHING)
    )
    ways = [way for kind, cls in COLUMNS.items() for way in (kind, *_with_options(kind, cls))]
    for column, way in kinds.items():
        if column not in asked:
            raise InvalidArgumentError(
                f"kinds names column {column!r}, but {table.name} has {', '.join(table.columns)}"
            )
        kind, _, option = Names(f"column {column!r}", ways).check(way).partition(": ")
        cls = COLUMNS[kind]
        asked[column] = cls, cls.options[option] if option else NOTHING
    return asked


def _with_options(kind: str, cls: type[Column]) -> Iterable[str]:
    return (f"{kind}: {option}" for option in cls.options)


def _found(
    entries: Entries, asked: type[Column] | None, said: Mapping[str, str], tally: Tally | None
) -> Found:
    """Return the column for training entries, of the given kind if there is one."""
    notes = list[Note]()
    try:
        if asked is None:
            check_entries(entries, tally)
        for kind in [asked] if asked is not None else reversed([*COLUMNS.values()]):
            found = kind.of(entries, said, is_asked=asked is not None)
            notes += found.notes
            if found.column is not None:
                return _of_all(found, tally)._replace(notes=notes)
    except NothingToLearn as why:
        if why.otherwise is not None and tally is not None and not _are_identifiers(tally):
            return _of_all(why.otherwise, tally)._replace(notes=[*notes, *why.otherwise.notes])
        return Found(Ignored(entries.column, str(why)), is_open=why.is_open)
    raise InvalidDataError(f"must be of one of the kinds {', '.join(COLUMNS)}", entries.where)


def _of_all(found: Found, tally: Tally | None) -> Found:
    """Return the result for all rows."""
    if tally is None or found.column is None:
        return found
    return found._replace(column=found.column.of_all(tally))


def _are_identifiers(tally: Tally) -> bool:
    """Return whether entries that are nearly all distinct in a sample are so in all rows."""
    counted = tally.counted()
    if counted is None or tally.n_missed:  # without exact counts, trust the sample
        return True
    return are_identifiers(len(counted[0]), tally.n_present)


def _shown(results: Iterable[Found]) -> dict[str, str]:
    """Return what single columns show for certain about all, unless they contradict each other."""
    found: dict[str, set[str]] = {}
    for result in results:
        for name, value in result.shows.items():
            found.setdefault(name, set()).add(value)
    return {name: values.pop() for name, values in found.items() if len(values) == 1}
