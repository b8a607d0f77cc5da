"""Columns of frames: what libraries call them, what they hold, and what cannot be learned from."""

import enum
import pathlib
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from pyarrow import parquet
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import multilayer
from multilayer import MLPRegressor
from multilayer.data import TableWarning, read_file, read_table
from multilayer.errors import InvalidDataError
from multilayer.model import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(4)
N = 120
A, B = RNG.normal(size=N), RNG.normal(size=N)
Y = 3 * A + B


def regressor(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "scale_targets": True, "random_state": 0}
    return MLPRegressor(**{"hidden_layer_sizes": 16, "max_iter": 300} | given | settings)


# What cannot be learned from ---------------------------------------------------------------


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_several_unusable_columns_are_named_in_one_warning(convert, tmp_path):
    X = {
        "x": A,
        "empty": [None] * N,
        "same": ["x"] * N,
        "name": [f"person {i}" for i in range(N)],
        "lists": [[1, 2]] * N,
        "records": [{"k": 1}] * N,
        "bytes": [b"x"] * N,
        "user_id": range(N, 2 * N),
    }
    with pytest.warns(TableWarning) as told:
        model = regressor().fit(convert(X), A)
    (told,) = [str(each.message) for each in told]
    assert told.startswith("nothing can be learned from these columns of X, which are ignored: ")
    assert "'empty' (no entries); 'same' (one value); 'name', 'user_id' (identifiers)" in told
    assert all(f"'{name}'" in told for name in X if name != "x")
    assert model.columns_.needed == ("x",)
    assert model.score({"x": A}, A) > 0.9
    np.testing.assert_array_equal(model.predict(convert(X)), model.predict({"x": A}))
    model.save(tmp_path / "m")
    loaded = multilayer.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(convert(X)), model.predict({"x": A}))


@pytest.mark.parametrize("name", ["Unnamed: 0", "index", "id", "PassengerId", "customer id", ""])
def test_the_index_of_a_sorted_file(written, name):
    """It tells the target apart, and nothing of the next file."""
    frame = pd.DataFrame({"x": A, "y": A + RNG.normal(0, 0.1, N)}).sort_values("y")
    path = written(frame.to_csv(index_label=name, index=True))
    table = read_file(path)
    for X in (table.select([table.columns[0], "x"]), pd.read_csv(path).drop(columns="y")):
        with pytest.warns(TableWarning, match=r"ignored: '.*' \(identifiers\)"):
            model = regressor().fit(X, frame["y"])
        assert model.score({"x": A}, A) > 0.9
    kept = Columns.of(table.select([table.columns[0]]), {table.columns[0]: "numeric"})
    assert kept.in_features == 1


def test_numbers_that_differ_in_all_rows_are_learned_under_another_name():
    assert Columns.of({"population": np.arange(N), "grid": np.arange(N)}).in_features == 2


@pytest.mark.parametrize(
    "entry", [[1, 2], (1, 2), {"k": 1}, {1, 2}, np.arange(3), b"x", 1 + 2j, object(), len]
)
@pytest.mark.parametrize("place", ["everywhere", "once", "beside gaps"])
def test_lists_and_records_in_cells(entry, place):
    others = {"everywhere": entry, "once": "x", "beside gaps": None}[place]
    cells = np.empty(N, dtype=object)
    cells[:] = [others] * N
    for i in {"everywhere": range(N)}.get(place, [5]):
        cells[i] = entry
    for X in (pd.DataFrame({"x": A, "cells": cells}), {"x": A, "cells": list(cells)}):
        kind = type(entry).__name__
        with pytest.warns(
            TableWarning, match=rf"which are ignored: 'cells' \(an entry of type {kind}"
        ):
            assert Columns.of(X).needed == ("x",)
    with pytest.raises(
        InvalidDataError, match="column 'cells' of X must hold numbers, text, dates or"
    ):
        Columns.of(X, {"cells": "categorical"})


def test_nested_columns_of_parquet(tmp_path):
    maps = pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64()))
    X = pa.table({"x": A, "list": [[1]] * N, "struct": [{"k": 1}] * N, "map": maps})
    parquet.write_table(X, tmp_path / "t.parquet")
    for table in (X, read_file(tmp_path / "t.parquet"), pl.from_arrow(X)):
        with pytest.warns(TableWarning, match=r"'list' \(entries of type List"):
            assert Columns.of(table).needed == ("x",)


def test_lists_that_come_later_in_a_column_that_is_left_out_or_not():
    with pytest.warns(TableWarning, match=r"'none' \(no entries\)"):
        columns = Columns.of({"x": A, "none": [None] * N})
    columns.encode({"x": A[:1], "none": [[1]]})
    with pytest.raises(
        InvalidDataError, match="column 'x' of X must hold numbers; got an entry of t"
    ):
        columns.encode({"x": [[1]]})


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Size(enum.StrEnum):
    SMALL = "s"
    LARGE = "l"


