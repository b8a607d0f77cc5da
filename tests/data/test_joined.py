"""Parts of a column become one column, as if they had been one."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from multilayer.data import Table, read_table


def joined(*parts):
    """Return the column of several parts, each of a table of its own."""
    return Table.join([read_table({"a": part}) for part in parts], "X")["a"]


UTC = datetime.UTC
DAY = datetime.datetime(2024, 1, 5)
NONE = [None, None]


@pytest.mark.parametrize(
    ("parts", "expected", "dtype"),
    [
        (([1, 2], [3]), [1, 2, 3], np.int64),
        (([1, 2], [0.5]), [1, 2, 0.5], np.float64),
        (([1, None], [0.5, None]), [1, None, 0.5, None], np.float64),
        ((NONE, [1, 2]), [None, None, 1, 2], np.int64),
        (([True], [False, None]), [True, False, None], np.bool_),
        ((np.array([1.5], np.float32), [2]), [1.5, 2], np.float64),
        ((np.array([1, 2], np.int8), np.array([300], np.int16)), [1, 2, 300], np.int16),
        (([2**60], [2**60 + 1]), [2**60, 2**60 + 1], np.int64),
        ((["", ""], [2]), [None, None, 2], np.int64),
        ((NONE, NONE), [None] * 4, np.float64),
    ],
)
def test_numbers_stay_numbers(parts, expected, dtype):
    found = joined(*parts)
    assert found.objects().tolist() == expected
    assert found.values.dtype == dtype


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((["x", None], ["y", "x"]), ["x", None, "y", "x"]),
        (([1, 2.5], ["x", "2.5"]), ["1", "2.5", "x", "2.5"]),
        (([7, None], NONE, ["07"]), ["7", None, None, None, "07"]),
        (([2**60 + 1], [0.5]), [str(2**60 + 1), "0.5"]),  # no float64 is that number
        (([True, False], [1]), ["True", "False", "1"]),
        (([DAY], ["x"]), ["2024-01-05", "x"]),
        (([datetime.timedelta(hours=2)], [1]), ["2:00:00", "1"]),
    ],
)
def test_what_is_unlike_is_text(parts, expected):
    found = joined(*parts)
    assert found.what == "text"
    assert found.objects().tolist() == expected


def test_texts_decide_for_the_whole_column():
    """As in one file: numbers beside numbers as text are numbers."""
    assert joined([1, 2], ["3", "?"]).find_notation() is not None
    assert joined(["1,5"], ["2,25"]).find_notation().notation.decimal == ","
    assert joined([1, 2], ["x", "y"]).find_notation() is None


def test_categories_of_a_library_stay_categories():
    category = pd.Series(["1", "2"], dtype="category")
    assert joined(category, pl.Series(["2", "3"], dtype=pl.Categorical)).find_notation() is None
    assert joined([1], category).find_notation() is None


def test_dates_stay_dates():
    found = joined([DAY], NONE, np.array(["2024-02-01", "NaT"], "datetime64[s]"))
    expected = ["2024-01-05", "2024-02-01"]
    assert found.categories()[1] == expected
    assert found.categories()[0].tolist() == [0, -1, -1, 1, -1]
    other = joined([DAY], [DAY.replace(tzinfo=UTC)])
    assert not other.is_usable
    assert other.what == "dates with a time zone and dates without one"


def test_what_cannot_be_used_in_one_part_cannot_be_used():
    found = joined([1, 2], [[1], [2]])
    assert not found.is_usable
    assert len(found) == 4


def test_tables_without_columns():
    assert Table.join([read_table(pd.DataFrame(index=[0, 1]))] * 2, "X").shape == (0, 0)
