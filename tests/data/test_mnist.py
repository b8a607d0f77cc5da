"""Published image sets: where they are looked for, how they are downloaded, what is refused."""

import functools
import gzip
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from multilayer.data.idx import read_idx, write_idx
from multilayer.data.images import ScaledImages
from multilayer.data.mnist import FILES, IMAGE_SETS, ImageSet, load_images
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.registry import Names, Registry

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES
DATA = os.environ.get("MULTILAYER_DATA")  # before the tests unset it


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Keep tests off the user's own files, and off any proxy between here and here."""
    monkeypatch.delenv("MULTILAYER_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "home" / project)
    monkeypatch.setattr("multilayer.data.mnist.PAUSE", 0)


@functools.cache
def tiny_set():
    """Return 5 and 3 images with their labels, as the four files' unpacked content."""
    rng = np.random.default_rng(0)
    contents = {}
    for part, n_samples in ("train", 5), ("t10k", 3):
        header = bytes([0, 0, 8, 3, 0, 0, 0, n_samples, 0, 0, 0, 28, 0, 0, 0, 28])
        contents[f"{part}-images-idx3-ubyte"] = header + rng.bytes(n_samples * 784)
        contents[f"{part}-labels-idx1-ubyte"] = bytes([0, 0, 8, 1, 0, 0, 0, n_samples]) + bytes(
            range(n_samples)
        )
    return contents


@pytest.fixture
def publish(monkeypatch):
    """Put a set named tiny, and nothing else, into the registry."""

    def publish(*mirrors, checksum="sha256"):
        contents = tiny_set()
        if checksum == "md5":
            contents = {file: gzip.compress(content, mtime=0) for file, content in contents.items()}
        digests = {f: hashlib.new(checksum, c).hexdigest() for f, c in contents.items()}
        tiny = ImageSet(mirrors, tuple("0123456789"), **{checksum: digests})
        registry = Registry(Names("image set", []), {"tiny": tiny})
        monkeypatch.setattr("multilayer.data.mnist.IMAGE_SETS", registry)

    return publish


def store(folder, names=FILES, pack=bytes):
    folder.mkdir(parents=True, exist_ok=True)
    for file, name in zip(FILES, names, strict=True):
        (folder / name).write_bytes(pack(tiny_set()[file]))
    return folder


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def check(data):
    train, test = (
        np.frombuffer(tiny_set()[f][16:], np.uint8).reshape(-1, 28, 28)
        for f in (TRAIN_IMAGES, TEST_IMAGES)
    )
    np.testing.assert_array_equal(data.X_train.pixels, train)
    np.testing.assert_array_equal(data.X_test.pixels, test)
    assert data.y_train.tolist() == [0, 1, 2, 3, 4]
    assert data.y_test.tolist() == [0, 1, 2]
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert isinstance(data.X_train, ScaledImages)
    assert data.X_train.shape == (5, 784)


# --- Files on disk ----------------------------------------------------------------------------

PACKED = [f"{file}.gz" for file in FILES]
DOTTED = [file.replace("-idx", ".idx") for file in FILES]
DOTTED_AND_PACKED = [f"{file}.gz" for file in DOTTED]


@pytest.mark.parametrize(
    ("names", "pack"),
    [(FILES, bytes), (PACKED, gzip.compress), (DOTTED, bytes), (DOTTED_AND_PACKED, gzip.compress)],
)
def test_files_may_be_packed_and_have_either_name(names, pack, tmp_path, publish):
    publish()
    check(load_images("tiny", data_dir=store(tmp_path / "here", names, pack), download=False))


@pytest.mark.parametrize(
    "folder", ["given/tiny", "given", "named/tiny", "named", "cache/tiny", "home/multilayer/tiny"]
)
def test_where_files_are_looked_for(folder, tmp_path, publish, monkeypatch):
    publish()
    (tmp_path / "given").mkdir()
    store(tmp_path / folder)
    monkeypatch.setenv("MULTILAYER_DATA", str(tmp_path / "named"))
    cache = None if folder.startswith("home") else tmp_path / "cache"
    data = load_images("tiny", data_dir=tmp_path / "given", cache_dir=cache, download=False)
    check(data)
    assert Path(data.X_train.pixels.filename).parent == tmp_path / folder


def test_a_given_folder_that_is_not_there_is_named(tmp_path, publish):
    publish()
    store(tmp_path / "cache" / "tiny")
    with pytest.raises(InvalidArgumentError) as caught:
        load_images("tiny", data_dir=tmp_path / "gone", cache_dir=tmp_path / "cache")
    assert str(caught.value) == (
        f"data_dir of load_images must be a folder that exists; got {tmp_path / 'gone'}"
    )


def test_the_first_folder_that_has_all_files_serves(tmp_path, publish, monkeypatch):
    publish()
    (store(tmp_path / "given" / "tiny") / TEST_LABELS).unlink()
    monkeypatch.setenv("MULTILAYER_DATA", str(store(tmp_path / "named")))
    store(tmp_path / "cache" / "tiny")
    data = load_images("tiny", data_dir=tmp_path / "given", cache_dir=tmp_path / "cache")
    assert Path(data.X_train.pixels.filename).parent == tmp_path / "named"


def test_files_of_an_unknown_set_are_not_taken_for_another(tmp_path, publish, monkeypatch):
    publish(checksum="md5")  # of the packed files: it says nothing of these
    monkeypatch.setenv("MULTILAYER_DATA", str(store(tmp_path / "named")))
    with pytest.raises(InvalidDataError, match="tiny was not found in any folder"):
        load_images("tiny", download=False)
    store(tmp_path / "named" / "tiny")
    check(load_images("tiny", download=False))


def test_packed_files_are_unpacked_into_the_cache(tmp_path, publish):
    publish()
    given, cache = store(tmp_path / "given", PACKED, gzip.compress), tmp_path / "cache"
    check(load_images("tiny", data_dir=given, cache_dir=cache))
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.idx")}
    check(load_images("tiny", data_dir=given, cache_dir=cache))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.idx")} == before
    assert len(before) == 4
    assert len(files_below(given)) == 4


def test_other_content_is_refused(tmp_path, publish):
    publish()
    path = store(tmp_path / "given") / TRAIN_IMAGES
    content = path.read_bytes()
    damaged = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes(damaged)
    with pytest.raises(InvalidDataError) as error:
        load_images("tiny", data_dir=tmp_path / "given")
    expected, found = (hashlib.sha256(c).hexdigest() for c in (content, damaged))
    assert str(error.value) == f"{path} must have SHA-256 {expected} when unpacked; got {found}"


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        (TRAIN_IMAGES, np.zeros((5, 28, 27), np.uint8),
         "must hold uint8 images of 28 × 28; got shape (5, 28, 27) of uint8"),
        (TEST_IMAGES, np.zeros((3, 784), np.uint8),
         "must hold uint8 images of 28 × 28; got shape (3, 784) of uint8"),
        (TEST_IMAGES, np.zeros((3, 28, 28), np.int16),
         "must hold uint8 images of 28 × 28; got shape (3, 28, 28) of int16"),
        (TEST_IMAGES, np.zeros((0, 28, 28), np.uint8),
         "must hold uint8 images of 28 × 28; got shape (0, 28, 28) of uint8"),
        (TRAIN_LABELS, np.zeros(4, np.uint8),
         "must hold 5 uint8 labels, one for each image of train-images-idx3-ubyte; got shape (4,) "
         "of uint8"),
        (TEST_LABELS, np.zeros((3, 1), np.uint8),
         "must hold 3 uint8 labels, one for each image of t10k-images-idx3-ubyte; got shape (3, 1) "
         "of uint8"),
        (TEST_LABELS, np.zeros(3, np.float32),
         "must hold 3 uint8 labels, one for each image of t10k-images-idx3-ubyte; got shape (3,) "
         "of float32"),
        (TRAIN_LABELS, np.array([0, 9, 10, 1, 200], np.uint8),
         "must hold labels 0 to 9; got 10 at index 2"),
    ],
)  # fmt: skip
def test_files_that_do_not_belong_together(file, array, message, tmp_path, publish):
    publish(checksum="md5")
    path = store(tmp_path / "given") / file
    write_idx(path, array)
    with pytest.raises(InvalidDataError) as error:
        load_images("tiny", data_dir=tmp_path / "given")
    assert str(error.value) == f"{path} {message}"


