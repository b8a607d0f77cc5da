"""`--weight` of `mlp train table`: rows that count more or less than others."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from typer.testing import CliRunner

from multilayer import MLPRegressor, load
from multilayer.cli.division import Division
from multilayer.cli.main import app
from multilayer.cli.reading import read
from multilayer.cli.rows import Rows
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.model import Columns
from multilayer.numpy import Adam


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    rng = np.random.default_rng(0)
    n = 300
    area = rng.normal(100, 30, n).round(1)
    table = pd.DataFrame(
        {
            "area": area,
            "rooms": rng.integers(1, 6, n),
            "owner": rng.integers(0, 40, n),
            "year": rng.integers(1990, 2020, n),
            "w": rng.exponential(size=n).round(2),
            "price": 2 * area + rng.normal(0, 20, n),  # each another one
        }
    )
    path = tmp_path_factory.mktemp("homes") / "homes.csv"
    table.to_csv(path, index=False)
    return path


def rows_of(path, drop=(), **how):
    table = read(path, None, None)
    return Rows.of(table, "price", None, drop, Division(0.2, 0, **how), weight="w")


def scores(rows, predicted):
    weight = rows.weight_test
    return {
        "rmse": pytest.approx(
            root_mean_squared_error(rows.y_test, predicted, sample_weight=weight), rel=1e-6
        ),
        "r2": pytest.approx(r2_score(rows.y_test, predicted, sample_weight=weight), abs=1e-6),
    }


def test_one_network_is_the_estimator_with_weights(homes):
    result = run("train", "table", homes, "--target=price", "--weight=w", "--model=mlp",
                 "--hidden=4", "--epochs=5", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = rows_of(homes)
    assert "w" not in rows.X_train.columns
    reg = MLPRegressor(
        hidden_layer_sizes=4, dropout=0.1, solver=Adam(), max_iter=5, early_stopping="loss",
        n_iter_no_change=15, columns="auto", scale_targets=True, random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        reg.fit(rows.X_train, rows.y_train, sample_weight=rows.weight_train)
    found = json.loads(result.stdout)
    assert found["losses"] == reg.loss_curve_
    assert found["test"] == scores(rows, reg.predict(rows.X_test))
    mean = np.average(rows.y_train, weights=rows.weight_train)
    assert found["baseline"] == scores(rows, np.full(len(rows.y_test), mean))


@pytest.mark.parametrize("how", [{}, {"group": "owner"}, {"time": "year"}])
def test_with_groups_and_time(homes, how, tmp_path):
    saved = tmp_path / "m.model"
    options = [f"--{name}={column}" for name, column in how.items()]
    result = run("train", "table", homes, "--target=price", "--weight=w", "--drop=rooms",
                 "--members=2", *options, "--save", saved, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    rows, found, model = rows_of(homes, ["rooms"], **how), json.loads(result.stdout), load(saved)
    assert set(model.inputs.names) == {"area", "owner", "year"} - {how.get("group")}
    assert found["test"] == scores(rows, model.predict(rows.X_test))
    columns = Columns.of(rows.X_train.take(np.flatnonzero(rows.weight_train)))
    linear = Ridge().fit(columns.encode(rows.X_train)[:], rows.y_train, rows.weight_train)
    assert found["linear"] == scores(rows, linear.predict(columns.encode(rows.X_test)[:]))
    table = pd.read_csv(homes)
    prices = [table[table["price"].isin(y)] for y in (rows.y_train, rows.y_test)]
    if how == {"time": "year"}:
        assert prices[0]["year"].max() < prices[1]["year"].min()
    if how == {"group": "owner"}:
        assert set(prices[0]["owner"]).isdisjoint(prices[1]["owner"])


@pytest.mark.parametrize(
    ("value", "got"), [("-1", "'-1' at row 3 below its header"), ("", "a missing value at row 3")]
)
def test_what_is_no_weight(homes, tmp_path, value, got):
    table = pd.read_csv(homes, dtype=str)
    table.loc[2, "w"] = value
    table.to_csv(tmp_path / "t.csv", index=False)
    error = run("train", "table", tmp_path / "t.csv", "--weight", "w").exception
    assert isinstance(error, InvalidDataError)
    says = "must hold numbers of at least 0, the rows' weights; got "
    assert says + got in str(error)


def test_which_column_cannot_be_the_weight(homes):
    error = run("train", "table", homes, "--weight", "price").exception
    assert isinstance(error, InvalidArgumentError)
    assert "--weight of mlp train table cannot be 'price', which is the target" in str(error)
    error = run("train", "table", homes, "--weight", "ww").exception
    assert isinstance(error, UnknownNameError)
