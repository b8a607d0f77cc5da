"""The columns of a table as a network's inputs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.data import as_numbers, as_words, holds_numbers, read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.column import (
    COLUMNS,
    MAX_WORDS,
    Categorical,
    Column,
    Numeric,
    column_from_dict,
)
from multilayer.model.inputs import Inputs, Numbers, refuse_columns

__all__ = ["Columns", "inputs_from_dict"]

Array = npt.NDArray[Any]

MANY = 10
"""Entries of which one at least ought to be known; more than twice as many numerals, among which
less than every tenth is another word, are no names."""

N_SHOWN = 6
"""Of a column's inputs, those that a notebook shows."""


class Columns(Inputs):
    """The columns of a table: numbers scaled and gaps filled, words as an input each.

    Parameters
    ----------
    columns : sequence of Numeric and Categorical
        In the order of the inputs; see those for what becomes of entries.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If there is none, or two have one name.

    Examples
    --------
    >>> people = {"age": [20, 30, 40, None], "job": ["cook", "baker", "cook", "cook"]}
    >>> columns = Columns.of(people)
    >>> columns.input_names
    ('age', 'age is missing', 'job = baker', 'job = cook')
    >>> columns.encode({"job": ["cook", "smith"], "age": [30, None]})
    array([[0., 0., 0., 1.],
           [0., 1., 0., 0.]], dtype=float32)
    """

    kind = "columns"
    names: tuple[str, ...]
    input_names: tuple[str, ...]

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        for column in self.columns:
            if not isinstance(column, tuple(COLUMNS.values())):
                msg = f"columns must be Numeric or Categorical; got {type(column).__name__}"
                raise InvalidTypeError(msg)
        self.names = tuple(column.name for column in self.columns)
        if not self.names or len(set(self.names)) < len(self.names):
            msg = f"columns must be at least one, with a name each; got {self.names}"
            raise InvalidDataError(msg)
        self.input_names = tuple(name for column in columns for name in column.input_names)
        self.in_features = len(self.input_names)

    def __repr__(self) -> str:
        kinds = [column.kind for column in self.columns]
        parts = (f"{kinds.count(kind)} {kind}" for kind in COLUMNS if kind in kinds)
        return f"Columns({', '.join(parts)} → {self.in_features} inputs)"

    def _repr_html_(self) -> str:
        """Let notebooks show the columns as a table."""
        rows = []
        for column in self.columns:
            inputs, n_more = column.input_names, len(column.input_names) - N_SHOWN
            told = ", ".join(inputs[:N_SHOWN]) + (f" and {n_more:,} more" if n_more > 0 else "")
            rows.append(
                f"<tr><td>{escape(column.name)}</td><td>{column.kind}</td>"
                f"<td>{escape(told)}</td></tr>"
            )
        return (
            "<table><thead><tr><th>column</th><th>kind</th><th>inputs</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    @classmethod
    def of(cls, X: Any, kinds: Mapping[str, str] | None = None, name: str = "X") -> Self:
        """Return the columns that a training table asks for.

        Parameters
        ----------
        X : data frame, mapping or array-like
            What `multilayer.data.read_table` reads.
        kinds : mapping of str to {'numeric', 'categorical'}, optional
            What columns are; by default those of numbers are numeric, all others categorical.
        name : str
            What messages call the table.

        Raises
        ------
        InvalidArgumentError, InvalidDataError, InvalidTypeError
            If a kind is of a column that is not there, or no kind; or a column cannot be used.

        Warns
        -----
        UserWarning
            If nearly all words of a column are numerals, as a mark among numbers makes them, or a
            column has more words than a vocabulary holds.
        """
        table = read_table(X, name)
        kinds = {} if kinds is None else kinds
        if not isinstance(kinds, Mapping):
            msg = f"kinds of Columns.of must be a mapping; got {type(kinds).__name__}"
            raise InvalidTypeError(msg)
        for column, kind in kinds.items():
            if column not in table:
                msg = f"kinds are given of column {column!r}; {name} has {', '.join(table)}"
                raise InvalidArgumentError(msg)
            if not isinstance(kind, str) or kind not in COLUMNS:
                msg = f"column {column!r} must be one of {', '.join(COLUMNS)}; got {kind!r}"
                raise InvalidArgumentError(msg)
        columns: list[Column] = []
        for column, entries in table.items():
            default = Numeric.kind if holds_numbers(entries) else Categorical.kind
            if kinds.get(column, default) == Numeric.kind:
                columns.append(Numeric.of(column, as_numbers(entries, _told(column, name))))
            else:
                words = as_words(entries)
                columns.append(Categorical.of(column, words))
                _warn_of_rare_words(columns[-1], words, name)
                if column not in kinds:
                    _warn_of_numbers(columns[-1], name)
        return cls(columns)

    def encode(self, X: Any, name: str = "X") -> Array:
        """Return the network's inputs, in float32; `name` is what messages call the table.

        Rows, whose columns have no names, are taken by their places. Where a column of words has
        none that is known, a warning says so.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If a column is missing or beyond those known, or holds what it must not; the message
            names column and row.
        """
        table = read_table(X, name, self.names)
        if set(table) != set(self.names):
            refuse_columns(name, self.names, tuple(table), "")
        n_samples = len(next(iter(table.values())))
        inputs = np.empty((n_samples, self.in_features), np.float32)
        start = 0
        for column in self.columns:
            stop = start + len(column.input_names)
            entries = table[column.name]
            if isinstance(column, Numeric):
                numbers = as_numbers(entries, _told(column.name, name))
                inputs[:, start:stop] = column.encode(numbers)
            else:
                words = as_words(entries)
                inputs[:, start:stop] = column.encode(words)
                _warn_of_strangers(column, words, name)
            start = stop
        return inputs

    def arrays(self) -> dict[str, Array]:
        """Return nothing: all of it goes into JSON."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return the columns: names, kinds, medians, scales and vocabularies."""
        return {"columns": [{"kind": c.kind, **asdict(c)} for c in self.columns]}


def inputs_from_dict(found: Any, in_features: int, arrays: dict[str, Array]) -> Inputs:
    """Return the inputs that a file tells of.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If it tells of none.
    """
    kind = found.get("kind") if isinstance(found, dict) else None
    for cls, part in ((Numbers, "names"), (Columns, "columns")):
        if kind == cls.kind and set(found) == {"kind", part}:
            break
    else:
        msg = "inputs must be an object of kind numbers with names, or of kind columns with columns"
        raise InvalidDataError(msg)
    told: Any = found[part]
    if not isinstance(told, list) and (told is not None or cls is Columns):
        msg = f"{part} of inputs must be a list; got {type(told).__name__}"
        raise InvalidDataError(msg)
    if cls is Numbers:
        return Numbers(in_features, **arrays, names=told)
    if arrays:
        msg = f"inputs of kind columns have no {', '.join(arrays)}"
        raise InvalidDataError(msg)
    return Columns([column_from_dict(column) for column in told or ()])


def _warn_of_rare_words(column: Column, words: list[str | None], table: str) -> None:
    """Warn where a column has more words than its vocabulary holds."""
    assert isinstance(column, Categorical)
    if len(column.words) < MAX_WORDS:
        return
    present = [word for word in words if word is not None]
    n_words = len(set(present))
    if n_words > len(column.words):
        kept = set(column.words)
        share = sum(word in kept for word in present) / len(present)
        msg = (
            f"{_told(column.name, table)} has {n_words:,} words; the {len(kept)} most frequent are "
            f"kept, which are {share:.0%} of its entries: if they are numbers, give them as numbers"
        )
        warnings.warn(msg, stacklevel=3)


def _warn_of_numbers(column: Column, table: str) -> None:
    """Warn where words look like numbers that a word among them has made words of."""
    assert isinstance(column, Categorical)
    others = [word for word in column.words if not _is_numeral(word)]
    if len(column.words) > 2 * MANY and len(others) < len(column.words) / MANY:
        besides = f", and others such as {others[0]!r}" if others else ""
        msg = (
            f"the words of {_told(column.name, table)} are numbers, such as {column.words[0]!r}"
            f"{besides}: if they are not names, give them as numbers and gaps; else say "
            f"{{{column.name!r}: 'categorical'}}"
        )
        warnings.warn(msg, stacklevel=3)


def _is_numeral(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _warn_of_strangers(column: Categorical, words: list[str | None], table: str) -> None:
    """Warn where a column of many words has none that is known."""
    found = {word for word in words if word is not None}
    if len(words) - words.count(None) >= MANY and found.isdisjoint(column.words):
        msg = (
            f"no word of {_told(column.name, table)} is known, such as {min(found)!r}; it was "
            f"trained on such as {column.words[0]!r}"
        )
        warnings.warn(msg, stacklevel=3)


def _told(column: str, table: str) -> str:
    return f"column {column!r} of {table}"
