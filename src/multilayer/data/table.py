"""Table: typed columns by name, read from the tables of any library."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.data.entries import Entries, Origin, joined
from multilayer.data.vectors import entries_of
from multilayer.errors import InvalidDataError, InvalidTypeError

__all__ = [
    "Table",
    "are_numbered",
    "check_columns",
    "in_memory",
    "names_of_frame",
    "read_table",
    "without_index",
]

Array = npt.NDArray[Any]


class Table:
    """A table's columns, each typed once by `read_table`.

    It is similar to a data frame, but its rows are only numbered, and its columns hold only types
    that a network can learn from.

    Parameters
    ----------
    columns : iterable of Entries
        Columns of equal length.
    decimal : {".", ","}, optional
        The decimal mark of numbers written as text, used if the texts leave it open.
    date_order : {"day first", "month first"}, optional
        The order of dates written as text, used if the texts leave it open.
    missing : tuple of str
        Texts that mark missing values, in any column.

    Attributes
    ----------
    columns : tuple of str
        The columns' names.
    name : str
        The table's name in messages.
    shape : tuple of int
        The numbers of rows and columns.

    Raises
    ------
    InvalidDataError
        If the columns' lengths differ.

    Examples
    --------
    >>> homes = read_table({"rooms": [3, None], "kind": ["flat", "house"]})
    >>> homes
    Table(2 rows: rooms, kind)
    >>> homes.take(np.array([1]))["kind"].categories()
    (array([0], dtype=int32), ['house'])
    """

    ndim = 2

    def __init__(
        self,
        columns: Iterable[Entries],
        *,
        decimal: str | None = None,
        date_order: str | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        self._entries = {entries.column: entries for entries in columns}
        self.columns = tuple(self._entries)
        self._origin = next((e.origin for e in self._entries.values()), Origin())
        self.name = self._origin.table
        self.decimal, self.date_order, self.missing = decimal, date_order, missing
        lengths = {name: len(entries) for name, entries in self._entries.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidDataError("must have columns of equal length", self.name, got=lengths)
        self.shape = (next(iter(lengths.values()), 0), len(lengths))

    @classmethod
    def join(cls, tables: Sequence["Table"], name: str, *, are_files: bool = False) -> "Table":
        """Return the rows of several tables, one below the other.

        Parameters
        ----------
        tables : sequence of Table
            At least one; all must have the columns of the first, in any order.
        name : str
            The name of the new table in messages.
        are_files : bool
            Whether messages about a row name its original table and its number there.

        Raises
        ------
        InvalidDataError
            If a table's columns differ from those of the first; the message names both.

        Examples
        --------
        >>> few, more = read_table({"a": [1], "b": ["x"]}), read_table({"b": ["y"], "a": [0.5]})
        >>> Table.join([few, more], "both")["a"].values
        array([1. , 0.5])
        """
        first, *others = tables
        for number, table in enumerate(others, 2):
            check_columns(table, first.columns, first.name, 0 if are_files else number)
        starts = accumulate((len(table) for table in tables), initial=0)
        parts = zip(starts, (table._origin for table in tables), strict=False)
        origin = Origin(name, parts=tuple(parts) if are_files else ())
        return first.with_columns(
            joined([table[column] for table in tables], origin) for column in first.columns
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @overload
    def __getitem__(self, key: str) -> Entries: ...

    @overload
    def __getitem__(self, key: slice | Array | Sequence[Any]) -> "Table": ...

    def __getitem__(self, key: Any) -> Any:
        """Return a column, by its name; or some of the rows, which scikit-learn needs."""
        if isinstance(key, str):
            return self._entries[key]
        return self.take(np.arange(len(self))[key])

    def __repr__(self) -> str:
        return f"Table({len(self):,} row{'s' * (len(self) != 1)}: {', '.join(self.columns)})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the entries as Python objects, None if missing, which scikit-learn needs."""
        columns = [entries.objects() for entries in self._entries.values()]
        return np.array(columns, dtype=object).T.astype(object if dtype is None else dtype)

    def take(self, rows: Array) -> "Table":
        """Return some of the rows."""
        origins: dict[int, Origin] = {}  # usually one for all columns
        parts = []
        for entries in self._entries.values():
            key = id(entries.origin)
            if key not in origins:
                origins[key] = entries.origin.part(rows)
            parts.append(entries.take(rows, origins[key]))
        return self.with_columns(parts)

    def weighted(self, weight: Array | None) -> "Table":
        """Return the rows whose weight is not 0; all rows if `weight` is None."""
        return self if weight is None else self.take(np.flatnonzero(weight))

    def select(self, names: Iterable[str]) -> "Table":
        """Return some of the columns."""
        return self.with_columns([self._entries[name] for name in names])

    def without(self, missing: Iterable[str]) -> "Table":
        """Return a table in which these texts are missing values, in all columns."""
        missing = tuple(missing)
        if missing == self.missing:  # already missing, or no texts
            return self
        columns = [entries.without(missing) for entries in self._entries.values()]
        return Table(columns, decimal=self.decimal, date_order=self.date_order, missing=missing)

    def shown_decimal(self) -> str | None:
        """Return the decimal mark that the columns' texts show; None if they show none or both."""
        found = [entries.find_notation() for entries in self._entries.values()]
        shown = {each.shows for each in found if each is not None and each.shows}
        return shown.pop() if len(shown) == 1 else None

    def with_columns(self, columns: Iterable[Entries]) -> "Table":
        """Return a table of other columns, with the same options for reading texts."""
        return Table(
            columns, decimal=self.decimal, date_order=self.date_order, missing=self.missing
        )


