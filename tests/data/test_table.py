"""Tables: the same columns whatever library made them; what no network can take is named."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data import as_words, read_table
from multilayer.errors import InvalidDataError, InvalidTypeError

RAW = {
    "age": [39, None, 3],
    "height": [1.5, None, -2.0],
    "job": ["baker", None, "cook"],
    "owner": [True, None, False],
}
EXPECTED = {
    "age": [39.0, np.nan, 3.0],
    "height": [1.5, np.nan, -2.0],
    "job": ["baker", None, "cook"],
    "owner": ["True", None, "False"],
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
    for values, expected in zip(table.values(), EXPECTED.values(), strict=True):
        is_numeric = isinstance(expected[0], float)
        assert values.dtype == (np.float64 if is_numeric else object)
        np.testing.assert_array_equal(values, np.array(expected, values.dtype))
    by_place = kind in ("rows", "objects")
    assert list(table) == (["x0", "x1", "x2", "x3"] if by_place else list(RAW))


def test_categories_are_words_whatever_they_are_called():
    frame = pd.DataFrame(
        {"code": pd.Categorical([7, None, 1]), "kind": pd.Categorical(list("aba"))}
    )
    table = read_table(frame)
    assert table["code"].tolist() == ["7", None, "1"]
    assert table["kind"].tolist() == ["a", "b", "a"]
    series = pl.Series(["a", None], dtype=pl.Categorical)
    assert read_table(pl.DataFrame({"k": series}))["k"].tolist() == ["a", None]
    encoded = pa.array(["a", None]).dictionary_encode()
    assert read_table(pa.table({"k": encoded}))["k"].tolist() == ["a", None]


def test_text_among_numbers_makes_words_and_whole_numbers_have_no_point():
    assert read_table({"a": [1, 2.0, "?", 2.5]})["a"].tolist() == ["1", "2", "?", "2.5"]
    assert as_words(np.array([1.0, np.nan, -3.5])).tolist() == ["1", None, "-3.5"]


def test_columns_may_be_named_by_numbers():
    assert list(read_table(pd.DataFrame([[1, "a"]]))) == ["0", "1"]


def test_a_table_is_not_changed():
    frame = pd.DataFrame(RAW)
    before = frame.copy(deep=True)
    values = read_table(frame)
    for column in values.values():
        column[:] = column[0]
    pd.testing.assert_frame_equal(frame, before)


MANY = (
    st.none() | st.integers(-(10**300), 10**300) | st.floats() | st.booleans() | st.text(max_size=3)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MANY, max_size=8))
def test_any_column_is_numbers_or_words(values):
    column = read_table({"a": values})["a"]
    assert len(column) == len(values)
    gaps = [v is None or v == "" or v != v for v in values]
    if column.dtype == object:
        assert [v is None for v in column] == gaps
        assert all(v is None or isinstance(v, str) for v in column)
    else:
        assert np.isnan(column).tolist() == gaps


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
        ({"a": [1, 10**400]}, InvalidDataError, "column 'a' of X must hold numbers of float64"),
        ({"a": [b"x"]}, InvalidDataError, "got an entry of type bytes"),
        ({"a": [1j]}, InvalidDataError, "got an entry of type complex"),
        ({1: [1], "1": [2]}, InvalidDataError, "must have a name each; got '1' twice"),
        (
            pd.DataFrame([[1, 2, 3]], columns=["b", "a", "a"]),
            InvalidDataError,
            "the columns of X must have a name each; got 'a' twice",
        ),
        (
            pd.DataFrame({"day": pd.date_range("2020-01-01", periods=2)}),
            InvalidDataError,
            "column 'day' of X must hold .* got a date of type Timestamp: leave it out, or give",
        ),
        ({"day": [datetime.date(2020, 1, 1)]}, InvalidDataError, "got a date of type date"),
        ({"day": np.array(["2020-01-01"], "M8[D]")}, InvalidDataError, "got a date of type date"),
    ],
)
def test_what_no_network_can_take_is_named(table, error, message):
    with pytest.raises(error, match=message):
        read_table(table)
