"""Targets: whatever stands for numbers and classes is taken for them; the rest is refused."""

import datetime
import json
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import r2_score

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import TableWarning
from multilayer.errors import InvalidDataError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(5)
N = 80
A = RNG.normal(size=N)
X = {"a": A}
CLASSES = np.where(A > 0, "b", "a")


def classifier(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "max_iter": 200, "random_state": 0}
    return MLPClassifier(**{"hidden_layer_sizes": 8} | given | settings)


def regressor(**settings):
    return MLPRegressor(
        **{"hidden_layer_sizes": 16, "columns": "auto", "solver": "lbfgs", "max_iter": 300,
           "scale_targets": True, "random_state": 0} | settings
    )  # fmt: skip


def trained(train, written, target, *options, name="y", **how):
    """Return what training on the file of this target says, and its exit."""
    path = written(pd.DataFrame({"a": A, name: target}).to_csv(index=False))
    return train(path, "--optimizer", "lbfgs", "--hidden", "8", *options, **how)


# Gaps --------------------------------------------------------------------------------------


def with_gap(values, gap):
    return [*values[:-1], gap]


GAPS = {
    "None in a list": lambda y: with_gap(y, None),
    "NaN in a list of text": lambda y: with_gap(y, np.nan),
    "NaN in an array of text": lambda y: np.array(with_gap(y, np.nan)),
    "None in an array": lambda y: np.array(with_gap(y, None), dtype=object),
    "NA of pandas": lambda y: pd.Series(with_gap(y, pd.NA), dtype="string"),
    "NaN of pandas": lambda y: pd.Series(with_gap(y, np.nan), dtype=object),
    "NaT": lambda y: pd.Series(with_gap(y, pd.NaT), dtype=object),
    "a category": lambda y: pd.Series(pd.Categorical(with_gap(y, None))),
    "polars": lambda y: pl.Series(with_gap(y, None)),
    "pyarrow": lambda y: pa.array(with_gap(y, None)),
    "pyarrow in pieces": lambda y: pa.chunked_array([y[:5], with_gap(y[5:], None)]),
}


@pytest.mark.parametrize("columns", ["auto", None])
@pytest.mark.parametrize("kind", GAPS)
def test_none_or_na_among_classes(kind, columns):
    y = GAPS[kind](CLASSES.tolist())
    message = rf"^y must not have missing values; the first is at index {N - 1}$"
    with pytest.raises(InvalidDataError, match=message):
        classifier(columns=columns).fit(pd.DataFrame(X), y)
    with pytest.raises(InvalidDataError, match=message.replace("y must", "y_val must")):
        classifier(columns=columns).fit(
            pd.DataFrame(X), CLASSES.tolist(), X_val=pd.DataFrame(X), y_val=y
        )
    fitted = classifier(columns=columns, max_iter=2).fit(pd.DataFrame(X), CLASSES.tolist())
    with pytest.raises(InvalidDataError, match=message):
        fitted.score(pd.DataFrame(X), y)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "float"])
