"""Options that describe a table, for the commands that train on one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from multilayer import checks
from multilayer.cli.notes import note
from multilayer.cli.reading import read_any
from multilayer.cli.schema_file import read_schema
from multilayer.data import Table
from multilayer.data.large import LargeTable
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model.target_column import MOST_CLASSES
from multilayer.ranks import ALONE, Ranks
from multilayer.registry import Names

__all__ = [
    "Categorical",
    "Date",
    "DateOrder",
    "Decimal",
    "Drop",
    "Missing",
    "Numeric",
    "Said",
    "SchemaFile",
    "Target",
    "Task",
    "Test",
    "check_seed",
    "read_described",
]

Target = Annotated[str | None, typer.Option(help="The column to predict; by default the last one.")]
Task = Annotated[
    str | None,
    typer.Option(
        help="classification or regression. By default, text, booleans and whole numbers with at "
        f"most {MOST_CLASSES} distinct values are classes; other numbers mean regression."
    ),
]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out.")]
Numeric = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Treat a column as numbers.")
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Treat a column, such as postcodes, as categories."),
]
Date = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Treat a column as dates.")]
Decimal = Annotated[
    str | None,
    typer.Option(help="The decimal mark, . or , for columns where it is not clear."),
]
DateOrder = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first",
        help="How to read dates such as 5/1/2024, for columns where it is not clear.",
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option("--na", metavar="TEXT", help="A text that means a missing value, in any column."),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="A file from mlp schema with the kinds of the columns; other options override it.",
    ),
]
Test = Annotated[float, typer.Option(help="The share of test rows, in (0, 1).")]


class Said(NamedTuple):
    """What a schema file and the options say about a table; an option overrides the file."""

    kinds: dict[str, str]
    """The kinds of columns."""
    by_option: frozenset[str]
    """The columns whose kind an option sets."""
    general: dict[str, Any]
    """The values of the other keys: see `schema_file.GENERAL`."""

    def kinds_for(self, inputs: Sequence[str]) -> dict[str, str]:
        """Return the kinds of the inputs, without other columns of the file, such as the target."""
        return {
            name: kind
            for name, kind in self.kinds.items()
            if name in inputs or name in self.by_option
        }


def read_described(
    files: list[Path],
    schema: Path | None = None,
    drop: Sequence[str] | None = None,
    *,
    numeric: list[str] | None,
    categorical: list[str] | None,
    date: list[str] | None,
    day_first: bool | None,
    bad_rows: str | None = None,
    ranks: Ranks = ALONE,
    **general: Any,
) -> tuple[Table | LargeTable, Said]:
    """Return the table in some files, and what a schema file and the options say about it.

    A table that is too large for memory becomes a `LargeTable`, of which a sample is in memory. A
    note is printed for each option that overrides the schema file.

    Parameters
    ----------
    files : list of path
    schema : path, optional
    drop : sequence of str, optional
        Columns that are left out.
    numeric, categorical, date, day_first, bad_rows
        The values of these options.
    ranks : Ranks
        The processes that read the files together.
    **general
        The values of other options that are also keys of a schema; None if not given.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If a file cannot be read, or the table, the schema and the options contradict each other.
    """
    found = None if schema is None else read_schema(schema)
    general["date_order"] = {None: None, True: "day first", False: "month first"}[day_first]
    for key, value in ({} if found is None else found.general).items():
        if key not in general:
            raise InvalidDataError("is only for mlp train table", f"{key} of {schema}")
        if general[key] is None:
            general[key] = value
        elif general[key] != value:
            note(f"{key} is {general[key]!r}, set by an option, instead of {value!r} in {schema}")
    if general["decimal"] not in (None, ".", ","):
        raise InvalidArgumentError("must be . or ,", "decimal", got=repr(general["decimal"]))
    how = {name: general[name] for name in ("decimal", "date_order")}
    how |= {"missing": general["missing"] or (), "bad_rows": bad_rows}
    counted = [] if general.get("task") == "regression" else [general.get("target")]
    if general.get("group") is not None:
        counted.append(general["group"])
    table = read_any(
        files,
        counted,
        separator=general["separator"],
        encoding=general["encoding"],
        ranks=ranks,
        **how,
    )
    asked = _kinds_of(table, {"numeric": numeric, "categorical": categorical, "date": date})
    if found is None:
        return table, Said(asked, frozenset(asked), general)
    found.check_columns(table.columns)
    for name, kind in asked.items():
        if found.kinds.get(name, kind).partition(":")[0] != kind:
            note(
                f"column {name!r} is {kind}, set by an option, instead of {found.kinds[name]} in "
                f"{schema}"
            )
    known = {*found.kinds, *asked, *(drop or ()), *map(str, general.values())}
    if others := [repr(name) for name in table.columns if name not in known]:
        note(f"not in {schema}, so their kinds are detected: {', '.join(others)}")
    return table, Said({**found.kinds, **asked}, frozenset(asked), general)


def _kinds_of(table: Table | LargeTable, asked: dict[str, list[str] | None]) -> dict[str, str]:
    """Return the kinds of columns set by the options."""
    kinds: dict[str, str] = {}
    for kind, names in asked.items():
        for name in names or ():
            Names(kind, table.columns).check(name)
            if kinds.setdefault(name, kind) != kind:
                rule = f"cannot be {name!r}, which is also --{kinds[name]}"
                raise InvalidArgumentError(rule, kind)
    return kinds


def check_seed(seed: int) -> None:
    """Raise if scikit-learn's generator does not accept the seed."""
    checks.integer(seed, "seed", "mlp", minimum=0)
    if seed >= 2**32:
        raise InvalidArgumentError("must be below 2^32", "seed", "mlp", got=seed)
