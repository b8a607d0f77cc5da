"""Columns of a sample of the rows and a tally of all: what they know that the sample does not."""

import datetime
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data import Survey, TableWarning, read_file, read_table, tally
from multilayer.model import Categorical, Columns, Date, Ignored, Numeric

TABLES = Path(os.environ.get("MULTILAYER_DATA", "")) / "tables"


def surveyed(table, most_rows, size=7, counted=()):
    """Return the survey of a table, in blocks of some size."""
    starts = range(0, len(table), size)
    blocks = ((a, table.take(np.arange(a, min(a + size, len(table))))) for a in starts)
    return Survey.of(blocks, most_rows=most_rows, seed=0, counted=counted)


def columns_of(table, most_rows, *, kinds=None, embedded=True, counted=()):
    """Return the columns that a survey finds, and those of the whole table."""
    survey = surveyed(table, most_rows, max(len(table) // 5, 1), counted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)
        found = Columns.of(survey.sample, kinds, embedded=embedded, tallies=survey.tallies)
        return found.columns, Columns.of(table, kinds, embedded=embedded).columns


def column_of(values, most_rows, kind=None, *, embedded=True, counted=False):
    """Return the same of one column."""
    table = read_table({"a": values, "other": np.arange(len(values)) % 10})
    kinds = {} if kind is None else {"a": kind}
    found, expected = columns_of(
        table, most_rows, kinds=kinds, embedded=embedded, counted=["a"] * counted
    )
    return found[0], expected[0]


# A sample of all rows ----------------------------------------------------------------------

texts = st.sampled_from(["", "a", "b", "1", "2", "3.5", "?", "1,5", "2024-01-05", "5/1/2024"])
cells = st.lists(texts, min_size=2, max_size=40)
numbers = st.lists(st.none() | st.floats(-9, 9) | st.integers(0, 3), min_size=2, max_size=40)


@settings(max_examples=60)
@given(cells, cells, numbers, st.booleans(), st.integers(1, 50))
def test_if_the_sample_is_whole_the_columns_are_those_of_the_table(a, b, c, embedded, size):
    n = min(map(len, (a, b, c)))
    columns = {"a": a[:n], "b": b[:n], "c": c[:n], "row": np.arange(n) % 5, "two": [0, 1] * n}
    table = read_table({name: [*values[:n], values[0]] for name, values in columns.items()})
    survey = surveyed(table, n + 1, size)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", TableWarning)
        found = Columns.of(survey.sample, embedded=embedded, tallies=survey.tallies)
    with warnings.catch_warnings(record=True) as expected_notes:
        warnings.simplefilter("always", TableWarning)
        expected = Columns.of(table, embedded=embedded)
    assert found.columns == expected.columns
    assert [str(note.message) for note in noted] == [str(n.message) for n in expected_notes]


@pytest.mark.parametrize("name", ["adult", "hypothyroid", "ames_housing", "nyc_flights"])
@pytest.mark.parametrize("embedded", [False, True])
def test_whole_samples_of_real_tables(name, embedded):
    path = TABLES / f"{name}.csv"
    if not path.exists():
        pytest.skip("needs the tables")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)
        table = read_file(path)[:3000]
    found, expected = columns_of(table, len(table), embedded=embedded)
    assert found == expected


# What the tally knows ----------------------------------------------------------------------


@pytest.mark.parametrize("embedded", [False, True])
@settings(max_examples=40)
@given(st.data(), st.integers(0, 5))
def test_categories_are_those_of_all_rows(embedded, data, seed):
    """Whatever the sample lacks: against the columns of the whole table."""
    rng = np.random.default_rng(seed)
    n_categories = data.draw(st.integers(3, 400))
    ranks = rng.zipf(1.5, 1000) % n_categories
    names = [f"c{rank}" for rank in ranks]
    if data.draw(st.booleans()):
        names[-1] = ""
    most_rows = data.draw(st.integers(2, 900))
    found, expected = column_of(names, most_rows, embedded=embedded)
    assert found == expected


DAY = datetime.datetime(2024, 1, 5)


@pytest.mark.parametrize(
    ("values", "last", "kind"),
    [
        ([1.0, 2.0, 3.0], None, Numeric),
        ([1.0, 2.0, 3.0], np.inf, Numeric),
        (["1.5", "2", "3"], "?", Numeric),
        (["1.5", "2", "3"], "", Numeric),
        (["1.5", "2", "3"], "unknown", Numeric),
        ([DAY, DAY + datetime.timedelta(1)], None, Date),
        (["2024-01-05", "2024-01-06"], "n/a", Date),
        ([*range(20240101, 20240129)], 0, Date),
        (["a", "b", "c"], None, Categorical),
    ],
)
def test_a_value_that_is_missing_once_in_the_last_block(values, last, kind):
    values = [values[i % len(values)] for i in range(499)]
    found, _ = column_of(values, 20)
    assert type(found) is kind
    assert not found.has_missing
    found, expected = column_of([*values, last], 20)
    assert type(found) is type(expected) is kind
    assert found.has_missing
    assert expected.has_missing


def test_categories_of_the_last_file_alone():
    found, expected = column_of([*"ab" * 1000, *["z"] * 5, *["y"] * 4], 10)
    assert found == expected
    assert found.categories == ("a", "b", "z")
    assert found.has_rare


def test_a_column_with_one_value_in_the_sample():
    found, expected = column_of([*["a"] * 1000, "b"], 10)
    assert found == expected
    assert found.categories == ("a", "b")
    found, expected = column_of([*["a"] * 1000, None], 10)
    assert found == expected
    assert found.has_missing
    found, expected = column_of(["a"] * 1000, 10)
    assert found == expected == Ignored("a", "one value")


def test_a_column_with_hardly_an_entry_in_the_sample():
    found, expected = column_of([None] * 5000 + [1.0, 2.0] * 10, 10)
    assert found == Ignored("a", "hardly any entries")
    assert isinstance(expected, Numeric)


def test_what_is_distinct_in_the_sample_need_not_number_the_rows():
    users = [f"user {i % 500}" for i in range(5000)]
    found, expected = column_of(users, 50)
    assert found == expected
    assert len(found.categories) == 500
    found, expected = column_of([f"user {i}" for i in range(5000)], 50)
    assert found == expected == Ignored("a", "identifiers")


def test_numbers_that_are_distinct_in_the_sample():
    table = read_table({"user_id": [str(i % 500) for i in range(5000)], "x": [0, 1] * 2500})
    (found, _), (expected, _) = columns_of(table, 50, embedded=False)
    assert type(found) is type(expected) is Numeric


@pytest.mark.parametrize("values", [[3, 7], [0.5, 0.25], [DAY, DAY + datetime.timedelta(1)]])
def test_numbers_and_dates_as_categories(values):
    values = (
        values * 500 + [values[0].__class__(9) if values[0] is not DAY else DAY.replace(2020)] * 5
    )
    found, expected = column_of(values, 10, "categorical", counted=True)
    assert found == expected
    assert len(found.categories) == 3
    known, _ = column_of(values, 10, "categorical")  # not counted: what the sample has
    assert len(known.categories) <= 2


def test_kinds_that_are_given():
    values = [*["1", "2", "3"] * 300, "?"]
    for kind, cls in {"numeric": Numeric, "categorical": Categorical, "ignored": Ignored}.items():
        found, expected = column_of(values, 10, kind, embedded=False)
        assert type(found) is type(expected) is cls
    found, expected = column_of(values, 10, "categorical", embedded=False)
    assert found == expected


def test_spellings_of_one_category_are_counted_together():
    values = ["7", "8", "9"] * 300 + ["4", "4", "4.0", "4.0", "4.0"]
    found, expected = column_of(values, 10, "categorical")
    assert found == expected
    assert found.categories == ("4", "7", "8", "9")


@pytest.mark.parametrize("embedded", [False, True])
def test_more_categories_than_are_counted(monkeypatch, embedded):
    monkeypatch.setattr(tally, "MOST_TEXTS", 40)
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in [*np.repeat(np.arange(10), 300), *rng.integers(10, 500, 1000)]]
    found, _ = column_of(rng.permutation(names).tolist(), 100, embedded=embedded)
    assert {f"c{i}" for i in range(10)} <= set(found.categories)
    assert len(found.categories) <= 40
    assert found.has_rare


