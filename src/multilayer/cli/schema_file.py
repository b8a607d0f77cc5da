"""Schema files: the kinds of a table's columns, in TOML that people can edit."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from multilayer.cli.columns import Described
from multilayer.errors import InvalidDataError
from multilayer.json_text import printable
from multilayer.model import COLUMNS
from multilayer.registry import Names

__all__ = ["GENERAL", "Schema", "read_schema", "written"]

GENERAL: dict[str, tuple[type, str]] = {
    "separator": (str, "the character between cells, or tab"),
    "encoding": (str, "such as utf-8 or cp1252"),
    "decimal": (str, ". or , for columns where it is not clear"),
    "date_order": (str, "day first or month first, for columns where it is not clear"),
    "missing": (list, "texts that mean a missing value, in any column"),
    "target": (str, "the column to predict"),
    "task": (str, "classification or regression"),
    "group": (str, "the column of groups; rows of one group stay together"),
    "time": (str, "the column of times; the latest rows are for testing"),
    "weight": (str, "the column of the rows' weights"),
}
"""The keys before the columns, each with its type and its meaning."""
ALLOWED = {"decimal": (".", ","), "date_order": ("day first", "month first")}
BARE = re.compile(r"[A-Za-z0-9_-]+")
WAYS = [
    way
    for kind, cls in COLUMNS.items()
    for way in (kind, *(f"{kind}: {option}" for option in cls.options))
]
"""The kinds of columns, with and without an option."""


class Schema(NamedTuple):
    """The content of a schema file."""

    path: Path
    general: dict[str, Any]
    """The keys before the columns."""
    kinds: dict[str, str]
    """The kind of each column, in the form that `multilayer.model.Columns.of` takes."""

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise if the schema names a column that is not in a table; suggest the nearest name."""
        for name in self.kinds:
            Names(f"a column of {self.path}", names).check(name)


def read_schema(path: Path) -> Schema:
    """Read a schema file.

    Raises
    ------
    InvalidDataError, UnknownNameError, InvalidTypeError
        If there is no such file, or it is not a valid schema; the message names the file, the key
        and what is expected.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InvalidDataError(f"there is no file {path}") from error
    except OSError as error:
        raise InvalidDataError(f"cannot be read: {error.strerror}", path) from error
    except ValueError as error:  # invalid TOML, or not UTF-8
        rule = f"must be a schema in TOML, as mlp schema writes it: {error}"
        raise InvalidDataError(rule, path) from error
    columns = found.pop("columns", {})
    for key, value in found.items():
        Names(f"a key of {path}", [*GENERAL, "columns"]).check(key)
        _check_value(path, key, value)
    if not isinstance(columns, dict):
        raise InvalidDataError("must be a table", f"columns of {path}", got=repr(columns))
    return Schema(path, found, {name: _kind(path, name, own) for name, own in columns.items()})


def _check_value(path: Path, key: str, value: Any) -> None:
    kind, _ = GENERAL[key]
    is_right = isinstance(value, kind)
    if kind is list and is_right:
        is_right = all(isinstance(text, str) for text in value)
    if not is_right:
        rule = "must be a list of strings" if kind is list else "must be a string"
        raise InvalidDataError(rule, f"{key} of {path}", got=repr(value))
    if key in ALLOWED and value not in ALLOWED[key]:
        rule = f"must be {' or '.join(map(repr, ALLOWED[key]))}"
        raise InvalidDataError(rule, f"{key} of {path}", got=repr(value))


def _kind(path: Path, name: str, own: Any) -> str:
    """Return the kind of a column."""
    where = f"columns.{_key(name)} of {path}"
    for key in own if isinstance(own, dict) else ():
        Names(f"a key of {where}", ["kind"]).check(key)
    if not isinstance(own, dict) or not own:
        raise InvalidDataError("must be a table with a kind", where, got=repr(own))
    return Names(f"the kind in {where}", WAYS).check(own["kind"])


def written(source: object, general: Mapping[str, Any], columns: Sequence[Described]) -> str:
    """Return the text of a schema file.

    Parameters
    ----------
    source : path
        The file of the table, named in the first line.
    general : mapping
        The keys before the columns; None if not given.
    columns : sequence of Described
    """
    lines = [
        f"# The columns of {printable(str(source))}. Edit them, and pass this file to",
        "# mlp train table or mlp tune with --schema.",
        f"# A kind is one of: {', '.join(WAYS)}.",
        "# Here, before the columns, these keys are allowed:",
        *(f"#   {key}: {what}" for key, (_, what) in GENERAL.items()),
        "",
        *(f"{key} = {_value(general[key])}" for key in GENERAL if general.get(key)),
    ]
    for each in columns:
        lines += ["", *(f"# {printable(text)}" for text in _comments(each))]
        lines += [f"[columns.{_key(each.name)}]", f"kind = {_text(each.way)}"]
    return "\n".join(lines) + "\n"


def _comments(column: Described) -> list[str]:
    shares = (
        f"{column.missing_share:.1%} missing, {column.n_distinct:,} distinct | {column.becomes}"
    )
    examples = "; ".join(column.examples)
    return [f"{examples or 'no examples'} | {shares}", *column.notes]


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _value(value: str | Sequence[str]) -> str:
    return _text(value) if isinstance(value, str) else f"[{', '.join(map(_text, value))}]"


def _text(text: str) -> str:
    """Return a TOML string: TOML has JSON's escapes, but also forbids a raw U+007F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
