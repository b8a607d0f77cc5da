"""Random splits into samples to train on and samples to validate or test on."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks, forks
from multilayer.errors import InvalidDataError

__all__ = ["are_alone", "split_at_random", "split_rows", "split_validation"]

Array = npt.NDArray[Any]


def split_rows(
    n_samples: int,
    fraction: float,
    random_state: int | np.random.RandomState,
    strata: Array | None = None,
    *,
    kept: Array | None = None,
    rule: str = "cannot be split",
    parameter: object = "samples",
) -> tuple[Array, Array]:
    """Draw the rows to train on and the held-out rows, like scikit-learn's `train_test_split`.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    fraction : float
        The share of rows that are held out.
    random_state : int or numpy.random.RandomState
        Draws the split.
    strata : array of shape (n_samples,), optional
        Each value has about the same share in both parts.
    kept : array of bool, of shape (n_samples,), optional
        Rows that are never held out; they come last among the training rows.
    rule, parameter
        The text of an error, and what it is about: see `multilayer.errors.MultilayerError`.

    Returns
    -------
    training, held_out : array of int

    Raises
    ------
    InvalidDataError
        If a part would be empty or have fewer rows than there are strata, or if a stratum has only
        one row.
    """
    with forks.imports:
        from sklearn.model_selection import train_test_split

    rows = np.arange(n_samples)
    always = rows[:0] if kept is None else rows[kept]
    rows = rows if kept is None else rows[~kept]
    try:
        training, held_out = train_test_split(
            rows,
            test_size=fraction,
            stratify=None if strata is None else strata[rows],
            random_state=random_state,
        )
    except ValueError as error:
        raise InvalidDataError(f"{rule}: {error}", parameter) from error
    return np.append(training, always), held_out


def split_at_random(n_samples: int, share: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw the rows to train on, at least one, and the held-out rows, possibly none."""
    order = rng.permutation(n_samples)
    n_held_out = min(int(share * n_samples), n_samples - 1)
    return order[n_held_out:], order[:n_held_out]


def are_alone(classes: Array) -> Array:
    """Return which samples are the only ones of their class."""
    _, places, counts = np.unique(classes.ravel(), return_inverse=True, return_counts=True)
    return np.asarray(counts[places] == 1)


def split_validation(
    n_samples: int, fraction: float, rng: np.random.Generator, classes: Array | None = None
) -> tuple[Array, Array]:
    """Draw the rows to train on and the rows to validate on.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    fraction : float
        The share of validation rows, in (0, 1).
    rng : numpy.random.Generator
        Draws the split.
    classes : array of shape (n_samples,), optional
        Labels; each class then has about the same share in both parts.

    Returns
    -------
    training, validation : array of int

    Raises
    ------
    InvalidDataError
        If a part would be empty or have fewer rows than there are classes, or if a class has only
        one row.
    InvalidArgumentError, InvalidTypeError
        If `n_samples` is not a positive integer, or `fraction` is not in (0, 1).
    """
    n_samples = checks.integer(n_samples, "n_samples", "split_validation")
    fraction = checks.real(fraction, "fraction", "split_validation", "(0, 1)")
    if classes is not None and (alone := are_alone(classes)).any():
        raise InvalidDataError(
            "a stratified validation split needs at least 2 samples of every class; class "
            f"{classes[alone].min()} has 1"
        )
    return split_rows(
        n_samples,
        fraction,
        int(rng.integers(2**32)),
        classes,
        rule=f"cannot be split with validation {fraction:g}",
        parameter=f"{n_samples} samples",
    )
