"""Images as samples: the right numbers, and no more memory than the rows asked for take."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.data.idx import read_idx, write_idx
from multilayer.data.images import ScaledImages
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError

N_SAMPLES = 7
PIXELS = np.random.default_rng(0).integers(0, 256, (N_SAMPLES, 4, 3), dtype=np.uint8)


@pytest.fixture(name="X")
def _images(tmp_path):
    write_idx(tmp_path / "images", PIXELS)
    return ScaledImages(read_idx(tmp_path / "images"), mean=0.25, std=0.5)


def test_it_looks_like_a_matrix(X):
    assert X.shape == (7, 12)
    assert X.ndim == 2
    assert X.dtype == np.float32
    assert len(X) == 7
    assert repr(X) == "ScaledImages(7 images of 4 × 3, (pixel/255 − 0.25)/0.5)"
    assert repr(ScaledImages(PIXELS)) == "ScaledImages(7 images of 4 × 3, pixel/255)"


numbers = st.integers(-N_SAMPLES, N_SAMPLES - 1)
rows = st.one_of(
    st.slices(N_SAMPLES),
    st.lists(numbers),
    st.lists(numbers).map(lambda r: np.array(r, dtype=np.int16)),
    st.lists(st.booleans(), min_size=N_SAMPLES, max_size=N_SAMPLES),
    st.lists(st.booleans(), min_size=N_SAMPLES, max_size=N_SAMPLES).map(np.array),
)


@given(rows=rows, mean=st.sampled_from([0.0, 0.1307]), std=st.sampled_from([1.0, 0.3081]))
def test_rows_are_those_of_the_whole_matrix(rows, mean, std):
    X = ScaledImages(PIXELS, mean=mean, std=std)
    whole = (PIXELS.reshape(N_SAMPLES, 12).astype(np.float64) / 255 - mean) / std
    index = np.array(rows, dtype=np.intp) if isinstance(rows, list) and not rows else rows
    found = X[rows]
    assert type(found) is np.ndarray
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    # Three roundings to float32, of numbers below 1/std.
    np.testing.assert_allclose(found, whole[index], rtol=0, atol=3 * 2**-24 / std)
    np.testing.assert_array_equal(X.images(rows), PIXELS[index])


def test_pixels_are_divided_exactly():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(ScaledImages(every)[:][0], (np.arange(256) / 255).astype("f4"))


def test_one_sample(X):
    for row in 2, -5, np.int64(2):
        np.testing.assert_array_equal(X[row], X[2:3][0])
        np.testing.assert_array_equal(X.images(row), PIXELS[2])
    np.testing.assert_array_equal(np.stack(list(X)), X[:])


def test_results_are_new_arrays(X):
    for found in X[:], X.images(slice(None)), ScaledImages(PIXELS).images(slice(None)):
        found[:] = 0
    np.testing.assert_array_equal(X.images(slice(None)), PIXELS)
    assert PIXELS.any()


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ((0, 1), "a tuple"),
        ((slice(None), 0), "a tuple"),
        (np.array([[0, 1]]), "int64, shape (1, 2)"),
        ([0.0, 1.0], "float64, shape (2,)"),
        (True, "bool, shape ()"),
        (None, "object, shape ()"),
        ("one", "<U3, shape ()"),
    ],
)
def test_other_rows_are_refused(rows, found, X):
    with pytest.raises(InvalidTypeError) as error:
        X[rows]
    assert str(error.value) == (
        "rows of ScaledImages must be a slice, or a flat array of integers or bools; got " + found
    )


@pytest.mark.parametrize("rows", [7, -8, [0, 7], [True]])
def test_rows_that_are_not_there(rows, X):
    with pytest.raises(IndexError):
        X[rows]


def test_take(X):
    first = X.take(3)
    assert first.shape == (3, 12)
    assert np.shares_memory(first.pixels, X.pixels)
    np.testing.assert_array_equal(first[:], X[:3])
    with pytest.raises(InvalidArgumentError) as error:
        X.take(8)
    said = "n of ScaledImages.take must be at most 7, the number of samples; got 8"
    assert str(error.value) == said
    with pytest.raises(InvalidArgumentError) as error:
        X.take(0)
    assert str(error.value) == "n of ScaledImages.take must be a positive integer; got 0"


def test_standardised_samples_have_mean_0_and_deviation_1(X):
    mean, std = X.pixel_statistics()
    np.testing.assert_allclose(mean, (PIXELS / 255).mean(), rtol=1e-14)
    np.testing.assert_allclose(std, (PIXELS / 255).std(), rtol=1e-14)
    samples = X.scaled(mean, std)[:]
    assert np.shares_memory(X.scaled(mean, std).pixels, X.pixels)
    # 84 numbers of order 1, in float32.
    np.testing.assert_allclose([samples.mean(), samples.std()], [0, 1], atol=1e-6)


def test_statistics_of_more_images_than_are_read_at_a_time():
    pixels = np.random.default_rng(0).integers(0, 256, (2500, 2, 3), dtype=np.uint8)
    mean, std = ScaledImages(pixels).pixel_statistics()
    np.testing.assert_allclose([mean, std], [(pixels / 255).mean(), (pixels / 255).std()])


def test_no_statistics_of_nothing():
    with pytest.raises(InvalidDataError) as error:
        ScaledImages(np.zeros((0, 2, 3), np.uint8)).pixel_statistics()
    assert str(error.value) == (
        "ScaledImages must have pixels to take the mean of; got shape (0, 6)"
    )


def test_numpy_makes_a_matrix_of_it(X):
    np.testing.assert_array_equal(np.asarray(X), X[:])
    assert np.asarray(X, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="cannot become an array without a copy"):
        np.asarray(X, copy=False)


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, 6),
        slice(None, None, -2),
        slice(3, 3),
        np.array([4, 0, 4]),
        np.arange(N_SAMPLES) % 2 == 0,
    ],
    ids=str,
)
@pytest.mark.parametrize("scaling", [{}, {"mean": 0.1307, "std": 0.3081}], ids=["", "scaled"])
def test_reading_into_an_array_gives_the_same_samples(rows, scaling):
    for pixels in PIXELS, np.asfortranarray(PIXELS), PIXELS[:, ::-1]:
        X = ScaledImages(pixels, **scaling)
        for out in np.empty_like(X[rows]), np.empty(X[rows].shape[::-1], np.float32).T:
            X.read(rows, out)
            np.testing.assert_array_equal(out, X[rows])


@pytest.mark.parametrize(
    ("rows", "shape", "message"),
    [
        (np.array([0, 7]), (2, 12), "rows of read must be 0 to 6; got 0 to 7"),
        (np.array([-1, 0]), (2, 12), "rows of read must be 0 to 6; got -1 to 0"),
        (np.array([0, 1]), (2, 11), "out of read must have shape (2, 12); got (2, 11)"),
        (slice(0, 3), (2, 12), "out of read must have shape (3, 12); got (2, 12)"),
    ],
)
def test_nothing_is_read_from_or_written_to_beside_the_arrays(rows, shape, message):
    with pytest.raises(InvalidDataError) as error:
        ScaledImages(PIXELS).read(rows, np.empty(shape, np.float32))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("pixels", "scaling", "error", "message"),
    [
        (np.zeros((2, 3, 3)), {}, InvalidTypeError,
         "pixels of ScaledImages must have dtype uint8; got float64"),
        (np.zeros((2, 9), np.uint8), {}, InvalidDataError,
         "pixels of ScaledImages must have shape (n_samples, height, width); got shape (2, 9)"),
        (PIXELS, {"std": 0}, InvalidArgumentError,
         "std of ScaledImages must be a number in (0, inf); got 0"),
        (PIXELS, {"mean": float("nan")}, InvalidArgumentError,
         "mean of ScaledImages must be a number in (-inf, inf); got nan"),
        (PIXELS, {"mean": "0"}, InvalidTypeError,
         "mean of ScaledImages must be a number in (-inf, inf); got '0'"),
    ],
)  # fmt: skip
def test_arguments_are_checked(pixels, scaling, error, message):
    with pytest.raises(error) as raised:
        ScaledImages(pixels, **scaling)
    assert str(raised.value) == message


# The peak of what Python allocates, and the growth of the process's own memory: pages of a mapped
# file, which the system may drop whenever it likes, are in neither.
READER = """
import sys, tracemalloc
import numpy as np
from multilayer.data.idx import read_idx
from multilayer.data.images import ScaledImages

