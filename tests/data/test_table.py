"""Tables: the same columns whatever library made them; what no network can take is named."""

import copy
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from multilayer import MLPClassifier
from multilayer.data import read_file, read_table
from multilayer.data.notation import Notation
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.model import Columns

RAW = {
    "age": [39, None, 3],
    "height": [1.5, None, -2.0],
    "job": ["baker", None, "cook"],
    "owner": [True, None, False],
}
NUMBERS = {"age": [39, np.nan, 3], "height": [1.5, np.nan, -2], "owner": [1, np.nan, 0]}
FRAMES = {
    "mapping": RAW,
    "rows": list(map(list, zip(*RAW.values(), strict=True))),
    "mappings": [dict(zip(RAW, row, strict=True)) for row in zip(*RAW.values(), strict=True)],
    "objects": np.array(list(zip(*RAW.values(), strict=True)), dtype=object),
    "pandas": pd.DataFrame(RAW),
    "pandas, objects": pd.DataFrame(RAW, dtype=object),
    "pandas, its own types": pd.DataFrame(RAW).convert_dtypes(),
    "pandas, pyarrow's types": pd.DataFrame(RAW).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.DataFrame(RAW),
    "pyarrow": pa.table(RAW),
}


def names_of(table, name="a"):
    """Return a column's categories, row by row, None for missing ones."""
    codes, names = read_table(table)[name].categories()
    return [None if code < 0 else names[code] for code in codes]


def numbers_of(values):
    entries = read_table({"a": values})["a"]
    found = entries.find_notation(is_asked=True)
    return entries.numbers(Notation() if found is None else found.notation, [])


@pytest.mark.parametrize("kind", FRAMES)
def test_every_library_gives_the_same(kind):
    table = read_table(FRAMES[kind])
    assert table.columns == (("x0", "x1", "x2", "x3") if kind in ("rows", "objects") else (*RAW,))
    assert (len(table), table.shape) == (3, (3, 4))
    for column, name in zip(table.columns, RAW, strict=True):
        entries = table[column]
        assert (len(entries), entries.n_present, entries.is_constant) == (3, 2, False)
        if name == "job":
            assert names_of(FRAMES[kind], column) == RAW["job"]
            assert entries.find_notation() is None
        else:
            assert entries.find_notation().notation.is_boolean == (name == "owner")
            numbers = entries.numbers(Notation(), [])
            np.testing.assert_array_equal(numbers, NUMBERS[name])
            assert numbers.dtype == np.float64


BIG = 2**60 + 1
HUGE = 2**70 + 1


class Colour(enum.Enum):
    RED = 1


