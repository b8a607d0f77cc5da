"""Checked samples, as the engines take them and split into training and validation."""

from typing import Any

import numpy as np

from multilayer.data import SparseSamples
from multilayer.data.split import are_alone, split_rows
from multilayer.errors import InvalidDataError
from multilayer.estimators.settings import Settings
from multilayer.samples import Data

__all__ = ["as_samples", "set_aside"]


def as_samples(X: Any) -> Any:
    """Return samples in the form that the engines take."""
    return SparseSamples(X) if hasattr(X, "tocsr") else X


def set_aside(
    data: Data, settings: Settings, random_state: np.random.RandomState
) -> tuple[Data, Data]:
    """Return the training and the validation part, split as scikit-learn does.

    Two classes have the same shares in both parts. If epochs are judged by the loss, the only
    sample of a class goes to training; if by the score, it is refused, as in scikit-learn.

    Raises
    ------
    InvalidDataError
        If a part would be too small, or all its weights zero.
    """
    strata = kept = None
    if settings.targets.has_one_class:
        if settings.monitor == "validation_loss":
            kept = are_alone(data.targets)
        if settings.targets.out_features == 1:
            strata = data.targets.astype(bool)
    share = settings.validation_fraction
    training, held_out = split_rows(
        data.n_samples,
        share,
        random_state,
        strata,
        kept=kept,
        rule=f"cannot be {share!r} of {data.n_samples} samples",
        parameter="validation_fraction",
    )
    if len(held_out) < 2:
        raise InvalidDataError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return data.divided(training, held_out)