def own_memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

before = own_memory()
tracemalloc.start()
X = ScaledImages(read_idx(sys.argv[1]), mean=0.1307, std=0.3081)
rng = np.random.default_rng(0)
grown = 0
for step in range(300):
    assert X[rng.integers(len(X), size=128)].shape == (128, 784)
    assert X[step * 128 : step * 128 + 128].shape == (128, 784)
    X.take(len(X)).images([0, len(X) - 1])
    grown = max(grown, own_memory() - before)
print(tracemalloc.get_traced_memory()[1], grown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="own memory is told by Linux's /proc")
def test_memory_does_not_grow_with_the_images(tmp_path):
    peaks = []
    for n_samples in 60_000, 600_000:
        path = tmp_path / str(n_samples)
        with path.open("wb") as file:
            file.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", n_samples, 28, 28))
            file.truncate(16 + n_samples * 784)  # a hole: it takes no room on the disk
        result = subprocess.run(
            [sys.executable, "-c", READER, path], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        peaks.append([int(number) for number in result.stdout.split()])
    (peak, grown), (larger_peak, larger_grown) = peaks
    batch = 128 * 784 * 5  # a batch in float32, and its pixels
    assert peak < 4 * batch
    assert larger_peak - peak < batch
    # Malloc keeps some of what was freed, whatever the file: 16 MB of 470.
    assert max(grown, larger_grown) < 16e6
