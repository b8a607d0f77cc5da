"""Columns: against scikit-learn's own encoders; what is decided, noted and left out."""

import json
import warnings
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from multilayer import Architecture, MLPClassifier, load
from multilayer.data import Notation, TableWarning, read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.evaluation.slices import parts_of
from multilayer.model import (
    COLUMNS,
    Categorical,
    Column,
    Columns,
    Date,
    EncodedTable,
    Found,
    Ignored,
    Model,
    Numbers,
    Numeric,
)
from multilayer.model.column import NOTHING
from multilayer.numpy import MLP

RNG = np.random.default_rng(0)


def entries(values, name="a"):
    return read_table({name: values})[name]


def encoded(column, values):
    return column.encode(entries(values), [])


def quietly(X, kinds=None):
    """Return the columns of a table, whatever is noted of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)
        return Columns.of(X, kinds)


# Numbers -----------------------------------------------------------------------------------


def test_a_numeric_column_is_the_robust_scaling_of_scikit_learn_bent():
    values = RNG.lognormal(size=200) * 1000
    values[::7] = np.nan
    column = Numeric.of(entries(values)).column
    inputs = encoded(column, values)
    filled = SimpleImputer(strategy="median").fit_transform(values[:, None])
    r = RobustScaler().fit(values[:, None]).transform(filled)[:, 0]
    # Computed in float64 and kept in float32.
    np.testing.assert_allclose(inputs[:, 0], r / np.sqrt(1 + (r / 3) ** 2), rtol=1e-7)
    missing = MissingIndicator().fit_transform(values[:, None])
    np.testing.assert_array_equal(inputs[:, 1], missing[:, 0])
    assert column.input_names == ("a", "a is missing")


FLOATS = st.floats(-1e307, 1e307) | st.just(np.nan)


@settings(max_examples=200)
@given(npst.arrays(np.float64, st.integers(1, 20), elements=FLOATS))
def test_numbers_of_any_size_stay_within_three_and_in_order(values):
    assume(not np.isnan(values).all())
    column = Numeric.of(entries(values)).column
    inputs = encoded(column, np.append(values, [1.7e308, -1.7e308, np.nan]))
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= 3
    present = ~np.isnan(values)
    in_order = inputs[: len(values), 0][present][np.argsort(values[present])]
    # r/√(1 + (r/3)²) rises, and rounding to float32 keeps that up to one step of it.
    assert (np.diff(in_order) >= -np.spacing(np.float32(3))).all()


def test_quartiles_that_are_equal_do_not_take_a_slip_for_the_scale():
    assert Numeric.of(entries(np.array([0.0] * 9 + [8]))).column.scale == 4
    amounts = np.array([0.0] * 80 + [*range(1, 20)] + [12e9])  # somebody's finger slipped
    column = Numeric.of(entries(amounts)).column
    assert column.scale == 5.25  # half the median of 1, …, 19 and the slip
    assert np.ptp(encoded(column, amounts)[80:99, 0]) > 1
    constant = Numeric.of(entries(np.array([5.0, 5.0]))).column
    np.testing.assert_array_equal(encoded(constant, np.array([5.0, 1e9])), [[0], [0]])


@pytest.mark.parametrize("kind", [bool, int, float, object])
def test_booleans_are_one_and_zero(kind):
    columns = Columns.of({"a": np.array([True, False])})
    expected = columns.encode({"a": [True, False]})[:]
    np.testing.assert_array_equal(columns.encode({"a": np.array([1, 0], dtype=kind)})[:], expected)
    np.testing.assert_array_equal(columns.encode({"a": ["TRUE", "false"]})[:], expected)


def test_texts_are_numbers_where_all_are():
    columns = Columns.of({"price": ["$1,200", "$850", "n/a"]})
    plain = Columns.of({"price": [1200, 850, None]})
    np.testing.assert_array_equal(
        columns.encode({"price": ["$1,000", 900, "?"]})[:],
        np.vstack([plain.encode({"price": [each]})[:] for each in (1000, 900, None)]),
    )


def test_a_number_among_texts_that_are_none_is_said_with_its_row():
    ages = [str(age) for age in range(20, 90)]
    with pytest.warns(
        TableWarning,
        match=r"^column 'age' of X has 'Total' at row 70, which is not a number and is "
        r"treated as missing; to change this, pass columns=\{'age': 'categorical'\}$",
    ):
        columns = Columns.of({"age": [*ages, "Total"]})
    assert columns.columns[0].has_missing
    columns.encode({"age": ["Total", "30"]})  # which it knows by now
    with pytest.warns(TableWarning, match="'age' of X has 2 entries that are not numbers, the fir"):
        columns.encode({"age": ["Sum", "30", "Mean"]})
    with pytest.raises(
        InvalidDataError, match=r"^column 'age' of X must hold numbers; got 'Sum' a"
    ):
        columns.encode({"age": ["Sum", None]})


def test_what_a_comma_means_is_said_or_shown_by_another_column():
    lots = ["1,200", "9,900", "3,400"]
    with pytest.warns(
        TableWarning,
        match=r"writes '1,200', which is read as 1200; to change this, pass columns=\{'lot",
    ):
        assert Columns.of({"lot": lots}).columns[0].median == 3400
    shown = Columns.of({"lot": lots, "size": ["3,5", "7,25", "8"]})
    assert shown.columns[0].median == 3.4
    shown = Columns.of({"lot": lots, "size": ["3.5", "7.25", "8"]})
    assert shown.columns[0].median == 3400
    said = Columns.of({"lot": lots}, {"lot": "numeric: decimal comma"})
    assert said.columns[0].median == 3.4
    # What programs write with a point is one, unless the others have commas.
    points = {"a": ["1.234", "5.678"]}
    assert Columns.of(points).columns[0].median == pytest.approx(3.456)
    assert Columns.of(points | {"b": ["0,5", "1,5"]}).columns[0].median == 3456


def test_numbers_in_several_notations_are_noted():
    sizes = [f"{i} km" for i in range(30)] * 3 + [f"{i} li" for i in range(5)]
    with pytest.warns(TableWarning, match="has numbers written in more than one way, such as '0 l"):
        assert Columns.of({"size": sizes}).columns[0].kind == "categorical"
    # As categories these would be names: rather a few are missing.
    mixed = [f"{i}.000,5" for i in range(1, 41)] + ["1,000.5", "2,000.5"]
    with pytest.warns(
        TableWarning, match="has 2 entries that are not numbers, the first of them '"
    ):
        assert Columns.of({"size": mixed}).columns[0].kind == "numeric"


def test_bounds_are_numbers_and_noted():
    values = [f"{i / 10}" for i in range(60)] + ["<0.1"]
    with pytest.warns(TableWarning, match="has bounds such as '<0.1', which are read as numbers"):
        Columns.of({"nitrate": values})
    assert Columns.of({"income": ["<=50K", ">50K"] * 9}).columns[0].kind == "categorical"


def test_one_mark_among_many_numbers_is_missing_however_often():
    sizes = [f"{i}M" for i in range(1, 40)] + ["Varies with device"] * 20
    with pytest.warns(TableWarning, match="has 20 entries that are not numbers, the fir"):
        (column,) = Columns.of({"size": sizes}).columns
    assert (column.kind, column.has_missing) == ("numeric", True)


def test_infinite_numbers_are_missing_and_noted():
    with pytest.warns(TableWarning, match=r"has 'inf' at row 1, which is not a finite"):
        (column,) = Columns.of({"a": [1.0, np.inf, 3.0]}).columns
    assert (column.median, column.has_missing) == (2, True)


@pytest.mark.parametrize("kind", ["numeric: decimal comma", "numeric: decimal point"])
def test_what_the_user_says_of_a_decimal_mark_beats_what_another_column_shows(kind):
    other = "3.5" if "comma" in kind else "3,5"
    columns = Columns.of(
        {"lot": ["1,200", "9,900", "3,400"], "b": [other, other, "8"]}, {"lot": kind}
    )
    assert columns.columns[0].median == (3.4 if "comma" in kind else 3400)


def test_neither_a_sign_nor_an_exponent_shows_a_decimal_point():
    for texts in (["-1.234", "+5.678"], ["1.234e3", "5.678"]):
        columns = Columns.of({"a": texts, "b": ["0,5", "1,5"]})
        assert columns.columns[0].notation.decimal == ","


def test_thousands_written_with_a_k_alone_are_thousands():
    columns = Columns.of({"a": ["5k", "3k", "4k"]})
    assert columns.columns[0].median == 4000
    same = columns.encode({"a": ["4000", "4k", 4000]})[:]
    np.testing.assert_array_equal(same, np.zeros((3, 1)))
    assert Columns.of({"a": ["5 m", "3 m", "4 m"]}).columns[0].median == 4  # or metres


@pytest.mark.parametrize(
    ("training", "later", "message"),
    [
        (["2h 50m", "1h"], [3600.0], "must hold durations, as in training; got numbers"),
        (["2 years", "5 months"], [2], "must hold durations, as in training; got numbers"),
        (["5 kg", "300 g"], [5], "must hold numbers with units, as in training; got numbers"),
        ([1.5, 2.5], np.array([1], "m8[h]"), "must hold numbers, as in training; got durations"),
    ],
)
def test_numbers_whose_unit_nobody_knows_are_refused(training, later, message):
    columns = Columns.of({"a": training})
    with pytest.raises(InvalidDataError, match=message):
        columns.encode({"a": later})
    columns.encode({"a": training})


@pytest.mark.parametrize(
    ("training", "later", "message"),
    [
        (
            ["1.234,56", "12,5"],
            ["491.174", "?", "1521.296"],
            "numbers with a decimal comma, as the model reads them; got '1521.296' at row 2, "
            "with a decimal point",
        ),
        (
            ["1.5", "2.25"],
            ["3", "2,5", "4"],
            "numbers with a decimal point, as the model reads them; got '2,5' at row 1, with a "
            "decimal comma",
        ),
        (
            ["25/08/2023", "2/9/2023"],
            ["02/09/2023", "08/25/2023", "08/26/2023"],
            "dates with the day first, as the model reads them; got '08/25/2023' at row 1, "
            "with the month first",
        ),
    ],
)
def test_a_column_in_the_other_notation_is_refused_rather_than_read_in_part(
    training, later, message
):
    columns = Columns.of({"a": training})
    with pytest.raises(InvalidDataError) as error:
        columns.encode({"a": later})
    assert str(error.value) == f"column 'a' of X must hold {message}"
    # A row of its own is refused in the same words, if it cannot be read.
    alone = later[int(message.partition("at row ")[2][0])]
    message = message.replace("at row 1", "at row 0").replace("at row 2", "at row 0")
    with pytest.raises(InvalidDataError) as error:
        columns.encode({"a": [alone]})
    assert str(error.value) == f"column 'a' of X must hold {message}"


@pytest.mark.parametrize(
    ("training", "later"),
    [
        (["1.234,56", "12,5"], ["491.174", "12,5", "1521.296"]),  # in both
        (["12", "900"], ["1,200", "850"]),  # in either
        (["2 days", "5 h"], ["2,5", "1 h"]),
        (["25/08/2023", "2/9/2023"], ["02/09/2023", "08/25/2023", "25/08/2023"]),
        (["2023-08-25", "2023-09-02"], ["2023-08-25", "08/25/2023"]),
    ],
)
def test_an_entry_in_another_notation_than_the_others_is_missing(training, later):
    columns = Columns.of({"a": training})
    with pytest.warns(TableWarning, match="is not a .* and is treated as missing"):
        columns.encode({"a": later})


def test_a_duration_is_the_same_typed_and_as_text():
    columns = Columns.of({"a": ["1:00:00", "2:30:00", "3:00:00"]})
    typed = columns.encode({"a": np.array([60, 150, 180], "m8[m]")})[:]
    np.testing.assert_array_equal(
        typed, columns.encode({"a": ["1:00:00", "2:30:00", "3:00:00"]})[:]
    )


def test_marks_of_missing_values_count_among_numbers_too():
    typed = read_table({"a": np.array([1, 2, -999, 4]), "b": ["1", "-999.0", "x", "x"]})
    table = typed.without(["-999", "x"])
    assert [table[name].n_present for name in "ab"] == [3, 1]
    columns = Columns.of(table, {"b": "categorical"})
    assert columns.columns[0].has_missing
    np.testing.assert_array_equal(columns.encode({"a": [-999.0], "b": ["x"]})[:][:, 1], 1)


def test_a_column_that_holds_marks_of_missing_values_alone_has_no_entries():
    for kind in ("numeric", "date"):
        with pytest.warns(TableWarning, match=r"ignored: 'a' \(no entries\)"):
            Columns.of({"a": ["?", "NA", "?"], "b": [1, 2, 3]}, {"a": kind})
    columns = Columns.of({"a": [None, None], "b": [1, 2]}, {"a": "ignored"})  # warns of nothing
    assert columns.columns[0] == Ignored("a")


def test_zeros_stand_for_missing_dates():
    days = [20240101 + i for i in range(28)]
    columns = Columns.of({"a": days})
    with pytest.warns(TableWarning, match="has '0' at row 0, which is not a date"):
        assert not columns.encode({"a": [0]})[:][:, 0].any()


def test_units_that_some_numbers_lack():
    assert quietly({"a": ["5 m", "12 m", "7"]}).columns[0].median == 7  # metres
    assert quietly({"a": ["300 K", "295 K", "299"]}).columns[0].median == 299  # kelvin
    with pytest.warns(TableWarning, match=r"'a' of X has '5M' beside '700', which are read as 5e"):
        assert Columns.of({"a": ["5M", "1M", "700"]}).columns[0].median == 1e6
    with pytest.warns(TableWarning, match="has '45%' beside '0.45', which are read as 45 and 0.45"):
        columns = Columns.of({"a": ["45%", "0.45", "50%"]})
    with pytest.warns(TableWarning, match="'a' of X has numbers without a percent sign, which are"):
        columns.encode({"a": [0.45]})
    assert Columns.of({"a": ["45m", "2h", "1h"]}).columns[0].median == 3600


def test_marks_at_school_and_addresses_are_no_numbers():
    marks = ["1", "1-", "2+", "2", "2-", "3+", "3", "3-"] * 5
    assert Columns.of({"a": marks}).columns[0].kind == "categorical"
    X = {
        "a": [f"192.168.100.{100 + i % 50}" for i in range(100)],
        "b": [f"{1 + i / 7:.3f}" for i in range(100)],
    }
    columns = quietly(X)
    assert [column.kind for column in columns.columns] == ["categorical", "numeric"]
    assert columns.columns[1].notation.decimal == "."
    assert quietly({"a": ["1,234.50-", "7.00", "8.25"]}).columns[0].median == 7  # an accountant's


def test_a_float_that_rounds_many_codes_is_none_of_them():
    codes = ["12345678901234567", "12345678901234568"]
    columns = Columns.of({"a": codes * 5})
    with pytest.warns(
        TableWarning, match=r"not seen in training, such as '1.2345678901234568e\+16'"
    ):
        assert not columns.encode({"a": [12345678901234567.0]})[:].any()


# Categories --------------------------------------------------------------------------------


def test_a_categorical_column_is_the_one_hot_code_of_scikit_learn():
    words = RNG.choice(np.array(["ü", "b", "aa", "c"], dtype=object), 50)
    columns = Columns.of({"a": words})
    new = np.array(["c", "aa", "ü"], dtype=object)
    peer = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words[:, None])
    np.testing.assert_array_equal(columns.encode({"a": new})[:], peer.transform(new[:, None]))
    names = peer.get_feature_names_out(["a"])
    assert list(columns.input_names) == [name.replace("_", " = ") for name in names]


def test_the_most_frequent_categories_are_kept():
    names = [f"w{i:03d}" for i in range(300)] + [f"w{i:03d}" for i in range(256)]
    with pytest.warns(TableWarning, match="'a' of X has more than 256 categories; only the 256"):
        columns = Columns.of({"a": names})
    assert columns.columns[0].categories == tuple(f"w{i:03d}" for i in range(256))
    assert columns.columns[0].has_rare
    assert not columns.encode({"a": ["w256", "w001"]})[:1].any()


@pytest.mark.parametrize(
    ("training", "later"),
    [
        (["True", "False", "Unknown"], [True, False, "Unknown"]),
        (["true", "false", "Unknown"], np.array([True, False, "Unknown"], dtype=object)),
        (["TRUE", "FALSE", "?"], ["True", "False", "?"]),
        (["7", "8", "x"], [7, 8.0, "x"]),
        (["7.0", "8.0", "x"], ["7", 8, "x"]),
        (["07", "08", "x"], [7, "8", "x"]),
        ([7, 8, "x"], ["7.0", "08", "x"]),
        (["a", "b ", " c"], [" a", "b", "c"]),
        (["Zürich", "Köln", "x"], ["Zu\u0308rich", "Ko\u0308ln", "x"]),
        ([1, 2.5, "x"], ["1", "2.5", "x"]),
    ],
)
def test_the_same_entry_in_another_type_or_spelling_is_the_same_category(training, later):
    columns = Columns.of({"a": training}, {"a": "categorical"})
    found = columns.encode({"a": later})[:]  # warnings are errors: nothing is unknown
    np.testing.assert_array_equal(found, columns.encode({"a": training})[:])
    np.testing.assert_array_equal(found.sum(axis=1), 1)


@pytest.mark.parametrize("word", ["Yes", "yes!", "1", True, 1, "ja"])
def test_another_category_is_named_from_the_first_row_on(word):
    columns = Columns.of({"a": ["yes", "no"]})
    with pytest.warns(
        TableWarning, match=rf"not seen in training, such as '{word}' at row 0; known"
    ):
        assert not columns.encode({"a": [word]})[:].any()


def test_codes_of_two_files_are_the_same():
    columns = Columns.of({"a": ["1.0", "1", "2", "2.0", "x"]}, {"a": "categorical"})
    assert columns.columns[0].categories == ("1", "2", "x")


def test_what_may_be_two_categories_is_neither():
    columns = Columns.of({"a": ["07", "7", "x"]}, {"a": "categorical"})
    np.testing.assert_array_equal(columns.encode({"a": ["07", "7"]})[:][:, :2], np.eye(2))
    with pytest.warns(TableWarning, match="not seen in training, such as '007'"):
        assert not columns.encode({"a": ["007"]})[:].any()
    big = 2**60
    columns = Columns.of({"a": [big, big + 1]}, {"a": "categorical"})
    np.testing.assert_array_equal(columns.encode({"a": [str(big), big + 1]})[:], np.eye(2))


def test_numbers_that_float64_cannot_tell_apart_are_codes():
    columns = quietly({"a": np.array([2**60, 2**60 + 1] * 5), "b": range(10)})
    assert columns.columns[0].categories == (str(2**60), str(2**60 + 1))


def test_plain_numbers_that_a_library_calls_categories_are():
    for codes in (pd.Categorical([7, 1, 7]), pd.Categorical(["7", "1", "7"])):
        assert Columns.of(pd.DataFrame({"a": codes})).columns[0].kind == "categorical"
    prices = pd.Categorical(["$7", "$1", "$7"])  # which text that became a category may be
    assert Columns.of(pd.DataFrame({"a": prices})).columns[0].kind == "numeric"


def test_a_category_has_one_name_whatever_stands_beside_it():
    moments = np.array(["2024-01-05T00:00", "2024-01-06T12:30", "2024-01-05T00:00"], "M8[s]")
    columns = Columns.of({"a": moments}, {"a": "categorical"})
    assert columns.columns[0].categories == ("2024-01-05", "2024-01-06 12:30:00")
    for i in range(3):
        found = columns.encode({"a": moments[i : i + 1]})[:]
        np.testing.assert_array_equal(found, columns.encode({"a": moments})[i : i + 1])
    columns = Columns.of({"a": [True, False, True]}, {"a": "categorical"})
    mixed = columns.encode({"a": [True, 0, 1.0]})[:]
    np.testing.assert_array_equal(mixed, np.eye(2)[[1, 0, 1]])


def test_of_whole_decimals_no_digit_is_lost():
    codes = [Decimal("12345678901234567"), Decimal("12345678901234568")] * 2
    for column in (codes, pl.Series(codes, dtype=pl.Decimal(20, 0)), pa.array(codes)):
        columns = Columns.of({"a": column}, {"a": "categorical"})
        assert columns.columns[0].categories == ("12345678901234567", "12345678901234568")


# Dates -------------------------------------------------------------------------------------

DAYS = pd.date_range("2022-01-03", periods=1000, freq="17h")


def test_a_date_is_elapsed_time_and_phases():
    columns = Columns.of(pd.DataFrame({"when": DAYS}))
    (when,) = columns.columns
    assert when.cycles == ("day", "week", "month")  # less than two years
    found = columns.encode(pd.DataFrame({"when": DAYS}))[:]
    assert columns.input_names[:3] == ("when", "when, day sin", "when, day cos")
    hours = DAYS.hour + DAYS.minute / 60
    np.testing.assert_allclose(found[:, 1], np.sin(2 * np.pi * hours / 24), atol=1e-6)
    np.testing.assert_allclose(found[:, 2], np.cos(2 * np.pi * hours / 24), atol=1e-6)
    same_weekday_and_hour = (DAYS.day_of_week == DAYS[0].day_of_week) & (DAYS.hour == 0)
    np.testing.assert_allclose(np.ptp(found[same_weekday_and_hour, 3:5], axis=0), 0, atol=1e-6)
    assert (np.diff(found[:, 0]) > 0).all()
    seconds = (DAYS - pd.Timestamp(0)).total_seconds().to_numpy()
    r = RobustScaler().fit_transform(seconds[:, None])[:, 0]
    np.testing.assert_allclose(found[:, 0], r / np.sqrt(1 + (r / 3) ** 2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%b %d, %Y %I:%M %p"])
def test_dates_as_text_and_as_dates_are_the_same(form):
    columns = Columns.of(pd.DataFrame({"when": DAYS}))
    from_text = Columns.of({"when": DAYS.strftime(form).tolist()})
    expected = columns.encode(pd.DataFrame({"when": DAYS}))[:]
    np.testing.assert_array_equal(from_text.encode(pd.DataFrame({"when": DAYS}))[:], expected)
    texts = {"when": DAYS.strftime(form).tolist()}
    np.testing.assert_array_equal(columns.encode(texts)[:], expected)


def test_day_and_month_that_cannot_be_told_apart_are_left_out_with_what_decides():
    when = [f"{d}/{m}/2024" for d in range(1, 13) for m in range(1, 13)]
    X = {"x": range(144), "when": when}
    with pytest.warns(TableWarning, match=r"'when' \(dates in which it is unclear whether day "):
        assert isinstance(Columns.of(X).columns[1], Ignored)
    for order, day in (("day first", "%d/%m/%Y"), ("month first", "%m/%d/%Y")):
        (_, column) = Columns.of(X, {"when": f"date: {order}"}).columns
        expected = pd.to_datetime(pd.Series(when), format=day)
        assert column.median == (expected - pd.Timestamp(0)).dt.total_seconds().median()
    # Another column shows what is meant.
    X["then"] = [f"{d}/1/2024" for d in range(1, 31)] * 4 + ["31/1/2024"] * 24
    assert Columns.of(X).columns[1].format.order == "day first"


def test_dates_with_a_zone_and_without_do_not_mix():
    mixed = {"x": [1, 2, 3, 4], "when": ["2024-01-01T00:00Z", "2024-01-02"] * 2}
    with pytest.warns(TableWarning, match="dates with a time zone and dates without one"):
        assert Columns.of(mixed).needed == ("x",)
    columns = Columns.of(
        {"when": ["2024-01-01T00:00Z", "2024-01-02T00:00+01:00", "2024-02-01Z"][:2]}
    )
    assert columns.columns[0].format.has_zone
    with pytest.raises(InvalidDataError, match="must hold dates with a time zone, as in training;"):
        columns.encode(pd.DataFrame({"when": pd.to_datetime(["2024-01-01"])}))
    berlin = pd.to_datetime(["2024-01-01 01:00"]).tz_localize("Europe/Berlin")
    np.testing.assert_array_equal(
        columns.encode(pd.DataFrame({"when": berlin}))[:],
        columns.encode({"when": ["2024-01-01T00:00Z"]})[:],
    )


def test_durations_and_times_are_seconds():
    columns = quietly({"a": pd.to_timedelta([1, 2, 4], unit="h"), "b": ["12:30", "13:00", "01:00"]})
    assert [column.median for column in columns.columns] == [7200, 45000]


@pytest.mark.parametrize(
    "texts",
    [
        [f"24-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 5, 15, 28)],
        [f"{1000 + 37 * i}-{i % 12 + 1:02}" for i in range(200)],
        ["3.11.10", "3.11.11", "3.12.10", "3.9.10", "3.9.12"] * 3,
        [f"{month}-{day:02}" for month in ("Jan", "Feb", "Mar") for day in (1, 5, 12, 28, 31)],
    ],
)
def test_years_that_may_be_something_else_are_none(texts):
    assert quietly({"a": texts, "b": range(len(texts))}).columns[0].kind != "date"


def test_days_and_years_of_two_digits_that_cannot_be_told_apart_are_left_out_with_what_decides():
    X = {"a": ["20-02-17", "23-03-23", "?", "19-11-05"], "b": [1.5, 2.5, 3.5, 4]}
    with pytest.warns(
        TableWarning, match="whether the year comes first or last: 'date: day first' decides"
    ):
        assert Columns.of(X).needed == ("b",)
    assert Columns.of(X, {"a": "date: day first"}).columns[0].kind == "date"
    X["c"] = ["13/5/2024", "1/2/2024", "2/2/2024", None]
    assert Columns.of(X).columns[0].kind == "date"


@pytest.mark.parametrize(
    "texts",
    [
        ["Dec-15", "Jan-14", "Mar-16"],
        ["01.06.24", "01.07.24"],
        ["20-02-17", "23-03-23", "19-11-67"],  # too large for a day
        ["20-02-17", "31-03-23", "19-11-05"],  # a year to come
        ["20-02-24", "23-03-24", "19-11-23"],  # years vary little
        ["20.02.17", "23.03.23", "19.11.05"],
        ["20/02/17", "23/03/23", "19/11/05"],
    ],
)
def test_years_of_two_digits_are_years_where_nothing_speaks_against_it(texts):
    assert quietly({"a": texts}).columns[0].kind == "date"


def test_marks_of_missing_dates_count_among_dates_too():
    days = np.array(["2024-01-05", "9999-12-31", "2024-03-01"], "M8[D]")
    assert read_table({"a": days}).without(["9999-12-31"])["a"].n_present == 2


# What is left out --------------------------------------------------------------------------


def test_columns_from_which_nothing_can_be_learned_are_left_out_in_one_notice():
    n = 600
    X = pd.DataFrame(
        {
            "id": np.arange(n) * 3,
            "name": [f"person {i}" for i in range(n)],
            "phone": [f"+1 555-{i:04d}" for i in range(n)],
            "empty": np.nan,
            "hardly": np.where(np.arange(n) < 3, 1.0, np.nan),
            "same": "x",
            "lists": [[1]] * n,
            "age": RNG.normal(size=n),
        }
    )
    with pytest.warns(TableWarning) as told:
        columns = Columns.of(X)
    assert [str(each.message) for each in told] == [
        "nothing can be learned from these columns of X, which are ignored: 'id', 'name', 'phone' "
        "(identifiers); 'empty' (no entries); 'hardly' (hardly any entries); 'same' (one value); "
        "'lists' (an entry of type list)"
    ]
    assert columns.input_names == columns.needed == ("age",)
    assert columns.encode(X[["age"]])[:].shape == columns.encode(X)[:].shape == (n, 1)
    assert repr(columns) == "Columns(1 numeric, 7 ignored → 1 input)"
    # Said otherwise, they are taken.
    kept = quietly(X, {"id": "numeric", "name": "categorical", "same": "categorical"})
    assert kept.needed == ("id", "name", "same", "age")


def test_of_a_few_rows_every_text_may_count():
    assert quietly({"a": [f"w{i}" for i in range(10)]}).in_features == 10


def test_a_table_of_which_nothing_is_left_is_refused():
    with pytest.raises(InvalidDataError, match=r"^X has no column that can be learned from: "):
        Columns.of({"a": ["x"] * 9, "b": [None] * 9})


# The table ---------------------------------------------------------------------------------


def test_columns_are_taken_by_name_in_any_order():
    columns = Columns.of({"a": [1, 2, 3], "b": ["x", "y", "x"]})
    np.testing.assert_array_equal(
        columns.encode({"b": ["y"], "a": [2]})[:], columns.encode({"a": [2], "b": ["y"]})[:]
    )
    numbered = pd.DataFrame({3: [1, 2, 3], 1: [5.0, 5.5, 7]})
    columns = Columns.of(numbered)
    assert columns.names == ("3", "1")
    np.testing.assert_array_equal(columns.encode(numbered)[:], columns.encode(numbered[[1, 3]])[:])


def test_kinds_are_said():
    X = {"zip": [1010, 1020, 1010], "size": [1.0, 2.0, None]}
    columns = Columns.of(X, {"zip": "categorical"})
    assert columns.columns[0] == Categorical("zip", ("1010", "1020"))
    assert columns.input_names == ("zip = 1010", "zip = 1020", "size", "size is missing")
    # The same numbers are the same categories, whatever they come in.
    for form in ([1020.0], ["1020"], np.array([1020], "i8"), np.array(["1020"]), ["1020.0"]):
        np.testing.assert_array_equal(columns.encode({"zip": form, "size": [1]})[:][0, :2], [0, 1])
    assert Columns.of(X, {"zip": "ignored"}).needed == ("size",)


@pytest.mark.parametrize(
    ("X", "kinds", "message"),
    [
        (
            {"a": [1.0]},
            {"a": ["numeric"]},
            "column 'a' must be one of ignored, categorical, numeri",
        ),
        ({"a": [1.0]}, {"b": "numeric"}, "kinds names column 'b', but X has a"),
        (
            {"a": [1.0]},
            {"a": "word"},
            "column 'a' must be one of ignored, categorical, numeric, nu",
        ),
        ({"a": ["x"]}, {"a": "numeric"}, "column 'a' of X must hold numbers; got 'x' at row 0"),
        ({"a": ["x"]}, {"a": "date"}, "column 'a' of X must hold dates; got 'x' at row 0"),
        ({"a": [1.5]}, {"a": "date"}, "column 'a' of X must hold dates; got numbers"),
        (
            {"a": [[1]]},
            {"a": "categorical"},
            "column 'a' of X must hold numbers, text, dates or bo",
        ),
        ({}, {}, "columns must be at least one"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(X, kinds, message):
    with pytest.raises((InvalidArgumentError, InvalidTypeError), match=f"^{message}"):
        Columns.of(X, kinds)


def test_the_nearest_kind_is_named():
    with pytest.raises(InvalidArgumentError, match="did you mean 'date: day first'"):
        Columns.of({"a": ["1/1/2024"]}, {"a": "date: dayfirst"})


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": [1]}, "X must have the columns a, b; missing: b; unexpected: none"),
        (
            {"a": [1], "b": ["x"], "c": [1]},
            "X must have the columns a, b; missing: none; unexpected",
        ),
        ({"a": ["x"], "b": ["x"]}, "column 'a' of X must hold numbers; got 'x' at row 0"),
        ({"a": [[0]], "b": ["x"]}, "column 'a' of X must hold numbers; got an entry of type list"),
    ],
)
def test_samples_that_do_not_fit_are_named(X, message):
    columns = Columns.of({"a": [1, 2], "b": ["x", "y"]})
    with pytest.raises(InvalidDataError, match=f"^{message}"):
        columns.encode(X)


def test_missing_entries_of_a_column_that_had_none_are_said():
    columns = Columns.of({"a": [1, 2], "b": ["x", "y"]})
    with pytest.warns(TableWarning) as told:
        found = columns.encode({"a": [None, 2, None], "b": ["x", None, "y"]})[:]
    assert [str(each.message) for each in told] == [
        "column 'a' of X has 2 missing values, the first at row 0, but had none in training",
        "column 'b' of X has a missing value at row 1, but had none in training",
    ]
    np.testing.assert_array_equal(found[0], [0, 1, 0])
    np.testing.assert_array_equal(found[1, 1:], [0, 0])


def test_a_model_of_a_table_predicts_from_it():
    columns = Columns.of({"a": [1, 2, None], "b": ["x", "y", "x"]})
    net = MLP(Architecture(columns.in_features, (3,), 2), rng=RNG)
    X = {"a": [3, None], "b": ["y", "x"]}
    np.testing.assert_array_equal(Model(net, inputs=columns)(X), net(columns.encode(X)[:]))
    for rows in ([[3, "y"], [None, "x"]], [{"a": 3, "b": "y"}, {"b": "x"}]):
        np.testing.assert_array_equal(columns.encode(rows)[:], columns.encode(X)[:])
    with pytest.raises(InvalidDataError, match=r"X must have 2 columns \(a, b\); got 1"):
        columns.encode([[3]])
    assert repr(columns) == "Columns(1 numeric, 1 categorical → 4 inputs)"


def test_inputs_are_made_when_they_are_read():
    """A category takes four bytes in a row, whatever the number of categories."""
    X = {"a": [f"w{i % 200}" for i in range(1000)], "b": RNG.normal(size=1000)}
    found = Columns.of(X).encode(X)
    assert isinstance(found, EncodedTable)
    assert found.shape == (1000, 201)
    held = sum(array.nbytes for array in vars(found).values() if isinstance(array, np.ndarray))
    assert held < 1000 * 16
    whole = np.asarray(found)
    rows = np.array([999, 3, 3])
    out = np.empty((3, 201))
    found.read(rows, out)
    np.testing.assert_array_equal(out, whole[rows])
    np.testing.assert_array_equal(found.subset(rows)[1:], whole[[3, 3]])


@given(st.data())
def test_any_table_is_encoded_or_named(data):
    """What a training takes, it encodes without a word, in finite numbers, and from JSON too."""
    one = st.none() | st.integers(-(10**20), 10**20) | st.floats(-1e300, 1e300) | st.booleans()
    texts = st.sampled_from(["", " ", "?", "1,5", "$7", "2024-01-05", "5/1/2024", "x", "True", "7"])
    column = st.one_of(
        *(st.lists(each, min_size=6, max_size=6) for each in (one, texts, one | texts))
    )
    X = {name: data.draw(column) for name in "abc"}
    X["d"] = [1, 2, 3, 4, 5, 6]  # so that there is something to learn
    columns = quietly(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TableWarning)
        found = columns.encode(X)[:]
    assert found.shape == (6, len(columns.input_names))
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (2, [1, 2, 3]),
            InvalidDataError,
            r"mean of Numbers must have shape \(2,\), one per input",
        ),
        ((2, [1, np.nan]), InvalidDataError, "mean of Numbers must be finite in float64; got nan "),
        ((2, None, [1, 0]), InvalidDataError, "scale of Numbers must be above 0; got 0 at index 1"),
        ((2, None, None, ("a",)), InvalidDataError, "names of Numbers must be 2 strings, one per "),
        ((2, None, None, "ab"), InvalidDataError, "names of Numbers must be 2 strings, one per in"),
        ((0,), InvalidArgumentError, "in_features of Numbers must be "),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Numbers(*arguments)
    with pytest.raises(InvalidTypeError, match=r"^columns must be instances of Column; got str"):
        Columns(["a"])


def test_columns_say_what_they_are():
    X = {
        "age": ["20", "30", "?"],
        "job": ["a", "b", None],
        "when": ["1.1.2020", "1.1.2024", "2.1.2024"],
        "none": [None] * 3,
    }
    columns = quietly(X)
    assert [str(column) for column in columns.columns] == [
        "numeric, median 25, scale 5; missing values",
        "2 categories: a, b; missing values",
        "date, median 2024-01-01; phase in the week, the month, the year",
        "ignored: no entries",
    ]
    assert "<td>2 categories: a, b; missing values</td>" in columns._repr_html_()
    assert isinstance(columns.columns[2], Date)


# A kind of one's own -----------------------------------------------------------------------


@dataclass(frozen=True)
class Angle(Column):
    """Degrees: the sine and the cosine, 0 where one is missing."""

    kind = "angle"
    options = {"radians": {"unit": "radians"}}

    name: str
    unit: str = "degrees"

    @classmethod
    def of(cls, entries, said=NOTHING, *, is_asked=False):
        return Found(cls(entries.column, said.get("unit", "degrees")) if is_asked else None)

    @property
    def input_names(self):
        return f"{self.name} sin", f"{self.name} cos"

    def encode(self, entries, notes):
        angles = entries.numbers(Notation(), notes)
        angles = np.deg2rad(angles) if self.unit == "degrees" else angles
        return np.nan_to_num(np.column_stack([np.sin(angles), np.cos(angles)])).astype(np.float32)

    def values(self, entries, notes):
        return entries.numbers(Notation(), notes)

    def shown(self, value):
        return f"{value:.0f}°"

    def __str__(self):
        return f"an angle in {self.unit}"

    @classmethod
    def from_dict(cls, found):
        return cls(**found)


@pytest.fixture
def angle(monkeypatch):
    """Register the kind for one test."""
    monkeypatch.setattr(COLUMNS, "_entries", dict(COLUMNS))
    COLUMNS.register("angle", Angle)


def test_a_kind_of_ones_own_is_asked_for_trained_on_saved_and_shown(angle, tmp_path):
    X = {
        "wind": RNG.uniform(0, 360, 200),
        "turn": RNG.uniform(0, 6, 200),
        "b": RNG.normal(size=200),
    }
    y = np.sin(np.deg2rad(X["wind"])) > 0
    kinds = {"wind": "angle", "turn": "angle: radians"}
    model = MLPClassifier(4, columns=kinds, max_iter=200, learning_rate_init=0.05, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    assert model.score(X, y) > 0.95
    assert model.columns_.columns[1] == Angle("turn", "radians")
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert "an angle in degrees" in loaded._repr_html_()
    with pytest.raises(InvalidArgumentError, match="'wind' is angle, which has no ONNX form"):
        model.export(tmp_path / "m.onnx")


def test_a_kind_of_ones_own_is_divided_by_its_values(angle):
    table = read_table({"wind": np.arange(360.0)})
    columns = Columns.of(table, {"wind": "angle"})
    found = [(value, rows.sum()) for _, value, rows in parts_of(table, columns)]
    assert found == [("0° to 89°", 90), ("90° to 179°", 90), ("180° to 269°", 90),
                     ("270° to 359°", 90)]  # fmt: skip


@pytest.mark.parametrize("kind", [*COLUMNS])
def test_every_kind_of_column_keeps_its_contract(kind):
    """Found or not, encoded in the shape that it says, and the same after JSON."""
    days = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")
    values = {"numeric": RNG.normal(size=60), "date": days}
    columns = {"a": values.get(kind, RNG.choice(["x", "y", "z"], 60))}
    column = COLUMNS[kind].of(read_table(columns)["a"], is_asked=True).column
    assert column.kind == kind
    encoded = column.encode(read_table(columns)["a"], [])
    if encoded.ndim == 1:
        assert encoded.dtype == np.int32
        assert encoded.max() < len(column.input_names)
    else:
        assert encoded.shape == (60, len(column.input_names))
        assert encoded.dtype == np.float32
    told = json.loads(json.dumps(column.to_dict()))
    assert told.pop("kind") == kind
    assert type(column).from_dict(told) == column
    assert str(column)


def test_rare_categories_are_nothing_to_speak_of_unless_most_are():
    jobs = np.repeat(["cook", "smith", "baker"], [40, 40, 2])
    job = Columns.of({"job": jobs}, embedded=True)
    assert job.columns[0].has_rare
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for new in (["baker"], ["ghost"], ["ghost"] * 20, ["ghost"] * 30 + ["cook"] * 30):
            job.encode({"job": new})
    with pytest.warns(TableWarning, match="rare or not seen in training, such as 'ghost' at row 1"):
        job.encode({"job": ["cook"] + ["ghost"] * 30})


def test_infinite_numbers_are_not_called_categories():
    with pytest.warns(TableWarning) as found:
        Columns.of({"x": [1.0, np.inf, 2.0, 3.0]})
    assert "categorical" not in str(found[0].message)
