"""``mlp predict``: predict the rows of a file of any size, in blocks."""

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
"""The columns of some rows, by name."""

N_ROWS = 50_000
N_ENTRIES = 2**21
"""Maximum numbers of rows, and of entries, that are read at a time."""

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Write to this file instead of printing the rows: Parquet if its name ends in "
        ".parquet, JSON lines if it ends in .jsonl, otherwise CSV.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Copy a column, such as an identifier, to the output; may be repeated.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, which must fit into memory.")
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
    """Predict each row of a table: classes with probabilities, or values.

    A model that stores its input names uses these columns and ignores others, such as the target;
    any other model uses all columns. The input is read and the output written in blocks of rows, so
    neither needs to fit into memory.
    """
    options.check_file(out, "out", [model, *data])
    form = form_of(out, as_json=as_json)
    found = load_model(model)
    stdout = sys.stdout  # kept, because the progress display replaces it
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
    """Return how many rows to read at a time, with the same bits as one pass over all rows.

    The network predicts a fixed number of rows at a time; a block is a multiple of that.
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
    """Yield the predictions for blocks of rows, together with the columns to keep."""
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
    """Return a column as numbers, masked where missing, or as texts, None where missing."""
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
