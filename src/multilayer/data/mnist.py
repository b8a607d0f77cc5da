"""MNIST and similar image sets: found on disk or downloaded, and mapped into memory."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.atomic import replacing
from multilayer.data.idx import default_cache_dir, read_idx
from multilayer.data.images import ScaledImages
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.registry import Names, Registry

__all__ = ["IMAGE_SETS", "ImageData", "ImageSet", "load_images"]

Array = npt.NDArray[Any]
StrPath = str | os.PathLike[str]

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FOLDER_VARIABLE = "MULTILAYER_DATA"
ATTEMPTS = 3  # rounds over all mirrors
PAUSE = 1.0  # seconds before the second round, twice that before the third
TIMEOUT = (10, 30)  # seconds to connect, seconds between two packets


@dataclass(frozen=True)
class ImageSet:
    """Where a set of images is published, and the checksums of its files."""

    mirrors: tuple[str, ...]
    """Addresses of folders that hold the four files, gzipped, under the names in `FILES`."""
    class_names: tuple[str, ...]
    """The names of classes 0, 1, …."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """The checksum of each file's unpacked content, by file name; always checked."""
    md5: Mapping[str, str] = field(default_factory=dict)
    """The checksum of each gzipped file as published, by file name; checked after downloading."""


def _by_file(*digests: str) -> dict[str, str]:
    return dict(zip(FILES, digests, strict=True))


