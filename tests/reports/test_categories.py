"""Categories: the same thing in another file, type or spelling is the same category; else named."""

import os
import subprocess
import sys
import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import cross_val_score

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import TableWarning, read_file
from multilayer.model import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(2)
KINDS = {"a": "categorical"}


def classifier(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "max_iter": 200, "random_state": 0}
    return MLPClassifier(**{"hidden_layer_sizes": 8} | given | settings)


def assert_same(training, later, kinds=KINDS):
    """Assert that entries are the categories of training, each in its row."""
    columns = Columns.of({"a": training}, kinds)
    found = columns.encode({"a": later})[:]  # warnings are errors: nothing is unknown
    np.testing.assert_array_equal(found, columns.encode({"a": training[: len(later)]})[:])
    np.testing.assert_array_equal(found.sum(axis=1), 1)


# Unknown ones ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (("yes", "no"), "Yes"),
        (("yes", "no"), "Y"),
        (("yes", "no"), "YES"),
        (("Y", "N"), "Yes"),
        (("Yes", "No"), "y"),
        (("yes", "no"), True),
        (("yes", "no"), 1),
        (("male", "female"), "Male"),
        (("red", "green"), "rot"),
    ],
)
@pytest.mark.parametrize("n_rows", [1, 500])
def test_another_word_or_case_is_unknown_and_named_from_the_first_row_on(known, word, n_rows):
    X = {"a": known * 20}
    columns = Columns.of(X)
    other = [word] + [known[0]] * (n_rows - 1)
    told = rf"column 'a' of X has categories not seen in training, such as '{word}' at row 0"
    with pytest.warns(TableWarning, match=f"{told}; known ones include '{min(known)}'$"):
        found = columns.encode({"a": other})[:]
    assert not found[0].any()
    assert (found[1:].sum(axis=1) == 1).all()


def test_one_unknown_category_among_many_rows_is_named_by_frames_files_and_models(
    written, mlp, tmp_path
):
    X = pd.DataFrame({"a": ["x", "y", "z"] * 30, "b": RNG.normal(size=90)})
    model = classifier().fit(X, X["a"] == "x")
    model.save(tmp_path / "m")
    new = pd.concat([X] * 50, ignore_index=True)
    new.loc[4000, "a"] = "w"
    forms = [new, pl.from_pandas(new), pa.Table.from_pandas(new), new.to_dict("list")]
    for later in forms:
        for each in (model, multilayer.load(tmp_path / "m")):
            with pytest.warns(
                TableWarning, match="not seen in training, such as 'w' at row 4000; known"
            ):
                each.predict(later)
    path = written(new.to_csv(index=False))
    told = mlp("predict", tmp_path / "m", path).stderr
    assert "'a' has categories not seen in training, such as 'w' at row 4,001 below" in told
    model.set_params(early_stopping="loss")
    with pytest.warns(TableWarning, match="'a' of X_val has categories not seen in training"):
        model.fit(X, X["a"] == "x", X_val=new, y_val=new["a"] == "x")


# The same ones -----------------------------------------------------------------------------


def test_true_beside_its_name(forms):
    mixed = [True, "True", False, "False"] * 10
    for X in ({"a": mixed}, pd.DataFrame({"a": pd.Series(mixed, dtype=object)})):
        columns = Columns.of(X)
        np.testing.assert_array_equal(
            columns.encode(X)[:], columns.encode({"a": [True, True, False, False] * 10})[:]
        )
    with_more = [True, "True", False, "False", "unknown"] * 10
    columns = Columns.of({"a": with_more})
    assert columns.columns[0].categories == ("False", "True", "unknown")
    assert_same(with_more, ["True", True, "false", False, "unknown"])
    for X in forms({"a": ["TRUE", "FALSE", "unknown"]}).values():  # as other programs write them
        np.testing.assert_array_equal(
            columns.encode(X)[:], columns.encode({"a": [True, False, "unknown"]})[:]
        )


