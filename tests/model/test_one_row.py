"""A single row is read entry by entry: with the bits, notes and errors of the long way."""

import datetime
import warnings
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from multilayer import TabularClassifier
from multilayer.data import Notation, read_table
from multilayer.data.row import OTHER, plain_row
from multilayer.errors import InvalidDataError
from multilayer.model import Column, Columns, Numeric, columns

UTC = datetime.UTC
some = settings(
    max_examples=10,
    phases=[Phase.generate, Phase.shrink],
)

WHOLE = st.integers(-100, 100)
COUNTS = st.integers(0, 100)
FLOATS = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.5, -0.0, 7.0, 0.1])
TEXTS = st.sampled_from(["a", " b", "b", "é", "e\u0301", "", "NA", '="01"'])
NUMERALS = st.sampled_from(
    ["1", "7.5", "1,200", "3,5", "$4", "45%", "NA", "-", "inf", "1e3", " 2 "]
)
MOMENTS = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2050, 1, 1))
DATES = st.sampled_from(["2024-01-05", "2024-02-30", "5/1/2024", "1.2.1999 10:30", "20240105", "?"])
MIXED = WHOLE | FLOATS | st.booleans() | TEXTS | st.dates() | st.just(Decimal("1.5"))

TYPES = {
    "int8": (WHOLE, "int8"),
    "int64": (WHOLE | st.integers(-(2**60), 2**60), "int64"),
    "uint64": (COUNTS | st.integers(2**53, 2**64 - 1), "uint64"),
    "float16": (WHOLE, "float16"),
    "float32": (FLOATS | st.just(np.inf), "float32"),
    "float64": (FLOATS | st.just(np.inf), "float64"),
    "bool": (st.booleans(), "bool"),
    "complex": (WHOLE, "complex128"),
    "datetime64[ns]": (MOMENTS, "datetime64[ns]"),
    "datetime64[s]": (MOMENTS, "datetime64[s]"),
    "datetime64, UTC": (MOMENTS, "datetime64[us, UTC]"),
    "timedelta64": (st.timedeltas(datetime.timedelta(0), datetime.timedelta(9)), "timedelta64[ns]"),
    "objects": (MIXED, "object"),
    "texts, objects": (TEXTS | NUMERALS | DATES, "object"),
    "texts": (TEXTS, "string"),
    "numerals": (NUMERALS, "str"),
    "dates": (DATES, "str"),
    "category of texts": (TEXTS | NUMERALS, "category"),
    "category of whole numbers": (WHOLE, "category"),
    "category of numbers": (FLOATS, "category"),
    "category of single floats": (FLOATS.map(np.float32), "category"),
    "category of booleans": (st.booleans(), "category"),
    "category of moments": (MOMENTS, "category"),
    "Int64": (WHOLE | st.integers(-(2**60), 2**60), "Int64"),
    "UInt8": (COUNTS, "UInt8"),
    "Float64": (FLOATS, "Float64"),
    "Float32": (FLOATS, "Float32"),
    "boolean": (st.booleans(), "boolean"),
    "period": (MOMENTS, "period[D]"),
    "sparse": (FLOATS, pd.SparseDtype("float32")),
    "arrow, int64": (WHOLE, pd.ArrowDtype(pa.int64())),
    "arrow, single floats": (FLOATS, pd.ArrowDtype(pa.float32())),
    "arrow, texts": (TEXTS, pd.ArrowDtype(pa.string())),
    "arrow, days": (MOMENTS.map(lambda when: when.date()), pd.ArrowDtype(pa.date32())),
}
"""Entries, and the type of pandas that holds them."""
CANNOT_MISS = {"int8", "int64", "uint64", "bool"}
UNLIKE = {"objects"}
"""A boolean among texts is a name, and alone a number."""
KINDS = [None, "numeric", "categorical", "date", "numeric: decimal comma"]


@st.composite
def series_of(draw, name):
    """Draw a column of a type, often with missing values."""
    entries, dtype = TYPES[name]
    if name not in CANNOT_MISS:
        entries = entries | st.none() if draw(st.booleans()) else entries
    column = draw(st.lists(entries, min_size=2, max_size=8))
    if dtype == "category" and "single" in name:
        floats = np.array([np.nan if x is None else x for x in column], np.float32)
        return pd.Series(pd.Categorical(floats))
    return pd.Series(column, dtype=object).astype(dtype)


def outcome(columns, X):
    """Return inputs to the bit and what is said of them, or the error."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            inputs = columns.encode(X)[:]
        except InvalidDataError as error:
            return str(error)
    assert inputs.dtype == np.float32
    return inputs.tobytes(), [str(each.message) for each in said]


def columns_of(X, kind, *, embedded):
    """Return the columns that fit, or None if nothing can be learned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Columns.of(X, {"a": kind} if kind else None, embedded=embedded)
        except InvalidDataError:
            return None