class Shape(enum.StrEnum):
    ROUND = "o"


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ([1, 2.0, "?", 2.5, True], ["1", "2", "?", "2.5", "True"]),
        (np.array([1.0, np.nan, -3.5]), ["1", None, "-3.5"]),
        (np.array([0.1, 7], dtype=np.float32), ["0.1", "7"]),
        ([np.float32(0.1), np.float32(3)], ["0.1", "3"]),
        (np.array([BIG, BIG + 1]), [str(BIG), str(BIG + 1)]),
        (pd.array([BIG, None, BIG + 1], dtype="Int64"), [str(BIG), None, str(BIG + 1)]),
        ([HUGE, 1], [str(HUGE), "1"]),
        (np.array([True, False]), ["True", "False"]),
        (pd.array([True, None], dtype="boolean"), ["True", None]),
        (np.array(["a", np.nan, ""]), ["a", None, None]),  # NumPy has made a text of the NaN
        (np.ma.array([1, 2], mask=[0, 1]), ["1", None]),
        (np.ma.array(["a", "b"], mask=[0, 1]), ["a", None]),
        (pd.Series(["a", pd.NA, "nan"]), ["a", None, "nan"]),
        (pd.Series(["a", None, float("nan"), 3], dtype=object), ["a", None, None, "3"]),
        (pd.Series(["a", None], dtype="large_string[pyarrow]"), ["a", None]),
        (pd.Series([1, 0, 2], dtype="Sparse[int]"), ["1", "0", "2"]),
        (pa.array([1, None]), ["1", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.array([7, None]).dictionary_encode(), ["7", None]),
        (pa.chunked_array([["a"], [None, "b"], ["a"]]), ["a", None, "b", "a"]),
        (pd.Categorical([7, None, 1]), ["7", None, "1"]),
        (pd.Series(pd.Categorical(["x"], categories=["unused", "x"])), ["x"]),
        (pd.cut([1, 3], [0, 2, 4]), ["(0, 2]", "(2, 4]"]),
        (pd.Series(pd.cut([1, 3], [0, 2, 4])), ["(0, 2]", "(2, 4]"]),
        (pd.arrays.IntervalArray.from_breaks([0, 2, 4]), ["(0, 2]", "(2, 4]"]),
        (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
        (pl.Series(["a", None], dtype=pl.Enum(["b", "a"])), ["a", None]),
        (pl.Series([None, None]), [None, None]),
        (["a\0", "a"], ["a\0", "a"]),
        (["a ", "\ta", "  ", "e\u0301", "é"], ["a", "a", None, "é", "é"]),
        ([uuid.UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        ([pathlib.PurePosixPath("a/b")], ["a/b"]),
        ([Colour.RED, None, Shape.ROUND, np.str_("x")], ["RED", None, "o", "x"]),
        (["a", datetime.datetime(2024, 1, 5)], ["a", "2024-01-05"]),
        ([datetime.date(2024, 1, 5), None], ["2024-01-05", None]),
        ([datetime.datetime(2024, 1, 5, 3), datetime.date(2024, 1, 6)],
         ["2024-01-05 03:00:00", "2024-01-06"]),
        (np.array(["2024-01-05", "NaT"], "M8[D]"), ["2024-01-05", None]),
        ([np.datetime64("2024-01-05"), np.datetime64("NaT")], ["2024-01-05", None]),
        (pd.period_range("2024-01", periods=2, freq="M"), ["2024-01-01", "2024-02-01"]),
        (pl.Series([datetime.date(2024, 1, 1), None]), ["2024-01-01", None]),
        (pa.array([datetime.date(2024, 1, 1), None]), ["2024-01-01", None]),
        (pd.date_range("2024-01-05", periods=1, tz="Europe/Berlin"), ["2024-01-04 23:00:00+00:00"]),
    ],
)  # fmt: skip
def test_what_a_category_is_called(column, names):
    assert names_of({"a": column}) == names


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([decimal.Decimal("1.5"), None, decimal.Decimal("NaN")], [1.5, np.nan, np.nan]),
        (pa.array([decimal.Decimal("1.50"), None]), [1.5, np.nan]),
        (pl.Series([decimal.Decimal("1.5")]), [1.5]),
        ([fractions.Fraction(1, 4), 2], [0.25, 2]),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, np.nan]),
        (pd.Series([1.5, None], dtype="double[pyarrow]"), [1.5, np.nan]),
        (pd.Series([3, None], dtype="UInt8"), [3, np.nan]),
        (np.array([1, 2], dtype=">i2"), [1, 2]),
        (np.array([1.5], dtype=np.float16), [1.5]),
        (np.array([1.5], dtype=np.longdouble), [1.5]),
        (np.array([2**64 - 1], dtype=np.uint64), [2.0**64]),
        ([2**64 - 1, None], [2.0**64, np.nan]),
        ([True, 2, None], [1, 2, np.nan]),
        ([datetime.timedelta(hours=1), None], [3600, np.nan]),
        (pd.to_timedelta(["1h", None]), [3600, np.nan]),
        (np.array([90, "NaT"], "m8[s]"), [90, np.nan]),
        (pl.Series([datetime.timedelta(1), None]), [86400, np.nan]),
        ([datetime.time(12, 30), None], [45000, np.nan]),
        (pl.Series([datetime.time(1), None]), [3600, np.nan]),
        (pa.array([datetime.time(1), None]), [3600, np.nan]),
        ([None, None], [np.nan, np.nan]),
        (["1", " 2.5", "?"], [1, 2.5, np.nan]),
    ],
)
def test_what_is_a_number(column, numbers):
    np.testing.assert_array_equal(numbers_of(column), numbers)