@pytest.mark.parametrize("Estimator", [classifier, regressor])
def test_gaps_among_numbers(dtype, Estimator):
    y = pd.array([1, 0] * (N // 2), dtype="boolean" if dtype == "boolean" else "Float64")
    y = pd.Series(y).astype(dtype)
    y[7] = np.nan if dtype == "float" else pd.NA
    with pytest.raises(ValueError, match=r"index 7"):
        Estimator().fit(X, y)


def test_na_is_a_class_where_it_is_text(written, train, tmp_path):
    y = np.where(A > 0, "NA", "None")
    assert classifier().fit(X, y.tolist()).score(X, y) > 0.9
    trained(train, written, y, "--save", tmp_path / "m")
    assert multilayer.load(tmp_path / "m").targets.classes.tolist() == ["NA", "None"]


# Types -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "types"),
    [
        (("a", 1), "int and str"),
        ((1, "1"), "int and str"),
        ((1.5, "a"), "float and str"),
        ((True, "True"), "bool and str"),
        ((b"a", "a"), "bytes and str"),
    ],
)
@pytest.mark.parametrize("convert", [list, tuple, lambda y: pd.Series(y, dtype=object)])
@pytest.mark.parametrize("columns", ["auto", None])
def test_classes_of_several_types(pair, types, convert, columns):
    y = convert(list(pair) * (N // 2))
    with pytest.raises(InvalidDataError, match=rf"^y must hold classes of one type; got {types}$"):
        classifier(columns=columns).fit(pd.DataFrame(X), y)


@pytest.mark.parametrize(
    ("pair", "classes"),
    [
        ((1, 2.0), [1, 2]),
        ((np.str_("a"), "b"), ["a", "b"]),
        ((np.bool_(True), False), [False, True]),
        ((Decimal(1), Decimal(2)), [1, 2]),
        ((np.int8(1), 2), [1, 2]),
    ],
)
def test_classes_of_types_that_are_the_same(pair, classes):
    y = [pair[int(a > 0)] for a in A]
    for targets in (y, pd.Series(y, dtype=object)):
        model = classifier().fit(X, targets)
        assert model.classes_.tolist() == classes
        assert model.score(X, targets) > 0.9


@pytest.mark.parametrize("shape", [(N,), (N, 2)])
@pytest.mark.parametrize("Estimator", [classifier, regressor])
def test_masked_targets(shape, Estimator):
    y = np.ma.masked_array(np.ones(shape, dtype=int), mask=False)
    y[::2] = 0
    y.mask = np.zeros(shape, dtype=bool)
    if len(shape) == 1 or Estimator is regressor:
        Estimator(max_iter=5).fit(X, y)
    y[3] = np.ma.masked
    with pytest.raises(
        InvalidDataError, match=r"^y must not have masked entries: fill or drop the"
    ):
        Estimator().fit(X, y)


def test_labels_that_differ_by_blanks_or_capitals(written, train, tmp_path):
    y = np.where(A > 0, np.where(np.arange(N) % 2, "yes ", " yes"), "no")
    result = trained(train, written, y, "--save", tmp_path / "m")
    assert multilayer.load(tmp_path / "m").targets.classes.tolist() == ["no", "yes"]
    assert "several ways" not in result.stderr
    y = np.where(A > 0, np.where(np.arange(N) % 2, "Yes", "yes"), "no")
    result = trained(train, written, y, "--save", tmp_path / "m")
    assert "what may be one class in several ways: 'Yes' and 'yes'; each is" in result.stderr
    assert multilayer.load(tmp_path / "m").targets.classes.tolist() == ["Yes", "no", "yes"]


# Frames of targets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: frame.astype(object),
        pl.from_pandas,
        pa.Table.from_pandas,
    ],
)
def test_several_targets_in_a_frame_of_nullable_types(convert):
    frame = pd.DataFrame({"u": 3 * A, "v": np.rint(5 * A).astype(int)})
    model = regressor().fit(X, convert(frame))
    assert model.predict(X).shape == (N, 2)
    assert model.score(X, convert(frame)) > 0.9
    classes = pd.DataFrame({"u": (A > 0).astype(int), "v": CLASSES})
    model = classifier().fit(X, convert(classes))
    assert [each.tolist() for each in model.classes_] == [[0, 1], ["a", "b"]]
    assert model.score(X, convert(classes)) > 0.9
    labels = pd.DataFrame({"u": A > 0, "v": A > 1})
    assert classifier().fit(X, convert(labels)).score(X, convert(labels)) > 0.9


def test_gaps_in_a_frame_of_targets():
    frame = pd.DataFrame({"u": A, "v": A}).convert_dtypes()
    frame.loc[7, "v"] = pd.NA
    with pytest.raises(InvalidDataError, match="missing values; the first is at row 7, column 1"):
        regressor().fit(X, frame)


@pytest.mark.parametrize("convert", [
    lambda y: pd.Series(y, dtype="boolean"),
    lambda y: pd.Series(y, dtype=pd.ArrowDtype(pa.bool_())),
    lambda y: pd.Series(y, dtype=object),
    pl.Series, pa.array, list, np.array,
])  # fmt: skip
def test_nullable_booleans_as_classes(convert, tmp_path):
    y = convert((A > 0).tolist())
    model = classifier().fit(X, y)
    assert model.classes_.tolist() == [False, True]
    assert model.score(X, y) > 0.9
    assert model.predict(X).dtype == bool
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(multilayer.load(tmp_path / "m").predict(X), model.predict(X))


# Text --------------------------------------------------------------------------------------

PRICES = 200_000 + 30_000 * A
WRITTEN = {
    "plain": "{:.2f}".format,
    "commas": "{:,.2f}".format,
    "dollars": "${:,.0f}".format,
    "euros": lambda y: f"{y:,.2f} €".translate(str.maketrans(".,", ",.")),
    "thousands of dollars": lambda y: f"${y / 1000:.3f}k",
    "percent": lambda y: f"{y / 1000:.3f} %",
}
FACTOR = {"percent": 1000}


@pytest.mark.parametrize(
    "convert",
    [list, np.array, pd.Series, pl.Series, pa.array, lambda y: pd.Series(y, dtype=object)],
)
@pytest.mark.parametrize("kind", WRITTEN)
def test_targets_as_text(kind, convert):
    y = convert([WRITTEN[kind](each) for each in PRICES])
    model = regressor().fit(X, y, X_val=X, y_val=y)
    assert model.score(X, y) > 0.9
    assert r2_score(PRICES, FACTOR.get(kind, 1) * model.predict(X)) > 0.9


@pytest.mark.parametrize("columns", ["auto", None])
@pytest.mark.parametrize("shape", [(-1, 1), (-1, 2)])
def test_targets_as_text_in_a_matrix(columns, shape):
    y = np.array([f"${each:,.2f}" for each in PRICES]).reshape(shape)
    rows = A[: len(y), None]
    model = regressor(columns=columns)
    if shape[1] == 1:
        with pytest.warns(UserWarning, match="column-vector y was passed"):
            model.fit(rows, y)
    else:
        model.fit(rows, y)
    assert np.abs(model.predict(rows) - 200_000).max() < 200_000


def test_what_a_comma_means_in_targets_is_told_once_and_kept():
    """1,234 is read as a number of four digits, then and later."""
    y = [f"{1 + i % 9},{100 + i}" for i in range(N)]
    with pytest.warns(TableWarning, match="^y writes '1,100', which is read as 1100$"):
        model = regressor(max_iter=5).fit(X, y)
    model.score(X, y)
    german = regressor(max_iter=5).fit(X, ["1.234,5", *[f"{i},25" for i in range(N - 1)]])
    predicted = german.predict(X)
    later = [f"{each:.3f}".replace(".", ",") for each in predicted]  # thousands, by themselves
    assert german.score(X, later) > 0.999


@pytest.mark.parametrize("columns", ["auto", None])
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("ask", r"^y must hold numbers; got 'ask' at index 2$"),
        ("n/a", r"Input y contains NaN\. The first is at index 2\."),
        ("inf", r"^y must hold numbers; got 'inf' at index 2$"),
        (None, r"^y must not have missing values; the first is at index 2$"),
    ],
)
def test_texts_that_are_no_targets(columns, entry, message):
    y = ["1,000.5", "2,000.5", entry, *["3,000.5"] * (N - 3)]
    with pytest.raises(ValueError, match=message):
        regressor(columns=columns).fit(pd.DataFrame(X), y)
    with pytest.raises(
        ValueError, match=message.replace("Input y", "Input y_val").replace("^y ", "^y_val ")
    ):
        regressor(columns=columns).fit(pd.DataFrame(X), PRICES, X_val=pd.DataFrame(X), y_val=y)