def test_an_unknown_name():
    with pytest.raises(UnknownNameError) as error:
        load_images("fashion-mnist")
    assert str(error.value) == (
        "image set must be one of mnist, fashion_mnist, kmnist; got 'fashion-mnist', did you mean "
        "'fashion_mnist'?"
    )


def test_every_set_is_whole():
    for image_set in IMAGE_SETS.values():
        assert len(image_set.class_names) == len(set(image_set.class_names)) == 10
        assert all(mirror.endswith("/") for mirror in image_set.mirrors)
        assert {*image_set.sha256, *image_set.md5} == set(FILES)
        assert all(len(digest) == 64 for digest in image_set.sha256.values())
        assert all(len(digest) == 32 for digest in image_set.md5.values())


def test_nothing_anywhere(tmp_path, publish, monkeypatch):
    publish()
    (store(tmp_path / "given") / TEST_LABELS).unlink()
    monkeypatch.setenv("MULTILAYER_DATA", str(tmp_path / "named"))
    with pytest.raises(InvalidDataError) as error:
        load_images("tiny", data_dir=tmp_path / "given", cache_dir=tmp_path, download=False)
    assert str(error.value) == (
        "tiny was not found in any folder and was not downloaded. Folders searched:\n"
        f"  {tmp_path}/given/tiny is not a folder\n"
        f"  {tmp_path}/given has no t10k-labels-idx1-ubyte\n"
        f"  {tmp_path}/named/tiny is not a folder\n"
        f"  {tmp_path}/named is not a folder\n"
        f"  {tmp_path}/tiny is not a folder\n"
        "No address was tried: download=False.\n"
        f"Put {', '.join(FILES)}, plain or gzipped, into a folder and pass it as data_dir, or into "
        "a folder tiny inside the folder that the environment variable MULTILAYER_DATA names."
    )
    assert not (tmp_path / "tiny").exists()


