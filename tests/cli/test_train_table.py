"""`mlp train table` and `mlp predict`: a table from training to predictions, as a user has it."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from typer.testing import CliRunner

from multilayer import Architecture, MLPClassifier, load
from multilayer.cli.main import app
from multilayer.cli.notes import line_of
from multilayer.data import Note
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.files import save_model
from multilayer.model import Model
from multilayer.numpy import MLP, Adam

ONE = ("train", "table", "--model=mlp")
"""Train one network, whose options make it fast."""


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


def message(*arguments, error):
    result = run(*arguments)
    assert isinstance(result.exception, error), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A table of trees: numbers with gaps, words, codes that begin with 0, and what they are."""
    folder = tmp_path_factory.mktemp("trees")
    rng = np.random.default_rng(0)
    n = 300
    height = rng.normal(20, 5, n).round(1)
    table = pd.DataFrame(
        {
            "height": np.where(rng.random(n) < 0.1, np.nan, height),
            "leaf": rng.choice(["needle", "broad", "NA"], n),
            "district": rng.integers(1, 4, n),
            "id": np.arange(n),
            "kind": np.where(height + rng.normal(0, 1, n) > 20, "tall", "small"),
        }
    )
    table.to_csv(folder / "trees.csv", index=False)
    return folder


def test_without_hidden_layers_the_model_is_linear(trees):
    saved = trees / "linear.safetensors"
    result = run(*ONE, trees / "trees.csv", "--drop", "id", "--hidden", "",
                 "--epochs", "2", "--save", saved, "--json")  # fmt: skip
    assert result.exit_code == 0, result.exception
    assert load(saved).net.architecture.hidden_features == ()


@pytest.fixture(scope="module")
def trained(trees):
    """The results of a training, and the file of its model."""
    saved = trees / "kind.safetensors"
    result = run(*ONE, trees / "trees.csv", "--drop", "id", "--categorical", "district",
                 "--hidden", "16", "--epochs", "30", "--noise", "0.1,0", "--save", saved,
                 "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), saved


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_is_the_estimator_with_columns(trees, trained):
    results, _ = trained
    table = pd.read_csv(trees / "trees.csv", keep_default_na=False, na_values=[""])
    X, y = table.drop(columns=["kind", "id"]), table["kind"].to_numpy()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=0, stratify=y
    )
    clf = MLPClassifier(
        (16,), dropout=0.1, solver=Adam(), max_iter=30, early_stopping=True, n_iter_no_change=15,
        columns={"district": "categorical"}, random_state=0, noise=(0.1, 0),
    )  # fmt: skip
    clf.set_params(early_stopping="loss").fit(X_train, y_train)
    assert results["losses"] == clf.loss_curve_
    assert results["test"] == {
        "log_loss": pytest.approx(log_loss(y_test, clf.predict_proba(X_test)), rel=1e-12),
        "accuracy": accuracy_score(y_test, clf.predict(X_test)),
    }
    assert (results["n_train"], results["n_test"]) == (240, 60)
    assert (results["task"], results["target"]) == ("classification", "kind")
    # Height with its missing values, leaf, of which NA is one, and district.
    assert results["n_inputs"] == 2 + 3 + 3


def test_the_baseline_is_that_of_the_training_part(trees, trained):
    y = pd.read_csv(trees / "trees.csv")["kind"].to_numpy()
    y_train, y_test = train_test_split(y, test_size=0.2, random_state=0, stratify=y)
    classes, counts = np.unique(y_train, return_counts=True)
    expected = log_loss(y_test, np.tile(counts / len(y_train), (len(y_test), 1)), labels=classes)
    # To 12 digits: the two parts have other frequencies in the third.
    assert trained[0]["baseline"]["log_loss"] == pytest.approx(expected, rel=1e-12)


def test_the_file_tells_how_good_it_is_and_the_doctor_reads_it(trees, trained):
    results, saved = trained
    metrics = load(saved).information["metrics"]
    assert metrics["test_accuracy"] == results["test"]["accuracy"]
    shown = run("show", saved)
    assert "test_log_loss" in shown.stdout, shown.output
    assert run("doctor", saved, trees / "trees.csv", "--target", "kind").exit_code in (0, 1)


