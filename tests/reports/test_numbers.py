"""Numbers: sentinels, slips, gaps and types that tables of numbers come with."""

import decimal
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import cross_val_score

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import TableWarning, read_file
from multilayer.errors import InvalidDataError
from multilayer.model import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(1)
N = 240


def regressor(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "scale_targets": True, "random_state": 0}
    return MLPRegressor(**{"hidden_layer_sizes": 16, "max_iter": 300} | given | settings)


def encoded(X, later=None):
    return Columns.of(X).encode(X if later is None else later)[:]


# Sentinels and slips -----------------------------------------------------------------------


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_a_sentinel_in_a_fifth_of_the_rows(convert):
    """Days employed, of which 365243 says that there is no employment: both are learned."""
    days = -RNG.uniform(100, 8000, N)
    is_none = RNG.random(N) < 0.18
    X = {"days": np.where(is_none, 365243.0, days)}
    y = np.where(is_none, 50.0, days / 100)
    model = regressor().fit(convert(X), y)
    later = {"days": np.linspace(-7900, -200, 50)}
    r2 = 1 - np.mean((model.predict(convert(later)) - later["days"] / 100) ** 2) / np.var(y)
    assert r2 > 0.9
    assert model.predict(convert({"days": [365243.0]}))[0] == pytest.approx(50, abs=8)


@pytest.mark.parametrize("slip", [12e9, -12e9, 1e300])
def test_one_typing_error_among_mostly_zeros_is_no_scale(slip):
    amounts = np.where(RNG.random(N) < 0.8, 0.0, RNG.uniform(10, 100, N))
    amounts[7] = slip
    (column,) = Columns.of({"amount": amounts}).columns
    assert 10 < column.scale < 100
    y = np.clip(amounts, 0, 100) / 10
    is_right = np.arange(N) != 7
    model = regressor().fit({"amount": amounts}, y)
    assert model.score({"amount": amounts[is_right]}, y[is_right]) > 0.9


# Infinite numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [np.inf, -np.inf])
@pytest.mark.parametrize(
    "convert",
    [
        pd.DataFrame,
        pl.DataFrame,
        pa.table,
        dict,
        lambda X: pd.DataFrame(X).convert_dtypes(),
        lambda X: pd.DataFrame(X).astype(object),
        lambda X: {"a": [decimal.Decimal(str(x)) for x in X["a"]]},
        lambda X: np.array(X["a"])[:, None],
        lambda X: pd.DataFrame(X).to_dict("records"),
    ],
)
def test_one_infinite_number(convert, number):
    X = {"a": [*range(1, 30), number]}
    X = {"a": [float(x) for x in X["a"]]}
    with np.errstate(invalid="ignore"):  # pandas 2 looks whether they might be integers
        X, later = convert(X), convert({"a": [number, 15.0]})
    with pytest.warns(
        TableWarning,
        match=rf"of X has '{number}' at row 29, which is not a finite number and is treated a",
    ):
        columns = Columns.of(X)
    assert (columns.columns[0].median, columns.columns[0].has_missing) == (15, True)
    with pytest.warns(TableWarning, match=rf"has '{number}' at row 0"):
        found = columns.encode(later)[:]
    np.testing.assert_array_equal(found, [[0, 1], [0, 0]])


def test_infinite_numbers_in_a_file(written, mlp, train, tmp_path):
    rows = "".join(f"{i},{i % 7},{2 * i}\n" for i in range(60))
    path = written("a,b,y\ninf,1,3\n-Infinity,1,3\n1e999,1,3\n" + rows)
    told = train(path, "--epochs", "2", "--save", tmp_path / "m").stderr
    assert re.search(r"column 'a' has . entries that are not numbers, the first of them '", told)
    told = mlp("predict", tmp_path / "m", written("a,b\n1,2\n-inf,3\n∞,3\n", "p.csv")).stderr
    assert "column 'a' has 2 entries that are not numbers, the first of them '-inf'" in told


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, "", " ", "NaN", "n/a", np.inf])
def test_one_row_alone_with_a_gap(gap):
    model = regressor(max_iter=20).fit({"a": RNG.normal(size=50)}, RNG.normal(size=50))
    with pytest.warns(TableWarning, match="'a' of X has .* at row 0"):
        assert np.isfinite(model.predict([{"a": gap}])).all()