# --- Downloads, from a server on this machine --------------------------------------------------


class Mirror(http.server.ThreadingHTTPServer):
    """Answers each request for a file as planned: the first plan for the first, the last for all.

    A plan is ``"good"``, ``"cut off"``, ``"damaged"``, ``"other"``, ``"plain"`` or a status.
    """

    daemon_threads = False  # so that closing waits for them, and their sockets

    def __init__(self, plans):
        super().__init__(("127.0.0.1", 0), Answer)
        self.plans = plans
        self.requested = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/sets/"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = self.path.removeprefix("/sets/").removesuffix(".gz")
        n_before = self.server.requested.count(file)
        self.server.requested.append(file)
        plans = self.server.plans.get(file, ["good"])
        plan = plans[min(n_before, len(plans) - 1)]
        if isinstance(plan, int):
            self.send_error(plan)
            return
        content = tiny_set()[file]
        if plan == "other":
            content = content[:-1] + b"\x07"
        body = content if plan == "plain" else gzip.compress(content, mtime=0)
        if plan == "damaged":
            body = body[:20] + bytes([body[20] ^ 255]) + body[21:]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if plan == "cut off" else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror():
    """Start mirrors with their plans; all are stopped afterwards."""
    running = []

    def start(plans=None):
        server = Mirror(plans or {})
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def refused():
    """Return an address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # held, so that nobody else takes it, but not listened to
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


DOWNLOADED = [f"tiny/{name}" for name in sorted(PACKED)]


def test_what_is_in_no_folder_is_downloaded_once(tmp_path, publish, mirror):
    server = mirror()
    publish(server.address)
    check(load_images("tiny", cache_dir=tmp_path))
    assert server.requested == list(FILES)
    assert [name for name in files_below(tmp_path) if "tiny/" in name] == DOWNLOADED
    # What was unpacked to check it serves now.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.idx")}
    check(load_images("tiny", cache_dir=tmp_path))
    assert server.requested == list(FILES)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.idx")} == before
    assert len(before) == 4


def test_only_what_is_missing_is_downloaded(tmp_path, publish, mirror):
    server = mirror()
    publish(server.address)
    (store(tmp_path / "tiny") / TEST_IMAGES).unlink()
    check(load_images("tiny", cache_dir=tmp_path))
    assert server.requested == [TEST_IMAGES]


@pytest.mark.parametrize("checksum", ["sha256", "md5"])
@pytest.mark.parametrize("fault", ["cut off", "damaged", "other", 503])
def test_a_fault_that_passes_is_tried_again(fault, checksum, tmp_path, publish, mirror):
    server = mirror({file: [fault, "good"] for file in FILES})
    publish(server.address, checksum=checksum)
    check(load_images("tiny", cache_dir=tmp_path))
    assert server.requested == [file for file in FILES for _ in range(2)]
    assert [name for name in files_below(tmp_path) if "tiny/" in name] == DOWNLOADED


@pytest.mark.parametrize("fault", ["cut off", "damaged", "other", 404, "refused"])
def test_the_next_mirror_serves(fault, tmp_path, publish, mirror, refused):
    bad, good = mirror({file: [fault] for file in FILES}), mirror()
    publish(refused if fault == "refused" else bad.address, good.address)
    check(load_images("tiny", cache_dir=tmp_path))
    assert good.requested == list(FILES)


def test_a_server_that_unpacks_is_understood(tmp_path, publish, mirror):
    server = mirror({file: ["plain"] for file in FILES})
    publish(server.address)
    check(load_images("tiny", cache_dir=tmp_path))


MESSAGES = {
    "cut off": "Connection broken: IncompleteRead(",
    "damaged": f"{TRAIN_LABELS}.gz is a damaged gzip file, after byte 8 of the unpacked data: ",
    "other": f"{TRAIN_LABELS}.gz must have SHA-256 ",
    404: "404 Client Error: Not Found for url: ",
    503: "503 Server Error: Service Unavailable for url: ",
    "refused": "Connection refused",
}


@pytest.mark.parametrize("fault", list(MESSAGES))
def test_when_no_mirror_serves(fault, tmp_path, publish, mirror, refused):
    server = mirror({TRAIN_LABELS: [fault]})
    if fault == "refused":
        store(tmp_path / "tiny")
        (tmp_path / "tiny" / TRAIN_LABELS).unlink()
    address = refused if fault == "refused" else server.address
    publish(address)
    with pytest.raises(InvalidDataError) as error:
        load_images("tiny", cache_dir=tmp_path)
    first, folder, tried, reason, advice = str(error.value).splitlines()
    assert first == "tiny was not found in any folder and was not downloaded. Folders searched:"
    assert folder.startswith(f"  {tmp_path}/tiny ")
    assert tried == "Addresses tried:"
    assert reason.startswith(f"  {address}{TRAIN_LABELS}.gz: ")
    assert MESSAGES[fault] in reason
    assert ".tmp" not in reason
    assert advice.startswith(f"Put {TRAIN_IMAGES}, ")
    # What came is kept for the next time; of what did not come there is nothing.
    assert server.requested.count(TRAIN_LABELS) == (0 if fault == "refused" else 3)
    assert [name for name in files_below(tmp_path) if TRAIN_LABELS in name] == []
    assert [name for name in files_below(tmp_path) if name.endswith(".tmp")] == []


def test_the_checksum_of_a_packed_file(tmp_path, publish, mirror):
    server = mirror({TRAIN_IMAGES: ["other"]})
    publish(server.address, checksum="md5")
    with pytest.raises(InvalidDataError, match=r"ubyte\.gz must have MD5 \w{32}; got \w{32}\n"):
        load_images("tiny", cache_dir=tmp_path)
    assert files_below(tmp_path) == []


def test_a_cache_that_cannot_be_written(tmp_path, publish, mirror):
    server = mirror()
    publish(server.address)
    (tmp_path / "tiny").write_text("in the way")
    with pytest.raises(InvalidDataError, match=rf"File exists: '{tmp_path}/tiny'"):
        load_images("tiny", cache_dir=tmp_path)
    assert server.requested == []


# --- The real digits --------------------------------------------------------------------------

real = pytest.mark.skipif(
    DATA is None or not Path(DATA, "mnist").is_dir(),
    reason="MULTILAYER_DATA names no folder that holds mnist",
)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    return load_images(
        "mnist", data_dir=DATA, cache_dir=tmp_path_factory.mktemp("cache"), download=False
    )


@real
def test_mnist_has_its_published_sizes(mnist):
    assert mnist.X_train.shape == (60_000, 784)
    assert mnist.X_test.shape == (10_000, 784)
    assert mnist.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(mnist.y_train).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(mnist.y_test).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert mnist.class_names == tuple("0123456789")


@real
def test_mnist_has_its_well_known_mean_and_deviation(mnist):
    mean, std = mnist.X_train.pixel_statistics()
    assert (round(mean, 4), round(std, 4)) == (0.1307, 0.3081)
    sample = mnist.X_train.scaled(mean, std)[:]
    assert abs(sample.mean(dtype=np.float64)) < 1e-6  # float32 rounds each of the 256 values
    assert abs(sample.std(dtype=np.float64) - 1) < 1e-6


@real
def test_mnist_is_checked_by_content(mnist, tmp_path):
    with gzip.open(tmp_path / "changed.gz", "wb", compresslevel=1) as file:
        pixels = np.array(mnist.X_train.pixels)
        pixels[0, 0, 0] ^= 1
        write_idx(tmp_path / "changed", pixels)
        file.write((tmp_path / "changed").read_bytes())
    expected = IMAGE_SETS["mnist"].sha256[TRAIN_IMAGES]
    for name in "changed", "changed.gz":
        with pytest.raises(InvalidDataError, match=f"must have SHA-256 {expected} when unpacked"):
            read_idx(tmp_path / name, sha256=expected, cache_dir=tmp_path / "cache")
    assert files_below(tmp_path) == ["changed", "changed.gz"]


def test_importing_it_imports_no_downloader():
    code = "import multilayer.data.mnist, sys; print({'pooch', 'requests'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout == "set()\n", result.stderr
