"""Checkpoint: a folder with all that a training needs to go on."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from multilayer import checks, forks
from multilayer.atomic import remove_left_overs, replacing
from multilayer.errors import InvalidArgumentError, InvalidTypeError, ModelFileError
from multilayer.groups import Arrays

__all__ = ["Checkpoint", "Kept"]

FORMAT = "multilayer checkpoint"
FORMAT_VERSION = "1"


class Kept(NamedTuple):
    """What a checkpoint holds."""

    training: dict[str, Any]
    """What is trained, on what, and how."""
    progress: dict[str, Any]
    """How far it is, in what goes into JSON."""
    arrays: Arrays
    """How far it is, in arrays by name."""


class Checkpoint:
    """A folder in which `fit` keeps a training, so that one that was killed can go on.

    The folder gets one safetensors file. It is replaced whole, so that a crash leaves the old one
    or the new one, and nothing in it can run code.

    Parameters
    ----------
    folder : path
        Where; it is made if it is not there.
    seconds : float
        After how many seconds it is written anew, at least 0: after every step. It is always
        written when the training ends, and after the step in which Ctrl-C is pressed.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `folder` is no path or there is something else, or `seconds` is no such number.

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
        """Replace what is there.

        Raises
        ------
        InvalidTypeError
            If a callback's state does not go into JSON.
        InvalidArgumentError
            If what goes into JSON is more than the header of a file can hold, 100 MB.
        OSError
            If the file cannot be written.
        """
        with forks.imports:
            from safetensors import SafetensorError
            from safetensors.numpy import save

        try:
            texts = {"training": json.dumps(kept.training), "progress": json.dumps(kept.progress)}
        except (TypeError, ValueError) as error:
            raise InvalidTypeError(f"the state of a callback must go into JSON: {error}") from error
        header = {"format": FORMAT, "format_version": FORMAT_VERSION, **texts}
        header["digest"] = _digest(texts, kept.arrays)
        try:
            content = save(kept.arrays, metadata=header)
        except SafetensorError as error:
            raise InvalidArgumentError(
                "history and the state of callbacks must fit into the header of a checkpoint; got "
                f"{len(texts['progress']):,} characters: {error}"
            ) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_left_overs(self.path)
        with replacing(self.path) as file:
            file.write(content)

    def read(self) -> Kept | None:
        """Return what is there; None if there is nothing.

        Raises
        ------
        ModelFileError
            If the file is damaged, or none that `write` wrote.
        """
        with forks.imports:
            from safetensors import SafetensorError, safe_open

        path = self.path
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="np") as file:
                header = file.metadata() or {}
                if header.get("format") != FORMAT:
                    raise ModelFileError("is no checkpoint of multilayer", path)
                version = header.get("format_version")
                if version != FORMAT_VERSION:
                    rule = f"has format version {version}; this release reads {FORMAT_VERSION}"
                    raise ModelFileError(rule, path)
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            texts = {name: header[name] for name in ("training", "progress")}
            if header["digest"] != _digest(texts, arrays):
                raise ModelFileError("is damaged: its content is not what was written", path)
            return Kept(json.loads(texts["training"]), json.loads(texts["progress"]), arrays)
        except ModelFileError:
            raise
        except (SafetensorError, KeyError, ValueError, RecursionError) as error:
            raise ModelFileError(f"is damaged, or no checkpoint: {error}", path) from error


def _digest(texts: Mapping[str, str], arrays: Arrays) -> str:
    """Return the hash of all of a checkpoint's content."""
    found = hashlib.blake2b(digest_size=16)
    for text in texts.values():
        found.update(text.encode())
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()