@pytest.mark.parametrize("training", [["1", "2", "x"], ["true", "false", "x"], [True, False, "x"]])
def test_booleans_and_ones_and_zeros(training):
    ones = {"1": True, "2": None}.get(training[0])
    columns = Columns.of({"a": training * 10})
    if ones is None:
        assert columns.encode({"a": ["True", "FALSE"]})[:].sum() == 2
    else:
        with pytest.warns(TableWarning, match="not seen in training, such as 'False'"):
            assert columns.encode({"a": [True, False]})[:].sum() == 1


def test_files_that_were_appended(written, mlp, train, tmp_path):
    """A column with a gap is written as 7.0, and one without as 7."""
    lines = "".join(f"7.0,{i},a\n3.0,{i},b\n" for i in range(20))
    more = "".join(f"7,{i},a\n3,{i},b\nA,{i},b\n" for i in range(20))
    path = written("code,x,y\n" + lines + more)
    columns = Columns.of(read_file(path).select(["code"]))
    assert columns.columns[0].categories == ("3", "7", "A")
    assert_same([7.0, "7", "3.0", "3", 7, "x"], [7, 7.0, 3, "3.0", "7.0", "x"])
    train(path, "--categorical", "code", "--epochs", "20", "--save", tmp_path / "m")
    rows = [
        mlp("predict", tmp_path / "m", written(f"x,code\n1,{seven}\n1,{three}\n", "p.csv")).stdout
        for seven, three in [("7", "3"), ("7.0", "3.0"), ("7.00", "3."), ("07", "+3")]
    ]
    assert len(set(rows)) == 1


@pytest.mark.parametrize("blank", [" ", "  ", "\t", "\u00a0", "\u3000", "\r\n", "\u2009"])
def test_blanks_around(forms, blank):
    training = [f"{blank}left", f"right{blank}", f"{blank}both{blank}", "none"]
    names = ["left", "right", "both", "none"]
    assert_same(training * 5, names)
    assert_same(names * 5, training)
    columns = Columns.of({"a": names * 5})
    for X in forms({"a": training}).values():
        np.testing.assert_array_equal(columns.encode(X)[:], columns.encode({"a": names})[:])
    typed = pd.DataFrame({"a": pd.Categorical(training)})
    np.testing.assert_array_equal(columns.encode(typed)[:], columns.encode({"a": names})[:])


def test_the_two_forms_of_one_letter(forms):
    words = ["Zürich", "Ångström", "Việt Nam", "한국", "naïve", "plain"]
    apart = [unicodedata.normalize("NFD", word) for word in words]
    assert apart != words
    assert_same(words * 5, apart)
    assert_same(apart * 5, words)
    columns = Columns.of({"a": [*words, *apart] * 3})
    assert len(columns.columns[0].categories) == len(words)
    for X in forms({"a": apart}).values():
        np.testing.assert_array_equal(columns.encode(X)[:], columns.encode({"a": words})[:])


def test_names_of_columns_in_the_other_form_are_named():
    model = classifier().fit({"größe": [1.0, 2.0] * 10}, [0, 1] * 10)
    with pytest.raises(ValueError, match=r"missing: größe; unexpected: gro"):
        model.predict({unicodedata.normalize("NFD", "größe"): [1.0]})


