"""``mlp train table``: a classifier or a regressor of a CSV file."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.cli.samples import notes, read_csv
from multilayer.cli.show_layers import ShowLayers
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.files import save_model
from multilayer.model import Numeric
from multilayer.numpy import LBFGS
from multilayer.registry import Names
from multilayer.training import Progress
from multilayer.training.progress import shown

__all__ = ["table"]

TASKS = Names("task", ["classes", "values"])
DROPOUT = 0.1
LEAST_ROWS = 20
"""A tenth of them decides when to stop, which takes two."""
MOST_CLASSES = 20
"""Whole numbers with more different values than this are values, unless --task says otherwise."""

File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with a header.")]
Target = Annotated[str | None, typer.Option(help="The column to predict; by default the last one.")]
Task = Annotated[
    str | None,
    typer.Option(
        help="classes or values. By default words, truth values and whole numbers of at most "
        f"{MOST_CLASSES} kinds are classes, and other numbers values."
    ),
]
Drop = Annotated[
    list[str] | None, typer.Option(help="A column to leave out; may be given several times.")
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(help="A column whose numbers are names; may be given several times."),
]
Test = Annotated[float, typer.Option(help="The share of the rows to test on, of (0, 1).")]
Alpha = Annotated[float, typer.Option(help="The estimators' penalty α/(2m) ‖W‖², m rows a step.")]
Dropout = Annotated[
    float | None,
    typer.Option(help="Probability of dropping a hidden unit; 0.1 by default, 0 with lbfgs."),
]
BatchSize = Annotated[int | None, typer.Option(help="Rows a step; 200 by default.")]


def table(
    file: File,
    target: Target = None,
    task: Task = None,
    drop: Drop = None,
    categorical: Categorical = None,
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
    """Train on a CSV file as it comes: numbers, words, truth values and gaps.

    MLPClassifier or MLPRegressor with columns="auto". Some rows are kept for the test;
    a tenth of the others decides when to stop, and which epoch's weights are the best.
    """
    _check_seed(seed)
    checks.integer(epochs, "epochs", "mlp")
    checks.real(alpha, "alpha", "mlp", "[0, inf)")
    if batch_size is not None:
        checks.integer(batch_size, "batch_size", "mlp")
    options.check_engine(engine, device)
    options.check_file(save, "save")
    solver = options.read_optimizer(optimizer, learning_rate)
    if isinstance(solver, LBFGS) and batch_size is not None:
        msg = "--batch-size cannot be combined with --optimizer lbfgs, which takes all rows"
        raise InvalidArgumentError(msg)
    if dropout is None:
        dropout = 0.0 if isinstance(solver, LBFGS) else DROPOUT
    layers: dict[str, Any] = {
        "activation": options.read_activation(activation),
        "normalization": normalization,
        "dropout": dropout,
    }
    widths = options.read_widths(hidden)
    Architecture(1, widths, 1, **layers)  # raises for what does not describe a network
    rows = _Rows.read(file, target, task, drop or [], categorical or [], test, seed)
    estimator = rows.estimator(
        **layers,
        hidden_layer_sizes=widths,
        solver=solver,
        max_iter=epochs,
        batch_size=batch_size or "auto",
        alpha=alpha,
        early_stopping=True,
        n_iter_no_change=options.PATIENCE,
        columns=dict.fromkeys(categorical, "categorical") if categorical else "auto",
        random_state=seed,
        engine=engine,
        device=device,
        callbacks=() if as_json else (ShowLayers(), Progress()),
    )
    from sklearn.exceptions import ConvergenceWarning

    with notes(ConvergenceWarning):  # how the training ended is told anyway
        estimator.fit(rows.X_train, rows.y_train)
        results = _results(estimator, rows)
    ending = results["stopped_by"]
    is_trained = results["best_epoch"] > 0
    if is_trained:
        _report(results, estimator, save, as_json=as_json)
    if ending == "interrupt":
        raise typer.Exit(130)
    if ending == "divergence":
        kept = f"; the weights are those of epoch {results['best_epoch']}" if is_trained else ""
        told = f"the learning rate {solver.learning_rate:g}{kept}. Try a smaller one"
        Console(stderr=True).print(f"mlp: the training diverged with {told}", soft_wrap=True)
        raise typer.Exit(1)


def _report(results: dict[str, Any], estimator: Any, save: Path | None, *, as_json: bool) -> None:
    """Write the model, and what is told of it."""
    if save is not None:
        model = estimator.to_model()
        model.information["metrics"] |= {f"test_{k}": v for k, v in results["test"].items()}
        model.information["data"] |= {"target": results["target"]}
        save_model(save, model)
    if as_json:
        typer.echo(json.dumps(results))
    else:
        _print(results, estimator, save)


def _check_seed(seed: int) -> None:
    """Raise for what scikit-learn's generator cannot begin with."""
    checks.integer(seed, "seed", "mlp", minimum=0)
    if seed >= 2**32:
        msg = f"seed of mlp must be below 2^32; got {seed}"
        raise InvalidArgumentError(msg)


