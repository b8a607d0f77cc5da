"""One table in several files: which they are, in which order, and what does not fit together."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data import TableWarning, read_file
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    UnknownNameError,
)
from multilayer.model.numeric import read_numbers


def texts_of(table):
    """Return a table's texts by column, None for missing ones."""
    return {name: list(table[name].objects()) for name in table.columns}


@pytest.fixture
def folder(tmp_path):
    """Return a folder of twelve files of one row, and of others that are no data."""
    for i in range(12):
        (tmp_path / f"part-{i}.csv").write_text(f"n,kind\n{i},k{i % 3}\n")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.csv.crc").write_bytes(b"crc\0")
    return tmp_path


COUNTED = [str(i) for i in range(12)]


def test_a_folder_is_read_in_natural_order(folder):
    for source in (folder, str(folder), f"{folder}/", folder / "*", f"{folder}/part-*.csv"):
        assert texts_of(read_file(source))["n"] == COUNTED
    assert read_file(folder).name == str(folder)
    assert texts_of(read_file(folder / "part-1?.csv"))["n"] == ["10", "11"]


def test_a_list_is_read_in_its_order(folder):
    several = [folder / f"part-{i}.csv" for i in (7, 2)]
    assert texts_of(read_file(several))["n"] == ["7", "2"]
    assert texts_of(read_file(map(str, several)))["n"] == ["7", "2"]
    assert read_file([*several, folder]).name == f"{folder / 'part-7.csv'} and 2 more"
    assert texts_of(read_file([several[1], folder / "*1.csv"]))["n"] == ["2", "1", "11"]


def test_a_name_with_signs_of_patterns_is_a_name(folder):
    (folder / "part[1].csv").write_text("n,kind\n99,x\n")
    assert texts_of(read_file(folder / "part[1].csv"))["n"] == ["99"]


def test_files_in_folders_in_a_folder(folder):
    for year in (2023, 2024):
        (folder / f"year={year}").mkdir()
        (folder / f"year={year}" / "a.csv").write_text(f"n,kind\n{year},x\n")
    with pytest.raises(
        InvalidDataError, match=r"contains folders, such as year=2023; .* give '"
    ) as e:
        read_file(folder)
    assert str(e.value).endswith(f"give '{folder / '**' / '*'}'")
    assert texts_of(read_file(folder / "**" / "*"))["n"] == [*COUNTED, "2023", "2024"]


