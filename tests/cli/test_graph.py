"""The command `mlp graph`, as typer runs it."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from multilayer import Architecture
from multilayer.cli.main import app
from multilayer.errors import InvalidArgumentError, InvalidTypeError, MultilayerError
from multilayer.graph import graph
from multilayer.numpy import MLP
from multilayer.torch import MLP as TorchMLP


def run(*arguments):
    return CliRunner().invoke(app, ["graph", *arguments])


def test_default_is_graphviz_source_of_the_net_for_digits():
    result = run()
    assert result.exit_code == 0
    assert result.stdout == graph(MLP(Architecture(64, (64, 32), 10))).to_dot() + "\n"
    assert result.stderr == ""


@pytest.mark.parametrize(("engine", "network"), [("numpy", MLP), ("torch", TorchMLP)])
def test_every_option_reaches_the_network(engine, network):
    result = run("--in", "6", "--hidden", "6,5", "--out", "3", "--activation", "relu,tanh",
                 "--output", "softmax", "--normalization", "layer", "--dropout", "0.2",
                 "--noise", "0,0.1,0", "--residual", "--engine", engine,
                 "--format", "json")  # fmt: skip
    assert result.exit_code == 0, result.exception
    architecture = Architecture(6, (6, 5), 3, activation=("relu", "tanh"), output="softmax",
                                normalization="layer", dropout=0.2, residual=True,
                                noise=(0, 0.1, 0))  # fmt: skip
    assert json.loads(result.stdout) == graph(network(architecture)).to_dict()


def test_a_picture_on_standard_output():
    result = run("--hidden", "", "--format", "svg")
    assert result.exit_code == 0
    assert ElementTree.fromstring(result.stdout).tag.endswith("svg")


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("net.svg", [], "<svg"),
        ("net.json", [], '{"nodes"'),
        ("net.dot", [], "digraph"),
        ("net.txt", ["--format", "dot"], "digraph"),
        ("net.png", ["--format", "svg"], "<svg"),
        ("net.svg", ["--format", "json"], '{"nodes"'),
    ],
)
def test_a_file_has_the_format_of_its_ending_unless_told(tmp_path, name, options, start):
    path = tmp_path / name
    result = run("--save", str(path), *options)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert path.read_text(encoding="utf-8").startswith(start)
    assert str(path) in result.stderr
    assert "Graph(13 nodes, 23 edges)" in result.stderr


@pytest.mark.parametrize("name", ["net.png", "net.txt", "net"])
def test_an_ending_without_a_format_is_refused(tmp_path, name):
    result = run("--save", str(tmp_path / name))
    assert isinstance(result.exception, InvalidArgumentError)
    assert "--save of mlp graph must end in .dot, .svg, .json" in str(result.exception)
    assert name in str(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--engine", "torhc"], InvalidArgumentError, "got 'torhc', did you mean 'torch'?"),
        (["--format", "svgg"], InvalidArgumentError, "got 'svgg', did you mean 'svg'?"),
        (["--in", "0"], InvalidArgumentError, "--in of mlp graph must be a positive integer"),
        (["--out", "-1"], InvalidArgumentError, "--out of mlp graph must be a positive integer"),
        (
            ["--hidden", "3;4"],
            InvalidArgumentError,
            "--hidden of mlp graph must be widths",
        ),
        (["--output", "sigmod"], InvalidArgumentError, "did you mean 'sigmoid'?"),
        (["--residual"], InvalidArgumentError, ""),
        (
            ["--save", "/no/such/folder/g.svg"],
            InvalidArgumentError,
            "--save of mlp graph must name",
        ),
    ],
)
def test_wrong_arguments_raise_the_packages_errors(arguments, error, message):
    if arguments == ["--residual"]:  # 64-64 is a block; 64-32 alone is none
        arguments = ["--residual", "--hidden", "32"]
        message = "--residual of mlp graph needs a hidden layer that is as wide"
    result = run(*arguments)
    assert result.stdout == ""
    assert isinstance(result.exception, error)
    assert isinstance(result.exception, MultilayerError)
    assert not isinstance(result.exception, InvalidTypeError)
    assert message in str(result.exception)


def test_without_torch_the_message_says_what_to_install():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from multilayer.cli.graph import graph\n"
        "from multilayer.errors import MissingPackageError\n"
        "graph(save=None, form='json')\n"
        "try: graph(engine='torch')\n"
        "except MissingPackageError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    *_, message = result.stdout.splitlines()
    assert message == 'multilayer.torch needs PyTorch: pip install "multilayer[torch]"'