def test_values_are_predicted_in_their_own_units(tmp_path):
    data = load_diabetes(as_frame=True, scaled=False)
    data.frame.to_csv(tmp_path / "d.csv", index=False)
    saved = tmp_path / "m.safetensors"
    result = run(*ONE, tmp_path / "d.csv", "--hidden", "16", "--save", saved, "--json")
    results = json.loads(result.stdout)
    assert results["task"] == "regression"
    y_train, y_test = train_test_split(data.target.to_numpy(), test_size=0.2, random_state=0)
    expected = np.sqrt(np.mean((y_test - y_train.mean()) ** 2))
    assert results["baseline"]["rmse"] == pytest.approx(expected, rel=1e-12)
    assert results["test"]["r2"] > 0.3
    ratio = (results["test"]["rmse"] / expected) ** 2
    # R² is 1 − this, but for the means of the two parts, which differ a little.
    assert results["test"]["r2"] == pytest.approx(1 - ratio, abs=0.02)
    rows = run("predict", saved, tmp_path / "d.csv").stdout
    (tmp_path / "p.csv").write_text(rows)
    predicted = pd.read_csv(tmp_path / "p.csv")
    assert list(predicted) == ["prediction"]
    assert r2_score(data.target, predicted["prediction"]) > 0.3


def test_what_is_printed_for_people(trees):
    result = run(*ONE, trees / "trees.csv", "--drop", "id", "--hidden", "4",
                 "--epochs", "3")  # fmt: skip
    assert result.exit_code == 0, result.output
    for part in ("kind: 2 classes", "log loss", "accuracy", "baseline", "hidden 1", "best of 3"):
        assert part in result.stdout
    printed = " ".join(result.stdout.replace("│", "").split())
    assert "leaf categorical" in printed
    assert "3 3 inputs" in printed  # distinct, and what becomes of them
    assert printed.index("leaf categorical") < printed.index("baseline")
    assert "ran to the last epoch" in result.stdout
    assert "note:" not in result.stderr  # that it has not converged is told above


def test_the_network_predicts_once(trees, trained, monkeypatch):
    calls, call = [], MLP.__call__
    monkeypatch.setattr(MLP, "__call__", lambda *given: calls.append(1) or call(*given))
    assert run("predict", trained[1], trees / "trees.csv").exit_code == 0
    assert calls == [1]


def test_predictions_are_those_of_the_model(trees, trained, tmp_path):
    _, saved = trained
    table = pd.read_csv(trees / "trees.csv", keep_default_na=False, na_values=[""])
    model = load(saved)
    X = table[list(model.inputs.names)]
    out = tmp_path / "predictions.csv"
    assert run("predict", saved, trees / "trees.csv", "--out", out).stdout == ""
    found = pd.read_csv(out)
    assert list(found) == ["prediction", "probability small", "probability tall"]
    assert (found["prediction"] == model.predict(X)).all()
    probabilities = model.predict_proba(X)
    assert np.allclose(found.iloc[:, 1:], probabilities, rtol=1e-6)
    as_json = json.loads(run("predict", saved, trees / "trees.csv", "--json").stdout)
    assert as_json["probability tall"] == probabilities[:, 1].tolist()


