"""Formats: read a table from a file in any known format, detected from the first bytes."""

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
    """Return pyarrow, or one of its modules.

    Parameters
    ----------
    what : str
        What pyarrow is needed for, in the error message.
    module : str
        The module's name; pyarrow itself by default.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    """
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
"""The first bytes of compressed files, and the functions that open them."""
STREAMED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
"""The compressions whose files can be read from the beginning again."""
PARQUET = b"PAR1"
BINARY: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {
    PARQUET: ("a Parquet file", _parquet),
    b"ARROW1": ("an Arrow file", _arrow_file),
    b"\xff\xff\xff\xff": ("an Arrow stream", _arrow_stream),
}
"""The first bytes of binary formats; what such a file is called, and the function that reads it."""
OTHERS = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook or an archive",
    b"%PDF": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "an SQLite database",
    b"FEA1": "a Feather file of version 1",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"@relation": "an ARFF file",
    b"@RELATION": "an ARFF file",
}
"""The first bytes of files in other formats, which are refused."""
MOST_MARKS = 100
"""How many bytes to read from the beginning of a file to detect its format."""
HTML = re.compile(r"\s*<(?:!doctype|html|\?xml|table)", re.IGNORECASE)
JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{])")


class Format(NamedTuple):
    """How a file is written."""

    mark: bytes
    """The key in `BINARY`; empty for text."""
    encoding: str = ""
    """The encoding of text; empty for a binary format."""
    is_json: bool = False
    remarks: tuple[str, ...] = ()
    """Remarks on what is open to doubt about the encoding."""


def opens_of(path: Path | str, *, in_memory: bool) -> Opens:
    """Return a function that opens a file or standard input, decompressed, each time it is called.

    Parameters
    ----------
    path : path, or `STANDARD_INPUT`
    in_memory : bool
        Whether to read the whole file into memory now. This is always done for standard input, and
        for files that cannot be read from the beginning again.

    Raises
    ------
    InvalidDataError
        If the file cannot be read, or is damaged.
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
    """Detect a file's format from its beginning, and the encoding of text from the whole file.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If the file is not a table, or not in the given encoding.
    """
    with opens() as file:
        first = file.read(MOST_MARKS)
    for mark in BINARY:
        if first.startswith(mark):
            return Format(mark)
    for mark, what in OTHERS.items():
        if first.startswith(mark):
            raise InvalidDataError(f"is {what}: save its table as CSV and use that file", path)
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
        Those of a text file; detected if None.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If the file is not a table, or is damaged.
    MissingPackageError
        If the file can only be read by pyarrow, and pyarrow is not installed.
    """
    opens = opens_of(path, in_memory=True)
    return read_as(format_of(opens, encoding, path), opens, path, separator)


def read_as(form: Format, opens: Opens, path: object, separator: str | None) -> Read:
    """Return the table in a file, as `read_one` does, given its format."""
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
