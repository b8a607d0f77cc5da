"""Tables in JSON: one object per line, or a list of objects."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TextIO

import numpy as np

from multilayer.data.entries import Entries, Origin, TextEntries, joined
from multilayer.data.table import Table, read_table
from multilayer.errors import InvalidDataError

__all__ = ["read_json_rows"]

BLOCK = 10_000
"""Rows to process at a time, because Python objects take a lot of memory."""
FORM = "must have one JSON object in each line, or be a list of objects"


def read_json_rows(text: TextIO, path: object) -> Table:
    """Return the table in a JSON file in which each object is a row.

    A value is missing if it is null or NaN, or if its name does not occur in the object.

    Parameters
    ----------
    text : text file
    path : path or str
        The file's name in messages.

    Raises
    ------
    InvalidDataError
        If the file is not JSON of this form, or a value is nested; the message names the line or
        row.
    """
    rows = _checked(_objects(text, path), path)
    names: dict[str, None] = {}
    blocks: list[tuple[int, Table]] = []
    while block := list(islice(rows, BLOCK)):
        own = dict.fromkeys(name for row in block for name in row)
        table = read_table({name: [row.get(name) for row in block] for name in own}, str(path))
        blocks.append((len(block), table))
        names |= own
    origin = Origin(str(path))
    columns = {
        name: [
            table[name] if name in table.columns else _absent(name, origin, n_rows)
            for n_rows, table in blocks
        ]
        for name in names
    }
    return Table(joined(parts, origin) for parts in columns.values())


def _absent(name: str, origin: Origin, n_rows: int) -> Entries:
    return TextEntries(name, origin, np.full(n_rows, -1, np.int32), [])


def _objects(text: TextIO, path: object) -> Iterator[tuple[str, Any]]:
    """Yield where each JSON value is, and the value."""
    beginning = text.read(1_000)
    text.seek(0)
    if beginning.lstrip("\ufeff \t\r\n").startswith("["):
        values = _parsed(text.read(), "", path)
        yield from ((f"row {i:,}", value) for i, value in enumerate(values))
        return
    for number, line in enumerate(text, 1):
        if not line.isspace():
            where = f"line {number:,}"
            yield where, _parsed(line, where, path)


def _parsed(text: str, where: str, path: object) -> Any:
    try:
        return json.loads(text.lstrip("\ufeff"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(f"{FORM}; {where}{': ' * bool(where)}{error}", path) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {max(names, key=names.count)!r} appears twice")
    return found


def _checked(values: Iterable[tuple[str, Any]], path: object) -> Iterator[dict[str, Any]]:
    """Yield the values as rows, after checking that they are flat objects."""
    for where, row in values:
        if not isinstance(row, dict):
            raise InvalidDataError(f"{FORM}; {where} is {_what(row)}", path)
        for name, value in row.items():
            if isinstance(value, (dict, list)):
                rule = f"must have no nested values; {name!r} in {where} is {_what(value)}"
                raise InvalidDataError(rule, path)
        yield row


def _what(value: Any) -> str:
    kinds = {"dict": "an object", "list": "a list", "str": "a string"}
    return kinds.get(type(value).__name__, json.dumps(value))
