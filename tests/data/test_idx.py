"""IDX files: what is written comes back, what is damaged is refused, what is packed is cached."""

import gzip
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from multilayer.data.idx import read_idx, write_idx
from multilayer.errors import InvalidDataError, InvalidTypeError

PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
# Written by hand after the format's description: 3 dimensions of uint8, 2 × 3 × 2.
WHOLE = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 2) + bytes(range(12))
MEGABYTE = 1 << 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def unpacked(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file())


def message_of(path, **arguments):
    with pytest.raises(InvalidDataError) as error:
        read_idx(path, **arguments)
    return str(error.value)


@given(
    array=st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]).flatmap(
        lambda kind: hnp.arrays(
            st.sampled_from([f"<{kind}", f">{kind}"]),
            hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4),
        )
    ),
    suffix=st.sampled_from(["", ".gz"]),
    transposed=st.booleans(),
)
def test_what_is_written_comes_back(array, suffix, transposed):
    array = array.T if transposed else array
    with tempfile.TemporaryDirectory() as folder:
        write_idx(f"{folder}/array{suffix}", array)
        found = read_idx(f"{folder}/array{suffix}", cache_dir=folder)
        assert found.shape == array.shape
        assert found.dtype == array.dtype.newbyteorder(">")
        assert found.tobytes() == array.astype(found.dtype).tobytes()  # NaNs too


@pytest.mark.parametrize(
    ("code", "letter", "name"),
    [(8, "B", "uint8"), (9, "b", "int8"), (11, "h", "int16"), (12, "i", "int32"),
     (13, "f", "float32"), (14, "d", "float64")],
)  # fmt: skip
def test_every_type_is_as_the_format_says(code, letter, name, path):
    content = bytes([0, 0, code, 1]) + struct.pack(f">I3{letter}", 3, 1, 2, 100)
    path.write_bytes(content)
    found = read_idx(path)
    assert found.tolist() == [1, 2, 100]
    assert found.dtype.name == name
    write_idx(path, found)
    assert path.read_bytes() == content


def test_a_plain_file_is_mapped_read_only(path, cache):
    path.write_bytes(WHOLE)
    found = read_idx(path, cache_dir=cache)
    np.testing.assert_array_equal(found, PIXELS)
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0
    assert unpacked(cache) == []


def test_content_says_whether_a_file_is_packed(path, cache):
    packed_without_suffix, plain_with_suffix = path, path.with_suffix(".gz")
    packed_without_suffix.write_bytes(gzip.compress(WHOLE))
    plain_with_suffix.write_bytes(WHOLE)
    for file in packed_without_suffix, plain_with_suffix:
        np.testing.assert_array_equal(read_idx(file, cache_dir=cache), PIXELS)


def test_the_same_array_gives_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    files = [tmp_path / "a.gz", tmp_path / "b.gz"]
    for day, file in enumerate(files):
        monkeypatch.setattr("time.time", lambda day=day: 86400.0 * (1 + day))
        write_idx(file, PIXELS)
    assert files[0].read_bytes() == files[1].read_bytes()


# --- Damage -----------------------------------------------------------------------------------


def length_message(path, n_bytes):
    if n_bytes < 4:
        return f"{path} must have a header of at least 8 bytes; it ends at byte {n_bytes}"
    if n_bytes < 16:
        return f"{path} must have a header of 16 bytes, for 3 dimensions; it ends at byte {n_bytes}"
    found = f"it ends at byte {n_bytes}" if n_bytes < 28 else "it continues at byte 28"
    return f"{path} must have 28 bytes, a header of 16 and 2 × 3 × 2 uint8; {found}"


@pytest.mark.parametrize("n_bytes", [*range(len(WHOLE)), 29, 30, 3 * MEGABYTE])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_another_length_is_refused(n_bytes, pack, path, cache):
    path.write_bytes(pack(WHOLE.ljust(n_bytes, b"\0")[:n_bytes]))
    assert message_of(path, cache_dir=cache) == length_message(path, n_bytes)
    assert unpacked(cache) == []


