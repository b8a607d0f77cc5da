"""Samples for a model: bundled images, or a file converted to the model's inputs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from glob import has_magic
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from multilayer.cli.notes import noting
from multilayer.cli.reading import read
from multilayer.cli.rows import truth, with_target
from multilayer.data import Table, load_digits, load_images
from multilayer.errors import InvalidDataError, MultilayerError
from multilayer.model import Model
from multilayer.registry import Names

__all__ = [
    "BUNDLED",
    "ModelFile",
    "SampleFile",
    "Samples",
    "Target",
    "inputs_of",
    "read_samples",
    "target_of",
]

BUNDLED = ("digits", "mnist")

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file written by --save.")]
SampleFile = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A file with a table, as for mlp train table; a folder of such files, or a pattern; - "
        "for standard input; digits; or mnist.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        help="The target column in the file. By default, the one that the model was trained on; if "
        "that is unknown, the only column that is not an input of the model, or the last one."
    ),
]


class Samples(NamedTuple):
    """Samples with their targets, and a validation set if there is one."""

    X: Any
    y: Any
    validation: tuple[Any, Any] | None
    guess: str = ""
    """If the target column is a guess: a note for errors that says which column is used."""

    def noting_guess(self) -> AbstractContextManager[None]:
        """Add the guess as a note to any error, since it may be the cause."""
        return _noting_guess(self.guess)


@contextmanager
def _noting_guess(guess: str) -> Iterator[None]:
    try:
        yield
    except MultilayerError as error:
        if guess:
            error.add_note(guess)
        raise


def read_samples(
    data: str,
    model: Model,
    *,
    target: str | None = None,
    data_dir: Path | None = None,
    separator: str | None = None,
    encoding: str | None = None,
) -> Samples:
    """Return the samples that a command's arguments describe.

    Raises
    ------
    InvalidDataError
        If there is no such file, or it is not suitable for the model.
    MissingPackageError
        If the package that reads the file is not installed.
    """
    if data in BUNDLED:
        return _images(data, data_dir)
    if not (data == "-" or has_magic(data) or Path(data).exists()):
        words = ", ".join(BUNDLED)
        rule = f"must be a file with a table, a folder or one of {words}; there is no file {data}"
        raise InvalidDataError(rule, "DATA")
    table = read(Path(data), separator, encoding, bad_rows="skip")
    return _table(table, target, model)


def _images(name: str, data_dir: Path | None) -> Samples:
    """Return the raw images, with the test images as the validation set."""
    if name == "digits":
        d = load_digits()
        X_train, X_test = (X * d.scale + d.mean for X in (d.X_train, d.X_test))
        return Samples(X_train, d.y_train, (X_test, d.y_test))
    images = load_images(name, data_dir=data_dir)
    return Samples(images.X_train.pixels, images.y_train, (images.X_test.pixels, images.y_test))


def _table(table: Table, target: str | None, model: Model) -> Samples:
    """Return a table's inputs and targets in the form that the model takes."""
    target, guess = target_of(table, target, model)
    table = table.without(model.inputs.missing)
    with _noting_guess(guess):
        table, y = with_target(table, truth(table[target], model.targets), target)
        rest = table.select([name for name in table.columns if name != target])
        return Samples(inputs_of(rest, model), y, None, guess)


def target_of(table: Table, target: str | None, model: Model) -> tuple[str, str]:
    """Return the name of the target column, and a note if it is a guess, otherwise "".

    Raises
    ------
    InvalidDataError, UnknownNameError
        If the table has no such column, or it is an input of the model, or the table has fewer than
        two columns.
    """
    if table.shape[1] < 2:
        rule = "must have inputs and a target"
        raise InvalidDataError(rule, table.name, got=f"{table.shape[1]} column")
    names, inputs = table.columns, model.inputs.names
    left = [name for name in names if name not in (inputs or names)]
    recorded = model.information.get("data")
    if target is None and isinstance(recorded, dict) and isinstance(recorded.get("target"), str):
        target = recorded["target"]
        if target not in names:
            rule = (
                f"must have the column {target!r}, the model's target; pass --target if it has "
                "another name here"
            )
            raise InvalidDataError(rule, table.name, got=", ".join(names))
    if target is not None:
        Names("target", names).check(target)
        if target in (inputs or ()):
            rule = f"cannot be {target!r}, which is an input of the model"
            raise InvalidDataError(rule, "--target")
        return target, ""
    if len(left) == 1:
        return left[0], ""
    last = names[-1]
    return last, f"the last column, {last}, is used as the target; to change this, pass --target"


def inputs_of(table: Table, model: Model) -> Any:
    """Return the model's input columns in the form that it takes; all columns if it has no names.

    Raises
    ------
    InvalidDataError
        If a column is missing, or is not numeric although the model needs numbers.
    """
    with noting() as said:
        return model.inputs.from_table(model.inputs.columns_of(table), said)
