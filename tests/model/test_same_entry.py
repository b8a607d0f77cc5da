"""The same entry, however it comes, makes the same inputs: in any container, batch and spelling."""

import csv
import datetime
import itertools
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import TableWarning, read_file, read_table
from multilayer.model import Columns

UTC = datetime.UTC
few = settings(
    max_examples=4,
    phases=[Phase.generate, Phase.shrink],  # but not Phase.explain, which takes long
)
more = settings(few, max_examples=10)

# No text looks like a number or a date here, so that files, in which all is text, mean the same.
TEXTS = st.sampled_from(["a", "b", "NA", "é", "e\u0301", " c ", 'say "x"', "p, q; r", "two\nlines"])
WHOLE = st.integers(-(10**12), 10**12)  # of more than 15 digits they are codes in a file
FLOATS = st.floats(-1e15, 1e15)  # beyond 2⁵³ pandas' own types make integers of them, and so codes
MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
DURATIONS = st.integers(0, 10**6).map(lambda seconds: datetime.timedelta(seconds=seconds))
TIMES = st.integers(0, 86399).map(
    lambda s: datetime.time(hour=s // 3600, minute=s // 60 % 60, second=s % 60)
)

ENTRIES = {
    "whole numbers": WHOLE,
    "numbers": FLOATS,
    "whole numbers beside others": st.integers(-9, 9) | FLOATS,
    "booleans": st.booleans(),
    "texts": TEXTS,
    "days": st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
    # Many are at midnight, and some between two seconds.
    "moments": MOMENTS | MOMENTS.map(lambda when: when.replace(hour=0, minute=0, second=0)),
    "moments in UTC": MOMENTS.map(lambda when: when.replace(microsecond=0, tzinfo=UTC)),
    "decimals": st.decimals(-1000, 1000, places=2, allow_nan=False, allow_infinity=False),
    "durations": DURATIONS,
    "times of day": TIMES,
    "codes of many digits": st.integers(2**53, 2**60),
}
"""What may stand in a column of any container."""
WITHOUT_GAPS = ("codes of many digits",)
"""Beside a gap pandas makes floats of them, and loses digits."""

MIXED = {
    "booleans among numbers": st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0]),
    "booleans among numbers and texts": st.sampled_from([True, False, 0, 1, 2, "a", "b"]),
    "numbers among texts": st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(["a", "b"]),
    "days among texts": ENTRIES["days"] | st.sampled_from(["a", "b"]),
    "times among texts": TIMES | DURATIONS | st.sampled_from(["a", "b"]),
    "days among moments": ENTRIES["days"] | MOMENTS,
    "decimals among numbers": ENTRIES["decimals"] | WHOLE,
}
"""What only Python's own lists hold as it is."""


def n_different(column):
    return len({*map(repr, column)} - {"None"})


def columns_of(entries, *, has_gaps=True):
    """Draw a column of which something can be learned, as a rule with gaps."""
    column = st.lists(st.none() | entries if has_gaps else entries, min_size=2, max_size=6)
    return column.filter(lambda column: n_different(column) > 1)


def tables_of(name):
    """Draw a table with a column of these entries."""
    entries = (ENTRIES | MIXED)[name]
    return columns_of(entries, has_gaps=name not in WITHOUT_GAPS).map(beside_row_numbers)


def beside_row_numbers(column):
    """Return a table of the column; rows without names call their columns so, too."""
    return {"x0": column, "x1": list(range(len(column)))}


def kinds_of(asked):
    return {"x0": asked} if asked else None


def quietly(X, kinds=None):
    """Return the columns of a table, whatever is noted of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)
        return Columns.of(X, kinds)


def records_of(X):
    return [dict(zip(X, row, strict=True)) for row in zip(*X.values(), strict=True)]


def array_of(X):
    return np.array(list(zip(*X.values(), strict=True)), dtype=object)


def parquet_of(X, path):
    parquet.write_table(pa.table(X), path)
    return read_file(path)


def csv_of(X, path, **how):
    """Write each entry as Python does, and missing ones as empty cells; and read the file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **how)
        writer.writerow(X)
        writer.writerows(zip(*X.values(), strict=True))
    return read_file(path)