TYPES = "08 (uint8), 09 (int8), 0B (int16), 0C (int32), 0D (float32), 0E (float64)"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("00 01 08 03", "must begin with 00 00 (IDX) or 1F 8B (gzip); got 00 01 at byte 0"),
        ("89 50 4E 47", "must begin with 00 00 (IDX) or 1F 8B (gzip); got 89 50 at byte 0"),
        ("00 00 0A 03", f"must have one of the types {TYPES}; got 0A at byte 2"),
        ("00 00 08 00", "must have 1 to 64 dimensions; got 0 at byte 3"),
        ("00 00 08 41", "must have 1 to 64 dimensions; got 65 at byte 3"),
        ("00 00 08 04", "must have 0 bytes, a header of 20 and 2 × 3 × 2 × 66051 uint8"),
    ],
)
def test_a_wrong_header_is_refused(start, message, pack, path, cache):
    path.write_bytes(pack(bytes.fromhex(start) + WHOLE[4:]))
    message = message.replace("0 bytes", f"{20 + 12 * 66051} bytes")
    found = message_of(path, cache_dir=cache)
    assert found.removesuffix("; it ends at byte 28") == f"{path} {message}"
    assert unpacked(cache) == []


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            (60_000, 28, 28, 1000),
            "must have 47040000020 bytes, a header of 20 and 60000 × 28 × 28 × 1000 uint8; "
            "it ends at byte 24",
        ),
        ((2**32 - 1,) * 4, f"must have sizes that can be addressed; got {(2**32 - 1,) * 4} at "
                           "byte 4"),
        ((0, *(2**32 - 1,) * 3), f"must have sizes that can be addressed; got "
                                 f"{(0, *(2**32 - 1,) * 3)} at byte 4"),
    ],
)  # fmt: skip
def test_a_header_that_lies_costs_no_memory(sizes, message, pack, path, cache):
    path.write_bytes(pack(bytes([0, 0, 8, 4]) + struct.pack(">4I", *sizes) + bytes(4)))
    tracemalloc.start()
    found = message_of(path, cache_dir=cache)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == f"{path} {message}"
    assert peak < 2 * MEGABYTE  # one chunk of a packed file


def test_a_bomb_is_stopped_when_it_exceeds_its_header(path, cache, monkeypatch):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(WHOLE)
        for _ in range(200):
            file.write(bytes(MEGABYTE))
    n_read = 0
    read = gzip.GzipFile.read

    def counted(self, size=-1):
        nonlocal n_read
        chunk = read(self, size)
        n_read += len(chunk)
        return chunk

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    tracemalloc.start()
    found = message_of(path, cache_dir=cache)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == length_message(path, 200 * MEGABYTE)
    assert n_read < 2 * MEGABYTE
    assert peak < 8 * MEGABYTE  # a few chunks
    assert unpacked(cache) == []


def test_a_long_file_is_unpacked_in_little_memory(path, cache):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(bytes([0, 0, 8, 1]) + struct.pack(">I", 64 * MEGABYTE))
        for _ in range(64):
            file.write(bytes(MEGABYTE))
    tracemalloc.start()
    assert len(read_idx(path, cache_dir=cache)) == 64 * MEGABYTE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MEGABYTE  # a few chunks


def test_a_gzip_file_that_is_cut_off_is_refused(path, cache):
    packed = gzip.compress(WHOLE)
    for n_bytes in range(2, len(packed)):
        path.write_bytes(packed[:n_bytes])
        assert re.fullmatch(
            rf"{path} is a damaged gzip file, after byte \d+ of the unpacked data: Compressed file "
            "ended before the end-of-stream marker was reached",
            message_of(path, cache_dir=cache),
        )
    assert unpacked(cache) == []


def test_no_damaged_byte_of_a_gzip_file_gives_other_numbers(path, cache):
    packed = gzip.compress(WHOLE)
    refused = 0
    for index in range(len(packed)):
        for bit in range(8):
            folder = cache / f"{index}.{bit}"  # else files of one moment share what is cached
            path.write_bytes(
                packed[:index] + bytes([packed[index] ^ (1 << bit)]) + packed[index + 1 :]
            )
            try:
                found = read_idx(path, cache_dir=folder)
            except InvalidDataError:
                refused += 1
            else:  # the packed file's time, its system, and such
                np.testing.assert_array_equal(found, PIXELS)
    assert refused > 8 * (len(packed) - 10)  # whatever stands after the 10 bytes of header


def test_another_checksum_is_refused(path, cache):
    expected, right = "0" * 64, hashlib.sha256(WHOLE).hexdigest()
    for content in WHOLE, gzip.compress(WHOLE):
        path.write_bytes(content)
        assert message_of(path, sha256=expected, cache_dir=cache) == (
            f"{path} must have SHA-256 {expected} when unpacked; got {right}"
        )
        assert unpacked(cache) == []
    for content in WHOLE, gzip.compress(WHOLE):
        path.write_bytes(content)
        found = read_idx(path, sha256=right.upper(), cache_dir=cache)
        np.testing.assert_array_equal(found, PIXELS)


