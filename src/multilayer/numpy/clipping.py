"""Clipping: limits on a gradient's norm, or on the size of its entries."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks

__all__ = ["Clip", "clip_by_norm", "clip_by_value"]

Array = npt.NDArray[Any]


def clip_by_norm(gradient: Array, max_norm: float) -> Array:
    """Return the gradient with a norm of at most `max_norm` (Pascanu et al. 2013, algorithm 1).

    A gradient that is short enough is returned itself, not a copy.

    Examples
    --------
    >>> clip_by_norm(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    max_norm = checks.real(max_norm, "max_norm", "clip_by_norm", "(0, inf)")
    largest = float(np.abs(gradient).max())
    if largest == 0 or not math.isfinite(largest):
        return gradient
    # Divide by the largest entry first: squares overflow or vanish where the gradient does not.
    scaled = gradient / largest
    norm = math.sqrt(float(scaled @ scaled))
    return scaled * (max_norm / norm) if norm * largest > max_norm else gradient


def clip_by_value(gradient: Array, max_value: float) -> Array:
    """Return the gradient with each entry clipped to [−max_value, max_value].

    Examples
    --------
    >>> clip_by_value(np.array([3.0, -0.5]), 1.0)
    array([ 1. , -0.5])
    """
    max_value = checks.real(max_value, "max_value", "clip_by_value", "(0, inf)")
    return np.clip(gradient, -max_value, max_value)


@dataclass(frozen=True)
class Clip:
    """Keeps a gradient's entries within ±value, and then its norm within `norm`."""

    norm: float | None = None
    value: float | None = None

    def __call__(self, gradient: Array) -> Array:
        """Return the gradient, clipped."""
        if self.value is not None:
            gradient = clip_by_value(gradient, self.value)
        return gradient if self.norm is None else clip_by_norm(gradient, self.norm)