@pytest.mark.parametrize("kind", WRITTEN)
def test_targets_as_text_in_a_file(written, mlp, train, tmp_path, kind):
    y = [WRITTEN[kind](each) for each in PRICES]
    trained(train, written, y, "--save", tmp_path / "m")
    path = written(pd.DataFrame(X).to_csv(index=False), "p.csv")
    mlp("predict", tmp_path / "m", path, "--out", tmp_path / "o.csv")
    predicted = pd.read_csv(tmp_path / "o.csv")["prediction"]
    assert r2_score(PRICES, FACTOR.get(kind, 1) * predicted) > 0.9
    path = written(pd.DataFrame({"a": A, "y": y}).to_csv(index=False))
    assert mlp("doctor", tmp_path / "m", path, "--json").exit_code == 0


def test_other_columns_show_the_decimal_mark_of_a_target(written, train):
    rows = "".join(f"{i},5;{1 + i % 9},{100 + i}\n" for i in range(N))
    result = train(written("a;y\n" + rows), "--epochs", "1", "--json")
    assert json.loads(result.stdout)["baseline"]["rmse"] < 10
    assert "decimal" not in result.stderr
    rows = rows.replace(",5;", ";")
    result = train(written("a;y\n" + rows), "--epochs", "1", "--json")
    assert json.loads(result.stdout)["baseline"]["rmse"] > 1000
    assert (
        "column 'y' writes '1,100', which is read as 1100; to change this, pass --decimal ,"
        in result.stderr
    )


