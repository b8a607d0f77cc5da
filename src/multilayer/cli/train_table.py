"""``mlp train table``: train a classifier or regressor on a table in a file."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as Grid

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.cli.notes import notes
from multilayer.cli.reading import read
from multilayer.cli.rows import MOST_CLASSES, Rows
from multilayer.cli.show_layers import ShowLayers
from multilayer.data import Table, TableWarning
from multilayer.errors import InvalidArgumentError
from multilayer.files import save_model
from multilayer.json_text import printable
from multilayer.model import Columns
from multilayer.registry import Names
from multilayer.training import Progress
from multilayer.training.progress import shown

__all__ = [
    "Categorical",
    "Date",
    "DateOrder",
    "Decimal",
    "Drop",
    "Missing",
    "Numeric",
    "Target",
    "Task",
    "Test",
    "check_seed",
    "kinds_of",
    "read_table",
    "report",
    "table",
]

DROPOUT = 0.1
N_COLUMNS = 40
"""Maximum number of columns to show; a table may have thousands."""

Target = Annotated[str | None, typer.Option(help="The column to predict; by default the last one.")]
Task = Annotated[
    str | None,
    typer.Option(
        help="classification or regression. By default, text, booleans and whole numbers with at "
        f"most {MOST_CLASSES} distinct values are classes; other numbers mean regression."
    ),
]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out.")]
Numeric = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Treat a column as numbers.")
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Treat a column, such as postcodes, as categories."),
]
Date = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Treat a column as dates.")]
Decimal = Annotated[
    str | None, typer.Option(help="The decimal mark, . or , if the file does not show it.")
]
DateOrder = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first", help="How to read 5/1/2024, if the file does not show it."
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option("--na", metavar="TEXT", help="A text that means a missing value, in any column."),
]
Test = Annotated[float, typer.Option(help="The share of rows to test on, in (0, 1).")]
Alpha = Annotated[float, typer.Option(help="Penalty α/(2m) ‖W‖² on the weights, m rows per step.")]
Dropout = Annotated[
    float | None,
    typer.Option(
        help="Probability of dropping a hidden unit; 0.1 by default, 0 with lbfgs or no such unit."
    ),
]
BatchSize = Annotated[int | None, typer.Option(help="Rows per step; 200 by default.")]


def table(
    file: options.TableFile,
    target: Target = None,
    task: Task = None,
    drop: Drop = None,
    numeric: Numeric = None,
    categorical: Categorical = None,
    date: Date = None,
    separator: options.Separator = None,
    decimal: Decimal = None,
    day_first: DateOrder = None,
    missing: Missing = None,
    encoding: options.Encoding = None,
    test: Test = 0.2,
    hidden: options.Hidden = "128,64",
    activation: options.Activation = "relu",
    normalization: options.Normalization = None,
    dropout: Dropout = None,
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    epochs: options.Epochs = 200,
    batch_size: BatchSize = None,
    alpha: Alpha = 1e-4,
    seed: options.Seed = 0,
    engine: options.Engine = "numpy",
    device: options.Device = "auto",
    save: options.Save = None,
    as_json: options.Json = False,
) -> None:
    """Train on a raw table: a CSV file in any dialect, or a Parquet file.

    The kind of each column is detected and shown; columns with nothing to learn from are left
    out. Options with a COLUMN may be repeated. Some rows are held out for testing; a tenth of the
    others decides when to stop and which epoch's weights are best.
    """
    check_seed(seed)
    checks.integer(epochs, "epochs", "mlp")
    checks.real(alpha, "alpha", "mlp", "[0, inf)")
    if batch_size is not None:
        checks.integer(batch_size, "batch_size", "mlp")
    options.check_engine(engine, device)
    options.check_file(save, "save")
    solver = options.read_optimizer(optimizer, learning_rate)
    if not solver.takes_steps and batch_size is not None:
        rule = "cannot be combined with --optimizer lbfgs, which takes all rows"
        raise InvalidArgumentError(rule, "batch_size")
    widths = options.read_widths(hidden)
    if dropout is None:
        dropout = DROPOUT if widths and solver.takes_steps else 0.0
    layers: dict[str, Any] = {
        "activation": options.read_activation(activation),
        "normalization": normalization,
        "dropout": dropout,
    }
    Architecture(1, widths, 1, **layers)  # raises if the settings do not describe a network
    found = read_table(file, separator, encoding, decimal, day_first, missing)
    kinds = kinds_of(found, numeric=numeric, categorical=categorical, date=date)
    rows = Rows.of(file, found, target, task, drop or [], test, seed)
    estimator = rows.estimator(
        **layers,
        hidden_layer_sizes=widths,
        solver=solver,
        max_iter=epochs,
        batch_size=batch_size or "auto",
        alpha=alpha,
        early_stopping="loss",
        n_iter_no_change=options.PATIENCE,
        columns=kinds or "auto",
        random_state=seed,
        engine=engine,
        device=device,
        callbacks=() if as_json else (ShowLayers(), Progress()),
    )
    from sklearn.exceptions import ConvergenceWarning

    with notes(ConvergenceWarning):  # the ending is reported anyway
        estimator.fit(rows.X_train, rows.y_train)
    history = estimator.history_
    if history.best_epoch:  # otherwise nothing to show
        report(estimator, rows, save, as_json=as_json)
    if history.stopped_by == "interrupt":
        raise typer.Exit(130)
    if history.stopped_by == "divergence":
        best = history.best_epoch
        kept = f"; the weights are those of epoch {best}" if best else ""
        told = f"the learning rate {solver.learning_rate:g}{kept}. Try a smaller learning rate"
        Console(stderr=True).print(f"mlp: the training diverged with {told}", soft_wrap=True)
        raise typer.Exit(1)


def read_table(
    file: Path,
    separator: str | None,
    encoding: str | None,
    decimal: str | None,
    day_first: bool | None,
    missing: list[str] | None,
) -> Table:
    """Return the table in a file, read as the options say."""
    if decimal not in (None, ".", ","):
        raise InvalidArgumentError("must be . or ,", "decimal", got=repr(decimal))
    order = {None: None, True: "day first", False: "month first"}[day_first]
    return read(file, separator, encoding, decimal=decimal, date_order=order, missing=missing or ())


def kinds_of(table: Table, **asked: list[str] | None) -> dict[str, str]:
    """Return the kinds of columns set by the options."""
    kinds: dict[str, str] = {}
    for kind, names in asked.items():
        for name in names or ():
            Names(kind, table.columns).check(name)
            if kinds.setdefault(name, kind) != kind:
                rule = f"cannot be {name!r}, which is --{kinds[name]} too"
                raise InvalidArgumentError(rule, kind)
    return kinds


def report(estimator: Any, rows: Rows, save: Path | None, *, as_json: bool, **others: Any) -> None:
    """Save the model, and print the results; as JSON together with others."""
    with notes(TableWarning):  # new values in the test rows are no news
        results = _results(estimator, rows)
    if save is not None:
        model = estimator.to_model()
        if rows.task == "regression":
            model.targets.notation = rows.notation
        model.information["metrics"] |= {f"test_{k}": v for k, v in results["test"].items()}
        model.information["data"] |= {"target": results["target"]}
        save_model(save, model)
    if as_json:
        typer.echo(json.dumps(results | others))
    else:
        _print(results, estimator, save)


def check_seed(seed: int) -> None:
    """Raise if scikit-learn's generator does not accept the seed."""
    checks.integer(seed, "seed", "mlp", minimum=0)
    if seed >= 2**32:
        raise InvalidArgumentError("must be below 2^32", "seed", "mlp", got=seed)


