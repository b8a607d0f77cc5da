"""``mlp playground`` as a process; what the page does is tested in tests/playground."""

import socket
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "multilayer", "playground", "--no-open"]


def run(*arguments, code=""):
    command = [*COMMAND, *arguments]
    if code:  # before the command is run
        said = ["mlp", "playground", "--no-open", *arguments]
        run_it = "from multilayer.cli.main import run; run()"
        command = [sys.executable, "-c", f"import sys; sys.argv = {said}; {code}; {run_it}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("--port", str(port))
    assert result.returncode == 2
    assert result.stderr == (
        "mlp: --port of mlp playground cannot be used at 127.0.0.1: address already in use; "
        f"choose another one, or 0 for any free port; got {port}\n"
    )


def test_a_port_that_does_not_exist():
    result = run("--port", "70000")
    assert result.returncode == 2
    assert "--port of mlp playground must be between 0 and 65,535; got 70000" in result.stderr


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "websockets"])
def test_a_missing_extra_is_named(package):
    result = run(code=f"sys.modules[{package!r}] = None")
    assert result.returncode == 2
    says = 'mlp: mlp playground needs more packages: pip install "multilayer[playground]"\n'
    assert result.stderr == says


def test_a_lesson_is_part_of_the_address():
    command = [*COMMAND, "--port", "0", "--lesson", "xor"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        said = server.stderr.readline()
        server.terminate()
    assert "/#lesson=xor (Ctrl-C stops the server)" in said


def test_a_wrong_lesson_is_told_which_there_are():
    result = run("--lesson", "xr")
    assert result.returncode == 2
    assert "--lesson of mlp playground must be one of line, xor, units, " in result.stderr
    assert "got 'xr', did you mean 'xor'?" in result.stderr
