"""Commands that take a table take it in several files, from a folder and from standard input."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from multilayer.cli.main import app
from multilayer.errors import InvalidDataError

RNG = np.random.default_rng(0)
HOMES = pd.DataFrame({"area": RNG.uniform(40, 200, 120).round(2), "kind": ["flat", "hut"] * 60})
HOMES["rent"] = (HOMES["area"] * 4).round(2)
TRAIN = ("train", "table", "--target", "rent", "--model", "mlp", "--epochs", "2")


def run(*arguments, **how):
    return CliRunner().invoke(app, list(map(str, arguments)), **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homes")
    HOMES[:50].to_csv(folder / "1.csv", index=False)
    HOMES[50:70].to_parquet(folder / "2.parquet")
    HOMES[70:].to_json(folder / "3.jsonl", orient="records", lines=True)
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    result = run(*TRAIN, folder, "--save", path)
    assert result.exit_code == 0, result.output
    return path


def rows_of(result):
    assert result.exit_code == 0, result.output
    return np.array(result.stdout.split()[1:], float)


def test_every_source_is_the_same_table(folder, model, tmp_path):
    HOMES.to_csv(tmp_path / "whole.csv", index=False)
    expected = rows_of(run("predict", model, tmp_path / "whole.csv"))
    assert len(expected) == len(HOMES)
    several = sorted(folder.iterdir())
    for sources in ([folder], [folder / "*"], several, [several[0], folder / "[23]*"]):
        np.testing.assert_allclose(rows_of(run("predict", model, *sources)), expected, rtol=1e-6)
    piped = run("predict", model, "-", input=(tmp_path / "whole.csv").read_bytes())
    np.testing.assert_allclose(rows_of(piped), expected, rtol=1e-6)


def test_every_command_takes_them(folder, model):
    trained = json.loads(run(*TRAIN, folder / "*", "--json").stdout)
    assert trained["n_train"] + trained["n_test"] == len(HOMES)
    found = run("doctor", model, folder, "--json")
    assert found.exit_code in (0, 1), found.output
    tuned = run("tune", *folder.iterdir(), "--target", "rent", "--trials", "2", "--folds", "2",
                "--epochs", "2")  # fmt: skip
    assert tuned.exit_code == 0, tuned.output


def test_unlike_files_are_named(folder, tmp_path):
    HOMES.rename(columns={"kind": "Kind"}).to_csv(tmp_path / "other.csv", index=False)
    result = run(*TRAIN, folder / "1.csv", tmp_path / "other.csv")
    assert isinstance(result.exception, InvalidDataError)
    assert str(result.exception) == (
        f"{tmp_path / 'other.csv'} must have the columns of {folder / '1.csv'}; missing: kind; "
        "unexpected: Kind"
    )


def test_broken_rows(tmp_path, model):
    path = tmp_path / "t.csv"
    path.write_text(HOMES.to_csv(index=False) + "70,flat,1,2\n")
    result = run(*TRAIN, path)
    assert result.exit_code == 0, result.output
    says = f"note: {path}: a row is left out, with more cells than its header: line 122 has 4"
    assert says in result.stderr
    refused = f"{path} must have 3 cells in each row, as in its header; line 122 has 4"
    assert str(run(*TRAIN, path, "--bad-rows", "fail").exception) == refused
    assert str(run("predict", model, path).exception) == refused  # its rows have no number
    path.write_text(HOMES.to_csv(index=False) + "70,flat,1,2\n" * 2)
    refused += ", line 123 has 4 (2 of 122 rows); to leave such rows out, pass --bad-rows skip"
    assert str(run(*TRAIN, path).exception) == refused
    assert run(*TRAIN, path, "--bad-rows", "skip").exit_code == 0


def test_rows_without_a_target(tmp_path):
    path = tmp_path / "t.csv"
    table = HOMES.copy()
    table.loc[7, "rent"] = None
    table.to_csv(path, index=False)
    says = f"note: {path} has no 'rent' in 1 of 120 rows, row 8 below its header; it is left out\n"
    assert says in run(*TRAIN, path).stderr
    refused = f"{path} has no 'rent' in 1 of 120 rows, row 8 below its header"
    assert str(run(*TRAIN, path, "--bad-rows", "fail").exception) == refused
    table.loc[[9, 11], "rent"] = None
    table.loc[11] = None  # an empty row is no row that lacks its target
    table.to_csv(path, index=False)
    refused = f"{path} has no 'rent' in 2 of 120 rows, the first of them row 8 below its header"
    hint = "; to leave such rows out, pass --bad-rows skip"
    assert str(run(*TRAIN, path).exception) == refused + hint
    table.loc[7] = None
    table.to_csv(path, index=False)
    says = f"note: {path} has no 'rent' in 3 of 120 rows, the first of them row 8 below its header"
    assert f"{says}; they are left out\n" in run(*TRAIN, path).stderr
    refused = f"{path} has no 'rent' in 1 of 120 rows, row 10 below its header"
    assert str(run(*TRAIN, path, "--bad-rows", "fail").exception) == refused


def test_train_takes_files_without_the_word_table(folder):
    words = (folder / "*", "--target", "rent", "--model", "mlp", "--epochs", "2", "--json")
    whole, short = (json.loads(run("train", *word, *words).stdout) for word in (["table"], []))
    assert whole["test"] == pytest.approx(short["test"], rel=1e-6)
    assert "there is no file" in str(run("train", "nothing.csv").exception)
    assert "No such command 'dgits'" in run("train", "dgits").output