def test_categories_that_are_all_too_rare_to_be_counted(monkeypatch):
    monkeypatch.setattr(tally, "MOST_TEXTS", 40)
    names = [f"c{i % 250}" for i in range(1000)]
    found, _ = column_of(names, 100, "categorical")
    assert found.has_rare
    assert set(found.categories) <= set(names)
    assert found.categories


def test_medians_and_knots_are_those_of_the_sample():
    values = np.random.default_rng(0).normal(size=5000)
    table = read_table({"a": values})
    survey = surveyed(table, 500, 1000)
    (found,) = Columns.of(survey.sample, embedded=True, tallies=survey.tallies).columns
    (expected,) = Columns.of({"a": values[survey.places]}, embedded=True).columns
    assert found == expected
    # The rank of the median, to five standard errors.
    assert abs((values < found.median).mean() - 0.5) < 5 * 0.5 / np.sqrt(500)


def test_dates_with_and_without_a_zone_in_different_blocks():
    utc = pd.Series(pd.date_range("2024-01-01", periods=30, tz="UTC"))
    local = pd.Series(pd.date_range("2024-01-01", periods=3))
    blocks = [
        (0, read_table({"a": utc, "b": range(30)})),
        (30, read_table({"a": local, "b": range(3)})),
    ]
    survey = Survey.of(blocks, most_rows=2, seed=1)
    reason = "dates with a time zone and dates without one"
    with pytest.warns(TableWarning, match=reason):
        found = Columns.of(survey.sample, tallies=survey.tallies)
    assert found.columns[0] == Ignored("a", reason)