FORMS = {
    "dict of lists": lambda X, folder: X,
    "list of dicts": lambda X, folder: records_of(X),
    "array of objects": lambda X, folder: array_of(X),
    "pandas": lambda X, folder: pd.DataFrame(X),
    "pandas of objects": lambda X, folder: pd.DataFrame(X, dtype=object),
    "pandas, its own types": lambda X, folder: pd.DataFrame(X).convert_dtypes(),
    "polars": lambda X, folder: pl.DataFrame(X, strict=False),  # 1 beside 0.5 becomes 1.0
    "pyarrow": lambda X, folder: pa.table(X),
    "Parquet": lambda X, folder: parquet_of(X, folder / "t.parquet"),
}
"""What keeps the types of entries. A CSV file does not: see the test of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def both_kinds(names):
    """Parametrise by what stands in the column, and by whether it is said to be categories."""
    pairs = [(name, asked) for name in names for asked in (None, "categorical")]
    ids = [f"{name}-{asked or 'auto'}" for name, asked in pairs]
    return pytest.mark.parametrize(("name", "asked"), pairs, ids=ids)


# Containers --------------------------------------------------------------------------------


@both_kinds(ENTRIES)
@few
@given(data=st.data())
def test_every_container_makes_the_same_inputs(folder, name, asked, data):
    X = data.draw(tables_of(name))
    expected = quietly(X, kinds_of(asked)).encode(X)[:]
    forms = {form: make(X, folder) for form, make in FORMS.items()}
    trained = data.draw(st.sampled_from(list(FORMS)))
    columns = quietly(forms[trained], kinds_of(asked))
    for form, later in forms.items():  # warnings are errors: nothing is new
        found = columns.encode(later)[:]
        np.testing.assert_array_equal(found, expected, err_msg=f"{trained}, later {form}")


@both_kinds(ENTRIES)
@few
@given(data=st.data())
def test_a_csv_file_makes_the_same_inputs(folder, name, asked, data):
    """It knows no types: columns of several, in which True and "True" may stand, are left out."""
    X = data.draw(tables_of(name))
    expected = quietly(X, kinds_of(asked)).encode(X)[:]
    file = csv_of(X, folder / "t.csv")
    for trained, later in ((X, file), (file, X), (file, file)):
        found = quietly(trained, kinds_of(asked)).encode(later)[:]
        np.testing.assert_array_equal(in_order(found), in_order(expected))


def in_order(inputs):
    """Sort the inputs: categories are in the order of their names, and 1:00:00 is 01:00:00 too."""
    return inputs[:, np.lexsort(inputs)]


MIDNIGHT, THREE = datetime.datetime(2024, 1, 5), datetime.datetime(2024, 1, 5, 3)
HALF_PAST = datetime.time(12, 30)
HOUR = datetime.timedelta(hours=1)
DECIMALS = [Decimal("0.00"), Decimal("0.57"), Decimal("0.57")]
SINGLES = np.array([0.1, 0.7], dtype=np.float32)
HALVES = np.array([0.1, 0.7], dtype=np.float16)


@pytest.mark.parametrize("asked", ["numeric", "categorical"])
@pytest.mark.parametrize(
    ("entries", "later"),
    [
        (DECIMALS, pa.table({"a": DECIMALS})),
        (DECIMALS, pd.DataFrame({"a": pd.array(DECIMALS, pd.ArrowDtype(pa.decimal128(9, 2)))})),
        (SINGLES, {"a": pa.array(SINGLES)}),
        (SINGLES, {"a": pd.array(SINGLES, dtype="Float32")}),
        (SINGLES, pd.DataFrame({"a": pd.Categorical(SINGLES)})),
        (HALVES, {"a": list(HALVES)}),
        (HALVES, pa.table({"a": HALVES})),
    ],
    ids=["pyarrow's decimals", "decimals in pandas", "single floats of pyarrow in a dict",
         "single floats of pandas in a dict", "categories of single floats",
         "half floats in a list", "half floats of pyarrow"],
)  # fmt: skip
def test_numbers_are_the_same_in_every_type_that_holds_them(entries, later, asked):
    columns = Columns.of({"a": entries}, {"a": asked})
    expected = columns.encode({"a": entries})[:]
    np.testing.assert_array_equal(columns.encode(later)[:], expected)


@pytest.mark.parametrize(
    "entry",
    [-0.0, 1e16, Decimal("1.50"), MIDNIGHT, THREE.replace(tzinfo=UTC), HALF_PAST, HOUR],
    ids=str,
)
def test_a_category_is_known_by_the_text_that_python_writes_of_it(entry):
    typed, texts = {"a": [entry, None]}, {"a": [str(entry), None]}
    expected = [[1, 0], [0, 1]]
    for trained, later in ((typed, texts), (texts, typed)):
        found = Columns.of(trained, {"a": "categorical"}).encode(later)[:]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("entry", [-999, -999.0, "-999"])
def test_an_entry_that_was_said_to_be_missing_is_so_in_every_type(folder, entry):
    (folder / "missing.csv").write_text("a\n1\n2\n4\n-999\n")
    columns = Columns.of(read_file(folder / "missing.csv", missing=["-999"]))
    np.testing.assert_array_equal(columns.encode({"a": [entry]})[:], [[0, 1]])


# Batches -----------------------------------------------------------------------------------


def part_of(X, rows):
    return {name: [column[row] for row in rows] for name, column in X.items()}


def assert_batches_agree(columns, X, make, data):
    """Assert that rows one by one, and in any order and division, have the inputs of the whole."""
    whole = columns.encode(X)[:]
    n = len(whole)
    order = data.draw(st.permutations(range(n)))
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1))))
    batches = [list(part) for part in np.split(np.array(order), cuts)]
    for rows in (*([row] for row in range(n)), order, *batches):
        found = columns.encode(make(part_of(X, rows)))[:]  # warnings are errors: nothing is new
        np.testing.assert_array_equal(found, whole[rows], err_msg=f"rows {rows}")


@both_kinds(ENTRIES | MIXED)
@more
@given(data=st.data())
def test_batches_of_lists_make_the_inputs_of_the_whole(name, asked, data):
    X = data.draw(tables_of(name))
    make = data.draw(st.sampled_from([dict, records_of, array_of]))
    assert_batches_agree(quietly(X, kinds_of(asked)), X, make, data)


@both_kinds([*ENTRIES, "booleans among numbers"])
@few
@given(data=st.data())
def test_batches_of_frames_make_the_inputs_of_the_whole(name, asked, data):
    """pandas chooses a type for each batch: whole numbers are floats where one is missing."""
    X = data.draw(tables_of(name))
    columns = quietly(pd.DataFrame(X), kinds_of(asked))
    assert_batches_agree(columns, X, pd.DataFrame, data)


@both_kinds(ENTRIES | MIXED)
@more
@given(data=st.data())
def test_parts_of_a_table_make_the_inputs_of_the_whole(name, asked, data):
    X = data.draw(tables_of(name))
    table = read_table(X)
    columns = quietly(table, kinds_of(asked))
    whole = columns.encode(table)[:]
    order = data.draw(st.permutations(range(len(table))))
    for rows in (*([row] for row in order), order, order[:2]):
        np.testing.assert_array_equal(columns.encode(table[rows])[:], whole[rows])


@pytest.mark.parametrize(
    "column",
    [
        [MIDNIGHT, THREE],
        [THREE, THREE.replace(microsecond=1)],
        [MIDNIGHT.date(), THREE],
        [MIDNIGHT.replace(tzinfo=UTC), THREE.replace(tzinfo=UTC)],
        ["a", MIDNIGHT.date(), THREE],
        ["a", THREE.replace(tzinfo=UTC)],
        ["a", HALF_PAST],
        ["a", HOUR],
        ["a", True, 1],
        [np.float32(0.1), 0.25],
        [2**60 + 1, 0.5],
    ],
    ids=str,
)
def test_what_a_category_is_called_does_not_depend_on_the_rows_beside_it(column):
    columns = Columns.of({"a": column}, {"a": "categorical"})
    whole = columns.encode({"a": column})[:]
    n = len(column)
    for rows in itertools.chain.from_iterable(
        itertools.permutations(range(n), k) for k in range(1, n + 1)
    ):
        found = columns.encode({"a": [column[row] for row in rows]})[:]
        np.testing.assert_array_equal(found, whole[list(rows)], err_msg=f"rows {rows}")


# Models in files ---------------------------------------------------------------------------

LEARNED = [name for name in ENTRIES if name not in WITHOUT_GAPS]
ASKED = {f"x{LEARNED.index(name)}": "categorical" for name in ("whole numbers", "texts")}


def tables_of_all():
    """Draw a table with a column of each kind of entries."""
    rows = st.lists(
        st.tuples(*(st.none() | ENTRIES[name] for name in LEARNED)), min_size=4, max_size=8
    )
    columns = rows.map(
        lambda rows: {f"x{i}": list(c) for i, c in enumerate(zip(*rows, strict=True))}
    )
    return columns.filter(lambda X: all(n_different(column) > 1 for column in X.values()))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
@few
@given(data=st.data())
def test_a_model_from_a_file_predicts_the_same_from_all_of_these(folder, Estimator, data):
    X = data.draw(tables_of_all())
    n = len(X["x0"])
    forms = {form: make(X, folder) for form, make in FORMS.items()}
    forms["CSV"] = csv_of(X, folder / "t.csv")
    trained = forms[data.draw(st.sampled_from([form for form in forms if form != "CSV"]))]
    model = Estimator(hidden_layer_sizes=4, columns=ASKED, max_iter=1, random_state=0)
    model.fit(trained, [0, 1] * (n // 2) + [0] * (n % 2))
    model.save(folder / "model")
    loaded = multilayer.load(folder / "model")
    name = "predict_proba" if Estimator is MLPClassifier else "predict"
    expected = getattr(model, name)(X)
    assert len(np.unique(expected)) > 1
    for form, later in forms.items():
        for each in (model, loaded):
            np.testing.assert_array_equal(getattr(each, name)(later), expected, err_msg=form)
    for rows in ([n - 1], list(range(n))[::-1], [0, 2]):
        part = part_of(X, rows)
        found = getattr(loaded, name)(pd.DataFrame(part))
        np.testing.assert_array_equal(found, getattr(model, name)(part))
        # Of fewer rows a product of matrices is computed otherwise: the last digits may differ.
        np.testing.assert_allclose(found, expected[rows], rtol=1e-4, atol=1e-6)


# Spellings ---------------------------------------------------------------------------------


def swapped(text):
    """Make a decimal comma and points between thousands of a point and commas."""
    return text.translate(str.maketrans(".,", ",."))


HUNDREDTHS = st.integers(-(10**10), 10**10).map(lambda n: n / 100)  # the float nearest to its text
COMMA, POINT = "numeric: decimal comma", "numeric: decimal point"
SPELLINGS = {
    "a decimal comma": (HUNDREDTHS, lambda x: swapped(f"{x:.2f}"), COMMA),
    "points and a comma": (HUNDREDTHS, lambda x: swapped(f"{x:,.2f}"), COMMA),
    "blanks and a comma": (HUNDREDTHS, lambda x: f"{x:,.2f}".translate({44: " ", 46: ","}), COMMA),
    "points alone": (WHOLE, lambda x: swapped(f"{x:,}"), COMMA),
    "commas and a point": (HUNDREDTHS, lambda x: f"{x:,.2f}", POINT),
    "commas alone": (WHOLE, lambda x: f"{x:,}", POINT),
    "apostrophes": (HUNDREDTHS, lambda x: f"{x:,.2f}".replace(",", "'"), POINT),
    "thin spaces": (HUNDREDTHS, lambda x: f"{x:,.2f}".replace(",", "\u2009"), POINT),
    "underscores": (WHOLE, lambda x: f"{x:_}", POINT),
    "euros": (HUNDREDTHS, lambda x: swapped(f"{x:,.2f} €"), COMMA),
    "dollars": (HUNDREDTHS, lambda x: f"${x:,.2f}", POINT),
    "percent": (HUNDREDTHS, lambda x: f"{x:.2f} %", POINT),
    "exponents": (HUNDREDTHS, lambda x: f"{x:.16e}", POINT),
}


@pytest.mark.parametrize("name", SPELLINGS)
@few
@given(data=st.data())
def test_numbers_in_a_notation_make_the_inputs_of_the_numbers(folder, name, data):
    entries, write, kind = SPELLINGS[name]
    numbers = data.draw(columns_of(entries))
    typed = beside_row_numbers(numbers)
    texts = beside_row_numbers([None if x is None else write(x) for x in numbers])
    expected = quietly(typed, {"x0": "numeric"}).encode(typed)[:]
    separator = ";" if kind == COMMA else ","
    file = csv_of(texts, folder / "spelled.csv", delimiter=separator)
    forms = [texts, records_of(texts), pd.DataFrame(texts), pl.DataFrame(texts), pa.table(texts),
             file]  # fmt: skip
    if name != "percent":  # of which numbers without the sign are named
        forms.append(typed)
    for trained in (texts, file):
        columns = Columns.of(trained, {"x0": kind})  # warnings are errors: nothing is in doubt
        for later in forms:
            np.testing.assert_array_equal(columns.encode(later)[:], expected)
        for row in range(len(numbers)):
            np.testing.assert_array_equal(columns.encode(part_of(texts, [row]))[:], expected[[row]])


@pytest.mark.parametrize("name", [name for name in SPELLINGS if SPELLINGS[name][0] is HUNDREDTHS])
@few
@given(data=st.data())
def test_a_notation_that_leaves_no_doubt_need_not_be_said(name, data):
    entries, write, kind = SPELLINGS[name]
    numbers = data.draw(columns_of(entries))
    texts = beside_row_numbers([None if x is None else write(x) for x in numbers])
    found = Columns.of(texts).encode(texts)[:]  # warnings are errors: nothing is in doubt
    np.testing.assert_array_equal(found, Columns.of(texts, {"x0": kind}).encode(texts)[:])