def test_a_code_is_a_category_and_a_mark_among_numbers_is_missing(tmp_path):
    """ "01" is no 1; NA is a category among categories, and missing among numbers."""
    codes, kinds = ["01", "02", "NA"], ["a", "b", "a"]
    table = pd.DataFrame({"code": codes * 20, "size": ["1", "2", "NA"] * 20, "kind": kinds * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    job = [*ONE, tmp_path / "t.csv", "--optimizer", "lbfgs", "--save", saved]
    assert run(*job).exit_code == 0
    code, size = load(saved).inputs.columns
    assert str(code) == "3 categories: 01, 02, NA"
    assert (size.kind, size.has_missing) == ("numeric", True)
    (tmp_path / "few.csv").write_text("code,size\n01,1\n02,2\nNA,NA\n")
    found = json.loads(run("predict", saved, tmp_path / "few.csv", "--json").stdout)
    assert found["prediction"] == kinds
    assert run(*job, "--na", "NA").exit_code == 0
    assert str(load(saved).inputs.columns[0]) == "2 categories: 01, 02; missing values"
    assert load(saved).inputs.missing == ("NA",)


@pytest.mark.parametrize(
    ("column", "expected"),
    [([0, 1] * 20, "classification"), ([True, False] * 20, "classification"),
     (["x", "y"] * 20, "classification"), (["None", "NA"] * 20, "classification"),
     ([*range(20)] * 8, "classification"), ([*range(21)] * 8, "regression"),
     ([0.5, 1.0] * 20, "regression"), ([1.0, 2.0] * 20, "classification"),
     ([f"{i:,}" for i in range(990, 1030)], "regression"), (["$5", "$6.5"] * 20, "regression"),
     (["01", "02"] * 20, "classification")],
)  # fmt: skip
def test_what_the_target_is(tmp_path, column, expected):
    table = pd.DataFrame({"x": np.linspace(0, 1, len(column)), "y": list(column)})
    table.to_csv(tmp_path / "t.csv", index=False)
    job = [*ONE, tmp_path / "t.csv", "--hidden", "2", "--epochs", "1", "--json"]
    assert json.loads(run(*job).stdout)["task"] == expected
    if expected == "classification" and table["y"].dtype.kind in "if":
        assert json.loads(run(*job, "--task", "regression").stdout)["task"] == "regression"


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (["--target", "kin"], UnknownNameError, "did you mean 'kind'?"),
        (["--drop", "nothing"], UnknownNameError, "of mlp train table must be one of height"),
        (["--drop", "kind"], InvalidArgumentError, "cannot be 'kind', which is dropped"),
        (["--task", "regression"], InvalidDataError, "column 'kind' of "),
        (["--task", "words"], UnknownNameError, "--task of mlp train table must be one of class"),
        (["--numeric", "no"], UnknownNameError, "--numeric of mlp train table must be one"),
        (["--date", "leaf"], InvalidDataError, "must hold dates; got "),
        (["--numeric", "leaf"], InvalidDataError, "must hold numbers; got "),
        (["--date", "id", "--numeric", "id"], InvalidArgumentError, "--date of mlp train table"),
        (["--decimal", "x"], InvalidArgumentError, "--decimal of mlp train table must be ."),
        (["--sep", "ab"], InvalidArgumentError, "--sep of mlp train table must be one"),
        (["--encoding", "klingon"], InvalidArgumentError, "--encoding of mlp train table must be"),
        (["--test", "1"], InvalidArgumentError, "--test of mlp train table must be a number in (0"),
        (["--seed", str(2**32)], InvalidArgumentError, "--seed of mlp train table must be below"),
        (["--model=mlp", "--dropout", "1"], InvalidArgumentError,
         "--dropout of mlp train table must be"),
        (["--model=mlp", "--noise", "-1"], InvalidArgumentError,
         "--noise of mlp train table must be"),
        (["--noise", "0.1"], InvalidArgumentError, "--noise of mlp train table needs --model mlp"),
        (["--model=mlp", "--optimizer", "adan"], UnknownNameError,
         "--optimizer of mlp train table must be one"),
        (["--model=mlp", "--schedule", "cosinus"], UnknownNameError,
         "--schedule of mlp train table must be one"),
        (["--model=mlp", "--epochs", "0"], InvalidArgumentError,
         "--epochs of mlp train table must be a positive"),
        (["--model=mlp", "--alpha", "-1"], InvalidArgumentError,
         "--alpha of mlp train table must be a number"),
        (["--model=mlp", "--batch-size", "0"], InvalidArgumentError,
         "--batch-size of mlp train table must be"),
        (["--categorical", "no"], UnknownNameError, "--categorical of mlp train table must"),
        (["--drop", "height", "--drop", "leaf", "--drop", "id", "--drop", "district"],
         InvalidDataError, "must have at least one input besides the target 'kind'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_the_words_of_the_command(trees, arguments, error, expected):
    assert expected in message("train", "table", trees / "trees.csv", *arguments, error=error)


def test_files_that_cannot_be_used(trees, trained, tmp_path):
    assert message("train", "table", tmp_path / "no.csv", error=InvalidDataError) == (
        f"there is no file {tmp_path / 'no.csv'}"
    )
    (tmp_path / "one.csv").write_text("x,y\n1,a\n2,b\n")
    assert "cannot be divided to train and to test on" in message(
        "train", "table", tmp_path / "one.csv", error=InvalidDataError
    )
    _, saved = trained
    assert message("predict", saved, tmp_path / "no.csv", error=InvalidDataError) == (
        f"there is no file {tmp_path / 'no.csv'}"
    )
    assert message("predict", saved, tmp_path / "one.csv", error=InvalidDataError) == (
        f"{tmp_path / 'one.csv'} must have all inputs of the model; missing: height, leaf, "
        "district; found: x, y"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y\na\nb\n", "must have at least one input besides the target 'y'"),
        ("x,y\n1,a\n2,a\n", "the target, must have at least two classes; all are 'a'"),
        ("x,y\n" + "1,5\n" * 30, "the target, must have at least two classes; all are 5"),
        ("x,y\n" + "1,5.5\n" * 30, "the target, must have different values; all are [5.5]"),
        ("x,y\n1,2024-01-05\n2,2024-01-06\n", "the target, must hold numbers or classes; it h"),
        (
            "x,y\n" + "".join(f"{i},name {i}\n" for i in range(90)),
            "must have classes that repeat; it has 90 in 90 rows, such as 'name 0'",
        ),
        ("x,y\n" + "1,0.5\n2,0.7\n" * 9, "must leave 20 rows to train on and 2 to test on; with "),
    ],
)
def test_tables_that_cannot_be_learned(tmp_path, text, expected):
    (tmp_path / "t.csv").write_text(text)
    assert expected in message("train", "table", tmp_path / "t.csv", error=InvalidDataError)


def test_fractions_are_no_classes(tmp_path):
    pd.DataFrame({"x": range(40), "y": [0.5, 1.5] * 20}).to_csv(tmp_path / "t.csv", index=False)
    assert (
        message(
            "train", "table", tmp_path / "t.csv", "--task", "classification", error=InvalidDataError
        )
        == f"column 'y' of {tmp_path / 't.csv'} must hold names or whole numbers to be predicted "
        "as classes; got 0.5 at row 1 below its header"
    )


def test_lbfgs_takes_all_rows_and_no_dropout(trees):
    job = [*ONE, trees / "trees.csv", "--optimizer", "lbfgs", "--epochs", "3",
           "--drop", "id", "--hidden", "4"]  # fmt: skip
    assert json.loads(run(*job, "--json").stdout)["n_epochs"] == 3
    assert message(*job, "--batch-size", "7", error=InvalidArgumentError) == (
        "--batch-size of mlp train table cannot be combined with --optimizer lbfgs, which takes "
        "all rows"
    )


def test_a_training_that_diverges_has_exit_code_1(tmp_path):
    x = np.linspace(-3, 3, 400)
    pd.DataFrame({"x": x, "y": 100 * x**3}).to_csv(tmp_path / "t.csv", index=False)
    job = [*ONE, tmp_path / "t.csv", "--optimizer", "sgd", "--save",
           tmp_path / "m.safetensors"]  # fmt: skip
    at_once = run(*job, "--learning-rate", "1e30")
    assert at_once.exit_code == 1
    assert "the training diverged with the learning rate 1e+30. Try a smaller" in at_once.stderr
    assert not (tmp_path / "m.safetensors").exists()


def test_what_is_noted_is_a_line_in_the_words_of_the_command(trees, trained, tmp_path):
    bore = [f"{2 + i / 100}" for i in range(59)]
    table = pd.DataFrame(
        {"bore": [*bore, "?"], "mark": [*bore[:-1], "Total", "2"], "y": [0, 1] * 30}
    )
    table["lot"] = [f"{1 + i % 9},{100 + i}" for i in range(60)]
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run(*ONE, tmp_path / "t.csv", "--target", "y", "--epochs", "1", "--json")
    lines = result.stderr.splitlines()
    assert lines == [
        "note: column 'mark' has 'Total' at row 59 below its header, which is not a number "
        "and is treated as missing; to change this, pass --categorical mark",
    ]
    result = run(*ONE, tmp_path / "t.csv", "--target", "y", "--epochs", "1", "--json",
                 "--drop", "bore", "--drop", "mark")  # fmt: skip
    (line,) = result.stderr.splitlines()
    assert line.startswith("note: column 'lot' writes '")
    assert line.endswith("; to change this, pass --decimal ,")
    others = pd.read_csv(trees / "trees.csv").assign(leaf="unheard of")
    others.to_csv(tmp_path / "others.csv", index=False)
    result = run("predict", trained[1], tmp_path / "others.csv")
    assert result.stderr.startswith("note: column 'leaf' has categories not seen in training")


def test_identifiers_and_empty_columns_end_no_run(tmp_path):
    n = 100
    table = pd.DataFrame(
        {
            "id": [f"{i:04d}_01" for i in range(n)],
            "name": [f"person {i}" for i in range(n)],
            "empty": np.nan,
            "age": np.arange(n) % 37,
            "y": ["a", "b"] * (n // 2),
        }
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    result = run(*ONE, tmp_path / "t.csv", "--epochs", "2", "--save", saved)
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if line.startswith("note:")]
    assert notes == [
        f"note: nothing can be learned from these columns of {tmp_path / 't.csv'}, which are "
        "ignored: 'id', 'name' (identifiers); 'empty' (no entries)"
    ]
    assert "left out: identifiers" in result.stdout
    table[["age"]].to_csv(tmp_path / "new.csv", index=False)
    assert run("predict", saved, tmp_path / "new.csv").exit_code == 0


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    table = pd.DataFrame({"x": range(60), "y": ["a", "b", None] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run(*ONE, tmp_path / "t.csv", "--epochs", "1", "--json")
    assert str(result.exception) == (
        f"{tmp_path / 't.csv'} has no 'y' in 20 of 60 rows, the first of them row 3 below its "
        "header; to leave such rows out, pass --bad-rows skip"
    )
    result = run(*ONE, tmp_path / "t.csv", "--epochs", "1", "--json", "--bad-rows", "skip")
    found = json.loads(result.stdout)
    assert found["n_train"] + found["n_test"] == 40
    says = f"{tmp_path / 't.csv'} has no 'y' in 20 of 60 rows, the first of them row 3 below its"
    assert f"note: {says} header; they are left out\n" in result.stderr


def test_a_class_of_one_row_is_trained_on_and_whole_numbers_are_said_to_be_classes(tmp_path):
    table = pd.DataFrame({"x": range(60), "grade": [*([4, 5, 6] * 19), 4, 5, 7]})
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run(*ONE, tmp_path / "t.csv", "--epochs", "1", "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "note: the 4 whole numbers of 'grade' are treated as classes; to predict them as numbers, "
        "pass --task regression\n"
    )


def test_classes_that_differ_by_capitals_are_noted(tmp_path):
    table = pd.DataFrame({"x": range(60), "y": ["yes", "yes ", "no", "YES"] * 15})
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run(*ONE, tmp_path / "t.csv", "--epochs", "1", "--json")
    assert result.stderr == (
        "note: column 'y' writes what may be one class in several ways: 'yes' and 'YES'; each is a "
        "class of its own\n"
    )


def test_dialects_and_parquet_hold_the_same_table(trees, tmp_path):
    table = pd.read_csv(trees / "trees.csv", keep_default_na=False, na_values=[""])
    table.to_csv(tmp_path / "a.csv", index=False, sep=";", decimal=",", encoding="utf-16")
    table.to_parquet(tmp_path / "b.parquet")
    job = ["--epochs", "2", "--json"]
    paths = trees / "trees.csv", tmp_path / "a.csv", tmp_path / "b.parquet"
    found = [json.loads(run(*ONE, path, *job).stdout)["losses"] for path in paths]
    assert found[0] == found[1] == found[2]


def test_the_epoch_with_the_lowest_loss_is_kept(tmp_path):
    """Of two classes that overlap a network grows too sure of itself before it errs more."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 8))
    y = np.where(X[:, 0] + rng.normal(0, 1.5, 600) > 0, "a", "b")
    pd.DataFrame(X).assign(y=y).to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    result = run(*ONE, tmp_path / "t.csv", "--learning-rate", "0.01", "--dropout", "0",
                 "--json", "--save", saved)  # fmt: skip
    found = json.loads(result.stdout)
    losses = load(saved).information["history"]["metrics"]["validation_loss"]
    assert found["best_epoch"] == 1 + int(np.argmin(losses))
    assert found["test"]["log_loss"] < found["baseline"]["log_loss"]


def test_a_model_without_names_takes_all_columns(tmp_path):
    net = MLP(Architecture(2, (3,), 2), dtype="float64", rng=np.random.default_rng(0))
    save_model(tmp_path / "m.safetensors", Model(net))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    found = json.loads(
        run("predict", tmp_path / "m.safetensors", tmp_path / "t.csv", "--json").stdout
    )
    expected = net(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert np.allclose(np.column_stack(list(found.values())), expected, rtol=1e-12)


def test_the_file_knows_its_target_and_passes_over_what_was_dropped(trees, trained):
    """--drop and --target have not to be said again to the doctor."""
    table = pd.read_csv(trees / "trees.csv", keep_default_na=False)
    table[["kind", *table.columns.drop("kind")]].to_csv(trees / "first.csv", index=False)
    told = [run("doctor", trained[1], trees / name, "--json").stdout
            for name in ("trees.csv", "first.csv")]  # fmt: skip
    assert json.loads(told[0]) == json.loads(told[1])
    assert load(trained[1]).information["data"]["target"] == "kind"


def test_categorical_columns_are_what_is_written(tmp_path):
    codes = ["02139", "2139", "10001"] * 20
    table = pd.DataFrame({"zip": codes, "y": ["a", "b", "a"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    run(*ONE, tmp_path / "t.csv", "--categorical", "zip", "--hidden", "4", "--dropout",
        "0", "--learning-rate", "0.1", "--save", saved)  # fmt: skip
    assert load(saved).inputs.columns[0].categories == ("02139", "10001", "2139")
    found = json.loads(run("predict", saved, tmp_path / "t.csv", "--json").stdout)
    assert found["prediction"] == table["y"].tolist()


def test_what_is_no_number_is_named_with_its_row(trees, trained, tmp_path):
    table = pd.read_csv(trees / "trees.csv", keep_default_na=False).astype({"height": object})
    table.loc[3, "height"] = "forty"
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run("predict", trained[1], tmp_path / "t.csv")
    assert result.stderr == (
        "note: column 'height' has 'forty' at row 4 below its header, which is not a number "
        "and is treated as missing\n"
    )
    table.assign(height="forty").to_csv(tmp_path / "t.csv", index=False)
    assert message("predict", trained[1], tmp_path / "t.csv", error=InvalidDataError) == (
        f"column 'height' of {tmp_path / 't.csv'} must hold numbers; got 'forty' at row 1 "
        "below its header"
    )


def test_what_is_no_better_than_the_baseline_is_said(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=60), "y": rng.integers(2, size=60)})
    table.to_csv(tmp_path / "t.csv", index=False)
    noise = run(*ONE, tmp_path / "t.csv", "--learning-rate", "1", "--epochs", "5")
    assert (
        "no better than the baseline; to find out why, --save the model and run mlp doctor"
        in noise.stdout
    )


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_what_was_learned(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20_000, 6)), columns=list("abcdef"))
    table.assign(y=rng.integers(2, size=len(table))).to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    job = subprocess.Popen(
        [sys.executable, "-m", "multilayer", *ONE, str(tmp_path / "t.csv"), "--epochs",
         "100000", "--batch-size", "8", "--save", str(saved)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    assert any("epoch " in line for line in job.stderr)
    job.send_signal(signal.SIGINT)
    output, error = job.communicate(timeout=120)
    assert job.returncode == 130, error
    assert "y: 2 classes" in output
    assert load(saved).information["history"]["stopped_by"] == "interrupt"


def test_an_option_that_is_told_of_can_be_pasted():
    assert line_of(Note("the mark", "t.csv", "is open to doubt", "categorical")) == (
        "column 'the mark' is open to doubt; to change this, pass --categorical 'the mark'"
    )
