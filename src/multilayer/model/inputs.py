"""What a network's inputs are made of; numbers, scaled."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError

__all__ = ["Inputs", "Numbers", "refuse_columns"]

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
            raise InvalidDataError(
                "must be above 0", "scale", "Numbers", got=f"{self.scale[index]:g} at index {index}"
            )
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
        if self.mean is None:
            return x / self.scale
        x = x - self.mean
        if self.scale is not None:
            x /= self.scale
        return x

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
            rule = f"must have shape ({self.in_features},), one an input"
            raise InvalidDataError(rule, name, "Numbers", got=array.shape)
        return array

    def _check_names(self, X: object) -> None:
        """Raise if a table's columns have not the names of the inputs, in their order."""
        names = getattr(X, "columns", None)
        if self.names is not None and names is not None:
            found = tuple(map(str, names))
            if found != self.names:
                refuse_columns("X", self.names, found, ", in this order")


def refuse_columns(name: str, wanted: tuple[str, ...], found: tuple[str, ...], how: str) -> None:
    """Raise, naming what is missing and what is beyond."""
    missing = [column for column in wanted if column not in found]
    extra = [column for column in found if column not in wanted]
    rule = (
        f"must have the columns {', '.join(wanted)}{how}; missing: "
        f"{', '.join(missing) or 'none'}; beyond them: {', '.join(extra) or 'none'}"
    )
    raise InvalidDataError(rule, name)
