"""`mlp train … --checkpoint`, interrupted and resumed as a user does it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from multilayer.cli.main import app
from multilayer.errors import InvalidArgumentError

JOB = ["train", "digits", "--hidden", "16", "--batch-size", "8", "--epochs", "20"]


def run(capsys, *arguments):
    """Run the command in this process; return its results."""
    app([*arguments, "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    return {k: v for k, v in found.items() if k not in ("seconds", "samples_per_second")}


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_and_resume(tmp_path, capsys):
    folder = tmp_path / "kept"
    job = subprocess.Popen(
        [sys.executable, "-m", "multilayer", *JOB, "--checkpoint", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert any("epoch  1/20" in line for line in job.stderr)
    job.send_signal(signal.SIGINT)
    _, error = job.communicate(timeout=120)
    assert job.returncode == 130
    assert f"saved in {folder}; to continue, run the same command with --resume" in error
    whole = run(capsys, *JOB)
    assert run(capsys, *JOB, "--checkpoint", str(folder), "--resume") == whole


def test_mistakes(tmp_path, capsys):
    folder = str(tmp_path)
    with pytest.raises(InvalidArgumentError) as caught:
        run(capsys, *JOB, "--resume")
    assert str(caught.value) == (
        "--resume of mlp train digits needs --checkpoint DIR, the folder to continue from"
    )
    run(capsys, *JOB, "--checkpoint", folder)
    with pytest.raises(InvalidArgumentError) as caught:
        run(capsys, *JOB, "--checkpoint", folder)
    assert str(caught.value) == (
        f"there is a checkpoint in {folder}: continue from it with --resume, or pass another "
        "--checkpoint"
    )
    with pytest.raises(InvalidArgumentError) as caught:
        run(capsys, *JOB, "--checkpoint", folder, "--resume", "--l2", "0")
    assert str(caught.value) == (
        f"the checkpoint in {folder} belongs to another training run: --l2 was 0.003, is 0.0"
    )
    with pytest.raises(InvalidArgumentError) as caught:
        run(capsys, *JOB[:-1], "9", "--checkpoint", folder, "--resume", "--early-stopping")
    assert str(caught.value).startswith(
        f"the checkpoint in {folder} belongs to another training run: --epochs was 20, is 9; "
        "--early-stopping was False, is True; "
    )


def test_a_folder_that_cannot_be_made_is_told_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        app([*JOB, "--checkpoint", str(tmp_path / "file" / "kept")], standalone_mode=False)


def test_a_finished_training_is_told(tmp_path, capsys):
    job = [*JOB[:-1], "2", "--checkpoint", str(tmp_path), "--resume"]
    app(job, standalone_mode=False)
    assert "already finished" not in capsys.readouterr().err
    app(job, standalone_mode=False)
    assert "already finished, after 2 epochs" in capsys.readouterr().err
