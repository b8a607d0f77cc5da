"""``--record``, ``--watch`` and ``mlp playground --follow``, as processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from urllib.error import URLError

import pytest

MLP = [sys.executable, "-m", "multilayer"]
ENVIRONMENT = os.environ | {"BROWSER": "true"}  # which opens nothing
LONG = ["train", "digits", "--hidden", "4", "--epochs", "100000"]


def run(*arguments, folder):
    return subprocess.run(
        [*MLP, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def lines_of(folder):
    return [json.loads(line) for line in (folder / "record-1.jsonl").read_text().splitlines()]


def ask(address, **query):
    """Return what a page would be told."""
    query = "&".join(f"{k}={v}" for k, v in query.items())
    with urllib.request.urlopen(address.replace("follow.html", f"runs?{query}")) as answer:
        return json.load(answer)


def ask_until(address, is_so):
    deadline = time.monotonic() + 120
    while not is_so(found := ask(address)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_training_is_recorded(tmp_path):
    result = run(
        "train",
        "digits",
        "--hidden",
        "4",
        "--epochs",
        "2",
        "--record",
        "a/b",
        "--json",
        folder=tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")
    losses = json.loads(result.stdout)["losses"]
    lines = lines_of(tmp_path / "a" / "b")
    assert [line["metrics"]["train_loss"] for line in lines if "metrics" in line] == losses


def test_a_table_is_recorded_with_all_its_networks(tmp_path):
    rows = "\n".join(f"{i % 7},{i % 5},{'no' if i % 7 < 3 else 'yes'}" for i in range(120))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    result = run("train", "t.csv", "--members", "2", "--record", "a", "--json", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    first, *lines, last = lines_of(tmp_path / "a")
    assert first["n_members"] == 2
    assert all(len(line["metrics"]["train_loss"]) == 3 for line in lines if "metrics" in line)
    assert last["stopped_by"] == json.loads(result.stdout)["stopped_by"]


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "file").touch()
    result = run("train", "digits", "--record", "file", folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr == (
        "mlp: --record of mlp train digits must be a folder; file is something else\n"
    )
    result = run("playground", "--follow", "nowhere", folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr == "mlp: --follow of mlp playground must be a folder; got nowhere\n"
    result = run("playground", "--follow", ".", "--lesson", "xor", folder=tmp_path)
    assert result.returncode == 2
    says = "mlp: --lesson of mlp playground cannot be combined with --follow\n"
    assert result.stderr == says


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_told_and_the_training_goes_on(tmp_path):
    result = run(
        "train", "digits", "--hidden", "4", "--epochs", "2", "--record", "/proc/a", folder=tmp_path
    )
    assert result.returncode == 0
    says = "note: training continues, but cannot be recorded in /proc/a: "
    assert result.stderr.splitlines()[-1] == f"{says}no such file or directory"
    assert "final loss" in result.stdout


def test_a_training_is_watched_until_it_is_interrupted(tmp_path):
    command = [*MLP, *LONG, "--watch"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        try:
            said = training.stderr.readline()
            address = re.fullmatch(r"Watch the training run at (http://\S+/follow.html)\n", said)[1]
            found = ask_until(
                address, lambda found: found["runs"] and found["runs"][0]["epoch"] > 2
            )
            (name,) = (each["name"] for each in found["runs"])
            assert re.fullmatch(r"digits-\d{4}-\d\d-\d\d-\d{6}", name)
            training.send_signal(signal.SIGINT)
            _, rest = training.communicate(timeout=60)
        finally:
            training.kill()
    assert training.returncode == 130
    again = f"To see the training run again: mlp playground --follow runs/{name}"
    assert rest.splitlines()[-1] == again
    assert lines_of(tmp_path / "runs" / name)[-1]["stopped_by"] == "interrupt"
    with pytest.raises(URLError):  # the server has ended too
        ask(address)


def test_a_training_in_another_process_is_followed(tmp_path):
    training = subprocess.Popen(
        [*MLP, *LONG, "--record", "runs/a", "--json"], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    (tmp_path / "runs").mkdir(exist_ok=True)
    command = [*MLP, "playground", "--no-open", "--port", "0", "--follow", "runs"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stderr.readline()
            address = re.match(r"The training runs in runs are at (http://\S+)", said)[1]
            first = ask_until(address, lambda found: found["runs"])["runs"][0]
            assert (first["name"], first["has_ended"]) == ("a", False)
            ask_until(address, lambda found: found["runs"][0]["epoch"] > first["epoch"])
            training.kill()  # it says no more; the page goes on
            training.wait(60)
            assert ask(address, show="a")["shown"]["a"]["end"] is None
        finally:
            training.kill()
            training.wait(60)
            server.terminate()
            assert server.stderr.read() == ""
