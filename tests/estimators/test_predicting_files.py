"""Predicting from what `fit` takes: files, and tables that hold the target too."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from multilayer import MLPClassifier, TabularClassifier, TabularRegressor
from multilayer.data import read_blocks, read_file
from multilayer.errors import InvalidDataError, InvalidTypeError
from multilayer.estimators import recipe

pytestmark = pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")

N = 60
A = np.random.default_rng(5).normal(size=N)
FRAME = pd.DataFrame(
    {"a": A, "kind": ["x", "y"] * (N // 2), "T": np.where(A > 0, "up", "down"), "w": 1 + A**2,
     "g": [f"g{i % 7}" for i in range(N)]}
)  # fmt: skip
INPUTS = FRAME[["a", "kind"]]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(recipe, "N_EPOCHS", 2)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "f.csv"
    FRAME.to_csv(path, index=False)
    return path


TABLES = {
    "a path": lambda path: path,
    "its name": str,
    "a pattern": lambda path: str(path.with_name("*.csv")),
    "paths": lambda path: [path],
    "blocks": lambda path: read_blocks(path, 7),
    "a table": read_file,
    "pandas": pd.read_csv,
    "polars": pl.read_csv,
    "lazy polars": pl.scan_csv,
    "columns": lambda path: pd.read_csv(path).to_dict("list"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_what_fit_takes_is_predicted_without_the_columns_that_are_no_inputs(path, kind):
    model = TabularClassifier(n_members=2, random_state=0)
    model.fit(path, target="T", sample_weight="w", groups="g")
    X = TABLES[kind](path)
    expected = model.predict_proba(INPUTS)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.predict(X).tolist() == model.predict(INPUTS).tolist()
    if kind != "a path":
        again = TabularClassifier(n_members=2, random_state=0)
        again.fit(TABLES[kind](path), target="T", sample_weight="w", groups="g")
        np.testing.assert_allclose(again.predict_proba(X), expected, atol=1e-5)
    assert model.score(X, FRAME["T"]) == model.score(INPUTS, FRAME["T"])


def test_values_of_a_file(path):
    model = TabularRegressor(n_members=2, random_state=0).fit(path, target="w")
    expected, spread = model.predict(FRAME.drop(columns="w"), return_std=True)
    np.testing.assert_array_equal(model.predict(path), expected)
    np.testing.assert_array_equal(model.predict(path, return_std=True)[1], spread)
    assert model.score(path, FRAME["w"]) == model.score(FRAME.drop(columns="w"), FRAME["w"])


def test_columns_that_fit_did_not_know_are_named(path):
    model = TabularClassifier(n_members=2).fit(path, target="T", groups="g")
    FRAME.assign(new=1).to_csv(path, index=False)
    with pytest.raises(InvalidDataError, match=r"f\.csv must have .*; unexpected: new$"):
        model.predict(path)
    model.fit(INPUTS, FRAME["T"])
    with pytest.raises(ValueError, match="unseen at fit time:\n- T"):
        model.predict(FRAME[["a", "kind", "T"]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_estimators_say_how_to_read_a_file(path):
    says = r"^X must be a table; got '.*f\.csv': read the file with multilayer\.data\.read_file$"
    model = MLPClassifier(columns="auto", max_iter=1)
    with pytest.raises(InvalidTypeError, match=says):
        model.fit(path, FRAME["T"])
    model.fit(INPUTS, FRAME["T"])
    with pytest.raises(InvalidTypeError, match=says):
        model.predict(str(path))