CODES = {
    "floats": np.array([1.0, 2.0, 30.0]),
    "single floats": np.array([1, 2, 30], dtype=np.float32),
    "integers": np.array([1, 2, 30]),
    "bytes": np.array([1, 2, 30], dtype=np.uint8),
    "objects": [1, 2, 30],
    "text": ["1", "2", "30"],
    "text with points": ["1.0", "2.0", "30.0"],
    "mixed": [1, "2.0", 30.0],
    "decimals": [Decimal(1), Decimal("2.0"), Decimal(30)],
    "categories of numbers": pd.Categorical([1, 2, 30]),
    "categories of floats": pd.Categorical([1.0, 2.0, 30.0]),
    "categories of text": pd.Categorical(["1", "2", "30"]),
    "nullable integers": pd.array([1, 2, 30], dtype="Int64"),
    "nullable text": pd.array(["1", "2", "30"], dtype="string"),
    "text of pyarrow": pa.array(["1", "2", "30"]),
    "dictionary of pyarrow": pa.array([1, 2, 30]).dictionary_encode(),
    "categories of polars": pl.Series(["1", "2", "30"], dtype=pl.Categorical),
    "enum of polars": pl.Series(["1", "2", "30"], dtype=pl.Enum(["30", "2", "1"])),
    "small integers of polars": pl.Series([1, 2, 30], dtype=pl.Int8),
}


@pytest.mark.parametrize("training", CODES)
def test_codes_of_any_type_are_the_same(training):
    columns = Columns.of({"a": CODES[training]}, KINDS)
    assert columns.columns[0].categories == ("1", "2", "30")
    for name, later in CODES.items():
        np.testing.assert_array_equal(columns.encode({"a": later})[:], np.eye(3), err_msg=name)


def test_codes_of_one_file_with_gaps_and_the_next_without(written, mlp, tmp_path):
    """pandas reads a column of codes as floats where one is missing."""
    first = pd.DataFrame({"a": [1, 2, 3, None] * 10, "y": ["p", "q", "q", "p"] * 10})
    model = classifier(columns=KINDS).fit(first[["a"]], first["y"])
    second = pd.DataFrame({"a": [1, 2, 3]})
    assert (first["a"].dtype, second["a"].dtype) == ("float64", "int64")
    assert model.predict(second).tolist() == ["p", "q", "q"]
    model.save(tmp_path / "m")
    for text in ("a\n1\n2\n3\n", "a\n1.0\n2.0\n3.0\n"):
        rows = mlp("predict", tmp_path / "m", written(text)).stdout.splitlines()
        assert [row[0] for row in rows[1:]] == ["p", "q", "q"]
    pytest.importorskip("onnxruntime")
    for sample in (second, second.astype(float), second.astype(str)):
        model.export(tmp_path / "m.onnx", sample=sample)


# Zeros that are lost -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "later", [["501", "2139", "10001"], [501, 2139, 10001], [501.0, 2139, 10001]]
)
def test_zeros_in_front_that_a_program_has_dropped(forms, later):
    codes = ["00501", "02139", "10001"] * 10
    columns = Columns.of({"zip": codes})
    assert columns.columns[0].categories == ("00501", "02139", "10001")
    np.testing.assert_array_equal(columns.encode({"zip": later})[:], np.eye(3))
    if isinstance(later[0], str):
        for X in forms({"zip": later}).values():
            np.testing.assert_array_equal(columns.encode(X)[:], np.eye(3))
    assert_same(["501", "2139", "10001"] * 10, ["00501", "02139", "10001"])


def test_zeros_that_make_a_difference():
    columns = Columns.of({"code": ["07", "7", "x"] * 10})
    np.testing.assert_array_equal(columns.encode({"code": ["07", "7", "x"]})[:], np.eye(3))
    with pytest.warns(TableWarning, match="such as '007' at row 0"):
        assert not columns.encode({"code": ["007"]})[:].any()


# Missing ones ------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["NA", "None", "none", "null", "nan", "N/A", "NULL", "-", "?"])
def test_words_that_are_categories_among_categories(forms, written, word):
    """Namibia's code is NA, and a wall may have no veneer: empty cells alone are missing."""
    codes = [word, "NL", "DE", None] * 10
    for X in forms({"country": codes}).values():
        columns = Columns.of(X)
        assert columns.columns[0].categories == tuple(sorted(["DE", "NL", word]))
        assert columns.columns[0].has_missing
        found = columns.encode({"country": [word, None, ""]})[:]
        assert found[:, -1].tolist() == [0, 1, 1]
        assert found.sum() == 3
    kept = read_file(written(f"country\n{word}\nNL\n"), missing=[word])
    assert kept["country"].n_present == 1