def _results(estimator: Any, rows: Rows) -> dict[str, Any]:
    """Return the scores on the training and test rows, and those of the baseline."""
    history = estimator.history_
    losses = history["train_loss"]
    return {
        "task": rows.task,
        "target": rows.target,
        "n_train": len(rows.y_train),
        "n_test": len(rows.y_test),
        "train": _scores(rows, rows.y_train, _predicted(estimator, rows.X_train)),
        "test": _scores(rows, rows.y_test, _predicted(estimator, rows.X_test)),
        "baseline": _scores(rows, rows.y_test, _baseline(rows)),
        "n_inputs": estimator.columns_.in_features,
        "n_parameters": estimator.network_.n_parameters,
        "n_epochs": history.n_epochs,
        "best_epoch": history.best_epoch,
        "stopped_by": history.stopped_by,
        "losses": [loss if math.isfinite(loss) else None for loss in losses],  # for JSON
        "seconds": sum(history["seconds"]),
    }


def _predicted(estimator: Any, X: Any) -> Any:
    """Return probabilities and classes, or values."""
    if hasattr(estimator, "classes_"):
        return estimator.predict_proba(X), estimator.classes_
    return estimator.predict(X)


def _baseline(rows: Rows) -> Any:
    """Return the best prediction for the test rows that ignores their inputs."""
    n = len(rows.y_test)
    if rows.task == "regression":
        return np.full(n, rows.y_train.mean())
    classes, counts = np.unique(rows.y_train, return_counts=True)
    return np.tile(counts / counts.sum(), (n, 1)), classes


