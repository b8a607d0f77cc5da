"""A safetensors file: texts and arrays, written whole, and read with mistrust."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.atomic import replacing
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.json_text import read_json

__all__ = ["Container", "opened", "write"]

Array = npt.NDArray[Any]

MAX_HEADER = 2**24
"""Bytes of the header, in which the texts stand; JSON in memory is up to some 30 times as large."""
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("float32"), "F64": np.dtype("float64")}


def write(path: Path, texts: Mapping[str, str], arrays: Mapping[str, Array]) -> None:
    """Write texts and arrays to a file that appears whole or not at all.

    Raises
    ------
    InvalidArgumentError
        If the texts are too long for a header, or `path` is there and is no file.
    OSError
        If the file cannot be written.
    """
    with forks.imports:
        from safetensors.numpy import save

    length = len(json.dumps(dict(texts), ensure_ascii=False).encode(errors="surrogatepass"))
    if length > MAX_HEADER:
        raise InvalidArgumentError(
            f"columns, classes and information take {length:,} bytes; a model file has room for "
            f"{MAX_HEADER:,}"
        )
    content = save(dict(arrays), metadata=dict(texts))
    with replacing(path) as file:
        file.write(content)


class Container:
    """An open file: its texts, and its arrays, which are read when their shapes are right.

    Nothing is allocated for an array before its shape is known to be the one that is wanted.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.texts: dict[str, str] = file.metadata() or {}
        self.names: frozenset[str] = frozenset(file.keys())

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of an array's numbers.

        Raises
        ------
        InvalidDataError
            If there is no such array, or it is of another type than float32 and float64.
        """
        found = self._entry(name).get_dtype()
        if found not in DTYPES:
            rule = f"must be of {' or '.join(map(str, DTYPES.values()))}"
            raise InvalidDataError(rule, name, got=found)
        return DTYPES[found]

    def read(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array, if it has this shape and this type of numbers.

        Raises
        ------
        InvalidDataError
            If it has not.
        """
        found = tuple(self._entry(name).get_shape())
        if found != shape or self.dtype(name) != dtype:
            rule = f"must have shape {shape} of {dtype}"
            raise InvalidDataError(rule, name, got=f"{found} of {self.dtype(name)}")
        return self._file.get_tensor(name)

    def _entry(self, name: str) -> Any:
        if name not in self.names:
            raise InvalidDataError(f"there is no array {name!r}")
        return self._file.get_slice(name)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Container]:
    """Open a file that `write` wrote.

    Raises
    ------
    InvalidArgumentError, InvalidDataError
        If it is no safetensors file, or a damaged one.
    OSError
        If it cannot be read.
    """
    with forks.imports:
        from safetensors import SafetensorError, safe_open

    _check_header(Path(path))
    try:
        with safe_open(path, framework="np") as file:
            yield Container(file)
    except SafetensorError as error:
        raise InvalidDataError(f"it is no safetensors file: {error}") from error


def _check_header(path: Path) -> None:
    """Raise if the header is longer than the file, or says one thing twice."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > max(size - 8, MAX_HEADER):  # of another format these are not a length
            raise InvalidDataError("it is no safetensors file")
        if length > size - 8:
            raise InvalidDataError(
                f"it is no safetensors file, or one cut short: {size:,} bytes, of which its header "
                f"claims {length:,}"
            )
        if length > MAX_HEADER:
            msg = f"its header claims {length:,} bytes; at most {MAX_HEADER:,} are read"
            raise InvalidDataError(msg)
        header = file.read(length)
    try:
        read_json(header.decode("utf-8"))
    except ValueError as error:
        raise InvalidDataError(f"its header cannot be used: {error}") from error
