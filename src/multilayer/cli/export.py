"""``mlp export``: write a model file as an ONNX file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from multilayer.cli import options
from multilayer.errors import InvalidArgumentError
from multilayer.files import export_onnx, load_model

__all__ = ["export"]


def export(
    path: Annotated[Path, typer.Argument(metavar="MODEL", help="A file written by --save.")],
    to: Annotated[
        Path | None, typer.Option(help="The ONNX file; by default next to MODEL, ending in .onnx.")
    ] = None,
) -> None:
    """Write a model as an ONNX file, after checking that onnxruntime gives the same predictions.

    If any number differs by more than 1e-5, no file is written and the exit code is 1.
    """
    to = path.with_suffix(".onnx") if to is None else to
    if to.resolve() == path.resolve():
        raise InvalidArgumentError("must be a different file from MODEL", "to", got=to)
    options.check_file(to, "to")
    model = load_model(path)
    difference = export_onnx(to, model)
    Console().print(
        f"{to} written: {to.stat().st_size:,} bytes; onnxruntime's predictions differ by at most "
        f"{difference:.1e}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if model.inputs.takes_tables:
        Console().print(
            "each column is an input with its name; a missing value is NaN for numbers and dates, "
            "and an empty string for categories; dates are seconds since 1970",
            highlight=False,
            soft_wrap=True,
        )
