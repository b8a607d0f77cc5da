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
from multilayer.cli.samples import read_csv
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.files import save_model
from multilayer.model import Model
from multilayer.numpy import MLP, Adam


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


@pytest.fixture(scope="module")
def trained(trees):
    """The results of a training, and the file of its model."""
    saved = trees / "kind.safetensors"
    result = run("train", "table", trees / "trees.csv", "--drop", "id", "--categorical", "district",
                 "--hidden", "16", "--epochs", "30", "--save", saved, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), saved


def test_it_is_the_estimator_with_columns(trees, trained):
    results, _ = trained
    table = pd.read_csv(trees / "trees.csv")
    X, y = table.drop(columns=["kind", "id"]), table["kind"].to_numpy()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=0, stratify=y
    )
    clf = MLPClassifier(
        (16,), dropout=0.1, solver=Adam(), max_iter=30, early_stopping=True, n_iter_no_change=15,
        columns={"district": "categorical"}, random_state=0,
    )  # fmt: skip
    clf.fit(X_train, y_train)
    assert results["losses"] == clf.loss_curve_
    assert results["test"] == {
        "log_loss": pytest.approx(log_loss(y_test, clf.predict_proba(X_test)), rel=1e-12),
        "accuracy": accuracy_score(y_test, clf.predict(X_test)),
    }
    assert (results["n_train"], results["n_test"]) == (240, 60)
    assert (results["task"], results["target"]) == ("classes", "kind")
    assert results["n_inputs"] == 2 + 3 + 3  # height with its gaps, leaf with its gaps, district


def test_the_constant_is_that_of_the_training_part(trees, trained):
    y = pd.read_csv(trees / "trees.csv")["kind"].to_numpy()
    y_train, y_test = train_test_split(y, test_size=0.2, random_state=0, stratify=y)
    classes, counts = np.unique(y_train, return_counts=True)
    expected = log_loss(y_test, np.tile(counts / len(y_train), (len(y_test), 1)), labels=classes)
    # To 12 digits: the two parts have other frequencies in the third.
    assert trained[0]["constant"]["log_loss"] == pytest.approx(expected, rel=1e-12)


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
    result = run("train", "table", tmp_path / "d.csv", "--hidden", "16", "--save", saved, "--json")
    results = json.loads(result.stdout)
    assert results["task"] == "values"
    y_train, y_test = train_test_split(data.target.to_numpy(), test_size=0.2, random_state=0)
    expected = np.sqrt(np.mean((y_test - y_train.mean()) ** 2))
    assert results["constant"]["rmse"] == pytest.approx(expected, rel=1e-12)
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
    result = run("train", "table", trees / "trees.csv", "--drop", "id", "--hidden", "4",
                 "--epochs", "3")  # fmt: skip
    assert result.exit_code == 0, result.output
    for part in ("kind: 2 classes", "log loss", "accuracy", "constant", "hidden 1", "best of 3"):
        assert part in result.stdout
    assert "stopped by n epochs" in result.stdout
    assert "note:" not in result.stderr  # that it has not converged is told above


def test_predictions_are_those_of_the_model(trees, trained, tmp_path):
    _, saved = trained
    table = pd.read_csv(trees / "trees.csv")
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


def test_a_gap_is_a_gap_and_a_code_a_word(tmp_path):
    """What pandas reads as a gap is one, unless the model knows it as a word; "01" is no 1."""
    codes, kinds = ["01", "02", "NA"], ["a", "b", "a"]
    X, y = pd.DataFrame({"code": np.tile(codes, 20)}), np.tile(kinds, 20)
    clf = MLPClassifier((4,), columns="auto", solver="lbfgs", random_state=0).fit(X, y)
    clf.save(tmp_path / "m.safetensors")
    (tmp_path / "few.csv").write_text("code\n01\n02\nNA\n")
    found = json.loads(run("predict", tmp_path / "m.safetensors", tmp_path / "few.csv",
                           "--json").stdout)  # fmt: skip
    assert found["prediction"] == kinds
    words = X.assign(code=X["code"].replace("NA", None))
    clf.fit(words, y).save(tmp_path / "m.safetensors")
    found = json.loads(run("predict", tmp_path / "m.safetensors", tmp_path / "few.csv",
                           "--json").stdout)  # fmt: skip
    assert found["probability a"] == pytest.approx(clf.predict_proba(words[:3])[:, 0], rel=1e-6)


