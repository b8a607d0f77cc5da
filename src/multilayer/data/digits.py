"""The handwritten digits that scikit-learn bundles: 1,797 images of 8 × 8 pixels."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.data.split import split_rows

__all__ = ["Digits", "load_digits"]

Array = npt.NDArray[Any]


class Digits(NamedTuple):
    """The digits, split into training and test set, and standardised."""

    X_train: Array
    """Shape (1437, 64), float32: pixels minus `mean`, divided by `scale`."""
    y_train: Array
    """Shape (1437,): the digit, 0 to 9."""
    X_test: Array
    """Shape (360, 64), float32."""
    y_test: Array
    """Shape (360,)."""
    mean: Array
    """Shape (64,): each pixel's mean over the training images, of brightness 0 to 16."""
    scale: Array
    """Shape (64,): each pixel's standard deviation there; 1 for pixels that never change."""


def load_digits() -> Digits:
    """Return the digits in a fixed split, with a fifth of each class in the test set.

    The images are the test set of Alpaydin & Kaynak 1998, "Optical recognition of handwritten
    digits" (UCI Machine Learning Repository). All are standardised by the mean and standard
    deviation of the training images.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.X_train.shape, digits.X_test.shape
    ((1437, 64), (360, 64))
    """
    with forks.imports:
        from sklearn import datasets
        from sklearn.preprocessing import StandardScaler

    bundled = datasets.load_digits()
    X, y = bundled.data, bundled.target
    train, test = split_rows(len(y), 0.2, 0, y)
    scaler = StandardScaler().fit(X[train])
    return Digits(
        X_train=scaler.transform(X[train]).astype(np.float32),
        y_train=y[train],
        X_test=scaler.transform(X[test]).astype(np.float32),
        y_test=y[test],
        mean=scaler.mean_,
        scale=scaler.scale_,
    )
