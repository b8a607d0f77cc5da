"""Safetensors files of texts and arrays: written whole, and checked when they are read."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.atomic import replacing
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    ModelFileError,
    UnknownNameError,
)
from multilayer.json_text import printable, read_json
from multilayer.version import __version__

__all__ = ["Container", "Format", "reading", "write"]

Array = npt.NDArray[Any]

MAX_HEADER = 2**24
"""Bytes of the header, which holds the texts; parsed JSON takes up to about 30 times the memory."""
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("float32"), "F64": np.dtype("float64")}
DIGEST = "digest"


class Format(NamedTuple):
    """A file format."""

    name: str
    """The name in the header."""
    kind: str
    """The name in messages: ``"model file"``."""
    versions: tuple[str, ...]
    """The versions that can be read; the last one is written."""
    advice: str = ""
    """What to do with a file of another version."""


def write(
    path: Path,
    file_format: Format,
    texts: Mapping[str, str],
    arrays: Mapping[str, Array],
    *,
    has_digest: bool = False,
) -> None:
    """Write texts and arrays to a file that appears whole or not at all.

    With `has_digest`, also write a hash of the arrays, which `Container.read_all` checks.

    Raises
    ------
    InvalidArgumentError
        If the texts are too long for a header, or `path` exists and is not a file.
    OSError
        If the file cannot be written.
    """
    with forks.imports:
        from safetensors.numpy import save

    header = {"format": file_format.name, "format_version": file_format.versions[-1], **texts}
    if has_digest:
        header[DIGEST] = _digest(arrays)
    length = len(json.dumps(header, ensure_ascii=False).encode(errors="surrogatepass"))
    if length > MAX_HEADER:
        raise InvalidArgumentError(
            f"{', '.join(texts)} take {length:,} bytes; a {file_format.kind} has room for "
            f"{MAX_HEADER:,}"
        )
    content = save(dict(arrays), metadata=header)
    with replacing(path) as file:
        file.write(content)


class Container:
    """An open file: its texts, and its arrays, which are read on demand."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.texts: dict[str, str] = file.metadata() or {}
        self.names: frozenset[str] = frozenset(file.keys())

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of an array's numbers.

        Raises
        ------
        InvalidDataError
            If there is no such array, or its type is neither float32 nor float64.
        """
        found = self._entry(name).get_dtype()
        if found not in DTYPES:
            rule = f"must be of {' or '.join(map(str, DTYPES.values()))}"
            raise InvalidDataError(rule, name, got=found)
        return DTYPES[found]

    def read(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array, after checking its shape and type.

        Raises
        ------
        InvalidDataError
            If the shape or type is wrong; nothing is allocated then.
        """
        found = tuple(self._entry(name).get_shape())
        if found != shape or self.dtype(name) != dtype:
            rule = f"must have shape {shape} of {dtype}"
            raise InvalidDataError(rule, name, got=f"{found} of {self.dtype(name)}")
        return self._file.get_tensor(name)

    def read_all(self) -> dict[str, Array]:
        """Return all arrays; they take as much memory as the file.

        Raises
        ------
        InvalidDataError
            If they are not the arrays that were written.
        """
        arrays = {name: self._file.get_tensor(name) for name in self.names}
        if self.texts.get(DIGEST) != _digest(arrays):
            raise InvalidDataError("its content is not what was written")
        return arrays

    def _entry(self, name: str) -> Any:
        if name not in self.names:
            raise InvalidDataError(f"there is no array {name!r}")
        return self._file.get_slice(name)


@contextlib.contextmanager
def reading(path: Path, file_format: Format) -> Iterator[Container]:
    """Open a file that `write` wrote; errors raised inside become errors about the file.

    Raises
    ------
    ModelFileError
        If it is not a file of this format, has a version that cannot be read, or is damaged.
    OSError
        If it cannot be read.
    """
    with forks.imports:
        from safetensors import SafetensorError, safe_open

    try:
        _check_header(path)
        with safe_open(path, framework="np") as file:
            container = Container(file)
            _check_format(container.texts, file_format)
            yield container
    except UnknownNameError as error:
        rule = (
            "names something that this process does not know (register a part of your own before "
            f"loading): {_short(error)}"
        )
        raise ModelFileError(rule, path) from error
    except SafetensorError as error:
        rule = f"cannot be read: it is not a safetensors file: {_short(error)}"
        raise ModelFileError(rule, path) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"cannot be read: {_short(error)}", path) from error


def _check_format(texts: Mapping[str, str], file_format: Format) -> None:
    name, kind, versions, advice = file_format
    if texts.get("format") != name:
        raise InvalidDataError(f"it is not a multilayer {kind}: its header lacks format {name!r}")
    version = texts.get("format_version")
    if version not in versions:
        *others, last = versions
        known = f"versions {', '.join(others)} and {last}" if others else f"version {last}"
        raise InvalidDataError(
            f"its format version is {version}; multilayer {__version__} reads {known}{advice}"
        )


def _check_header(path: Path) -> None:
    """Raise if the header is longer than the file, or is not strict JSON."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > max(size - 8, MAX_HEADER):  # in other formats, these bytes are not a length
            raise InvalidDataError("it is not a safetensors file")
        if length > size - 8:
            raise InvalidDataError(
                f"it is not a safetensors file, or is cut short: it has {size:,} bytes, and its "
                f"header claims {length:,}"
            )
        if length > MAX_HEADER:
            raise InvalidDataError(
                f"its header claims {length:,} bytes; at most {MAX_HEADER:,} are read"
            )
        header = file.read(length)
    try:
        read_json(header.decode("utf-8"))
    except ValueError as error:
        raise InvalidDataError(f"its header cannot be used: {error}") from error


def _digest(arrays: Mapping[str, Array]) -> str:
    """Return a hash of the arrays and their names, types and shapes."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _short(error: Exception) -> str:
    """Return an error's message, shortened and safe to print, since it may quote the file."""
    text = printable(str(error))
    return text if len(text) <= 1000 else f"{text[:1000]} …"
