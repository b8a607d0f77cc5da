"""Read the files given to a command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from multilayer.cli import options
from multilayer.cli.notes import notes
from multilayer.data import Table, read_file
from multilayer.data.reading import SKIP
from multilayer.errors import InvalidDataError

__all__ = ["read"]


def read(
    files: Path | Sequence[Path], separator: str | None, encoding: str | None, **how: Any
) -> Table:
    """Return the table in some files, and print notes and progress.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As `multilayer.data.read_file`, which gets the arguments `how`.
    """
    separator = options.read_separator(separator)
    first, *others = [files] if isinstance(files, Path) else files
    source = [first, *others] if others else first
    try:
        with notes(), Console(stderr=True).status(f"reading {first} …"):
            return read_file(source, separator=separator, encoding=encoding, **how)
    except InvalidDataError as error:
        if SKIP in error.others:
            error.others[SKIP] = "--bad-rows skip"
        raise
