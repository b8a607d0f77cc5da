"""A network's initial weights, and its weights under scikit-learn's names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.architecture import Architecture
from multilayer.errors import InvalidDataError
from multilayer.numpy import MLP, ScikitLearn

__all__ = ["network_of", "new_network", "take_weights", "views_of"]

Array = npt.NDArray[Any]


def new_network(architecture: Architecture, dtype: Any, random_state: np.random.RandomState) -> MLP:
    """Return a network whose weights are drawn as scikit-learn draws them."""
    # A RandomState and a Generator draw the same real numbers from the same bits.
    rng = np.random.Generator(random_state._bit_generator)
    initializer = ScikitLearn(2.0 if architecture.activation == "sigmoid" else 6.0)
    return MLP(architecture, dtype=dtype, initializer=initializer, rng=rng)


def network_of(architecture: Architecture, coefs: Sequence[Any], intercepts: Sequence[Any]) -> MLP:
    """Return a network with weights that were set by hand."""
    is_single = all(np.asarray(W).dtype == np.float32 for W in coefs)
    dtype = np.float32 if is_single else np.float64
    net = new_network(architecture, dtype, np.random.RandomState(0))
    take_weights(net, coefs, intercepts)
    return net


def views_of(net: MLP) -> tuple[list[Array], list[Array]]:
    """Return W.T and b of each affine layer, as views of the network's arrays."""
    pairs = [(W, b) for W, b in net.weights if W.ndim == 2]
    return [W.T for W, _ in pairs], [b for _, b in pairs if b is not None]


def take_weights(net: MLP, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
    """Copy into the network the arrays that replace its own views; return whether there were any.

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
                written.append((view, np.array(array)))  # a copy: it may be a view of another layer
    for view, array in written:
        view[:] = array
    return bool(written)


def _is_same(array: Any, view: Array) -> bool:
    """Return whether an array is this view of the network."""
    if not isinstance(array, np.ndarray):
        return False
    return array.strides == view.strides and array.ctypes.data == view.ctypes.data
