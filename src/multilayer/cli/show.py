"""``mlp show``: show the contents of a model file."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from multilayer.errors import InvalidArgumentError
from multilayer.files import load_model
from multilayer.inspection import summary
from multilayer.json_text import listed, printable
from multilayer.model import Model
from multilayer.training import History
from multilayer.training.curves import sparklines

__all__ = ["show"]

N_BLOCKS = 32
"""Width of a loss curve, in characters."""


def show(
    path: Annotated[Path, typer.Argument(metavar="MODEL", help="A file written by --save.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a model file's layers, columns, classes, metrics, loss curves, training and versions.

    For an ensemble, the layers of one member are shown.

    This is safe for files from any source: no code in a file is run.
    """
    model = load_model(path)
    size = path.stat().st_size
    if as_json:
        typer.echo(json.dumps(_facts(model, path, size)))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for cells in _rows(model):
        table.add_row(*(Text(printable(cell)) for cell in cells))  # a Text ignores markup
    console = Console(highlight=False)
    console.print(Text(f"{printable(str(path))}: {size:,} bytes\n{model.net}\n"), soft_wrap=True)
    typer.echo(str(summary(model.members[0])))
    typer.echo("")
    console.print(table)


def _facts(model: Model, path: Path, size: int) -> dict[str, Any]:
    """Return the contents of the file, except the weights, ready for JSON."""
    targets = model.targets
    return {
        "file": str(path),
        "bytes": size,
        "architecture": asdict(model.net.architecture),
        "dtype": str(model.net.dtype),
        "n_members": len(model.members),
        "n_parameters": model.net.parameters.size,
        "layers": summary(model.members[0]).to_dict()["layers"],
        "inputs": {
            "kind": model.inputs.kind,
            **model.inputs.to_dict(),
            **{name: array.tolist() for name, array in model.inputs.arrays().items()},
        },
        "targets": None if targets is None else {"kind": targets.kind, **targets.to_dict()},
        "information": model.information,
    }


def _rows(model: Model) -> Iterator[tuple[str, str, str]]:
    """Yield rows (topic, name, value); only the first row of a topic contains the topic."""
    topic = "inputs"
    for name, value in model.inputs.describe():
        yield topic, name, value
        topic = ""
    numbers = f"{model.net.architecture.out_features:,} numbers"
    yield "outputs", "", numbers if model.targets is None else str(model.targets)
    for topic, entries in model.information.items():
        rows = _history_rows(entries) if topic == "history" else None
        for name, value in rows or _entries("", entries):
            yield topic, name, _value(value)
            topic = ""


def _history_rows(recorded: Any) -> list[tuple[str, str]] | None:
    """Return rows with the loss curves, the last values of other metrics, and why training ended.

    For an ensemble, return one row per member. Return None if this is not a history, since a file
    may contain anything.
    """
    if isinstance(recorded, list):
        each = [dict(_history_rows(own) or ()) for own in recorded if isinstance(own, dict)]
        return [
            (f"member {k}", f"{rows.get('train loss')}; {rows['epochs']} epochs")
            for k, rows in enumerate(each)
            if rows
        ]
    try:
        history = History.from_json(json.dumps(recorded))
    except InvalidArgumentError:
        return None
    losses = {
        name: curve for name in ("train_loss", "validation_loss") if (curve := history.get(name))
    }
    blocks, scale = sparklines(losses, width=N_BLOCKS)
    if not blocks:
        return None
    rows = [
        (name.replace("_", " "), f"{blocks[name]}  {curve[0]:.4g} → {curve[-1]:.4g}")
        for name, curve in losses.items()
    ]
    rows.append(("scale", scale))
    for name, curve in history.items():
        if name not in (*losses, "seconds") and curve:
            rows.append((name.replace("_", " "), f"{curve[-1]:.4g} in the last epoch"))
    rows.append(("epochs", "; ".join(filter(None, (f"{history.n_epochs:,}", history.best[1])))))
    if history.stopped_by:
        rows.append(("stopped by", history.stopped_by))
    return rows


def _entries(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of nested JSON objects, such as ``losses.train`` or ``0.name``."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        value = {str(i): entry for i, entry in enumerate(value)}
    if not isinstance(value, dict):
        yield name, value
        return
    for inner, entry in value.items():
        yield from _entries(f"{name}.{inner}" if name else inner, entry)


def _value(value: Any) -> str:
    """Return a JSON value in short form."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{listed([_value(entry) for entry in value])}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
