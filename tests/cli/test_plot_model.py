"""Pictures and curves of model files: `mlp plot history, weights, network`, and `mlp show`."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from multilayer import Architecture
from multilayer.cli.main import app
from multilayer.errors import InvalidArgumentError
from multilayer.files import save_model
from multilayer.model import Model
from multilayer.numpy import MLP
from multilayer.training import History


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100"})


@pytest.fixture
def path(tmp_path):
    net = MLP(Architecture(6, (3,), 2, output="softmax"), rng=np.random.default_rng(0))
    history = History({"train_loss": [8.0, 4.0, 2.0, 1.0], "validation_loss": [8.0, 2.0, 1.0, 2.0]})
    history.best_epoch, history.stopped_by = 3, "early_stopping"
    history.settings["monitor"] = "validation_loss"
    model = Model(net,
                  information={"history": json.loads(history.to_json())})  # fmt: skip
    save_model(tmp_path / "m.safetensors", model)
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize(
    "arguments", [("history",), ("network", "--max-units", 2), ("weights", "--shape", "2x3")]
)
def test_a_picture_of_a_file(path, arguments):
    command, *rest = arguments
    picture = path.with_suffix(".svg")
    result = run("plot", command, path, *rest, "--save", picture)
    assert result.exit_code == 0, result.exception
    assert "<svg" in picture.read_text()


def test_a_shape_that_is_none(path):
    result = run("plot", "weights", path, "--shape", "2by3", "--save", path.with_suffix(".png"))
    assert isinstance(result.exception, InvalidArgumentError)
    assert str(result.exception) == (
        "--shape of mlp plot weights must be height and width such as 28x28; got '2by3'"
    )


def test_show_draws_the_losses(path):
    text = " ".join(run("show", path).stdout.split())
    # Halving is a step down of a third of the way from 8 to 1.
    for part in (
        "train loss █▆▃▁ 8 → 1",
        "validation loss █▃▁▃ 8 → 2",
        "scale ▁ 1 to █ 8, logarithmic",
        "epochs 4; best epoch 3, by validation loss",
        "stopped by early_stopping",
    ):
        assert part in text


@pytest.mark.parametrize("told", [None, "none", {"metrics": 3}, {"metrics": {}}, [1.0, 2.0]])
def test_show_takes_any_history(tmp_path, told):
    save_model(tmp_path / "m", Model(MLP(Architecture(2, (), 1)), information={"history": told}))
    result = run("show", tmp_path / "m")
    assert result.exit_code == 0, result.exception
    assert "scale ▁" not in result.stdout
