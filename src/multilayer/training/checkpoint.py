"""Checkpoint: a folder with everything that is needed to resume a training run."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from multilayer import checks
from multilayer.atomic import remove_left_overs
from multilayer.container import Format, reading, write
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.groups import Arrays

__all__ = ["Checkpoint", "Kept"]

FORMAT = Format(
    "multilayer checkpoint",
    "checkpoint",
    ("3",),
    ": resume with the release that wrote it, or start again in another folder",
)
PARTS = ("training", "progress")
"""What is saved as JSON in arrays of bytes, since a file's header has room for only 16 MB."""


class Kept(NamedTuple):
    """The content of a checkpoint."""

    training: dict[str, Any]
    """The description of the training run: what is trained, on what, and how."""
    progress: dict[str, Any]
    """The part of its state that is values for JSON."""
    arrays: Arrays
    """The part of its state that is arrays, by name."""


class Checkpoint:
    """A folder in which `fit` saves a training run, so that it can be resumed if it is killed.

    The folder contains one safetensors file, which cannot run code. The file is replaced as a
    whole, so after a crash it is either the old one or the new one.

    Parameters
    ----------
    folder : path
        Created if it does not exist.
    seconds : float
        The interval between two writes, at least 0; 0 writes after every step. The file is always
        written at the end of training, and after the step in which Ctrl-C is pressed.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `folder` is not a path, or is something other than a folder, or `seconds` is not a
        non-negative number.

    Examples
    --------
    >>> Checkpoint("runs/first", seconds=300)
    Checkpoint('runs/first', seconds=300)
    """

    def __init__(self, folder: str | os.PathLike[str], *, seconds: float = 60.0) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise InvalidTypeError("must be a path or a Checkpoint", "checkpoint", got=repr(folder))
        self.folder = Path(folder)
        self.seconds = checks.real(seconds, "seconds", "Checkpoint", "[0, inf)")
        if self.folder.exists() and not self.folder.is_dir():
            rule = f"must be a folder; {self.folder} is something else"
            raise InvalidArgumentError(rule, "checkpoint")

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.folder)!r}, seconds={self.seconds:g})"

    @property
    def path(self) -> Path:
        """The file in the folder."""
        return self.folder / "checkpoint.safetensors"

    def write(self, kept: Kept) -> None:
        """Write the file, and replace an existing one.

        Raises
        ------
        InvalidTypeError
            If JSON cannot hold a callback's state.
        OSError
            If the file cannot be written.
        """
        try:
            parts = {
                name: np.frombuffer(json.dumps(getattr(kept, name)).encode(), np.uint8)
                for name in PARTS
            }
        except (TypeError, ValueError) as error:
            rule = f"the state of a callback must be serializable as JSON: {error}"
            raise InvalidTypeError(rule) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_left_overs(self.path)
        write(self.path, FORMAT, {}, kept.arrays | parts, has_digest=True)

    def read(self) -> Kept | None:
        """Return the content of the file, or None if there is no file.

        Raises
        ------
        ModelFileError
            If the file is damaged, or was not written by `write`.
        """
        if not self.path.exists():
            return None
        with reading(self.path, FORMAT) as file:
            arrays = file.read_all()
            training, progress = (json.loads(arrays.pop(name).tobytes()) for name in PARTS)
        return Kept(training, progress, arrays)
