"""``mlp predict``: what a model says of a CSV file's rows."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from multilayer.atomic import replacing
from multilayer.cli import options
from multilayer.cli.notes import notes
from multilayer.cli.samples import ModelFile, read_csv, read_known
from multilayer.errors import InvalidDataError
from multilayer.files import load_model
from multilayer.model import Classes, Model

__all__ = ["predict"]

File = Annotated[Path, typer.Argument(metavar="DATA", help="A CSV file with a header.")]
Out = Annotated[
    Path | None, typer.Option(help="Write a CSV file here instead of printing the rows.")
]


def predict(
    model: ModelFile,
    data: File,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict each row of a CSV file, as CSV: classes with their probabilities, or values.

    A model that knows the names of its inputs takes these columns and passes over others,
    such as its target; any other takes all. Reading CSV needs pandas.
    """
    options.check_file(out, "out")
    found = load_model(model)
    with notes():
        columns = _predictions(found, _inputs(data, found))
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


def _inputs(path: Path, model: Model) -> Any:
    """Return the columns that the model takes; of one that knows no names, all."""
    table = read_csv(path, "DATA must be a CSV file")
    names = model.inputs.names
    if names is None:
        return table
    missing = [name for name in names if name not in table]
    if missing:
        msg = f"{path} must have all inputs of the model; not there: {', '.join(missing)}"
        raise InvalidDataError(msg)
    read_known(path, table, model, None)
    return table[list(names)]


def _predictions(model: Model, X: Any) -> dict[str, list[Any]]:
    """Return columns by name: the prediction of each row, and each class's probability."""
    predicted = np.asarray(model.predict(X))
    if predicted.ndim == 1:
        columns = {"prediction": predicted.tolist()}
    else:
        columns = {f"prediction {i}": each.tolist() for i, each in enumerate(predicted.T)}
    if isinstance(model.targets, Classes):
        probabilities = model.predict_proba(X).T
        for name, each in zip(model.targets.classes, probabilities, strict=True):
            columns[f"probability {name}"] = each.tolist()
    return columns
