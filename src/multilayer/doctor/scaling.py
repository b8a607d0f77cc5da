"""Inputs and targets that are far from the size for which weights and rates are made."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.doctor.case import Case
from multilayer.doctor.finding import Evidence, Finding, severity_of

__all__ = ["unscaled_inputs", "unscaled_targets"]

Array = npt.NDArray[Any]

LARGE, WRONG_LARGE = 10.0, 100.0
"""Root mean square, about 0. First weights and learning rates are made for 1 (LeCun et al. 1998,
section 4.3). Of squared size 100 the loss is so much steeper along one column than along others
that a rate which suits it is a hundredth of what the others need."""
SMALL = 0.01
"""Root mean square of the largest column: z is then the bias, whatever the sample."""


def unscaled_inputs(case: Case) -> Iterator[Finding]:
    """Find columns that are much larger than 1, or inputs that are all much smaller."""
    size = _root_mean_square(case.training.X)
    largest = float(size.max())
    if SMALL <= largest <= LARGE or largest == 0:
        return
    column, names = int(size.argmax()), case.model.inputs.input_names
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
        f"Inputs are {what} than 1 as the network sees them: first weights and learning rates are "
        "made for columns of mean 0 and standard deviation 1.",
        "Subtract each column's mean and divide by its standard deviation, both of the training "
        "samples: sklearn.preprocessing.StandardScaler.",
    )


def unscaled_targets(case: Case) -> Iterator[Finding]:
    """Find real targets that are much larger or smaller than 1."""
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
        "Targets are far from mean 0 and standard deviation 1, which is where a network's outputs "
        "begin: the training spends its steps on the size, or its gradients are out of scale.",
        "Train on (y − mean)/std and undo it when predicting: MLPRegressor(scale_targets=True), or "
        "sklearn.compose.TransformedTargetRegressor.",
    )


def _root_mean_square(values: Array) -> Array:
    return np.sqrt(np.square(values).mean(axis=0))
