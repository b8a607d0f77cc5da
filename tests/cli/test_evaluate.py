"""`mlp evaluate`: what it prints, its JSON, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from multilayer.cli.main import app
from multilayer.errors import InvalidDataError, UnknownNameError
from multilayer.evaluation import evaluate
from multilayer.files import load_model


def homes(n, seed):
    rng = np.random.default_rng(seed)
    area, kind = rng.uniform(40, 200, n), rng.choice(["flat", "house"], n)
    price = area * np.where(kind == "flat", 4, 3) + rng.normal(0, np.where(kind == "flat", 20, 80))
    return pd.DataFrame({"area": area, "price": price, "kind": kind, "agent": np.arange(n) // 10})


def run(command, *arguments):
    return CliRunner().invoke(app, [command, *map(str, arguments)], env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that `mlp train table` has written, and new rows."""
    folder = tmp_path_factory.mktemp("evaluate")
    homes(300, 0).to_csv(folder / "train.csv", index=False)
    new = homes(400, 1)
    new.to_csv(folder / "new.csv", index=False)
    new.rename(columns={"price": "cost"}).to_csv(folder / "renamed.csv", index=False)
    arguments = ("--members", 2, "--target", "price", "--drop", "agent")
    file = folder / "homes.model"
    result = CliRunner().invoke(
        app,
        ["train", "table", str(folder / "train.csv"), *map(str, arguments), "--save", str(file)],
    )
    assert result.exit_code == 0, result.output
    return folder


def test_the_target_is_the_models(folder):
    result = run("evaluate", folder / "homes.model", folder / "new.csv")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    for part in (
        "regression, 400 rows",
        "ridge regression, fitted to these rows, 5-fold",
        "calibration",
        "kind: house",
    ):
        assert part in text


def test_json_is_what_evaluate_returns(folder):
    result = run(
        "evaluate", folder / "homes.model", folder / "new.csv", "--json", "--group", "agent",
        "--seed", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = pd.read_csv(folder / "new.csv")
    y = table.pop("price")
    found = evaluate(load_model(folder / "homes.model"), table, y, groups="agent", seed=3)
    told = json.loads(result.stdout)
    assert told.pop("target") == "price"
    assert told.keys() == found.to_dict().keys()
    assert told["n_groups"] == 40
    assert told["metrics"]["r2"]["value"] == pytest.approx(found.metrics["r2"].value)
    assert told["metrics"]["r2"]["low"] == pytest.approx(found.metrics["r2"].low)


def test_one_column_alone_is_compared(folder):
    result = run("evaluate", folder / "homes.model", folder / "new.csv", "--by", "kind")
    assert "mean absolute error by kind" in " ".join(result.stdout.split())
    assert "1 of 2 groups is worse" in " ".join(result.stdout.split())


def test_another_name_of_the_target(folder):
    result = run("evaluate", folder / "homes.model", folder / "renamed.csv")
    assert isinstance(result.exception, InvalidDataError)
    assert str(result.exception).endswith(
        "renamed.csv must have the column 'price', the model's target; pass --target if it has "
        "another name here; got area, cost, kind, agent"
    )
    told = run("evaluate", folder / "homes.model", folder / "renamed.csv", "--target", "cost")
    assert told.exit_code == 0, told.output


def test_rows_without_a_target_are_counted(folder, tmp_path):
    table = homes(300, 2)
    table.loc[::10, "price"] = np.nan
    table.to_csv(tmp_path / "some.csv", index=False)
    result = run("evaluate", folder / "homes.model", tmp_path / "some.csv", "--json")
    told = json.loads(result.stdout)
    assert (told["n_samples"], told["n_without_target"]) == (270, 30)


def test_values_that_training_has_not_seen_are_noted(folder, tmp_path):
    table = homes(100, 2)
    table.loc[3, "kind"] = "castle"
    table.to_csv(tmp_path / "castle.csv", index=False)
    result = run("evaluate", folder / "homes.model", tmp_path / "castle.csv")
    assert result.exit_code == 0, result.output
    assert "column 'kind' has categories not seen in training, such as 'castle'" in result.stderr
    assert result.stderr.count("castle") == 1


@pytest.mark.parametrize("option", ["--target", "--group", "--by"])
def test_a_column_that_is_not_there_is_refused_with_the_nearest(folder, option):
    result = run("evaluate", folder / "homes.model", folder / "new.csv", option, "agnt")
    assert isinstance(result.exception, UnknownNameError)
    assert str(result.exception).startswith(f"{option} of mlp evaluate must be one of area, ")
    assert str(result.exception).endswith("got 'agnt', did you mean 'agent'?")


def test_a_table_that_lacks_an_input_is_refused(folder, tmp_path):
    homes(50, 0).drop(columns="kind").to_csv(tmp_path / "less.csv", index=False)
    result = run("evaluate", folder / "homes.model", tmp_path / "less.csv")
    assert isinstance(result.exception, InvalidDataError)
    assert "must have all inputs of the model; missing: kind" in str(result.exception)


def test_a_column_without_groups_to_compare_is_named(folder, tmp_path):
    table = pd.read_csv(folder / "new.csv").assign(city="Bonn")
    table.to_csv(tmp_path / "new.csv", index=False)
    run_it = ("evaluate", folder / "homes.model", tmp_path / "new.csv", "--json")
    result = run(*run_it, "--by", "city")
    assert result.exit_code == 0, result.output
    assert "column 'city' has no groups to compare" in json.loads(result.stdout)["notes"][-1]
    error = run(*run_it, "--group", "city").exception
    assert str(error) == "--group of mlp evaluate must have at least two groups"
