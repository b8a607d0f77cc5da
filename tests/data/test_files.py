"""Tables in files: every dialect of CSV holds the same table; what is none is named."""

import bz2
import csv
import gzip
import io
import lzma
import re
import tracemalloc
import unicodedata
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from multilayer.data import TableWarning, read_blocks, read_file
from multilayer.errors import InvalidArgumentError, InvalidDataError, MissingPackageError

HOMES = pd.DataFrame(
    {"area": [70.5, 120.25, 44.0], "kind": ["flat", "Häuser", "a, b; c"], "id": ["01", "02", "NA"]}
)
EXPECTED = {
    "area": ["70.5", "120.25", "44.0"],
    "kind": ["flat", "Häuser", "a, b; c"],
    "id": ["01", "02", "NA"],
}


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(table):
    """Return a table's texts by column, None for missing ones."""
    found = {}
    for name in table.columns:
        codes, names = table[name].categories()
        found[name] = [None if code < 0 else names[code] for code in codes]
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_dialects_are_found(tmp_path, encoding, separator, ending):
    text = HOMES.to_csv(index=False, sep=separator, lineterminator=ending)
    assert rows_of(read_file(written(tmp_path, text.encode(encoding)))) == EXPECTED


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_is_said(tmp_path, encoding):
    path = written(tmp_path, HOMES.to_csv(index=False).encode(encoding))
    with pytest.warns(
        TableWarning, match=r"t\.csv: it is not UTF-8 and is read as cp1252; if that is wrong, give"
    ):
        assert rows_of(read_file(path)) == EXPECTED
    assert rows_of(read_file(path, encoding=encoding)) == EXPECTED


def zstd(content):
    return pa.compress(content, "zstd", asbytes=True)


PACKS = [gzip.compress, bz2.compress, lzma.compress, zstd]


@pytest.mark.parametrize("pack", PACKS)
def test_packed_files_are_unpacked(tmp_path, pack):
    content = pack(HOMES.to_csv(index=False).encode())
    assert rows_of(read_file(written(tmp_path, content))) == EXPECTED
    with pytest.raises(InvalidDataError, match=r"t\.csv is compressed, but damaged or cut short"):
        read_file(written(tmp_path, content[:-9]))


