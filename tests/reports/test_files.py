"""Files of tables as people and programs write them: read as meant, or refused with the reason."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

import multilayer
from multilayer import MLPRegressor
from multilayer.data import TableWarning, read_file
from multilayer.errors import InvalidDataError
from multilayer.model import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
ROWS = [(i, i % 7, f"k{i % 3}", 2 * i + 1) for i in range(N)]
HEADER = ("x", "z", "kind", "y")


def lines(separator=",", header=HEADER, rows=ROWS, ends=""):
    written = [header, *rows] if header else rows
    return "".join(separator.join(map(str, row)) + ends + "\n" for row in written)


def texts_of(table):
    """Return a table's texts by column, None for missing ones."""
    return {name: list(table[name].objects()) for name in table.columns}


PLAIN = {name: [str(row[i]) for row in ROWS] for i, name in enumerate(HEADER)}


@pytest.fixture
def check(written, mlp, train, tmp_path):
    """Return what asserts that a file is the plain table, for Python, in training and later."""

    def check(content, *, says=""):
        path = written(content)
        if says:
            with pytest.warns(TableWarning) as told:
                found = read_file(path)
            assert any(str(each.message).startswith(f"{path}: {says}") for each in told)
        else:
            found = read_file(path)
        assert {name: column for name, column in texts_of(found).items() if name in PLAIN} == PLAIN
        saved = tmp_path / "model"
        result = train(path, "--target", "y", "--epochs", "1", "--save", saved)
        assert says in result.stderr
        later = mlp("predict", saved, path)
        assert len(later.stdout.splitlines()) == N + 1
        plain = mlp("predict", saved, written(lines(), "plain.csv"))
        assert later.stdout == plain.stdout

    return check


# Names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [("a,b,a", "a"), ("a, a ,b", "a"), ('"a",b,"a"', "a"), (",b,Unnamed: 0", "Unnamed: 0")],
)
def test_two_columns_of_one_name(written, mlp, header, name):
    path = written(f"{header}\n1,2,3\n4,5,6\n")
    message = f"{path} must have a different name for each column: rename one; got {name!r} twice"
    with pytest.raises(InvalidDataError, match=f"^{re.escape(message)}$"):
        read_file(path)
    assert str(mlp("train", "table", path, fails=True).exception) == message
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    with pytest.raises(
        InvalidDataError, match=r"^X must have a different name for each column: rename one; got"
    ):
        MLPRegressor(columns="auto").fit(frame, [1, 2])


@pytest.mark.parametrize("blank", [" ", "\t ", "\u00a0", "\u3000"])
def test_blanks_in_the_header(check, blank):
    check(lines(header=[f"{blank}{name}{blank}" for name in HEADER]))


def test_a_byte_order_mark_and_quotes_in_the_header(check):
    check("\ufeff" + lines(header=[f'"{name}"' for name in HEADER]))
    check((lines(header=[f'" {name} "' for name in HEADER])).encode("utf-16"))


@pytest.mark.parametrize("near", ["X", "kinds", "Kind", "x y", "x_"])
def test_a_name_that_nearly_fits(written, mlp, train, tmp_path, near):
    train(written(lines()), "--epochs", "1", "--save", tmp_path / "m")
    header = [near if near.lower().startswith(name[0]) else name for name in HEADER]
    path = written(lines(header=header), "p.csv")
    gone = next(name for name in HEADER if name not in header)
    message = str(mlp("predict", tmp_path / "m", path, fails=True).exception)
    assert message == (
        f"{path} must have all inputs of the model; missing: {gone}; found: {', '.join(header)}"
    )
    with pytest.raises(InvalidDataError, match=f"missing: {gone}; unexpected: {near}"):
        multilayer.load(tmp_path / "m").predict({name: ["1"] for name in header if name != "y"})


# Dialects ----------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [";", "\t", "|", ",", "^", "~"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_first_line_that_names_the_separator(check, separator, mark):
    check(f"{mark}sep={separator}\n" + lines(separator))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", ["sep={}", '"sep={}"', "SEP={}"])
def test_a_first_line_that_names_the_separator_in_other_forms(check, ending, form):
    check((form.format(";") + "\n" + lines(";")).replace("\n", ending))


