"""Formats: the table in a file, whose first bytes tell how it is written."""

import bz2
import gzip
import io
import lzma
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from multilayer import forks
from multilayer.data.delimited import read_delimited
from multilayer.data.dialects import Opens, find_encoding, opened
from multilayer.data.json_rows import read_json_rows
from multilayer.data.reading import Read
from multilayer.data.sources import STANDARD_INPUT, checked_reading
from multilayer.data.table import read_table
from multilayer.errors import InvalidDataError, MissingPackageError

__all__ = [
    "COMPRESSED",
    "PARQUET",
    "Format",
    "format_of",
    "import_pyarrow",
    "opens_of",
    "read_as",
    "read_one",
]


def _open_zstd(file: Any, _: str = "rb") -> Any:
    source = file if hasattr(file, "read") else str(file)
    return import_pyarrow("zstd").CompressedInputStream(source, "zstd")


def _parquet(content: bytes) -> Any:
    return import_pyarrow("Parquet", "parquet").read_table(_reader(content))


def _arrow_file(content: bytes) -> Any:
    return import_pyarrow("Arrow", "ipc").open_file(_reader(content)).read_all()


def _arrow_stream(content: bytes) -> Any:
    return import_pyarrow("Arrow", "ipc").open_stream(_reader(content)).read_all()


def _reader(content: bytes) -> Any:
    return import_module("pyarrow").BufferReader(content)


def import_pyarrow(what: str, module: str = "") -> Any:
    """Return pyarrow, or a module of it, to read or write such files."""
    try:
        with forks.imports:
            pa = import_module("pyarrow")
            return import_module(f"pyarrow.{module}") if module else pa
    except ImportError as error:
        rule = f'{what} needs pyarrow: pip install "pyarrow"'
        raise MissingPackageError(rule) from error


COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x28\xb5\x2f\xfd": _open_zstd,
}
"""The first bytes of compressed files, and what opens them."""
STREAMED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
"""Those of which the beginning can be read again."""
PARQUET = b"PAR1"
BINARY: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {
    PARQUET: ("a Parquet file", _parquet),
    b"ARROW1": ("an Arrow file", _arrow_file),
    b"\xff\xff\xff\xff": ("an Arrow stream", _arrow_stream),
}
"""The first bytes of tables in binary form, and what reads them."""
OTHERS = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook or an archive",
    b"%PDF": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"FEA1": "a Feather file of version 1",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"@relation": "an ARFF file",
    b"@RELATION": "an ARFF file",
}
"""The first bytes of files that are something else."""
MOST_MARKS = 100
"""Bytes at the beginning of a file that tell its format."""
HTML = re.compile(r"\s*<(?:!doctype|html|\?xml|table)", re.IGNORECASE)
JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{])")


class Format(NamedTuple):
    """How a file is written."""

    mark: bytes
    """Its first bytes, if it is binary, and in `BINARY`."""
    encoding: str = ""
    """If it is text."""
    is_json: bool = False
    remarks: tuple[str, ...] = ()
    """What is open to doubt about its encoding."""


def opens_of(path: Path | str, *, in_memory: bool) -> Opens:
    """Return what opens a file, or standard input, decompressed, as often as it is called.

    Parameters
    ----------
    path : path, or `STANDARD_INPUT`
    in_memory : bool
        Whether to read all of it now. Standard input is, and what cannot be read again from its
        beginning.

    Raises
    ------
    InvalidDataError
        If it cannot be read, or is damaged.
    """
    in_memory = in_memory or path == STANDARD_INPUT
    opens: Opens = partial(Path(path).open, "rb")  # type: ignore[assignment]
    with checked_reading(path):
        if in_memory:
            is_file = path != STANDARD_INPUT
            content = Path(path).read_bytes() if is_file else sys.stdin.buffer.read()
            opens = partial(io.BytesIO, content)
        with opens() as file:
            first = file.read(MOST_MARKS)
        mark = next((mark for mark in COMPRESSED if first.startswith(mark)), None)
        if mark is None:
            return opens
        if mark in STREAMED and not in_memory:
            return partial(COMPRESSED[mark], path, "rb")
        with opens() as file, COMPRESSED[mark](file) as unpacked:
            return partial(io.BytesIO, unpacked.read())


def format_of(opens: Opens, encoding: str | None, path: object) -> Format:
    """Return how a file is written, by its beginning, and by all of it for the encoding of text.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If it is no table, or not in the encoding asked for.
    """
    with opens() as file:
        first = file.read(MOST_MARKS)
    for mark in BINARY:
        if first.startswith(mark):
            return Format(mark)
    for mark, what in OTHERS.items():
        if first.startswith(mark):
            raise InvalidDataError(f"is {what}: save its table as CSV and give that", path)
    known, remarks = find_encoding(opens, encoding, path)
    with opened(opens, known) as text:
        beginning = text.read(1_000)
    if HTML.match(beginning):
        rule = f"is not a table but HTML or XML: {beginning.lstrip()[:20]!r}"
        raise InvalidDataError(rule, path)
    return Format(b"", known, JSON.match(beginning) is not None, remarks)


def read_one(path: Path | str, separator: str | None, encoding: str | None) -> Read:
    """Return the table in a file.

    Parameters
    ----------
    path : path, or `STANDARD_INPUT`
    separator, encoding : str, optional
        Of a text file, if they are known.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If it is not a table, or damaged.
    MissingPackageError
        If it can only be read by pyarrow, and that is not installed.
    """
    opens = opens_of(path, in_memory=True)
    return read_as(format_of(opens, encoding, path), opens, path, separator)


def read_as(form: Format, opens: Opens, path: object, separator: str | None) -> Read:
    """Return the table in a file of a known format; otherwise as `read_one`."""
    if form.mark:
        what, read = BINARY[form.mark]
        with opens() as file:
            content = file.read()
        try:
            found = read(content)
        except (ValueError, OSError) as error:
            raise InvalidDataError(f"must be {what}: {error}", path) from error
        return Read(read_table(found, str(path)))
    if form.is_json:
        with opened(opens, form.encoding) as text:
            found = Read(read_json_rows(text, path))
    else:
        found = read_delimited(opens, form.encoding, path, separator)
    return found._replace(remarks=(*found.remarks, *form.remarks))
