"""A table too large for memory: its sample, all of its rows, and what leaves some out."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multilayer.data import Table, large, read_blocks, read_file, read_table
from multilayer.data.blocks import PLACES
from multilayer.data.large import LargeTable, is_in_files, open_table
from multilayer.errors import InvalidDataError

N, N_FILES, N_SAMPLE = 1000, 4, 200
FRAME = pd.DataFrame(
    {
        "number": np.arange(float(N)),
        "text": [f"t{i % 7}" for i in range(N)],
        "whole": np.arange(N) % 5,
    }
)


@pytest.fixture
def files(tmp_path):
    for i, start in enumerate(range(0, N, N // N_FILES)):
        FRAME[start : start + N // N_FILES].to_parquet(tmp_path / f"{i}.parquet", index=False)
    return str(tmp_path / "*.parquet")


@pytest.fixture
def table(files, monkeypatch):
    monkeypatch.setattr(large, "IN_MEMORY", 0)
    monkeypatch.setattr(large, "N_ENTRIES", 3 * N_SAMPLE)
    monkeypatch.setattr(large, "LEAST_ROWS", 1)
    found = open_table(files, ["whole"])
    assert isinstance(found, LargeTable)
    return found


def frame_of(table):
    columns = {name: table[name].objects() for name in table.columns}
    return pd.DataFrame(columns).astype(object)


def numbers(places):
    """Return the rows of FRAME at these places."""
    return places // PLACES * (N // N_FILES) + places % PLACES


def all_rows(table):
    places, tables = zip(*table.parts(), strict=True)
    return np.concatenate(places), pd.concat(map(frame_of, tables), ignore_index=True)


def test_a_table_that_fits_is_read_whole(files):
    found = open_table(files)
    assert isinstance(found, Table)
    pd.testing.assert_frame_equal(frame_of(found), frame_of(read_file(files)))


def test_what_all_fits_into_the_sample_is_a_table(table, files, monkeypatch):
    monkeypatch.setattr(large, "LEAST_ROWS", N)
    found = open_table(files)
    assert isinstance(found, Table)
    assert len(found) == N


def test_the_sample_and_all_rows(table):
    assert table.n_rows == len(table) == N
    assert repr(table) == "LargeTable(1,000 rows: number, text, whole)"
    assert len(table.sample) == len(table.places) == N_SAMPLE
    places, rows = all_rows(table)
    expected = FRAME.astype(object)
    pd.testing.assert_frame_equal(rows, expected)
    assert np.array_equal(numbers(places), np.arange(N))
    own = expected.iloc[numbers(table.places)].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame_of(table.sample), own)
    assert table.tallies["whole"].counts == {str(i): N // 5 for i in range(5)}
    assert not table.tallies["number"].counts


def test_a_sample_is_the_same_in_each_run(table, files):
    assert np.array_equal(open_table(files).places, table.places)
    assert open_table(table) is table


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_rows_and_columns_are_left_out_in_any_order(table, order):
    """A rule may look at columns that are not chosen, and at places."""

    def is_odd(part, places):
        return part["number"].values % 2 == 1

    def is_late(part, places):
        assert len(part) == len(places)
        return numbers(places) >= 500

    steps = [
        lambda found: found.without(is_odd),
        lambda found: found.without(is_late),
        lambda found: found.select(["text", "whole"]),
    ]
    found = table
    for i in order:
        found = steps[i](found)
    expected = FRAME[["text", "whole"]].astype(object)
    places, rows = all_rows(found)
    assert found.columns == tuple(rows.columns) == ("text", "whole")
    kept = np.arange(0, 500, 2)
    assert np.array_equal(numbers(places), kept)
    pd.testing.assert_frame_equal(rows, expected.iloc[kept].reset_index(drop=True))
    in_sample = numbers(found.places)
    assert np.array_equal(in_sample, np.intersect1d(numbers(table.places), kept))
    own = expected.iloc[in_sample].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame_of(found.sample), own)
    assert all_rows(table)[1].shape == FRAME.shape  # which is as it was


def test_blocks_without_a_row_are_left_out_or_empty(table):
    found = table.without(lambda part, places: numbers(places) < 999)
    assert sum(len(places) for places, _ in found.parts()) == 1
    assert all(len(places) == len(part) for places, part in found.parts())


@pytest.mark.parametrize("change", ["rewrite", "remove"])
def test_files_must_stay_as_they_are(table, files, change):
    path = Path(files).parent / "2.parquet"
    if change == "remove":
        path.unlink()
    else:
        FRAME[:10].to_parquet(path, index=False)
        os.utime(path, ns=(1, 1))
    with pytest.raises(InvalidDataError) as error:
        all_rows(table)
    assert str(error.value) in (
        f"there is no file {path}",
        f"{path} has changed since it was first opened; it must stay the same",
    )


def test_what_names_files(table, files):
    frames = read_blocks([FRAME, FRAME])
    for X in (files, Path(files), [files], (files, Path(files)), frames, table):
        assert is_in_files(X)
    for X in (FRAME, read_table(FRAME), [], [[1.0]], [{"a": 1}], np.eye(2), None, {"a": ["b"]}):
        assert not is_in_files(X)
    found = open_table(frames)
    assert isinstance(found, LargeTable)
    assert len(found) == 2 * N
