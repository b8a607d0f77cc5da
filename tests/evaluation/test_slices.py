"""Slices: bad ones are found, and none where there are none."""

import numpy as np
import pytest
from scipy import stats

from multilayer.data import read_table
from multilayer.evaluation.slices import parts_of, slices
from multilayer.model import Columns


def parts(table, groups=None):
    table = read_table(table)
    return list(parts_of(table, Columns.of(table), groups))


def table(rng, n=2000):
    """Return columns of each kind that have nothing to do with the errors."""
    return {
        "age": rng.normal(40, 10, n).round(1),
        "rooms": rng.integers(1, 5, n),
        "town": rng.choice(["Bonn", "Kiel", "Trier", "Ulm"], n, p=[0.4, 0.3, 0.2, 0.1]),
        "day": np.datetime64("2024-01-01") + rng.integers(0, 365, n),
    }


def test_columns_are_divided_by_their_kind():
    rng = np.random.default_rng(0)
    columns = table(rng)
    columns["age"][:100] = np.nan
    found = {}
    for column, value, rows in parts(columns):
        found.setdefault(column, {})[value] = rows
    assert set(found["town"]) == {"Bonn", "Kiel", "Trier", "Ulm"}
    assert set(found["rooms"]) == {"1", "2", "3", "4"}
    for name in ("Bonn", "Kiel"):
        assert (found["town"][name] == (columns["town"] == name)).all()
    assert found["age"]["missing"].nonzero()[0].tolist() == list(range(100))
    *quarters, _ = found["age"].values()
    assert [quarter.sum() for quarter in quarters] == pytest.approx([475] * 4, abs=10)
    assert sum(quarters).max() == 1
    assert next(iter(found["day"])).startswith("2024-01-01 to 2024-0")


def test_small_slices_are_left_out():
    columns = {"kind": np.repeat(["a", "b", "c"], [29, 30, 141]), "x": np.arange(200) % 7}
    found = [value for column, value, _ in parts(columns) if column == "kind"]
    assert found == ["b", "c"]
    nearly_all = {"kind": np.repeat(["a", "b"], [29, 171]), "x": np.arange(200) % 7}
    assert not [value for column, value, _ in parts(nearly_all) if column == "kind"]


@pytest.mark.parametrize("kind", ["rate", "size"])
def test_a_planted_slice_is_found_and_no_other(kind):
    rng = np.random.default_rng(1)
    columns = table(rng)
    is_bad = columns["town"] == "Trier"
    if kind == "rate":
        errors = (rng.random(2000) < np.where(is_bad, 0.3, 0.1)).astype(float)
    else:
        errors = rng.gamma(1.0, size=2000) * np.where(is_bad, 2.0, 1.0)
    found = slices(parts(columns), errors)
    assert [(each.column, each.value) for each in found if each.is_worse] == [("town", "Trier")]
    assert found[0].error == errors[is_bad].mean()
    assert found[0].rest == errors[~is_bad].mean()
    assert found[0].low < found[0].error < found[0].high


@pytest.mark.parametrize("kind", ["rare", "frequent", "heavy tail"])
def test_false_alarms_are_as_rare_as_promised(kind):
    """Of 400 homogeneous tables about 5 % at most may have one."""
    rng = np.random.default_rng(2)
    columns = parts(table(rng, 600))
    alarms = 0
    for _ in range(400):
        if kind == "heavy tail":
            errors = rng.lognormal(0, 1.5, 600)
        else:
            errors = (rng.random(600) < (0.02 if kind == "rare" else 0.95)).astype(float)
        alarms += any(each.is_worse for each in slices(columns, errors))
    assert alarms <= stats.binom.ppf(0.999, 400, 0.05)


def test_the_test_is_welchs_where_it_is_the_stricter_one():
    rng = np.random.default_rng(3)
    rows = np.arange(500) < 60
    errors = np.where(rows, rng.normal(10.5, 3.0, 500), rng.normal(10, 0.5, 500))
    (found,) = slices([("", "", rows)], errors)
    t = stats.ttest_ind(errors[rows], errors[~rows], equal_var=False).statistic
    # Its variances have n − 1 in the denominator, those here n.
    assert found.p_value == pytest.approx(stats.t.sf(t, 59), rel=0.1)
    low, high = stats.t.interval(0.95, 59, errors[rows].mean(), stats.sem(errors[rows], ddof=0))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_intervals_of_many_slices_are_wider():
    rng = np.random.default_rng(4)
    errors, rows = rng.random(500), np.arange(500) < 250
    (one,) = slices([("", "", rows)], errors)
    many = slices([("", str(k), rows) for k in range(50)], errors)
    assert many[0].high - many[0].low > 1.5 * (one.high - one.low)
    assert many[0].p_value == min(50 * one.p_value, 1)


def test_rows_of_one_group_count_as_one():
    """Forty groups of 50 rows, each with one error rate: a slice of 5 groups may be bad luck."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 50)
    alarms = {True: 0, False: 0}
    for _ in range(100):
        errors = (rng.random(2000) < rng.beta(1, 5, 40)[groups]).astype(float)
        rows = [("", str(k), (groups // 8) == k) for k in range(5)]
        for own in (True, False):
            found = slices(rows, errors, groups if own else None)
            alarms[own] += any(each.is_worse for each in found)
    assert alarms[True] <= 12 < alarms[False]


def test_a_slice_of_few_groups_is_left_out():
    columns = {"kind": np.repeat(["a", "b"], [100, 100]), "x": np.arange(200) % 7}
    groups = np.r_[np.repeat(np.arange(4), 25), np.arange(4, 104)]
    assert [value for column, value, _ in parts(columns, groups) if column == "kind"] == ["b"]
