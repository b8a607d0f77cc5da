"""``mlp tune``: search for the best hyperparameters for a table in files."""

import time
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as Grid

from multilayer import checks
from multilayer.cli import options
from multilayer.cli import table_options as tables
from multilayer.cli.division import Division
from multilayer.cli.notes import note, notes
from multilayer.cli.reading import sampled
from multilayer.cli.rows import Rows
from multilayer.cli.table_report import described, report
from multilayer.data import TableWarning
from multilayer.errors import InvalidArgumentError, InvalidDataError, MultilayerError

__all__ = ["tune"]

N_SHOWN = 5
"""Number of configurations in the table of the best ones."""
SHAPES = [(64,), (128, 64)]

Trials = Annotated[int, typer.Option(help="Number of configurations to try.")]
Folds = Annotated[int, typer.Option(help="Number of folds in cross-validation.")]
Halving = Annotated[
    bool,
    typer.Option(
        "--halving",
        help="Faster: train all configurations briefly, the best third for longer, and so on.",
    ),
]


def tune(
    files: options.TableFile,
    schema: tables.SchemaFile = None,
    target: tables.Target = None,
    task: tables.Task = None,
    drop: tables.Drop = None,
    numeric: tables.Numeric = None,
    categorical: tables.Categorical = None,
    date: tables.Date = None,
    separator: options.Separator = None,
    decimal: tables.Decimal = None,
    day_first: tables.DateOrder = None,
    missing: tables.Missing = None,
    encoding: options.Encoding = None,
    bad_rows: options.BadRows = None,
    test: tables.Test = 0.2,
    trials: Trials = 30,
    folds: Folds = 5,
    halving: Halving = False,
    epochs: options.Epochs = 200,
    seed: options.Seed = 0,
    save: options.Save = None,
    as_json: options.Json = False,
) -> None:
    """Search for the best settings of a network for a raw table, and train it.

    Widths, learning rate, penalty and dropout are drawn at random, and judged by cross-validation
    on the training rows. A network with the best settings is then trained on all training rows, and
    tested on the held-out rows. Networks of one shape are trained together.
    """
    tables.check_seed(seed)
    for name, value, least in (("trials", trials, 1), ("folds", folds, 2), ("epochs", epochs, 1)):
        checks.integer(value, name, "mlp", minimum=least)
    options.check_file(save, "save", [*files, schema])
    found, said = tables.read_described(
        files, schema, drop, numeric=numeric, categorical=categorical, date=date,
        day_first=day_first, bad_rows=bad_rows, separator=separator, encoding=encoding,
        decimal=decimal, missing=missing, target=target, task=task,
    )  # fmt: skip
    target, task = said.general["target"], said.general["task"]
    division = Division(test, seed)
    rows = Rows.of(sampled(found), target, task, drop or [], division, bad_rows)
    kinds, columns = described(rows, said, embedded=False, is_quiet=as_json)
    if folds > len(rows.y_train):
        rule = f"must be at most {len(rows.y_train)}, the number of training rows"
        raise InvalidArgumentError(rule, "folds", got=folds)
    search = _search(rows, kinds, trials, folds, epochs, seed, halving=halving)
    from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

    n_rows = f"{len(rows.y_train):,} rows"
    _say(f"searching: {trials:,} configurations on {folds:,} folds of {n_rows}")
    began = time.monotonic()
    # Silent, because the score of a configuration shows that it failed or has not converged, and
    # because notes on a fold's columns repeat those on all rows.
    try:
        with notes(ConvergenceWarning, FitFailedWarning, TableWarning):
            search.fit(rows.X_train, rows.targets)
    except KeyboardInterrupt:
        _say("mlp: interrupted before the end of the search: nothing is chosen or saved")
        raise typer.Exit(130) from None
    except MultilayerError:
        raise
    except ValueError as error:  # all fits have failed
        reason = _first_failure(search, rows) or error
        says = str(reason) or type(reason).__name__
        raise InvalidDataError(f"no configuration could be trained: {says}") from reason
    if not np.isfinite(search.best_score_):
        raise InvalidDataError("no configuration could be judged: see the notes above")
    _say(f"searched for {time.monotonic() - began:.1f} s; training the best on all {n_rows}")
    with notes(ConvergenceWarning):
        estimator = search.estimator.set_params(**search.best_params_)
        estimator.fit(rows.X_train, rows.targets)
    best, results = _best(search), search.cv_results_
    if not as_json:
        _print(search, best)
    if estimator.history_.best_epoch:  # otherwise nothing to show
        report(
            estimator,
            rows,
            columns,
            save,
            as_json=as_json,
            best=_plain(results["params"][best[0]]),
            configurations=[
                _plain(results["params"][i])
                | {name: float(results[f"{name}_test_score"][i]) for name in ("mean", "std")}
                for i in best
            ],
            search=search.report(),
        )
    if estimator.history_.stopped_by == "interrupt":
        raise typer.Exit(130)


