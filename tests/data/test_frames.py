"""Tables in Python as sources of blocks: what can be gone through again, and what only once."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv, dataset, parquet

from multilayer.data import read_blocks, read_table
from multilayer.errors import InvalidDataError, InvalidTypeError

N = 1_003
A = np.random.default_rng(0).normal(size=N)
KIND = np.random.default_rng(1).choice(["flat", "house"], N)


def frames(make, n=130):
    return [make({"a": A[i : i + n], "kind": KIND[i : i + n]}) for i in range(0, N, n)]


class Again:
    """What is iterable, and no list."""

    def __iter__(self):
        return iter(frames(dict))


def of_files(folder, write, n=300):
    for i, each in enumerate(frames(pa.table, n)):
        write(each, folder / f"{i}")
    return folder


SOURCES = {
    "dicts": lambda path: frames(dict),
    "pandas": lambda path: frames(pd.DataFrame),
    "polars": lambda path: frames(pl.DataFrame),
    "pyarrow": lambda path: tuple(frames(pa.table)),
    "tables": lambda path: frames(read_table),
    "several": lambda path: [*frames(dict)[:4], *frames(pd.DataFrame)[4:]],
    "one frame": lambda path: pd.DataFrame({"a": A, "kind": KIND}),
    "one mapping": lambda path: {"a": A, "kind": KIND},
    "an object": lambda path: Again(),
    "a function": lambda path: lambda: (each for each in frames(pd.DataFrame)),
    "readers": lambda path: lambda: pa.table({"a": A, "kind": KIND}).to_reader(max_chunksize=70),
    "lazy": lambda path: pl.LazyFrame({"a": A, "kind": KIND}).filter(pl.col("a") < 99),
    "lazy scan": lambda path: pl.scan_parquet(of_files(path, parquet.write_table)),
    "dataset": lambda path: dataset.dataset(of_files(path, parquet.write_table)),
    "dataset of CSV": lambda path: dataset.dataset(of_files(path, csv.write_csv), format="csv"),
    "dataset in memory": lambda path: dataset.dataset(pa.table({"a": A, "kind": KIND})),
}


def check_blocks(blocks):
    pairs = list(blocks.numbered())
    assert [len(table) for _, table in pairs] == [100] * 9 + [103]
    assert [number for number, _ in pairs] == list(range(0, 1000, 100))
    np.testing.assert_array_equal(np.concatenate([table["a"].values for _, table in pairs]), A)
    kinds = [each for _, table in pairs for each in table["kind"].objects()]
    assert kinds == KIND.tolist()
    assert pairs[3][1]["a"].origin.row(5) == "row 305"


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES.keys())
def test_any_source_can_be_gone_through_again(tmp_path, make):
    blocks = read_blocks(make(tmp_path), 100)
    assert blocks.columns == ("a", "kind")
    assert (blocks.name, blocks.n_bytes, blocks.fingerprint()) == ("X", 0, None)
    for _ in range(2):
        check_blocks(blocks)
    parts = [number for rank in (1, 0) for number, _ in blocks.part(rank, 2).numbered()]
    assert sorted(parts) == list(range(0, 1000, 100))


def test_slices_where_polars_streams_no_batches(monkeypatch):
    monkeypatch.delattr(pl.LazyFrame, "collect_batches", raising=False)
    check_blocks(read_blocks(pl.LazyFrame({"a": A, "kind": KIND}), 100))


@pytest.mark.parametrize(
    "once",
    [
        lambda: (each for each in frames(dict)),
        lambda: iter(frames(pd.DataFrame)),
        lambda: pa.table({"a": A, "kind": KIND}).to_reader(max_chunksize=70),
    ],
)
def test_an_iterator_does_for_one_pass(once):
    source = once()
    blocks = read_blocks(source, 100)
    check_blocks(blocks)
    with pytest.raises(InvalidDataError) as error:
        next(iter(blocks))
    assert str(error.value) == (
        "source of read_blocks can be iterated over only once; pass something that can be iterated "
        "over again, such as a list of tables, or a function that returns an iterator of them; got "
        f"{type(source).__name__}"
    )


def test_names_of_files_are_no_frames(tmp_path):
    paths = []
    for i, table in enumerate(frames(pd.DataFrame, 100)):
        paths.append(tmp_path / f"{i}.csv")
        table.to_csv(paths[-1], index=False)
    for source in (paths, map(str, paths), tuple(paths)):
        assert sum(map(len, read_blocks(source))) == N


def test_frames_that_do_not_fit():
    first, second = frames(dict)[:2]
    for other, message in (
        (
            {"a": second["a"]},
            "part 2 of X must have the columns of the first (a, kind); missing: kind; "
            "unexpected: none",
        ),
        (
            second | {"kind": second["a"]},
            "column 'kind' of part 2 of X must hold text, as in part 1; got numbers",
        ),
    ):
        with pytest.raises(InvalidDataError) as error:
            list(read_blocks([first, other]))
        assert str(error.value) == message
    with pytest.raises(InvalidDataError, match=r"^X must yield at least one table; got none$"):
        read_blocks(lambda: iter([]))
    with pytest.raises(InvalidTypeError, match="must be a path, a folder, a pattern"):
        read_blocks(3)


def test_a_query_that_fails():
    lazy = pl.LazyFrame({"a": ["1", "x"]}).with_columns(pl.col("a").cast(pl.Int64))
    with pytest.raises(
        InvalidDataError, match=r"^X cannot be read: conversion from `str` to `i64`"
    ):
        list(read_blocks(lazy))
