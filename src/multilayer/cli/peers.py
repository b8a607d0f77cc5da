"""Other models to compare a table's model with, trained and tested on the same rows."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from multilayer.cli.notes import note, notes
from multilayer.cli.rows import Rows
from multilayer.data import Table, TableWarning
from multilayer.evaluation.linear import linear_model
from multilayer.model import Categorical, Columns, Numeric

__all__ = ["LABELS", "baseline", "peers", "predicted_by"]

Array = npt.NDArray[Any]

LABELS = {
    "linear": "linear model",
    "hist_gradient_boosting": "HistGradientBoosting",
    "baseline": "baseline",
}
MOST_PRODUCTS = 10**9
"""Maximum number of products per iteration of a linear model, which takes about a minute in all."""
MOST_CODES = 255
"""Maximum number of categories in a column that scikit-learn's trees treat as categorical."""


def predicted_by(estimator: Any, X: Any) -> Any:
    """Return the predictions: probabilities with the classes, or values."""
    if hasattr(estimator, "classes_"):
        return estimator.predict_proba(X), estimator.classes_
    return estimator.predict(X)


def baseline(rows: Rows) -> Any:
    """Return the predictions of the best constant: class frequencies, or the mean."""
    n = len(rows.y_test)
    if rows.task == "regression":
        return np.full(n, np.average(rows.y_train, weights=rows.weight_train))
    classes, codes = np.unique(rows.y_train, return_inverse=True)
    counts = np.bincount(codes, rows.weight_train)
    return np.tile(counts / counts.sum(), (n, 1)), classes


def peers(rows: Rows, kinds: dict[str, str], *, trees: bool) -> Iterator[Any]:
    """Yield the name and the predictions of a linear model and, optionally, of boosted trees.

    A model that fails is left out, with a note.
    """
    with notes(TableWarning):  # printed for the command's own model already
        columns = Columns.of(rows.X_train.weighted(rows.weight_train), kinds)
    for name, fit in (("linear", _linear), ("hist_gradient_boosting", _boosted)):
        if name != "linear" and not trees:
            continue
        label = LABELS[name]
        try:
            with (
                Console(stderr=True).status(f"{label} …"),
                notes(TableWarning),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                predicted = fit(rows, columns)
        except (ValueError, MemoryError) as error:
            note(f"no {label} to compare with: {str(error).partition(chr(10))[0]}")
        else:
            yield name, predicted


def _linear(rows: Rows, columns: Columns) -> Any:
    """Return the predictions of logistic or ridge regression on scaled and one-hot columns."""
    X = columns.encode(rows.X_train)
    is_slow = X.shape[0] * X.shape[1] * len(np.unique(rows.y_train)) > MOST_PRODUCTS
    if rows.task == "classification" and is_slow:
        raise ValueError("it would take too long")
    model = linear_model(rows.task)
    model.fit(X[:], rows.y_train, rows.weight_train)
    return predicted_by(model, columns.encode(rows.X_test)[:])


def _boosted(rows: Rows, columns: Columns) -> Any:
    """Return the predictions of scikit-learn's HistGradientBoosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier as Classifier
    from sklearn.ensemble import HistGradientBoostingRegressor as Regressor

    X, are_codes = _for_trees(rows.X_train, columns)
    kind: Any = Classifier if rows.task == "classification" else Regressor
    model = kind(categorical_features=are_codes, random_state=0)
    model.fit(X, rows.y_train, rows.weight_train)
    return predicted_by(model, _for_trees(rows.X_test, columns)[0])


def _for_trees(X: Table, columns: Columns) -> tuple[Array, Array]:
    """Return inputs for trees and which are categorical: NaN stays, categories become codes."""
    table, parts, are_codes = columns.read(X), [], []
    for column in columns.columns:
        if not column.input_names:
            continue
        entries = table[column.name]
        if isinstance(column, Numeric):
            part = column.values(entries, [])
        else:
            part = column.encode(entries, [])
        parts.append(part.reshape(len(part), -1).astype(np.float64))
        is_code = isinstance(column, Categorical) and len(column.input_names) <= MOST_CODES
        are_codes += [is_code] * parts[-1].shape[1]
    return np.hstack(parts), np.array(are_codes)