# Types -------------------------------------------------------------------------------------


def decimals(values):
    return [None if value is None else decimal.Decimal(value) for value in values]


@pytest.mark.parametrize(
    "convert",
    [
        lambda values: {"a": values},
        lambda values: pd.DataFrame({"a": values}),
        lambda values: pl.DataFrame({"a": values}),
        lambda values: pa.table({"a": values}),
        lambda values: pd.DataFrame({"a": pd.array(values, pd.ArrowDtype(pa.decimal128(9, 2)))}),
        lambda values: [{"a": value} for value in values],
        lambda values: np.array(values, dtype=object)[:, None],
    ],
)
def test_decimals_of_a_database(convert):
    values = ["1.25", "-7.50", None, "1000.00"] * 5
    expected = encoded({"a": [None if v is None else float(v) for v in values]})
    np.testing.assert_array_equal(encoded(convert(decimals(values))), expected)
    floats = convert([None if v is None else float(v) for v in values])
    np.testing.assert_array_equal(
        encoded(convert(decimals(values)), floats), expected, err_msg="floats come later"
    )


def test_decimals_that_are_none():
    values = [decimal.Decimal(each) for each in ("1.5", "NaN", "sNaN", "-NaN", "2.5")]
    np.testing.assert_array_equal(encoded({"a": values})[:, 1], [0, 1, 1, 1, 0])


@pytest.mark.parametrize(
    "convert",
    [
        lambda ids: {"id": ids},
        lambda ids: {"id": np.array(ids)},
        lambda ids: {"id": [str(each) for each in ids]},
        lambda ids: pd.DataFrame({"id": pd.array(ids, dtype="Int64")}),
        lambda ids: pl.DataFrame({"id": ids}),
        lambda ids: pa.table({"id": ids}),
    ],
)
def test_whole_numbers_beyond_those_of_floats_are_codes(convert):
    """As floats 2⁵³ and 2⁵³ + 1 are the same number."""
    ids = [2**53 + 1, 2**53 + 2, 2**60 + 1, 2**60] * 10
    (column,) = Columns.of(convert(ids)).columns
    assert column.categories == tuple(sorted(map(str, set(ids))))
    y = np.array(["a", "b", "a", "b"] * 10)
    model = MLPClassifier(8, solver="lbfgs", columns="auto", random_state=0).fit(convert(ids), y)
    assert model.score({"id": [str(each) for each in ids]}, y) == 1


def test_numbers_beyond_all_types_are_codes():
    X = {"a": [2**70, 2**70 + 1] * 5, "b": np.array([2**64 - 1, 2**64 - 2] * 5, dtype=np.uint64)}
    X["c"] = pl.Series([2**100, 2**100 + 1] * 5, dtype=pl.Int128)
    assert [len(c.categories) for c in Columns.of(X).columns] == [2, 2, 2]


@pytest.mark.parametrize(
    "dtype", [*"fdeg", "i1", "i2", "u1", "u8", ">f8", ">f4", ">i4", ">u2", "O"]
)
def test_numbers_of_any_type(dtype):
    numbers = RNG.integers(0, 100, 60)
    expected = encoded({"a": numbers.astype(float)})
    typed = numbers.astype(dtype)
    for X in (
        {"a": typed},
        pd.DataFrame({"a": typed}),
        {"a": typed.tolist()},
        {"a": typed[:, None][:, 0]},
    ):
        np.testing.assert_allclose(encoded(X), expected)
    np.testing.assert_allclose(encoded(typed[:, None]), expected)
    y = np.sqrt(numbers)
    assert regressor().fit(pd.DataFrame({"a": typed}), y).score({"a": numbers.tolist()}, y) > 0.9


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.Float32, pl.Int128, pl.Decimal(9, 2)])
def test_numbers_of_polars(dtype):
    numbers = RNG.integers(0, 100, 60)
    X = pl.DataFrame({"a": pl.Series(numbers.tolist(), dtype=dtype)})
    np.testing.assert_allclose(encoded(X), encoded({"a": numbers.astype(float)}))