# Dates -------------------------------------------------------------------------------------

DAYS = pd.date_range("2024-01-01", periods=N)
DATES = {
    "moments": lambda: DAYS,
    "a series": lambda: pd.Series(DAYS),
    "with a zone": lambda: pd.Series(DAYS.tz_localize("UTC")),
    "NumPy": DAYS.to_numpy,
    "Python": lambda: list(DAYS.date),
    "polars": lambda: pl.Series(DAYS),
    "pyarrow": lambda: pa.array(DAYS),
    "periods": lambda: DAYS.to_period("D"),
    "durations": lambda: pd.Series(DAYS - DAYS[0]),
    "times": lambda: [datetime.time(1, i % 60) for i in range(N)],
    "a frame": lambda: pd.DataFrame({"u": DAYS, "v": DAYS}),
}


@pytest.mark.parametrize("kind", DATES)
def test_dates_as_targets(kind):
    if kind != "durations":
        with pytest.raises(InvalidDataError, match=r"^y must hold numbers; got dates or"):
            regressor().fit(X, DATES[kind]())
    with pytest.raises(InvalidDataError, match=r"^y must hold classes; got dates or durations$"):
        classifier().fit(X, DATES[kind]())


SECONDS = 5000 + 900 * A


@pytest.mark.parametrize("convert", [
    lambda y: y, pd.Series, lambda y: pl.Series(y.to_numpy()), pa.array, lambda y: list(y),
    lambda y: y.to_pytimedelta().tolist(),
])  # fmt: skip
def test_durations_are_predicted_in_seconds(convert):
    y = convert(pd.to_timedelta(SECONDS, unit="s"))
    model = regressor().fit(X, y)
    assert model.score(X, y) > 0.9
    assert r2_score(SECONDS, model.predict(X)) > 0.9
    gap = pd.Series(pd.to_timedelta(with_gap(SECONDS, np.nan), unit="s"))
    with pytest.raises(ValueError, match=f"(contains NaN|missing values).*index {N - 1}"):
        regressor().fit(X, gap)


@pytest.mark.parametrize(
    ("written_as", "unit"),
    [
        (lambda s: f"{s // 3600:.0f}:{s // 60 % 60:02.0f}", " in seconds"),
        (lambda s: f"{s:.1f} kg" if s > 5000 else f"{1000 * s:.0f} g", " in grams"),
        (lambda s: f"€{s:.2f}", " in €"),
        (lambda s: f"{s:.2f}", ""),
    ],
)
def test_the_report_says_in_which_unit_a_target_is_predicted(written, train, written_as, unit):
    result = trained(train, written, [written_as(s) for s in SECONDS])
    assert f"y: regression{unit}" in [line.strip() for line in result.stdout.splitlines()]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%b %d, %Y"])
def test_dates_as_text_are_no_numbers(form):
    y = DAYS.strftime(form).tolist()
    with pytest.raises(
        InvalidDataError, match=rf"^y must hold numbers; got '{re.escape(y[0])}' at in"
    ):
        regressor().fit(X, y)


