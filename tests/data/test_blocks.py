"""Blocks of a file: together they are the table that `read_file` reads."""

import bz2
import gzip
import io
import lzma
import os
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from multilayer.data import TableWarning, read_blocks, read_file
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError

N = 1_003


def entries(table, name):
    return table[name].objects().tolist()


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(size=N).round(3),
            "kind": rng.choice(["flat", "Haus", "Hütte", ""], N),
            "note": rng.choice(['say "ah"', "two\nlines", "a;b,c"], N),
            "n": rng.integers(0, 2**60, N),
        }
    )


def check_same(path, n_rows=100, **how):
    whole = read_file(path, **how)
    blocks = list(read_blocks(path, n_rows, **how))
    assert [len(block) for block in blocks] == [100] * 9 + [103]
    for name in whole.columns:
        found = [each for block in blocks for each in entries(block, name)]
        assert found == entries(whole, name)
    row = blocks[3][whole.columns[0]].origin.row(5)
    assert row == whole[whole.columns[0]].origin.row(305)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_in_any_dialect(tmp_path, frame, separator, encoding):
    path = tmp_path / "t.csv"
    frame.to_csv(path, sep=separator, encoding=encoding, index=False)
    how = {"encoding": "cp1252"} if encoding == "cp1252" else {}
    check_same(path, **how)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_compressed_file(tmp_path, frame, compress, form):
    path = tmp_path / "t"
    (frame.to_csv if form == "csv" else frame.to_parquet)(path, index=False)
    path.write_bytes(compress(path.read_bytes()))
    check_same(path)


@pytest.mark.parametrize("of_group", [7, 100, 150, 5_000])
def test_row_groups_of_any_size(tmp_path, frame, of_group):
    path = tmp_path / "t.parquet"
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), unit="h")
    frame.loc[5, "size"] = None
    parquet.write_table(pa.Table.from_pandas(frame), path, row_group_size=of_group)
    check_same(path)


def test_texts_that_mean_a_missing_value(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv", index=False)
    check_same(tmp_path / "t.csv", missing=["flat"])


def test_what_is_said_of_a_file_comes_at_its_end(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 30 + "3\n")
    blocks = iter(read_blocks(tmp_path / "t.csv", 10))
    assert [len(next(blocks)) for _ in range(2)] == [10, 10]
    assert len(next(blocks)) == 11
    with pytest.warns(TableWarning, match="a row has fewer cells than its header, row 31 below"):
        assert not list(blocks)


def test_what_is_wrong_with_the_file_is_raised_by_the_call(tmp_path):
    with pytest.raises(InvalidDataError, match="there is no file"):
        read_blocks(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(b"a,b\n" * 9 + b"\xff,1\n")
    with pytest.raises(InvalidDataError, match=r"line 10: 'utf-8' codec .* in position 36"):
        read_blocks(tmp_path / "t.csv", encoding="utf-8")
    (tmp_path / "t.csv").write_bytes(b"%PDF-1.4")
    with pytest.raises(InvalidDataError, match="is a PDF document"):
        read_blocks(tmp_path / "t.csv")
    (tmp_path / "t.csv").rename(tmp_path / "_t.csv")
    with pytest.raises(InvalidDataError, match="there is no file in"):
        read_blocks(tmp_path)
    with pytest.raises(InvalidArgumentError, match="n_rows of read_blocks must be"):
        read_blocks(tmp_path / "t.csv", 0)


def test_what_is_wrong_with_a_row_is_raised_at_its_block(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 30 + "1,2,3\n")
    blocks = iter(read_blocks(path, 10, bad_rows="fail"))
    next(blocks)
    with pytest.raises(InvalidDataError, match="line 32 has 3"):
        list(blocks)
    path.write_text("a,b\n")
    with pytest.raises(InvalidDataError, match="has a header but no rows"):
        list(read_blocks(path))
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    path.write_bytes(content[:-30])
    with pytest.raises(InvalidDataError, match="is compressed, but damaged or cut short"):
        list(read_blocks(path))
    pd.DataFrame({"a": np.arange(1000.0)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidDataError, match="must be a Parquet file"):
        list(read_blocks(path))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_stray_text_alone_in_a_later_block_is_a_missing_value(tmp_path, form):
    path = tmp_path / f"t.{form}"
    table = pd.DataFrame({"a": ["1.5", "2.5", "", "what"]})
    table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)
    first, later = read_blocks(path, 2)
    notation, notes = first["a"].find_notation(is_asked=True).notation, []
    assert np.isnan(later["a"].numbers(notation, notes)).all()
    assert "'what' at row" in notes[0].says


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "feather"])
def test_blocks_know_whether_others_came_before(tmp_path, form):
    frame = pd.DataFrame({"a": np.arange(50.0)})
    for name in ("1", "2"):
        path = tmp_path / f"{name}.{form}"
        if form == "csv":
            frame.to_csv(path, index=False)
        elif form == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            getattr(frame, f"to_{form}")(path)
    origins = [table["a"].origin for table in read_blocks(tmp_path, 20)]
    assert [origin.is_continued for origin in origins] == [False, True, True, True]
    assert [origin.rows[0] for origin in origins] == [0, 20, 0, 20]