@pytest.mark.parametrize(
    ("above", "n"),
    [
        ("Sales of 2024\n", 1),
        ("Sales of 2024\n\nSource: the office, page 7\n\n", 2),
        ("# made by hand\n# and checked\n", 2),
        ("# one, two, three, four\n", 1),
        ("#;;\nTitle,,,\n", 2),
        ("Title,,,\n,,,\nby the office,,,\n", 2),
        ("Title,,,\n# a comment, with commas, and, more\n", 2),
        ('"A title, with\na line end",\n', 1),
        (",,,\n,,,\n", 0),
    ],
)
def test_titles_and_comments_above_the_header(check, above, n):
    said = {0: "", 1: "a line above its header is skipped"}.get(n, f"{n} lines above its header")
    check(above + lines(), says=said)


def test_a_header_that_begins_with_the_sign_of_comments(written):
    found = read_file(written("#id,name\n1,a\n2,b\n1,b\n"))
    assert found.columns == ("#id", "name")
    assert len(found) == 3


@pytest.mark.parametrize("ends", [",", ",,", ",,,,"])
@pytest.mark.parametrize("where", ["header and rows", "rows", "header"])
def test_separators_at_the_ends_of_lines(check, written, ends, where):
    content = lines(ends=ends)
    if where == "rows":
        content = content.replace(",".join(HEADER) + ends, ",".join(HEADER))
    elif where == "header":
        content = lines().replace(",".join(HEADER), ",".join(HEADER) + ends)
    check(content)
    found = read_file(written(content))
    extra = [name for name in found.columns if name not in HEADER]
    assert len(extra) == (0 if where == "header" else len(ends))
    if extra:
        with pytest.warns(TableWarning, match=r"'Unnamed: 4'.* \(no entries\)"):
            assert Columns.of(found).needed == HEADER


def test_empty_rows_and_columns_of_a_spreadsheet(written, mlp, train, tmp_path):
    """Rows are left out in training, where they have no target; a prediction has all of them."""
    rows = [("", *row, "") for row in ROWS]
    rows[20:20] = rows[40:40] = [("",) * 6]
    content = ",,,,,\n" + lines(header=("", *HEADER, ""), rows=[*rows, ("",) * 6])
    path = written(content)
    result = train(path, "--target", "y", "--epochs", "1", "--save", tmp_path / "m")
    assert "has no 'y' in 3 of 63 rows" in result.stderr
    assert "ignored: 'Unnamed: 0', 'Unnamed: 5' (no entries)" in result.stderr
    later = mlp("predict", tmp_path / "m", path)
    assert len(later.stdout.splitlines()) == 64
    assert (
        "column 'x' has 3 missing values, the first at row 21 below its header, but had none in"
        in later.stderr
    )
    assert train(path, "--epochs", "1").stdout.count("y: regression") == 1


@pytest.mark.parametrize("separator", [" ", "^", "~", "quotes"])
def test_cells_that_nothing_known_separates(written, mlp, train, separator):
    """They are one column; what else may separate them is named, and can be given."""
    content = lines("," if separator == "quotes" else separator)
    does = f"if {separator!r} separates cells, give it as the separator"
    if separator == "quotes":
        content = "".join(f'"{line}"\n' for line in content.splitlines())
        does = "if each row is quoted as a whole, remove those quotes"
    path = written(content)
    name = content.partition("\n")[0].strip('"')
    with pytest.warns(
        TableWarning, match=re.escape(f"{path}: it has one column, {name!r}; {does}")
    ):
        assert read_file(path).columns == (name,)
    result = train(path, "--epochs", "1", fails=True)
    assert f"it has one column, {name!r}; {does}" in result.stderr
    assert "must have at least one input besides" in str(result.exception)
    if separator != "quotes":
        assert texts_of(read_file(path, separator=separator)) == PLAIN
        train(path, "--epochs", "1", "--sep", separator)


@pytest.mark.parametrize(
    "content",
    [
        "full name\nAnn Lee\nBo Ek\n",
        "at\n5:30\n7:45\n",
        "date time\n2024-01-05 05:00\n",
        "a b\n2\n",
    ],
)
def test_one_column_of_texts(written, content):
    assert read_file(written(content)).shape[1] == 1  # without a warning


def test_one_column_of_another_separator(written):
    assert read_file(written(lines()), separator=";").columns == (",".join(HEADER),)
    path = written("2024-01-05 05:00\n2024-01-05 07:00\n")
    with pytest.warns(TableWarning, match="it has no header"):
        assert len(read_file(path)) == 2


