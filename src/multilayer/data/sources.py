"""Sources: the files that make up a table, in order, and the errors if one cannot be read."""

import gzip
import lzma
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError

__all__ = [
    "STANDARD_INPUT",
    "Source",
    "Sources",
    "checked_reading",
    "find_sources",
    "size_of",
]

STANDARD_INPUT = "standard input"
HIDDEN = (".", "_")
"""The first characters of the names of files that are not data, such as ``_SUCCESS``."""

Source = str | os.PathLike[str]


class Sources(NamedTuple):
    """The files of one table."""

    name: str
    """The name of the whole table in messages."""
    paths: tuple[Path | str, ...]
    """The files in order; `STANDARD_INPUT` is the only string among them."""


def find_sources(source: Source | Iterable[Source]) -> Sources:
    """Return the files that a path, a folder, a pattern, or several of these stand for.

    The files of a folder or pattern are sorted by name, part-2 before part-10.

    Raises
    ------
    InvalidDataError
        If a folder or pattern has no files, or a folder contains folders.
    InvalidArgumentError
        If the source is an empty list.
    InvalidTypeError
        If the source is anything else.
    """
    if isinstance(source, (str, os.PathLike)):
        return Sources(_name(source), _files(source))
    if not isinstance(source, Iterable) or isinstance(source, bytes):
        rule = "must be a path, a folder, a pattern, or a list of these"
        raise InvalidTypeError(rule, "source", "read_file", got=type(source).__name__)
    each = list(source)
    if not each:
        raise InvalidArgumentError("must name a file; the list is empty", "source", "read_file")
    paths = [path for one in each for path in find_sources(one).paths]
    more = f" and {len(each) - 1} more" if len(each) > 1 else ""
    return Sources(_name(each[0]) + more, tuple(paths))


def size_of(source: Source | Iterable[Source]) -> int:
    """Return the total size in bytes of a table's files, without standard input.

    Raises
    ------
    InvalidDataError, InvalidArgumentError, InvalidTypeError
        As by `find_sources`, or if a file does not exist.
    """
    total = 0
    for path in find_sources(source).paths:
        if isinstance(path, Path):
            with checked_reading(path):
                total += path.stat().st_size
    return total


@contextmanager
def checked_reading(path: object) -> Iterator[None]:
    """Turn errors of reading or decompressing a file into errors that name the file.

    Raises
    ------
    InvalidDataError
        If the file does not exist, cannot be read, or is damaged.
    """
    try:
        yield
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        rule = f"is compressed, but damaged or cut short: {error}"
        raise InvalidDataError(rule, path) from error
    except FileNotFoundError as error:
        raise InvalidDataError(f"there is no file {path}") from error
    except OSError as error:
        if error.errno is None:  # raised by bz2 or pyarrow
            rule = f"is compressed, but damaged or cut short: {error}"
            raise InvalidDataError(rule, path) from error
        raise InvalidDataError(f"cannot be read: {error.strerror}", path) from error


def _name(source: Source) -> str:
    return STANDARD_INPUT if str(source) == "-" else str(Path(source))


def _files(source: Source) -> tuple[Path | str, ...]:
    """Return the files that one path, folder or pattern stands for."""
    if str(source) == "-":
        return (STANDARD_INPUT,)
    path = Path(source)
    if path.is_dir():
        found, place = _inside(path), f"in {path}"
    elif has_magic(str(path)) and not path.exists():
        matches = map(Path, glob(str(path), recursive=True))
        found, place = [each for each in matches if each.is_file()], str(path)
    else:
        return (path,)
    shown = [each for each in found if not each.name.startswith(HIDDEN)]
    if not shown:
        but = f" but {found[0].name}, which is skipped because of its name" if found else ""
        raise InvalidDataError(f"there is no file {place}{but}")
    return tuple(sorted(shown, key=_in_natural_order))


def _inside(folder: Path) -> list[Path]:
    """Return the files in a folder."""
    try:
        found = list(folder.iterdir())
    except OSError as error:
        raise InvalidDataError(f"cannot be read: {error.strerror}", folder) from error
    folders = [each for each in found if each.is_dir() and not each.name.startswith(HIDDEN)]
    if folders:
        rule = f"contains folders, such as {min(folders).name}; to read the files in all of them"
        raise InvalidDataError(f"{rule}, give '{folder / '**' / '*'}'", folder)
    return [each for each in found if each.is_file()]


def _in_natural_order(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that puts part-2 before part-10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part or 0), part) if i % 2 else (0, part) for i, part in enumerate(parts)]
