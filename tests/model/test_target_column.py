"""What a table's target is: classes or numbers, alike for the command line, files and the page."""

import numpy as np
import pytest

from multilayer.data import read_file, read_table
from multilayer.errors import InvalidDataError
from multilayer.estimators.roles import Roles
from multilayer.model.target_column import MOST_CLASSES, read_target
from multilayer.playground.data_sets import read_csv, samples_of
from multilayer.playground.settings import PLAIN, DataSettings

DAYS = np.datetime64("2024-01-01") + np.arange(40)


def read(entries, task=None, **others):
    return read_target(read_table({"x": range(len(entries)), **others, "y": entries}), "y", task)


@pytest.mark.parametrize(
    ("entries", "task", "first"),
    [
        (["a", "b", None, "a"], "classification", "a"),
        ([True, False, True, True], "classification", "True"),
        (["yes", "no", "yes", "no"], "classification", "yes"),
        ([1, 2, 3, 1], "classification", 1.0),
        (["1", "2", "", "1"], "classification", 1.0),
        ([1.5, 2, 3, 1], "regression", 1.5),
        (range(MOST_CLASSES), "classification", 0.0),
        (range(MOST_CLASSES + 1), "regression", 0.0),
        (["$1", "$2.50", "$3", "$1"], "regression", 1.0),
    ],
)
def test_the_task_follows_from_the_entries(entries, task, first):
    found = read(entries)
    assert (found.task, found.values[0]) == (task, first)
    assert (found.notation is None) == isinstance(first, str)


def test_missing_values_stay_missing():
    assert read(["a", None, "b"]).values.tolist() == ["a", None, "b"]
    assert np.isnan(read([1.5, None, 2]).values).tolist() == [False, True, False]


def test_numbers_are_what_the_task_says():
    assert read([1, 2, 3], "regression").task == "regression"
    assert read([True, False, True], "regression").values.tolist() == [1, 0, 1]
    with pytest.raises(InvalidDataError, match=r"'y' .*whole numbers .*; got 0\.5 at row 1$"):
        read([1, 0.5, 2], "classification")
    with pytest.raises(InvalidDataError, match="must hold numbers"):
        read(["a", "b"], "regression")


@pytest.mark.parametrize(
    ("days", "task"), [(DAYS, None), (DAYS.astype(str), None), (DAYS, "classification")]
)
def test_dates_are_no_targets(days, task):
    with pytest.raises(InvalidDataError, match="the target, must hold numbers or classes; it hol"):
        read(days, task)


def test_dates_as_text_are_classes_if_somebody_says_so():
    found = read(DAYS.astype(str), "classification")
    assert (found.task, found.values[0]) == ("classification", "2024-01-01")


def test_a_hint_is_for_numbers_that_may_be_dates():
    table = read_table({"y": [f"{day:%Y%m%d}" for day in DAYS.tolist()]})
    with pytest.raises(InvalidDataError, match=r"it holds dates: or not$"):
        read_target(table, "y", hint=": or not")
    assert read_target(table, "y", "regression").values[0] == 20240101


OPEN = 'a,b,y\n"1,5",x,"1,234"\n"2,5",z,"2,345"\n"0,5",x,"3,456"\n"1,25",z,"4,567"\n'


def test_an_open_decimal_mark_is_that_of_the_other_columns_everywhere(tmp_path):
    expected = [1.234, 2.345, 3.456, 4.567]
    (tmp_path / "open.csv").write_text(OPEN)
    table = read_file(tmp_path / "open.csv")
    assert read_target(table, "y").values.tolist() == expected
    roles = Roles.of(table, "y", None, None, are_classes=False)
    assert roles.targets_of(table).tolist() == expected
    said = DataSettings("table", 100, 0.0, 0, 0.25, "", (), "y", PLAIN, ())
    assert samples_of(said, read_csv(OPEN.encode())[0]).y.tolist() == expected