def test_standard_input(monkeypatch):
    content = gzip.compress(b"a;b\n1,5;x\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert texts_of(read_file("-")) == {"a": ["1,5"], "b": ["x"]}
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    with pytest.raises(InvalidDataError, match=r"^standard input must have a header"):
        read_file("-")


def test_what_is_not_there_is_named(folder):
    with pytest.raises(InvalidDataError, match=r"^there is no file .*/x\*\.csv$"):
        read_file(folder / "x*.csv")
    with pytest.raises(InvalidDataError, match=r"^there is no file .*/part-12\.csv$"):
        read_file([folder / "part-0.csv", folder / "part-12.csv"])
    with pytest.raises(InvalidDataError, match=r"/_\* but _SUCCESS, which is skipped because of"):
        read_file(folder / "_*")
    (folder / "new").mkdir()
    with pytest.raises(InvalidDataError, match=r"^there is no file in .*/new$"):
        read_file(folder / "new")
    with pytest.raises(InvalidArgumentError, match=r"^source of read_file must name a file; the"):
        read_file([])
    with pytest.raises(InvalidTypeError, match=r"^source of read_file must be a path, .* got int"):
        read_file(3)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
def test_a_folder_without_permission_is_named(folder):
    folder.chmod(0)
    try:
        with pytest.raises(InvalidDataError, match="cannot be read: Permission denied"):
            read_file(folder)
    finally:
        folder.chmod(0o700)


def test_columns_in_another_order_and_other_columns(folder):
    (folder / "part-12.csv").write_text("kind,n\nx,12\n")
    assert texts_of(read_file(folder))["n"] == [*COUNTED, "12"]
    path = folder / "part-13.csv"
    path.write_text("n,Kind,more\n13,x,y\n")
    with pytest.raises(InvalidDataError) as error:
        read_file(folder)
    assert str(error.value) == (
        f"{path} must have the columns of {folder / 'part-0.csv'}; missing: kind; unexpected: "
        "Kind, more"
    )


def test_a_file_without_rows_fits_if_others_have_some(folder):
    (folder / "part-12.csv").write_text("n,kind\n")
    assert texts_of(read_file(folder))["n"] == COUNTED
    with pytest.raises(InvalidDataError, match=r"part-12\.csv has a header but no rows"):
        read_file(folder / "part-12.csv")
    (folder / "part-12.csv").write_text("")
    with pytest.raises(
        InvalidDataError, match=r"part-12\.csv must have a header and rows below it"
    ):
        read_file(folder)


def test_messages_name_the_file_and_its_row(folder):
    pd.DataFrame({"n": [12, 13], "kind": ["x", "y"]}).to_parquet(folder / "part-12.parquet")
    table = read_file(folder)
    origin = table["n"].origin
    assert origin.row(3) == f"row 1 below its header in {folder / 'part-3.csv'}"
    assert origin.row(13) == f"row 1 in {folder / 'part-12.parquet'}"
    part = table.take(np.array([13, 3]))["n"].origin
    assert part.row(1) == f"row 1 below its header in {folder / 'part-3.csv'}"


def test_a_remark_on_many_files_is_made_once(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.csv").write_bytes("a,b\n1,ä\n".encode("latin-1"))
    with pytest.warns(TableWarning) as told:
        read_file(tmp_path)
    assert [str(each.message) for each in told] == [
        f"{tmp_path / '0.csv'} and 2 more: it is not UTF-8 and is read as cp1252; if that is "
        "wrong, give its encoding"
    ]


# Broken rows -------------------------------------------------------------------------------


def with_broken(path, n_rows, broken):
    rows = [f"{i},x,y" + ",z" * (i in broken) for i in range(n_rows)]
    path.write_text("\n".join(["a,b,c", *rows]) + "\n")
    return path


def test_a_few_broken_rows_are_left_out(tmp_path):
    path = with_broken(tmp_path / "t.csv", 400, {7, 11, 12, 13})
    with pytest.warns(TableWarning) as told:
        table = read_file(path)
    assert [str(each.message) for each in told] == [
        f"{path}: 4 rows are left out, with more cells than its header: line 9 has 4, line 13 has "
        "4, line 14 has 4, …"
    ]
    assert texts_of(table)["a"] == [str(i) for i in range(400) if i not in {7, 11, 12, 13}]
    assert table["a"].origin.row(7) == "row 9 below its header"  # as in the file
    message = "line 9 has 4, line 13 has 4, line 14 has 4, … (4 of 400 rows)"
    with pytest.raises(InvalidDataError) as error:
        read_file(path, bad_rows="fail")
    assert str(error.value) == (
        f"{path} must have 3 cells in each row, as in its header; {message}"
    )


def test_many_broken_rows_are_refused_in_all_files_together(tmp_path):
    with_broken(tmp_path / "1.csv", 100, {})
    path = with_broken(tmp_path / "2.csv", 100, {5, 6})
    with pytest.warns(TableWarning, match="2 rows are left out"):
        assert len(read_file(tmp_path)) == 198
    with_broken(tmp_path / "3.csv", 10, {0})
    with pytest.raises(InvalidDataError) as error:
        read_file(tmp_path)
    assert str(error.value) == (
        f"{path} must have 3 cells in each row, as in its header; line 7 has 4, line 8 has 4 (3 of "
        "210 rows in all files); to leave such rows out, pass bad_rows='skip'"
    )
    with pytest.warns(TableWarning, match="left out"):
        table = read_file(tmp_path, bad_rows="skip")
    assert len(table) == 207
    assert table["a"].origin.row(198) == f"row 2 below its header in {tmp_path / '3.csv'}"
    with pytest.raises(UnknownNameError, match="bad_rows must be one of skip, fail; got 'drop'"):
        read_file(tmp_path, bad_rows="drop")


# Any table, in any dialect, in several files -----------------------------------------------

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}")
TEXTS = st.text(st.characters(codec="cp1252", categories=["L", "N", "P", "Zs"]), max_size=8)
ROWS = st.lists(
    st.tuples(NUMBERS, TEXTS, st.sampled_from(["02139", "10001", ""]), st.dates().map(str)),
    min_size=1,
    max_size=20,
)
PACKS = [bytes, gzip.compress, bz2.compress, lzma.compress,
         lambda content: pa.compress(content, "zstd", asbytes=True)]  # fmt: skip
NAMES = ["area", "what it is", "code", "sold on"]
DIALECTS = st.fixed_dictionaries(
    {
        "sep": st.sampled_from(",;\t|"),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([0, 1]),  # only where it is needed, or all
    }
)


@settings(max_examples=150)
@given(
    rows=ROWS,
    data=st.data(),
    decimal=st.sampled_from(".,"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    pack=st.sampled_from(PACKS),
)
@pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")
def test_a_table_in_several_files_is_the_table(
    tmp_path_factory, rows, data, decimal, encoding, pack
):
    table = pd.DataFrame(rows, columns=NAMES)
    table["area"] = table["area"].str.replace(".", decimal)
    ends = sorted({*data.draw(st.lists(st.integers(1, len(rows)), max_size=3)), len(rows)})
    folder = tmp_path_factory.mktemp("parts")
    for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        part = table[start:end][data.draw(st.permutations(NAMES))] if i else table[start:end]
        text = part.to_csv(index=False, **data.draw(DIALECTS))
        (folder / f"part-{i}").write_bytes(pack(text.encode(encoding)))
    # Some texts in Windows-1252 are UTF-8 too.
    found = read_file(folder, encoding=None if encoding.startswith("utf") else encoding)
    assert found.columns == tuple(NAMES)
    assert texts_of(found) == {
        name: [" ".join([text]).strip() or None for text in table[name]] for name in NAMES
    }


def test_files_with_unlike_decimal_marks_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i}.25,1\n" for i in range(30)))
    (tmp_path / "b.csv").write_text("x;y\n" + "".join(f"{i},75;1\n" for i in range(30)))
    with pytest.raises(InvalidDataError, match="'x' must have the same decimal mark in all files"):
        read_file(tmp_path)
    (tmp_path / "b.csv").write_text("x;y\n" + "".join(f"{i};1,5\n" for i in range(30)))
    assert len(read_file(tmp_path)) == 60  # marks of other columns are their own


def test_files_of_which_one_leaves_the_decimal_mark_open_are_read_alike_and_it_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i}.25,1\n" for i in range(30)))
    (tmp_path / "b.csv").write_text("x;y\n" + "".join(f"{i + 1},336;1\n" for i in range(30)))
    says = "'x' of .*b.csv writes '1,336', which is read as 1336, since .*a.csv has decimal points"
    with pytest.warns(TableWarning, match=says):
        read_file(tmp_path)
    assert len(read_file(tmp_path, decimal=".")) == 60
    # Where another column shows the mark, it is known.
    (tmp_path / "b.csv").write_text("x;y\n" + "".join(f"{i + 1},336;1,5\n" for i in range(30)))
    with pytest.raises(InvalidDataError, match="'x' must have the same decimal mark in all files"):
        read_file(tmp_path)
    # Thousands are what they seem where the other file has them too.
    (tmp_path / "a.csv").write_text("x\n" + "".join(f'"1,{i + 100}.50"\n' for i in range(30)))
    (tmp_path / "b.csv").write_text("x\n" + "".join(f'"1,{i + 100}"\n' for i in range(30)))
    assert read_numbers(read_file(tmp_path)["x"], [])[0].tolist()[30:] == list(range(1100, 1130))
    # What is no number is not quoted.
    (tmp_path / "a.csv").write_text("x\n" + "".join(f'"{i},5"\n' for i in range(30)))
    stray = "ca. two\nn.a.\n" + "".join(f"1.{i + 100}\n" for i in range(100))
    (tmp_path / "b.csv").write_text(f"x\n{stray}")
    with pytest.warns(TableWarning, match=r"writes '1\.100', which is read as 1100, since "):
        read_file(tmp_path)
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i}.25,1\n" for i in range(30)))
    # Three decimals are what they seem where the mark is that of the other file.
    (tmp_path / "b.csv").write_text("x;y\n" + "".join(f"{i + 1}.336;1\n" for i in range(30)))
    assert len(read_file(tmp_path)) == 60
