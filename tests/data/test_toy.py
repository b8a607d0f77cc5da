"""Data sets to be looked at: scikit-learn's shapes, the formulas promised, the draw."""

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons

from multilayer.data import toy
from multilayer.errors import InvalidArgumentError, InvalidTypeError, UnknownNameError

ALL = {**toy.PLANE_SETS, "blobs": toy.blobs, "plane": toy.plane, "curve": toy.curve}


def furthest(points, shape):
    """Return the largest distance of a point from the nearest one of a dense shape."""
    return np.sqrt(((points[:, None] - shape[None]) ** 2).sum(axis=2)).min(axis=1).max()


@pytest.mark.parametrize(
    ("ours", "theirs", "centre"),
    [
        (toy.circles, lambda: make_circles(4000, factor=0.5), (0, 0)),
        (toy.moons, lambda: make_moons(4000), (0.5, 0.25)),
    ],
)
def test_without_noise_points_lie_on_scikit_learns_shapes(ours, theirs, centre):
    X, y = ours(300, noise=0.0, rng=np.random.default_rng(0))
    shape, classes = theirs()
    for label in (0, 1):
        # Their points are 0.0031 apart on the longest curve.
        assert furthest(X[y == label], shape[classes == label] - centre) < 0.002


def test_spirals_are_one_curve_and_the_same_turned_by_half_a_turn():
    X, y = toy.spirals(150, noise=0.0, rng=np.random.default_rng(0))
    share = np.linspace(0, 1, 10_000)
    radius, angle = 0.1 + 1.2 * share, 3 * np.pi * share
    arm = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    assert furthest(X[y == 0], arm) < 1e-3
    assert furthest(X[y == 1], -arm) < 1e-3
    assert furthest(X[y == 0], -arm) > 0.1  # another arm


def test_xor_has_as_many_samples_in_each_corner():
    X, y = toy.xor(200, noise=0.0, rng=np.random.default_rng(0))
    corners, counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)
    assert counts.tolist() == [50, 50, 50, 50]
    assert corners.tolist() == [[-1, -1, 0], [-1, 1, 1], [1, -1, 1], [1, 1, 0]]


def test_blobs_are_around_the_corners_of_an_equilateral_triangle():
    X, y = toy.blobs(7, noise=0.0, rng=np.random.default_rng(0))
    assert np.bincount(y).tolist() == [3, 2, 2]
    corners = np.array([X[y == label][0] for label in range(3)])
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    assert sides == pytest.approx([np.sqrt(3)] * 3)
    assert corners.sum(axis=0) == pytest.approx([0, 0], abs=1e-12)  # rounding


def test_a_line_fits_the_plane():
    X, y = toy.plane(50, noise=0.0, rng=np.random.default_rng(0))
    found, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(50)]), y)
    assert found == pytest.approx([0.5, 0.5, 0], abs=1e-12)  # rounding
    assert np.abs(X).max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_noise_has_the_standard_deviation_that_is_asked_for(name):
    draw = ALL[name]
    clean, with_noise = (draw(2000, noise, np.random.default_rng(0)) for noise in (0.0, 0.2))
    column = 1 if name in ("plane", "curve") else 0
    added = np.asarray(with_noise[column]) - np.asarray(clean[column])
    assert added.std() == pytest.approx(0.2, rel=0.05)  # of 2000 draws: 1.6 %, times three


@pytest.mark.parametrize("name", toy.PLANE_SETS)
def test_classes_are_equally_large_and_shuffled(name):
    X, y = toy.PLANE_SETS[name](201, rng=np.random.default_rng(0))
    assert X.shape == (201, 2)
    assert np.bincount(y).tolist() == [101, 100]
    assert 0 < y[:50].mean() < 1
    assert not np.array_equal(y, np.arange(201) % 2)
    assert np.abs(X.mean(axis=0)).max() < 0.25
    assert 0.3 < X.std() < 1.2


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_draws_the_same_samples(name):
    one, same, other = (ALL[name](20, rng=np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one[0], same[0])
    assert np.array_equal(one[1], same[1])
    assert not np.array_equal(one[0], other[0])
    assert np.isfinite(ALL[name](20)[0]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1,), InvalidArgumentError,
         "n_samples of moons must be an integer of at least 2; got 1"),
        ((10, -0.1), InvalidArgumentError,
         "noise of moons must be a number in [0, inf); got -0.1"),
        ((10, 0.1, 3), InvalidTypeError,
         "rng of moons must be a numpy.random.Generator or None; got 3"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error) as caught:
        toy.moons(*arguments)
    assert str(caught.value) == message


def test_an_unknown_set_gets_the_nearest_name():
    with pytest.raises(UnknownNameError) as caught:
        toy.PLANE_SETS["spiral"]
    assert str(caught.value) == (
        "data set must be one of circles, moons, xor, spirals; got 'spiral', "
        "did you mean 'spirals'?"
    )
