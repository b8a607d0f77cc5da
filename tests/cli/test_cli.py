"""The command `mlp`, run as a user runs it."""

import itertools
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from multilayer.cli import gradcheck
from multilayer.cli.main import app, run
from multilayer.data import ImageData, ScaledImages
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.files import load_model
from multilayer.numpy import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from multilayer.training import Callback


def mlp(*arguments, **environment):
    """Run the command in a process of its own, in a terminal 100 columns wide."""
    return subprocess.run(
        [sys.executable, "-m", "multilayer", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100"} | environment,
    )


@pytest.fixture
def mlp_here(monkeypatch, capsys):
    """Run the command in this process, which saves the time in which Python imports its parts."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mlp", *arguments])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as ended:
            run()
        return subprocess.CompletedProcess(arguments, ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The main job with its defaults: its result and the file it saved."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    result = mlp("train", "digits", "--json", "--save", str(path))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), path


def test_main_job_reaches_its_accuracy(trained):
    results, _ = trained
    assert results["test_accuracy"] >= 0.975
    assert results["test_loss"] < 0.2
    assert results["n_parameters"] == 64 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10
    assert results["n_epochs"] == 50
    assert results["seconds"] > 0
    assert results["stopped_by"] == "n_epochs"


def test_same_seed_gives_the_same_numbers(trained):
    results, _ = trained
    again = json.loads(mlp("train", "digits", "--json").stdout)
    for name in ("train_loss", "test_loss", "test_accuracy"):
        assert again[name] == results[name]


def test_json_is_all_that_is_printed(trained):
    result = mlp("train", "digits", "--json", "--epochs", "1")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1


def test_saved_model_knows_raw_digits(trained):
    results, path = trained
    digits = datasets.load_digits()
    model = load_model(path)
    accuracy = (model.predict(digits.data) == digits.target).mean()
    n_test = 360
    n_right = results["test_accuracy"] * n_test + results["train_accuracy"] * (1797 - n_test)
    assert accuracy == pytest.approx(n_right / 1797, abs=1e-9)
    assert model.information["metrics"]["test_accuracy"] == results["test_accuracy"]


def test_what_a_person_reads():
    result = mlp("train", "digits", "--epochs", "3", "--dropout", "0.1", "--hidden", "20",
                 "--noise", "0.3,0")  # fmt: skip
    assert result.returncode == 0, result.stderr
    for text in ("1,510 parameters", "noise 0.3 → affine → relu → dropout 0.1", "20 × 64", "1,300",
                 "test", "samples per second"):  # fmt: skip
        assert text in result.stdout
    assert "epoch 3/3: train loss" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", "", "--optimizer", "sgd"],
        ["--hidden", "30,20", "--activation", "tanh,gelu", "--normalization", "layer"],
        ["--optimizer", "lbfgs"],
        ["--optimizer", "lion", "--learning-rate", "1e-3", "--batch-size", "100"],
        ["--max-norm", "3", "--ema", "0.98", "--hidden", "20"],
        ["--early-stopping", "--l2", "0", "--seed", "3", "--schedule", "reduce_on_plateau"],
    ],
)
def test_options(mlp_here, options):
    result = mlp_here("train", "digits", "--json", "--epochs", "8", *options)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["test_accuracy"] > 0.8


def test_early_stopping_stops():
    options = ["--early-stopping", "--epochs", "2000", "--schedule", "constant"]
    result = mlp("train", "digits", *options)
    assert result.returncode == 0
    assert "stopped by early stopping; best epoch" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "digits", "--epochs", "none"], "Invalid value for '--epochs'"),
        (["train", "digits", "--optimizer", "lbfgs", "--learning-rate", "1"], "cannot be combined"),
        (["train", "digits", "--nonsense"], "No such option"),
        (["train", "iris"], "No such command 'iris'"),
        (["gradcheck", "--loss", "nnl"], "got 'nnl', did you mean 'nll'?"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_wrong_arguments_get_one_line_and_code_2(arguments, message):
    result = mlp(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("mlp: ")
    assert message in line


ONE_FOR_EACH = "must be one value, or one for each of the 2 hidden layers; got 3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--activation rleu", f"must be one of {', '.join(ACTIVATIONS)}; got 'rleu', did you mean "
         "'relu'?"),
        ("--activation tanh,relu,tanh", ONE_FOR_EACH),
        ("--optimizer adm", f"must be one of {', '.join(OPTIMIZERS)}; got 'adm', did you "
         "mean 'adam'?"),
        ("--hidden 64;32", "must be widths such as 64,32; got '64;32'"),
        ("--epochs -1", "must be a positive integer; got -1"),
        ("--batch-size 0", "must be a positive integer; got 0"),
        ("--batch-size 1 --normalization batch",
         "must give batches of at least 2 samples to batch normalisation; got 1 of 1437 samples"),
        ("--batch-size 9 --optimizer lbfgs",
         "cannot be combined with L-BFGS, which does not step batch by batch"),
        ("--dropout 1", "must be a number in [0, 1); got 1"),
        ("--dropout 0.1 --optimizer lbfgs",
         "cannot be combined with L-BFGS, whose line search it would mislead"),
        ("--noise 0.3,0", "must be one value, or one for the inputs and each of the 2 hidden "
         "layers; got 2"),
        ("--noise loud", "must be numbers such as 0.3 or 0.3,0,0; got 'loud'"),
        ("--noise -1", "must be a number in [0, inf); got -1"),
        ("--learning-rate -1", "must be a number in (0, inf); got -1"),
        ("--schedule cosin", f"must be one of {', '.join(SCHEDULES)}; got 'cosin', did you mean "
         "'cosine'?"),
        ("--seed -1", "must be a non-negative integer; got -1"),
        ("--l2 nan", "must be a number in [0, inf); got nan"),
        ("--max-norm 0", "must be a number in (0, inf); got 0"),
        ("--ema 1", "must be a number in (0, 1); got 1"),
        ("--ema 0.9 --optimizer lbfgs",
         "cannot be combined with L-BFGS, which does not step batch by batch"),
        ("--save /no/such/folder/m",
         "must name a file in a folder that exists; there is no /no/such/folder"),
        ("--save /", "must name a file; / is something else"),
        ("--normalization bach", "must be one of batch, layer; got 'bach', did you mean 'batch'?"),
        ("--engine torhc", "must be one of numpy, torch; got 'torhc', did you mean 'torch'?"),
        ("--device cuda:77 --engine torch",
         "must be 'auto' or a device that PyTorch finds here: cpu"),
        (f"--checkpoint {__file__}", f"must be a folder; {__file__} is something else"),
    ],
)  # fmt: skip
def test_messages_name_the_option_that_was_written(mlp_here, arguments, message):
    result = mlp_here("train", "digits", *arguments.split(" "))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    option = arguments.split(" ")[0]
    assert line.startswith(f"mlp: {option} of mlp train digits {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("gradcheck --tolerance 0", "--tolerance of mlp gradcheck must be a number in (0, inf);"),
        ("parity --steps 0", "--steps of mlp parity must be a positive integer; got 0"),
        ("graph --hidden 3,0", "--hidden[1] of mlp graph must be a positive integer; got 0"),
        ("graph --format svgg", "--format of mlp graph must be one of dot, svg, json; got 'svgg',"),
        ("data mnist --n 0", "--n of mlp data must be a positive integer; got 0"),
        ("data mnist --save x.txt", "--save of mlp data must end in one of .png, .svg, .pdf; got"),
        ("train mnist --data-dir /no/such",
         "--data-dir of mlp train mnist must be a folder that exists; got /no/such"),
        ("data mnist --data-dir /no/such",
         "--data-dir of mlp data must be a folder that exists; got /no/such"),
    ],
)  # fmt: skip
def test_messages_name_the_options_of_other_commands(mlp_here, arguments, message):
    result = mlp_here(*arguments.split(" "))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mlp: {message}")


def test_what_the_system_refuses_is_said_in_plain_words():
    result = mlp("train", "digits", "--epochs", "1", "--checkpoint", f"{__file__}/inside")
    assert result.returncode == 2
    expected = f"mlp: cannot read or write {__file__}/inside: not a directory\n"
    assert result.stderr.endswith(expected)


@pytest.fixture
def few_images(monkeypatch):
    """Let MNIST be four images, and three to test on."""
    pixels = np.random.default_rng(0).integers(256, size=(7, 28, 28)).astype(np.uint8)
    images = [ScaledImages(part) for part in (pixels[:4], pixels[4:])]
    data = ImageData(images[0], np.arange(4), images[1], np.arange(3), ("",) * 10, "mnist")
    monkeypatch.setattr("multilayer.cli.train.load_images", lambda name, data_dir: data)


@pytest.mark.parametrize(("option", "n"), [("--n-train", 5), ("--n-test", 4)])
@pytest.mark.usefixtures("few_images")
def test_too_many_images_are_counted(option, n):
    arguments = {"--n-train": "4", "--n-test": "3"} | {option: str(n)}
    with pytest.raises(InvalidArgumentError) as caught:
        app(["train", "mnist", *itertools.chain(*arguments.items())], standalone_mode=False)
    assert str(caught.value) == (
        f"{option} of mlp train mnist must be at most {n - 1}, the number of samples; got {n}"
    )


class EnoughError(Exception):
    """Ends a command where the test has seen enough."""


@pytest.mark.usefixtures("few_images")
def test_a_recipe_stands_for_the_options_that_are_not_given(monkeypatch):
    calls = []

    def trained(net, data, **how):
        calls.append((net, how))
        raise EnoughError

    monkeypatch.setattr("multilayer.cli.train.fit", trained)
    start = ["train", "mnist", "--n-train", "4", "--n-test", "3"]
    for more in (["--recipe", "record"], ["--recipe", "record", "--epochs", "3"], []):
        with pytest.raises(EnoughError):
            app(start + more, standalone_mode=False)
    (ladder, how), (_, shorter), (plain, _) = calls
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "mnist_record.py"))
    assert ladder.mlp.architecture == example["ARCHITECTURE"]
    assert ladder.weights[:3] == pytest.approx(example["WEIGHTS"], rel=1e-6)
    for name, value in example["HOW"].items():
        assert how[name] == value
    assert (how["n_epochs"], shorter["n_epochs"]) == (example["N_EPOCHS"], 3)
    assert plain.architecture.hidden_features == (256, 128)


@pytest.mark.usefixtures("few_images")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ladder", "a"], "--ladder of mlp train mnist must be numbers such as 1000,1,0.01"),
        (
            ["--ladder", "1", "--noise", "0.3"],
            "--normalization of mlp train mnist must be 'batch' for a ladder; got None",
        ),
        (
            ["--ladder", "1", "--engine", "torch"],
            "--engine of mlp train mnist must be numpy for a ladder; got 'torch'",
        ),
        (
            ["--ladder", "1", "--normalization", "batch"],
            "--noise of mlp train mnist must be above 0 on the inputs for a ladder; got 0",
        ),
        (
            ["--ladder", "1,2,3,4,5", "--normalization", "batch", "--noise", "1"],
            "--ladder of mlp train mnist must be 1 to 4 numbers, for inputs, hidden layers and "
            "logits, the first above 0; got (1.0, 2.0, 3.0, 4.0, 5.0)",
        ),
        (
            ["--recipe", "record", "--engine", "torch"],
            "--engine of mlp train mnist must be numpy with --recipe record; got torch",
        ),
    ],
)
def test_a_ladder_that_cannot_be_trained(options, message):
    with pytest.raises(InvalidArgumentError, match=re.escape(message)):
        app(["train", "mnist", "--n-train", "4", "--n-test", "3", *options], standalone_mode=False)


@pytest.mark.usefixtures("few_images")
def test_a_recipe_fits_other_widths_and_leaves_an_ordinary_model(tmp_path, capsys):
    small = ["--hidden", "8,6", "--epochs", "1", "--batch-size", "4", "--save", f"{tmp_path}/model"]
    start = ["train", "mnist", "--n-train", "4", "--n-test", "3", "--recipe", "record"]
    app(start + small, standalone_mode=False)
    net = load_model(tmp_path / "model").net
    assert net.architecture.hidden_features == (8, 6)
    assert net.architecture.noise == (0.97, 0.3, 0.3)
    assert f"{net.architecture.n_parameters:,} parameters" in capsys.readouterr().out


@pytest.mark.usefixtures("few_images")
def test_a_recipe_is_for_its_optimizer():
    arguments = ["train", "mnist", "--recipe", "record", "--optimizer", "sgd"]
    with pytest.raises(InvalidArgumentError) as caught:
        app(arguments, standalone_mode=False)
    assert str(caught.value) == (
        "--optimizer of mlp train mnist must be adam with --recipe record; got sgd"
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("virtual", "fgsm:ε or virtual:ε"),
        ("swift:1", "fgsm:ε or virtual:ε"),
        ("fgsm:", "fgsm:ε or virtual:ε"),
        ("fgsm:x", "fgsm:ε or virtual:ε"),
        ("virtual:1:2:3:4", "fgsm:ε or virtual:ε"),
        ("virtual:1e308", "a number in"),
        ("virtual:-1", r"a number in \(0, inf\); got -1"),
        ("virtual:[1]", "must be a number"),
        ("fgsm:0.1:2", r"a number in \(0, 1\]; got 2"),
        ("fgsm:0.1:1:1.5", "a positive integer; got 1.5"),
    ],
)
@pytest.mark.usefixtures("few_images")
def test_an_adversary_is_read_or_refused(text, rule):
    arguments = ["train", "mnist", "--n-train", "4", "--n-test", "3", "--adversary", text]
    with pytest.raises((InvalidArgumentError, InvalidTypeError), match=rule) as caught:
        app(arguments, standalone_mode=False)
    assert str(caught.value).startswith("--adversary of mlp train mnist must be")


def test_divergence_gets_one_line_and_code_1():
    options = ["--optimizer", "sgd", "--learning-rate", "1e6", "--schedule", "constant"]
    result = mlp("train", "digits", "--json", *options)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("mlp: train_loss became ")
    assert "(learning rate 1e+06)" in line


def test_a_loss_beyond_all_reason_is_a_divergence(tmp_path):
    path = tmp_path / "m.safetensors"
    result = mlp("train", "digits", "--learning-rate", "1e6", "--epochs", "2", "--save", str(path))
    assert result.returncode == 1
    assert re.search(r"epoch 2/2: train loss \d\.\d{3}e\+\d\d\n", result.stderr)
    assert re.search(r"train │ +[\d.]+ │ +\d+\.\d\d % │", result.stdout)
    assert re.fullmatch(
        r"mlp: the training diverged: its train loss is \S+, but that of the baseline is 2\.3026\. "
        r"Try a smaller learning rate",
        result.stderr.splitlines()[-1],
    )
    assert path.exists()


def test_of_a_diverged_training_the_best_epoch_is_kept(tmp_path, monkeypatch, capsys):
    class Spoil(Callback):
        def __init__(self, architecture):
            pass

        def on_epoch_end(self, run):
            if run.epoch == 3:
                run.net.parameters[:] = np.inf

    monkeypatch.setattr("multilayer.cli.train.ShowLayers", Spoil)
    path = tmp_path / "m.safetensors"
    job = ["train", "digits", "--epochs", "5", "--early-stopping", "--save", str(path)]
    with pytest.raises(DivergenceError, match="train_loss became nan in epoch 4, step 1"):
        app(job, standalone_mode=False)
    assert "diverged; these are the weights of epoch 3" in capsys.readouterr().out
    history = load_model(path).information["history"]
    assert (history["best_epoch"], history["stopped_by"]) == (3, "divergence")


def test_the_wait_for_the_compiler_is_told(monkeypatch, capsys):
    numba = pytest.importorskip("numba")
    if numba.config.DISABLE_JIT:
        pytest.skip("numba is switched off by NUMBA_DISABLE_JIT")

    class Compile(Callback):
        def __init__(self, architecture):
            pass

        def on_train_begin(self, run):
            for _ in range(2):
                numba.njit(lambda: 0)()

    note = "the first training run on a machine compiles its code, which takes a few seconds\n"
    job = ["train", "digits", "--epochs", "1"]
    app(job, standalone_mode=False)  # which may compile
    capsys.readouterr()
    app(job, standalone_mode=False)
    assert note not in capsys.readouterr().err
    monkeypatch.setattr("multilayer.cli.train.ShowLayers", Compile)
    app(job, standalone_mode=False)
    said = capsys.readouterr().err
    assert said.startswith(note)
    assert said.count(note) == 1


def test_ctrl_c_before_the_first_step_shows_no_results(tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("multilayer.numpy.trainer.Trainer.begin", interrupt)
    path = tmp_path / "m.safetensors"
    assert app(["train", "digits", "--save", str(path)], standalone_mode=False) == 130
    said = capsys.readouterr()
    assert "final" not in said.out
    assert said.err.endswith("stopped by interrupt\n")
    assert not path.exists()


def test_gradcheck_passes_for_all_losses():
    result = mlp("gradcheck", "--activation", "gelu", "--activation", "softmax", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["passed"]
    assert set(report["errors"]) == {"gelu", "softmax"}
    for row in report["errors"].values():
        assert set(row) == set(LOSSES)
        assert max(row.values()) <= 1e-6
    assert report["max_relative_error"] > 0


def test_gradcheck_takes_the_whole_grid(mlp_here, monkeypatch):
    # The gradients of all pairs are checked in tests/numpy/test_gradcheck.py.
    monkeypatch.setattr(gradcheck, "_errors", lambda *_, seed: [1e-9, 2e-9])
    report = json.loads(mlp_here("gradcheck", "--json").stdout)
    assert report["errors"] == {a: dict.fromkeys(LOSSES, 2e-9) for a in ACTIVATIONS}
    assert report["passed"]


def test_gradcheck_fails_where_the_tolerance_is_below_rounding(mlp_here):
    case = ["--activation", "tanh", "--loss", "huber"]
    result = mlp_here("gradcheck", *case, "--tolerance", "1e-16")
    assert result.returncode == 1
    assert "FAILED" in result.stdout


def test_activations_lists_every_one():
    result = mlp("activations")
    assert result.returncode == 0
    for name in ACTIVATIONS:
        assert name in result.stdout
    rows = json.loads(mlp("activations", "--json").stdout)
    assert set(rows) == set(ACTIVATIONS)
    assert rows["tanh"]["derivative"] == "1 − a²"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "digits", "-h"]])
def test_help(arguments):
    result = mlp(*arguments)
    assert result.returncode == 0
    assert "Usage: mlp" in result.stdout or "Usage: python -m multilayer" in result.stdout


def test_version():
    import multilayer

    assert mlp("--version").stdout == f"multilayer {multilayer.__version__}\n"


def test_table_fits_80_columns():
    result = mlp("gradcheck", "--activation", "log_softmax", COLUMNS="80")
    assert "log_softmax" in result.stdout
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_predictions_of_the_loaded_file_need_numpy_types_only(trained):
    _, path = trained
    model = load_model(path)
    assert isinstance(model(np.zeros((1, 64))), np.ndarray)
