"""The package as a whole: what importing it costs, its names, its errors and its version."""

import builtins
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import multilayer
from multilayer import errors


def modules_after(statement):
    """Return the top-level modules that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(result.stdout)}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        (
            "import multilayer",
            {"torch", "matplotlib", "sklearn", "pandas", "scipy", "rich", "typer", "numpy"},
        ),
        (
            "import multilayer; multilayer.Architecture",
            {"torch", "matplotlib", "sklearn", "pandas", "scipy", "rich", "typer"},
        ),
        ("import multilayer.numpy", {"torch", "matplotlib", "sklearn", "pandas", "rich", "typer"}),
        ("import multilayer.plots", {"torch", "matplotlib", "sklearn", "pandas", "scipy"}),
        ("import multilayer.training", {"torch", "matplotlib", "sklearn", "pandas", "typer"}),
    ],
)
def test_importing_loads_no_more_than_it_needs(statement, absent):
    assert modules_after(statement) & absent == set()


def test_a_name_is_imported_when_it_is_first_used():
    program = (
        "import sys, multilayer\n"
        "before = 'multilayer.architecture' in sys.modules\n"
        "found = multilayer.Architecture(2, (3,), 1).n_parameters\n"
        "print(before, found, 'multilayer.architecture' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "False 13 True\n"


def test_the_names_lead_to_the_things_themselves():
    from multilayer.architecture import Architecture

    assert multilayer.Architecture is Architecture
    assert multilayer.MultilayerError is errors.MultilayerError


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        multilayer.Perceptron  # noqa: B018
    assert str(caught.value) == "module 'multilayer' has no attribute 'Perceptron'"
    with pytest.raises(ImportError):
        from multilayer import Perceptron  # noqa: F401


def test_dir_shows_the_public_names():
    assert dir(multilayer) == sorted(multilayer.__all__)
    for name in dir(multilayer):
        assert getattr(multilayer, name) is not None


def test_the_version_is_that_of_the_distribution():
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    assert multilayer.__version__ == project["version"]
    assert importlib.metadata.version("multilayer") == project["version"]


def test_the_package_says_that_it_is_typed():
    assert (Path(multilayer.__file__).parent / "py.typed").is_file()


# The tree of errors as its docstring draws it: depth, name, and the built-in in brackets.
BRANCH = re.compile(r"^ *([│ ├└─]*)(\w+Error)(?: \((\w+)\))?", re.MULTILINE)


def drawn_tree():
    """Return each error's name with its parent and the built-in that it, or a parent, names."""
    path, tree = [], {}
    for match in BRANCH.finditer(errors.__doc__):
        drawing, name, builtin = match.groups()
        depth = len(drawing) // 4
        path[depth:] = [(name, builtin)]
        parent = path[depth - 1][0] if depth else "Exception"
        tree[name] = (parent, [named for _, named in path if named])
    return tree


def test_the_drawn_tree_has_every_error():
    assert set(drawn_tree()) == set(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_hangs_where_it_is_drawn(name):
    parent, builtin_names = drawn_tree()[name]
    error_type = getattr(errors, name)
    expected_parent = getattr(errors, parent, Exception)
    assert error_type.__bases__[0] is expected_parent
    for builtin in builtin_names:
        assert issubclass(error_type, getattr(builtins, builtin))
    if name != "MultilayerError":
        assert builtin_names


def test_a_divergence_says_where_it_happened():
    error = errors.DivergenceError("the loss is NaN", epoch=2, step=7, learning_rate=0.5)
    assert str(error) == "the loss is NaN"
    assert (error.epoch, error.step, error.learning_rate) == (2, 7, 0.5)


def test_the_lowest_versions_are_those_that_are_allowed():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += [
        each for extra in project["project"]["optional-dependencies"].values() for each in extra
    ]
    allowed = {
        found[1]: found[2] for each in wanted if (found := re.match(r"([\w-]+)>=([\d.]+)", each))
    }
    lines = (root / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    assert set(allowed) <= set(tested)
    for name in set(allowed) - {"torch"}:  # of which one version alone has a CPU wheel for pip
        assert (tested[name] + ".").startswith(allowed[name] + "."), name
