"""Setting samples aside for validation."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks, forks
from multilayer.errors import InvalidDataError

__all__ = ["split_validation"]

Array = npt.NDArray[Any]


def split_validation(
    n_samples: int, fraction: float, rng: np.random.Generator, classes: Array | None = None
) -> tuple[Array, Array]:
    """Draw the rows to train on and the rows to validate on.

    Parameters
    ----------
    n_samples : int
        How many rows there are.
    fraction : float
        The share of validation rows, in (0, 1).
    rng : numpy.random.Generator
        Draws the split.
    classes : array of shape (n_samples,), optional
        Labels: both parts get each class in its share of the whole.

    Returns
    -------
    training, validation : array of int

    Raises
    ------
    InvalidDataError
        If a part would be empty, or has fewer rows than there are classes, or a class has a single
        row.
    """
    n_samples = checks.integer(n_samples, "n_samples", "split_validation")
    fraction = checks.real(fraction, "fraction", "split_validation", "(0, 1)")
    with forks.imports:
        from sklearn.model_selection import train_test_split

    if classes is not None:
        labels, counts = np.unique(classes, return_counts=True)
        if counts.min() < 2:
            raise InvalidDataError(
                "a stratified validation split needs at least 2 samples of every class; class "
                f"{labels[counts.argmin()]} has 1"
            )
    try:
        training, validation = train_test_split(
            np.arange(n_samples),
            test_size=fraction,
            stratify=classes,
            random_state=int(rng.integers(2**32)),
        )
    except ValueError as error:
        msg = f"{n_samples} samples cannot be split with validation {fraction:g}: {error}"
        raise InvalidDataError(msg) from error
    return training, validation