def test_namibia_is_learned_from_a_file(written, mlp, train, tmp_path):
    path = written(
        "country,x,y\n"
        + "".join(f"{c},{i},{c == 'NA'}\n" for i in range(30) for c in ("NA", "NL", ""))
    )
    train(path, "--optimizer", "lbfgs", "--hidden", "8", "--save", tmp_path / "m")
    rows = mlp("predict", tmp_path / "m", written("country,x\nNA,1\nNL,1\n,1\n", "p.csv")).stdout
    assert [row.split(",")[0] for row in rows.splitlines()[1:]] == ["True", "False", "False"]


@pytest.mark.parametrize("gap", [None, "", " ", np.nan, pd.NA])
@pytest.mark.parametrize(
    "training", [["x", "y"], [1.0, 2.0], ["2024-01-05", "2024-03-09"], [True, False]]
)
def test_missing_when_predicting_and_never_in_training(training, gap):
    columns = Columns.of({"a": training * 15})
    with pytest.warns(
        TableWarning, match="'a' of X has a missing value at row 0, but had none in tr"
    ):
        found = columns.encode({"a": pd.Series([gap, training[0]], dtype=object)})[:]
    assert not found[0].any()
    with pytest.warns(
        TableWarning, match="'a' of X has 3 missing values, the first at row 1, but had no"
    ):
        columns.encode({"a": pd.Series([training[0], gap, gap, gap], dtype=object)})


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_empty_in_training_and_filled_when_predicting(convert):
    X = {"a": [None] * 40, "b": [1.0, 2.0] * 20}
    with pytest.warns(TableWarning, match=r"which are ignored: 'a' \(no entries\)"):
        model = classifier().fit(convert(X), [0, 1] * 20)
    for filled in ([5.0, 6.0], ["p", "q"], [[1], [2]]):
        assert model.predict(convert({"a": filled, "b": [1.0, 2.0]})).tolist() == [0, 1]
    assert model.predict({"b": [2.0]}).tolist() == [1]


# Many of them ------------------------------------------------------------------------------


def test_more_categories_than_are_kept(forms):
    words = [f"w{i % 400:03d}" for i in range(1200)] + [f"w{i:03d}" for i in range(256)]
    for X in forms({"a": words}).values():
        with pytest.warns(
            TableWarning, match="'a' of .* has more than 256 categories; only the 256"
        ):
            columns = Columns.of(X)
        assert len(columns.columns[0].categories) == 256
        assert not columns.encode({"a": ["w399", "w000"]})[:][0].any()  # known to be rare
        with pytest.warns(TableWarning, match="not seen in training, such as 'w999' at row 0"):
            columns.encode({"a": ["w999"] * 30})


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, dict])
def test_categories_of_the_first_batch(convert):
    batches = [{"a": ["x", "y"] * 20}, {"a": ["x", "z"] * 20}]
    model = classifier(solver="adam")
    told = "partial_fit decided what the columns of X hold from its first 40 rows; categories th"
    with pytest.warns(TableWarning, match=told):
        model.partial_fit(convert(batches[0]), [0, 1] * 20, classes=[0, 1])
    with pytest.warns(TableWarning, match="not seen in training, such as 'z' at row 1"):
        model.partial_fit(convert(batches[1]), [0, 1] * 20)
    assert model.columns_.columns[0].categories == ("x", "y")


# Types of categories -----------------------------------------------------------------------


@pytest.mark.parametrize("bins", [4, [-10, 0, 1, 10]])
def test_intervals_of_pandas(tmp_path, bins):
    values = RNG.normal(size=200)
    X = pd.DataFrame({"a": pd.cut(values, bins)})
    model = classifier().fit(X, values > 0)
    assert model.score(X, values > 0) > 0.7
    names = X["a"].cat.categories
    assert set(model.columns_.columns[0].categories) <= set(map(str, names))
    for other in (
        X.astype(str),
        X.astype(object),
        {"a": list(X["a"])},
        {"a": pl.Series(X["a"].astype(str))},
    ):
        np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(multilayer.load(tmp_path / "m").predict(X), model.predict(X))


