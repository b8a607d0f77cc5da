"""Checked samples, with what they are trained on or judged by."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from multilayer.data import SparseSamples
from multilayer.errors import InvalidDataError
from multilayer.estimators.settings import Settings
from multilayer.model import Classes
from multilayer.training.arguments import take_rows

__all__ = ["Samples", "as_samples", "set_aside"]

Array = npt.NDArray[Any]


class Samples(NamedTuple):
    """Checked samples with their coded targets and weights."""

    X: Any
    targets: Array
    weight: Array | None

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, rows: Array) -> "Samples":
        """Return some of them."""
        return Samples(*take_rows(self, rows))

    def as_data(self) -> tuple[Any, Array, Array | None]:
        """Return them as `train` takes them."""
        return as_samples(self.X), self.targets, self.weight


def as_samples(X: Any) -> Any:
    """Return samples as the engines take them."""
    return SparseSamples(X) if hasattr(X, "tocsr") else X


def set_aside(
    data: Samples, settings: Settings, random_state: np.random.RandomState
) -> tuple[Samples, Samples]:
    """Return what is trained on and what it is judged by, as scikit-learn divides them.

    Two classes have the same shares of both. Where epochs are judged by their loss, the only sample
    of a class is trained on; where by their score, it is refused, as by scikit-learn.

    Raises
    ------
    InvalidDataError
        If a part would be too small, or without weight.
    """
    strata, rows, kept = None, np.arange(len(data)), np.empty(0, dtype=np.intp)
    if isinstance(settings.targets, Classes):
        if settings.monitor == "validation_loss":
            places = data.targets.ravel().astype(np.intp)
            is_alone = np.bincount(places)[places] == 1
            rows, kept = np.flatnonzero(~is_alone), np.flatnonzero(is_alone)
        if settings.targets.is_binary:
            strata = data.targets[rows].astype(bool)
    share = settings.validation_fraction
    try:
        training, held_out = train_test_split(
            rows, random_state=random_state, test_size=share, stratify=strata
        )
    except ValueError as error:
        msg = f"validation_fraction cannot be {share!r} of {len(data)} samples: {error}"
        raise InvalidDataError(msg) from error
    if len(held_out) < 2:
        msg = (
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
        raise InvalidDataError(msg)
    parts = data.part(np.append(training, kept)), data.part(held_out)
    for name, part in zip(("training", "validation"), parts, strict=True):
        if part.weight is not None and not part.weight.any():
            msg = f"sample_weight must not be zero for every sample of the {name} part"
            raise InvalidDataError(msg)
    return parts
