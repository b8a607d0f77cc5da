"""The IDX format, in which MNIST and similar data sets are published.

A file is a header followed by the numbers, big-endian and row by row::

    byte 0, 1          00 00
    byte 2             the type of the numbers: 08 for uint8, … (`DTYPES`)
    byte 3             the number of dimensions
    4 bytes for each   its size, an unsigned integer
    the rest           the numbers, and nothing after them

Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*, "File formats".
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import checks, forks
from multilayer.atomic import replacing
from multilayer.errors import InvalidDataError, InvalidTypeError

__all__ = ["DTYPES", "default_cache_dir", "read_idx", "write_idx"]

Array = npt.NDArray[Any]
StrPath = str | os.PathLike[str]

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
"""The type of the numbers, by byte 2 of the header."""

CODES = {dtype: code for code, dtype in DTYPES.items()}
MAX_DIMENSIONS = 64  # NumPy has no more
CHUNK = 1 << 20  # bytes to unpack at a time


def read_idx(
    path: StrPath, *, sha256: str | None = None, cache_dir: StrPath | None = None
) -> Array:
    """Map an IDX file, plain or gzipped, into memory, so that its data is read only when needed.

    A gzipped file is unpacked once, into ``cache_dir/unpacked``, and the unpacked file is mapped.
    The name of the unpacked file is a hash of the gzipped file's size, time and checksum, so the
    file is unpacked again if these change. Several processes may do this at the same time.

    The file's length is compared with its header before mapping and during unpacking, so a wrong
    header never causes a large allocation.

    Parameters
    ----------
    path : path
        The file. Its first bytes, not its name, decide whether it is gzipped.
    sha256 : str, optional
        The SHA-256 of the unpacked data, in hexadecimal. A gzipped file is checked when it is
        unpacked; a plain file is read once from end to end to check it.
    cache_dir : path, optional
        Where unpacked files are kept; the user's cache folder by default.

    Returns
    -------
    numpy.memmap
        Read-only, with the header's shape and type, big-endian if the type has several bytes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidDataError
        If it is not an IDX file, is damaged, truncated or too long, or has a different SHA-256.
    OSError
        If the file cannot be read, or the cache folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], dtype=np.uint8))
    ...     labels = read_idx(f"{folder}/labels.gz", cache_dir=folder)
    ...     labels.tolist(), labels.dtype
    ([5, 0, 4], dtype('uint8'))
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no IDX file at {path}")
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    if not gzipped:
        return _map(path, sha256)
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    unpacked = folder / "unpacked" / _unpacked_name(path, sha256)
    # It fails if the file is not unpacked yet, or was damaged since. The SHA-256 was checked when
    # the unpacked file was written.
    with contextlib.suppress(FileNotFoundError, InvalidDataError):
        return _map(unpacked)
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    with replacing(unpacked) as target:
        _unpack(path, target)
        _check_sha256(target, sha256, path)
    return _map(unpacked)


def write_idx(path: StrPath, array: object) -> None:
    """Write an array to an IDX file, gzipped if its name ends in ``.gz``.

    The file is written under a temporary name and then renamed. The same array always gives the
    same bytes.

    Parameters
    ----------
    path : path
        Where to write; an existing file is replaced.
    array : array of 1 to 64 dimensions
        uint8, int8, int16, int32, float32 or float64, in either byte order.

    Raises
    ------
    InvalidTypeError
        If the format does not support the array's dtype.
    InvalidDataError
        If the format does not support the array's shape.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/tiny", np.array([[1, 2, 3]], dtype=np.int16))
    ...     Path(folder, "tiny").read_bytes().hex(" ")
    '00 00 0b 02 00 00 00 01 00 00 00 03 00 01 00 02 00 03'
    """
    path, values = Path(path), checks.array(array, "array", "write_idx")
    dtype = values.dtype.newbyteorder(">")
    if dtype not in CODES:
        names = ", ".join(known.name for known in CODES)
        raise InvalidTypeError(f"must have dtype {names}", "array", "write_idx", got=values.dtype)
    if not 1 <= values.ndim <= MAX_DIMENSIONS or max(values.shape) >= 2**32:
        rule = f"must have 1 to {MAX_DIMENSIONS} dimensions, each below 2³²"
        raise InvalidDataError(rule, "array", "write_idx", got=f"shape {values.shape}")
    numbers = np.ascontiguousarray(values, dtype).reshape(-1).view(np.uint8)
    with replacing(path) as file:
        # No time or name in the gzip header, so that the bytes depend on the array alone.
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else None
        with packed or contextlib.nullcontext(file) as target:
            target.write(_Header(dtype, values.shape).encode())
            target.write(numbers.data)


