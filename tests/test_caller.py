"""Warnings point at the user's line, wherever it is and through whatever it comes."""

from pathlib import Path

import pytest

import multilayer
from multilayer.caller import warn

PACKAGE = Path(multilayer.__file__).parent


def told_from(path, name="somewhere"):
    """Return the file that a warning points at which code in `path` has called for."""
    names = {"warn": warn, "__name__": name}
    exec(compile("def call():\n    warn('so')", str(path), "exec"), names)
    with pytest.warns(UserWarning, match="so") as told:
        names["call"]()
    return told[0].filename


@pytest.mark.parametrize("name", ["multilayer_tools", "multilayer2", "multilayer.py", "tools"])
def test_a_package_beside_this_one_is_the_users(name):
    path = str(PACKAGE.with_name(name) / "work.py")
    assert told_from(path) == path
    path = str(PACKAGE.with_name(f"{name}.py"))
    assert told_from(path) == path


@pytest.mark.parametrize("part", ["caller.py", "data/files.py"])
def test_this_package_is_passed_over(part):
    assert told_from(PACKAGE / part) == __file__


@pytest.mark.parametrize("name", ["sklearn.pipeline", "joblib", "typer.core"])
def test_what_a_call_comes_through_is_passed_over(name):
    assert told_from("/elsewhere/pipeline.py", name) == __file__
    assert told_from("/elsewhere/pipeline.py", name.replace(".", "_") + "x") != __file__