# Passes, numbers and parts ------------------------------------------------------------------


def ids_of(blocks, name="n"):
    """Return the entry in each row, by the row's number."""
    pairs = [
        (number + i, entry)
        for number, table in blocks.numbered()
        for i, entry in enumerate(entries(table, name))
    ]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def written(folder, form, sizes, of_group=None):
    """Write files with the numbers 0, 1, … in a column, and return these by row number."""
    expected, n = {}, 0
    for i, size in enumerate(sizes):
        table = pd.DataFrame({"n": np.arange(n, n + size), "kind": "x"})
        if form == "parquet":
            table.to_parquet(folder / f"{i}.parquet", row_group_size=of_group or size or 1)
        else:
            table.to_csv(folder / f"{i}.csv", index=False)
        of_file = [str(n + j) if form == "csv" else n + j for j in range(size)]
        expected |= {i * 2**40 + j: each for j, each in enumerate(of_file)}
        n += size
    return expected


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_pass_gives_the_same_rows_and_numbers(tmp_path, form):
    expected = written(tmp_path, form, [25, 0, 7, 40])
    blocks = read_blocks(tmp_path, 10)
    assert ids_of(blocks) == ids_of(blocks) == expected
    assert ids_of(read_blocks(tmp_path, 3)) == expected
    assert blocks.columns == ("n", "kind")
    assert blocks.name == str(tmp_path)
    assert blocks.n_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


@settings(max_examples=60)
@given(
    form=st.sampled_from(["csv", "parquet"]),
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    of_group=st.integers(1, 70),
    n_rows=st.integers(1, 30),
    n_parts=st.integers(1, 6),
)
def test_parts_share_the_rows(tmp_path_factory, form, sizes, of_group, n_rows, n_parts):
    assume(sum(sizes))
    folder = tmp_path_factory.mktemp("parts")
    expected = written(folder, form, sizes, of_group)
    blocks = read_blocks(folder, n_rows)
    found = [ids_of(blocks.part(rank, n_parts)) for rank in range(n_parts)]
    assert sum(map(len, found)) == len(expected)
    assert {number: each for part in found for number, each in part.items()} == expected


def test_row_groups_of_others_are_not_decoded(tmp_path):
    written(tmp_path, "parquet", [400], of_group=100)
    path = tmp_path / "0.parquet"
    place = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    blocks = read_blocks(path, 25)
    assert list(ids_of(blocks.part(0, 2))) == [*range(100), *range(200, 300)]
    with pytest.raises(InvalidDataError, match=r"0\.parquet has a row group .*, number 2: "):
        list(blocks.part(1, 2))


def test_parts_are_fair(tmp_path):
    written(tmp_path, "csv", [10, 10, 10])
    blocks = read_blocks(tmp_path, 50)
    assert [len(ids_of(blocks.part(rank, 3))) for rank in range(3)] == [10, 10, 10]
    assert [len(ids_of(blocks.part(rank, 4))) for rank in range(4)] == [10, 10, 10, 0]
    with pytest.raises(InvalidArgumentError, match=r"^rank of part must be below 3; got 3$"):
        blocks.part(3, 3)


