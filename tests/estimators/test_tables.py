"""Raw tables: text, categories and gaps, through everything that estimators do."""

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
from multilayer import MLPClassifier, MLPRegressor
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.model import Columns

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
    expected = fitted.predict_proba(
        pd.DataFrame({"colour": ["never seen"], "size": [None], "old": [True], "level": [""]})
    )
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
    with pytest.raises(ValueError, match=r"kinds are given of column 'zip'; X has colour, size"):
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
    model = classifier().partial_fit(FRAME[:100], Y[:100], classes=["no", "yes"])
    first = model.columns_
    model.partial_fit(
        FRAME[100:].assign(colour=lambda f: f["colour"].where(f["old"], "violet")), Y[100:]
    )
    assert model.columns_ is first
    with pytest.raises(InvalidArgumentError, match="go on with the inputs that are there, Columns"):
        model.set_params(columns=None).partial_fit(FRAME, Y)
    with pytest.raises(InvalidArgumentError, match=r"columns is now \{'size': 'categorical'\}"):
        model.set_params(columns={"size": "categorical"}).partial_fit(FRAME, Y)
    model.set_params(columns={"size": "numeric"}).partial_fit(FRAME, Y)


def test_a_fit_without_columns_forgets_them():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(FRAME, Y).set_params(columns=None).fit(X, y)
    assert model.predict(X).shape == (150,)
    with pytest.raises(ValueError, match="could not convert string to float"):
        model.predict(FRAME.to_numpy())


def test_a_fit_that_fails_changes_nothing(fitted):
    model = clone(fitted).fit(FRAME, Y)
    before = model.predict_proba(FRAME)
    with pytest.raises(
        InvalidDataError, match="'size' of X must hold finite numbers; got inf at row"
    ):
        model.fit(FRAME.assign(size=[0, 1, 2, np.inf] + [0] * (N - 4)), Y)
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
        (lambda f: f.assign(size=pd.Timestamp(0)), "column 'size' of X must hold .* got a date"),
        (lambda f: f[:0], r"0 sample\(s\)"),
        (lambda f: f.to_dict("list"), "X must be a data frame or rows; got dict"),
    ],
)
def test_tables_that_do_not_fit_are_named(fitted, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict(change(FRAME))


def test_who_gives_a_table_without_saying_so_is_told_how():
    with pytest.raises(
        ValueError, match=r"'colour'\)\. With columns='auto' tables with text and g"
    ):
        MLPClassifier().fit(FRAME[["colour"]].fillna("x"), Y)
    with pytest.raises(
        ValueError, match=r"'size'\)\. With columns='auto' tables with text and gaps"
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
    assert (column.median, column.has_gaps) == (1.5, True)


def test_targets_far_from_zero_keep_their_digits():
    model = MLPRegressor(
        hidden_layer_sizes=8, columns="auto", scale_targets=True, solver="lbfgs", random_state=0
    ).fit(FRAME, VALUES + 1.7e9)
    assert model.score(FRAME, VALUES + 1.7e9) > 0.85
    assert len(np.unique(model.predict(FRAME))) > 100


def test_two_columns_of_one_name_are_named():
    frame = pd.DataFrame(np.ones((4, 2)), columns=["a", "a"])
    with pytest.raises(InvalidDataError, match="must have a name each; got 'a' twice"):
        classifier().fit(frame, [0, 1, 0, 1])


def test_the_tags_say_what_is_taken():
    tags = classifier().__sklearn_tags__().input_tags
    assert (tags.allow_nan, tags.string, tags.categorical, tags.sparse) == (True, True, True, False)
    tags = classifier(columns=None).__sklearn_tags__().input_tags
    assert (tags.allow_nan, tags.string, tags.sparse) == (False, False, True)