@pytest.mark.parametrize(
    ("column", "expected"),
    [([0, 1] * 20, "classes"), ([True, False] * 20, "classes"), (["x", "y"] * 20, "classes"),
     ([*range(20)] * 8, "classes"), ([*range(21)] * 8, "values"),
     ([0.5, 1.0] * 20, "values"), ([1.0, 2.0] * 20, "classes")],
)  # fmt: skip
def test_what_the_target_is(tmp_path, column, expected):
    table = pd.DataFrame({"x": np.linspace(0, 1, len(column)), "y": list(column)})
    table.to_csv(tmp_path / "t.csv", index=False)
    job = ["train", "table", tmp_path / "t.csv", "--hidden", "2", "--epochs", "1", "--json"]
    assert json.loads(run(*job).stdout)["task"] == expected
    if expected == "classes" and table["y"].dtype.kind in "if":
        assert json.loads(run(*job, "--task", "values").stdout)["task"] == "values"


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (["--target", "kin"], UnknownNameError, "did you mean 'kind'?"),
        (["--drop", "nothing"], UnknownNameError, "--drop must be one of height, leaf"),
        (["--drop", "kind"], InvalidArgumentError, "cannot be 'kind', which is dropped"),
        (["--target", "height"], InvalidDataError, "must have an entry in every row; "),
        (["--task", "values"], InvalidDataError, "column 'kind' must hold numbers"),
        (["--task", "words"], UnknownNameError, "--task of mlp train table must be one of classes"),
        (["--test", "1"], InvalidArgumentError, "--test of mlp train table must be a number in (0"),
        (["--seed", str(2**32)], InvalidArgumentError, "--seed of mlp train table must be below"),
        (["--dropout", "1"], InvalidArgumentError, "--dropout of mlp train table must be"),
        (["--optimizer", "adan"], UnknownNameError, "--optimizer of mlp train table must be one"),
        (["--epochs", "0"], InvalidArgumentError, "--epochs of mlp train table must be a positive"),
        (["--alpha", "-1"], InvalidArgumentError, "--alpha of mlp train table must be a number"),
        (["--batch-size", "0"], InvalidArgumentError, "--batch-size of mlp train table must be"),
        (["--categorical", "no"], UnknownNameError, "--categorical must be one of height, leaf"),
        (["--drop", "height", "--drop", "leaf", "--drop", "id", "--drop", "district"],
         InvalidDataError, "there are none beside 'kind'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_the_words_of_the_command(trees, arguments, error, expected):
    assert expected in message("train", "table", trees / "trees.csv", *arguments, error=error)


def test_files_that_cannot_be_used(trees, trained, tmp_path):
    assert message("train", "table", tmp_path / "no.csv", error=InvalidDataError) == (
        f"FILE must be a CSV file; no file {tmp_path / 'no.csv'}"
    )
    (tmp_path / "one.csv").write_text("x,y\n1,a\n2,b\n")
    assert "cannot be divided to train and to test on" in message(
        "train", "table", tmp_path / "one.csv", error=InvalidDataError
    )
    _, saved = trained
    assert message("predict", saved, tmp_path / "no.csv", error=InvalidDataError) == (
        f"DATA must be a CSV file; no file {tmp_path / 'no.csv'}"
    )
    assert message("predict", saved, tmp_path / "one.csv", error=InvalidDataError) == (
        f"{tmp_path / 'one.csv'} must have all inputs of the model; not there: height, leaf, "
        "district"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x;y\n1;a\n2;b\n", "must have inputs beside the target, separated by commas"),
        ("x,y\n1,a\n2,a\n", "column 'y', the target, must have two classes at least; all are 'a'"),
        ("x,y\n1,0.5\ninf,0.7\n", "column 'x' must hold finite numbers; "),
        ("x,y\n1,0.5\n2,-inf\n", "has -inf in row 2 below its header"),
        ("x,y\n1,2,3\n4,5,6\n", "Expected 2 fields in line 2, saw 3"),
        ("x,y\n" + "1,0.5\n2,0.7\n" * 9, "must leave 20 rows to train on and 2 to test on; with "),
    ],
)
def test_tables_that_cannot_be_learned(tmp_path, text, expected):
    (tmp_path / "t.csv").write_text(text)
    assert expected in message("train", "table", tmp_path / "t.csv", error=InvalidDataError)


