"""Arrays of classes as JSON: their values and their type."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError

__all__ = ["classes_from_dict", "classes_to_dict"]

Array = npt.NDArray[Any]

NUMBERS = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip
TEXTS = ("str", "object")
"""Strings of fixed width, and Python strings in an array of objects."""
MAX_BYTES = 2**28
"""The size limit of an array of strings of fixed width, where one long string widens them all."""


def classes_to_dict(classes: Array) -> dict[str, Any]:
    """Return an array of classes as values that JSON can hold.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        Booleans, integers, finite floats or strings.

    Raises
    ------
    InvalidDataError
        If they are anything else.

    Examples
    --------
    >>> classes_to_dict(np.array([3, 7], dtype=np.uint8))
    {'dtype': 'uint8', 'values': [3, 7]}
    """
    kind = "str" if classes.dtype.kind == "U" else classes.dtype.name
    values = classes.tolist()
    if kind == "object" and not all(isinstance(value, str) for value in values):
        kind = "object, not all of which are strings"
    if kind not in (*NUMBERS, *TEXTS):
        rule = "must be booleans, integers, floats or strings"
        raise InvalidDataError(rule, "classes", got=f"dtype {kind}")
    if classes.dtype.kind == "f" and not np.isfinite(classes).all():
        raise InvalidDataError("must be finite", "classes", got=classes)
    _check_width(kind, values)
    return {"dtype": kind, "values": [str(v) for v in values] if kind == "object" else values}


def classes_from_dict(found: object) -> Array:
    """Return the array given to `classes_to_dict`; strings are as wide as the longest one.

    Raises
    ------
    InvalidDataError
        If `found` does not describe such an array.
    """
    if not isinstance(found, dict) or set(found) != {"dtype", "values"}:
        raise InvalidDataError("must be an object with dtype and values", "classes")
    kind, values = found["dtype"], found["values"]
    if kind not in (*NUMBERS, *TEXTS):
        rule = f"must have a dtype of {', '.join((*NUMBERS, *TEXTS))}"
        raise InvalidDataError(rule, "classes", got=repr(kind))
    wanted = {"b": bool, "i": int, "u": int, "f": float}.get(np.dtype(kind).kind, str)
    if not isinstance(values, list) or any(type(value) is not wanted for value in values):
        raise InvalidDataError(f"classes of dtype {kind} must be a list of {wanted.__name__}")
    _check_width(kind, values)
    try:
        with np.errstate(over="ignore"):  # infinite values are refused below
            classes = np.array(values, dtype=kind)
    except OverflowError as error:
        raise InvalidDataError(f"must fit into {kind}: {error}", "classes") from error
    if wanted is float and not np.isfinite(classes).all():
        raise InvalidDataError(f"must be finite in {kind}", "classes")
    return classes


def _check_width(kind: str, values: list[Any]) -> None:
    """Raise if an array of strings of fixed width would be larger than `MAX_BYTES`."""
    if kind == "str" and 4 * len(values) * max(map(len, values), default=0) > MAX_BYTES:
        raise InvalidDataError("classes that are long strings must come in an array of objects")