def test_parquet_is_read(tmp_path, monkeypatch):
    HOMES.to_parquet(tmp_path / "t.parquet")
    found = read_file(tmp_path / "t.parquet")
    assert found.columns == ("area", "kind", "id")
    assert rows_of(found)["kind"] == EXPECTED["kind"]
    with pytest.raises(InvalidDataError, match=r"broken\.parquet must be a Parquet file"):
        read_file(written(tmp_path, b"PAR1 and no more", "broken.parquet"))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match='needs pyarrow: pip install "pyarrow"'):
        read_file(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("text", "expected", "remark"),
    [
        ("sep=;\na;b\n1;2\n", {"a": ["1"], "b": ["2"]}, None),
        (
            "Prices of 2024\n\na,b\n1,2\n",
            {"a": ["1"], "b": ["2"]},
            "a line above its header is skipped",
        ),
        (
            "# x\n# y\n\na,b,c\n1,2,3\n",
            {"a": ["1"], "b": ["2"], "c": ["3"]},
            "2 lines above its head",
        ),
        ("a,b\n\n1,2\n\n3,4\n\n", {"a": ["1", "3"], "b": ["2", "4"]}, None),
        ("a,b\n1,2\n,\n", {"a": ["1", None], "b": ["2", None]}, None),
        ("a\n1\n\n3\n\n", {"a": ["1", None, "3"]}, None),
        ('a,b\n1,"x\ny"\n', {"a": ["1"], "b": ["x\ny"]}, None),
        ('a, b\n1, "x, y"\n', {"a": ["1"], "b": ["x, y"]}, None),
        ('a,b\n1,"say ""x"""\n', {"a": ["1"], "b": ['say "x"']}, None),
        ('a,b\n1,5" pipe\n', {"a": ["1"], "b": ['5" pipe']}, None),
        ("a,b\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"], "Unnamed: 2": [None] * 2}, None),
        (
            "a,b\nr,1,2\ns,3,4\n",
            {"Unnamed: 0": ["r", "s"], "a": ["1", "3"], "b": ["2", "4"]},
            "its rows have one more cell than its header: the first is taken as the row's name",
        ),
        (
            '"a","b"\n"3",1,2\n"7",3,4\n"12",5,6\n',  # as R writes a part of a table
            {"Unnamed: 0": ["3", "7", "12"], "a": ["1", "3", "5"], "b": ["2", "4", "6"]},
            "its rows have one more cell than its header: the first is taken as the row's name",
        ),
        (",a\n0,x\n", {"Unnamed: 0": ["0"], "a": ["x"]}, None),
        (" a , b\n1,2\n", {"a": ["1"], "b": ["2"]}, None),
        (
            "1,2\n3,4\n",
            {"column 1": ["1", "3"], "column 2": ["2", "4"]},
            "taken as a row: it has no h",
        ),
        (
            "2024-01-05,7\n2024-02-01,8\n",
            {"column 1": ["2024-01-05", "2024-02-01"], "column 2": ["7", "8"]},
            "taken as a row: it has no h",
        ),
        (
            "x,x,o\no,x,o\nx,o,x\n",
            {"column 1": ["x", "o", "x"], "column 2": ["x", "x", "o"], "column 3": ["o", "o", "x"]},
            "taken as a row: it has no h",
        ),
        (
            "place,2024-01-05,2024-02-01\nAT,7,8\n",
            {"place": ["AT"], "2024-01-05": ["7"], "2024-02-01": ["8"]},
            None,
        ),
        ("2024-01-05,2024-02-01\n7,8\n", {"2024-01-05": ["7"], "2024-02-01": ["8"]}, None),
        (
            "a,b\n1,2\n3\n",
            {"a": ["1", "3"], "b": ["2", None]},
            "a row has fewer cells than its heade",
        ),
        (
            "a,b\n1\n3\n5,6\n7,8\n9,9\n",
            None,
            "2 rows have fewer cells than its header, row 1 below",
        ),
        ("a;b\n1,5;x\n2,5;y\n", {"a": ["1,5", "2,5"], "b": ["x", "y"]}, None),
        ("x\n1\n2\n", {"x": ["1", "2"]}, None),
    ],
)
def test_what_people_write_above_and_between_rows(tmp_path, text, expected, remark):
    path = written(tmp_path, text)
    if remark is None:
        found = read_file(path)
    else:
        with pytest.warns(TableWarning, match=f"t.csv: .*{remark}"):
            found = read_file(path)
    assert expected is None or rows_of(found) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have a header and rows below it; it is empty"),
        ("\n\n", "must have a header and rows below it; it is empty"),
        ("a,b\n", "has a header but no rows"),
        (
            "a,b\n1,2\n3,4,5\n",
            "must have 2 cells in each row, as in its header; line 3 has 3; to leave such rows",
        ),
        (
            "a,b,a\n1,2,3\n",
            "must have a different name for each column: rename one; got 'a' twice",
        ),
        ('a,b\n"1,2\n3,4\n', "must be a CSV file: line 3: unexpected end of data"),
        ('a,b\n"1"x,2\n', r"must be a CSV file: line 2: .* expected after"),
        (
            'a,b\n1,2\n"3,x\n' + "4,5\n" * 29 + '6",7\n',
            "must not have 30 lines in one cell; column 'a' has: a quote before '3,x",
        ),
        ("x" * 200_000 + "\n1\n", "must have a header .* its first 2 lines have no cells"),
        (bytes(3_000), "must be text; got a NUL character, as in binary files, in line 1"),
        (b"\x7fELF\x02\0\xd8\0\xd8\0" * 9, "must be text; got a NUL character, as in binary"),
        ("a,b\n" + "1,2\n" * 99 + "3,\0\n", "must be text; got a NUL .* files, in line 101$"),
        (b"PK\x03\x04", "is a workbook or an archive: save its table as CSV"),
        (b"\xd0\xcf\x11\xe0", "is a workbook or an archive: save its table as CSV"),
        ("<!DOCTYPE html>", "is not a table but HTML or XML"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    with pytest.raises(InvalidDataError, match=f"t.csv {message}"):
        read_file(written(tmp_path, content))


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidDataError, match=r"^there is no file .*no\.csv$"):
        read_file(tmp_path / "no.csv")
    with pytest.raises(InvalidDataError, match=f"^there is no file in {tmp_path}$"):
        read_file(tmp_path)
    path = written(tmp_path, "a,b\n1,é\n".encode("latin-1"))
    with pytest.raises(InvalidDataError, match=r"must be text in utf-8: .* can't decode byte 0xe9"):
        read_file(path, encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match="encoding must be one that Python knows, such"):
        read_file(path, encoding="klingon")


def test_texts_that_are_missing_entries(tmp_path):
    path = written(tmp_path, "a,b\nNone,x\n7,-\n")
    assert rows_of(read_file(path)) == {"a": ["None", "7"], "b": ["x", "-"]}
    found = read_file(path, missing=["None", "-"])
    assert rows_of(found) == {"a": [None, "7"], "b": ["x", None]}
    assert found.missing == ("None", "-")


def test_rows_are_counted_below_the_header(tmp_path):
    found = read_file(written(tmp_path, "a,b\n1,x\n2,y\n3,z\n"))
    part = found.take(np.array([2, 1]))
    assert part["a"].origin.row(0) == "row 3 below its header"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)


@settings(max_examples=150)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_what_python_writes_is_read_back(tmp_path_factory, rows, separator):
    """Cells of any kind, with separators, quotes and line ends in them."""
    assume(not any(cell.startswith(" ") for row in rows for cell in row))  # blanks do not count
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second", "third"), *rows])
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(text.getvalue().encode())
    found = rows_of(read_file(path, separator=separator))
    expected = [
        [unicodedata.normalize("NFC", c.strip()) or None for c in col]
        for col in zip(*rows, strict=True)
    ]
    assert list(found.values()) == expected


