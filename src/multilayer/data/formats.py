"""Formats: the table in a file, whose first bytes tell how it is written."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from multilayer import forks
from multilayer.data.delimited import read_delimited
from multilayer.data.dialects import find_encoding, opened
from multilayer.data.json_rows import read_json_rows
from multilayer.data.reading import Read
from multilayer.data.table import read_table
from multilayer.errors import InvalidDataError, MissingPackageError

__all__ = ["read_content"]


def _unpack_zstd(content: bytes) -> bytes:
    return _pyarrow("zstd").CompressedInputStream(_reader(content), "zstd").read()


def _parquet(content: bytes) -> Any:
    return _pyarrow("Parquet", "parquet").read_table(_reader(content))


def _arrow_file(content: bytes) -> Any:
    return _pyarrow("Arrow", "ipc").open_file(_reader(content)).read_all()


def _arrow_stream(content: bytes) -> Any:
    return _pyarrow("Arrow", "ipc").open_stream(_reader(content)).read_all()


def _reader(content: bytes) -> Any:
    return import_module("pyarrow").BufferReader(content)


def _pyarrow(what: str, module: str = "") -> Any:
    """Return pyarrow, or a module of it, to read such files."""
    try:
        with forks.imports:
            pa = import_module("pyarrow")
            return import_module(f"pyarrow.{module}") if module else pa
    except ImportError as error:
        rule = f'reading {what} needs pyarrow: pip install "pyarrow"'
        raise MissingPackageError(rule) from error


COMPRESSED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x28\xb5\x2f\xfd": _unpack_zstd,
}
"""The first bytes of compressed files, and what decompresses them."""
BINARY: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {
    b"PAR1": ("a Parquet file", _parquet),
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
    for mark, what in OTHERS.items():
        if content.startswith(mark):
            raise InvalidDataError(f"is {what}: save its table as CSV and give that", path)
    known = find_encoding(content, encoding, path)
    beginning = opened(content, known).read(1_000)
    if HTML.match(beginning):
        rule = f"is not a table but HTML or XML: {beginning.lstrip()[:20]!r}"
        raise InvalidDataError(rule, path)
    if JSON.match(beginning):
        found = Read(read_json_rows(opened(content, known), path))
    else:
        found = read_delimited(content, known, path, separator)
    if encoding or known.startswith("utf"):
        return found
    remark = f"it is not UTF-8 and is read as {known}; if that is wrong, give its encoding"
    return found._replace(remarks=(*found.remarks, remark))


def _decompressed(content: bytes, path: object) -> bytes:
    for mark, decompress in COMPRESSED.items():
        if content.startswith(mark):
            try:
                return decompress(content)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
                rule = f"is compressed, but damaged or cut short: {error}"
                raise InvalidDataError(rule, path) from error
    return content
