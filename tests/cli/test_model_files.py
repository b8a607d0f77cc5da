"""The commands that take a model file: `mlp show`, `mlp export`."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from multilayer import Architecture
from multilayer.cli.main import app
from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.files import save_model
from multilayer.files.onnx_graph import FORMS
from multilayer.model import Classes, ClassGroups, Labels, Model, Numbers, Values
from multilayer.numpy import MLP, Ensemble


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100"})


def save(path, targets=None, columns=None, scale=None, **information):
    out_features, output = (2, "identity")
    if targets is not None:
        out_features, output = targets.out_features, targets.output
    net = MLP(Architecture(3, (4,), out_features, output=output), rng=np.random.default_rng(0))
    save_model(path, Model(net, targets, Numbers(3, None, scale, columns), information))
    return path


@pytest.fixture
def path(tmp_path):
    return save(
        tmp_path / "m.safetensors",
        Classes(np.array(["blue", "red"])),
        ("length", "width", "mass"),
        scale=np.array([1.0, 2.0, 3.0]),
        metrics={"accuracy": 0.9876543, "losses": [1 / n for n in range(1, 31)]},
        training={"optimizer": "adam", "early_stopping": False},
        note="by hand",
    )


def test_show_tells_a_person(path):
    result = run("show", path)
    assert result.exit_code == 0, result.exception
    text = " ".join(result.stdout.split())
    for part in (
        f"{path.stat().st_size:,} bytes",
        "MLP(3-4-1, relu → sigmoid, 21 parameters, float32)",
        "hidden 1 affine → relu (1, 4) 16",
        "columns length, width, mass",
        "scaling x / scale",
        "one of 2 classes: blue, red",
        "metrics accuracy 0.987654",
        "0.1, …, 0.0333333 (30)]",
        "training optimizer adam early_stopping false",
        "note by hand",
        "versions multilayer 0.1.0",
    ):
        assert part in text


def test_an_ensemble_is_shown_predicts_and_is_exported(tmp_path):
    path = tmp_path / "m.model"
    net = Ensemble(Architecture(3, (4,), 1, output="sigmoid"), 3, rng=np.random.default_rng(0))
    history = {"metrics": {"train_loss": [2.0, 1.0]}, "best_epoch": 0, "stopped_by": "n_epochs"}
    model = Model(net, Classes(np.array(["no", "yes"])), None, {"history": [history] * 3})
    save_model(path, model)
    text = " ".join(run("show", path).stdout.split())
    for part in (
        "Ensemble(3 × MLP(3-4-1, relu → sigmoid, 21 parameters, float32))",
        "hidden 1 affine → relu (1, 4) 16",
        "history member 0",
        "member 2 █▁ 2 → 1; 2 epochs",
    ):
        assert part in text
    found = json.loads(run("show", path, "--json").stdout)
    assert (found["n_members"], found["n_parameters"]) == (3, 63)
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n-1,0,2\n")
    found = json.loads(run("predict", path, tmp_path / "rows.csv", "--json").stdout)
    p = net([[1, 2, 3], [-1, 0, 2]]).mean(axis=0)[:, 0]
    np.testing.assert_allclose(found["probability yes"], p, rtol=1e-6)
    assert run("export", path).exit_code == 0
    assert (tmp_path / "m.onnx").exists()
    (tmp_path / "targets.csv").write_text("a,b,c,y\n1,2,3,no\n-1,0,2,yes\n")
    of_all = json.loads(run("doctor", path, tmp_path / "targets.csv", "--json").stdout)
    assert "of 3" in of_all["findings"][0]["evidence"]["networks"]
    of_one = json.loads(
        run("doctor", path, tmp_path / "targets.csv", "--member", "0", "--json").stdout
    )
    assert not any("networks" in finding["evidence"] for finding in of_one["findings"])
    result = run("doctor", path, tmp_path / "targets.csv", "--member", "3")
    assert str(result.exception) == "--member of mlp doctor must be from 0 to 2; got 3"


def test_show_tells_a_program(path):
    result = run("show", path, "--json")
    found = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert found["bytes"] == path.stat().st_size
    assert found["architecture"]["hidden_features"] == [4]
    assert found["dtype"] == "float32"
    assert found["n_parameters"] == sum(row["n_parameters"] for row in found["layers"]) == 21
    names = ["length", "width", "mass"]
    assert found["inputs"] == {"kind": "numbers", "names": names, "scale": [1.0, 2.0, 3.0]}
    assert found["targets"] == {"kind": "classes", "dtype": "str", "values": ["blue", "red"]}
    assert found["information"]["metrics"]["accuracy"] == 0.9876543
    assert set(found["information"]["versions"]) == {"multilayer", "numpy", "python"}


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        (None, "2 numbers"),
        (Classes(np.arange(100)), "one of 100 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …, 99 (100)"),
        (ClassGroups([np.arange(2), np.array(["a", "b"])]), "2 targets: one of 0, 1; one of a, b"),
        (Labels(4), "any of 4 labels"),
        (Values(2, n_each=3), "2 values of 3 quantiles"),
        (Values(1, mean=[1], scale=[2]), "1 value, y = mean + scale · output"),
    ],
)
def test_show_says_what_outputs_mean(tmp_path, targets, text):
    result = run("show", save(tmp_path / "m", targets))
    assert f"outputs {text} " in " ".join(result.stdout.split()) + " "


def test_texts_of_a_file_steer_neither_terminal_nor_markup(tmp_path):
    evil = "\x1b]0;title\x07[red]x[/nonsense]\ud800\n"
    path = save(tmp_path / "m", Classes(np.array([evil])), (evil, "b", "c"), note=evil)
    result = run("show", path)
    assert result.exit_code == 0, result.exception
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert result.stdout.count("[/nonsense]") == 3
    assert json.loads(run("show", path, "--json").stdout)["information"]["note"] == evil


def test_export_writes_beside_the_model(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    result = run("export", path)
    assert result.exit_code == 0, result.exception
    written = path.with_suffix(".onnx")
    assert result.stdout.startswith(f"{written} written: {written.stat().st_size:,} bytes; ")
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"X": np.ones((5, 3), np.float32)})
    assert found.shape == (5, 2)
    to = path.with_name("other")
    assert run("export", path, "--to", to).exit_code == 0
    assert to.read_bytes() == written.read_bytes()


def test_the_model_is_not_overwritten(path):
    before = path.read_bytes()
    result = run("export", path, "--to", path)
    assert isinstance(result.exception, InvalidArgumentError)
    assert "must be a different file from MODEL" in str(result.exception)
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", ["show", "export"])
def test_what_is_no_model_file_is_refused(tmp_path, command):
    assert isinstance(run(command, tmp_path / "none").exception, FileNotFoundError)
    (tmp_path / "text").write_text("no model")
    assert isinstance(run(command, tmp_path / "text").exception, ModelFileError)


@pytest.mark.parametrize("command", ["show", "export"])
def test_a_mistake_is_one_line_and_code_2(tmp_path, command):
    (tmp_path / "text").write_text("no model")
    result = subprocess.run(
        [sys.executable, "-m", "multilayer", command, str(tmp_path / "text")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mlp: {tmp_path / 'text'} cannot be read: it is not a safetensors file")


def test_an_export_that_differs_is_one_line_and_code_1(path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    from multilayer.cli import main

    monkeypatch.setitem(FORMS, "relu", lambda g, z: g("Max", z, 0.1))
    monkeypatch.setattr(sys, "argv", ["mlp", "export", str(path)])
    with pytest.raises(SystemExit) as caught:
        main.run()
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlp: the exported model's outputs differ from the model's by ")
    assert not path.with_suffix(".onnx").exists()


def test_train_tells_how_it_trained_whatever_else_was_asked_for(tmp_path):
    path = tmp_path / "m.safetensors"
    options = ["--hidden", "8", "--epochs", "2", "--optimizer", "lion"]
    result = run("train", "digits", *options, "--json", "--save", path,
                 "--checkpoint", tmp_path / "checkpoint")  # fmt: skip
    assert result.exit_code == 0, result.exception
    information = json.loads(run("show", path, "--json").stdout)["information"]
    assert set(information) == {"metrics", "training", "history", "data", "versions"}
    losses = json.loads(result.stdout)["losses"]
    assert information["history"]["metrics"]["train_loss"] == losses
    assert information["training"]["optimizer"] == "lion"
    assert information["metrics"]["test_accuracy"] == json.loads(result.stdout)["test_accuracy"]