IMAGE_SETS: Registry[ImageSet] = Registry(
    Names("image set", []),
    {
        "mnist": ImageSet(
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            class_names=tuple("0123456789"),
            sha256=_by_file(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        "fashion_mnist": ImageSet(
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            class_names=(
                "T-shirt/top", "trouser", "pullover", "dress", "coat",
                "sandal", "shirt", "sneaker", "bag", "ankle boot",
            ),
            md5=_by_file(
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
        "kmnist": ImageSet(
            mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            md5=_by_file(
                "bdb82020997e1d708af4cf47b453dcf7",
                "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7",
                "7320c461ea6c1c855c0b718fb2a4b134",
            ),
        ),
    },
)  # fmt: skip


class ImageData(NamedTuple):
    """Images and labels, split as published."""

    X_train: ScaledImages
    """Shape (60000, 784), float32: pixel/255, computed when rows are read."""
    y_train: Array
    """Shape (60000,), int64: the class, 0 to 9."""
    X_test: ScaledImages
    """Shape (10000, 784), float32."""
    y_test: Array
    """Shape (10000,), int64."""
    class_names: tuple[str, ...]
    """The names of the classes."""
    name: str
    """The set's name."""


def load_images(
    name: str = "mnist",
    *,
    data_dir: StrPath | None = None,
    cache_dir: StrPath | None = None,
    download: bool = True,
) -> ImageData:
    """Return a published set of 28 × 28 images, mapped from its files.

    The files are taken from the first folder that has all four of them, gzipped or plain:
    ``<data_dir>/<name>``, `data_dir`, ``$MULTILAYER_DATA/<name>``, ``$MULTILAYER_DATA``,
    ``<cache_dir>/<name>``. If no folder has them, they are downloaded into the last one, from the
    set's mirrors in turn. A file gets its name there only after it is complete and its checksum
    has been verified.

    The files of all sets have the same names. Therefore ``$MULTILAYER_DATA`` itself is searched
    only if the SHA-256 checksums of the set's files are known, as they are for MNIST.

    Parameters
    ----------
    name : str
        ``"mnist"`` (LeCun, Cortes, Burges), ``"fashion_mnist"`` (Xiao et al. 2017, clothes) or
        ``"kmnist"`` (Clanuwat et al. 2018, cursive Japanese).
    data_dir : path, optional
        A folder to search first.
    cache_dir : path, optional
        Where downloaded and unpacked files are kept; the user's cache folder by default.
    download : bool
        Whether to download files that are not found in any folder.

    Returns
    -------
    ImageData
        (X_train, y_train, X_test, y_test, class_names, name).

    Raises
    ------
    UnknownNameError
        If there is no set of that name.
    InvalidArgumentError
        If `data_dir` is given and is not a folder.
    InvalidDataError
        If the files are damaged or differ from the published ones, if images and labels do not
        match, or if the files are not found and cannot be downloaded.
    OSError
        If a file cannot be read, or the cache folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from multilayer.data.idx import write_idx
    >>> with TemporaryDirectory() as folder:
    ...     for part, n_samples in ("train", 4), ("t10k", 2):
    ...         images, labels = np.zeros((n_samples, 28, 28), np.uint8), np.arange(n_samples)
    ...         write_idx(f"{folder}/{part}-images-idx3-ubyte.gz", images)
    ...         write_idx(f"{folder}/{part}-labels-idx1-ubyte", labels.astype(np.uint8))
    ...     data = load_images("fashion_mnist", data_dir=folder, cache_dir=folder)
    >>> data.X_train, data.y_train
    (ScaledImages(4 images of 28 × 28, pixel/255), array([0, 1, 2, 3]))
    >>> [data.class_names[label] for label in data.y_test]
    ['T-shirt/top', 'trouser']
    """
    image_set = IMAGE_SETS[name]
    if data_dir is not None and not Path(data_dir).is_dir():
        rule = "must be a folder that exists"
        raise InvalidArgumentError(rule, "data_dir", "load_images", got=data_dir)
    cache = default_cache_dir() if cache_dir is None else Path(cache_dir)
    folders = list(_folders(name, image_set, data_dir, cache))
    files = next((found for found in map(_files_in, folders) if len(found) == len(FILES)), None)
    if files is None:
        failures = _download(image_set, cache / name, cache) if download else {}
        files = _files_in(cache / name)
        if len(files) < len(FILES):
            raise InvalidDataError(_not_found(name, folders, failures))
    train_images, train_labels, test_images, test_labels = FILES
    return ImageData(
        *_read_part(image_set, files, train_images, train_labels, cache),
        *_read_part(image_set, files, test_images, test_labels, cache),
        image_set.class_names,
        name,
    )


def _folders(
    name: str, image_set: ImageSet, data_dir: StrPath | None, cache: Path
) -> Iterator[Path]:
    """Yield the folders to search, in order."""
    if data_dir is not None:
        yield Path(data_dir, name)
        yield Path(data_dir)
    if root := os.environ.get(FOLDER_VARIABLE):
        yield Path(root, name)
        if image_set.sha256:
            yield Path(root)
    yield cache / name


def _files_in(folder: Path) -> dict[str, Path]:
    """Return the paths of the four files that a folder has, by name; prefer plain files."""
    found = {}
    for file in FILES:
        # Some unpackers write train-images.idx3-ubyte.
        names = [base + end for end in ("", ".gz") for base in (file, file.replace("-idx", ".idx"))]
        paths = [folder / name for name in names if (folder / name).is_file()]
        if paths:
            found[file] = paths[0]
    return found


def _read_part(
    image_set: ImageSet, files: Mapping[str, Path], images: str, labels: str, cache: Path
) -> tuple[ScaledImages, Array]:
    """Map images, load their labels, and check that they match."""
    pixels = read_idx(files[images], sha256=image_set.sha256.get(images), cache_dir=cache)
    y = read_idx(files[labels], sha256=image_set.sha256.get(labels), cache_dir=cache)
    if pixels.shape[1:] != (28, 28) or pixels.dtype != np.uint8 or len(pixels) == 0:
        raise InvalidDataError(
            "must hold uint8 images of 28 × 28",
            files[images],
            got=f"shape {pixels.shape} of {pixels.dtype.name}",
        )
    if y.shape != (len(pixels),) or y.dtype != np.uint8:
        rule = f"must hold {len(pixels)} uint8 labels, one for each image of {files[images].name}"
        raise InvalidDataError(rule, files[labels], got=f"shape {y.shape} of {y.dtype.name}")
    last = len(image_set.class_names) - 1
    if y.max() > last:
        index = int(np.argmax(y > last))
        rule = f"must hold labels 0 to {last}"
        raise InvalidDataError(rule, files[labels], got=f"{y[index]} at index {index}")
    return ScaledImages(pixels), np.array(y, dtype=np.int64)


def _download(image_set: ImageSet, folder: Path, cache: Path) -> dict[str, str]:
    """Download the files that `folder` lacks; if one fails, return the reason for each address."""
    for file in FILES:
        if file in _files_in(folder):
            continue
        failures = _fetch(image_set, file, folder / f"{file}.gz", cache)
        if failures:
            return failures
    return {}


def _fetch(image_set: ImageSet, file: str, target: Path, cache: Path) -> dict[str, str]:
    """Download a file from the first mirror that works; if none does, return their failures."""
    failures = {}
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE * attempt)
        for mirror in image_set.mirrors:
            url = f"{mirror}{file}.gz"
            try:
                _fetch_from(url, image_set, file, target, cache)
            except (OSError, InvalidDataError) as error:  # a failed connection is an OSError
                failures[url] = str(error)
            else:
                return {}
    return failures


def _fetch_from(url: str, image_set: ImageSet, file: str, target: Path, cache: Path) -> None:
    """Download a file from one address; it gets its name only if its content is right."""
    with forks.imports:
        import pooch

    downloader = pooch.HTTPDownloader(
        chunk_size=1 << 16, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as download:
        downloader(url, download, None)
        download.seek(0)
        if expected := image_set.md5.get(file):
            found = hashlib.file_digest(download, "md5").hexdigest()
            if found != expected:
                raise InvalidDataError(f"must have MD5 {expected}", target.name, got=found)
        temporary = Path(download.name)
        try:
            # This unpacks the file under a name that does not depend on its path, to be used later.
            read_idx(temporary, sha256=image_set.sha256.get(file), cache_dir=cache)
        except InvalidDataError as error:
            error.parameter = target.name  # instead of the temporary file
            raise


def _not_found(name: str, folders: list[Path], failures: Mapping[str, str]) -> str:
    """Return a message that says where the files were searched for, and what to do."""
    lines = [f"{name} was not found in any folder and was not downloaded. Folders searched:"]
    for folder in folders:
        found = _files_in(folder)
        missing = [file for file in FILES if file not in found]
        reason = f"has no {', '.join(missing)}" if folder.is_dir() else "is not a folder"
        lines.append(f"  {folder} {reason}")
    lines.append("Addresses tried:" if failures else "No address was tried: download=False.")
    lines += [f"  {url}: {reason}" for url, reason in failures.items()]
    lines.append(
        f"Put {', '.join(FILES)}, plain or gzipped, into a folder and pass it as data_dir, or into "
        f"a folder {name} inside the folder that the environment variable {FOLDER_VARIABLE} names."
    )
    return "\n".join(lines)
