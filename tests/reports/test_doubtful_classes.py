"""Classes that may be no classes: marks of missing values, and spellings of one class."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import multilayer
from multilayer import TabularClassifier
from multilayer.data import TableWarning, read_file
from multilayer.estimators import recipe

pytestmark = pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")

N = 80
A = np.random.default_rng(5).normal(size=N)
CLASSES = np.where(A > 0, "high", "low").tolist()
MARKS = ["?", "NULL", "#N/A", "n/a", "-", "NaN", "nan", "#DIV/0!"]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Only what is said of classes matters."""
    monkeypatch.setattr(recipe, "N_EPOCHS", 2)


def file_of(written, y, name="t.csv"):
    return written(pd.DataFrame({"a": A, "y": y}).to_csv(index=False), name)


def fit(X):
    """Train an estimator on a table with its target; return it, and its warnings on the table."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = TabularClassifier(n_members=2, random_state=0).fit(X, target="y")
    return model, [str(w.message) for w in caught if w.category is TableWarning]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_of_missing_values_among_classes_is_a_class_that_is_named(
    written, train, tmp_path, mark
):
    path = file_of(written, [mark, *CLASSES[1:-1], mark])
    expected = sorted([mark, "high", "low"])
    says = f"column 'y'{{}} has the class {mark!r} in 2 of 80 rows; if that marks a missing value, "
    result = train(path, "--epochs", "1", "--save", tmp_path / "m")
    na = mark if mark in ("NULL", "n/a", "-", "NaN", "nan") else f"'{mark}'"
    assert f"note: {says.format('')}pass --na {na}\n" in result.stderr
    assert multilayer.load(tmp_path / "m").targets.classes.tolist() == expected
    model, said = fit(path)
    assert said == [f"{says.format(f' of {path}')}pass missing=[{mark!r}] to read_file"]
    assert model.classes_.tolist() == expected
    assert fit(pl.read_csv(path))[1] == [
        f"{says.format(' of X')}pass missing=[{mark!r}] to read_file"
    ]
    result = train(path, "--epochs", "1", f"--na={mark}", "--bad-rows=skip")
    assert "has no 'y' in 2 of 80 rows" in result.stderr
    assert "marks a missing value" not in result.stderr
    model, said = fit(read_file(path, missing=[mark]).take(np.arange(1, N)).take(np.arange(N - 2)))
    assert (model.classes_.tolist(), said) == (["high", "low"], [])


def test_several_marks_are_one_note(written):
    _, (said,) = fit(file_of(written, ["?", "NA", *CLASSES[2:]]))
    assert said.endswith(
        "has the classes '?' and 'NA' in 2 of 80 rows; if these mark missing values, pass "
        "missing=['?', 'NA'] to read_file"
    )


def test_the_text_nan_is_a_class_wherever_it_is_text(written, mlp, tmp_path):
    y = ["nan"] * 40 + CLASSES[40:]
    path = file_of(written, y)
    for model, said in (fit(path), fit({"a": A, "y": y})):
        assert (model.classes_.tolist(), said) == (["high", "low", "nan"], [])
    mlp("tune", path, "--trials=2", "--folds=2", "--epochs=1", "--save", tmp_path / "m")
    assert multilayer.load(tmp_path / "m").targets.classes.tolist() == ["high", "low", "nan"]


ORDINARY = {
    "most of them": ["?"] * 60 + CLASSES[60:],
    "one of two classes": ["none" if i % 20 else "fraud" for i in range(N)],
    "signs": ["-" if i % 20 == 0 else "+" for i in range(N)],
    "grades": [["A+", "A", "A-", "B"][i % 4] for i in range(N)],
    "bounds": [["<=50K", ">50K"][i % 2] for i in range(N)],
    "letters": [["T", "F", "Y", "N"][i % 4] for i in range(N)],
    "languages": [["C", "C++", "C#"][i % 3] for i in range(N)],
    "numbers": [[1, 2, 3][i % 3] for i in range(N)],
    "booleans": [bool(i % 2) for i in range(N)],
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_nothing_is_said_of_ordinary_classes(written, kind):
    assert fit(file_of(written, ORDINARY[kind]))[1] == []


SPELLINGS = {
    "adult": (
        ["<=50K", "<=50K.", ">50K", ">50K.", "unsure"],
        "'<=50K' and '<=50K.'; '>50K' and '>50K.'",
    ),
    "capitals": (["Yes", "yes", "no", "No", "YES"], "'Yes', 'yes' and 'YES'; 'no' and 'No'"),
    "blanks": (["New York", "new  york", "Paris"], "'New York' and 'new  york'"),
    "quotes": (["'yes'", "yes", "no"], "\"'yes'\" and 'yes'"),
    "words": (
        ["Yes", "yes", "Y", "TRUE", "1", "No", "no", "N", "FALSE", "0"],
        "'Yes', 'yes', 'Y', 'TRUE' and '1'; 'No', 'no', 'N', 'FALSE' and '0'",
    ),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_spellings_of_one_class_are_listed(written, train, kind):
    names, listed = SPELLINGS[kind]
    path = file_of(written, [names[i % len(names)] for i in range(N)])
    says = f"writes what may be one class in several ways: {listed}; each is a class of its own"
    assert f"note: column 'y' {says}\n" in train(path, "--epochs", "1").stderr
    model, said = fit(path)
    assert said == [f"column 'y' of {path} {says}"]
    assert len(model.classes_) == len(names)


def test_only_some_of_many_spellings_are_listed(written):
    names = [first + letter for letter in "abcdefg" for first in ("x", "X")]
    _, (said,) = fit(file_of(written, [names[i % len(names)] for i in range(N)]))
    assert re.search(r": ('x\w' and 'X\w'; ){5}and 2 more; each is", said)
