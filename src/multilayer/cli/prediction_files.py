"""The formats in which ``mlp predict`` writes predictions, block by block."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy.typing as npt

from multilayer.data.formats import import_pyarrow
from multilayer.errors import InvalidArgumentError

__all__ = ["FORMS", "form_of", "write_parquet"]

Array = npt.NDArray[Any]
Blocks = Iterable[dict[str, Array]]


UNWRITTEN = (".gz", ".bz2", ".xz", ".zst", ".xlsx", ".xls", ".json", ".feather", ".arrow")
"""Name endings of formats that are not supported; any other ending means CSV."""


def form_of(path: Path | None, *, as_json: bool) -> str:
    """Return the format of the output, by the ending of the file's name or by ``--json``.

    Raises
    ------
    InvalidArgumentError
        If the name and ``--json`` contradict each other, or the name's format is not supported.
    MissingPackageError
        If the format is Parquet, and pyarrow is not installed.
    """
    suffix = "" if path is None else path.suffix.lower()
    if suffix in UNWRITTEN and not (as_json and suffix == ".json"):
        rule = f"must end in .csv, .parquet or .jsonl; {suffix} is not supported"
        raise InvalidArgumentError(rule, "out", got=path)
    form = {".parquet": "parquet", ".jsonl": "jsonl"}.get(suffix, "")
    if form and as_json:
        rule = f"cannot be {path} with --json, since its ending means {form}"
        raise InvalidArgumentError(rule, "out")
    if form == "parquet":
        import_pyarrow("Parquet", "parquet")
    return "json" if as_json else form or "csv"


def _csv(blocks: Blocks) -> Iterator[str]:
    for i, block in enumerate(blocks):
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        if not i:
            writer.writerow(block)
        writer.writerows(_rows(block))
        yield rows.getvalue()


def _json_lines(blocks: Blocks) -> Iterator[str]:
    for block in blocks:
        yield "".join(json.dumps(dict(zip(block, row, strict=True))) + "\n" for row in _rows(block))


def _json(blocks: Blocks) -> Iterator[str]:
    columns: dict[str, list[Any]] = {}
    for block in blocks:
        for name, values in block.items():
            columns.setdefault(name, []).extend(values.tolist())
    yield json.dumps(columns) + "\n"


def _rows(block: dict[str, Array]) -> Iterable[tuple[Any, ...]]:
    return zip(*(values.tolist() for values in block.values()), strict=True)


FORMS: dict[str, Callable[[Blocks], Iterator[str]]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "json": _json,
}
"""Functions that turn blocks of columns into pieces of text, by format."""


def write_parquet(blocks: Blocks, file: IO[bytes]) -> None:
    """Write blocks of columns as a Parquet file, each block as a row group."""
    pyarrow, parquet = import_pyarrow("Parquet"), import_pyarrow("Parquet", "parquet")
    with ExitStack() as stack:
        writer = None
        for block in blocks:
            columns = {name: _vector(pyarrow, values) for name, values in block.items()}
            table = pyarrow.table(columns)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(file, table.schema))
            writer.write_table(table)


def _vector(pyarrow: Any, values: Array) -> Any:
    """Return an Arrow column; its type does not depend on which entries are missing."""
    return pyarrow.array(values, pyarrow.string() if values.dtype.kind in "OU" else None)