def test_a_checksum_is_asked_for_after_one_was_not(path, cache):
    path.write_bytes(gzip.compress(WHOLE))
    read_idx(path, cache_dir=cache)
    assert message_of(path, sha256="0" * 64, cache_dir=cache).startswith(
        f"{path} must have SHA-256"
    )


def test_no_file(path):
    with pytest.raises(FileNotFoundError, match=rf"^no IDX file at {path}$"):
        read_idx(path)


# --- The cache --------------------------------------------------------------------------------


def test_a_packed_file_is_unpacked_once(path, cache):
    path.write_bytes(gzip.compress(WHOLE))
    first = read_idx(path, cache_dir=cache)
    (file,) = unpacked(cache)
    assert file.read_bytes() == WHOLE
    before = file.stat()
    moved = path.rename(path.with_name("moved"))
    second = read_idx(moved, cache_dir=cache)
    after = file.stat()
    assert first.filename == second.filename == str(file)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert unpacked(cache) == [file]


def test_a_packed_file_that_changed_is_unpacked_anew(path, cache):
    path.write_bytes(gzip.compress(WHOLE))
    old, status = read_idx(path, cache_dir=cache), path.stat()
    changed = gzip.compress(WHOLE[:-1] + b"\xff")
    path.write_bytes(changed)
    # Even where neither size nor time tell.
    assert len(changed) == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_idx(path, cache_dir=cache)[-1, -1, -1] == 255
    assert old[-1, -1, -1] == 11


def test_a_damaged_unpacked_file_is_made_anew(path, cache):
    path.write_bytes(gzip.compress(WHOLE))
    read_idx(path, cache_dir=cache)
    (file,) = unpacked(cache)
    file.write_bytes(WHOLE[:-1])
    np.testing.assert_array_equal(read_idx(path, cache_dir=cache), PIXELS)


def test_a_full_disk_leaves_nothing_behind(path, cache, monkeypatch):
    path.write_bytes(gzip.compress(WHOLE))
    other = path.with_name("other")
    other.write_bytes(b"old")

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("multilayer.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="no space left on device"):
        read_idx(path, cache_dir=cache)
    with pytest.raises(OSError, match="no space left on device"):
        write_idx(other, PIXELS)
    assert unpacked(cache) == []
    assert other.read_bytes() == b"old"
    assert sorted(path.parent.iterdir()) == [cache, path, other]


READER = """
import hashlib, sys, time
from pathlib import Path
from multilayer.data.idx import read_idx
path, cache, start = sys.argv[1:]
print("ready", flush=True)
while not Path(start).exists():
    time.sleep(0.001)
print(hashlib.sha256(read_idx(path, cache_dir=cache).tobytes()).hexdigest())
"""


def test_processes_unpack_at_once(path, cache):
    numbers = np.random.default_rng(0).integers(0, 256, size=4 * MEGABYTE, dtype=np.uint8)
    path = path.with_suffix(".gz")
    write_idx(path, numbers)
    start = path.with_name("start")
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, path, cache, start], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    start.touch()
    digests = {reader.communicate(timeout=60)[0].strip() for reader in readers}
    assert {reader.returncode for reader in readers} == {0}
    assert digests == {hashlib.sha256(numbers.tobytes()).hexdigest()}
    assert len(unpacked(cache)) == 1


def test_the_default_cache_is_the_users(path, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "home" / project)
    path.write_bytes(gzip.compress(WHOLE))
    assert Path(read_idx(path).filename).parent == tmp_path / "home" / "multilayer" / "unpacked"


# --- Writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint16", "complex64", "U3", "float16"])
def test_a_type_that_the_format_lacks(dtype, path):
    message = (
        "array of write_idx must have dtype uint8, int8, int16, int32, float32, float64; got "
        f"{np.dtype(dtype)}"
    )
    with pytest.raises(InvalidTypeError) as error:
        write_idx(path, np.zeros(3, dtype))
    assert str(error.value) == message
    assert not path.exists()


@pytest.mark.parametrize("shape", [(), (0, 2**32)])
def test_a_shape_that_the_format_lacks(shape, path):
    message = (
        "array of write_idx must have 1 to 64 dimensions, each below 2³²; got shape "
        f"{re.escape(str(shape))}"
    )
    with pytest.raises(InvalidDataError, match=rf"^{message}$"):
        write_idx(path, np.zeros(shape, np.uint8))
    assert not path.exists()
