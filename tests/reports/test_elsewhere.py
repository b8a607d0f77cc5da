"""What scikit-learn, pickle and ONNX do with estimators of tables."""

import copy
import csv
import io
import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.data import TableWarning, read_table

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Each part of the rows may have identifiers, or other categories.
    pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning"),
]

RNG = np.random.default_rng(6)
N = 200
FRAME = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "colour": RNG.choice(["red", "green", "blue"], N),
        "price": [f"${1000 + 10 * i:,}" for i in RNG.permutation(N)],
        "day": pd.date_range("2024-01-01", periods=N).strftime("%d.%m.%Y"),
        "gap": pd.Series(RNG.choice(["a", "b"], N)).mask(RNG.random(N) < 0.2),
        "level": pd.Categorical(RNG.choice(["low", "high"], N)),
        "count": pd.array(RNG.integers(0, 5, N), dtype="Int64"),
        "id": np.arange(N),
    }
)
IS_RED = (FRAME["colour"] == "red").to_numpy()
CLASSES = np.where((FRAME["x"] > 0) ^ IS_RED, "yes", "no")
VALUES = 3 * FRAME["x"].to_numpy() + 2 * IS_RED


def classifier(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "max_iter": 150, "random_state": 0}
    return MLPClassifier(**{"hidden_layer_sizes": 8} | given | settings)


