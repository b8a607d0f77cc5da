"""Inputs, the base class of encodings of raw samples as a network's inputs; and Numbers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.data import Notation, Table
from multilayer.data.notes import Note
from multilayer.errors import InvalidDataError
from multilayer.json_text import listed
from multilayer.model.column import parts_of
from multilayer.model.numeric import read_numbers

__all__ = ["Inputs", "Numbers", "refuse_columns"]

Array = npt.NDArray[Any]


class Inputs(ABC):
    """An encoding of raw samples as a network's inputs.

    Each kind is a subclass in ``INPUTS``.

    Attributes
    ----------
    kind : str
        The kind's name in a model file.
    takes_tables : bool
        Whether raw samples are a table with columns of different kinds.
    is_affine : bool
        Whether each input is an affine function of one raw number, so that planes stay planes.
    in_features : int
        The number of the network's inputs.
    names : tuple of str or None
        The names of the columns of raw samples.
    input_names : tuple of str or None
        The names of the network's inputs.
    needed : tuple of str
        The columns that a table must have.
    missing : tuple of str
        Texts that mark missing values, in any column of a table.
    """

    kind: ClassVar[str]
    takes_tables: ClassVar[bool] = False
    is_affine: ClassVar[bool] = False
    in_features: int
    names: tuple[str, ...] | None
    input_names: tuple[str, ...] | None
    needed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @abstractmethod
    def encode(self, X: Any) -> Any:
        """Return the network's inputs, of shape (n_samples, in_features)."""

    def columns_of(self, table: Table) -> Table:
        """Return a table with only the columns of raw samples, or with all if `names` is None.

        Raises
        ------
        InvalidDataError
            If a needed column is missing.
        """
        names = self.names or table.columns
        absent = [name for name in self.needed if name not in table.columns]
        if absent:
            rule = (
                f"must have all inputs of the model; missing: {', '.join(absent)}; found: "
                f"{', '.join(table.columns)}{_same_letters(absent, table.columns)}"
            )
            raise InvalidDataError(rule, table.name)
        return table.select([name for name in names if name in table.columns])

    def from_table(
        self, table: Table, notes: list[Note], notations: dict[str, Notation] | None = None
    ) -> Any:
        """Return samples for `encode` from a table with the needed columns: itself, or numbers.

        Parameters
        ----------
        table : Table
        notes : list of Note
            Notes on decisions that may be wrong are added to it.
        notations : dict of str to Notation, optional
            How each column writes its numbers. Unknown notations are found and added to it, so that
            all blocks of a table are read like the first one.
        """
        if self.takes_tables:
            return table
        decimal, columns = table.shown_decimal(), []
        notations = {} if notations is None else notations
        for name in table.columns:
            numbers, notation = read_numbers(table[name], notes, notations.get(name), decimal)
            notations[name] = notation
            columns.append(numbers)
        return np.column_stack(columns)

    @abstractmethod
    def describe(self) -> Iterable[tuple[str, str]]:
        """Describe raw samples and how they are encoded, as pairs of a name and a text."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """Return the arrays to be saved in a model file."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the values to be saved as JSON in a model file."""

    @classmethod
    @abstractmethod
    def from_dict(
        cls, found: dict[str, Any], in_features: int, arrays: Mapping[str, Array]
    ) -> Self:
        """Return the inputs that `to_dict` saved as `found`, and `arrays` as `arrays`."""

    def _repr_html_(self) -> str | None:
        """Return HTML for notebooks; None for plain text."""
        return None