def test_columns_without_a_name_are_rows_and_other_names_become_text():
    frame = pd.DataFrame([[1, "a"]])
    assert read_table(frame).columns == ("x0", "x1")
    assert read_table(frame, names=["p", "q"]).columns == ("p", "q")
    with pytest.raises(InvalidDataError, match=r"X must have 1 column \(p\); got 2"):
        read_table(frame, names=["p"])
    assert read_table(frame[[1, 0]]).columns == ("1", "0")
    two_levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert read_table(two_levels).columns == ("('a', 'x')", "('a', 'y')")


OWN = {
    "float": np.array([1.5, 0.5, -2.0, np.nan]),
    "infinite": np.array([1.5, np.inf, -2.0, 0.5]),
    "whole": np.array([3, 1, 2, 1]),
    "flag": np.array([True, False, True, True]),
    "masked": np.ma.array([1.0, 2.0, 3.0, 5.0], mask=[0, 1, 0, 0]),
    "object": np.array([1.5, None, True, 2], dtype=object),
    "text": np.array(["1,5", " x", None, "?"], dtype=object),
    "day": np.array(["2024-01-05", "NaT", "2024-03-01", "2024-03-01"], dtype="M8[us]"),
    "list": ["a ", None, "b", 3],
}


@pytest.mark.parametrize("convert", [dict, pd.DataFrame])
@pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")
def test_a_table_is_not_changed(convert):
    """Its numbers are not copied as a rule: who reads them must write to other memory."""
    X = convert(OWN)
    before = copy.deepcopy(X)
    table = read_table(X)
    for name in ("float", "infinite", "whole", "flag", "masked", "object"):
        table[name].numbers(Notation(), [])
    Columns.of(X, {"text": "categorical"}).encode(X)[:]
    for name in table.columns:
        table[name].categories()
        table[name].take(np.array([2, 0]), table[name].origin).objects()[:] = 7
        table[name].objects()[:] = 7
    np.asarray(table)[:] = 7
    for name, column in before.items():
        found, expected = (
            pd.Series(np.ma.getdata(np.asanyarray(each))) for each in (X[name], column)
        )
        pd.testing.assert_series_equal(found, expected)


def test_parts_know_the_rows_of_the_whole():
    table = read_table({"a": ["x", "y", "z", None], "b": [1, 2, 3, 4]})
    part = table.take(np.array([3, 1, 2])).take(np.array([1, 2]))
    assert names_of(part) == ["y", "z"]
    np.testing.assert_array_equal(part["b"].numbers(Notation(), []), [2, 3])
    assert part["a"].texts == ["y", "z"]  # those alone that stand in it
    assert part["a"].origin.row(1) == "row 2"
    with pytest.raises(
        InvalidDataError, match="column 'a' of X must hold numbers; got 'y' at row 1"
    ):
        part["a"].numbers(Notation(), [])
    assert table.select(["b"]).columns == ("b",)
    assert repr(part) == "Table(2 rows: a, b)"


def test_columns_that_nobody_needs_are_not_read():
    assert read_table({"a": [1], "b": object()}, skip={"b"}).columns == ("a",)


MANY = (
    st.none() | st.integers(-(10**300), 10**300) | st.floats() | st.booleans() | st.text(max_size=3)
)