def test_intervals_with_gaps():
    X = pd.DataFrame({"a": pd.cut(pd.Series([1.0, np.nan, 5, 9] * 10), [0, 3, 6])})
    (column,) = Columns.of(X).columns
    assert (column.categories, column.has_missing) == (("(0, 3]", "(3, 6]"), True)


@pytest.mark.parametrize(
    "later",
    [
        pd.Categorical(["c", "a", "b"], categories=["c", "b", "a"]),
        pd.Categorical(["c", "a", "b"], categories=["x", "a", "b", "c", "y"]),
        pd.Categorical(["c", "a", "b"], ordered=True),
        pl.Series(["c", "a", "b"], dtype=pl.Categorical),
        pl.Series(["c", "a", "b"], dtype=pl.Enum(["b", "c", "z", "a"])),
        pa.array(["c", "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([2, 1, 0]), pa.array(["b", "a", "c"])),
        np.array(["c", "a", "b"]),
        np.array(["c", "a", "b"], dtype=object),
        ["c", "a", "b"],
    ],
)
def test_other_order_codes_or_levels_of_a_type(later):
    training = pd.DataFrame({"a": pd.Categorical(["a", "b", "c"] * 10, categories=["b", "c", "a"])})
    columns = Columns.of(training)
    np.testing.assert_array_equal(columns.encode({"a": later})[:], np.eye(3)[[2, 0, 1]])


def test_levels_that_no_row_has_are_no_categories():
    X = pd.DataFrame({"a": pd.Categorical(["a", "b"] * 10, categories=["a", "b", "never"])})
    columns = Columns.of(X)
    assert columns.columns[0].categories == ("a", "b")
    with pytest.warns(TableWarning, match="not seen in training, such as 'never'"):
        columns.encode({"a": ["never"]})


def test_pieces_of_a_pyarrow_table_with_dictionaries_of_their_own():
    first = pa.table({"a": pa.array(["x", "y"] * 10).dictionary_encode()})
    second = pa.table({"a": pa.array(["y", "z"] * 10).dictionary_encode()})
    both = pa.concat_tables([first, second])
    columns = Columns.of(both)
    np.testing.assert_array_equal(
        columns.encode(both)[:], columns.encode({"a": ["x", "y"] * 10 + ["y", "z"] * 10})[:]
    )


# All of it at once -------------------------------------------------------------------------


def test_another_process_knows_the_same_categories(tmp_path):
    X = {"a": [1, 2, 7] * 20, "b": ["Zürich", "07", "True"] * 20}
    model = MLPRegressor(hidden_layer_sizes=8, columns=KINDS, random_state=0, max_iter=2)
    model.fit(X, range(60)).save(tmp_path / "m")
    program = (
        "import multilayer; print(multilayer.load('m').predict("
        "{'a': ['1.0', 2.0, '07'], 'b': ['Zu\\u0308rich', 7, True]}))"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True,
                           capture_output=True, text=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert found.stdout.strip() == str(model.predict({name: X[name][:3] for name in X}))


def test_they_are_learned_in_every_form(forms):
    X = {"a": ["x ", "y", " z", None] * 30, "b": ["07", "8", "9.0"] * 40}
    y = np.array([1, 0, 0, 1] * 30) ^ np.array([1, 0, 0] * 40)
    expected = classifier().fit(X, y).predict_proba(X)
    for form in forms(X).values():
        model = classifier().fit(form, y)
        assert model.score(form, y) > 0.9
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert cross_val_score(classifier(), pd.DataFrame(X), y, cv=3).min() > 0.9
