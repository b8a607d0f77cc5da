"""Images on disk as samples of a network, which are scaled when they are read."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.compiled import kernel
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.samples import LazySamples

__all__ = ["Rows", "ScaledImages"]

Array = npt.NDArray[Any]
Rows = slice | npt.ArrayLike
"""Selects samples: a slice, an array of row numbers, or a mask with one bool per sample."""

WHITE = 255  # the brightest pixel
CHUNK = 1024  # images to read at a time when all are read


def _scaled(pixels: Array, mean: float, std: float) -> Array:
    """Return (pixel/255 − mean)/std, each operation rounded to float32."""
    samples = np.empty(pixels.shape, dtype=np.float32)
    np.divide(pixels, np.float32(WHITE), out=samples)
    if mean != 0:
        samples -= np.float32(mean)
    if std != 1:
        samples /= np.float32(std)
    return samples


def _scale(pixels: Array, rows: Array, mean: float, std: float, out: Array) -> None:
    out[:] = _scaled(pixels[rows], mean, std)


@kernel(plain=_scale)
def scale(pixels, rows, mean, std, out):  # type: ignore[no-untyped-def]
    """Write (pixel/255 − mean)/std of some rows of a matrix of bytes into `out`."""
    white, shift, spread = np.float32(WHITE), np.float32(mean), np.float32(std)
    for i in range(rows.size):
        row, samples = pixels[rows[i]], out[i]
        if shift == 0 and spread == 1:
            for j in range(row.size):
                samples[j] = np.float32(row[j]) / white
        else:
            for j in range(row.size):
                samples[j] = (np.float32(row[j]) / white - shift) / spread


class ScaledImages(LazySamples):
    """Grey images as samples (pixel/255 − mean)/std, scaled when rows are read.

    An object can be used in place of a matrix of samples: it has ``shape``, ``dtype``, ``len()``
    and ``[rows]``. Only the selected rows are read, so images mapped from a file take no memory,
    however many there are. ``numpy.asarray`` makes a matrix of all images, at 4 bytes per pixel.

    Parameters
    ----------
    pixels : array of shape (n_samples, height, width), uint8
        The images, 0 to 255; usually what `read_idx` returns. They are not copied.
    mean, std : float
        In units of pixel/255, a brightness from 0 to 1. By default, samples are pixel/255.

    Attributes
    ----------
    pixels : array of shape (n_samples, height, width), uint8
    shape : tuple of int
        (n_samples, height·width).
    dtype : numpy.dtype
        float32.

    Raises
    ------
    InvalidTypeError
        If `pixels` is not of type uint8, or `mean` or `std` is not a number.
    InvalidDataError
        If `pixels` does not have three dimensions.
    InvalidArgumentError
        If `mean` is not finite, or `std` is not positive.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from multilayer.data.idx import read_idx, write_idx
    >>> with TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/tiny", np.arange(0, 60, 5, dtype=np.uint8).reshape(3, 2, 2))
    ...     X = ScaledImages(read_idx(f"{folder}/tiny"))
    >>> X
    ScaledImages(3 images of 2 × 2, pixel/255)
    >>> X.shape, len(X), X.dtype
    ((3, 4), 3, dtype('float32'))
    >>> X[[2, 0]] * 255
    array([[40., 45., 50., 55.],
           [ 0.,  5., 10., 15.]], dtype=float32)
    >>> mean, std = X.pixel_statistics()
    >>> print(X.scaled(mean, std)[1:2])
    [[-0.4345... -0.1448...  0.1448...  0.4345...]]
    """

    reads_in_parallel = True

    def __init__(self, pixels: Array, *, mean: float = 0.0, std: float = 1.0) -> None:
        if pixels.dtype != np.uint8:
            rule = "must have dtype uint8"
            raise InvalidTypeError(rule, "pixels", "ScaledImages", got=pixels.dtype)
        if pixels.ndim != 3:
            rule = "must have shape (n_samples, height, width)"
            raise InvalidDataError(rule, "pixels", "ScaledImages", got=f"shape {pixels.shape}")
        self.pixels = pixels
        self.mean = checks.real(mean, "mean", "ScaledImages")
        self.std = checks.real(std, "std", "ScaledImages", "(0, inf)")
        n_samples, height, width = pixels.shape
        self.shape = (n_samples, height * width)
        self.dtype = np.dtype(np.float32)
        self.ndim = 2

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        n_samples, height, width = self.pixels.shape
        scaling = "pixel/255"
        if (self.mean, self.std) != (0, 1):
            scaling = f"(pixel/255 − {self.mean:g})/{self.std:g}"
        return f"ScaledImages({n_samples:,} images of {height} × {width}, {scaling})"

    def __getitem__(self, rows: Rows) -> Array:
        """Return the samples of some rows as a new matrix of shape (k, height·width), float32.

        A single integer returns one sample, of shape (height·width,).
        """
        pixels = self._gather(rows)
        samples = _scaled(pixels, self.mean, self.std)
        return samples.reshape(*pixels.shape[:-2], self.shape[1])

    def read(self, rows: Rows, out: Array) -> None:
        """Write the samples of some rows into `out`, of shape (k, height·width).

        The numbers are the same as in ``self[rows]``, without an array in between.
        """
        if not self.pixels.flags.c_contiguous:  # reshaping them would copy all of them
            super().read(rows, out)
            return
        numbers = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if numbers.dtype.kind == "b":
            numbers = np.flatnonzero(numbers)
        if out.shape != (len(numbers), self.shape[1]):
            rule = f"must have shape {(len(numbers), self.shape[1])}"
            raise InvalidDataError(rule, "out", "read", got=out.shape)
        least, largest = numbers.min(initial=0), numbers.max(initial=0)
        if least < 0 or largest >= len(self):  # compiled loops do not check bounds
            rule = f"must be 0 to {len(self) - 1}"
            raise InvalidDataError(rule, "rows", "read", got=f"{least} to {largest}")
        pixels = np.asarray(self.pixels).reshape(self.shape)
        scale.fastest(pixels, numbers, self.mean, self.std, out)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(
                "ScaledImages cannot become an array without a copy: samples are made when read"
            )
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def images(self, rows: Rows) -> Array:
        """Return the raw images of some rows: a new array of shape (k, height, width), uint8."""
        return self._gather(rows).copy()

    def take(self, n: int) -> "ScaledImages":
        """Return the first `n` samples, lazily.

        Raises
        ------
        InvalidArgumentError
            If there are fewer than `n` samples.
        """
        n = checks.integer(n, "n", "ScaledImages.take")
        if n > len(self):
            rule = f"must be at most {len(self)}, the number of samples"
            raise InvalidArgumentError(rule, "n", "ScaledImages.take", got=n)
        return ScaledImages(self.pixels[:n], mean=self.mean, std=self.std)

    def scaled(self, mean: float, std: float) -> "ScaledImages":
        """Return the same images as (pixel/255 − mean)/std, lazily; the old scaling is dropped."""
        return ScaledImages(self.pixels, mean=mean, std=std)

    def pixel_statistics(self) -> tuple[float, float]:
        """Return the mean and standard deviation of pixel/255, over all pixels of all images.

        All images are read once, in chunks. Pixels are counted by brightness, so the result is
        exact up to its final rounding.

        Raises
        ------
        InvalidDataError
            If there are no pixels.
        """
        counts = np.zeros(WHITE + 1, dtype=np.int64)
        for start in range(0, len(self), CHUNK):
            counts += np.bincount(self.pixels[start : start + CHUNK].ravel(), minlength=WHITE + 1)
        if not counts.any():
            rule = "must have pixels to take the mean of"
            raise InvalidDataError(rule, "ScaledImages", got=f"shape {self.shape}")
        brightness = np.arange(WHITE + 1) / WHITE
        mean = np.average(brightness, weights=counts)
        variance = np.average((brightness - mean) ** 2, weights=counts)
        return float(mean), float(np.sqrt(variance))

    def _gather(self, rows: Rows) -> Array:
        """Return the raw images of some rows, in memory or as a view of the mapped file."""
        if isinstance(rows, (slice, int, np.integer)) and not isinstance(rows, bool):
            return np.asarray(self.pixels[rows])
        wanted = checks.array(rows, "rows", "ScaledImages")
        if wanted.size == 0 and wanted.dtype.kind == "f":
            wanted = wanted.astype(np.intp)  # NumPy makes floats of an empty list
        # A tuple is refused: in a matrix, it would mean rows and columns.
        if isinstance(rows, tuple) or wanted.ndim != 1 or wanted.dtype.kind not in "iub":
            found = (
                "a tuple" if isinstance(rows, tuple) else f"{wanted.dtype}, shape {wanted.shape}"
            )
            rule = "must be a slice, or a flat array of integers or bools"
            raise InvalidTypeError(rule, "rows", "ScaledImages", got=found)
        return np.asarray(self.pixels[wanted])
