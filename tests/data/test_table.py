"""Tables: the same columns whatever library made them; what no network can take is named."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data import as_numbers, as_words, holds_numbers, read_table
from multilayer.errors import InvalidDataError, InvalidTypeError

RAW = {
    "age": [39, None, 3],
    "height": [1.5, None, -2.0],
    "job": ["baker", None, "cook"],
    "owner": [True, None, False],
}
EXPECTED = {
    "age": [39, None, 3],
    "height": [1.5, None, -2.0],
    "job": ["baker", None, "cook"],
    "owner": [1, None, 0],
}
FRAMES = {
    "mapping": RAW,
    "rows": list(map(list, zip(*RAW.values(), strict=True))),
    "objects": np.array(list(zip(*RAW.values(), strict=True)), dtype=object),
    "pandas": pd.DataFrame(RAW),
    "pandas, objects": pd.DataFrame(RAW, dtype=object),
    "pandas, its own types": pd.DataFrame(RAW).convert_dtypes(),
    "pandas, pyarrow's types": pd.DataFrame(RAW).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.DataFrame(RAW),
    "pyarrow": pa.table(RAW),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_library_gives_the_same(kind):
    table = read_table(FRAMES[kind])
    by_place = kind in ("rows", "objects")
    assert list(table) == (["x0", "x1", "x2", "x3"] if by_place else list(RAW))
    for entries, (name, expected) in zip(table.values(), EXPECTED.items(), strict=True):
        assert holds_numbers(entries) == (name != "job")
        if name == "job":
            assert as_words(entries) == expected
        else:
            numbers = np.array(expected, dtype=float)
            np.testing.assert_array_equal(as_numbers(entries, name), numbers)


def words_of(table, name):
    return as_words(read_table(table)[name])


def test_categories_are_words_whatever_they_are_called():
    frame = pd.DataFrame(
        {"code": pd.Categorical([7, None, 1]), "kind": pd.Categorical(list("aba"))}
    )
    assert not holds_numbers(read_table(frame)["code"])
    assert words_of(frame, "code") == ["7", None, "1"]
    assert words_of(frame, "kind") == ["a", "b", "a"]
    series = pl.Series(["a", None], dtype=pl.Categorical)
    assert words_of(pl.DataFrame({"k": series}), "k") == ["a", None]
    encoded = pa.array(["a", None]).dictionary_encode()
    assert words_of(pa.table({"k": encoded}), "k") == ["a", None]


BIG = 2**60 + 1


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1, 2.0, "?", 2.5, True], ["1", "2", "?", "2.5", "1"]),
        (np.array([1.0, np.nan, -3.5]), ["1", None, "-3.5"]),
        (np.array([0.1, 7], dtype=np.float32), ["0.1", "7"]),
        ([np.float32(0.1), np.float32(3)], ["0.1", "3"]),
        (np.array([BIG, BIG + 1]), [str(BIG), str(BIG + 1)]),
        (pd.array([BIG, None, BIG + 1], dtype="Int64"), [str(BIG), None, str(BIG + 1)]),
        (np.array([True, False]), ["1", "0"]),
        (np.array(["a", np.nan, ""]), ["a", None, None]),  # NumPy has made a word of the gap
        (np.ma.array([1, 2], mask=[0, 1]), ["1", None]),
        (pd.Series(["a", pd.NA, "nan"]), ["a", None, "nan"]),
        (pa.array([1, None]), ["1", None]),
        (["a\0", "a"], ["a\0", "a"]),
    ],
)
def test_the_same_thing_is_the_same_word(column, words):
    assert words_of({"a": column}, "a") == words


def test_columns_named_by_numbers_are_rows():
    frame = pd.DataFrame([[1, "a"]])
    assert list(read_table(frame)) == ["x0", "x1"]
    assert list(read_table(frame, names=["p", "q"])) == ["p", "q"]
    with pytest.raises(InvalidDataError, match=r"X must have 1 columns \(p\); got 2"):
        read_table(frame, names=["p"])


def test_a_table_is_not_changed():
    frame = pd.DataFrame(RAW)
    before = frame.copy(deep=True)
    for column in read_table(frame).values():
        if holds_numbers(column):
            as_numbers(column, "a")[:] = 7
    pd.testing.assert_frame_equal(frame, before)


MANY = (
    st.none() | st.integers(-(10**300), 10**300) | st.floats() | st.booleans() | st.text(max_size=3)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MANY, max_size=8))
def test_any_column_is_numbers_or_words(values):
    column = read_table({"a": values})["a"]
    gaps = [v is None or v == "" or v != v for v in values]
    words = as_words(column)
    assert [word is None for word in words] == gaps
    assert all(word is None or isinstance(word, str) for word in words)
    # A number's word says the number.
    for word, value in zip(words, values, strict=True):
        if isinstance(value, (int, float)) and word is not None:
            assert float(word) == float(value)
    if holds_numbers(column) and not any(v in (np.inf, -np.inf) for v in values):
        assert np.isnan(as_numbers(column, "a")).tolist() == gaps


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (3, InvalidTypeError, "X must be a data frame in memory, a mapping or rows; got int"),
        (pl.LazyFrame(RAW), InvalidTypeError, "a mapping or rows; got LazyFrame"),
        (pd.Series([1]), InvalidTypeError, "a mapping or rows; got Series"),
        ([1, 2], InvalidDataError, r"of shape \(n_samples, n_columns\); got \(2,\)"),
        ({"a": [1], "b": [1, 2]}, InvalidDataError, "must have one length; got {'a': 1, 'b': 2}"),
        ({"a": [[1], [2]]}, InvalidDataError, "column 'a' of X must hold .* an entry of type list"),
        ({"a": np.ones((2, 2))}, InvalidDataError, r"column 'a' of X must be a vector; got .*2, 2"),
        ({"a": "xyz"}, InvalidDataError, "column 'a' of X must be a vector; got str"),
        ({"a": 3}, InvalidDataError, "column 'a' of X must be a vector; got int"),
        ({"a": None}, InvalidDataError, "column 'a' of X must be a vector; got NoneType"),
        ({"a": {0: 1.5}}, InvalidDataError, "column 'a' of X must be a vector; got dict"),
        ({"a": [b"x"]}, InvalidDataError, "got an entry of type bytes"),
        ({"a": [1j]}, InvalidDataError, "got an entry of type complex"),
        ({1: [1]}, InvalidDataError, "the columns of X must be named by strings; got 1"),
        (
            pd.DataFrame([[1, 2, 3]], columns=["b", "a", "a"]),
            InvalidDataError,
            "the columns of X must have a name each; got 'a' twice",
        ),
        (
            pd.DataFrame({"day": pd.date_range("2020-01-01", periods=2)}),
            InvalidDataError,
            "column 'day' of X must hold .* got a date or a duration of type Timestamp: leave",
        ),
        (
            {"day": [datetime.date(2020, 1, 1)]},
            InvalidDataError,
            "got a date or a duration of type date",
        ),
        ({"day": np.array(["2020-01-01"], "M8[D]")}, InvalidDataError, "got a date or a dur"),
        ({"d": np.array([1], "m8[ns]")}, InvalidDataError, "got a date or a duration: leave"),
        (
            pd.DataFrame({"c": pd.cut([1, 3], [0, 2, 4])}),
            InvalidDataError,
            "an entry of type Inter",
        ),
    ],
)
def test_what_no_network_can_take_is_named(table, error, message):
    with pytest.raises(error, match=message):
        read_table(table)


def test_what_is_no_number_is_named():
    with pytest.raises(InvalidDataError, match="column a must hold numbers; got 'x' at row 1"):
        as_numbers(np.array([1, "x"], dtype=object), "column a")
    with pytest.raises(InvalidDataError, match="column a must hold finite numbers; got inf at row"):
        as_numbers(np.array([np.inf]), "column a")
    with pytest.raises(InvalidDataError, match="column a must hold numbers that float64 holds"):
        as_numbers(np.array([10**400], dtype=object), "column a")
