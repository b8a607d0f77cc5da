"""Dates written as text: against pandas' reader and Python's own calendar."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data.date_format import DateFormat, find_date_format
from multilayer.data.dates import compact_dates, iso_texts, moment


def read(texts, **how):
    """Return the moments that a column of these texts holds; None if it holds none."""
    found = find_date_format(texts, np.ones(len(texts), dtype=int), **how)
    if found is None or found.format is None:
        return found
    seconds, others = found.format.dates(texts)
    assert others == []
    return iso_texts(seconds)


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (["2024-01-05", "2024-02-29"], ["2024-01-05", "2024-02-29"]),
        (["2024/1/5", "2024.12.31"], ["2024-01-05", "2024-12-31"]),
        (["5.1.2024", "06.02.24"], ["2024-01-05", "2024-02-06"]),
        (["1/31/2024", "2/6/24"], ["2024-01-31", "2024-02-06"]),
        (["31/1/2024", "6-2-2024"], ["2024-01-31", "2024-02-06"]),
        (["Jan 5, 2024", "February 6th 2024"], ["2024-01-05", "2024-02-06"]),
        (["5 January 2024", "06-Feb-2024", "7Mar2024"], ["2024-01-05", "2024-02-06", "2024-03-07"]),
        (["Mon, 05 Jan 2024", "Tue 6 Feb 2024"], ["2024-01-05", "2024-02-06"]),
        (["Dec-2015", "Apr-99"], ["2015-12-01", "1999-04-01"]),
        (["2024-01", "2023-12"], ["2024-01-01", "2023-12-01"]),
        (["2024Q1", "2024-Q4", "Q2 2023"], ["2024-01-01", "2024-10-01", "2023-04-01"]),
        (["2024-W05", "2024W06"], ["2024-01-29", "2024-02-05"]),
        (
            ["2024-01-05 10:00", "2024-01-05T11:00:30"],
            ["2024-01-05 10:00:00", "2024-01-05 11:00:30"],
        ),
        (
            ["1/31/2024 3:30 PM", "2/1/2024 12:05 a.m."],
            ["2024-01-31 15:30:00", "2024-02-01 00:05:00"],
        ),
        (["2024-01-05T10:00:00Z", "2024-01-05 12:00+02:00"], ["2024-01-05 10:00:00"] * 2),
        (["20141013T000000", "20141014T120000"], ["2014-10-13", "2014-10-14 12:00:00"]),
        (["0001-01-01", "9999-12-31"], ["0001-01-01", "9999-12-31"]),
        (["1969-12-31", "1970-01-01"], ["1969-12-31", "1970-01-01"]),
        ([f"202401{d:02d}" for d in range(1, 13)], [f"2024-01-{d:02d}" for d in range(1, 13)]),
    ],
)
def test_what_is_a_date(texts, dates):
    assert read(texts) == dates


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-02-30", "2024-02-01"],
        ["20240105", "20240106"],  # of so few numbers nobody knows
        ["2015", "2016"],
        ["May", "June"],
        ["10-20", "20-30"],
        ["1-2-3", "4-5-6"],
        ["12:30", "13:00"],
        ["tomorrow", "now"],
        ["?", "NA"],
        [],
    ],
)
def test_what_is_none(texts):
    assert read(texts) is None


def test_a_field_above_twelve_says_which_is_the_month():
    texts = ["1/5/2024", "2/13/2024"]
    assert read(texts) == ["2024-01-05", "2024-02-13"]
    found = find_date_format(texts, np.ones(2, dtype=int))
    assert (found.format.order, found.shows) == ("month first", "month first")


def test_what_may_be_either_is_nothing_until_it_is_said():
    texts = ["1/5/2024", "2/6/2024"]
    assert read(texts).format is None
    assert read(texts, order="day first") == ["2024-05-01", "2024-06-02"]
    assert read(texts, order="month first") == ["2024-01-05", "2024-02-06"]
    assert read(["1/1/2024", "2/2/2024"]) == ["2024-01-01", "2024-02-02"]  # the same either way
    # Said in vain: what the texts show counts.
    assert read(["1/31/2024"], order="day first") == ["2024-01-31"]


def test_strays_and_marks_are_missing():
    texts = [f"2024-01-{d:02d}" for d in range(1, 32)] + ["soon", "?"]
    found = find_date_format(texts, np.ones(33, dtype=int))
    assert found.others == ("soon",)
    assert np.isnan(found.format.dates(["soon", "?", "0000-00-00"])[0]).all()
    assert found.format.dates(["later"])[1] == [0]


def test_zones_and_none_do_not_mix():
    with_zone = DateFormat(has_zone=True)
    assert with_zone.dates(["2024-01-05T00:00Z", "2024-01-05"])[1] == [1]
    assert DateFormat().dates(["2024-01-05T00:00Z", "2024-01-05"])[1] == [0]


@settings(max_examples=300)
@given(
    st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y", "%d %b %Y",
                     "%B %d, %Y", "%d-%b-%Y %I:%M %p"]),
)  # fmt: skip
def test_what_python_writes_is_read_back(when, form):
    text = when.strftime(form)
    expected = datetime.datetime.strptime(text, form)
    assert moment(text).since_1970() == (expected - datetime.datetime(1970, 1, 1)).total_seconds()


@settings(max_examples=300)
@given(st.text(max_size=20))
def test_any_text_is_a_date_or_none(text):
    found = moment(text)
    assert found is None or found.since_1970() is None or np.isfinite(found.since_1970())


@pytest.mark.parametrize(
    "text",
    ["2024-03-31T01:30:00+01:00", "2024-11-05 10:00:00-05:00", "2024-01-05 10:00 GMT",
     "2024-01-05T10:00:00.123456Z"],
)  # fmt: skip
def test_zones_as_pandas_has_them(text):
    assert moment(text).since_1970() == pd.Timestamp(text).timestamp()


def test_numbers_such_as_20240105():
    numbers = np.array([20240105.0, np.nan, 19991231])
    expected = [
        pd.Timestamp("2024-01-05").timestamp(),
        np.nan,
        pd.Timestamp("1999-12-31").timestamp(),
    ]
    np.testing.assert_array_equal(compact_dates(numbers), expected)
    wrong = [20241301, 20240230, 20240100, 18991231, 20240105.5, np.inf, np.nan]
    assert np.isnan(compact_dates(np.array(wrong))).all()


def test_it_says_how_it_is_written():
    assert str(DateFormat()) == ""
    assert str(DateFormat("day first", True, ("soon",))) == "day first, UTC, missing where soon"
