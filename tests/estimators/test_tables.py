"""Raw tables: text, categories and gaps, through everything that estimators do."""

import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import multilayer
from multilayer import Architecture, MLPClassifier, MLPRegressor, TabularClassifier
from multilayer.data import TableWarning, read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.model import Columns, Model
from multilayer.numpy import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 300
COLOURS = RNG.choice(["red", "green", "blue"], N)
SIZES = RNG.normal(50, 20, N)
FRAME = pd.DataFrame(
    {
        "colour": pd.Series(COLOURS, dtype=object).mask(RNG.random(N) < 0.1),
        "size": pd.Series(SIZES).mask(RNG.random(N) < 0.1),
        "old": RNG.random(N) < 0.5,
        "level": pd.Categorical(RNG.choice(["low", "high"], N)),
    }
)
Y = np.where((COLOURS == "red") ^ (SIZES > 50), "yes", "no")
VALUES = 1000 + 10 * SIZES + 300 * (COLOURS == "red")


def classifier(**settings):
    return MLPClassifier(
        16,
        **{"columns": "auto", "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
        | settings,
    )


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(FRAME, Y)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_raw_table_is_learned(engine):
    model = classifier(engine=engine).fit(FRAME, Y)
    assert model.score(FRAME, Y) > 0.85
    assert list(model.feature_names_in_) == list(FRAME)
    assert model.n_features_in_ == 4
    assert model.coefs_[0].shape == (3 + 1 + 2 + 1 + 2, 16)


def test_a_regressor_learns_from_it_too():
    model = MLPRegressor(
        hidden_layer_sizes=16, columns="auto", scale_targets=True, solver="lbfgs", random_state=0
    )
    assert model.fit(FRAME, VALUES).score(FRAME, VALUES) > 0.85


@pytest.mark.parametrize("convert", [pl.from_pandas, lambda f: f.convert_dtypes()])
def test_other_frames_give_the_same_bits(fitted, convert):
    found = classifier().fit(convert(FRAME), Y).predict_proba(convert(FRAME))
    np.testing.assert_array_equal(found, fitted.predict_proba(FRAME))


def test_rows_without_names_are_a_table_too(fitted):
    rows = FRAME.astype(object).to_numpy()
    model = classifier().fit(rows, Y)
    np.testing.assert_array_equal(model.predict_proba(rows), fitted.predict_proba(FRAME))


def test_a_file_predicts_the_same_bits_from_what_python_has(fitted, tmp_path):
    fitted.save(tmp_path / "m.safetensors")
    model = multilayer.load(tmp_path / "m.safetensors")
    assert isinstance(model.inputs, Columns)
    table = {name: FRAME[name].astype(object).where(FRAME[name].notna(), None) for name in FRAME}
    table = {name: column.tolist() for name, column in table.items()}
    np.testing.assert_array_equal(model.predict_proba(table), fitted.predict_proba(FRAME))
    np.testing.assert_array_equal(model.predict_proba(FRAME), fitted.predict_proba(FRAME))


def test_onnx_takes_every_column(fitted, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    fitted.export(path)
    fitted.export(path, sample=FRAME)
    session = runtime.InferenceSession(path)
    assert [port.name for port in session.get_inputs()] == list(FRAME)
    fed = {
        "colour": np.array([["never seen"]], dtype=object),
        "size": np.array([[np.nan]]),
        "old": np.array([[1.0]]),
        "level": np.array([[""]], dtype=object),
    }
    (found,) = session.run(["probabilities"], fed)
    frame = pd.DataFrame({"colour": ["never seen"], "size": [None], "old": [True], "level": [""]})
    with pytest.warns(TableWarning) as told:
        expected = fitted.predict_proba(frame)
    assert len(told) == 2  # the colour, and the level, of which training had none missing
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_column_that_onnx_has_no_name_for(tmp_path):
    pytest.importorskip("onnxruntime")
    model = classifier().fit(FRAME.rename(columns={"size": "probabilities"}), Y)
    with pytest.raises(InvalidArgumentError, match="cannot be called 'probabilities' in an ONNX"):
        model.export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_kinds_are_said():
    frame = FRAME.assign(size=(SIZES // 10).astype(int))
    model = classifier(columns={"size": "categorical"}).fit(frame, Y)
    assert len(np.unique(frame["size"])) + 3 + 1 + 1 + 2 == model.coefs_[0].shape[0]
    with pytest.raises(ValueError, match=r"kinds names column 'zip', but X has colour, size"):
        classifier(columns={"zip": "numeric"}).fit(frame, Y)


def test_scikit_learns_tools(fitted):
    search = GridSearchCV(classifier(max_iter=5), {"alpha": [1e-4, 1]}, cv=2).fit(FRAME, Y)
    assert search.best_estimator_.columns == "auto"
    pipeline = make_pipeline(FunctionTransformer(), classifier(max_iter=40))
    assert cross_val_score(pipeline, FRAME, Y, cv=3).mean() > 0.7
    importance = permutation_importance(fitted, FRAME, Y, random_state=0).importances_mean
    assert set(importance.argsort()[-2:]) == {0, 1}  # colour and size, of which the target is made
    assert clone(fitted).fit(FRAME, Y).score(FRAME, Y) == fitted.score(FRAME, Y)


def test_validation_samples_are_tables_too():
    model = classifier(early_stopping=True)
    model.fit(FRAME[:200], Y[:200], X_val=FRAME[200:], y_val=Y[200:])
    assert len(model.validation_loss_curve_) == model.n_iter_
    with pytest.raises(
        InvalidDataError, match="column 'size' of X_val must hold numbers; got 'big'"
    ):
        model.fit(FRAME[:9], Y[:9], X_val=FRAME[:1].assign(size="big"), y_val=Y[:1])


def test_partial_fit_keeps_the_columns_of_its_first_call():
    with pytest.warns(TableWarning, match="decided what the columns of X hold from its first 100"):
        model = classifier().partial_fit(FRAME[:100], Y[:100], classes=["no", "yes"])
    first = model.columns_
    with pytest.warns(TableWarning, match="not seen in training, such as 'violet' at row 0; known"):
        model.partial_fit(
            FRAME[100:].assign(colour=lambda f: f["colour"].where(f["old"], "violet")), Y[100:]
        )
    assert model.columns_ is first
    with pytest.raises(InvalidArgumentError, match="continue with the existing inputs, Columns"):
        model.set_params(columns=None).partial_fit(FRAME, Y)
    with pytest.raises(InvalidArgumentError, match=r"and is now \{'size': 'categorical'\}"):
        model.set_params(columns={"size": "categorical"}).partial_fit(FRAME, Y)


def test_a_fit_without_columns_forgets_them():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(FRAME, Y).set_params(columns=None).fit(X, y)
    assert model.predict(X).shape == (150,)
    with pytest.raises(ValueError, match="could not convert string to float"):
        model.predict(FRAME.to_numpy())


def test_a_fit_that_fails_changes_nothing(fitted):
    model = clone(fitted).fit(FRAME, Y)
    before = model.predict_proba(FRAME)
    with pytest.raises(InvalidDataError, match="y must not have missing values"):
        model.fit(FRAME.drop(columns="size"), np.where(Y == "no", None, Y))
    np.testing.assert_array_equal(model.predict_proba(FRAME), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="old"), "feature names"),
        (lambda f: f.assign(new=1), "feature names"),
        (
            lambda f: f.assign(size="big"),
            "column 'size' of X must hold numbers; got 'big' at row 0",
        ),
        (lambda f: f.assign(size=pd.Timestamp(0)), "column 'size' of X must hold .* got dates"),
        (lambda f: f[:0], r"0 sample\(s\)"),
    ],
)
def test_tables_that_do_not_fit_are_named(fitted, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict(change(FRAME))


def test_who_gives_a_table_without_saying_so_is_told_how():
    with pytest.raises(
        ValueError, match=r"'colour'\)\. With columns='auto', tables with text and m"
    ):
        MLPClassifier().fit(FRAME[["colour"]].fillna("x"), Y)
    with pytest.raises(
        ValueError, match=r"'size'\)\. With columns='auto', tables with text and missing"
    ):
        MLPClassifier().fit(FRAME[["size"]], Y)


def test_rows_are_taken_by_their_places(fitted):
    rows = FRAME.astype(object).to_numpy()
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = fitted.predict_proba(rows)
    np.testing.assert_array_equal(found, fitted.predict_proba(FRAME))


def test_a_masked_entry_is_a_gap():
    X = np.ma.array([[1.0], [2.0], [-999.0], [-999.0]], mask=[[0], [0], [1], [1]])
    column = classifier(max_iter=1).fit(X, [0, 1, 0, 1]).columns_.columns[0]
    assert (column.median, column.has_missing) == (1.5, True)
    with pytest.raises(InvalidDataError, match="X must not have masked entries: fill them, or se"):
        MLPClassifier().fit(X, [0, 1, 0, 1])


def test_targets_far_from_zero_keep_their_digits():
    model = MLPRegressor(
        hidden_layer_sizes=8, columns="auto", scale_targets=True, solver="lbfgs", random_state=0
    ).fit(FRAME, VALUES + 1.7e9)
    assert model.score(FRAME, VALUES + 1.7e9) > 0.85
    assert len(np.unique(model.predict(FRAME))) > 100


def test_two_columns_of_one_name_are_named():
    frame = pd.DataFrame(np.ones((4, 2)), columns=["a", "a"])
    with pytest.raises(
        InvalidDataError,
        match=r"different name for each column: rename one; got 'a' twice$",
    ):
        classifier().fit(frame, [0, 1, 0, 1])


def test_the_tags_say_what_is_taken():
    tags = classifier().__sklearn_tags__().input_tags
    assert (tags.allow_nan, tags.string, tags.categorical, tags.sparse) == (True, True, True, False)
    tags = classifier(columns=None).__sklearn_tags__().input_tags
    assert (tags.allow_nan, tags.string, tags.sparse) == (False, False, True)


def test_whatever_holds_the_table_predicts_the_same(fitted):
    expected = fitted.predict_proba(FRAME)
    records = FRAME.astype(object).where(FRAME.notna(), None).to_dict("records")
    columns = {name: [row[name] for row in records] for name in FRAME}
    for X in (records, columns, read_table(FRAME), pl.from_pandas(FRAME)):
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    np.testing.assert_array_equal(classifier().fit(columns, Y).predict_proba(FRAME), expected)


IDS = FRAME.assign(id=range(N), name=[f"person {i}" for i in range(N)], none=None)


def test_columns_that_are_left_out_may_be_there_or_not(fitted):
    with pytest.warns(
        TableWarning, match=r"ignored: 'id', 'name' \(identifiers\); 'none' \(no ent"
    ):
        model = classifier().fit(IDS, Y)
    expected = fitted.predict_proba(FRAME)
    for X in (IDS, FRAME, IDS.drop(columns="name"), IDS.assign(name=[[1]] * N)):
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.n_features_in_ == 7
    with pytest.raises(ValueError, match="feature names"):
        model.predict(FRAME.drop(columns="old"))
    rows = IDS.astype(object).to_numpy()  # which have them by their places
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_array_equal(model.predict_proba(rows), expected)


@pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")
def test_no_fold_fails_because_of_its_rows():
    """Columns that are filled in one row alone, or of which each size of part has other ones."""
    rare = FRAME.assign(
        note=np.where(np.arange(N) == 5, 1.0, np.nan),
        ticket=RNG.choice([f"T{i}" for i in range(2 * N)], N),
    )
    scores = cross_val_score(classifier(max_iter=5), rare, Y, cv=5, error_score="raise")
    assert np.isfinite(scores).all()
    search = GridSearchCV(classifier(max_iter=5), {"alpha": [1e-4, 1]}, cv=3, error_score="raise")
    assert np.isfinite(search.fit(rare, Y).best_score_)


def test_warnings_point_at_the_line_that_called():
    def here():
        return sys._getframe(1).f_lineno + 1

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        line = here()
        model = classifier(max_iter=2).fit(IDS, Y)
        second = here()
        model.predict(FRAME.assign(level="middle"))
        third = here()
        GridSearchCV(classifier(max_iter=2), {"alpha": [1, 2]}, cv=2).fit(IDS, Y)
    found = {(w.category.__name__, w.lineno) for w in told}
    assert {w.filename for w in told} == {__file__}
    names = {("TableWarning", line), ("ConvergenceWarning", line), ("TableWarning", second)}
    assert found == names | {("TableWarning", third), ("ConvergenceWarning", third)}
    # In a search each is the same text, which Python shows once.
    assert (
        len({str(w.message) for w in told if (w.category, w.lineno) == (TableWarning, third)}) == 1
    )


def test_dates_are_learned():
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(RNG.integers(0, 200, N), unit="D")
    sales = 2.0 * (day - day.min()).days.to_numpy() + RNG.normal(0, 5, N)
    settings = {"hidden_layer_sizes": 16, "columns": "auto", "scale_targets": True,
                "solver": "lbfgs", "random_state": 0}  # fmt: skip
    typed = MLPRegressor(**settings).fit(pd.DataFrame({"day": day}), sales)
    text = MLPRegressor(**settings).fit(pd.DataFrame({"day": day.astype(str)}), sales)
    assert typed.score(pd.DataFrame({"day": day}), sales) > 0.95
    np.testing.assert_array_equal(text.predict({"day": day}), typed.predict({"day": day}))
    later = typed.predict({"day": ["2023-08-01", "2023-12-01"]})
    assert later[0] > 380  # the trend of two a day has reached 424
    assert later[1] > later[0]


def test_a_model_of_dates_and_texts_is_kept_in_files_and_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    when = pd.date_range("2020-01-01", periods=N, freq="53h")
    X = IDS.assign(when=when, price=[f"${1000 + i:,}" for i in range(N)]).assign(size="1,5 m")
    X["size"] = [f"{v:.1f} m".replace(".", ",") for v in SIZES]
    with pytest.warns(TableWarning, match="which are ignored"):
        model = classifier(solver="lbfgs").fit(X, Y)
    model.save(tmp_path / "m.safetensors")
    again = multilayer.load(tmp_path / "m.safetensors")
    assert [str(c) for c in again.inputs.columns] == [str(c) for c in model.columns_.columns]
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    model.export(tmp_path / "m.onnx")
    model.export(tmp_path / "m.onnx", sample=X)


def test_memory_does_not_grow_with_the_number_of_categories():
    """20,000 rows of 1,000 inputs as a matrix would be 80 MB."""
    X = {f"c{i}": RNG.integers(0, 250, 20_000).astype(str) for i in range(4)}
    X = {name: [f"w{each}" for each in column] for name, column in X.items()}
    y = RNG.integers(0, 2, 20_000)
    model = classifier(max_iter=1, early_stopping=True).fit(X, y)  # what is compiled, is
    tracemalloc.start()
    model.fit(X, y)
    model.predict(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.coefs_[0].shape[0] == 1000
    assert peak < 40e6


def test_targets_that_are_written_as_text():
    prices = [f"{v:,.0f}" for v in 1000 * VALUES]
    model = MLPRegressor(
        hidden_layer_sizes=16, columns="auto", scale_targets=True, solver="lbfgs", random_state=0
    )
    expected = model.fit(FRAME, np.rint(1000 * VALUES)).predict(FRAME)
    np.testing.assert_array_equal(model.fit(FRAME, prices).predict(FRAME), expected)
    with pytest.raises(InvalidDataError, match=r"^y must hold numbers; got 'ask' at index 2$"):
        model.fit(FRAME, [*prices[:2], "ask", *prices[3:]])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", None] * (N // 2), "y must not have missing values; the first is at index 1"),
        (np.ma.array(["a", "b"] * (N // 2), mask=[0, 1] * (N // 2)), "y must not have masked entr"),
        (["a", 1] * (N // 2), "y must hold classes of one type; got int and str"),
        (pd.date_range("2024", periods=N), "y must hold classes; got dates or durations"),
    ],
)
def test_targets_that_cannot_be_used_are_named(y, message):
    y = pd.Series(y, dtype=object) if isinstance(y, list) else y
    with pytest.raises(InvalidDataError, match=f"^{message}"):
        classifier().fit(FRAME, y)


def test_targets_of_nullable_types():
    y = pd.Series(Y == "yes", dtype="boolean")
    model = classifier().fit(FRAME, y)
    assert model.classes_.tolist() == [False, True]
    assert model.score(FRAME, y) == np.mean(model.predict(FRAME) == y.to_numpy())
    several = pd.DataFrame({"a": y.astype("Int64"), "b": Y == "no"})
    model = classifier(max_iter=10).fit(FRAME, several)
    assert 0 <= model.score(FRAME, several) <= 1


def test_targets_as_text_are_written_as_their_table_is():
    X = {"size": ["3,5", "7,25", "8", "4,75"] * 10, "b": list(range(40))}
    y = ["1.234", "5.678", "2.500", "9.100"] * 10
    typed = [1234, 5678, 2500, 9100] * 10
    settings = {"columns": "auto", "max_iter": 5, "random_state": 0, "scale_targets": True}
    model = MLPRegressor(hidden_layer_sizes=4, **settings).fit(X, y)
    twin = MLPRegressor(hidden_layer_sizes=4, **settings).fit(X, typed)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))
    assert model.score(X, y) == model.score(X, typed)
    assert model.to_model().targets.notation.thousands == "."
    # Alone they would be taken for decimals; the model knows better, in its file too.
    assert model.score(X, ["1.234"] * 40) == model.score(X, [1234] * 40)


def test_validation_samples_need_no_column_that_was_left_out():
    frame = FRAME.assign(empty=np.nan)
    with pytest.warns(TableWarning, match=r"ignored: 'empty' \(no entries\)"):
        model = classifier(columns={"empty": "numeric"}, max_iter=3).fit(
            frame, Y, X_val=frame[:50], y_val=Y[:50]
        )
    model.set_params(warm_start=True).fit(frame, Y)
    with pytest.raises(InvalidArgumentError, match=r"was \{'empty': 'numeric'\} and is now 'auto'"):
        model.set_params(columns="auto").fit(frame, Y)
    with pytest.raises(InvalidTypeError, match=r"column 'size' must be one of .*; got 3"):
        classifier(columns={"size": 3}).fit(FRAME, Y)


@pytest.mark.parametrize("y", [["<5", "12", ">7"], np.array(["<5", "12", ">7"])])
def test_bounds_as_targets_are_numbers_with_a_note(y):
    X = np.arange(60.0).reshape(-1, 1)
    with pytest.warns(TableWarning, match="y has bounds such as '<5', which are read as numbers"):
        model = MLPRegressor(max_iter=2, scale_targets=True).fit(X, list(y) * 20)
    assert model.to_model().targets.mean == pytest.approx([8.0])
    with pytest.raises(InvalidDataError, match="y must hold numbers; got 'low'"):
        MLPRegressor().fit(X, ["low", "high", "mid"] * 20)


@pytest.mark.parametrize("X", [pd.DataFrame(index=range(9)), {}])
@pytest.mark.parametrize("Estimator", [MLPClassifier, TabularClassifier])
def test_a_table_without_columns_or_rows_is_refused_in_these_words(X, Estimator):
    settings = {"columns": "auto"} if Estimator is MLPClassifier else {"n_members": 2}
    with pytest.raises(InvalidDataError, match=r"^X must have at least one column; got 0$"):
        Estimator(**settings).fit(X, [0, 1, 2] * 3)
    columns = Columns.of({"a": [1, 2.5], "b": ["x", "y"]})
    model = Model(MLP(Architecture(columns.in_features, (), 1)), None, columns)
    with pytest.raises(InvalidDataError, match=r"^X must have at least one sample; got 0$"):
        model.predict({"a": [], "b": []})


def test_a_name_in_another_unicode_form_is_said_to_be_one():
    columns = Columns.of({"Fl\u00e4che": [1, 2.5], "b": ["x", "y"]})
    table = read_table({"Fla\u0308che": [1, 2.5], "b": ["x", "y"]})
    for read in (columns.read, columns.columns_of):
        with pytest.raises(InvalidDataError, match="is there in another Unicode form"):
            read(table)
