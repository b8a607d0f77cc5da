"""The first samples as a picture: the right pixels in the right places."""

import matplotlib as mpl
import numpy as np
import pytest

from multilayer.data import ScaledImages
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.plots import first_samples

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def images(n=5):
    return np.random.default_rng(0).integers(0, 256, size=(n, 6, 4), dtype=np.uint8)


@pytest.mark.parametrize("lazy", [False, True])
def test_each_image_is_there_once_under_its_label(lazy):
    pixels = images()
    ax = first_samples(ScaledImages(pixels) if lazy else pixels, [7, 8, 9, 1, 2], n=4, columns=3)
    canvas = np.asarray(ax.get_images()[0].get_array())
    assert [text.get_text() for text in ax.texts] == ["7", "8", "9", "1"]
    for image, text in zip(pixels, ax.texts, strict=False):
        x, y = text.get_position()
        left = round(x - 2)
        below = canvas[int(y) :, left : left + 4]
        found = [np.array_equal(below[top : top + 6], image) for top in range(below.shape[0] - 5)]
        assert any(found)
    assert canvas.shape[1] == 3 * 4 + 2 * 2


def test_draws_where_it_is_told_and_takes_fewer_than_asked_for():
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert first_samples(images(2), ax=ax) is ax
    assert not ax.texts


@pytest.mark.parametrize(
    ("wrong", "labels", "message"),
    [
        (
            np.zeros((3, 4)),
            None,
            "images of first_samples must have shape (n_samples, height, width); got (3, 4)",
        ),
        (images(3), [1], "labels of first_samples must be one for each of the 3 images; got 1"),
    ],
)
def test_what_is_no_image_set_is_refused(wrong, labels, message):
    with pytest.raises(InvalidDataError) as caught:
        first_samples(wrong, labels)
    assert str(caught.value) == message


def test_what_is_no_axes_is_refused():
    with pytest.raises(InvalidTypeError) as caught:
        first_samples(images(2), ax=3)
    assert str(caught.value) == "ax of first_samples must be a matplotlib Axes; got int"