class _Rows(NamedTuple):
    """A table's rows to train on and to test on, and what is to be predicted of them."""

    X_train: Any
    X_test: Any
    y_train: Any
    y_test: Any
    target: str
    task: str

    @classmethod
    def read(
        cls,
        file: Path,
        target: str | None,
        task: str | None,
        drop: list[str],
        categorical: list[str],
        test: float,
        seed: int,
    ) -> "_Rows":
        """Return what the arguments name.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, MissingPackageError
            If the file cannot be used, has no such column, or too few rows.
        """
        test = checks.real(test, "test", "mlp", "(0, 1)")
        X = read_csv(file, "FILE must be a CSV file")
        names = [str(name) for name in X.columns]
        for name in drop:
            Names("--drop", names).check(name)
        target = Names("--target", names).check(target) if target else names[-1]
        if target in drop:
            msg = f"--target cannot be {target!r}, which is dropped"
            raise InvalidArgumentError(msg)
        y = X[target]
        X = X.drop(columns=[target, *drop])
        for name in categorical:
            Names("--categorical", X.columns).check(name)
        if categorical:  # as they are written: "02139" is no 2139
            X[categorical] = read_csv(file, "FILE", usecols=categorical, dtype=str)[categorical]
        if not X.shape[1]:
            msg = (
                f"{file} must have inputs beside the target, separated by commas; there are none "
                f"beside {target!r}"
            )
            raise InvalidDataError(msg)
        if y.isna().any():
            msg = (
                f"column {target!r}, the target, must have an entry in every row; "
                f"{int(y.isna().sum()):,} of {len(y):,} have none"
            )
            raise InvalidDataError(msg)
        _check_finite(file, X.assign(**{target: y}))
        task = TASKS.check(task) if task else _task_of(y)
        if task == "values" and y.dtype.kind not in "biuf":
            msg = f"column {target!r} must hold numbers to be predicted as values; it has words"
            raise InvalidDataError(msg)
        if task == "classes" and y.dtype.kind == "f" and (y != y.round()).any():
            msg = f"column {target!r} must hold words or whole numbers to be predicted as classes"
            raise InvalidDataError(msg)
        from sklearn.model_selection import train_test_split

        y = y.to_numpy()
        is_classes = task == "classes"
        if is_classes and len(set(y)) < 2:
            msg = f"column {target!r}, the target, must have two classes at least; all are {y[0]!r}"
            raise InvalidDataError(msg)
        try:
            X_train, X_test, y_train, y_test = train_test_split(
                X, y, test_size=test, random_state=seed, stratify=y if is_classes else None
            )
        except ValueError as error:
            msg = f"{file} cannot be divided to train and to test on: {error}"
            raise InvalidDataError(msg) from error
        if len(y_test) < 2 or len(y_train) < LEAST_ROWS:
            msg = (
                f"{file} must leave {LEAST_ROWS} rows to train on and 2 to test on; with --test "
                f"{test:g} it leaves {len(y_train)} and {len(y_test)}"
            )
            raise InvalidDataError(msg)
        return cls(X_train, X_test, y_train, y_test, target, task)

    def estimator(self, **parameters: Any) -> Any:
        """Return what learns this task."""
        from multilayer.estimators import MLPClassifier, MLPRegressor

        if self.task == "classes":
            return MLPClassifier(**parameters)
        return MLPRegressor(scale_targets=True, **parameters)


def _check_finite(file: Path, table: Any) -> None:
    """Raise for an infinite number, with its row in the file: parts of it have other rows."""
    numbers = table.select_dtypes("number")
    places = np.argwhere(np.isinf(numbers.to_numpy()))
    if len(places):
        row, column = places[0]
        msg = (
            f"column {numbers.columns[column]!r} must hold finite numbers; {file} has "
            f"{numbers.iat[row, column]} in row {row + 1} below its header"
        )
        raise InvalidDataError(msg)


