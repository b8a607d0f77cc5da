"""`mlp train table` with the estimators for tables, which are its default."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeCV
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from typer.testing import CliRunner

from multilayer import TabularClassifier, load
from multilayer.cli import peers, train_table
from multilayer.cli.division import Division
from multilayer.cli.main import app
from multilayer.cli.reading import read
from multilayer.cli.rows import Rows
from multilayer.data import read_file
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.training import Callback


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """The file of a table, and the table."""
    rng = np.random.default_rng(0)
    n = 300
    height = rng.normal(20, 5, n).round(1)
    leaf = rng.choice(["needle", "broad", "scale"], n)
    score = height + 3 * (leaf == "broad") + rng.normal(0, 1, n)
    table = pd.DataFrame(
        {
            "height": np.where(rng.random(n) < 0.1, np.nan, height),
            "leaf": leaf,
            "district": rng.integers(1, 8, n),
            "year": rng.integers(1990, 2020, n),
            "kind": np.where(score > 21, "tall", "small"),
        }
    )
    path = tmp_path_factory.mktemp("trees") / "trees.csv"
    table.to_csv(path, index=False)
    return path, table


@pytest.fixture(scope="module")
def trained(trees):
    """The results of a training, and the file of its model."""
    path, _ = trees
    saved = path.with_suffix(".safetensors")
    result = run("train", "table", path, "--categorical", "district", "--members", "4",
                 "--compare", "--save", saved, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout), saved


@pytest.fixture(scope="module")
def parts(trees):
    """The training and test rows, as scikit-learn divides them."""
    _, table = trees
    X, y = table.drop(columns="kind"), table["kind"].to_numpy()
    return train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)


def test_it_is_the_estimator(parts, trained):
    X_train, X_test, y_train, y_test = parts
    results, _ = trained
    model = TabularClassifier(
        n_members=4, columns={"district": "categorical"}, random_state=0
    ).fit(X_train, y_train)  # fmt: skip
    assert results["test"] == {
        "log_loss": pytest.approx(log_loss(y_test, model.predict_proba(X_test)), rel=1e-6),
        "accuracy": accuracy_score(y_test, model.predict(X_test)),
    }
    own = results["out_of_fold"]
    assert own["log_loss"] == pytest.approx(model.loss_, rel=1e-5)
    assert own["accuracy"] == model.oob_score_
    error = np.std(model.oob_scores_, ddof=1) / np.sqrt(len(model.oob_scores_))
    assert own["standard_error"] == pytest.approx(error, rel=1e-12)
    assert (results["best_epoch"], results["temperature"]) == (model.n_iter_, model.temperature_)
    assert results["n_members"] == 4


def test_trees_see_missing_values_and_categories_as_scikit_learn_does(parts, trained):
    X_train, X_test, y_train, y_test = parts
    kinds = {name: pd.CategoricalDtype(sorted(X_train[name].unique()))
             for name in ("leaf", "district")}  # fmt: skip
    model = HistGradientBoostingClassifier(random_state=0).fit(X_train.astype(kinds), y_train)
    p = model.predict_proba(X_test.astype(kinds))
    assert trained[0]["hist_gradient_boosting"]["log_loss"] == pytest.approx(log_loss(y_test, p))


def test_a_linear_model_is_as_good_as_another_one(tmp_path, trained):
    assert trained[0]["linear"]["log_loss"] < 0.5 * trained[0]["baseline"]["log_loss"]
    data = load_diabetes(as_frame=True, scaled=False)
    data.frame.to_csv(tmp_path / "d.csv", index=False)
    results = json.loads(
        run("train", "table", tmp_path / "d.csv", "--members", "2", "--json").stdout
    )
    X_train, X_test, y_train, y_test = train_test_split(
        data.data, data.target, test_size=0.2, random_state=0
    )
    expected = r2_score(y_test, RidgeCV().fit(X_train, y_train).predict(X_test))
    assert results["linear"]["r2"] == pytest.approx(expected, abs=0.04)
    assert results["test"]["rmse"] < results["baseline"]["rmse"]
    assert results["out_of_fold"]["rmse"] < results["baseline"]["rmse"]
    assert "hist_gradient_boosting" not in results


def test_what_is_printed(trees):
    result = run("train", "table", trees[0], "--members", "2")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.replace("│", "").split())
    for part in (
        "leaf categorical",
        "3 embedded: 4 vectors",
        "kind: 2 classes",
        "out of fold: each training row predicted by the network that has not seen it",
        "linear model: logistic regression",
        "2 networks of ",
        "; temperature ",
    ):
        assert part in said
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "epoch " in result.stderr


def test_every_command_takes_the_file(trees, trained, tmp_path):
    path, _ = trees
    results, saved = trained
    jobs = [
        ("predict", saved, path),
        ("show", saved),
        ("show", saved, "--json"),
        ("doctor", saved, path, "--member", 3),
        ("plot", "history", saved, "--save", tmp_path / "history.png"),
        ("plot", "network", saved, "--save", tmp_path / "network.png"),
        ("plot", "confusion", saved, path, "--save", tmp_path / "confusion.png"),
        ("plot", "reliability", saved, path, "--save", tmp_path / "reliability.png"),
        ("plot", "importance", saved, path, "--save", tmp_path / "importance.png"),
        ("export", saved, "--to", tmp_path / "model.onnx"),
    ]
    said = [run(*job) for job in jobs]
    for job, result in zip(jobs, said, strict=True):
        assert result.exit_code == 0, (job, result.output)
    shown = " ".join(said[1].stdout.split())
    for part in ("Ensemble(4 × MLP", "validation loss", "best epoch", "estimator Tabular"):
        assert part in shown
    assert json.loads(said[2].stdout)["n_parameters"] == results["n_parameters"]
    assert load(saved).information["metrics"]["test_accuracy"] == results["test"]["accuracy"]


def test_findings_are_reported_and_go_with_the_file(trees, tmp_path):
    _, table = trees
    path, saved = tmp_path / "t.csv", tmp_path / "m.safetensors"
    table.assign(felled=np.where(table["kind"] == "tall", "yes", "no"))[
        ["felled", *table.columns]
    ].to_csv(path, index=False)
    shown = run("train", "table", path, "--members", "2", "--save", saved)
    assert shown.exit_code == 0, shown.output
    says = "leak: Column 'felled' seems to give the target away"
    assert says in shown.stdout
    assert "felled" not in shown.stderr
    result = run("train", "table", path, "--members", "2", "--json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["name"], finding["evidence"]["column"]) == ("leak", "felled")
    assert result.stderr == ""
    result = run("doctor", saved, path, "--json")
    assert finding in json.loads(result.stdout)["findings"]
    assert result.exit_code == 0
    assert "give the target away" in run("show", saved).stdout


# Groups and time -------------------------------------------------------------------------------


def rows_of(path, **how):
    return Rows.of(read(path, None, None), "kind", None, [], Division(0.2, 0, **how))


def test_groups_stay_together_and_are_no_input(trees):
    path, table = trees
    rows = rows_of(path, group="district")
    assert "district" not in rows.X_train.columns
    held_out = set(table["district"].astype(str)) - set(rows.groups)
    assert held_out
    assert len(rows.y_test) == table["district"].astype(str).isin(held_out).sum()
    assert 0.1 < len(rows.y_test) / len(table) < 0.4
    result = run("train", "table", path, "--group", "district", "--members", "2", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_test"] == len(rows.y_test)


def test_the_latest_rows_are_the_test(trees):
    path, table = trees
    rows = rows_of(path, time="year")
    years = [np.array([float(e) for e in X["year"].objects()]) for X in (rows.X_train, rows.X_test)]
    assert years[0].max() < years[1].min()
    assert abs(len(rows.y_test) - 0.2 * len(table)) < table["year"].value_counts().max()
    result = run("train", "table", path, "--time", "year", "--members", "2", "--json")
    assert result.exit_code == 0, result.output
    results = json.loads(result.stdout)
    assert results["n_test"] == len(rows.y_test)
    assert 0.4 < results["out_of_fold"]["n"] / results["n_train"] < 0.6


@pytest.mark.parametrize(
    ("days", "share", "n_test"),
    [([1, 2, 3, 4, 5] * 20, 0.2, 20), ([1] * 60 + [2] * 40, 0.9, 40),
     ([1] * 20 + [2] * 80, 0.1, 80)],
)  # fmt: skip
def test_rows_of_one_time_stay_together(tmp_path, days, share, n_test):
    path = tmp_path / "t.csv"
    pd.DataFrame({"day": days, "x": range(100), "kind": ["a", "b"] * 50}).to_csv(path, index=False)
    found = Rows.of(read(path, None, None), None, None, [], Division(share, 0, time="day"))
    assert len(found.y_test) == n_test


def test_a_class_that_appears_later_is_noted(tmp_path):
    kinds = ["a", "b"] * 48 + ["a", "b", "c", "c"]
    path = tmp_path / "t.csv"
    pd.DataFrame({"day": range(100), "kind": kinds}).to_csv(path, index=False)
    result = run("train", "table", path, "--time", "day", "--members", "2", "--json")
    assert json.loads(result.stdout)["n_test"] == 18
    assert "note: 2 test rows have a class that no training row has" in result.stderr


# Mistakes and failures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (["--hidden", "4"], InvalidArgumentError, "--hidden of mlp train table needs --model mlp"),
        (["--epochs", "200"], InvalidArgumentError, "--epochs of mlp train table needs --model"),
        (["--model", "mlp", "--members", "8"], InvalidArgumentError, "needs --model tabular"),
        (["--model", "mpl"], UnknownNameError, "did you mean 'mlp'?"),
        (["--members", "1"], InvalidArgumentError, "--members of mlp train table must be"),
        (["--time-limit", "0"], InvalidArgumentError, "--time-limit of mlp train table must be"),
        (["--group", "leaf", "--time", "year"], InvalidArgumentError, "--group of mlp train table"),
        (["--group", "kind"], InvalidArgumentError, "cannot be 'kind', which is the target"),
        (["--group", "laef"], UnknownNameError, "did you mean 'leaf'?"),
        (["--time", "leaf"], InvalidArgumentError, "--time of mlp train table must be a column of"),
        (["--time", "leaf", "--categorical", "leaf"], InvalidArgumentError, "--time of mlp train"),
        (["--time", "year", "--drop", "year"], InvalidArgumentError, "'year', which is dropped"),
    ],
)  # fmt: skip
def test_mistakes(trees, arguments, error, expected):
    result = run("train", "table", trees[0], *arguments)
    assert isinstance(result.exception, error), result.output
    assert expected in str(result.exception)


def test_one_group_or_one_time_divides_nothing(tmp_path):
    path = tmp_path / "t.csv"
    table = pd.DataFrame({"x": range(100), "g": 1, "kind": ["a", "b"] * 50})
    table.to_csv(path, index=False)
    for option, error in (("--group", InvalidArgumentError), ("--time", InvalidDataError)):
        result = run("train", "table", path, option, "g")
        assert isinstance(result.exception, error)
    assert result.exception.__notes__ == ["pass --numeric g, or --date g with --day-first"]


def test_a_peer_that_fails_is_left_out(trees, monkeypatch):
    def fails(*arguments):
        raise ValueError("too wide\nand more")

    monkeypatch.setattr(peers, "_linear", fails)
    result = run("train", "table", trees[0], "--members", "2", "--json")
    assert result.exit_code == 0
    assert "linear" not in json.loads(result.stdout)
    assert result.stderr == "note: no linear model to compare with: too wide\n"


@pytest.mark.parametrize(("model", "epoch"), [("tabular", 3), ("tabular", 1), ("mlp", 1)])
def test_ctrl_c(trees, tmp_path, monkeypatch, model, epoch):
    class Interrupt(Callback):
        def on_step_end(self, run):
            if run.epoch == epoch:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_table, "Progress", Interrupt)
    saved = tmp_path / "m.safetensors"
    result = run("train", "table", trees[0], "--model", model, "--save", saved)
    assert result.exit_code == 130
    assert saved.exists() == (epoch > 1)
    if epoch > 1:
        assert "stopped by interrupt" in result.stdout
        assert "linear" not in result.stdout
        assert load(saved).information["history"]["stopped_by"] == "interrupt"
        assert "interrupted: Ctrl-C ended the training in epoch 3; " in result.stdout
    else:
        says = "mlp: interrupted before the first epoch was over: there is no model"
        assert result.stderr.splitlines()[-1] == says


def test_each_row_without_a_group_is_a_group_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(2, 120))
    group = np.where(np.arange(120) % 3, np.floor(3 * group), np.nan)
    table = pd.DataFrame({"x": x, "g": group, "y": x + rng.normal(size=120)})
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read_file(tmp_path / "t.csv")
    train, held_out = Division(0.2, 0, "g").of(found, table["y"].to_numpy(), "regression")
    lacking = np.isnan(group)
    assert lacking[train].any()
    assert lacking[held_out].any()
    assert not set(group[train][~lacking[train]]) & set(group[held_out][~lacking[held_out]])
    job = ["train", "table", tmp_path / "t.csv", "--group", "g", "--members", "2"]
    note = "note: 40 of 120 rows have no 'g': each is a group of its own"
    assert note in run(*job, "--json", "--save", tmp_path / "m").stderr
    run("evaluate", tmp_path / "m", tmp_path / "t.csv", "--group", "g")
    names = np.where(np.arange(120) == 7, "", np.char.add("g", (np.arange(120) % 9).astype(str)))
    table.assign(g=names).to_csv(tmp_path / "t.csv", index=False)
    assert "note: 1 of 120 rows has no 'g': it is a group of its own" in run(*job).stderr
    table.assign(g="").to_csv(tmp_path / "t.csv", index=False)
    assert "must have at least two groups" in str(run(*job).exception)