def test_uuids_paths_and_members_of_an_enum(tmp_path):
    keys = [uuid.UUID(int=i % 3) for i in range(N)]
    X = {
        "key": keys,
        "path": [pathlib.Path(f"/data/{i % 2}") for i in range(N)],
        "colour": [list(Colour)[i % 2] for i in range(N)],
        "size": [list(Size)[i % 2] for i in range(N)],
    }
    y = np.array([10.0 * (i % 3) + i % 2 for i in range(N)])
    for table in (X, pd.DataFrame(X), pd.DataFrame(X).to_dict("records")):
        model = regressor().fit(table, y)
        assert [column.kind for column in model.columns_.columns] == ["categorical"] * 4
        assert model.score(table, y) > 0.9
    model.save(tmp_path / "m")
    text = {"key": list(map(str, keys)), "path": list(map(str, X["path"]))}
    text |= {"colour": [c.name for c in X["colour"]], "size": [size.value for size in X["size"]]}
    np.testing.assert_array_equal(multilayer.load(tmp_path / "m").predict(text), model.predict(X))


@pytest.mark.parametrize("n", [20, 25, 200])
def test_names_in_a_table_of_few_rows(n):
    """Of fewer rows than 20 every text may count."""
    X = pd.DataFrame({"name": [f"person {i}" for i in range(n)], "x": RNG.normal(size=n)})
    X.loc[:0, "name"] = "person 1"  # one of them stands twice
    with pytest.warns(TableWarning, match=r"ignored: 'name' \(identifiers\)"):
        model = regressor().fit(X, X["x"])
    assert model.score(X, X["x"]) > 0.9
    assert Columns.of(X[:19]).columns[0].kind == "categorical"
    assert Columns.of(X, {"name": "categorical"}).columns[0].kind == "categorical"


# What they are called ----------------------------------------------------------------------

