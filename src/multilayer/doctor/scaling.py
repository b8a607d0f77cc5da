"""Inputs and targets far from the scale that initial weights and learning rates assume."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Evidence, Finding, severity_of

__all__ = ["unscaled_inputs", "unscaled_targets"]

Array = npt.NDArray[Any]

LARGE, WRONG_LARGE = 10.0, 100.0
"""Root mean square of a column. Initial weights and learning rates assume 1 (LeCun et al. 1998,
section 4.3). At a mean square of 100, the loss is so steep along this column that it needs a
hundredth of the rate that suits the others."""
SMALL = 0.01
"""Root mean square of the largest column: below it, z is the bias for every sample."""


def unscaled_inputs(case: Case) -> Iterator[Finding]:
    """Find columns much larger than 1, or inputs that are all much smaller.

    Embedded inputs are left out: positions and categories have a scale of their own.
    """
    columns = np.arange(case.net.architecture.in_features)
    if (found := case.net.architecture.embeddings) is not None:
        columns = np.delete(columns, found.places)
    size = _root_mean_square(case.training.X[:, columns])
    largest = float(size.max(initial=0))
    if SMALL <= largest <= LARGE or largest == 0:
        return
    column, names = int(columns[size.argmax()]), case.model.inputs.input_names
    values = case.training.X[:, column]
    evidence: Evidence = {
        "columns": int((size > LARGE).sum() if largest > LARGE else len(size)),
        "largest column": column if names is None else names[column],
        "its mean": float(values.mean()),
        "its standard deviation": float(values.std()),
    }
    what = "much larger" if largest > LARGE else "much smaller"
    yield Finding(
        "unscaled_inputs",
        severity_of(largest > WRONG_LARGE or largest < SMALL**2),
        evidence,
        f"The inputs that reach the network are {what} than 1: initial weights and learning rates "
        "assume columns with mean 0 and standard deviation 1.",
        "Subtract each column's mean and divide by its standard deviation, both from the training "
        "samples: sklearn.preprocessing.StandardScaler.",
    )


def unscaled_targets(case: Case) -> Iterator[Finding]:
    """Find regression targets much larger or smaller than 1."""
    if case.loss.task != "regression" or case.net.architecture.output != "identity":
        return
    size = _root_mean_square(case.training.targets)
    largest = float(size.max())
    if SMALL <= largest <= LARGE or largest == 0:
        return
    values = case.training.targets[:, int(size.argmax())]
    yield Finding(
        "unscaled_targets",
        severity_of(largest > WRONG_LARGE or largest < SMALL**2),
        {"mean": float(values.mean()), "standard deviation": float(values.std())},
        "The targets are far from mean 0 and standard deviation 1, where a network's outputs "
        "start: training spends its steps on the scale, or the gradients have the wrong scale.",
        "Train on (y − mean)/std and undo it when predicting: MLPRegressor(scale_targets=True), or "
        "sklearn.compose.TransformedTargetRegressor.",
    )


def _root_mean_square(values: Array) -> Array:
    return np.sqrt(np.square(values).mean(axis=0))