def read_table(
    X: object,
    name: str = "X",
    names: Sequence[str] | None = None,
    *,
    skip: Collection[str] = (),
) -> Table:
    """Return a table with typed columns.

    Numbers remain numbers; texts and categories become distinct texts and their positions; dates
    become seconds; types that no network can use, such as lists, become unusable entries. Missing
    values are None, NaN, a library's own marks, masked entries, and empty or blank texts.

    Parameters
    ----------
    X : data frame, mapping or array-like of shape (n_samples, n_columns)
        A frame of pandas, polars, pyarrow or another library that narwhals supports; a lazy frame,
        which is collected; a pyarrow Dataset; an iterator of tables with the same columns; a
        mapping of names to vectors; or rows, which may be mappings. Columns numbered 0, 1, … have
        no names, like the columns of rows; other names are converted to strings.
    name : str
        The table's name in messages.
    names : sequence of str, optional
        Names for columns without names; ``x0``, ``x1``, … by default.
    skip : collection of str
        Columns not to read.

    Raises
    ------
    InvalidDataError
        If two columns have the same name or different lengths, a column is not a vector, the number
        of columns is not that of `names`, or the tables of an iterator have different columns.
    InvalidTypeError
        If X is not a table.

    Examples
    --------
    >>> table = read_table({"age": [39, None], "job": ["baker", ""], "size": np.array([1.5, 2])})
    >>> table
    Table(2 rows: age, job, size)
    >>> table["job"].categories()
    (array([ 0, -1], dtype=int32), ['baker'])
    """
    X = in_memory(X, name, names, skip=skip)
    if isinstance(X, Table):
        return X
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, Mapping) for row in X):
        X = {column: [row.get(column) for row in X] for column in {k: 0 for row in X for k in row}}
    if isinstance(X, Mapping):
        pairs = _with_text(list(X), list(X.values()), name, names)
    elif isinstance(X, (np.ndarray, list, tuple)):
        pairs = _of_rows(X, name, names)
    else:
        pairs = _of_frame(X, name, names, skip)
    origin = Origin(name)
    columns: dict[str, Entries] = {}
    for column, values in pairs:
        if column in columns:
            raise _twice(name, column)
        if column not in skip:
            columns[column] = entries_of(values, column, origin)
    return Table(columns.values())


def in_memory(
    X: object, name: str, names: Sequence[str] | None = None, *, skip: Collection[str] = ()
) -> Any:
    """Read a lazy frame, a pyarrow Dataset or an iterator into memory; return all else as it is."""
    if isinstance(X, Iterator):
        tables = [read_table(part, name, names, skip=skip) for part in X]
        if not tables:
            raise InvalidDataError("must yield at least one table; got none", name)
        return Table.join(tables, name)
    made: Any = X
    is_dataset = type(X).__module__.startswith("pyarrow") and hasattr(X, "to_table")
    if not (is_dataset or hasattr(type(X), "collect")):
        return X
    try:
        if is_dataset:
            return made.to_table()
        with forks.imports:
            import narwhals as nw

        return nw.from_native(made).collect().to_native()
    except Exception as error:  # a library may raise anything in any step of a query
        what = str(error).partition("\n")[0]  # polars adds the whole plan
        raise InvalidDataError(f"cannot be read into memory: {what}", name) from error


def names_of_frame(X: Any) -> list[Any]:
    """Return the column names of a frame of any library."""
    if hasattr(type(X), "column_names"):  # pyarrow's `columns` are the columns themselves
        return list(X.column_names)
    names = X.schema.names if hasattr(type(X), "to_struct_array") else X.columns
    return names.tolist() if hasattr(names, "tolist") else list(names)  # faster with pandas