def _scores(rows: Rows, y: Any, predicted: Any) -> dict[str, float]:
    """Return loss and score: log loss and accuracy, or root mean squared error and R²."""
    from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

    if rows.task == "regression":
        return {
            "rmse": float(root_mean_squared_error(y, predicted)),
            "r2": float(r2_score(y, predicted)),
        }
    probabilities, classes = predicted
    return {
        "log_loss": float(log_loss(y, probabilities, labels=classes)),
        "accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)])),
    }


def _print(results: dict[str, Any], estimator: Any, save: Path | None) -> None:
    console = Console(highlight=False)
    _print_columns(console, estimator.columns_)
    classifies = results["task"] == "classification"
    kind = f"{len(estimator.classes_):,} classes" if classifies else "regression"
    table = Grid("", title=f"{results['target']}: {kind}", title_justify="left")
    for name in ("log loss", "accuracy") if classifies else ("RMSE", "R²"):
        table.add_column(name, justify="right")
    table.add_column("rows", justify="right")
    for part, n in (("train", results["n_train"]), ("test", results["n_test"]), ("baseline", 0)):
        loss, score = results[part].values()
        score = f"{score:.1%}" if classifies else f"{score:z.3f}"
        loss = shown(loss) if loss < 1000 else f"{loss:,.0f}"
        table.add_row(part, loss, score, f"{n:,}" if n else "")
    console.print(table)
    console.print(
        f"baseline: the same prediction for every test row, "
        f"{'the frequencies of the classes' if classifies else 'the mean'}\n"
        f"{results['n_inputs']:,} inputs, {results['n_parameters']:,} parameters; best of "
        f"{results['n_epochs']:,} epochs: {results['best_epoch']:,}; stopped by "
        f"{results['stopped_by'].replace('_', ' ')}; {results['seconds']:.1f} s",
        soft_wrap=True,
    )
    loss, of_baseline = (next(iter(results[part].values())) for part in ("test", "baseline"))
    if not loss < of_baseline:
        told = "no better than the baseline"
        told += "; to find out why, "
        told += f"run mlp doctor {save} FILE" if save else "--save the model and run mlp doctor"
        console.print(told, soft_wrap=True)
    if save is not None:
        console.print(f"model written to {save}", soft_wrap=True)


def _print_columns(console: Console, columns: Columns) -> None:
    """Print how each column is used; of many columns, only the first ones."""
    grid = Grid("column", "taken as")
    grid.add_column("inputs", justify="right")
    for column in columns.columns[:N_COLUMNS]:
        grid.add_row(printable(column.name), printable(str(column)), f"{len(column.input_names):,}")
    console.print(grid)
    n_more = len(columns.columns) - N_COLUMNS
    if n_more > 0:
        console.print(f"and {n_more:,} more columns; mlp show lists all of them for a saved model")