@settings(max_examples=200)
@given(st.lists(MANY, max_size=8))
def test_any_column_has_categories(values):
    names = names_of({"a": values})
    missing = [v is None or v != v or (isinstance(v, str) and not v.strip()) for v in values]
    assert [name is None for name in names] == missing
    # A number's name says the number.
    for name, value in zip(names, values, strict=True):
        if name is not None and not isinstance(value, (str, bool)):
            assert float(name) == float(value)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (3, InvalidTypeError, "X must be a data frame in memory, a mapping or rows; got int"),
        (
            pl.LazyFrame(RAW).select("none"),
            InvalidDataError,
            "X cannot be read into memory: .*none",
        ),
        (iter([]), InvalidDataError, "X must yield at least one table; got none"),
        (
            iter([{"a": [1], "b": [2]}, {"b": [3], "c": [4]}]),
            InvalidDataError,
            r"part 2 of X must have the columns of the first \(a, b\); missing: a; unexpected: c$",
        ),
        (pd.Series([1]), InvalidTypeError, "a mapping or rows; got Series"),
        ([1, 2], InvalidDataError, r"of shape \(n_samples, n_columns\); got \(2,\)"),
        ({"a": [1], "b": [1, 2]}, InvalidDataError, "of equal length; got {'a': 1, 'b': 2}"),
        ({"a": np.ones((2, 2))}, InvalidDataError, r"column 'a' of X must be a vector; got .*2, 2"),
        ({"a": "xyz"}, InvalidDataError, r"vector; for one row, write {'a': \['xyz'\], …}; got"),
        ({"a": 3}, InvalidDataError, r"vector; for one row, write {'a': \[3\], …}; got int"),
        ({"a": None}, InvalidDataError, r"write {'a': \[None\], …}; got NoneType"),
        ({"a": {0: 1.5}}, InvalidDataError, "column 'a' of X must be a vector; got dict"),
        (
            {1: [1], "1": [2]},
            InvalidDataError,
            "name for each column: rename one; got '1' twice",
        ),
        (
            pd.DataFrame([[1, 2, 3]], columns=["b", "a", "a"]),
            InvalidDataError,
            "X must have a different name for each column: rename one; got 'a' twice",
        ),
    ],
)
def test_what_is_no_table_is_named(table, error, message):
    with pytest.raises(error, match=message):
        read_table(table)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ([[1], [2]], "an entry of type list"),
        (["a", {1}], "an entry of type set"),
        ([b"x"], "an entry of type bytes"),
        ([1j], "an entry of type complex"),
        (np.array([1j]), "complex numbers"),
        (np.array([b"x"]), "bytes"),
        (pl.Series([["a"]]), r"entries of type List\(String\)"),
        (pl.Series([{"a": 1}]), "entries of type Struct"),
        (pl.Series([b"x"]), "entries of type Binary"),
        (pa.array([[1]]), "entries of type List"),
        (pa.chunked_array([[[1]]]), r"entries of type List\(Int64\)"),
        (
            [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)],
            "dates with a time zone and dates without one",
        ),
    ],
)
def test_what_no_network_can_take_says_what_it_is(column, what):
    entries = read_table({"a": column})["a"]
    assert not entries.is_usable
    assert len(entries.take(np.array([0]), entries.origin)) == 1
    for ask in (entries.categories, lambda: entries.numbers(Notation(), [])):
        with pytest.raises(InvalidDataError, match=f"column 'a' of X must hold .*; got {what}"):
            ask()


def test_what_is_no_finite_number_is_missing_and_named():
    notes = []
    numbers = read_table({"a": [0, np.inf, 1, -np.inf]})["a"].numbers(Notation(), notes)
    np.testing.assert_array_equal(numbers, [0, np.nan, 1, np.nan])
    assert [str(note) for note in notes] == [
        "column 'a' of X has 2 entries that are not finite numbers, the first of them 'inf' at row "
        "1; they are treated as missing"
    ]
    with pytest.raises(InvalidDataError, match="column 'a' of X must hold numbers; got dates"):
        numbers_of([datetime.date(2024, 1, 1)])


@pytest.mark.parametrize("named", [None, "key"])
def test_the_index_of_a_frame_of_pandas_is_no_column(tmp_path, named):
    frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "y": ["a", "b", "a"]}, index=[2, 0, 1])
    frame.index.name = named
    frame.to_parquet(tmp_path / "t.parquet")
    table = pa.Table.from_pandas(frame)
    for each in (read_file(tmp_path / "t.parquet"), read_table(table)):
        assert each.columns == ("x", "y")
    model = MLPClassifier(3, columns="auto", max_iter=1)
    with pytest.warns(ConvergenceWarning):
        model.fit(table.drop_columns(["y"]), frame["y"])
    assert list(model.feature_names_in_) == ["x"]


@pytest.mark.parametrize(
    "column",
    [pd.Categorical([(1, 2), (3, 4)]), pa.array([b"a", None]).dictionary_encode()],
)
def test_categories_that_are_no_text_are_left_out_by_name(column):
    entries = read_table({"c": column})["c"]
    assert not entries.is_usable
    assert entries.what.startswith("an entry of type")
