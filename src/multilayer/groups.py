"""Join named groups of arrays into one mapping, and take them out again."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

__all__ = ["Arrays", "join", "part_of"]

Arrays = dict[str, npt.NDArray[Any]]


def join(groups: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> Arrays:
    """Return the arrays of all groups, each as ``"group.name"``."""
    return {f"{g}.{name}": array for g, arrays in groups.items() for name, array in arrays.items()}


def part_of(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Arrays:
    """Return the arrays of the group called `name` from a mapping that `join` returned.

    Examples
    --------
    >>> import numpy as np
    >>> part_of(join({"a": {"x.y": np.ones(2)}, "b": {"x.y": np.zeros(2)}}), "a")
    {'x.y': array([1., 1.])}
    """
    prefix = f"{name}."
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
