"""Read the file given to a command."""

from pathlib import Path
from typing import Any

from rich.console import Console

from multilayer.cli import options
from multilayer.cli.notes import notes
from multilayer.data import Table, read_file

__all__ = ["read"]


def read(path: Path, separator: str | None, encoding: str | None, **how: Any) -> Table:
    """Return the table in a file, and print notes and progress.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, MissingPackageError
        As `multilayer.data.read_file`, which gets the arguments `how`.
    """
    separator = options.read_separator(separator)
    with notes(), Console(stderr=True).status(f"reading {path} …"):
        return read_file(path, separator=separator, encoding=encoding, **how)
