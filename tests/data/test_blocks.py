"""Blocks of a file: together they are the table that `read_file` reads."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from multilayer.data import TableWarning, read_blocks, read_file
from multilayer.errors import InvalidArgumentError, InvalidDataError

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
