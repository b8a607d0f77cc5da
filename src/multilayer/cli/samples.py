"""Samples that a model is to look at: a CSV file, read as the model takes it, or bundled images."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from multilayer.data import as_words, load_digits, load_images
from multilayer.errors import InvalidDataError, MissingPackageError, MultilayerError
from multilayer.model import Categorical, Classes, Columns, Model, Numbers, Numeric
from multilayer.registry import Names

__all__ = [
    "BUNDLED",
    "ModelFile",
    "SampleFile",
    "Samples",
    "Target",
    "read_csv",
    "read_known",
    "read_samples",
]

BUNDLED = ("digits", "mnist")

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that --save has written.")]
SampleFile = Annotated[
    str,
    typer.Argument(metavar="DATA", help="A CSV file with a header, digits, or mnist."),
]
Target = Annotated[
    str | None,
    typer.Option(
        help="The target's column in the CSV file; by default the one that is no input of the "
        "model, or else the last."
    ),
]


class Samples(NamedTuple):
    """Samples, their targets, and others to validate on where there are."""

    X: Any
    y: Any
    validation: tuple[Any, Any] | None
    guess: str = ""
    """Which column was taken as the target, where nothing says so: the end of a message."""

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Let errors end with the guess, which may be what they come from."""
        try:
            yield
        except MultilayerError as error:
            error.args = (f"{error}{self.guess}",)
            raise


def read_samples(data: str, target: str | None, data_dir: Path | None, model: Model) -> Samples:
    """Return the samples that the arguments of a command name.

    Raises
    ------
    InvalidDataError
        If there is no such file, or it cannot be used.
    MissingPackageError
        If pandas is not installed, and a CSV file is to be read.
    """
    return _images(data, data_dir) if data in BUNDLED else _table(data, target, model)


def _images(name: str, data_dir: Path | None) -> Samples:
    """Return the images as they come, raw, with the test images to validate on."""
    if name == "digits":
        d = load_digits()
        X_train, X_test = (X * d.scale + d.mean for X in (d.X_train, d.X_test))
        return Samples(X_train, d.y_train, (X_test, d.y_test))
    images = load_images(name, data_dir=data_dir)
    return Samples(images.X_train.pixels, images.y_train, (images.X_test.pixels, images.y_test))


def _table(path: str, target: str | None, model: Model) -> Samples:
    """Return a CSV file's columns, and its target, as the model takes them."""
    table = read_csv(path, f"DATA must be a CSV file or one of {', '.join(BUNDLED)}")
    if table.shape[1] < 2:
        msg = f"{path} must have inputs and a target; got {table.shape[1]} column"
        raise InvalidDataError(msg)
    names = [str(name) for name in table.columns]
    inputs = model.inputs.names
    left, guess = [name for name in names if name not in (inputs or names)], ""
    told = model.information.get("data")
    if target is None and isinstance(told, dict) and told.get("target") in names:
        target = told["target"]
    if target is not None:
        Names("--target", names).check(target)
    elif len(left) == 1:
        target = left[0]
    else:
        target = names[-1]
        guess = f"; the last column, {target}, is taken as the target: --target names another"
    read_known(path, table, model, target)
    X, y = table.drop(columns=target), table[target]
    if inputs is not None and set(inputs) <= set(X.columns):
        X = X[list(inputs)]  # what else is in the file the model was not given either
    no_numbers = [str(name) for name in X.columns if X[name].dtype.kind not in "biuf"]
    if no_numbers and isinstance(model.inputs, Numbers):
        others = f"{', '.join(no_numbers)}{guess}"
        msg = f"{path} must hold numbers in all columns but the target; not so: {others}"
        raise InvalidDataError(msg)
    return Samples(X, y.to_numpy(), None, guess)


def read_csv(path: str | Path, expected: str, **settings: Any) -> Any:
    """Return a CSV file as pandas reads it; `expected` is what is said if there is none.

    Raises
    ------
    MissingPackageError, InvalidDataError
        If pandas is not installed; or the file is none, has no rows, or lines with more cells than
        the header.
    """
    try:
        import pandas as pd
    except ImportError as error:
        msg = 'mlp needs pandas to read a CSV file: pip install "pandas"'
        raise MissingPackageError(msg) from error
    if not Path(path).is_file():
        msg = f"{expected}; no file {path}"
        raise InvalidDataError(msg)
    try:
        # Of more cells than names in the header pandas would make row names, but not here.
        pd.read_csv(path, header=None, nrows=2, dtype=str)
        # Whole columns at once: the kind of one must not hang on where in it a word stands.
        table = pd.read_csv(path, low_memory=False, **settings)
    except (ValueError, UnicodeError) as error:  # pandas' own are ValueErrors
        msg = f"{path} must be a CSV file with a header; {error}"
        raise InvalidDataError(msg) from error
    if not len(table):
        msg = f"{path} must have rows below its header; there are none"
        raise InvalidDataError(msg)
    return table


def read_known(path: str | Path, table: Any, model: Model, target: str | None) -> None:
    """Write into a table that pandas has read what the model knows of its columns.

    What it knows as a word is one: "01" is no 1, and "NA" no gap.

    Raises
    ------
    InvalidDataError
        If there are words where it knows numbers.
    """
    known = {name: words for name, words in _words(model, target) if name in table}
    if known:
        texts = read_csv(path, "a CSV file", usecols=list(known), dtype=str, keep_default_na=False)
        for name, words in known.items():
            is_gap = table[name].isna() & ~texts[name].isin(words)
            table[name] = texts[name].astype(object).mask(is_gap, None)
    for column in model.inputs.columns if isinstance(model.inputs, Columns) else ():
        if isinstance(column, Numeric) and column.name in table:
            _check_numbers(path, column.name, table[column.name])


def _check_numbers(path: str | Path, name: str, entries: Any) -> None:
    """Raise for the first word, which makes words of a whole column."""
    if entries.dtype.kind in "biuf":
        return
    for row, entry in enumerate(entries.tolist(), start=1):
        try:
            float("nan" if entry is None else entry)
        except ValueError:
            msg = (
                f"column {name!r} must hold numbers, as the model was trained on; {path} has "
                f"{entry!r} in row {row} below its header"
            )
            raise InvalidDataError(msg) from None


def _words(model: Model, target: str | None) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns whose entries the model knows as words, with these, the target's too."""
    columns = model.inputs.columns if isinstance(model.inputs, Columns) else ()
    for column in columns:
        if isinstance(column, Categorical) and not _numbers(column):
            yield column.name, list(column.words)
    targets = model.targets
    if target and isinstance(targets, Classes) and targets.classes.dtype.kind in "UO":
        yield target, [str(word) for word in targets.classes]


def _numbers(column: Categorical) -> bool:
    """Return whether a vocabulary is of numbers, as a column of postcodes has it."""
    try:
        numbers = np.array([float(word) for word in column.words])
    except ValueError:
        return False
    return as_words(numbers) == list(column.words)