@pytest.mark.parametrize("dtype", [pa.float16(), pa.int8(), pa.uint64(), pa.decimal128(9, 2)])
def test_numbers_of_pyarrow(dtype):
    numbers = RNG.integers(0, 100, 60)
    X = pa.table({"a": pa.array(numbers.astype(np.int64)).cast(pa.float32()).cast(dtype)})
    np.testing.assert_allclose(encoded(X), encoded({"a": numbers.astype(float)}))


# Later, as text ----------------------------------------------------------------------------


def test_numbers_that_arrive_as_text(forms, tmp_path):
    """A model of numbers is asked by a web form, a file, a frame of texts."""
    numbers = np.round(RNG.normal(0, 50, N), 3)
    model = regressor().fit(pd.DataFrame({"a": numbers, "b": RNG.integers(0, 5, N)}), numbers)
    model.save(tmp_path / "m")
    loaded = multilayer.load(tmp_path / "m")
    later = {
        "a": ["1.5", " -2", "3e1", "+7.25", "1.5E-3", "007"],
        "b": ["1", "2.0", "3", "4", "0", "1"],
    }
    expected = model.predict({"a": [1.5, -2, 30, 7.25, 0.0015, 7], "b": [1, 2, 3, 4, 0, 1]})
    for X in forms(later).values():
        np.testing.assert_array_equal(model.predict(X), expected)
        np.testing.assert_array_equal(loaded.predict(X), expected)
    (one,) = model.predict(json.loads('[{"a": "1.5", "b": "1"}]'))
    assert one == pytest.approx(expected[0], rel=1e-4)  # of one row the sums have another order
    numbers = model.predict({"a": numbers[:50], "b": np.zeros(50)})
    assert np.isfinite(numbers).all()


def test_one_entry_that_is_no_number_in_a_large_file(written, mlp, tmp_path):
    model = regressor(max_iter=20).fit(
        {"a": RNG.normal(size=N), "b": RNG.normal(size=N)}, RNG.normal(size=N)
    )
    model.save(tmp_path / "m")
    rows = [f"{i % 97 / 97},{i % 89 / 89}" for i in range(30_000)]
    rows[20_001] = "n.a. ,0.5"
    rows[20_002] = "twelve,0.5"
    path = written("a,b\n" + "\n".join(rows) + "\n")
    result = mlp("predict", tmp_path / "m", path)
    assert len(result.stdout.splitlines()) == 30_001
    assert "column 'a' has 'twelve' at row 20,003 below its header, which is not" in result.stderr
    with pytest.warns(TableWarning, match="'a' of .* has 'twelve' at row 20,003 below its header"):
        assert np.isfinite(model.predict(read_file(path))).all()
    rows[20_002] = "0.5,0.5"
    told = mlp("predict", tmp_path / "m", written("a,b\n" + "\n".join(rows) + "\n")).stderr
    assert (
        "'a' has a missing value at row 20,002 below its header, but had none in training" in told
    )


def test_words_alone_are_refused(forms):
    model = regressor(max_iter=5).fit({"a": RNG.normal(size=50)}, RNG.normal(size=50))
    for X in forms({"a": ["low", "high"]}).values():
        with pytest.raises(
            InvalidDataError, match=r"column 'a' of .* must hold numbers; got 'low' at"
        ):
            model.predict(X)


def test_text_of_numbers_in_cross_validation_partial_fit_and_rows():
    x = RNG.normal(size=N)
    X = pd.DataFrame({"a": [f"{each:.4f}" for each in x]}, dtype=object)
    assert cross_val_score(regressor(), X, x, cv=3).min() > 0.9
    model = regressor(solver="adam", scale_targets=False)
    with pytest.warns(TableWarning, match="partial_fit decided what the columns"):
        model.partial_fit(X[:120], x[:120])
    model.partial_fit(pd.DataFrame({"a": x[120:]}), x[120:])
    np.testing.assert_array_equal(model.predict(X), model.predict(X["a"].astype(float).to_frame()))
