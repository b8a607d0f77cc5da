"""``mlp schema``: show the detected kinds of a table's columns, and write them to a file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from multilayer.atomic import replacing
from multilayer.cli import options
from multilayer.cli import table_options as tables
from multilayer.cli.columns import describe_columns, print_columns
from multilayer.cli.notes import note
from multilayer.cli.reading import sampled
from multilayer.cli.schema_file import written
from multilayer.registry import Names

__all__ = ["schema"]

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="Write a schema file that you can edit, such as columns.toml."
    ),
]


def schema(
    files: options.TableFile,
    out: Out = None,
    target: Annotated[
        str | None, typer.Option(help="The column to predict, which is not an input.")
    ] = None,
    drop: tables.Drop = None,
    numeric: tables.Numeric = None,
    categorical: tables.Categorical = None,
    date: tables.Date = None,
    separator: options.Separator = None,
    decimal: tables.Decimal = None,
    day_first: tables.DateOrder = None,
    missing: tables.Missing = None,
    encoding: options.Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the detected kind of each column of a table, and how training would encode it.

    With --schema, mlp train table and mlp tune read the file that --out writes. A model file
    contains the columns that the model was trained with: see mlp show.
    """
    options.check_file(out, "out", files)
    found, said = tables.read_described(
        files, numeric=numeric, categorical=categorical, date=date, day_first=day_first,
        separator=separator, encoding=encoding, decimal=decimal, missing=missing, target=target,
    )  # fmt: skip
    table = sampled(found)
    names = table.columns
    if target is not None:
        Names("target", names).check(target)
    for name in drop or ():
        Names("drop", names).check(name)
    inputs = table.select([name for name in names if name != target])
    own = said.kinds_for(inputs.columns) | dict.fromkeys(drop or (), "ignored")
    columns = describe_columns(inputs, own, embedded=True)
    if out is not None:
        with replacing(out) as written_file:
            written_file.write(written(table.name, said.general, columns).encode())
    if as_json:
        typer.echo(json.dumps({"columns": [each._asdict() for each in columns]}))
        return
    print_columns(columns)
    for each in columns:
        for line in each.notes:
            note(line)
    if out is not None:
        typer.echo(f"schema written to {out}")
