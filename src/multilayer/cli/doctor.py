"""``mlp doctor``: find out what is wrong with a model, given its file and its data."""

from typing import Annotated

import typer
from rich.console import Console

from multilayer.cli import options
from multilayer.cli.member import load_member
from multilayer.cli.notes import notes
from multilayer.cli.samples import ModelFile, SampleFile, Target, read_samples
from multilayer.doctor import diagnose
from multilayer.files import load_model

__all__ = ["doctor"]

OneMember = Annotated[
    int | None,
    typer.Option("--member", help="One network of an ensemble, from 0; by default, all of them."),
]


def doctor(
    model: ModelFile,
    data: SampleFile,
    target: Target = None,
    data_dir: options.DataDir = None,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    member: OneMember = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report what is wrong with a model, with evidence and advice.

    DATA is the data that the model was trained on.
    The exit code is 0 if nothing is wrong (there may be warnings), 1 if something is wrong, and 2
    for an invalid argument.
    """
    found = load_model(model) if member is None else load_member(model, member)
    given = read_samples(
        data,
        found,
        target=target,
        data_dir=data_dir,
        separator=separator,
        encoding=encoding,
    )
    with given.noting_guess(), notes():
        diagnosis = diagnose(found, given.X, given.y, validation=given.validation)
    if as_json:
        typer.echo(diagnosis.to_json())
    else:
        Console(highlight=False).print(diagnosis)
    raise typer.Exit(int(diagnosis.is_wrong))
