"""``mlp predict``: predict the rows of a file, however many."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from multilayer.atomic import replacing
from multilayer.cli import options
from multilayer.cli.notes import BlockNotes
from multilayer.cli.prediction_files import FORMS, form_of, write_parquet
from multilayer.cli.reading import with_progress
from multilayer.cli.samples import ModelFile
from multilayer.data import Table, read_blocks
from multilayer.data.entries import Entries, NumberEntries
from multilayer.errors import InvalidArgumentError
from multilayer.files import load_model
from multilayer.model import Model
from multilayer.registry import Names

__all__ = ["predict"]

Array = npt.NDArray[Any]
Block = dict[str, Array]
"""Columns by name, of some rows."""

N_ROWS = 50_000
N_ENTRIES = 2**21
"""Rows, and entries, that are read at a time."""

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Write this file instead of printing the rows: Parquet if its name ends in .parquet, "
        "JSON lines if in .jsonl, or else CSV.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Carry a column, such as an identifier, over to the output; may be repeated.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, which is whole in memory.")
]


def predict(
    model: ModelFile,
    data: options.TableFile,
    out: Out = None,
    keep: Keep = None,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    as_json: AsJson = False,
) -> None:
    """Predict each row of a table in files: classes with probabilities, or values.

    A model that knows its input names uses these columns and ignores others, such as the
    target; any other model uses all columns. The file is read, and the output written, in blocks of
    rows: neither need fit into memory.
    """
    options.check_file(out, "out", [model, *data])
    form = form_of(out, as_json=as_json)
    found = load_model(model)
    stdout = sys.stdout  # which a display of progress replaces
    with BlockNotes() as notes:
        tables = read_blocks(
            data,
            _n_rows(found),
            separator=options.read_separator(separator),
            encoding=encoding,
            bad_rows="fail",
        )
        blocks = _predicted(found, tables, list(dict.fromkeys(keep or ())), notes)
        if out is not None or not stdout.isatty():
            blocks = with_progress(blocks, _size, "predicting")
        if out is None:
            for text in FORMS[form](blocks):
                stdout.write(text)
            return
        with replacing(out) as file:
            if form == "parquet":
                write_parquet(blocks, file)
            else:
                file.writelines(text.encode() for text in FORMS[form](blocks))


def _n_rows(model: Model) -> int:
    """Return how many rows to read at a time, such that predictions have the bits of all at once.

    The network computes some rows at a time; blocks hold a multiple of that.
    """
    inputs = model.inputs
    piece = model.net.predictor.piece(inputs.in_features)
    n_columns = len(inputs.names) if inputs.names else inputs.in_features
    return max(2, min(N_ROWS, N_ENTRIES // n_columns) // piece) * piece


def _size(block: Block) -> int:
    """Return the number of rows."""
    return len(next(iter(block.values())))


def _predicted(
    model: Model, tables: Iterable[Table], keep: list[str], notes: BlockNotes
) -> Iterator[Block]:
    """Yield the predictions for blocks of rows, beside the columns to keep."""
    notations: dict[str, Any] = {}
    for table in tables:
        names = Names("keep", table.columns)
        kept = {name: _values(table[names.check(name)]) for name in keep}
        used = model.inputs.columns_of(table)
        predictions = _predictions(model, model.inputs.from_table(used, notes.said, notations))
        if both := kept.keys() & predictions.keys():
            rule = f"cannot be {min(both)!r}, which is a column of predictions"
            raise InvalidArgumentError(rule, "keep")
        notes.tell()
        yield kept | predictions


def _values(entries: Entries) -> Array:
    """Return a column as numbers, with missing ones masked, or as texts, None if missing."""
    if isinstance(entries, NumberEntries):
        return np.ma.MaskedArray(entries.values, entries.is_missing)
    return entries.objects()


def _predictions(model: Model, X: Any) -> Block:
    """Return columns by name: the prediction for each row, and the probability of each class."""
    outputs, targets = model(X), model.targets
    predicted = outputs if targets is None else targets.decode(outputs)
    if predicted.ndim == 1:
        columns = {"prediction": predicted}
    else:
        columns = {f"prediction {i}": each for i, each in enumerate(predicted.T)}
    if targets is not None and targets.has_one_class:
        for name, each in zip(targets.classes, targets.probabilities(outputs).T, strict=True):
            columns[f"probability {name}"] = each
    return columns