NAMES = {
    "numbers from 0 on": [0, 1],
    "numbers": [2020, 7],
    "numbers with points": [0.5, 1.5],
    "levels": [("a", "x"), ("a", "z")],
    "a level and None": [("a", ""), ("b", None)],
    "numbers and text": ["a", 1],
    "moments": list(pd.date_range("2024", periods=2)),
    "booleans": [False, True],
    "None and text": [None, "b"],
    "text": ["x0", "x1"],
    "odd text": ["", "a, b\n\"'"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_any_type_in_another_order(kind, tmp_path):
    names = NAMES[kind]
    frame = pd.DataFrame(np.column_stack([A, B]), columns=pd.Index(names, tupleize_cols=True))
    model = regressor().fit(frame, Y)
    assert model.score(frame, Y) > 0.9
    turned = frame.iloc[:, ::-1]
    if kind not in ("text", "odd text"):  # which scikit-learn wants in their order
        np.testing.assert_array_equal(model.predict(turned), model.predict(frame))
    model.save(tmp_path / "m")
    loaded = multilayer.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(turned), model.predict(frame))
    columns = dict(zip(frame.columns, frame.to_numpy().T, strict=True))
    turned = dict(reversed(columns.items()))
    for X in (columns, turned, turned.copy()):
        np.testing.assert_array_equal(model.predict(X), model.predict(frame))
    np.testing.assert_array_equal(
        regressor().fit(columns, Y).predict(columns), model.predict(frame)
    )
    records = [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy().tolist()]
    np.testing.assert_array_equal(loaded.predict(records), model.predict(frame))


def test_numbered_columns_some_of_which_are_left_out():
    frame = pd.DataFrame({0: A, 1: [f"person {i}" for i in range(N)], 2: B})
    with pytest.warns(TableWarning, match=r"ignored: 'x1' \(identifiers\)"):
        model = regressor().fit(frame, Y)
    expected = model.predict(frame)
    np.testing.assert_array_equal(model.predict(frame[[2, 0]]), expected)
    np.testing.assert_array_equal(model.predict(frame[[2, 1, 0]]), expected)
    np.testing.assert_array_equal(model.predict({0: A, 2: B}), expected)
    rows = frame.astype(object).to_numpy()
    np.testing.assert_array_equal(model.predict(rows), expected)
    with pytest.raises(
        ValueError, match="X must have the columns x0, x2; missing: x0, x2; unexpected"
    ):
        model.predict(frame[[2, 0]].rename(columns={0: 5, 2: 6}))


@pytest.mark.parametrize("convert", [pd.DataFrame, dict])
def test_names_that_become_the_same_text_are_refused(convert):
    with pytest.raises(
        InvalidDataError,
        match=r"different name for each column: rename one; got '1' twice$",
    ):
        regressor().fit(convert({1: A, "1": B}), Y)


def test_names_of_several_levels_are_named_where_they_are_not_there():
    frame = pd.DataFrame({("a", "x"): A, ("a", "z"): B})
    model = regressor(max_iter=5).fit(frame, Y)
    assert model.feature_names_in_.tolist() == ["('a', 'x')", "('a', 'z')"]
    with pytest.raises(InvalidDataError, match=r"missing: \('a', 'z'\); unexpected: \('b', 'z'\)"):
        model.predict(
            frame.rename(columns={"a": "a", "z": "z"}).set_axis([("a", "x"), ("b", "z")], axis=1)
        )


# What they come in -------------------------------------------------------------------------

FRAME = pd.DataFrame({"a": A, "b": B, "c": np.where(A > 0, "u", "v")})
TABLES = {
    "pandas": lambda frame: frame,
    "pandas on pyarrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "nullable pandas": lambda frame: frame.convert_dtypes(),
    "pandas with another index": lambda frame: frame.set_index(frame.index[::-1] * 7),
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "pyarrow in pieces": lambda frame: pa.concat_tables(
        [pa.Table.from_pandas(frame[:1]), pa.Table.from_pandas(frame[1:])],
        promote_options="default",  # of one row with None alone the type is null
    ),
    "batch of pyarrow": lambda frame: pa.Table.from_pandas(frame).to_batches()[0],
    "a lazy frame": lambda frame: pl.from_pandas(frame).lazy(),
    "a pyarrow Dataset": lambda frame: ds.dataset(pa.table(frame)),
    "dict of lists": lambda frame: frame.to_dict("list"),
    "dict of arrays": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "dict of series": lambda frame: {name: frame[name] for name in frame},
    "records": lambda frame: frame.to_dict("records"),
    "Table": read_table,
}


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(FRAME, Y)


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_every_library(fitted, name, tmp_path):
    convert, expected = TABLES[name], fitted.predict(FRAME)
    model = regressor().fit(convert(FRAME), Y, X_val=convert(FRAME[:9]), y_val=Y[:9])
    for X in (convert(FRAME), FRAME):
        np.testing.assert_array_equal(fitted.predict(X), expected)
        np.testing.assert_array_equal(model.predict(X), expected)
    # One row is computed as a vector, many as a matrix: in float32 the last digits may differ.
    np.testing.assert_allclose(fitted.predict(convert(FRAME[:1])), expected[:1], rtol=1e-4)
    fitted.save(tmp_path / "m")
    np.testing.assert_array_equal(multilayer.load(tmp_path / "m").predict(convert(FRAME)), expected)
    np.testing.assert_array_equal(fitted.transform(convert(FRAME)), fitted.transform(FRAME))
    pytest.importorskip("onnxruntime")
    fitted.export(tmp_path / "m.onnx", sample=convert(FRAME))


def test_an_iterator_of_frames(fitted):
    parts = FRAME[:50], pl.from_pandas(FRAME[50:60]), pa.table(FRAME[60:])
    model = regressor().fit(iter(parts), Y)
    for X in (FRAME, iter(parts)):
        np.testing.assert_array_equal(model.predict(X), fitted.predict(FRAME))


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow", "records", "Table"])
def test_tables_are_divided_by_scikit_learn(name):
    X = TABLES[name](FRAME)
    assert cross_val_score(regressor(), X, Y, cv=3).min() > 0.9
    assert GridSearchCV(regressor(), {"alpha": [1e-4]}, cv=2).fit(X, Y).best_score_ > 0.9
    X_train, X_test, y_train, y_test = train_test_split(X, Y, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(), regressor())
    assert pipeline.fit(X_train, y_train).score(X_test, y_test) > 0.9


def test_one_row_as_a_dict_in_a_list(fitted):
    row = {"c": "u", "b": 0.5, "a": 1}
    (found,) = fitted.predict([row])
    assert found == pytest.approx(3.5, abs=0.5)
    assert fitted.predict((row, row)).tolist() == pytest.approx([found] * 2)
    with pytest.raises(InvalidDataError, match=r"for one row, write \{'c': \['u'\], …\}; got str$"):
        fitted.predict(row)
    with pytest.raises(InvalidDataError, match=r"missing: b; unexpected: d$"):
        fitted.predict([{"a": 1, "c": "u", "d": 5}])
    with pytest.warns(TableWarning, match="'b' of X has a missing value at row 1"):
        fitted.predict([row, {"a": 1, "c": "u"}])


def test_sparse_columns_of_pandas():
    zeros = np.where(RNG.random(N) < 0.7, 0.0, A)
    gaps = np.where(RNG.random(N) < 0.3, np.nan, B)
    flags = RNG.random(N) < 0.2
    dense = pd.DataFrame({"zeros": zeros, "gaps": gaps, "flags": flags, "counts": np.arange(N) % 3})
    sparse = dense.copy()
    for name, fill in {"zeros": 0.0, "gaps": np.nan, "flags": False, "counts": 0}.items():
        sparse[name] = pd.arrays.SparseArray(dense[name], fill_value=fill)
    columns = Columns.of(dense)
    for X in (sparse, {name: sparse[name] for name in sparse}):
        np.testing.assert_array_equal(Columns.of(X).encode(X)[:], columns.encode(dense)[:])
        np.testing.assert_array_equal(columns.encode(X)[:], columns.encode(dense)[:])
    y = zeros + 2 * flags
    assert regressor().fit(sparse, y).score(dense, y) > 0.9
    dummies = pd.get_dummies(pd.DataFrame({"k": ["a", "b"] * 20}), sparse=True)
    assert Columns.of(dummies).in_features == 2