def _task_of(y: Any) -> str:
    """Return whether a column holds classes or values."""
    if y.dtype.kind not in "iuf":
        return "classes"
    is_whole = y.dtype.kind in "iu" or bool((y == y.round()).all())
    return "classes" if is_whole and y.nunique() <= MOST_CLASSES else "values"


def _results(estimator: Any, rows: _Rows) -> dict[str, Any]:
    """Return how good the estimator is on either part, beside the best constant of the first."""
    history = estimator.history_
    losses = history.get("train_loss", [])
    return {
        "task": rows.task,
        "target": rows.target,
        "n_train": len(rows.y_train),
        "n_test": len(rows.y_test),
        "train": _scores(rows, rows.y_train, _predicted(estimator, rows.X_train)),
        "test": _scores(rows, rows.y_test, _predicted(estimator, rows.X_test)),
        "constant": _scores(rows, rows.y_test, _constant(rows)),
        "n_inputs": estimator.columns_.in_features,
        "n_parameters": estimator.network_.n_parameters,
        "n_epochs": history.n_epochs,
        "best_epoch": history.best_epoch,
        "stopped_by": history.stopped_by,
        "losses": [loss if math.isfinite(loss) else None for loss in losses],  # as JSON has it
        "seconds": sum(history.get("seconds", [])),
    }


def _predicted(estimator: Any, X: Any) -> Any:
    """Return probabilities with their classes, or values."""
    if hasattr(estimator, "classes_"):
        return estimator.predict_proba(X), estimator.classes_
    return estimator.predict(X)


def _constant(rows: _Rows) -> Any:
    """Return the best answer for the test part that ignores its inputs, from the training part."""
    n = len(rows.y_test)
    if rows.task == "values":
        return np.full(n, rows.y_train.mean())
    classes, counts = np.unique(rows.y_train, return_counts=True)
    return np.tile(counts / counts.sum(), (n, 1)), classes


def _scores(rows: _Rows, y: Any, predicted: Any) -> dict[str, float]:
    """Return loss and score: cross-entropy and accuracy, or root mean squared error and R²."""
    from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

    if rows.task == "values":
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
    is_classes = results["task"] == "classes"
    kind = f"{len(estimator.classes_):,} classes" if is_classes else "values"
    table = Table("", title=f"{results['target']}: {kind}", title_justify="left")
    for name in ("log loss", "accuracy") if is_classes else ("RMSE", "R²"):
        table.add_column(name, justify="right")
    table.add_column("rows", justify="right")
    for part, n in (("train", results["n_train"]), ("test", results["n_test"]), ("constant", 0)):
        loss, score = results[part].values()
        score = f"{score:.1%}" if is_classes else f"{score:z.3f}"
        loss = shown(loss) if loss < 1000 else f"{loss:,.0f}"
        table.add_row(part, loss, score, f"{n:,}" if n else "")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"constant: the same answer for every row of the test, "
        f"{'the classes by their frequency' if is_classes else 'the mean'}\n"
        f"{_columns(estimator)}\n"
        f"{results['n_inputs']:,} inputs of {len(estimator.columns_.names):,} columns, "
        f"{results['n_parameters']:,} parameters; best of {results['n_epochs']:,} epochs: "
        f"{results['best_epoch']:,}; stopped by {results['stopped_by'].replace('_', ' ')}; "
        f"{results['seconds']:.1f} s",
        soft_wrap=True,
    )
    loss, of_constant = (next(iter(results[part].values())) for part in ("test", "constant"))
    if not loss < of_constant:
        told = "no better than a constant"
        told += f": mlp doctor {save} FILE says why" if save else ": --save it and ask mlp doctor"
        console.print(told, soft_wrap=True)
    if save is not None:
        console.print(f"model written to {save}", soft_wrap=True)


def _columns(estimator: Any) -> str:
    """Return what each column was taken for."""
    columns = estimator.columns_.columns
    words = [f"{c.name} ({len(c.words)})" for c in columns if not isinstance(c, Numeric)]
    numbers = [c.name for c in columns if isinstance(c, Numeric)]
    told = {"numbers": numbers, "words": words}
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in told.items() if names)