# Rows --------------------------------------------------------------------------------------


def test_the_header_again_in_the_middle(check, written, mlp, tmp_path):
    """Files that were put one behind the other, once or with many headers."""
    first, second = lines(rows=ROWS[:40]), lines(rows=ROWS[40:])
    check(first + second, says="its header is repeated below row 40, and skipped there")
    third = lines(header=(" x", "z ", "kind", "y"), rows=ROWS[40:])
    check(first + third, says="its header is repeated below row 40, and skipped there")
    check(
        "".join(lines(rows=ROWS[i : i + 20]) for i in range(0, 60, 20)),
        says="its header is repeated 2 times, first below row 20, and skipped there",
    )
    # In a file of one column it may be an entry.
    assert len(read_file(written("word\nsome\nword\nsome\n"))) == 3


def test_another_header_in_the_middle_is_named(written):
    """Its entries are missing among numbers."""
    path = written(lines(rows=ROWS[:40]) + lines(header=("X", "Z", "KIND", "Y"), rows=ROWS[40:]))
    with pytest.warns(TableWarning) as told:
        columns = Columns.of(read_file(path))
    told = " ".join(str(each.message) for each in told)
    for name, entry in (("x", "X"), ("y", "Y")):
        assert (
            f"column '{name}' of {path} has '{entry}' at row 41 below its header, which is" in told
        )
    # Beside seven numbers alone another text makes categories of all.
    assert "Z" in columns.columns[1].categories
    assert columns.columns[0].median == 29.5


def test_units_below_the_header(written, train, tmp_path):
    rows = [("cm", "[s]", "", "€"), *((i, i % 23, f"k{i % 3}", 2 * i + 1) for i in range(N))]
    path = written(lines(rows=rows))
    result = train(path, "--epochs", "1", "--save", tmp_path / "m", "--bad-rows", "skip")
    assert "column 'y' has '€' at row 1 below its header, which is not a number" in result.stderr
    assert "has no 'y' in 1 of 61 rows, row 1 below" in result.stderr
    table = read_file(path).select(["x", "z"])
    with pytest.warns(TableWarning) as told:
        columns = Columns.of(table)
    assert [str(each.message).partition(" of ")[0] for each in told] == ["column 'x'", "column 'z'"]
    assert all("at row 1 below its header, which is not a num" in str(w.message) for w in told)
    assert [column.median for column in columns.columns] == [29.5, 9.5]


@pytest.mark.parametrize("separator", [",", ";"])
def test_no_header(written, mlp, train, tmp_path, separator):
    path = written(lines(separator, header=None))
    says = "its first line looks like the others and is taken as a row: it has no header"
    with pytest.warns(TableWarning, match=says):
        table = read_file(path)
    assert table.columns == ("column 1", "column 2", "column 3", "column 4")
    assert len(table) == N
    result = train(path, "--epochs", "1", "--save", tmp_path / "m")
    assert says in result.stderr
    assert "column 4: regression" in result.stdout
    assert len(mlp("predict", tmp_path / "m", path).stdout.splitlines()) == N + 1


def test_a_header_of_numbers_that_count_the_columns(written):
    """As frames without names are written: no row."""
    values = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)))
    assert read_file(written(values.to_csv(index=False))).columns == ("0", "1", "2", "3")
    assert read_file(written(values.to_csv())).columns == ("Unnamed: 0", "0", "1", "2", "3")
    with pytest.warns(TableWarning, match="it has no header"):
        assert len(read_file(written(values.to_csv(index=False, header=False)))) == 20


def test_years_in_the_header_beside_names(written):
    content = "country,2019,2020\nAT,1,2\nDE,3,4\n"
    assert read_file(written(content)).columns == ("country", "2019", "2020")


