"""What a network's inputs are made of: numbers, scaled; or the columns of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model.columns import COLUMNS, Categorical, Column, Numeric, column_from_dict

__all__ = ["Columns", "Inputs", "Numbers", "inputs_from_dict"]

Array = npt.NDArray[Any]


class Inputs:
    """Turns raw samples into what the network takes.

    Attributes
    ----------
    kind : str
        The name of the class in a model file.
    in_features : int
        How many inputs the network has.
    names : tuple of str or None
        What the columns of raw samples are called.
    input_names : tuple of str or None
        What each of the network's inputs is called.
    """

    kind: ClassVar[str]
    in_features: int
    names: tuple[str, ...] | None
    input_names: tuple[str, ...] | None

    def encode(self, X: Any) -> Any:
        """Return the network's inputs, of shape (n_samples, in_features)."""
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """Return what a file holds as arrays."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return what a file holds as JSON."""
        raise NotImplementedError


class Numbers(Inputs):
    """Samples of numbers, scaled: (x − mean)/scale.

    Parameters
    ----------
    in_features : int
    mean, scale : array of shape (in_features,), optional
        By default numbers stay as they come.
    names : sequence of str, optional
        What they are called. A table must then have these columns, in this order.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If mean, scale and names are not one an input, or a scale is not above 0.

    Examples
    --------
    >>> Numbers(2, mean=np.array([1.0, 5.0])).encode([[1, 7]])
    array([[0., 2.]])
    """

    kind = "numbers"

    def __init__(
        self,
        in_features: int,
        mean: Array | None = None,
        scale: Array | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.in_features = checks.integer(in_features, "in_features", "Numbers")
        self.mean = None if mean is None else self._one_each(mean, "mean")
        self.scale = None if scale is None else self._one_each(scale, "scale")
        if self.scale is not None and (self.scale <= 0).any():
            index = int(np.argmax(self.scale <= 0))
            msg = f"scale of Numbers must be above 0; got {self.scale[index]:g} at index {index}"
            raise InvalidDataError(msg)
        self.names = self.input_names = None if names is None else tuple(names)
        if self.names is not None and (
            len(self.names) != in_features
            or isinstance(names, str)
            or not all(isinstance(name, str) for name in self.names)
        ):
            msg = f"names of Numbers must be {in_features} strings, one an input; got {names}"
            raise InvalidDataError(msg)

    def __repr__(self) -> str:
        scaling = [name for name in ("mean", "scale") if getattr(self, name) is not None]
        named = "" if self.names is None else ", named"
        return f"Numbers({self.in_features}{named}, {' and '.join(scaling) or 'no scaling'})"

    def encode(self, X: Any) -> Any:
        """Return numbers, scaled; as they come, lazy ones too, where there is no scaling.

        Raises
        ------
        InvalidDataError
            If a table has other columns.
        """
        self._check_names(X)
        if self.mean is None and self.scale is None:
            return X
        x = checks.sample_matrix(X, self.in_features, np.float64)
        if self.mean is not None:
            x = x - self.mean
        return x if self.scale is None else x / self.scale

    def arrays(self) -> dict[str, Array]:
        """Return mean and scale, if they are there."""
        pairs = (("mean", self.mean), ("scale", self.scale))
        return {name: array for name, array in pairs if array is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return the names; the number of inputs stands in the architecture."""
        return {"names": self.names}

    def _one_each(self, values: object, name: str) -> Array:
        array = checks.finite_array(values, name, np.float64)
        if array.shape != (self.in_features,):
            msg = (
                f"{name} of Numbers must have shape ({self.in_features},), one an input; got "
                f"{array.shape}"
            )
            raise InvalidDataError(msg)
        return array

    def _check_names(self, X: object) -> None:
        """Raise if a table's columns have not the names of the inputs, in their order."""
        names = getattr(X, "columns", None)
        if self.names is not None and names is not None:
            found = tuple(map(str, names))
            if found != self.names:
                _refuse("X", self.names, found, ", in this order")


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
        InvalidArgumentError, InvalidDataError
            If a kind is of a column that is not there, or no kind; or a column cannot be used.
        """
        table = read_table(X, name)
        kinds = {} if kinds is None else kinds
        for column, kind in kinds.items():
            if column not in table:
                msg = f"kinds are given of column {column!r}; {name} has {', '.join(table)}"
                raise InvalidArgumentError(msg)
            if kind not in COLUMNS:
                msg = f"column {column!r} must be one of {', '.join(COLUMNS)}; got {kind!r}"
                raise InvalidArgumentError(msg)
        guessed = {
            column: Numeric.kind if entries.dtype == np.float64 else Categorical.kind
            for column, entries in table.items()
        }
        return cls([COLUMNS[kind].of(c, table[c]) for c, kind in (guessed | dict(kinds)).items()])

    def encode(self, X: Any, name: str = "X") -> Array:
        """Return the network's inputs, in float32; `name` is what messages call the table.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If a column is missing or beyond those known, or holds what it must not; the message
            names column and row.
        """
        table = read_table(X, name)
        if set(table) != set(self.names):
            _refuse(name, self.names, tuple(table), "")
        n_samples = len(next(iter(table.values())))
        inputs = np.empty((n_samples, self.in_features), np.float32)
        start = 0
        for column in self.columns:
            stop = start + len(column.input_names)
            inputs[:, start:stop] = column.encode(table[column.name])
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


def _refuse(name: str, wanted: tuple[str, ...], found: tuple[str, ...], how: str) -> None:
    """Raise, naming what is missing and what is beyond."""
    missing = [column for column in wanted if column not in found]
    extra = [column for column in found if column not in wanted]
    msg = (
        f"{name} must have the columns {', '.join(wanted)}{how}; missing: "
        f"{', '.join(missing) or 'none'}; beyond them: {', '.join(extra) or 'none'}"
    )
    raise InvalidDataError(msg)