def assert_rows_are_read_the_same(columns, X):
    for i in range(len(X)):
        row = X.iloc[[i]]
        assert outcome(columns, row) == outcome(columns, read_table(row))


@pytest.mark.parametrize("name", TYPES)
@some
@given(data=st.data())
def test_a_row_of_any_type_is_read_as_typed_columns_are(name, data):
    X = pd.DataFrame({"a": data.draw(series_of(name)), "b": 1.0})
    X.loc[0, "b"] = 0.0
    kind, embedded = data.draw(st.sampled_from(KINDS)), data.draw(st.booleans())
    other = data.draw(st.sampled_from(list(TYPES)))
    trained = pd.DataFrame({"a": data.draw(series_of(data.draw(st.sampled_from([name, other]))))})
    found = columns_of(trained.assign(b=np.arange(len(trained)) % 2.0), kind, embedded=embedded)
    if found is not None:
        assert_rows_are_read_the_same(found, X)


@pytest.mark.parametrize("name", [name for name in TYPES if name not in UNLIKE])
@settings(some, max_examples=4)
@given(data=st.data())
def test_a_row_has_the_inputs_that_it_has_among_a_thousand(name, data):
    few = pd.DataFrame({"a": data.draw(series_of(name))})
    X = few.loc[np.arange(1000) % len(few)].reset_index(drop=True)
    X["b"] = np.arange(1000) % 7
    kind, embedded = data.draw(st.sampled_from(KINDS)), data.draw(st.booleans())
    found = columns_of(X, kind, embedded=embedded)
    if found is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = found.encode(X)[:]
    for i in range(len(few)):
        alone = outcome(found, X.iloc[[i]])
        if not isinstance(alone, str):  # alone, a text that is no number is an error
            assert alone[0] == whole[[i]].tobytes()


def of_objects(*entries):
    vector = np.empty(len(entries), dtype=object)
    vector[:] = entries
    return vector