@pytest.mark.parametrize("label", ["Total", "TOTAL:", "Grand Total", "Summe", "moyenne", "Итого"])
@pytest.mark.parametrize("end", ["{},1770,180,3600", ",{},,3600", "{},,,", "{},1,2,3\n,,,"])
def test_a_row_at_the_end_that_sums_up_the_others(written, train, mlp, tmp_path, label, end):
    """It is named, and has a prediction like any row."""
    rows = [(f"n{i % 7}", *row[1:]) for i, row in enumerate(ROWS)]
    path = written(lines(rows=[*rows, [end.format(label)]]))
    says = f"{path}: line 62 begins with {label!r} and is read like any other row; if it is a total"
    with pytest.warns(TableWarning, match=re.escape(says)):
        assert read_file(path).shape[0] == 61 + end.count("\n")
    if (label, end) != ("Total", "{},,,"):
        return
    path = written(lines(rows=[*rows, [end.format(label)], ["Mean,,,"]]))
    result = train(
        path, "--epochs", "1", "--target", "y", "--bad-rows", "skip", "--save", tmp_path / "m"
    )
    for told in (result, mlp("predict", tmp_path / "m", path)):
        assert f"note: {says}" in told.stderr
        assert "line 63 begins with 'Mean'" in told.stderr
    assert len(told.stdout.splitlines()) == 63


@pytest.mark.parametrize("places", [[59, 30], [57, 56], [0], [58, 59, 57, 56]])
def test_a_name_such_as_total_that_is_no_sum(written, places):
    rows = [("Total" if i in places else f"n{i % 7}", *row[1:]) for i, row in enumerate(ROWS)]
    read_file(written(lines(rows=rows)))
    read_file(written(lines(rows=[("n", 1, 2, 3), ("Total", 4, 5, 6)])))
    read_file(written(lines(rows=[*ROWS, (7, 5, "Total", 8)])))


# Quotes ------------------------------------------------------------------------------------


def broken(line, cell, end=""):
    rows = [list(map(str, row)) for row in ROWS]
    rows[line][2] = cell
    rows[-1][2] += end
    return lines(rows=rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            broken(3, '"k1'),
            "line 61: unexpected end of data, in the row that begins in line 5 (a quo",
        ),
        (broken(3, '"k1"x'), "line 5: ',' expected after '\"' (a quote that is never closed?)"),
        (
            broken(3, '"k1', '"x'),
            "line 61: ',' expected after '\"', in the row that begins in line 5",
        ),
    ],
)
def test_a_stray_quote_that_swallows_rows(written, mlp, content, message):
    path = written(content)
    with pytest.raises(InvalidDataError, match=re.escape(f"{path} must be a CSV file: {message}")):
        read_file(path)
    assert message in str(mlp("train", "table", path, fails=True).exception)


def test_a_stray_quote_that_another_one_closes(written):
    path = written(broken(3, '"k1', '"'))
    message = "must not have 55 lines in one cell; column 'kind' has: a quote before 'k1"
    with pytest.raises(InvalidDataError, match=re.escape(f"{path} {message}")):
        read_file(path)


def test_quotes_that_are_meant(check):
    rows = [(x, z, f'"{kind}"', y) for x, z, kind, y in ROWS]
    check(lines(rows=rows))


# No tables ---------------------------------------------------------------------------------


