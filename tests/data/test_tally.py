"""Tally: against collections.Counter and pandas; what is lost beyond the bound."""

import datetime
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer.data import Tally, read_table, tally
from multilayer.data.entries import joined

UTC = datetime.UTC
DAY = datetime.datetime(2024, 1, 5)
COMPLEX = np.array([1j, 2j])


def entries(values):
    return read_table({"a": values})["a"]


def tallied(*blocks, counts_all=False):
    found = Tally("a", counts_all)
    for block in blocks:
        found.add(entries(block))
    return found


texts = st.lists(st.lists(st.sampled_from(["", "a", "b", "c", "é", " a "]), min_size=1), min_size=1)


@given(texts)
def test_texts_are_counted(blocks):
    found = tallied(*blocks)
    every = pd.Series([text.strip() for block in blocks for text in block]).replace("", None)
    assert found.counts == every.value_counts().to_dict()
    assert (len(found), found.n_present) == (len(every), every.notna().sum())
    assert found.n_missed == 0
    assert found.is_constant == (every.nunique() < 2)


@given(texts, st.data())
def test_tallies_merge_in_any_order(blocks, data):
    at_once = tallied(*blocks)
    one, *others = data.draw(st.permutations([tallied(block) for block in blocks]))
    for other in others:
        one = one.merge(other)
    assert one == at_once


numbers = st.lists(st.none() | st.floats(-1e6, 1e6) | st.just(np.inf), min_size=1)


@given(numbers, numbers)
def test_the_ends_of_numbers_are_those_of_pandas(first, second):
    found, every = tallied(first, second), pd.Series([*first, *second], dtype=float)
    assert found.n_present == every.count()
    if every.count():
        assert (found.least, found.greatest) == (every.min(), every.max())
    assert found.counted() is None
    assert found.merge(tallied(second)).n_present == every.count() + entries(second).n_present


def test_numbers_are_counted_as_categories_if_they_are_asked_for():
    found = tallied([7, 7, None], [7.0, 7.5], counts_all=True)
    assert found.counts == {"7": 3, "7.5": 1}


def test_a_merged_tally_leaves_its_parts_alone():
    one, other = tallied(["a"]), tallied(["a", "b"])
    one.merge(other)
    assert one.counts == {"a": 1}
    assert other.counts == {"a": 1, "b": 1}


def zipf(n_rows, seed=0):
    numbers = np.random.default_rng(seed).zipf(1.3, n_rows)
    return [str(number % 3000) for number in numbers.tolist()]


@pytest.mark.parametrize("most", [20, 200])
@pytest.mark.parametrize("merges", [False, True])
def test_counts_beyond_the_bound_are_too_low_by_no_more_than_it_says(monkeypatch, most, merges):
    monkeypatch.setattr(tally, "MOST_TEXTS", most)
    every = zipf(20_000)
    blocks = [every[i : i + 500] for i in range(0, len(every), 500)]
    if merges:
        found, *others = [tallied(*blocks[i::4]) for i in range(4)]
        for other in others:
            found = found.merge(other)
    else:
        found = tallied(*blocks)
    assert 0 < found.n_missed <= len(every) / (most + 1)  # Agarwal et al. 2013, theorem 2.2
    assert len(found.counts) <= most
    for text, n in Counter(every).items():
        assert n - found.n_missed <= found.counts.get(text, 0) <= n


def test_counts_are_exact_up_to_the_bound(monkeypatch):
    monkeypatch.setattr(tally, "MOST_TEXTS", 100)
    hundred = [str(i) for i in range(100)]
    found = tallied(hundred[:60], hundred[40:], hundred)
    assert found.n_missed == 0
    assert found.counts == Counter([*hundred[:60], *hundred[40:], *hundred])
    assert tallied(hundred, ["one more"]).n_missed > 0


@pytest.mark.parametrize(
    "parts",
    [
        ([1, 2], ["x"]),
        ([DAY], [None]),
        ([DAY], ["x"]),
        ([DAY.replace(tzinfo=UTC)], [DAY]),
        ([DAY.replace(tzinfo=UTC)], [DAY], ["x"]),
        (COMPLEX, [1, 2]),
        ([None], [None]),
        ([datetime.timedelta(hours=2)], [1]),
        (["7"], ["7"]),
        ([7], [7.0]),
    ],
)
def test_what_is_of_several_types_is_what_the_joined_column_is(parts):
    whole = joined([entries(part) for part in parts], entries([1]).origin)
    found = tallied(*parts)
    assert found.is_usable == whole.is_usable
    assert found.is_constant == whole.is_constant
    if not whole.is_usable:
        assert found.what == whole.what


def test_entries_that_stand_for_all():
    assert tallied([3, None], [1, 2]).different().objects().tolist() == [1, 3]
    assert tallied(["b", ""], ["a", "b"]).different().objects().tolist() == ["b", "a"]
    assert tallied([1], ["a", "b"]).different().objects().tolist() == ["a", "b"]
    dates = tallied([DAY.replace(tzinfo=UTC)]).different()
    assert dates.has_zone
    assert dates.categories()[1] == ["2024-01-05 00:00:00+00:00"]
    assert tallied([datetime.timedelta(hours=2)]).different().are_times
    assert len(tallied([None]).different()) == 0