def default_cache_dir() -> Path:
    """Return the user's cache folder: ``~/.cache/multilayer`` on Linux."""
    with forks.imports:
        import pooch

    return Path(pooch.os_cache("multilayer"))


class _Header(NamedTuple):
    """The header, which precedes the numbers."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """The length of the header."""
        return 4 + 4 * len(self.shape)

    @property
    def n_bytes_in_all(self) -> int:
        """The length of the whole file."""
        return self.n_bytes + math.prod(self.shape) * self.dtype.itemsize

    def encode(self) -> bytes:
        sizes = np.array(self.shape, dtype=">u4").tobytes()
        return bytes([0, 0, CODES[self.dtype], len(self.shape)]) + sizes

    def check_length(self, n_bytes: int, path: Path) -> None:
        if n_bytes == self.n_bytes_in_all:
            return
        sizes = " × ".join(map(str, self.shape))
        if n_bytes < self.n_bytes_in_all:
            found = f"it ends at byte {n_bytes}"
        else:
            found = f"it continues at byte {self.n_bytes_in_all}"
        rule = (
            f"must have {self.n_bytes_in_all} bytes, a header of {self.n_bytes} and {sizes} "
            f"{self.dtype.name}; {found}"
        )
        raise InvalidDataError(rule, path)


def _read_header(file: io.BufferedIOBase, path: Path) -> _Header:
    start = file.read(4)
    if start[:2] != b"\0\0"[: len(start)]:
        found = start[:2].hex(" ").upper()
        rule = "must begin with 00 00 (IDX) or 1F 8B (gzip)"
        raise InvalidDataError(rule, path, got=f"{found} at byte 0")
    if len(start) < 4:
        rule = f"must have a header of at least 8 bytes; it ends at byte {len(start)}"
        raise InvalidDataError(rule, path)
    _, _, code, n_dimensions = start
    if code not in DTYPES:
        known = ", ".join(f"{key:02X} ({dtype.name})" for key, dtype in DTYPES.items())
        rule = f"must have one of the types {known}"
        raise InvalidDataError(rule, path, got=f"{code:02X} at byte 2")
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        rule = f"must have 1 to {MAX_DIMENSIONS} dimensions"
        raise InvalidDataError(rule, path, got=f"{n_dimensions} at byte 3")
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        rule = (
            f"must have a header of {4 + 4 * n_dimensions} bytes, for {n_dimensions} dimensions; "
            f"it ends at byte {4 + len(sizes)}"
        )
        raise InvalidDataError(rule, path)
    header = _Header(DTYPES[code], tuple(np.frombuffer(sizes, ">u4").tolist()))
    # Zero sizes count as 1, because NumPy refuses an empty array if its other sizes are too large.
    if math.prod(size or 1 for size in header.shape) * header.dtype.itemsize > sys.maxsize:
        rule = "must have sizes that can be addressed"
        raise InvalidDataError(rule, path, got=f"{header.shape} at byte 4")
    return header


def _map(path: Path, sha256: str | None = None) -> Array:
    """Map a plain file, after checking its length against its header."""
    with path.open("rb") as file:
        header = _read_header(file, path)
        header.check_length(os.fstat(file.fileno()).st_size, path)
        _check_sha256(file, sha256, path)
        # Map the open file, not its path, where another file may be by now.
        return np.memmap(file, header.dtype, "r", header.n_bytes, header.shape)


def _unpack(path: Path, target: io.BufferedIOBase) -> None:
    """Unpack a gzipped file, and stop as soon as it is longer than its header says."""
    n_bytes = 0
    try:
        with gzip.open(path) as source:
            header = _read_header(source, path)
            chunk = header.encode()
            while chunk:
                n_bytes += len(chunk)
                if n_bytes > header.n_bytes_in_all:
                    break
                target.write(chunk)
                chunk = source.read(CHUNK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        rule = f"is a damaged gzip file, after byte {n_bytes} of the unpacked data: {error}"
        raise InvalidDataError(rule, path) from error
    header.check_length(n_bytes, path)


def _check_sha256(file: io.BufferedIOBase, sha256: str | None, path: Path) -> None:
    if sha256 is None:
        return
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise InvalidDataError(f"must have SHA-256 {sha256.lower()} when unpacked", path, got=found)


def _unpacked_name(path: Path, sha256: str | None) -> str:
    """Return a name for an unpacked file, which changes if the gzipped file does.

    It does not depend on the path, so a file that is moved need not be unpacked again.
    """
    status = path.stat()
    with path.open("rb") as file:
        file.seek(max(0, status.st_size - 8))
        checksum_and_length = file.read()  # of the unpacked data
    parts = (status.st_size, status.st_mtime_ns, checksum_and_length.hex(), sha256)
    return f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.idx"
