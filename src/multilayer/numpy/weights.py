"""Checks of the weights and running statistics that users set, made before any is used."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidDataError, InvalidTypeError

__all__ = ["check_pairs", "check_state"]

Array = npt.NDArray[Any]


def check_pairs(
    weights: object, own: list[tuple[Array, Array | None]], dtype: npt.DTypeLike
) -> list[tuple[Array, Array]]:
    """Return each of a network's own arrays, paired with the array to copy into it.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If `weights` are not pairs of arrays with the shapes of `own`.
    """
    given = list(weights) if isinstance(weights, (list, tuple)) else None
    if given is None or len(given) != len(own):
        rule = f"must be a list of {len(own)} pairs (W, b)"
        raise InvalidDataError(rule, "weights", got=_described(weights))
    checked: list[tuple[Array, Array]] = []
    for i, (pair, new) in enumerate(zip(own, given, strict=True)):
        if not isinstance(new, (list, tuple)) or len(new) != 2:
            raise InvalidDataError("must be a pair (W, b)", f"weights[{i}]", got=_described(new))
        for j, (array, value) in enumerate(zip(pair, new, strict=True)):
            name = f"weights[{i}][{j}]"
            if array is not None:
                checked.append((array, _fitting(value, name, array, dtype)))
            elif value is not None:
                raise InvalidDataError("must be None: the layer has no bias", name)
    return checked


def check_state(
    state: object, own: dict[str, Array], dtype: npt.DTypeLike
) -> list[tuple[Array, Array]]:
    """Return each of a network's running statistics, paired with the array to copy into it.

    Raises
    ------
    InvalidDataError, InvalidTypeError
        If `state` is not a dict with the names of `own`, or an array does not fit or has a negative
        variance.
    """
    if not isinstance(state, dict):
        raise InvalidTypeError("must be a dict", "state", got=type(state).__name__)
    if set(state) != set(own):
        rule = f"must have the entries {sorted(own)}"
        raise InvalidDataError(rule, "state", got=sorted(map(str, state)))
    checked = []
    for name, array in own.items():
        source = _fitting(state[name], f"state[{name!r}]", array, dtype)
        if name.endswith("variance") and (source < 0).any():
            index = int(np.argmax(source < 0))
            raise InvalidDataError(
                "must not be negative", f"state[{name!r}]", got=f"{source[index]} at index {index}"
            )
        checked.append((array, source))
    return checked


def _fitting(value: object, name: str, array: Array, dtype: npt.DTypeLike) -> Array:
    """Return a value as an array of finite numbers, of the shape of `array`."""
    source = checks.finite_array(value, name, dtype)
    if source.shape != array.shape:
        raise InvalidDataError(f"must have shape {array.shape}", name, got=source.shape)
    return source


def _described(value: object) -> str:
    length = f" of length {len(value)}" if isinstance(value, (list, tuple)) else ""
    return f"{type(value).__name__}{length}"