def _say(text: str) -> None:
    """Print a line on standard error, on a terminal or not."""
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)


def _search(
    rows: Rows,
    kinds: dict[str, str],
    trials: int,
    folds: int,
    epochs: int,
    seed: int,
    *,
    halving: bool,
) -> Any:
    """Return the search, before it begins."""
    from scipy.stats import loguniform
    from sklearn.model_selection import KFold, StratifiedKFold

    from multilayer.estimators import MLPSearchCV

    splitter = KFold
    if rows.task == "classification":
        _, counts = np.unique(rows.y_train, return_counts=True)
        splitter = StratifiedKFold if counts.min() >= folds else KFold
        if splitter is KFold:
            note(f"a class has fewer than {folds} training rows: the folds are not stratified")
    estimator = rows.network(
        columns=kinds or "auto",
        max_iter=epochs,
        early_stopping="loss",
        n_iter_no_change=options.PATIENCE,
        random_state=seed,
    )
    space = {
        "hidden_layer_sizes": SHAPES,
        "learning_rate_init": loguniform(3e-4, 3e-2),
        "alpha": loguniform(1e-5, 10.0),
        "dropout": [0.05, 0.1, 0.2, 0.4],
    }
    return MLPSearchCV(
        estimator,
        space,
        n_iter=trials,
        cv=splitter(folds, shuffle=True, random_state=seed),
        scoring=_NegativeLoss(rows.task, rows.y_train),
        halving=halving,
        refit=False,
        random_state=seed,
    )


def _first_failure(search: Any, rows: Rows) -> Exception | None:
    """Return the exception of the first fit that fails; scikit-learn keeps only its text."""
    try:
        with notes(Warning):
            search.set_params(error_score="raise").fit(rows.X_train, rows.targets)
    except Exception as error:
        return error
    return None


def _best(search: Any) -> list[int]:
    """Return the indices of the best configurations of the last round, the best one first."""
    results = search.cv_results_
    rounds = np.asarray(results.get("iter", np.zeros(len(results["params"]))))
    candidates = np.flatnonzero(rounds == rounds.max())
    ranks = np.asarray(results["rank_test_score"])[candidates]
    order = [search.best_index_, *candidates[np.argsort(ranks, kind="stable")].tolist()]
    return [int(i) for i in dict.fromkeys(order)][:N_SHOWN]


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as values for JSON."""
    return {
        name: list(value) if isinstance(value, tuple) else np.asarray(value).item()
        for name, value in parameters.items()
    }


def _print(search: Any, best: list[int]) -> None:
    """Print the best configurations."""
    console, results = Console(highlight=False), search.cv_results_
    grid = Grid("widths", title="the best configurations", title_justify="left")
    for name in ("learning rate", "alpha", "dropout", f"{_loss(search)}, folds"):
        grid.add_column(name, justify="right")
    for i in best:
        own = results["params"][i]
        mean, std = (results[f"{name}_test_score"][i] for name in ("mean", "std"))
        grid.add_row(
            ", ".join(map(str, own["hidden_layer_sizes"])),
            f"{own['learning_rate_init']:.2g}",
            f"{own['alpha']:.2g}",
            f"{own['dropout']:g}",
            f"{-mean:,.4g} ± {std:.2g}",
        )
    console.print(grid)
    console.print(search.report(), soft_wrap=True)


def _loss(search: Any) -> str:
    return "log loss" if search.scoring.task == "classification" else "RMSE"


class _NegativeLoss:
    """Scores an estimator by its loss, even if a class was missing in its training rows.

    Such a class has probability 0, which scikit-learn clips to the machine epsilon.
    """

    def __init__(self, task: str, y: Any) -> None:
        self.task = task
        self._classes = np.unique(y) if task == "classification" else None

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        from sklearn.metrics import log_loss, root_mean_squared_error

        if self._classes is None:
            return -float(root_mean_squared_error(y, estimator.predict(X)))
        found = estimator.predict_proba(X)
        p = np.zeros((len(y), len(self._classes)), found.dtype)
        p[:, np.searchsorted(self._classes, estimator.classes_)] = found
        return -float(log_loss(y, p, labels=self._classes))