def test_standard_input_is_held(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(b"n,kind\n1,x\n2,y\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    blocks = read_blocks("-")
    assert ids_of(blocks) == ids_of(blocks) == {0: "1", 1: "2"}
    assert blocks.n_bytes == 0
    assert blocks.fingerprint() is None


def test_a_fingerprint_changes_with_files_and_options(tmp_path):
    written(tmp_path, "csv", [5, 5])
    first = read_blocks(tmp_path)
    assert first.fingerprint() == read_blocks(tmp_path, 3).fingerprint()
    found = {first.fingerprint(), read_blocks(tmp_path / "0.csv").fingerprint()}
    found |= {read_blocks(tmp_path, missing=["x"]).fingerprint()}
    os.utime(tmp_path / "1.csv", (1, 1))
    found |= {read_blocks(tmp_path).fingerprint()}
    assert len(found) == 4


def test_a_file_without_rows_fits_if_others_have_some(tmp_path):
    written(tmp_path, "csv", [0, 3, 0])
    assert len(ids_of(read_blocks(tmp_path))) == 3
    with pytest.raises(InvalidDataError, match=r"0\.csv has a header but no rows"):
        list(read_blocks(tmp_path / "0.csv"))
    (tmp_path / "1.csv").write_text("n,kind\n")
    with pytest.raises(InvalidDataError, match=f"^{tmp_path} has a header but no rows$"):
        list(read_blocks(tmp_path))


# Rows with too many cells -------------------------------------------------------------------


def with_broken(path, n_rows, broken):
    rows = [f"{i},x" + ",z" * (i in broken) for i in range(n_rows)]
    path.write_text("\n".join(["n,kind", *rows]) + "\n")


def test_a_few_broken_rows_are_left_out_and_counted(tmp_path):
    with_broken(tmp_path / "t.csv", 400, {7, 11, 12})
    blocks = read_blocks(tmp_path / "t.csv", 50)
    with pytest.warns(TableWarning) as told:
        tables = list(blocks)
    with pytest.warns(TableWarning) as read:
        whole = read_file(tmp_path / "t.csv")
    assert [str(each.message) for each in told] == [str(each.message) for each in read]
    assert [each for table in tables for each in entries(table, "n")] == entries(whole, "n")
    rows = [table["n"].origin.row(i) for table in tables for i in range(len(table))]
    assert rows == [whole["n"].origin.row(i) for i in range(len(whole))]
    assert list(ids_of(blocks)) == list(range(397))  # and nothing is said again


def test_many_broken_rows_are_refused_at_the_end(tmp_path):
    with_broken(tmp_path / "1.csv", 100, {})
    with_broken(tmp_path / "2.csv", 100, {5, 6, 7})
    for source in (tmp_path, tmp_path / "2.csv"):
        blocks = iter(read_blocks(source, 10))
        n = 97 + 100 * (source == tmp_path)
        found = []
        with (
            pytest.warns(TableWarning, match="3 rows are left out"),
            pytest.raises(InvalidDataError) as error,
        ):
            found.extend(len(block) for block in blocks)
        assert sum(found) == n
        with pytest.raises(InvalidDataError) as whole:
            read_file(source)
        assert str(error.value) == str(whole.value)
    with pytest.warns(TableWarning, match="left out"):
        assert len(ids_of(read_blocks(tmp_path, bad_rows="skip"))) == 197


def test_a_broken_row_is_refused_at_once_if_asked(tmp_path):
    with_broken(tmp_path / "t.csv", 100, {35, 36, 99})
    blocks = iter(read_blocks(tmp_path / "t.csv", 10, bad_rows="fail"))
    assert [len(next(blocks)) for _ in range(2)] == [10, 10]
    with pytest.raises(InvalidDataError) as error:
        list(blocks)
    assert str(error.value) == (
        f"{tmp_path / 't.csv'} must have 2 cells in each row, as in its header; line 37 has 3, "
        "line 38 has 3 (2 of the first 42 rows)"
    )
    with pytest.raises(UnknownNameError, match="bad_rows must be one of skip, fail; got 'drop'"):
        read_blocks(tmp_path, bad_rows="drop")
