"""A network's weights under scikit-learn's names, and what has been written to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.errors import InvalidDataError
from multilayer.numpy import MLP

__all__ = ["take_weights", "views_of"]

Array = npt.NDArray[Any]


def views_of(net: MLP) -> tuple[list[Array], list[Array]]:
    """Return W.T and b of each affine layer: views of the network's own."""
    pairs = [(W, b) for W, b in net.weights if W.ndim == 2]
    return [W.T for W, _ in pairs], [b for _, b in pairs if b is not None]


def take_weights(net: MLP, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
    """Copy arrays into the network that have been put in the place of its own views.

    Returns whether there were any.

    Raises
    ------
    InvalidDataError
        If their number or shapes do not fit.
    """
    written = []
    for name, arrays, views in zip(
        ("coefs_", "intercepts_"), (coefs, intercepts), views_of(net), strict=True
    ):
        if len(arrays) != len(views):
            raise InvalidDataError(f"must hold {len(views)} arrays", name, got=len(arrays))
        for i, (array, view) in enumerate(zip(arrays, views, strict=True)):
            if np.shape(array) != view.shape:
                rule = f"must have shape {view.shape}"
                raise InvalidDataError(rule, f"{name}[{i}]", got=np.shape(array))
            if not _is_same(array, view):
                written.append((view, np.array(array)))  # it may be another layer's own
    for view, array in written:
        view[:] = array
    return bool(written)


def _is_same(array: Any, view: Array) -> bool:
    """Return whether an array is this view of the network."""
    if not isinstance(array, np.ndarray):
        return False
    return array.strides == view.strides and array.ctypes.data == view.ctypes.data
