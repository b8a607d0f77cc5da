"""`mlp doctor`: what it prints, its exit codes, and what it refuses."""

import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner

from multilayer import Architecture, MLPClassifier
from multilayer.cli.main import app
from multilayer.cli.rows import truth
from multilayer.data import ImageData, ScaledImages, read_file, read_table
from multilayer.doctor import diagnose
from multilayer.doctor.case import MAX_SAMPLES
from multilayer.errors import InvalidDataError, UnknownNameError
from multilayer.files import load_model, save_model
from multilayer.model import Classes, Model, Numbers
from multilayer.numpy import MLP


def run(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of the irises, their table, and a model that has learned nothing."""
    folder = tmp_path_factory.mktemp("doctor")
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    X.assign(species=names[y]).to_csv(folder / "iris.csv", index=False)
    X.assign(species=names[y])[["species", *X.columns]].to_csv(folder / "first.csv", index=False)
    clf = MLPClassifier((8,), solver="lbfgs", alpha=1.0, tol=1e-2, random_state=0)
    clf.fit(X, names[y]).save(folder / "good.safetensors")
    net = MLP(Architecture(4, (8,), 3, output="softmax"), rng=np.random.default_rng(0))
    save_model(folder / "new.safetensors", Model(net, Classes(names)))
    return folder


def test_a_model_that_is_well_has_exit_code_0(folder):
    result = run(folder / "good.safetensors", folder / "iris.csv")
    assert result.exit_code == 0, result.output
    assert "nothing wrong in MLP(4-8-3" in result.stdout


def test_one_that_is_not_has_exit_code_1_and_the_reason(folder):
    result = run(folder / "new.safetensors", folder / "iris.csv")
    assert result.exit_code == 1, result.output
    for part in (
        "chance_level",
        "wrong",
        "baseline loss: 1.099",
        "Not checked: overfitting",
    ):
        assert part in result.stdout


def test_json_is_what_diagnose_finds(folder):
    import multilayer

    result = run(folder / "new.safetensors", folder / "iris.csv", "--json")
    assert result.exit_code == 1
    table = pd.read_csv(folder / "iris.csv")
    X, y = table.drop(columns="species"), table["species"].to_numpy()
    found = diagnose(multilayer.load(folder / "new.safetensors"), X, y)
    assert json.loads(result.stdout) == json.loads(found.to_json())


def test_the_target_may_be_another_column(folder):
    result = run(folder / "good.safetensors", folder / "first.csv", "--target", "species")
    assert result.exit_code == 0, result.output
    result = run(folder / "good.safetensors", folder / "first.csv", "--target", "specie")
    assert isinstance(result.exception, UnknownNameError)
    assert "did you mean 'species'?" in str(result.exception)


def test_the_target_is_the_one_column_that_is_no_input(folder):
    result = run(folder / "good.safetensors", folder / "first.csv")
    assert result.exit_code == 0, result.output


def test_a_target_that_was_guessed_is_told(folder):
    guess = "the last column, {}, is used as the target; to change this, pass --target"
    result = run(folder / "new.safetensors", folder / "first.csv")  # knows no names
    assert isinstance(result.exception, InvalidDataError)
    assert str(result.exception) == (
        f"column 'species' of {folder / 'first.csv'} must hold numbers; got 'setosa' at row 1 "
        "below its header"
    )
    assert result.exception.__notes__ == [guess.format("petal width (cm)")]
    table = pd.read_csv(folder / "iris.csv")
    table.assign(id=range(len(table))).to_csv(folder / "two.csv", index=False)
    table.assign(species=range(len(table))).to_csv(folder / "other.csv", index=False)
    two = run(folder / "good.safetensors", folder / "two.csv", "--json")
    assert two.exception.__notes__ == [guess.format("id")]
    other = run(folder / "new.safetensors", folder / "other.csv")
    assert other.exception.__notes__ == [guess.format("species")]
    other = run(folder / "good.safetensors", folder / "other.csv", "--target", "species")
    assert not hasattr(other.exception, "__notes__")


def test_warnings_alone_have_exit_code_0(folder):
    table = pd.read_csv(folder / "iris.csv")
    table["petal width (cm)"] *= 20  # as if in units of half a millimetre
    table.to_csv(folder / "wide.csv", index=False)
    numbers, words = table.drop(columns="species"), table["species"]
    clf = MLPClassifier((8,), solver="lbfgs", alpha=1.0, tol=1e-2, random_state=0)
    clf.fit(numbers, words).save(folder / "wide.safetensors")
    result = run(folder / "wide.safetensors", folder / "wide.csv", "--json")
    findings = json.loads(result.stdout)["findings"]
    assert [(each["name"], each["severity"]) for each in findings] == [
        ("unscaled_inputs", "warning")
    ]
    assert result.exit_code == 0


def test_the_digits_are_those_that_mlp_train_takes(tmp_path):
    path = tmp_path / "d.safetensors"
    trained = CliRunner().invoke(
        app, ["train", "digits", "--epochs", "15", "--save", str(path), "--json"]
    )
    assert trained.exit_code == 0
    result = run(path, "digits", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "subject": "MLP(64-64-32-10, relu → softmax, 6,570 parameters, float32)",
        "findings": [],
        "unchecked": {},
    }


def test_images_are_those_that_mlp_train_takes(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    parts = []
    for n in (MAX_SAMPLES + 10, 10):
        pixels = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        parts += [ScaledImages(pixels), np.arange(n) % 10]
    images = ImageData(*parts, ("",) * 10, "mnist")
    monkeypatch.setattr("multilayer.cli.samples.load_images", lambda name, data_dir: images)
    net = MLP(Architecture(784, (), 10, output="softmax"), rng=rng)
    scaled = Numbers(784, np.full(784, 127.5), np.full(784, 73.6))
    save_model(tmp_path / "m.safetensors", Model(net, Classes(np.arange(10)), scaled))
    result = run(tmp_path / "m.safetensors", "mnist", "--json")
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert [each["name"] for each in found["findings"]] == ["chance_level"]
    assert [*found["unchecked"]] == ["the learning rate"]


def test_a_table_of_words_and_gaps(tmp_path):
    rng = np.random.default_rng(0)
    n = 300
    kind, size = rng.choice(["oak", "elm", "fir"], n), rng.normal(10, 3, n)
    table = pd.DataFrame(
        {
            "kind": np.where(rng.random(n) < 0.1, None, kind),
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "is tall": np.where((kind == "oak") | (size > 12), "yes", "no"),
        }
    )
    table.to_csv(tmp_path / "trees.csv", index=False)
    X, y = table.drop(columns="is tall"), table["is tall"]
    clf = MLPClassifier((8,), columns="auto", solver="lbfgs", alpha=0.1, tol=1e-3, random_state=0)
    clf.fit(X, y).save(tmp_path / "trees.safetensors")
    result = run(tmp_path / "trees.safetensors", tmp_path / "trees.csv", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(diagnose(clf, X, y).to_json())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a,b,target\n1,x,0\n2,y,1\n",
            "must have all inputs of the model; missing: sepal length (cm), sepal width (cm), ",
        ),
        ("target\n1\n", "must have inputs and a target; got 1 column"),
        ("a,target\n", "has a header but no rows"),
        ("", "must have a header and rows below it; it is empty"),
        ('a,b\n"1,2\n', "must be a CSV file: line 2: unexpected end of data"),
    ],
)
def test_tables_that_cannot_be_used(folder, text, message):
    (folder / "bad.csv").write_text(text)
    result = run(folder / "good.safetensors", folder / "bad.csv")
    assert isinstance(result.exception, InvalidDataError)
    assert message in str(result.exception)


def test_data_that_is_not_there(folder):
    result = run(folder / "good.safetensors", "digit")
    assert isinstance(result.exception, InvalidDataError)
    expected = (
        "DATA must be a file with a table, a folder or one of digits, mnist; there is no file digit"
    )
    assert str(result.exception) == expected


def test_a_target_that_is_an_input(folder):
    result = run(folder / "good.safetensors", folder / "iris.csv", "--target", "sepal width (cm)")
    expected = "--target cannot be 'sepal width (cm)', which is an input of the model"
    assert str(result.exception) == expected


def test_data_in_a_pipe(folder):
    """Which is no regular file, and is read once."""
    reader, writer = os.pipe()
    os.write(writer, (folder / "iris.csv").read_bytes())
    os.close(writer)
    assert run(folder / "good.safetensors", f"/dev/fd/{reader}").exit_code == 0
    os.close(reader)


def test_neither_pandas_nor_pyarrow_is_needed(folder, monkeypatch):
    for name in ("pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(folder / "good.safetensors", folder / "iris.csv").exit_code == 0


def test_what_the_model_knows_as_words_is_read_as_words(tmp_path):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.5, "01", "NA")
    table = pd.DataFrame(
        {
            "zip": np.where(y == "01", "01234", "00555"),
            "note": np.where(y == "01", "None", "NA"),
            "code": pd.Series(np.where(y == "01", 7, 9), dtype="Int64").mask(rng.random(200) < 0.1),
            "ok": y == "01",
        }
    )
    model = MLPClassifier(4, columns={"code": "categorical"}, solver="lbfgs", random_state=0)
    assert model.fit(table, y).score(table, y) == 1
    model.save(tmp_path / "m.safetensors")
    table.assign(y=y).to_csv(tmp_path / "t.csv", index=False)
    result = run(tmp_path / "m.safetensors", tmp_path / "t.csv", "--json")
    names = {finding["name"] for finding in json.loads(result.stdout)["findings"]}
    assert not names & {"chance_level", "underfitting"}, result.stdout


def test_the_truth_is_read_as_the_training_read_it(tmp_path):
    """Of few rows, which alone would be read otherwise."""
    rng = np.random.default_rng(0)
    sizes = rng.uniform(20, 200, 200).round(1)
    prices = (sizes * 1000).astype(int)
    lines = [
        f"{s:.1f};{p:,}".replace(",", "_").replace(".", ",").replace("_", ".")
        for s, p in zip(sizes, prices, strict=True)
    ]
    path, few, saved = tmp_path / "t.csv", tmp_path / "few.csv", tmp_path / "m"
    path.write_text("size;price\n" + "\n".join(lines) + "\n")
    few.write_text("size;price\n" + "\n".join(f"{s};12.000" for s in (12, 13, 14)) + "\n")
    run = CliRunner().invoke(app, ["train", "table", str(path), "--save", str(saved), "--json"])
    assert json.loads(run.stdout)["task"] == "regression"
    model = load_model(saved)
    assert model.targets.notation.thousands == "."
    y = truth(read_file(few)["price"], model.targets)
    assert y.tolist() == [12000.0] * 3


def test_classes_of_the_truth_keep_their_letters_and_fractions():
    words = Classes(np.array(["no", "yes"]))
    table = read_table({"a": ["no", "yes!", "yes"], "b": [0, 1.5, 1]})
    assert truth(table["a"], words).tolist() == ["no", "yes!", "yes"]
    with pytest.raises(InvalidDataError, match=r"y must hold classes .*; got 'yes!' at index 1"):
        words.encode(truth(table["a"], words))
    with pytest.raises(InvalidDataError, match=r"y must hold classes .*; got 1.5 at index 1"):
        Classes(np.array([0, 1])).encode(truth(table["b"], Classes(np.array([0, 1]))))