def regressor(**settings):
    return MLPRegressor(
        **{"hidden_layer_sizes": 8, "columns": "auto", "solver": "lbfgs", "max_iter": 150,
           "scale_targets": True, "random_state": 0} | settings
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(FRAME, CLASSES)


# Looking at models -------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [lambda frame: frame, read_table, pl.from_pandas])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_permutation_importance(fitted, convert):
    found = permutation_importance(fitted, convert(FRAME), CLASSES, n_repeats=3, random_state=0)
    assert set(np.argsort(found.importances_mean)[-2:]) == {0, 1}
    assert found.importances_mean[:2].min() > 0.2
    assert found.importances_mean[-1] == 0  # of id, which is left out


def test_partial_dependence():
    model = regressor().fit(FRAME, VALUES)
    found = partial_dependence(model, FRAME, ["x"], grid_resolution=9)
    slope = np.polyfit(found["grid_values"][0], found["average"][0], 1)[0]
    assert slope == pytest.approx(3, abs=0.5)
    found = partial_dependence(model, FRAME, ["colour"], categorical_features=["colour"])
    red = found["grid_values"][0].tolist().index("red")
    others = np.delete(found["average"][0], red)
    assert np.abs(found["average"][0][red] - others - 2).max() < 0.5
    found = partial_dependence(model, FRAME, ["level"], categorical_features=["level"])
    assert np.ptp(found["average"][0]) < 0.5
    found = partial_dependence(model, FRAME, [(0, 1)], categorical_features=["colour"])
    assert found["average"].ndim == 3


# Many models -------------------------------------------------------------------------------

CLASSIFIERS = {
    "bagging": lambda: BaggingClassifier(classifier(), n_estimators=3, random_state=0),
    "bagging of columns": lambda: BaggingClassifier(
        classifier(), n_estimators=8, max_features=0.8, random_state=0
    ),
    "voting": lambda: VotingClassifier(
        [("a", classifier()), ("b", classifier(random_state=1))], voting="soft"
    ),
    "stacking": lambda: StackingClassifier([("a", classifier())], cv=2),
    "stacking over a table": lambda: StackingClassifier(
        [("a", classifier())], classifier(), cv=2, passthrough=True
    ),
    "calibration": lambda: CalibratedClassifierCV(classifier(), cv=3),
    "one against the rest": lambda: OneVsRestClassifier(classifier()),
    "search": lambda: GridSearchCV(classifier(), {"alpha": [1e-4, 1e-2]}, cv=2),
    "search of columns": lambda: GridSearchCV(
        classifier(), {"columns": ["auto", {"count": "categorical"}, {"id": "ignored"}]}, cv=2
    ),
    "a pipeline": lambda: make_pipeline(
        ColumnTransformer([("some", "passthrough", ["x", "colour"])]).set_output(
            transform="pandas"
        ),
        classifier(),
    ),
    "a pipeline of arrays": lambda: make_pipeline(
        ColumnTransformer([("some", "passthrough", ["x", "colour"])]), classifier()
    ),
    "features": lambda: make_pipeline(classifier(), classifier(columns=None)),
}
REGRESSORS = {
    "bagging": lambda: BaggingRegressor(regressor(), n_estimators=3, random_state=0),
    "voting": lambda: VotingRegressor([("a", regressor()), ("b", regressor(random_state=1))]),
    "stacking": lambda: StackingRegressor([("a", regressor())], cv=2),
    "other targets": lambda: TransformedTargetRegressor(
        regressor(), func=np.arcsinh, inverse_func=np.sinh
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_made_of_classifiers(name):
    model = CLASSIFIERS[name]().fit(FRAME, CLASSES)
    assert model.score(FRAME, CLASSES) > 0.8
    assert model.predict(FRAME[:1]).shape == (1,)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_made_of_regressors(name):
    model = REGRESSORS[name]().fit(FRAME, VALUES)
    assert model.score(FRAME, VALUES) > 0.9


def test_a_regressor_for_each_target():
    both = np.column_stack([VALUES, -VALUES])
    assert MultiOutputRegressor(regressor()).fit(FRAME, both).score(FRAME, both) > 0.9


def test_parts_of_the_rows():
    found = cross_val_predict(classifier(), FRAME, CLASSES, cv=3, method="predict_proba")
    assert found.shape == (N, 2)
    scores = learning_curve(classifier(), FRAME, CLASSES, cv=2, train_sizes=[0.5, 1.0])[2]
    assert np.isfinite(scores).all()


# Copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), copy.copy]
)
def test_copies_predict_the_same(fitted, copied):
    again = copied(fitted)
    np.testing.assert_array_equal(again.predict_proba(FRAME), fitted.predict_proba(FRAME))
    with pytest.warns(TableWarning, match="not seen in training, such as 'violet' at row 0"):
        again.predict(FRAME[:3].assign(colour="violet"))


def test_copies_of_what_reads_targets():
    y = pd.Series([f"{1000 * v:,.2f}" for v in VALUES])
    model = regressor().fit(FRAME, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.score(FRAME, y) == model.score(FRAME, y) > 0.9


@pytest.mark.parametrize("columns", ["auto", {"count": "categorical"}, None])
def test_clones_begin_anew(columns):
    model = classifier(columns=columns).fit(FRAME if columns else FRAME[["x"]], CLASSES)
    again = clone(model)
    assert again.columns == columns
    assert not hasattr(again, "coefs_")
    assert not hasattr(again, "feature_names_in_")
    again.fit(FRAME if columns else FRAME[["x"]], CLASSES)
    assert (again.columns_ is None) == (columns is None)


@pytest.mark.parametrize(("library", "Frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_features_as_a_frame(library, Frame):
    model = classifier().set_output(transform=library).fit(FRAME, CLASSES)
    found = model.transform(FRAME[5:9])
    assert isinstance(found, Frame)
    assert list(found.columns) == [f"mlpclassifier{i}" for i in range(8)]
    if library == "pandas":
        assert found.index.tolist() == [5, 6, 7, 8]


# ONNX --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda: classifier().fit(FRAME, CLASSES), lambda: regressor().fit(FRAME, VALUES)]
)
def test_onnx_of_a_table(make, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = make()
    model.export(tmp_path / "m.onnx", sample=FRAME)
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    assert [port.name for port in session.get_inputs()] == list(FRAME)[:-1]  # without id
    days = pd.to_datetime(FRAME["day"], format="%d.%m.%Y")
    fed = {
        "x": FRAME["x"].to_numpy(),
        "colour": FRAME["colour"].to_numpy(dtype=object),
        "price": FRAME["price"].str.replace("[$,]", "", regex=True).astype(float).to_numpy(),
        "day": (days - pd.Timestamp(0)).dt.total_seconds().to_numpy(),
        "gap": FRAME["gap"].fillna("").to_numpy(dtype=object),
        "level": FRAME["level"].to_numpy(dtype=object),
        "count": FRAME["count"].to_numpy(dtype=float),
    }
    (found,) = session.run(None, {name: column[:, None] for name, column in fed.items()})
    expected = model.predict_proba(FRAME) if hasattr(model, "classes_") else model.predict(FRAME)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "column",
    [
        pd.to_timedelta(np.arange(N) % 50, unit="h"),
        pd.Series([f"{i % 24}:30" for i in range(N)]),
        pd.Series([f"{i % 9}h {i % 50}m" for i in range(N)]),
        pd.Series([20240101 + i % 28 for i in range(N)]),
        pd.Series(np.where(np.arange(N) % 9, np.arange(N) * 1e300, np.nan)),
        pd.Series([f"€{i}.5M" for i in range(N)]),
        pd.Series([True, False] * (N // 2)),
        pd.Series(["07", "8", "9.0", None] * (N // 4)),
        pd.Series(["<=50K", ">50K"] * (N // 2)),
    ],
)
def test_onnx_of_every_kind_of_column(column, tmp_path):
    pytest.importorskip("onnxruntime")
    X = pd.DataFrame({"x": FRAME["x"], "c": column})
    model = classifier(max_iter=20).fit(X, CLASSES)
    model.export(tmp_path / "m.onnx", sample=X)
    model.save(tmp_path / "m")
    multilayer.files.export_onnx(tmp_path / "n.onnx", multilayer.load(tmp_path / "m"), sample=X)


# Predictions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes", [["no", "yes"], ["b", "a", "c"], [10, 9], ["NA", "a,b"], [True, False]]
)
def test_names_and_order_of_classes_in_predictions(written, mlp, train, tmp_path, classes):
    places = np.arange(N) % len(classes)
    frame = pd.DataFrame({"x": places + 0.1 * FRAME["x"], "y": [classes[i] for i in places]})
    path = written(frame.to_csv(index=False))
    train(path, "--optimizer", "lbfgs", "--hidden", "8", "--save", tmp_path / "m")
    rows = list(csv.DictReader(io.StringIO(mlp("predict", tmp_path / "m", path).stdout)))
    names = [f"probability {name}" for name in sorted(classes)]
    assert list(rows[0]) == ["prediction", *names]
    for row, place in zip(rows, places, strict=True):
        assert row["prediction"] == str(classes[place])
        best = max(names, key=lambda name: float(row[name]))
        assert best == f"probability {row['prediction']}"
    found = json.loads(mlp("predict", tmp_path / "m", path, "--json").stdout)
    assert list(found) == ["prediction", *names]
    assert [str(each) for each in found["prediction"]] == [row["prediction"] for row in rows]