STREETS = [f"{i} {['Oak', 'Main', 'Elm', 'Pine', 'Hill'][i % 5]} Street" for i in range(N)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (DAYS.strftime("%Y-%m-%d"), "the target, must hold numbers or classes; it holds dates$"),
        (DAYS.strftime("%d/%m/%Y"), "the target, must hold numbers or classes; it holds dates$"),
        (DAYS.strftime("%Y%m%d"), "it holds dates: --task regression takes them as numbers$"),
        (STREETS, "must have classes that repeat; it has 80 in 80 rows, such as '"),
        ([f"person {i}" for i in range(N)], "must have classes that repeat; it has 80 in 80"),
        (["x"] * N, "the target, must have at least two classes; all are 'x'$"),
        ([None] * N, "has no column that can be learned from: 'y' .no entries.$"),
    ],
)
def test_a_default_target_that_cannot_be_predicted(written, train, target, message):
    result = trained(train, written, target, fails=True)
    assert re.search(message, str(result.exception))
    assert "\n" not in str(result.exception)


def test_dates_as_whole_numbers_may_be_asked_for(written, train):
    result = trained(train, written, DAYS.strftime("%Y%m%d"), "--task", "regression")
    assert "y: regression" in result.stdout


# Sizes and shares --------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_with_one_row(written, train, tmp_path, n_classes):
    """It cannot be both in the rows to train on and in others, and is trained on."""
    y = np.where(A > 0, "b", "a") if n_classes == 3 else np.repeat("a", N)
    y[np.argmax(A)] = "rare"
    result = trained(train, written, y, "--save", tmp_path / "m", "--json")
    assert json.loads(result.stdout)["n_train"] == 64
    model = multilayer.load(tmp_path / "m")
    assert len(model.targets.classes) == n_classes
    for settings in ({}, {"early_stopping": "loss"}, {"early_stopping": "loss", "solver": "adam"}):
        clf = classifier(alpha=1e-6, **settings).fit(X, y)
        assert len(clf.classes_) == n_classes
        if settings.get("solver") != "adam":
            assert clf.predict_proba({"a": [A.max()]})[0, -1] > 0.1


def test_a_class_with_one_row_is_refused_where_scikit_learn_refuses_it():
    y = np.repeat("a", N)
    y[3] = "rare"
    with pytest.raises(
        InvalidDataError, match="The least populated classes in y have only 1 member"
    ):
        classifier(early_stopping=True).fit(X, y)


HUGE = [
    [1e300, *A[1:]], [-1e200, *A[1:]], np.full(N, 1e300), 1e160 * A, ["1e300", *map(str, A[1:])]
]  # fmt: skip


@pytest.mark.parametrize("y", HUGE)
def test_targets_whose_squares_are_infinite(y):
    message = r"^targets must be numbers whose squares are finite; got \d"
    with pytest.raises(InvalidDataError, match=message):
        regressor(scale_targets=False).fit(X, y)
    for scale in (True, False):
        with pytest.raises(InvalidDataError, match=message):
            regressor(scale_targets=scale).fit(X, A, X_val=X, y_val=y)


@pytest.mark.parametrize("y", HUGE)
def test_scaled_targets_may_be_of_any_size(y):
    y = np.array(y, dtype=float)
    predicted = regressor(scale_targets=True).fit(X, y).predict(X)
    size = np.abs(y).max()
    np.testing.assert_allclose(predicted / size, y / size, atol=0.1)


@pytest.mark.parametrize("model", ["mlp", "tabular"])
def test_targets_of_1e300_in_a_file(written, mlp, model):
    path = written(pd.DataFrame({"a": A, "y": [1e300, *A[1:]]}).to_csv(index=False))
    result = mlp("train", "table", "--model", model, path, fails=True)
    assert str(result.exception) == "targets must be numbers whose squares are finite; got 1e+300"


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e9, 1e100])
def test_targets_of_other_sizes_are_learned(size):
    assert regressor().fit(X, size * A).score(X, size * A) > 0.9
    assert regressor().fit(X, size * (A + 1000)).score(X, size * (A + 1000)) > 0.9


def test_constant_targets(written, train):
    """The command line refuses what teaches nothing; an estimator predicts the constant."""
    result = trained(train, written, [5.5] * N, fails=True)
    assert "the target, must have different values; all are [5.5]" in str(result.exception)
    result = trained(train, written, [5] * N, fails=True)
    assert "the target, must have at least two classes; all are 5" in str(result.exception)
    np.testing.assert_allclose(regressor().fit(X, np.full(N, 5.5)).predict(X), 5.5, atol=0.1)
    assert classifier().fit(X, ["a"] * N).predict(X).tolist() == ["a"] * N
