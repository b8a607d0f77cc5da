"""Columns: a table's columns as a network's inputs."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from itertools import accumulate, pairwise, starmap
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer.caller import warn
from multilayer.data import Table, Tally, read_table
from multilayer.data.notes import Note, TableWarning
from multilayer.data.row import OTHER, plain_row
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.column import Column, parts_of
from multilayer.model.encoded import EncodedTable
from multilayer.model.ignored import Ignored
from multilayer.model.inputs import Inputs, refuse_columns
from multilayer.model.matching import COLUMNS, matched
from multilayer.model.scaled import Scaled

__all__ = ["COLUMNS", "Columns"]

Array = npt.NDArray[Any]


class Columns(Inputs):
    """The columns of a table: scaled numbers, one-hot categories, and dates as time and phases.

    Parameters
    ----------
    columns : sequence of Column
        In the order of the inputs; see `Numeric`, `Categorical`, `Date` and `Ignored` for how they
        encode entries.
    missing : sequence of str
        Texts that mark missing values, in any column.

    Attributes
    ----------
    needed : tuple of str
        The names of the columns that make inputs; a table may lack the others.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If no column makes inputs, or two have the same name.

    Examples
    --------
    >>> people = {"age": [20, 30, 40, None], "job": ["cook", "baker", "cook", "cook"]}
    >>> columns = Columns.of(people)
    >>> columns.input_names
    ('age', 'age is missing', 'job = baker', 'job = cook')
    >>> columns.encode({"job": ["baker", "cook"], "age": [30, None]})[:]
    array([[0., 0., 1., 0.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    kind = "columns"
    takes_tables = True
    names: tuple[str, ...]
    input_names: tuple[str, ...]

    def __init__(self, columns: Sequence[Column], missing: Sequence[str] = ()) -> None:
        self.columns, self.missing = tuple(columns), tuple(missing)
        for column in self.columns:
            if not isinstance(column, Column):
                rule = "must be instances of Column"
                raise InvalidTypeError(rule, "columns", got=type(column).__name__)
        self.names = tuple(column.name for column in self.columns)
        if not self.names or len(set(self.names)) < len(self.names):
            rule = "must be at least one, with distinct names"
            raise InvalidDataError(rule, "columns", got=self.names)
        self.input_names = tuple(name for column in columns for name in column.input_names)
        self.needed = tuple(column.name for column in columns if column.input_names)
        self.in_features = len(self.input_names)
        if not self.in_features:
            raise InvalidDataError("at least one column must be used; all are ignored")

    def __repr__(self) -> str:
        kinds = [column.kind for column in self.columns]
        parts = (f"{kinds.count(kind)} {kind}" for kind in reversed([*COLUMNS]) if kind in kinds)
        n = self.in_features
        return f"Columns({', '.join(parts)} → {n} input{'s' * (n != 1)})"

    def _repr_html_(self) -> str:
        """Let notebooks show the columns as a table."""
        rows = (
            f"<tr><td>{escape(column.name)}</td><td>{escape(str(column))}</td>"
            f"<td>{len(column.input_names):,}</td></tr>"
            for column in self.columns
        )
        return (
            "<table><thead><tr><th>column</th><th>taken as</th><th>inputs</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    @classmethod
    def of(
        cls,
        X: Any,
        kinds: Mapping[str, str] | None = None,
        name: str = "X",
        *,
        embedded: bool = False,
        tallies: Mapping[str, Tally] | None = None,
    ) -> Self:
        """Return the columns that fit a training table.

        By default, a column is numeric if it holds numbers (also as text in one notation),
        booleans, durations or times of day; a date column if it holds dates; and otherwise
        categorical. A column from which nothing can be learned is ignored: one with no or hardly
        any entries, with a single value, or with identifiers, which are texts that are nearly all
        distinct, or whole numbers that are, under a name such as ``id``. If `embedded`, a column
        that repeats an earlier one is ignored too.

        Parameters
        ----------
        X : data frame, mapping or array-like
            A table, as `multilayer.data.read_table` reads it.
        kinds : mapping of str to str, optional
            The kind of some columns: ``"numeric"``, ``"categorical"``, ``"date"`` or ``"ignored"``;
            or ``"numeric: decimal comma"``, ``"numeric: decimal point"``, ``"date: day first"`` or
            ``"date: month first"`` if the entries are ambiguous.
        name : str
            The table's name in messages.
        embedded : bool
            Whether the columns are for a network that learns embeddings: see `embeddings`.
        tallies : mapping of str to Tally, optional
            Counts over all rows, if `X` is a sample of them: see `multilayer.data.Survey`. They
            decide which columns are ignored, which have missing values, and how many rows each
            category has; the sample decides the rest. It is accurate enough: the share of all rows
            below a quantile of n sampled rows has a standard error of at most 0.5/√n, which is
            0.0016 for n = 100,000.

        Raises
        ------
        InvalidArgumentError, InvalidDataError, InvalidTypeError
            If `kinds` names an unknown column or kind, a column is not of its given kind, or all
            columns are ignored.

        Warns
        -----
        TableWarning
            If a decision may be wrong, or columns are ignored.
        """
        table = read_table(X, name)
        kinds = {} if kinds is None else kinds
        all_rows = {c: tally for c, tally in (tallies or {}).items() if len(tally) > len(table)}
        results = matched(table, kinds, all_rows)
        notes = [note for result in results for note in result.notes]
        found: list[Column] = []
        for each in results:
            column = each.column
            assert column is not None
            entries, tally = table[column.name], all_rows.get(column.name)
            found.append(
                column.embedded(entries, tally)
                if embedded
                else column.limited(notes, entries, tally)
            )
        if embedded:
            found = _without_twins(found, table, kinds)
        for note in notes:
            warn(TableWarning(str(note), (note,)))
        ignored = [c for c in found if isinstance(c, Ignored) and c.reason]
        if ignored:
            reasons = _listed(ignored)
            if len(ignored) == len(found):
                rule = f"has no column that can be learned from: {reasons}"
                raise InvalidDataError(rule, table.name)
            msg = f"nothing can be learned from these columns of {table.name}, which are ignored: "
            warn(TableWarning(msg + reasons, ()))
        return cls(found, table.missing)

    def numbers(self, name: str, X: Any) -> Array:
        """Return a column of numbers, or of dates in seconds, as float64, with NaN if missing.

        Raises
        ------
        InvalidArgumentError
            If there is no such column, or it holds neither numbers nor dates.
        """
        column = next((column for column in self.columns if column.name == name), None)
        if not isinstance(column, Scaled):
            of = ", ".join(repr(each.name) for each in self.columns if isinstance(each, Scaled))
            rule = f"must be a column of numbers or dates, not ignored: {of or 'there is none'}"
            got = repr(name) if column is None else f"{name!r}, which is {column}"
            if isinstance(column, Ignored) and not column.reason:
                got += " by columns="
            raise InvalidArgumentError(rule, "time", got=got)
        return column.values(self.read(X)[name], [])

    def embeddings(self, width: int, speed: float) -> Embeddings | None:
        """Return the embeddings of a network with these columns; None if no input has one."""
        numbers: list[tuple[int, int]] = []
        categories: list[tuple[int, int]] = []
        for column, places in self.used:
            for own in column.embeddings:
                pairs = numbers if own.is_number else categories
                pairs.append((places.start + own.place, own.size))
        if not numbers and not categories:
            return None
        return Embeddings(tuple(numbers), tuple(categories), width, speed)

    def encode(self, X: Any, name: str = "X") -> EncodedTable | Array:
        """Return the network's inputs: encoded when they are read, or at once for a single row.

        Columns without names are matched by position.

        Parameters
        ----------
        X : data frame, mapping or array-like
        name : str
            The table's name in messages.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If a column is missing, unknown, or holds an invalid entry; the message names the column
            and the row.

        Warns
        -----
        TableWarning
            If there are categories not seen in training, or a column of numbers or dates has other
            entries.
        """
        row = self.row(X)
        if row is not None:
            return self.encode_row(row, X, name)
        return _encoded(self.read(X, name), [column for column, _ in self.used])

    def row(self, X: Any) -> dict[str, Any] | None:
        """Return the entries of X for `encode_row` if it is one row in a common form, else None."""
        row = None if self.missing else plain_row(X, self.names)
        if row is None or row.keys() - self._unused != set(self.needed):
            return None
        return row

    def encode_row(self, row: Mapping[str, Any], X: Any, name: str = "X") -> Array:
        """Return the inputs of the single row X, whose entries are in `row`, as `encode` does."""
        inputs, others = np.zeros((1, self.in_features), np.float32), []
        are_open = np.zeros(self.in_features, bool)
        for column, places in self.used:
            entry = row[column.name]
            if entry is OTHER or not column.encode_entry(entry, inputs[0, places]):
                others.append(column)
                are_open[places] = True
        if others:
            skip = set(self.names) - {column.name for column in others}
            table = read_table(X, name, self.names, skip=skip)
            inputs[:, are_open] = _encoded(table, others)[:]
        return inputs

    def read(self, X: Any, name: str = "X") -> Table:
        """Return the columns of a table that make inputs; raise as `encode` does."""
        table = read_table(X, name, self.names, skip=self._unused)
        if set(table.columns) - self._unused != set(self.needed):
            refuse_columns(table.name, self.needed, table.columns, "")
        return table.select(self.needed).without(self.missing)

    @cached_property
    def _unused(self) -> frozenset[str]:
        return frozenset(self.names) - set(self.needed)

    @cached_property
    def used(self) -> list[tuple[Column, slice]]:
        """The columns that make inputs, each with the positions of its inputs."""
        ends = list(accumulate(len(column.input_names) for column in self.columns))
        places = starmap(slice, pairwise([0, *ends]))
        pairs = zip(self.columns, places, strict=True)
        return [(column, own) for column, own in pairs if own.start < own.stop]

    def describe(self) -> Iterable[tuple[str, str]]:
        return ((column.name, str(column)) for column in self.columns)

    def arrays(self) -> dict[str, Array]:
        """Return no arrays: everything goes into JSON."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return the columns: names, kinds, medians, scales and categories."""
        columns = [column.to_dict() for column in self.columns]
        return {"columns": columns, "missing": list(self.missing)}

    @classmethod
    def from_dict(
        cls, found: dict[str, Any], in_features: int, arrays: Mapping[str, Array]
    ) -> Self:
        parts = parts_of(found, "inputs", {"columns": list, "missing": tuple})
        if arrays:
            raise InvalidDataError(f"inputs of kind columns have no {', '.join(arrays)}")
        return cls([column_from_dict(column) for column in parts["columns"]], parts["missing"])


def _encoded(table: Table, columns: Sequence[Column]) -> EncodedTable:
    """Return the inputs that these columns make of a table; issue their notes as warnings."""
    notes: list[Note] = []
    parts = [column.encode(table[column.name], notes) for column in columns]
    for note in notes:
        warn(TableWarning(str(note), (note,)))
    return EncodedTable(parts, [len(column.input_names) for column in columns])


def column_from_dict(found: Any) -> Column:
    """Return the column that a file describes.

    Raises
    ------
    InvalidDataError
        If `found` does not describe a column.
    """
    kind = found.get("kind") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in COLUMNS:
        rule = f"must be an object with a kind of {', '.join(COLUMNS)}"
        raise InvalidDataError(rule, "a column")
    return COLUMNS[kind].from_dict({name: value for name, value in found.items() if name != "kind"})


def _without_twins(columns: Sequence[Column], table: Table, kinds: Collection[str]) -> list[Column]:
    """Return columns; one with the inputs of an earlier one is ignored, unless `kinds` names it."""
    alike = Counter(replace(column, name="") for column in columns)
    first: dict[Any, str] = {}
    found = []
    for column in columns:
        nameless = replace(column, name="")
        if column.input_names and alike[nameless] > 1:
            inputs = column.encode(table[column.name], [])
            twin = first.setdefault((nameless, inputs.tobytes()), column.name)
            if twin != column.name and column.name not in kinds:
                column = Ignored(column.name, f"the same as {twin!r}")
        found.append(column)
    return found


def _listed(ignored: Sequence[Ignored]) -> str:
    """List ignored columns, grouped by reason."""
    reasons: dict[str, list[str]] = {}
    for column in ignored:
        reasons.setdefault(column.reason, []).append(repr(column.name))
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
