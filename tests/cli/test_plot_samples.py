"""Pictures of a model file and samples: `mlp plot confusion, reliability, residuals, …`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner

from multilayer import MLPClassifier, MLPRegressor
from multilayer.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, ["plot", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    X, y = load_iris(return_X_y=True, as_frame=True)
    table = X.assign(kind=np.array(["setosa", "versicolor", "virginica"])[y])
    table.to_csv(folder / "iris.csv", index=False)
    model = MLPClassifier(4, columns="auto", solver="lbfgs", random_state=0, alpha=1.0)
    model.fit(X, table["kind"]).save(folder / "classes.safetensors")
    values = table.drop(columns="petal width (cm)")
    reg = MLPRegressor(hidden_layer_sizes=4, columns="auto", solver="lbfgs", random_state=0)
    reg.fit(values, table["petal width (cm)"]).save(folder / "values.safetensors")
    return folder


@pytest.mark.parametrize(
    ("command", "model"),
    [
        ("confusion", "classes"),
        ("reliability", "classes"),
        ("importance", "classes"),
        ("wrong", "classes"),
        ("residuals", "values"),
        ("importance", "values"),
    ],
)
def test_a_picture_of_a_model_and_a_table(folder, command, model):
    picture = folder / f"{command}.png"
    result = run(command, folder / f"{model}.safetensors", folder / "iris.csv", "--save", picture)
    assert result.exit_code == 0, result.exception
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.unlink()


def test_images_are_bundled(tmp_path):
    job = ["train", "digits", "--epochs", "1", "--save", str(tmp_path / "d.safetensors")]
    assert CliRunner().invoke(app, job).exit_code == 0
    for command in ("wrong", "saliency", "adversarial", "robustness"):
        picture = tmp_path / f"{command}.svg"
        result = run(command, tmp_path / "d.safetensors", "digits", "--n", 3, "--save", picture)
        assert result.exit_code == 0, result.exception
        assert "<svg" in picture.read_text()


def test_what_does_not_fit_is_named(folder, tmp_path):
    picture = tmp_path / "a.png"
    model = folder / "classes.safetensors"
    result = run("residuals", model, folder / "iris.csv", "--save", picture)
    assert "model of residuals must predict values" in str(result.exception)
    result = run("robustness", model, folder / "iris.csv", "--save", picture)
    assert "models of robustness must take plain or scaled numbers" in str(result.exception)
    result = run("confusion", model, folder / "none.csv", "--save", picture)
    assert "no file" in str(result.exception)
    pd.read_csv(folder / "iris.csv").assign(more=1).to_csv(tmp_path / "more.csv", index=False)
    result = run("confusion", model, tmp_path / "more.csv", "--save", picture)
    guess = "the last column, more, is used as the target; to change this, pass --target"
    assert result.exception.__notes__ == [guess]
    assert not picture.exists()
