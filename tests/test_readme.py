"""The README's code blocks and the guide's commands do what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs" / "guide").glob("*.md"))]
COMMANDS = [
    line.removeprefix("$ ").split("#")[0].strip()
    for page in (README, *GUIDE)
    for block in re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


def test_python_blocks_print_what_is_shown():
    options = ["-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE"]
    result = subprocess.run(
        [sys.executable, "-m", "doctest", *options, "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert README.count(">>> ") > 10


def test_the_two_commands_stand_first():
    assert COMMANDS[:2] == ["make demo", "make test"]


def run(command, folder):
    _, *arguments = shlex.split(command)
    return subprocess.run(
        [sys.executable, "-m", "multilayer", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run, with what some of them write and later ones read.

    Each process of the tests has its own commands and its own folder, so the files stand there
    before any of them.
    """
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    houses = pd.DataFrame({"area": rng.uniform(40, 200, 60), "kind": ["flat", "house", None] * 20})
    houses.to_csv(folder / "new.csv", index=False)
    priced = houses.assign(price=3 * houses["area"])
    priced.to_csv(folder / "houses.csv", index=False)
    (folder / "homes").mkdir()
    priced.to_parquet(folder / "homes" / "1.parquet")
    for name in ("digits", "houses"):
        writes = next(c for c in COMMANDS if f"--save {name}.safetensors" in c)
        result = run(writes, folder)
        assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("mlp ")])
def test_commands_run(command, folder):
    result = run(command, folder)
    assert result.returncode == 0, result.stderr


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in COMMANDS:
        if command.startswith("make "):
            assert re.search(rf"^{command.removeprefix('make ')}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