def test_fractions_are_no_classes(tmp_path):
    pd.DataFrame({"x": range(40), "y": [0.5, 1.5] * 20}).to_csv(tmp_path / "t.csv", index=False)
    assert (
        message("train", "table", tmp_path / "t.csv", "--task", "classes", error=InvalidDataError)
        == "column 'y' must hold words or whole numbers to be predicted as classes"
    )


def test_lbfgs_takes_all_rows_and_no_dropout(trees):
    job = ["train", "table", trees / "trees.csv", "--optimizer", "lbfgs", "--epochs", "3",
           "--drop", "id", "--hidden", "4"]  # fmt: skip
    assert json.loads(run(*job, "--json").stdout)["n_epochs"] == 3
    assert message(*job, "--batch-size", "7", error=InvalidArgumentError) == (
        "--batch-size cannot be combined with --optimizer lbfgs, which takes all rows"
    )


def test_a_training_that_diverges_has_exit_code_1(tmp_path):
    x = np.linspace(-3, 3, 400)
    pd.DataFrame({"x": x, "y": 100 * x**3}).to_csv(tmp_path / "t.csv", index=False)
    job = ["train", "table", tmp_path / "t.csv", "--optimizer", "sgd", "--save",
           tmp_path / "m.safetensors"]  # fmt: skip
    at_once = run(*job, "--learning-rate", "1e30")
    assert at_once.exit_code == 1
    assert "the training diverged with the learning rate 1e+30. Try a smaller" in at_once.stderr
    assert not (tmp_path / "m.safetensors").exists()


def test_what_is_warned_of_is_a_line(trees, trained, tmp_path):
    table = pd.DataFrame({"x": [str(i) for i in range(59)] + ["n/a?"], "y": [0, 1] * 30})
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run("train", "table", tmp_path / "t.csv", "--epochs", "1", "--json")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("note: the words of column 'x' of X are numbers, such as ")
    assert all(line.startswith("note: ") for line in lines)
    others = pd.read_csv(trees / "trees.csv").assign(leaf="unheard of")
    others.to_csv(tmp_path / "others.csv", index=False)
    result = run("predict", trained[1], tmp_path / "others.csv")
    assert result.stderr.startswith("note: no word of column 'leaf'")


def test_the_kind_of_a_column_does_not_hang_on_where_a_word_stands(tmp_path):
    """pandas guesses the kind of a large column by pieces, unless it is told not to."""
    codes = ["01"] * 300_000 + ["x"]
    pd.DataFrame({"code": codes}).to_csv(tmp_path / "t.csv", index=False)
    table = read_csv(tmp_path / "t.csv", "")
    assert set(table["code"]) == {"01", "x"}


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
    table = pd.read_csv(trees / "trees.csv")
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
    run("train", "table", tmp_path / "t.csv", "--categorical", "zip", "--hidden", "4", "--dropout",
        "0", "--learning-rate", "0.1", "--save", saved)  # fmt: skip
    assert load(saved).inputs.columns[0].words == ("02139", "10001", "2139")
    found = json.loads(run("predict", saved, tmp_path / "t.csv", "--json").stdout)
    assert found["prediction"] == table["y"].tolist()


def test_the_word_among_numbers_is_named(trees, trained, tmp_path):
    table = pd.read_csv(trees / "trees.csv").astype({"height": object})
    table.loc[3, "height"] = "forty"
    table.to_csv(tmp_path / "t.csv", index=False)
    assert message("predict", trained[1], tmp_path / "t.csv", error=InvalidDataError) == (
        f"column 'height' must hold numbers, as the model was trained on; {tmp_path / 't.csv'} has "
        "'forty' in row 4 below its header"
    )


def test_what_is_no_better_than_a_constant_is_said(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=60), "y": rng.integers(2, size=60)})
    table.to_csv(tmp_path / "t.csv", index=False)
    noise = run("train", "table", tmp_path / "t.csv", "--learning-rate", "1", "--epochs", "5")
    assert "no better than a constant: --save it and ask mlp doctor" in noise.stdout
    assert "numbers: x\n" in noise.stdout


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_what_was_learned(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20_000, 6)), columns=list("abcdef"))
    table.assign(y=rng.integers(2, size=len(table))).to_csv(tmp_path / "t.csv", index=False)
    saved = tmp_path / "m.safetensors"
    job = subprocess.Popen(
        [sys.executable, "-m", "multilayer", "train", "table", str(tmp_path / "t.csv"), "--epochs",
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
