"""The options that describe a table in a file, for the commands that train on one."""

from pathlib import Path
from typing import Annotated

import typer

from multilayer import checks
from multilayer.cli.reading import read
from multilayer.cli.rows import MOST_CLASSES
from multilayer.data import Table
from multilayer.errors import InvalidArgumentError
from multilayer.registry import Names

__all__ = [
    "Categorical",
    "Date",
    "DateOrder",
    "Decimal",
    "Drop",
    "Missing",
    "Numeric",
    "Target",
    "Task",
    "Test",
    "check_seed",
    "kinds_of",
    "read_table",
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
    str | None, typer.Option(help="The decimal mark, . or , if the file does not show it.")
]
DateOrder = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first", help="How to read 5/1/2024, if the file does not show it."
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option("--na", metavar="TEXT", help="A text that means a missing value, in any column."),
]
Test = Annotated[float, typer.Option(help="The share of rows to test on, in (0, 1).")]


def read_table(
    files: list[Path],
    separator: str | None,
    encoding: str | None,
    decimal: str | None,
    day_first: bool | None,
    missing: list[str] | None,
    bad_rows: str | None,
) -> Table:
    """Return the table in some files, read as the options say."""
    if decimal not in (None, ".", ","):
        raise InvalidArgumentError("must be . or ,", "decimal", got=repr(decimal))
    order = {None: None, True: "day first", False: "month first"}[day_first]
    how = {"decimal": decimal, "date_order": order, "missing": missing or (), "bad_rows": bad_rows}
    return read(files, separator, encoding, **how)


def kinds_of(table: Table, **asked: list[str] | None) -> dict[str, str]:
    """Return the kinds of columns set by the options."""
    kinds: dict[str, str] = {}
    for kind, names in asked.items():
        for name in names or ():
            Names(kind, table.columns).check(name)
            if kinds.setdefault(name, kind) != kind:
                rule = f"cannot be {name!r}, which is --{kinds[name]} too"
                raise InvalidArgumentError(rule, kind)
    return kinds


def check_seed(seed: int) -> None:
    """Raise if scikit-learn's generator does not accept the seed."""
    checks.integer(seed, "seed", "mlp", minimum=0)
    if seed >= 2**32:
        raise InvalidArgumentError("must be below 2^32", "seed", "mlp", got=seed)
