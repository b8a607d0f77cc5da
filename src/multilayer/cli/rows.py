"""A CSV file's rows to train on and to test on, and what is to be predicted of them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from multilayer import checks
from multilayer.cli.samples import read_csv
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.registry import Names

__all__ = ["MOST_CLASSES", "Rows"]

TASKS = Names("task", ["classes", "values"])
MOST_CLASSES = 20
"""Whole numbers with more different values than this are values, unless --task says otherwise."""
LEAST_ROWS = 20
"""A tenth of them decides when to stop, which takes two."""


class Rows(NamedTuple):
    """A table's rows to train on and to test on, and what is to be predicted of them."""

    X_train: Any
    X_test: Any
    y_train: Any
    y_test: Any
    target: str
    task: str

    @classmethod
    def read(
        cls,
        file: Path,
        target: str | None,
        task: str | None,
        drop: list[str],
        categorical: list[str],
        test: float,
        seed: int,
    ) -> "Rows":
        """Return what the arguments of ``mlp train table`` name.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, MissingPackageError
            If the file cannot be used, has no such column, or too few rows.
        """
        test = checks.real(test, "test", "mlp", "(0, 1)")
        # As they are written: "02139" is no 2139.
        X = read_csv(file, "FILE must be a CSV file", dtype=dict.fromkeys(categorical, str))
        names = [str(name) for name in X.columns]
        for name in drop:
            Names("--drop", names).check(name)
        target = Names("--target", names).check(target) if target else names[-1]
        if target in drop:
            msg = f"--target cannot be {target!r}, which is dropped"
            raise InvalidArgumentError(msg)
        X = X.drop(columns=drop)
        _check_finite(file, X)
        y = X.pop(target)
        for name in categorical:
            Names("--categorical", X.columns).check(name)
        if not X.shape[1]:
            msg = (
                f"{file} must have inputs beside the target, separated by commas; there are none "
                f"beside {target!r}"
            )
            raise InvalidDataError(msg)
        task = _task_of(y, task)
        X_train, X_test, y_train, y_test = _divided(file, X, y.to_numpy(), task, test, seed)
        return cls(X_train, X_test, y_train, y_test, target, task)

    def estimator(self, **parameters: Any) -> Any:
        """Return what learns this task."""
        from multilayer.estimators import MLPClassifier, MLPRegressor

        if self.task == "classes":
            return MLPClassifier(**parameters)
        return MLPRegressor(scale_targets=True, **parameters)


def _check_finite(file: Path, table: Any) -> None:
    """Raise for an infinite number, with its row in the file: parts of it have other rows."""
    numbers = table.select_dtypes("number")
    places = np.argwhere(np.isinf(numbers.to_numpy()))
    if len(places):
        row, column = places[0]
        msg = (
            f"column {numbers.columns[column]!r} must hold finite numbers; {file} has "
            f"{numbers.iat[row, column]} in row {row + 1} below its header"
        )
        raise InvalidDataError(msg)


def _task_of(y: Any, asked: str | None) -> str:
    """Return whether a column is predicted as classes or values: as asked, or by its entries.

    Raises
    ------
    InvalidDataError
        If its entries are not fit for that.
    """
    column = f"column {y.name!r}"
    if y.isna().any():
        msg = (
            f"{column}, the target, must have an entry in every row; "
            f"{int(y.isna().sum()):,} of {len(y):,} have none"
        )
        raise InvalidDataError(msg)
    has_fractions = y.dtype.kind == "f" and bool((y != y.round()).any())
    task = "classes"
    if asked is not None:
        task = TASKS.check(asked)
    elif has_fractions or (y.dtype.kind in "iuf" and y.nunique() > MOST_CLASSES):
        task = "values"
    if task == "values" and y.dtype.kind not in "biuf":
        msg = f"{column} must hold numbers to be predicted as values; it has words"
        raise InvalidDataError(msg)
    if task == "classes" and has_fractions:
        msg = f"{column} must hold words or whole numbers to be predicted as classes"
        raise InvalidDataError(msg)
    if task == "classes" and y.nunique() < 2:
        msg = f"{column}, the target, must have two classes at least; all are {y.tolist()[0]!r}"
        raise InvalidDataError(msg)
    return task


def _divided(file: Path, X: Any, y: Any, task: str, test: float, seed: int) -> list[Any]:
    """Return inputs to train on and to test on, and their targets, each class in either part."""
    from sklearn.model_selection import train_test_split

    strata = y if task == "classes" else None
    try:
        parts = train_test_split(X, y, test_size=test, random_state=seed, stratify=strata)
    except ValueError as error:
        msg = f"{file} cannot be divided to train and to test on: {error}"
        raise InvalidDataError(msg) from error
    n_train, n_test = map(len, parts[:2])
    if n_test < 2 or n_train < LEAST_ROWS:
        msg = (
            f"{file} must leave {LEAST_ROWS} rows to train on and 2 to test on; with --test "
            f"{test:g} it leaves {n_train} and {n_test}"
        )
        raise InvalidDataError(msg)
    return list(parts)
