"""Formats: the table in a file, whose first bytes tell how it is written."""

import bz2
import gzip
import io
import lzma
import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from multilayer import forks
from multilayer.data.delimited import read_delimited
from multilayer.data.dialects import Opens, find_encoding, opened
from multilayer.data.json_rows import read_json_rows
from multilayer.data.reading import Read
from multilayer.data.sources import checked_reading
from multilayer.data.table import read_table
from multilayer.errors import InvalidDataError, MissingPackageError

__all__ = [
    "BINARY",
    "COMPRESSED",
    "JSON",
    "PARQUET",
    "STREAMED",
    "encoding_remark",
    "import_pyarrow",
    "read_content",
    "text_encoding",
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
HTML = re.compile(r"\s*<(?:!doctype|html|\?xml|table)", re.IGNORECASE)
JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{])")


def read_content(content: bytes, path: object, separator: str | None, encoding: str | None) -> Read:
    """Return the table in a file, given its bytes.

    Parameters
    ----------
    content : bytes
    path : path or str
        What messages call the file.
    separator, encoding : str, optional
        Of a text file, if they are known.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If it is not a table, or damaged.
    MissingPackageError
        If it can only be read by pyarrow, and that is not installed.
    """
    content = _decompressed(content, path)
    for mark, (what, read) in BINARY.items():
        if content.startswith(mark):
            try:
                found = read(content)
            except (ValueError, OSError) as error:
                raise InvalidDataError(f"must be {what}: {error}", path) from error
            return Read(read_table(found, str(path)))
    opens = partial(io.BytesIO, content)
    known = text_encoding(opens, encoding, path)
    with opened(opens, known) as text:
        is_json = JSON.match(text.read(1_000))
    if is_json:
        with opened(opens, known) as text:
            found = Read(read_json_rows(text, path))
    else:
        found = read_delimited(opens, known, path, separator)
    remark = encoding_remark(known, encoding)
    return found._replace(remarks=(*found.remarks, *remark))


def text_encoding(opens: Opens, asked: str | None, path: object) -> str:
    """Return the encoding of a file of text.

    Raises
    ------
    InvalidDataError, InvalidArgumentError
        If it is not text, or no table, or not in the encoding asked for.
    """
    with opens() as file:
        first = file.read(100)
    for mark, what in OTHERS.items():
        if first.startswith(mark):
            raise InvalidDataError(f"is {what}: save its table as CSV and give that", path)
    known = find_encoding(opens, asked, path)
    with opened(opens, known) as text:
        beginning = text.read(1_000)
    if HTML.match(beginning):
        rule = f"is not a table but HTML or XML: {beginning.lstrip()[:20]!r}"
        raise InvalidDataError(rule, path)
    return known


def encoding_remark(known: str, asked: str | None) -> list[str]:
    """Return a remark on an encoding that may be wrong, if it may be."""
    if asked or known.startswith("utf"):
        return []
    return [f"it is not UTF-8 and is read as {known}; if that is wrong, give its encoding"]


def _decompressed(content: bytes, path: object) -> bytes:
    for mark, opens in COMPRESSED.items():
        if content.startswith(mark):
            with checked_reading(path), opens(io.BytesIO(content)) as file:
                found: bytes = file.read()
                return found
    return content