def without_index(X: Any) -> Any:
    """Return a pyarrow table without the columns that hold the index of a pandas frame."""
    if not hasattr(type(X), "to_struct_array") or b"pandas" not in (X.schema.metadata or {}):
        return X
    metadata = X.schema.metadata
    try:
        index = json.loads(metadata[b"pandas"])["index_columns"]
        return X.drop_columns([name for name in index if name in X.column_names])
    except (ValueError, TypeError, LookupError):  # not written by pandas
        return X


def are_numbered(names: list[Any]) -> bool:
    """Return whether columns are numbered 0, 1, …, as pandas does if they have no names."""
    return all(type(name) is int for name in names) and names == [*range(len(names))]


def check_columns(table: Table, columns: Sequence[str], first: str, part: int = 0) -> None:
    """Raise if a table's columns are not those of the first table, in any order.

    Parameters
    ----------
    table : Table
    columns, first
        The columns and the name of the first table.
    part : int
        The number of `table`, counted from 1, if all have the same name; otherwise 0.

    Raises
    ------
    InvalidDataError
        The message names the missing and the unexpected columns.
    """
    if set(table.columns) == set(columns):
        return
    missing = [name for name in columns if name not in table.columns]
    extra = [name for name in table.columns if name not in columns]
    before = f"the first ({', '.join(columns)})" if part else first
    raise InvalidDataError(
        f"must have the columns of {before}; missing: {', '.join(missing) or 'none'}; unexpected: "
        f"{', '.join(extra) or 'none'}",
        f"part {part} of {table.name}" if part else table.name,
    )


def _twice(table: str, column: str) -> InvalidDataError:
    rule = "must have a different name for each column: rename one"
    return InvalidDataError(rule, table, got=f"{column!r} twice")


def _of_rows(X: Any, name: str, names: Sequence[str] | None) -> list[tuple[str, Any]]:
    """Return the columns of rows."""
    try:
        rows = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    except ValueError as error:
        raise InvalidDataError(f"must be a table: {error}", name) from error
    if rows.ndim != 2:
        rule = "must be a table, of shape (n_samples, n_columns)"
        raise InvalidDataError(rule, name, got=rows.shape)
    return _named([rows[:, i] for i in range(rows.shape[1])], name, names)


def _named(columns: list[Any], name: str, names: Sequence[str] | None) -> list[tuple[str, Any]]:
    """Return the columns with `names`, or with default names."""
    if names is None:
        names = [f"x{i}" for i in range(len(columns))]
    if len(names) != len(columns):
        rule = f"must have {len(names)} column{'s' * (len(names) != 1)} ({', '.join(names)})"
        raise InvalidDataError(rule, name, got=len(columns))
    return list(zip(names, columns, strict=True))


def _of_frame(
    X: Any, name: str, names: Sequence[str] | None, skip: Collection[str]
) -> list[tuple[str, Any]]:
    """Return a frame's columns without those to skip: getting a column is slow."""
    with forks.imports:
        import narwhals as nw  # imported here: prediction from vectors needs only NumPy

    if type(X).__module__.startswith("pyarrow") and hasattr(X, "to_struct_array"):
        with forks.imports:
            import pyarrow as pa

        X = pa.table(X)  # X may be a record batch
    X = without_index(X)
    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError as error:
        rule = "must be a data frame in memory, a mapping or rows"
        raise InvalidTypeError(rule, name, got=type(X).__name__) from error
    except nw.exceptions.DuplicateError as error:
        found = names_of_frame(X)
        raise _twice(name, max(found, key=found.count)) from error
    places = list(range(len(frame.columns)))
    pairs = _with_text(list(frame.columns), places, name, names)
    return [(column, frame[:, i]) for column, i in pairs if column not in skip]


def _with_text(
    found: list[Any], columns: list[Any], name: str, names: Sequence[str] | None
) -> list[tuple[str, Any]]:
    """Return columns with their names as strings.

    Columns numbered 0, 1, … have no names: the numbers are positions, in any order.
    """
    texts = [str(each) for each in found]
    if set(texts).isdisjoint(names or ()):
        by_place = {i: known for i, known in enumerate(names or ()) if known == f"x{i}"}
        if are_numbered(found) and (len(found) == len(names or found) or not by_place):
            return _named(columns, name, names)
        texts = [
            by_place.get(each, text) if type(each) is int else text
            for each, text in zip(found, texts, strict=True)
        ]
    return list(zip(texts, columns, strict=True))