def test_the_text_is_never_whole_in_memory(tmp_path):
    """The file's bytes are, and 4 bytes for each cell."""
    path = written(tmp_path, "first,second,third\n" + "12.345678,some text,Ünder\n" * 400_000)
    tracemalloc.start()
    try:
        read_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # 1 for the bytes, 0.4 for the places, 1 for what is looked at first; with the text it is 7.
    assert peak < 3 * path.stat().st_size


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_header_longer_than_what_is_looked_at(tmp_path, separator):
    names = [f"a column with a long name, {i}" if separator == ";" else f"column {i:020}"
             for i in range(12_000)]  # fmt: skip
    rows = [separator.join("1" * len(names))] * 30
    found = read_file(written(tmp_path, "\n".join([separator.join(names), *rows])))
    assert found.columns == tuple(names)
    assert len(found) == 30


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, encoding):
    path = written(tmp_path, ("\ufeff" + HOMES.to_csv(index=False)).encode(encoding))
    assert rows_of(read_file(path)) == EXPECTED
    assert rows_of(read_file(path, encoding=encoding)) == EXPECTED


@pytest.mark.parametrize("pack", PACKS[:3])  # zstd has no checksum by default
def test_a_packed_file_that_is_damaged_is_named(tmp_path, pack):
    content = bytearray(pack(np.random.default_rng(0).bytes(10_000)))
    content[len(content) // 2 :][:20] = content[30:50] = bytes(20)
    with pytest.raises(InvalidDataError, match=r"t\.csv is compressed, but damaged or cut short"):
        read_file(written(tmp_path, bytes(content)))


def test_a_parquet_file_is_read_as_it_is(tmp_path):
    """Packed by gzip, and in a folder whose name is like a column's."""
    content = io.BytesIO()
    HOMES.to_parquet(content)
    path = written(tmp_path, gzip.compress(content.getvalue()), "t.parquet.gz")
    assert rows_of(read_file(path))["kind"] == EXPECTED["kind"]
    (tmp_path / "year=2024").mkdir()
    path = written(tmp_path / "year=2024", content.getvalue(), "t.parquet")
    assert read_file(path).columns == ("area", "kind", "id")


def test_where_a_file_is_not_in_its_encoding(tmp_path):
    text = "a,b\n" + "1,ä\n" * 1_000_000
    path = written(tmp_path, text.encode() + b"2,\xe4\n")
    message = f"{path} must be text in utf-8: line 1,000,002: 'utf-8' codec can't decode byte 0xe4"
    with pytest.raises(InvalidDataError, match=re.escape(message) + " in position 5000006"):
        read_file(path, encoding="utf-8")
    said = "t.csv: a byte in line 1,000,002 is not UTF-8 and is read as �"
    with pytest.warns(TableWarning, match=said):  # all bytes decide
        assert rows_of(read_file(path))["b"][-2:] == ["ä", "�"]
    path = written(tmp_path, text.encode("latin-1") + "2,ß\n".encode())
    with pytest.warns(TableWarning, match="is read as cp1252"):
        assert rows_of(read_file(path))["b"][-2:] == ["ä", "ÃŸ"]


@pytest.mark.parametrize("encoding", ["gbk", "big5", "shift-jis", "euc-kr", "cp1251", "koi8-r"])
def test_other_encodings_are_not_taken_for_utf_8(tmp_path, encoding):
    """Some of their bytes are UTF-8 by chance."""
    letters = [chr(i) for i in range(0x80, 0xE000) if chr(i).isalpha()]
    content = "".join(letters).encode(encoding, "ignore")
    with pytest.warns(TableWarning, match="it is not UTF-8 and is read as"):
        read_file(written(tmp_path, b"a,b\n1," + content + b"\n"))


@pytest.mark.parametrize(
    ("n", "said", "expected"),
    [
        (
            1,
            "a byte in line 5 is not UTF-8 and is read as �; if the whole file is in another enc",
            "�",
        ),
        (2, "2 bytes are not UTF-8, the first in line 5, and are read as �; if the whole", "�"),
        (3, "it is not UTF-8 and is read as cp1252", "ü"),  # no more are UTF-8
    ],
)
def test_bytes_that_are_not_utf_8_where_most_are(tmp_path, n, said, expected):
    content = "a,b\n1,Köln\n2,Gießen\n3,Münster\n".encode() + n * "4,München\n".encode("cp1252")
    path = written(tmp_path, content)
    with pytest.warns(TableWarning, match=said):
        found = rows_of(read_file(path))
    assert found["b"][-1] == f"M{expected}nchen"
    with pytest.warns(TableWarning, match=said):
        (block,) = read_blocks(path)
    assert rows_of(block) == found


def test_a_damaged_file_is_no_text_although_most_of_it_is_utf_8(tmp_path):
    path = written(tmp_path, ("a,b\n" + "é,1\n" * 300).encode() + b"\xff\x00,2\n")
    with pytest.raises(InvalidDataError, match="must be text; got a NUL character"):
        read_file(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, "a,b\n1,2\n")
    refused = PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=refused))
    with pytest.raises(InvalidDataError, match=f"^{path} cannot be read: Permission denied$"):
        read_file(path)
