"""Clipping: limits on the norm of a gradient, or on the size of its entries."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks

__all__ = ["Clip", "clip_by_norm", "clip_by_value", "shortened"]

Array = npt.NDArray[Any]


def clip_by_norm(gradient: Array, max_norm: float) -> Array:
    """Scale a gradient to a norm of at most `max_norm` (Pascanu et al. 2013, algorithm 1).

    A gradient that is short enough is returned as it is, not as a copy.

    Examples
    --------
    >>> clip_by_norm(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    return shortened(gradient, checks.real(max_norm, "max_norm", "clip_by_norm", "(0, inf)"))


def clip_by_value(gradient: Array, max_value: float) -> Array:
    """Return the gradient with each entry clipped to [−max_value, max_value].

    Examples
    --------
    >>> clip_by_value(np.array([3.0, -0.5]), 1.0)
    array([ 1. , -0.5])
    """
    max_value = checks.real(max_value, "max_value", "clip_by_value", "(0, inf)")
    return np.clip(gradient, -max_value, max_value)


def shortened(vectors: Array, max_norm: Any) -> Array:
    """Scale vectors, along the last axis, to a norm of at most `max_norm`.

    Vectors that are short enough or not finite stay unchanged; if all do, `vectors` is returned
    itself.
    """
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    is_usable = (largest > 0) & np.isfinite(largest)
    if not is_usable.any():
        return vectors
    # Divide by the largest entry first: squares can overflow or vanish where the entries do not.
    scaled = vectors / np.where(is_usable, largest, 1)
    norm = np.sqrt(np.vecdot(scaled, scaled)[..., np.newaxis].astype(np.float64))
    is_long = is_usable & (norm * largest > max_norm)
    if not is_long.any():
        return vectors
    factor = (max_norm / np.where(is_usable, norm, 1)).astype(vectors.dtype)
    return np.where(is_long, scaled * factor, vectors)


@dataclass(frozen=True)
class Clip:
    """Keeps a gradient's entries within ±value, and then its norm within `norm`.

    For K gradients, of shape (K, n), both are numbers or arrays of shape (K, 1).
    """

    norm: Any = None
    value: Any = None

    def __call__(self, gradient: Array) -> Array:
        """Return the gradient, clipped."""
        if self.value is not None:
            gradient = np.clip(gradient, -self.value, self.value)
        return gradient if self.norm is None else shortened(gradient, self.norm)
