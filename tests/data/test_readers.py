"""Files that do not fit together, change or are damaged while they are read in blocks."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from multilayer.data import read_blocks
from multilayer.errors import InvalidDataError, MultilayerError


def message(blocks):
    with pytest.raises(InvalidDataError) as error:
        list(blocks)
    return str(error.value)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=400), "kind": rng.choice(["x", "yy", "z"], 400)})


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_columns_in_another_order_and_other_columns(tmp_path, frame, form):
    def write(table, name):
        path = tmp_path / f"{name}.{form}"
        table.to_csv(path, index=False) if form == "csv" else getattr(table, f"to_{form}")(path)
        return path

    first = write(frame, "1")
    write(frame[["kind", "a"]], "2")
    assert [table.columns for table in read_blocks(tmp_path)] == [("a", "kind")] * 2
    second = write(frame.rename(columns={"a": "b"}), "2")
    assert message(read_blocks(tmp_path)) == (
        f"{second} must have the columns of {first}; missing: a; unexpected: b"
    )


def test_types_that_do_not_fit(tmp_path, frame):
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    frame.to_parquet(first)
    for column, held, got in (("a", "numbers", "text"), ("kind", "text", "numbers")):
        other = frame[["a", "kind"]].copy()
        other[column] = ["b"] * len(frame) if column == "a" else np.arange(len(frame))
        other.to_parquet(second)
        assert message(read_blocks(tmp_path, 100)) == (
            f"column {column!r} of {second} must hold {held}, as in {first}; got {got}"
        )
    frame.assign(a=np.arange(400), kind=None).to_parquet(second)  # whole, and missing throughout
    assert sum(map(len, read_blocks(tmp_path, 100))) == 800
    second.unlink()
    frame.to_csv(tmp_path / "2.csv", index=False)  # in which everything is text
    assert sum(map(len, read_blocks(tmp_path, 100))) == 800


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_that_vanishes(tmp_path, frame, form):
    for name in ("1", "2"):
        path = tmp_path / f"{name}.{form}"
        frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    blocks = read_blocks(tmp_path, 100)
    assert len(list(blocks)) == 8
    path.unlink()
    assert message(blocks) == f"there is no file {path}"
    with pytest.raises(InvalidDataError, match="there is no file"):
        read_blocks([tmp_path / f"1.{form}", path])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_that_changes_between_passes(tmp_path, frame, form):
    path = tmp_path / f"t.{form}"
    for n_rows, name in ((400, "a"), (300, "a"), (400, "b")):
        frame.to_parquet(path) if form == "parquet" else frame.to_csv(path, index=False)
        blocks = read_blocks(path, 100)
        assert len(list(blocks)) == 4
        other = frame[:n_rows].rename(columns={"a": name})
        other.to_parquet(path) if form == "parquet" else other.to_csv(path, index=False)
        os.utime(path, (1, 1))
        assert message(blocks) == (
            f"{path} has changed since it was first opened; it must stay the same"
        )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_that_is_cut_while_it_is_read(tmp_path, frame, form):
    path = tmp_path / f"t.{form}"
    frame = pd.concat([frame.assign(kind="ä")] * 100)
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    blocks = iter(read_blocks(path, 1_000))
    next(blocks)
    with path.open("r+b") as file:
        content = path.read_bytes()
        cut = content.index("ä".encode(), len(content) // 2) + 1 if form == "csv" else 4_000
        file.truncate(cut)
    assert "has changed since it was first opened" in message(blocks)


def test_a_cut_parquet_file(tmp_path, frame):
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(InvalidDataError, match=r"t\.parquet must be a Parquet file: Parquet magic"):
        read_blocks(path)


def test_a_damaged_row_group_is_named(tmp_path, frame):
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, row_group_size=100, use_dictionary=False, write_page_checksum=True)
    metadata = parquet.ParquetFile(path).metadata
    place = metadata.row_group(2).column(0).data_page_offset + 300  # in the numbers themselves
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    blocks = iter(read_blocks(path, 50))
    assert [len(next(blocks)) for _ in range(4)] == [50] * 4
    assert message(blocks).startswith(
        f"{path} has a row group that cannot be read, number 3: could not verify page integrity"
    )


@settings(max_examples=150)
@given(places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4), data=st.data())
def test_any_damage_is_an_error_that_names_the_file_or_none(tmp_path_factory, places, data):
    path = tmp_path_factory.mktemp("damaged") / "t.parquet"
    table = {"a": np.arange(300.0), "kind": [f"name {i}" for i in range(300)]}
    pd.DataFrame(table).to_parquet(path, row_group_size=100, compression=None)
    content = bytearray(path.read_bytes())
    for place in places:
        content[int(place * len(content))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    said = str(path)
    try:
        list(read_blocks(path, 70))
    except MultilayerError as error:
        said = str(error)
    assert str(path) in said


@pytest.mark.parametrize("name", ["1.csv", "2.csv"])
def test_an_empty_file(tmp_path, frame, name):
    for each in ("1.csv", "2.csv"):
        frame.to_csv(tmp_path / each, index=False)
    (tmp_path / name).write_bytes(b"")
    rule = f"{tmp_path / name} must have a header and rows below it; it is empty"
    with pytest.raises(InvalidDataError) as error:
        list(read_blocks(tmp_path))
    assert str(error.value) == rule


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_without_permission(tmp_path, frame, form):
    path = tmp_path / f"t.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    path.chmod(0)
    with pytest.raises(InvalidDataError, match=r"cannot be read: Permission denied$"):
        read_blocks(path)