def packed(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


OTHERS = {
    "JSON columns": json.dumps({"x": [1], "y": [2]}, indent=1),
    "JSON rows": json.dumps([[1, 2], [3, 4]]),
    "GeoJSON": ' \n{ "type": "FeatureCollection", "features": [] }',
    "HTML": "\n<!DOCTYPE html>\n<html><body>Sign in, please</body></html>",
    "HTML, a part": "<table><tr><td>1</td></tr></table>",
    "XML": "<?xml version='1.0'?><a/>",
    "a workbook": b"PK\x03\x04\x14\x00\x06\x00",
    "an old workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "an image": b"\x89PNG\r\n\x1a\n\x00\x00",
    "SQLite": b"SQLite format 3\x00\x10\x00",
    "NumPy": packed(lambda file: np.save(file, np.ones((3, 2)))),
    "a pickle": packed(lambda file: pd.DataFrame({"a": [1]}).to_pickle(file)),
    "RTF": r"{\rtf1\ansi a,b}",
    "ARFF": "@relation trees\n@attribute height numeric\n@data\n1\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_something_else_that_is_called_csv(written, mlp, name):
    path = written(OTHERS[name], "table.csv")
    refused = r"table\.csv (is (not a table but HTML or XML: |a)|must have (one JSON|no nested))"
    with pytest.raises(InvalidDataError, match=refused):
        read_file(path)
    assert "table.csv " in str(mlp("train", "table", path, fails=True).exception)


def test_names_that_begin_like_markup(written):
    assert read_file(written("<5,{x},[m]\n1,2,3\n")).columns == ("<5", "{x}", "[m]")


# Rows that are not whole -------------------------------------------------------------------


@pytest.mark.parametrize("content", ["a\n1\n\n3\n", "a\n1\n \n3\n", 'a\n1\n""\n3\n'])
def test_an_empty_line_in_a_file_of_one_column(written, mlp, tmp_path, content):
    model = MLPRegressor(hidden_layer_sizes=2, columns="auto", max_iter=2)
    model.fit({"a": [1.0, 2.0, None] * 10}, np.arange(30)).save(tmp_path / "m")
    path = written(content)
    assert texts_of(read_file(path)) == {"a": ["1", None, "3"]}
    result = mlp("predict", tmp_path / "m", path)
    assert len(result.stdout.splitlines()) == 4
    assert (
        result.stdout
        == mlp("predict", tmp_path / "m", written(content.replace("\n\n", '\n""\n'))).stdout
    )


@pytest.mark.parametrize(
    "column", [["1", None, "3"], [None, "2"], ["1", None], [None, None, "3", None]]
)
def test_one_column_that_pandas_has_written(written, column):
    """It writes an empty entry as two quotes, at the end too."""
    content = pd.DataFrame({"a": column}, dtype=object).to_csv(index=False)
    assert texts_of(read_file(written(content))) == {"a": column}


def test_rows_without_a_target(written, train):
    rows = [(*row[:3], "" if i % 10 == 3 else row[3]) for i, row in enumerate(ROWS)]
    result = train(written(lines(rows=rows)), "--epochs", "1", "--json", "--bad-rows", "skip")
    says = "has no 'y' in 6 of 60 rows, the first of them row 4 below its header"
    assert says in result.stderr
    found = json.loads(result.stdout)
    assert found["n_train"] + found["n_test"] == 54
    rows = [(*row[:3], ["yes", "no", ""][i % 3]) for i, row in enumerate(ROWS)]
    result = train(written(lines(rows=rows)), "--epochs", "1", "--bad-rows", "skip")
    assert "has no 'y' in 20 of 60 rows" in result.stderr


def test_rows_that_are_too_short(written, mlp, train, tmp_path):
    train(
        written(lines()),
        "--target",
        "y",
        "--epochs",
        "1",
        "--save",
        tmp_path / "m",
    )
    rows = [row[:2] if i in (4, 9) else row for i, row in enumerate(ROWS)]
    path = written(lines(rows=rows), "p.csv")
    says = "2 rows have fewer cells than its header, row 5 below it first; the rest are treated as"
    with pytest.warns(TableWarning, match=says):
        table = read_file(path)
    assert (texts_of(table)["kind"][4], texts_of(table)["y"][9]) == (None, None)
    result = mlp("predict", tmp_path / "m", path)
    assert says in result.stderr
    assert (
        "column 'kind' has 2 missing values, the first at row 5 below its header" in result.stderr
    )
    assert len(result.stdout.splitlines()) == N + 1
    with pytest.warns(
        TableWarning, match="a row has fewer cells than its header, row 60 below it; the"
    ):
        read_file(written(lines().rsplit(",", 1)[0]))


def test_rows_that_are_too_long(written):
    path = written(lines(rows=[*ROWS, (1, 2, 3, 4, 5)]))
    message = "must have 4 cells in each row, as in its header; line 62 has 5; to leave such rows"
    with pytest.raises(InvalidDataError, match=message):
        read_file(path)


@pytest.mark.parametrize("above", ["", "Sales of 2024\n"])
@pytest.mark.parametrize("n", [2, 5, N])
def test_rows_that_all_lack_the_last_cells(written, mlp, train, tmp_path, above, n):
    """Such as a target that is to be predicted."""
    train(written(lines()), "--target", "y", "--epochs", "1", "--save", tmp_path / "m")
    rows = ROWS[:n]
    path = written(above + lines(rows=[row[:3] for row in rows]), "p.csv")
    result = mlp("predict", tmp_path / "m", path)
    assert f"{n} rows have fewer cells than its header, row 1 below it first" in result.stderr
    assert "'column" not in result.stderr
    assert result.stdout == mlp("predict", tmp_path / "m", written(lines(rows=rows))).stdout
    # One or two of them may be filled.
    path = written(above + lines(rows=[*[row[:2] for row in rows], ROWS[-1]]), "p.csv")
    assert len(mlp("predict", tmp_path / "m", path).stdout.splitlines()) == n + 2


def test_categories_alone_that_lack_the_last_cells(written):
    path = written(lines(rows=[(f"a{i % 3}", f"b{i % 2}", f"c{i % 5}") for i in range(N)]))
    with pytest.warns(TableWarning, match="60 rows have fewer cells than its header, row 1 below"):
        assert read_file(path).columns == HEADER


def test_a_title_with_more_cells_than_the_table(check):
    check("# a, b, c, d, e\n" + lines(), says="a line above its header is skipped")
    check("Sold in A, B, C, D, E\n" + lines(), says="a line above its header is skipped")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("name,address,price", "n{k},Street {i}, Town,{i}"),  # names that occur again
        ("a,b,y", "{k},5,{i},9"),  # decimal commas
        ("x,k,y", "{k},'a, q',{i}"),  # quotes of another kind
        ("x,k,y", "1,5,{i},9"),  # whichever number comes first
        ("x,k,y", ",5,{i},9"),
    ],
)
def test_rows_that_all_have_one_cell_too_many(written, mlp, train, tmp_path, header, row):
    """Their names must not shift by a column; the first cell is a row's name only if it can be."""
    content = [header, *(row.format(i=i, k=i % 5) for i in range(N))]
    path = written("\n".join(content))
    message = (
        f"{path} must have 3 cells in each row, as in its header; line 2 has 4, line 3 has 4, line "
        "4 has 4, … (60 of 60 rows); a cell that contains the separator must be in double quotes, "
        "and a column of row names needs a title"
    )
    with pytest.raises(InvalidDataError, match=f"{re.escape(message)}$"):
        read_file(path)
    training = "".join(f"{i % 9},{i % 7},{i % 5},{i}\n" for i in range(N))
    train(written(f"{header},z\n{training}", "t.csv"), "--epochs", "1", "--save", tmp_path / "m")
    later = mlp("predict", tmp_path / "m", written("\n".join(content), "p.csv"), fails=True)
    assert "p.csv must have 3 cells in each row, as in its header" in str(later.exception)


