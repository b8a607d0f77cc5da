"""Batches, the validation split and the digits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets

from multilayer.data import Batches, load_digits, split_validation
from multilayer.errors import InvalidDataError


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    shuffle=st.booleans(),
    weighted=st.booleans(),
    least=st.sampled_from([1, 2]),
)
@settings(deadline=None)
def test_each_epoch_has_each_sample_once(n, batch_size, shuffle, weighted, least):
    X = np.arange(n)[:, np.newaxis]
    weight = np.arange(n) / 10 if weighted else None
    batches = Batches(X, X[:, 0], weight, batch_size=batch_size, shuffle=shuffle, least=least)
    rng = np.random.default_rng(0)
    for _ in range(2):
        epoch = list(batches.epoch(rng))
        assert len(epoch) == len(batches)
        masses = [mass for _, mass in epoch]
        epoch = [batch for batch, _ in epoch]
        expected = [len(y) if w is None else w.sum() for _, y, w in epoch]
        np.testing.assert_allclose(masses, expected, rtol=1e-12)  # another order of summation
        assert sorted(np.concatenate([y for _, y, _ in epoch])) == list(range(n))
        for part, y, w in epoch:
            np.testing.assert_array_equal(part[:, 0], y)
            assert w is None if weight is None else (w == y / 10).all()
        sizes = [len(y) for _, y, _ in epoch]
        assert all(size == batch_size for size in sizes[:-1])
        assert sizes[-1] >= min(least, n)
        assert sizes[-1] <= batch_size + least - 1


def test_order_is_new_in_each_epoch():
    X = np.arange(100)
    batches = Batches(X, X, None, batch_size=10)
    rng = np.random.default_rng(0)
    first, second = (np.concatenate([y for (_, y, _), _ in batches.epoch(rng)]) for _ in range(2))
    assert (first != second).any()


def test_unshuffled_batches_are_views():
    X = np.arange(100)
    for (part, _, _), _ in Batches(X, X, None, batch_size=10, shuffle=False).epoch(
        np.random.default_rng(0)
    ):
        assert part.base is X


def test_split_is_stratified():
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    training, validation = split_validation(100, 0.3, np.random.default_rng(0), classes)
    assert sorted([*training, *validation]) == list(range(100))
    assert np.bincount(classes[validation]).tolist() == [18, 9, 3]


def test_split_follows_its_generator():
    first, again, other = (
        split_validation(50, 0.2, np.random.default_rng(seed))[1].tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("n_samples", "fraction", "classes"), [(1, 0.5, None), (4, 0.1, np.array([0, 0, 1, 1]))]
)
def test_split_that_cannot_be(n_samples, fraction, classes):
    with pytest.raises(InvalidDataError, match=rf"^{n_samples} samples cannot be split with"):
        split_validation(n_samples, fraction, np.random.default_rng(0), classes)


def test_digits_are_scikit_learns_split_and_standardised():
    digits = load_digits()
    bundled = datasets.load_digits()
    pixels = np.vstack([digits.X_train, digits.X_test]) * digits.scale + digits.mean
    rows = {row.tobytes() for row in np.rint(pixels).astype(np.int64)}
    assert rows == {row.tobytes() for row in bundled.data.astype(np.int64)}
    assert len(rows) == 1797  # no image is in both parts
    np.testing.assert_allclose(digits.X_train.mean(axis=0), 0, atol=1e-6)  # float32
    spread = digits.X_train.std(axis=0)
    np.testing.assert_allclose(spread[spread > 0], 1, atol=1e-5)
    assert np.bincount(digits.y_test).min() >= 34  # about a fifth of each digit
    assert digits.X_train.dtype == digits.X_test.dtype == np.float32
    again = load_digits()
    np.testing.assert_array_equal(again.X_test, digits.X_test)
