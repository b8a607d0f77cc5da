"""``mlp predict``: predict the rows of a file."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from multilayer.atomic import replacing
from multilayer.cli import options
from multilayer.cli.notes import notes
from multilayer.cli.reading import read
from multilayer.cli.samples import ModelFile, inputs_of
from multilayer.files import load_model
from multilayer.model import Model

__all__ = ["predict"]

Out = Annotated[Path | None, typer.Option(help="Write this CSV file instead of printing the rows.")]


def predict(
    model: ModelFile,
    data: options.TableFile,
    out: Out = None,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict each row of a table in files, as CSV: classes with probabilities, or values.

    A model that knows its input names uses these columns and ignores others, such as the
    target; any other model uses all columns.
    """
    options.check_file(out, "out")
    found = load_model(model)
    table = read(data, separator, encoding, bad_rows="fail")
    with notes():
        columns = _predictions(found, inputs_of(table, found))
    if as_json:
        text = json.dumps(columns) + "\n"
    else:
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        text = rows.getvalue()
    if out is None:
        sys.stdout.write(text)
    else:
        with replacing(out) as file:
            file.write(text.encode())


def _predictions(model: Model, X: Any) -> dict[str, list[Any]]:
    """Return columns by name: the prediction for each row, and the probability of each class."""
    outputs, targets = model(X), model.targets
    predicted = outputs if targets is None else targets.decode(outputs)
    if predicted.ndim == 1:
        columns = {"prediction": predicted.tolist()}
    else:
        columns = {f"prediction {i}": each.tolist() for i, each in enumerate(predicted.T)}
    if targets is not None and targets.has_one_class:
        for name, each in zip(targets.classes, targets.probabilities(outputs).T, strict=True):
            columns[f"probability {name}"] = each.tolist()
    return columns