@pytest.mark.parametrize("name", ["{i}", "{j}", "r{i}", "Mazda RX{i}"])
def test_names_of_rows_without_a_name_in_the_header(check, name):
    """As R writes them."""
    rows = [(name.format(i=i, j=i + 1), *row) for i, row in enumerate(ROWS)]
    check(lines(rows=rows), says="its rows have one more cell than its header: the first is")


def test_names_of_rows_that_count_anew(written):
    """In files put one behind the other."""
    path = written(lines(rows=[(i % 30, *row) for i, row in enumerate(ROWS)]))
    with pytest.warns(TableWarning, match="its rows have one more cell than its header"):
        assert read_file(path).columns == ("Unnamed: 0", *HEADER)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_another_separator_when_predicting(written, mlp, train, tmp_path, separator, decimal):
    rows = [(f"{x}.5", z, kind, y) for x, z, kind, y in ROWS]
    path = written(lines(rows=rows))
    train(path, "--target", "y", "--epochs", "1", "--save", tmp_path / "m")
    frame = pd.read_csv(path)
    expected = mlp("predict", tmp_path / "m", path).stdout
    other = written(frame.to_csv(index=False, sep=separator), "p.csv")
    assert mlp("predict", tmp_path / "m", other).stdout == expected
    assert mlp("predict", tmp_path / "m", other, "--sep", separator).stdout == expected
    if decimal == ",":  # which the model does not know: it is refused, and not misread
        other = written(frame.to_csv(index=False, sep=separator, decimal=","), "p.csv")
        message = str(mlp("predict", tmp_path / "m", other, fails=True).exception)
        assert "column 'x' of" in message
        assert "as the model reads them; got '0,5' at row 1 below its header, with a dec" in message


def test_everything_at_once(check):
    content = (
        "sep=;\r\n" + "Export;;;;\r\n" + lines(";", rows=ROWS[:30], ends=";").replace("\n", "\r\n")
    )
    content += lines(";", rows=ROWS[30:], ends=";").replace("\n", "\r\n")
    check(content.encode("utf-16"), says="its header is repeated below row 30, and skipped there")
