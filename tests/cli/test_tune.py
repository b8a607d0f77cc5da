"""`mlp tune`: a search over a table, its report, and the best model in a file."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.metrics import log_loss
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from typer.testing import CliRunner

from multilayer import MLPClassifier, load
from multilayer.cli.division import Division
from multilayer.cli.main import app
from multilayer.cli.reading import read
from multilayer.cli.rows import Rows
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.estimators import base
from multilayer.estimators.trials import Watch
from multilayer.training import Callback


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    path = tmp_path_factory.mktemp("trees") / "trees.csv"
    rng = np.random.default_rng(0)
    n = 200
    height = rng.normal(20, 5, n).round(1)
    pd.DataFrame(
        {
            "height": np.where(rng.random(n) < 0.1, np.nan, height),
            "leaf": rng.choice(["needle", "broad"], n),
            "age": (height * 3 + rng.normal(0, 2, n)).round(1),
            "kind": np.where(height + rng.normal(0, 1, n) > 20, "tall", "small"),
        }
    ).to_csv(path, index=False)
    return path


SMALL = ("--trials", 4, "--folds", 3, "--epochs", 5)


@pytest.fixture(scope="module")
def tuned(trees):
    saved = trees.with_suffix(".safetensors")
    result = run("tune", trees, "--target", "kind", *SMALL, "--save", saved, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout), saved


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_best_is_that_of_scikit_learns_search(trees, tuned):
    results, _ = tuned
    rows = Rows.of(read(trees, None, None), "kind", None, [], Division(0.2, 0))
    estimator = MLPClassifier(
        columns="auto", max_iter=5, early_stopping="loss", n_iter_no_change=15,
        random_state=0,
    )  # fmt: skip
    space = {
        "hidden_layer_sizes": [(64,), (128, 64)],
        "learning_rate_init": loguniform(3e-4, 3e-2),
        "alpha": loguniform(1e-5, 10.0),
        "dropout": [0.05, 0.1, 0.2, 0.4],
    }
    expected = RandomizedSearchCV(
        estimator, space, n_iter=4, cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring="neg_log_loss", random_state=0,
    ).fit(rows.X_train, rows.y_train)  # fmt: skip
    assert results["best"] == json.loads(json.dumps(expected.best_params_))
    means = [own["mean"] for own in results["configurations"]]
    assert means == sorted(means, reverse=True)
    # A table's network computes in float32.
    np.testing.assert_allclose(
        means, sorted(expected.cv_results_["mean_test_score"], reverse=True), rtol=1e-4
    )
    assert results["search"].startswith("4 candidates on 3 folds: 12 fits, of which 12 in lockstep")


def test_the_saved_model_has_the_score_of_the_report(trees, tuned):
    results, saved = tuned
    rows = Rows.of(read(trees, None, None), "kind", None, [], Division(0.2, 0))
    model = load(saved)
    assert log_loss(rows.y_test, model.predict_proba(rows.X_test)) == pytest.approx(
        results["test"]["log_loss"], rel=1e-5
    )
    assert model.information["data"]["target"] == "kind"
    assert model.net.architecture.hidden_features == tuple(results["best"]["hidden_layer_sizes"])


@pytest.mark.parametrize("halving", [(), ("--halving",)])
def test_what_a_person_reads(trees, halving):
    result = run("tune", trees, "--target", "age", *SMALL, *halving)
    assert result.exit_code == 0, result.exception
    said = result.stdout
    for text in ("the best configurations", "RMSE, folds", "in lockstep", "baseline"):
        assert text in said


def test_notes_are_those_of_all_rows_and_the_search_says_when_it_begins_and_ends(tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    x = rng.normal(size=n)
    pd.DataFrame(
        {
            "x": [f"{value:.2f}" if i % 20 else "n/k" for i, value in enumerate(x)],
            "name": [f"n{i % 60}" for i in range(n)],
            "kind": np.where(x > 0, "high", "low"),
        }
    ).to_csv(tmp_path / "t.csv", index=False)
    result = run("tune", tmp_path / "t.csv", "--categorical", "name", *SMALL, "--json")
    assert result.exit_code == 0, result.exception
    began, ended, *said = result.stderr.splitlines()
    assert began == "searching: 4 configurations on 3 folds of 96 rows"
    assert re.fullmatch(r"searched for \d+\.\d s; training the best on all 96 rows", ended)
    assert len(said) == 1
    assert said[0].startswith("note: column 'x' has ")


class Interrupting(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2:
            raise KeyboardInterrupt


def test_ctrl_c_in_the_search_leaves_nothing(trees, tmp_path, monkeypatch):
    monkeypatch.setattr(Watch, "on_epoch_end", Interrupting.on_epoch_end, raising=False)
    monkeypatch.setattr("multilayer.estimators.search._Line", lambda always: Watch())
    monkeypatch.setattr(Watch, "clear", lambda self: None, raising=False)
    result = run("tune", trees, "--target", "kind", *SMALL, "--save", tmp_path / "m")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[1:] == [
        "mlp: interrupted before the end of the search: nothing is chosen or saved"
    ]
    assert "the best configurations" not in result.stdout
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_the_last_training_keeps_the_best_epoch(trees, tmp_path, monkeypatch):
    train = base.train_network

    def interrupted(job):
        return train(replace(job, settings=replace(job.settings, callbacks=(Interrupting(),))))

    monkeypatch.setattr(base, "train_network", interrupted)
    result = run("tune", trees, "--target", "kind", *SMALL, "--save", tmp_path / "m", "--json")
    assert result.exit_code == 130
    found = json.loads(result.stdout)
    assert (found["stopped_by"], found["n_epochs"]) == ("interrupt", 2)
    assert load(tmp_path / "m").information["history"]["stopped_by"] == "interrupt"


def test_bad_options_are_refused_by_name(trees):
    for arguments, expected in (
        (("--trials", 0), "--trials of mlp tune must be a positive integer; got 0"),
        (("--folds", 1), "--folds of mlp tune must be an integer of at least 2; got 1"),
    ):
        result = run("tune", trees, *arguments)
        assert isinstance(result.exception, InvalidArgumentError)
        assert str(result.exception) == expected


def test_a_class_that_a_fold_lacks_is_scored_all_the_same(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    kinds = np.where(x > 0, "high", "low").astype(object)
    kinds[[3, 8, 21]] = "rare"
    pd.DataFrame({"x": x, "kind": kinds}).to_csv(tmp_path / "t.csv", index=False)
    result = run(
        "tune", tmp_path / "t.csv", "--trials", "2", "--folds", "4", "--epochs", "3", "--json"
    )
    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)
    assert all(np.isfinite(one["mean"]) for one in found["configurations"])
    assert "Traceback" not in result.output


def test_a_search_of_which_every_fit_fails_says_why(tmp_path):
    """In each fold, but not in all rows, too many names are distinct; there is nothing else."""
    names = [f"n{i % 340}" for i in range(400)]
    pd.DataFrame({"name": names, "kind": ["a", "b"] * 200}).to_csv(tmp_path / "t.csv", index=False)
    result = run("tune", tmp_path / "t.csv", "--trials", "2", "--folds", "2", "--test", "0.1")
    assert isinstance(result.exception, InvalidDataError)
    assert str(result.exception) == (
        f"no configuration could be trained: {tmp_path / 't.csv'} has no column that can be "
        "learned from: 'name' (identifiers)"
    )


@pytest.mark.parametrize(
    ("error", "says"),
    [(RuntimeError(), "RuntimeError"), (ValueError("All the\nrest: gone"), "All the\nrest: gone")],
)
def test_the_reason_is_what_the_first_fit_raised(trees, monkeypatch, error, says):
    def read(self, *data, **parameters):
        raise error

    monkeypatch.setattr(base.BaseMLP, "_read", read)
    result = run("tune", trees, "--target", "kind", *SMALL)
    assert isinstance(result.exception, InvalidDataError)
    assert str(result.exception) == f"no configuration could be trained: {says}"


def test_more_folds_than_rows_are_refused(tmp_path):
    pd.DataFrame({"x": range(40), "y": np.arange(40) / 7}).to_csv(tmp_path / "t.csv", index=False)
    result = run("tune", tmp_path / "t.csv", "--folds", "33", "--task", "regression")
    assert isinstance(result.exception, InvalidArgumentError)
    assert "--folds of mlp tune must be at most 32, the number of training" in str(result.exception)
