"""Batches, the validation split and the digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets
from sklearn.model_selection import train_test_split

from multilayer.data import Batches, load_digits, split_validation
from multilayer.data.split import are_alone, split_rows
from multilayer.errors import InvalidDataError


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    shuffle=st.booleans(),
    weighted=st.booleans(),
    least=st.sampled_from([1, 2]),
)
def test_each_epoch_has_each_sample_once(n, batch_size, shuffle, weighted, least):
    weight = np.arange(n) / 10 if weighted else None
    batches = Batches(n, weight, batch_size=batch_size, shuffle=shuffle, least=least)
    rng = np.random.default_rng(0)
    for _ in range(2):
        order, masses = batches.epoch(rng)
        rows = np.arange(n) if order is None else order
        assert sorted(rows) == list(range(n))
        parts = [rows[start:stop] for start, stop in batches.bounds]
        np.testing.assert_array_equal(np.concatenate(parts), rows)
        assert len(parts) == len(masses) == len(batches)
        expected = [len(part) if weight is None else weight[part].sum() for part in parts]
        np.testing.assert_allclose(masses, expected, rtol=1e-12)  # another order of summation
        sizes = [len(part) for part in parts]
        assert all(size == batch_size for size in sizes[:-1])
        assert sizes[-1] >= min(least, n)
        assert sizes[-1] <= batch_size + least - 1


def test_order_is_new_in_each_epoch():
    batches = Batches(100, batch_size=10)
    rng = np.random.default_rng(0)
    (first, _), (second, _) = batches.epoch(rng), batches.epoch(rng)
    assert (first != second).any()


def test_without_shuffling_there_is_no_order():
    assert Batches(100, batch_size=10, shuffle=False).epoch(np.random.default_rng(0))[0] is None


def test_weights_of_another_number_of_samples():
    with pytest.raises(InvalidDataError) as caught:
        Batches(3, np.ones(4), batch_size=2)
    assert str(caught.value) == "weight of Batches must have 3 entries; got 4"


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


@pytest.mark.parametrize("stratified", [False, True])
def test_rows_are_split_as_by_scikit_learn(stratified):
    classes = np.repeat([0, 1, 2], [25, 15, 10])
    strata = classes if stratified else None
    kept = np.isin(np.arange(50), [3, 30])
    expected = train_test_split(
        np.flatnonzero(~kept),
        test_size=0.3,
        random_state=7,
        stratify=classes[~kept] if stratified else None,
    )
    training, held_out = split_rows(50, 0.3, np.random.RandomState(7), strata, kept=kept)
    assert training.tolist() == [*expected[0], 3, 30]
    assert held_out.tolist() == expected[1].tolist()
    with pytest.raises(InvalidDataError, match=r"^x cannot be divided: "):
        split_rows(1, 0.3, 7, rule="cannot be divided", parameter="x")


def test_what_is_alone_in_its_class():
    assert are_alone(np.array(["b", "a", "b", "c"])).tolist() == [False, True, False, True]
    assert are_alone(np.array([[1.0], [0.0], [1.0]])).tolist() == [False, True, False]
