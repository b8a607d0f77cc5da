"""Tables in binary form and in JSON."""

import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc

from multilayer.data import read_file, read_table
from multilayer.data.json_rows import BLOCK
from multilayer.errors import InvalidDataError, MissingPackageError

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, None, 1e30],
        "kind": ["flat", None, "Häuser"],
        "is": [True, False, True],
    }
)


def stream(table, path):
    with ipc.new_stream(path, table.schema) as file:
        file.write_table(table)


def rows_of(table):
    return {name: list(table[name].objects()) for name in table.columns}


@pytest.mark.parametrize(
    "write",
    [
        lambda table, path: feather.write_feather(table, path, compression="uncompressed"),
        lambda table, path: feather.write_feather(table, path, compression="zstd"),
        stream,
    ],
)
def test_arrow_files_and_streams(tmp_path, monkeypatch, write):
    table = pa.table(FRAME)
    path = tmp_path / "t.csv"  # its name does not matter
    write(table, str(path))
    found, expected = read_file(path), read_table(table)
    assert rows_of(found) == rows_of(expected)
    assert found["n"].values.dtype == np.int64
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InvalidDataError, match=r"cut must be an Arrow (file|stream): "):
        read_file(cut)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match='Arrow needs pyarrow: pip install "pya'):
        read_file(path)


def test_zstd_without_pyarrow(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_bytes(pa.compress(b"a,b\n1,2\n", "zstd", asbytes=True))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match='zstd needs pyarrow: pip install "pya'):
        read_file(path)


def written(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_rows(tmp_path, lines, indent, mark):
    if lines and indent:
        pytest.skip("an object is in one line")
    text = FRAME.to_json(orient="records", lines=lines, indent=indent)
    found = read_file(written(tmp_path, mark + text))
    assert rows_of(found) == {
        "n": [1, 2, 3],
        "x": [0.5, None, 1e30],
        "kind": ["flat", None, "Häuser"],
        "is": [True, False, True],
    }


def test_json_rows_without_some_names(tmp_path):
    text = '{"a": 1}\n\n{"b": "x", "a": NaN}\n{}\n{"a": 0.5, "c": null}\n'
    found = read_file(written(tmp_path, text))
    assert rows_of(found) == {
        "a": [1, None, None, 0.5],
        "b": [None, "x", None, None],
        "c": [None] * 4,
    }


def test_json_rows_of_many_blocks_are_of_one_type(tmp_path):
    n = 2 * BLOCK + 5
    rows = [{"i": i, "f": i if i < BLOCK else i + 0.5, "t": i} for i in range(n)]
    rows[-1] |= {"late": "x", "t": "end"}
    found = read_file(written(tmp_path, "\n".join(map(json.dumps, rows))))
    assert found["i"].values.dtype == np.int64
    np.testing.assert_array_equal(found["f"].values, [row["f"] for row in rows])
    assert found["t"].objects().tolist() == [*map(str, range(n - 1)), "end"]
    assert found["late"].n_present == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": [1]}', "must have no nested values; 'a' in line 2 is a list"),
        ('{"a": {"b": 1}}', "must have no nested values; 'a' in line 1 is an object"),
        ('[{"a": 1}, {"a": {}}]', "must have no nested values; 'a' in row 1 is an object"),
        ('{"a": 1}\n3\n', "object in each line, or be a list of objects; line 2 is 3$"),
        ('[{"a": 1}, null]', "object in each line, or be a list of objects; row 1 is null$"),
        ("[[1, 2], [3, 4]]", "object in each line, or be a list of objects; row 0 is a list$"),
        ('{"a": 1}\n{"a": 1', "list of objects; line 2: Expecting ',' delimiter"),
        ('{"a": 1, "a": 2}', "list of objects; line 1: the name 'a' appears twice"),
        ('{\n"a": 1}', "list of objects; line 1: Expecting property name"),
        ('{"a": ' + "[" * 100_000, "list of objects; line 1: maximum recursion depth"),
        ("{}", "has a header but no rows"),
    ],
)
def test_other_json_is_named(tmp_path, text, message):
    with pytest.raises(InvalidDataError, match=f"t.json .*{message}"):
        read_file(written(tmp_path, text))
