"""`mlp train table`, `schema` and `tune` on files too large for memory: limits are lowered."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from multilayer import load
from multilayer.cli import reading, train_table
from multilayer.cli.division import Division
from multilayer.cli.main import app
from multilayer.cli.rows import Rows
from multilayer.data import large, read_blocks, stream, streamed
from multilayer.data.large import open_table
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators import recipe, tabular_base

N, N_SAMPLE = 1500, 600


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(large, "IN_MEMORY", 0)
    monkeypatch.setattr(large, "N_ENTRIES", 1)
    monkeypatch.setattr(large, "LEAST_ROWS", N_SAMPLE)
    monkeypatch.setattr(stream, "BLOCK_BYTES", 2**11)
    monkeypatch.setattr(streamed, "PART_BYTES", 2**14)
    monkeypatch.setattr(recipe, "N_EPOCHS", 2)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


def trees(n=N):
    rng = np.random.default_rng(0)
    height, leaf = rng.normal(20, 5, n), rng.choice(["needle", "broad", "scale"], n)
    score = height + 3 * (leaf == "broad") + rng.normal(0, 1, n)
    return pd.DataFrame(
        {
            "height": height,
            "leaf": leaf,
            "district": rng.integers(1, 30, n),
            "year": rng.integers(1990, 2020, n),
            "weight": rng.uniform(0.5, 2, n).round(2),
            "score": score,
            "kind": np.where(score > 21, "tall", "small"),
        }
    )


TREES = trees()
KINDS = TREES.drop(columns="score")


@pytest.fixture
def write(tmp_path):
    """Write a frame to two files; return them."""

    def write(of, form="csv", **how):
        paths = [tmp_path / f"{i}.{form}" for i in range(2)]
        for path, part in zip(paths, (of[: N // 2], of[N // 2 :]), strict=True):
            (part.to_parquet if form == "parquet" else part.to_csv)(path, index=False, **how)
        return paths

    return write


@pytest.fixture
def seen(monkeypatch):
    """The rows that networks are trained on, the estimator, and the rows that test it."""
    found = {}
    run, report = tabular_base.run, train_table.report

    def watch_run(*arguments):
        rows, _ = arguments[-1]
        found["trained"] = rows.read([(0, rows.n_samples)])
        return run(*arguments)

    def watch_report(estimator, rows, *others, **named):
        found["estimator"], found["rows"] = estimator, rows
        return report(estimator, rows, *others, **named)

    monkeypatch.setattr(tabular_base, "run", watch_run)
    monkeypatch.setattr(train_table, "report", watch_report)
    return found


@pytest.mark.parametrize(
    ("form", "by"),
    [
        ("csv", "random"),
        ("parquet", "random"),
        ("csv", "group"),
        ("parquet", "group"),
        ("parquet", "group of floats"),
        ("csv", "time"),
    ],
)
def test_rows_that_are_tested_on_train_no_network(write, seen, form, by):
    files = write(KINDS, form)
    if by == "group of floats":  # in one of the files, as it happens where values are missing
        KINDS[N // 2 :].astype({"district": float}).to_parquet(files[1], index=False)
    options = {
        "random": [],
        "group": ["--group", "district"],
        "group of floats": ["--group", "district"],
        "time": ["--time", "year"],
    }[by]
    result = run("train", "table", *files, "--target", "kind", "--members", 3, "--json", *options)
    assert result.exit_code == 0, result.output
    told, rows = json.loads(result.stdout), seen["rows"]
    columns = seen["estimator"].columns_
    trained, tested = (
        {each.tobytes() for each in X} for X in (seen["trained"].X, columns.encode(rows.X_test)[:])
    )
    assert len(trained) == len(seen["trained"].X) == told["n_train"]
    assert len(tested) == told["n_test"] == len(rows.y_test)
    assert not trained & tested
    every = columns.encode(KINDS[list(columns.names)])[:]
    is_tested = np.array([each.tobytes() in tested for each in every])
    is_trained = np.array([each.tobytes() in trained for each in every])
    assert is_tested.sum() == len(tested)
    assert is_trained.sum() == len(trained)
    if by == "random":
        assert len(trained) + len(tested) == N
        assert len(tested) == 0.2 * N_SAMPLE
    elif by == "time":
        assert KINDS["year"][is_trained].max() < KINDS["year"][is_tested].min()
        assert (is_trained == (KINDS["year"] < KINDS["year"][is_tested].min())).all()
    else:
        held_out = set(KINDS["district"][is_tested])
        assert (is_trained == ~KINDS["district"].isin(held_out)).all()
    assert told["test"]["accuracy"] > 0.7
    assert told["linear"]["accuracy"] > 0.7


def test_rows_without_a_group_are_tested_on_or_trained_on(write):
    district = KINDS["district"].where(KINDS.index % 3 > 0)
    table = open_table(write(KINDS.assign(district=district, row=KINDS.index)), ["district"])
    rows = Rows.of(table, "kind", None, [], Division(0.2, 0, group="district"))
    tested = set(map(int, rows.X_test["row"].objects()))
    trained = {int(row) for _, part in rows.large.parts() for row in part["row"].objects()}
    assert not tested & trained
    held_out = set(district[list(tested)].dropna())
    assert trained == {i for i in KINDS.index if district[i] not in held_out} - tested


def test_weights_and_columns_that_are_dropped(write, seen, tmp_path):
    result = run("train", "table", *write(KINDS, "parquet"), "--target", "kind", "--members", 3,
                 "--weight", "weight", "--drop", "leaf", "--save", tmp_path / "m.mlp")  # fmt: skip
    assert result.exit_code == 0, result.output
    says = f"note: {tmp_path / '0.parquet'} and 1 more is too large for memory: training reads "
    says += "all rows; columns and scores are shown for a sample of 480\n"
    assert result.stderr.startswith(says)
    weight = seen["trained"].weight
    expected = np.sort(KINDS["weight"])
    assert len(weight) == N - 120
    # Of all weights, 120 are missing: those of the rows that are tested on.
    assert set((weight / weight.max() * expected.max()).round(2)) <= set(expected)
    model = load(tmp_path / "m.mlp")
    assert model.inputs.names == ("height", "district", "year")
    assert model.information["data"]["n_samples"] == N - 120


def test_values_and_a_schema(write, seen, tmp_path):
    own = TREES.drop(columns="kind")
    for name in ("height", "score"):
        own[name] = [f"{v:.2f}".replace(".", ",") for v in own[name]]
    files, schema = write(own, sep=";"), tmp_path / "columns.toml"
    result = run("schema", *files, "--target", "score", "--out", schema)
    assert result.exit_code == 0, result.output
    assert "is too large for memory: a sample of 600 of its 1,500 rows is used" in result.stderr
    result = run("train", "table", *files, "--schema", schema, "--members", 3, "--json", "--target",
                 "score", "--categorical", "district")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["task"] == "regression"
    targets = seen["estimator"].to_model().targets
    found = np.sort(targets.mean + targets.scale * seen["trained"].y[:, 0])
    assert len(found) == N - 120
    assert np.isin(found.round(2), TREES["score"].round(2)).all()


def test_the_last_column_is_the_target(write, seen):
    """A class that is not in the sample is known too."""
    own = KINDS.assign(kind=(KINDS["kind"] == "tall").astype(int))
    own.loc[1496, "kind"] = 5
    result = run("train", "table", *write(own), "--members", 3, "--json")
    assert result.exit_code == 0, result.output
    assert seen["estimator"].classes_.tolist() == [0, 1, 5]
    assert 5 not in seen["rows"].y_train


def test_rows_without_a_target(write, seen):
    own = KINDS.astype({"kind": object})
    own.loc[::20, "kind"] = None
    files = write(own)
    result = run("train", "table", *files, "--target", "kind", "--members", 3)
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidDataError)
    assert "to leave such rows out, pass --bad-rows skip" in str(result.exception)
    how = ("--target", "kind", "--members", 3, "--json", "--bad-rows", "skip")
    result = run("train", "table", *files, *how)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_train"] == N - N // 20 - len(seen["rows"].y_test)


def test_one_network_cannot_be_trained(write):
    files = write(KINDS)
    result = run("train", "table", *files, "--target", "kind", "--model", "mlp")
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidArgumentError)
    assert str(result.exception) == (
        f"--model of mlp train table must be tabular, since {files[0]} and 1 more is too large for "
        "memory; got mlp"
    )


def test_ctrl_c_before_an_epoch_leaves_no_model(write, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tabular_base, "run", interrupt)
    result = run("train", "table", *write(KINDS), "--target", "kind", "--members", 3)
    assert result.exit_code == 130
    assert "interrupted before the first epoch was over: there is no model" in result.stderr


def test_tune_searches_in_the_sample(write):
    result = run("tune", *write(KINDS), "--target", "kind", "--trials", 2, "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert "is too large for memory: a sample of 600 of its 1,500 rows is used" in result.stderr
    assert "on 5 folds of 480 rows" in result.stderr


@pytest.mark.parametrize("patience", [1e9, -1.0])
def test_a_terminal_shows_how_many_rows_were_read(write, monkeypatch, patience):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=200)
    monkeypatch.setattr(reading, "Console", lambda stderr: console)
    monkeypatch.setattr(reading, "PATIENCE", patience)
    blocks = read_blocks([str(path) for path in write(KINDS)], 100)
    watched = reading.Watched(blocks)
    for _, table in watched.numbered():
        assert len(table) >= 100
        console.file.flush()
    text = shown.getvalue()
    assert "reading" in text
    assert ("rows, " in text and " a second" in text) == (patience < 0)
    assert watched.columns == blocks.columns
    assert watched.n_bytes == blocks.n_bytes > 0
    assert watched.fingerprint() == blocks.fingerprint()
