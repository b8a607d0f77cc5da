"""`mlp plot`: files of the format that was asked for, whole or not at all."""

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

from multilayer.cli import plot_ideas, plot_output
from multilayer.cli.plot import app
from multilayer.errors import InvalidArgumentError, UnknownNameError

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".PNG": b"\x89PNG"}
QUICK = {
    "activations": ["relu", "tanh", "--together"],
    "hyperplane": ["--w", "1,2", "--b", "-1", "--points", "1,1;0,0"],
    "boundaries": ["--data", "xor", "--n", "20", "--hidden", "", "--hidden", "2"],
    "features": ["--n", "20"],
    "units": ["--data", "moons", "--n", "20", "--hidden", "2", "--activation", "relu"],
    "fixed": ["--data", "xor", "--n", "12", "--hidden", "2"],
    "approximation": ["--widths", "1", "--activation", "tanh"],
    "relu": ["relu", "gelu", "--depth", "2", "--width", "5"],
}


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", plot_ideas.__all__)
def test_every_picture_goes_into_a_file(tmp_path, command):
    path = tmp_path / "picture.png"
    result = run(command, *QUICK[command], "--save", str(path))
    assert result.exit_code == 0, result.exception
    assert path.read_bytes().startswith(STARTS[".png"])
    assert str(path) in result.stderr.replace("\n", "")
    assert [each.name for each in tmp_path.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("ending", STARTS)
def test_the_ending_is_the_format(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    assert run("activations", "relu", "--save", str(path)).exit_code == 0
    assert path.read_bytes().startswith(STARTS[ending])


def test_options_reach_the_picture(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot_output, "finish", lambda axes, save, show: drawn.append(axes))
    arguments = ["boundaries", "--data", "circles", "--n", "30", "--hidden", "", "--hidden", "1,1",
                 "--save", str(tmp_path / "a.png")]  # fmt: skip
    for seed in ("0", "1"):
        assert run(*arguments, "--seed", seed).exit_code == 0
    names = [ax.get_title().split("\n")[0] for ax in drawn[0]]
    assert names == ["no hidden layer", "2 hidden layers: 1,1"]
    first, second = (
        next(c.get_offsets() for c in axes[0].collections if len(c.get_offsets()) == 15)
        for axes in drawn
    )
    assert (first != second).any()


def test_what_was_there_stays_if_drawing_fails(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    path = tmp_path / "a.png"
    path.write_text("before")

    def fail(self, file, **settings):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    assert isinstance(run("activations", "relu", "--save", str(path)).exception, OSError)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["activations"], InvalidArgumentError, "mlp plot needs --save FILE, or --show"),
        (["activations", "--save", "a.jpg"], UnknownNameError,
         "format of --save must be one of png, svg, pdf; got 'jpg', did you mean 'png'?"),
        (["activations", "--save", "no/such/a.png"], InvalidArgumentError,
         "must name a file in a folder that exists; there is no "),
        (["boundaries", "--data", "spiral", "--save", "a.png"], UnknownNameError,
         "got 'spiral', did you mean 'spirals'?"),
        (["units", "--seed", "-1", "--save", "a.png"], InvalidArgumentError,
         "--seed of mlp units must be a non-negative integer; got -1"),
        (["hyperplane", "--w", "1", "--save", "a.png"], InvalidArgumentError,
         "--w of mlp hyperplane must be two numbers, such as 3,4; got '1'"),
        (["approximation", "--widths", "1,x", "--save", "a.png"], InvalidArgumentError,
         "--widths of mlp approximation must be whole numbers, such as 1,3,10; got '1,x'"),
    ],
)  # fmt: skip
def test_wrong_arguments(tmp_path, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    caught = run(*arguments).exception
    assert isinstance(caught, error)
    assert message in str(caught)
    assert not list(tmp_path.iterdir())


def test_a_window_needs_a_screen():
    mpl.use("Agg")
    caught = run("activations", "--show").exception
    assert isinstance(caught, InvalidArgumentError)
    assert str(caught) == (
        "--show of mlp activations needs a screen; matplotlib's backend is 'agg' here"
    )