class Numbers(Inputs):
    """Samples of numbers, scaled as (x − mean)/scale.

    Parameters
    ----------
    in_features : int
    mean, scale : array of shape (in_features,), optional
        By default, numbers are not scaled.
    names : sequence of str, optional
        The names of the inputs; a table must then have these columns, in this order.

    Raises
    ------
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If mean, scale or names do not have one entry per input, or a scale is not above 0.

    Examples
    --------
    >>> Numbers(2, mean=np.array([1.0, 5.0])).encode([[1, 7]])
    array([[0., 2.]])
    """

    kind = "numbers"
    is_affine = True

    def __init__(
        self,
        in_features: int,
        mean: Array | None = None,
        scale: Array | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.in_features = checks.integer(in_features, "in_features", "Numbers")
        vector = partial(checks.vector, length=self.in_features, owner="Numbers", each="input")
        self.mean = None if mean is None else vector(mean, "mean")
        self.scale = None if scale is None else vector(scale, "scale")
        if self.scale is not None and (self.scale <= 0).any():
            index = int(np.argmax(self.scale <= 0))
            raise InvalidDataError(
                "must be above 0", "scale", "Numbers", got=f"{self.scale[index]:g} at index {index}"
            )
        self.names = self.input_names = None if names is None else tuple(names)
        if self.names is not None and (
            len(self.names) != in_features
            or isinstance(names, str)
            or not all(isinstance(name, str) for name in self.names)
        ):
            rule = f"must be {in_features} strings, one per input"
            raise InvalidDataError(rule, "names", "Numbers", got=names)
        self.needed = self.names or ()

    def __repr__(self) -> str:
        scaling = [name for name in ("mean", "scale") if getattr(self, name) is not None]
        named = "" if self.names is None else ", named"
        return f"Numbers({self.in_features}{named}, {' and '.join(scaling) or 'no scaling'})"

    def encode(self, X: Any) -> Any:
        """Return the scaled numbers; without scaling, X itself, which may be lazy.

        Raises
        ------
        InvalidDataError
            If a table has other columns.
        """
        self._check_names(X)
        if self.mean is None and self.scale is None:
            return X
        x = checks.sample_matrix(X, self.in_features, np.float64)
        if self.mean is None:
            return x / self.scale
        x = x - self.mean
        if self.scale is not None:
            x /= self.scale
        return x

    def describe(self) -> Iterable[tuple[str, str]]:
        yield "columns", str(self.in_features) if self.names is None else listed(self.names)
        scaling = "x" if self.mean is None else "(x − mean)"
        yield "scaling", scaling if self.scale is None else f"{scaling} / scale"

    def arrays(self) -> dict[str, Array]:
        """Return the mean and the scale, if there are any."""
        pairs = (("mean", self.mean), ("scale", self.scale))
        return {name: array for name, array in pairs if array is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return the names; the number of inputs is in the architecture."""
        return {"names": self.names}

    @classmethod
    def from_dict(
        cls, found: dict[str, Any], in_features: int, arrays: Mapping[str, Array]
    ) -> Self:
        names = parts_of(found, "inputs", {"names": object})["names"]
        if names is not None and not isinstance(names, list):
            raise InvalidDataError("must be a list", "names", "inputs", got=type(names).__name__)
        return cls(in_features, **arrays, names=names)

    def _check_names(self, X: object) -> None:
        """Raise if a table's columns are not the inputs' names, in order."""
        names = getattr(X, "columns", None)
        if self.names is not None and names is not None:
            found = tuple(map(str, names))
            if found != self.names:
                refuse_columns("X", self.names, found, ", in this order")


def refuse_columns(name: str, wanted: tuple[str, ...], found: tuple[str, ...], how: str) -> None:
    """Raise an error that names the missing and the unexpected columns."""
    missing = [column for column in wanted if column not in found]
    extra = [column for column in found if column not in wanted]
    rule = (
        f"must have the columns {', '.join(wanted)}{how}; missing: "
        f"{', '.join(missing) or 'none'}; unexpected: {', '.join(extra) or 'none'}"
        f"{_same_letters(missing, extra)}"
    )
    raise InvalidDataError(rule, name)


def _same_letters(missing: Sequence[str], found: Sequence[str]) -> str:
    """Point out a missing name that differs from a found one only in its Unicode form, if any."""
    forms = {normalize("NFC", name) for name in found}
    alike = [name for name in missing if normalize("NFC", name) in forms]
    return f"; {alike[0]!r} is there in another Unicode form: rename it" if alike else ""
