"""Inputs: columns against scikit-learn's own encoders; what does not fit is named."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model import Categorical, Columns, Model, Numbers, Numeric
from multilayer.numpy import MLP

RNG = np.random.default_rng(0)


def test_a_numeric_column_is_the_robust_scaling_of_scikit_learn_bent():
    entries = RNG.lognormal(size=200) * 1000
    entries[::7] = np.nan
    column = Numeric.of("a", entries)
    inputs = column.encode(entries)
    filled = SimpleImputer(strategy="median").fit_transform(entries[:, None])
    r = RobustScaler().fit(entries[:, None]).transform(filled)[:, 0]
    np.testing.assert_allclose(inputs[:, 0], r / np.sqrt(1 + (r / 3) ** 2), rtol=1e-12)
    gaps = MissingIndicator().fit_transform(entries[:, None])
    np.testing.assert_array_equal(inputs[:, 1], gaps[:, 0])
    assert column.input_names == ("a", "a is missing")


def test_a_categorical_column_is_the_one_hot_code_of_scikit_learn():
    words = RNG.choice(np.array(["ü", "b", "aa", "c"], dtype=object), 50)
    column = Categorical.of("a", words.tolist())
    new = np.array(["c", "never seen", "aa"], dtype=object)
    peer = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words[:, None])
    np.testing.assert_array_equal(column.encode(new), peer.transform(new[:, None]))
    names = peer.get_feature_names_out(["a"])
    assert list(column.input_names) == [name.replace("_", " = ") for name in names]


FLOATS = st.floats(-1e307, 1e307) | st.just(np.nan)


@settings(max_examples=200, deadline=None)
@given(npst.arrays(np.float64, st.integers(1, 20), elements=FLOATS))
def test_numbers_of_any_size_stay_within_three(entries):
    assume(not np.isnan(entries).all())
    column = Numeric.of("a", entries)
    inputs = column.encode(np.append(entries, [1.7e308, -1.7e308, np.nan]))
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= 3
    order = np.argsort(entries[~np.isnan(entries)])
    assert (np.diff(inputs[: len(entries), 0][~np.isnan(entries)][order]) >= 0).all()


def test_quartiles_that_are_equal_and_constants():
    assert Numeric.of("a", np.array([0.0] * 9 + [8])).scale == 4
    constant = Numeric.of("a", np.array([5.0, 5.0]))
    np.testing.assert_array_equal(constant.encode(np.array([5.0, 1e9])), [[0], [0]])


def test_the_most_frequent_words_make_the_vocabulary():
    words = [f"w{i:03d}" for i in range(300)] + [f"w{i:03d}" for i in range(256)]
    column = Categorical.of("a", words)
    assert column.words == tuple(f"w{i:03d}" for i in range(256))
    assert not column.encode(["w256"]).any()


def test_columns_are_taken_by_name_in_any_order():
    columns = Columns.of({"a": [1, 2, 3], "b": ["x", "y", "x"]})
    np.testing.assert_array_equal(
        columns.encode({"b": ["y"], "a": [2]}), columns.encode({"a": [2], "b": ["y"]})
    )
    assert columns.encode({"a": [1], "b": ["x"]}).dtype == np.float32


def test_kinds_are_said():
    X = {"zip": [1010, 1020, 1010], "size": [1.0, 2.0, None]}
    columns = Columns.of(X, {"zip": "categorical"})
    assert columns.columns[0] == Categorical("zip", ("1010", "1020"))
    assert columns.input_names == ("zip = 1010", "zip = 1020", "size", "size is missing")
    # The same numbers are the same words, whatever they come in.
    for form in ([1020.0], ["1020"], np.array([1020], "i8"), np.array(["1020"])):
        np.testing.assert_array_equal(columns.encode({"zip": form, "size": [1]})[0, :2], [0, 1])


@pytest.mark.parametrize(
    ("X", "kinds", "message"),
    [
        ({"a": [1.0]}, {"a": ["numeric"]}, "column 'a' must be one of numeric, categorical; got "),
        ({"a": [1.0]}, {"b": "numeric"}, "kinds are given of column 'b'; X has a"),
        ({"a": [1.0]}, {"a": "word"}, "column 'a' must be one of numeric, categorical; got 'word'"),
        ({"a": ["x"]}, {"a": "numeric"}, "column 'a' of X must hold numbers; got 'x' at row 0"),
        ({"a": [1.0, np.inf]}, {}, "column 'a' of X must hold finite numbers; got inf at row 1"),
        ({"a": [None, ""]}, {}, "column 'a' holds nothing but gaps: leave it out"),
        ({"a": [None]}, {"a": "categorical"}, "column 'a' holds nothing but gaps: leave it out"),
        (
            {"a": [f"n{i}" for i in range(300)]},
            {},
            "column 'a' has 300 words in 300 entries, from which",
        ),
        ({"a": [-1.7e308, 1.7e308]}, {}, "the numbers of column 'a' are too far apart"),
        ({}, {}, "columns must be at least one"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(X, kinds, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        Columns.of(X, kinds)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": [1]}, "X must have the columns a, b; missing: b; beyond them: none"),
        ({"a": [1], "b": ["x"], "c": [1]}, "X must have the columns a, b; missing: none; beyond"),
        ({"a": ["x"], "b": ["x"]}, "column 'a' of X must hold numbers; got 'x' at row 0"),
        (
            {"a": [0, -np.inf], "b": ["x", ""]},
            "column 'a' of X must hold finite numbers; got -inf at row",
        ),
    ],
)
def test_samples_that_do_not_fit_are_named(X, message):
    columns = Columns.of({"a": [1, 2], "b": ["x", "y"]})
    with pytest.raises(InvalidDataError, match=f"^{message}"):
        columns.encode(X)


def test_a_model_of_a_table_predicts_from_it():
    columns = Columns.of({"a": [1, 2, None], "b": ["x", "y", "x"]})
    net = MLP(Architecture(columns.in_features, (3,), 2), rng=RNG)
    X = {"a": [3, None], "b": ["y", "z"]}
    np.testing.assert_array_equal(Model(net, inputs=columns)(X), net(columns.encode(X)))
    np.testing.assert_array_equal(columns.encode([[3, "y"], [None, "z"]]), columns.encode(X))
    with pytest.raises(InvalidDataError, match=r"X must have 2 columns \(a, b\); got 1"):
        columns.encode([[3]])
    assert repr(columns) == "Columns(1 numeric, 1 categorical → 4 inputs)"


def test_a_column_of_strangers_is_warned_of():
    columns = Columns.of({"a": ["yes", "no"]})
    with pytest.warns(UserWarning, match="no word of column 'a' of X is known, such as 'YES'"):
        columns.encode({"a": ["YES"] * 10})
    columns.encode({"a": ["YES"] * 9})
    columns.encode({"a": ["YES"] * 9 + ["yes"]})
    columns.encode({"a": [None] * 20})


@pytest.mark.parametrize("kind", [bool, int, float, object])
def test_booleans_are_one_and_zero(kind):
    columns = Columns.of({"a": np.array([True, False])})
    np.testing.assert_array_equal(
        columns.encode({"a": np.array([1, 0], dtype=kind)}), columns.encode({"a": [True, False]})
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((2, [1, 2, 3]), InvalidDataError, r"mean of Numbers must have shape \(2,\), one an input"),
        ((2, [1, np.nan]), InvalidDataError, "mean must be finite in float64; got nan at "),
        ((2, None, [1, 0]), InvalidDataError, "scale of Numbers must be above 0; got 0 at index 1"),
        ((2, None, None, ("a",)), InvalidDataError, "names of Numbers must be 2 strings, one an "),
        ((2, None, None, "ab"), InvalidDataError, "names of Numbers must be 2 strings, one an in"),
        ((0,), InvalidArgumentError, "in_features of Numbers must be "),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Numbers(*arguments)
    with pytest.raises(InvalidTypeError, match=r"^columns must be Numeric or Categorical; got str"):
        Columns(["a"])


def test_words_that_a_vocabulary_has_no_room_for_are_warned_of():
    words = [f"{i:,}" for i in range(1000, 1300)] + ["1,000"] * 200  # 300 words of 500 entries
    expected = r"'area' of X has 300 words; the 256 most frequent are kept, which are 91% of its"
    with pytest.warns(UserWarning, match=expected):
        Columns.of({"area": words})


def test_numbers_that_a_mark_has_made_words_are_warned_of():
    ages = [str(age) for age in range(20, 60)]
    with pytest.warns(
        UserWarning, match=r"'age' of X are numbers, such as '20', and others such as"
    ):
        Columns.of({"age": [*ages, "?"]})
    with pytest.warns(UserWarning, match=r"such as '20': if .*; else say \{'age': 'categorical'\}"):
        Columns.of({"age": ages})
    Columns.of({"age": [*ages, "?"]}, {"age": "categorical"})
    Columns.of({"code": [f"c{age}" for age in ages], "few": ["1", "2"] * 20})
