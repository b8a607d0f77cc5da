"""Files that appear whole or not at all."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from multilayer.errors import InvalidArgumentError

__all__ = ["remove_left_overs", "replacing"]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[io.BufferedRandom]:
    """Open a new file that gets its name only once it is complete.

    It is written under a temporary name in the same folder, synced and then renamed: a crash leaves
    either the old file or the new one. After an error, the new file is deleted and the old one
    stays. If `path` is a link, the file that it points to is replaced.

    Raises
    ------
    InvalidArgumentError
        If `path` exists and is not a file.
    FileNotFoundError
        If the folder does not exist; the message names it.
    OSError
        If the file cannot be written; the error names `path`.
    """
    path = path.resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    if path.exists() and not path.is_file():
        raise InvalidArgumentError(f"{path} exists and is not a file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def remove_left_overs(path: Path) -> None:
    """Delete the temporary files of processes that were killed while replacing `path`."""
    path = path.resolve()
    for temporary in path.parent.glob(f".{path.name}.*.tmp"):
        temporary.unlink(missing_ok=True)