FORMS = {
    "dict": lambda entry: {"a": [entry], "b": (1.0,)},
    "records": lambda entry: [{"a": entry, "b": 1.0}],
    "vectors": lambda entry: {"a": of_objects(entry), "b": np.ones(1)},
    "matrix": lambda entry: of_objects(entry, 1.0)[np.newaxis],
}
ENTRIES = st.one_of(
    MIXED, NUMERALS, DATES, MOMENTS, st.none(), st.just(float("nan")), st.just(pd.NA),
    st.just(pd.NaT), st.just(2**60 + 1), st.just(2**70), FLOATS.map(np.float32),
    WHOLE.map(np.int8), st.booleans().map(np.bool_), st.just([1]), st.just(np.float16(0.1)),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@settings(some, max_examples=100)
@given(data=st.data())
def test_a_row_in_any_form_is_read_as_typed_columns_are(form, data):
    entries = data.draw(st.sampled_from([WHOLE, FLOATS, TEXTS, NUMERALS, DATES, st.booleans()]))
    column = data.draw(st.lists(entries | st.none(), min_size=2, max_size=8))
    kind, embedded = data.draw(st.sampled_from(KINDS)), data.draw(st.booleans())
    trained = {"a": column, "b": [i % 2 for i in range(len(column))]}
    found = columns_of(trained, kind, embedded=embedded)
    if found is not None:
        X = FORMS[form](data.draw(ENTRIES))
        assert outcome(found, X) == outcome(found, read_table(X, names=found.names))


TRAINED = {"age": [20, 30, 40, None], "job": ["cook", "baker", "cook", None], "id": [None] * 4}
TRAINED |= {"day": ["2024-01-05", "2024-01-07", "2024-03-01", "2024-03-08"]}
ROW = {"age": [35], "job": ["cook"], "day": ["2024-02-01"]}


@pytest.fixture
def people():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Columns.of(TRAINED)


@pytest.mark.parametrize(
    "X",
    [
        {**ROW, "age": [1, 2]},
        {**ROW, "age": []},
        {**ROW, "age": 1},
        {**ROW, "age": np.ones((1, 1))},
        {**ROW, "age": pd.Series([30])},
        {**ROW, "height": [1.8]},
        {**ROW, "id": [3]},
        {"age": [35], "job": ["cook"]},
        [{"age": 35, "job": "cook"}],
        [{name: entries[0] for name, entries in reversed(ROW.items())}],
        {**ROW, 4: [1]},
        {0: [35], 1: ["cook"], 2: [None], 3: ["2024-02-01"]},
        np.array([[35, "cook", None, "2024-02-01"]], dtype=object),
        pd.DataFrame([[35, "cook", "2024-02-01", 2]], columns=["age", "job", "day", "age"]),
        pd.DataFrame([[35, "cook", None, "2024-02-01"]]),
        pd.DataFrame(ROW).set_index("age", drop=False),
        pd.DataFrame(ROW).iloc[:0],
    ],
    ids=repr,
)  # fmt: skip
def test_a_table_of_another_form_is_read_the_long_way(people, X):
    def long_way():
        try:
            return outcome(people, read_table(X, names=people.names))
        except InvalidDataError as error:
            return str(error)

    assert outcome(people, X) == long_way()


@pytest.mark.parametrize("make", [dict, pd.DataFrame, lambda X: pd.DataFrame(X).convert_dtypes()])
@pytest.mark.parametrize("age", [35, 35.5, True, None])
@pytest.mark.parametrize("job", ["cook", " baker ", None])
def test_a_usual_row_needs_no_typed_columns(people, make, age, job, monkeypatch):
    X = make(ROW | {"age": [age], "job": [job]})
    expected = outcome(people, read_table(X))
    monkeypatch.setattr(columns, "read_table", lambda *_, **__: pytest.fail("columns were typed"))
    assert outcome(people, X) == expected


@dataclass(frozen=True)
class Sine(Column):
    """A kind that reads typed entries alone."""

    kind = "sine"
    name: str
    input_names = ("sine",)

    of = from_dict = None

    def encode(self, entries, notes):
        return np.sin(entries.numbers(Notation(), notes))[:, np.newaxis].astype(np.float32)

    def __str__(self):
        return "sine"


@pytest.mark.parametrize("make", [dict, pd.DataFrame])
def test_a_kind_of_ones_own_need_not_be_quick(people, make):
    found = Columns([people.columns[0], Sine("wind"), *people.columns[1:]])
    X = make(ROW | {"wind": [0.5]})
    assert outcome(found, X) == outcome(found, read_table(X))
    assert found.encode(X)[:][0, found.input_names.index("sine")] == np.float32(np.sin(0.5))


class Doubled(Numeric):
    def values(self, entries, notes):
        return 2 * super().values(entries, notes)


def test_a_kind_that_changes_what_it_inherits_is_not_quick():
    found = Columns([Doubled("wind", 0.0, 1.0)])
    of_two = found.encode({"wind": [0.5, 0.5]})[:]
    assert (found.encode({"wind": [0.5]})[:] == of_two[:1]).all()


def test_what_is_no_plain_entry_is_marked():
    row = plain_row({"a": [1.5], "b": [Decimal("1.5")], "c": [2**60], "d": [pd.NA]}, ())
    assert row == {"a": 1.5, "b": OTHER, "c": OTHER, "d": None}


def test_a_column_may_have_the_name_of_a_method_of_lazy_frames():
    X = pd.DataFrame({"collect": np.arange(40), "b": np.arange(40) % 3})
    model = TabularClassifier(random_state=0).fit(X, X["b"] > 1)
    assert model.feature_names_in_.tolist() == ["collect", "b"]
    assert model.predict(X.iloc[[0]]).shape == (1,)


def test_an_estimator_takes_a_row_in_any_form():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.integers(18, 80, 60), "job": rng.choice(["cook", "smith"], 60)})
    model = TabularClassifier(random_state=0).fit(X, X["age"] > 40)
    row = X.iloc[[3]]
    expected = model.predict_proba(read_table(row))
    for form in (row, row.to_dict("list"), row.to_dict("records"), row.to_numpy(dtype=object)):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            np.testing.assert_array_equal(model.predict_proba(form), expected)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[["job", "age"]],
        lambda X: X[["age"]],
        lambda X: X.assign(z=1),
        lambda X: X.set_axis(["age", "jobs"], axis=1),
        lambda X: X.set_axis(["age", "age"], axis=1),
        lambda X: X.to_numpy(dtype=object)[:, :1],
        lambda X: X.to_dict("list") | {"z": [1] * len(X)},
    ],
)
def test_an_estimator_refuses_a_row_as_it_refuses_many(change):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.integers(18, 80, 60), "job": rng.choice(["cook", "smith"], 60)})
    model = TabularClassifier(n_members=2, random_state=0).fit(X, X["age"] > 40)
    said = []
    for part in (X[:1], X[:5]):
        with pytest.raises(ValueError, match=r"\S") as error:
            model.predict(change(part))
        said.append(str(error.value))
    assert said[0] == said[1]
