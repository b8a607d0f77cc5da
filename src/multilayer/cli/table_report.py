"""The report on a model that was trained on a table."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as Grid

from multilayer.cli.columns import Described, describe_columns, print_columns
from multilayer.cli.notes import note, notes
from multilayer.cli.peers import LABELS as PEERS
from multilayer.cli.peers import baseline, predicted_by
from multilayer.cli.rows import Rows
from multilayer.cli.table_options import Said
from multilayer.data import Notation, TableWarning
from multilayer.doctor.diagnosis import STYLES
from multilayer.files import save_model
from multilayer.json_text import printable
from multilayer.training.progress import shown

__all__ = ["described", "report"]

N_COLUMNS = 40
"""Maximum number of columns to show; a table may have thousands."""
LABELS = {"train": "train", "out_of_fold": "out of fold", "test": "test"} | PEERS
"""Rows of the table of scores, in the order shown."""
ADVICE = {
    "leak": "If its value is not known when a prediction is made, leave it out with --drop. If "
    "rows with similar values belong together, pass --group or --time. Otherwise, all is well.",
    "copies": "Leave the copies out, or pass --group.",
}
"""The advice of findings, in terms of options."""
ENDED = {"n_epochs": "ran to the last epoch", "converged": "converged"}
"""Descriptions of normal ends of training."""


def described(
    rows: Rows, said: Said, *, embedded: bool, is_quiet: bool
) -> tuple[dict[str, str], list[Described]]:
    """Return the kinds that the user has set, and a description of each column; print the latter.

    Parameters
    ----------
    rows : Rows
    said : Said
        What a schema file and the options say.
    embedded : bool
        Whether the network learns embeddings.
    is_quiet : bool
        Whether to print nothing.
    """
    kinds = said.kinds_for(rows.X_train.columns)
    weight = rows.weight_train
    tallies = None if rows.large is None else rows.large.tallies
    columns = describe_columns(
        rows.X_train, kinds, embedded=embedded, weight=weight, tallies=tallies
    )
    if not is_quiet:
        if rows.large is not None:
            n, name = len(rows.X_train), rows.large.name
            says = f"training reads all rows; columns and scores are shown for a sample of {n:,}"
            note(f"{name} is too large for memory: {says}")
        print_columns(columns, N_COLUMNS)
    return kinds, columns


def report(
    estimator: Any,
    rows: Rows,
    columns: Sequence[Described],
    save: Path | None,
    *,
    as_json: bool,
    peers: Iterable[tuple[str, Any]] = (),
    **others: Any,
) -> None:
    """Save the model, and print the results.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    rows : Rows
    columns : sequence of Described
    save : path, optional
        The model file.
    as_json : bool
        Whether to print one JSON object.
    peers : iterable of (name, predictions for the test rows)
        Other models to compare with.
    **others
        Further entries of the JSON object.
    """
    with notes(TableWarning):  # new values in the test rows are nothing unusual
        results = _results(estimator, rows)
        results["columns"] = [each._asdict() for each in columns]
    if save is not None:  # before the peers are trained, which takes time
        model = estimator.to_model()
        if rows.task == "regression":
            model.targets.notation = rows.notation
        model.information["metrics"] |= {f"test_{k}": v for k, v in results["test"].items()}
        model.information["data"] |= {"target": results["target"]}
        save_model(save, model)
    results |= {
        name: _scores(rows, rows.y_test, predicted, rows.weight_test) for name, predicted in peers
    }
    if as_json:
        typer.echo(json.dumps(results | others))
    else:
        _print(results, estimator, save, rows.notation)


def _results(estimator: Any, rows: Rows) -> dict[str, Any]:
    """Return the scores of the model and of the baseline, and facts about the training run."""
    history = estimator.history_
    losses = history["train_loss"]
    return {
        "task": rows.task,
        "target": rows.target,
        "n_train": len(rows.y_train) if rows.large is None else _n_trained(estimator),
        "n_test": len(rows.y_test),
        **_of_training(estimator, rows),
        "test": _scores(rows, rows.y_test, predicted_by(estimator, rows.X_test), rows.weight_test),
        "baseline": _scores(rows, rows.y_test, baseline(rows), rows.weight_test),
        "n_inputs": estimator.columns_.in_features,
        "n_members": len(estimator.networks_),
        "n_parameters": sum(net.n_parameters for net in estimator.networks_),
        "n_epochs": history.n_epochs,
        "best_epoch": history.best_epoch,
        "stopped_by": history.stopped_by,
        "losses": [loss if math.isfinite(loss) else None for loss in losses],  # for JSON
        "seconds": sum(history["seconds"]),
        "findings": [finding.to_dict() for finding in getattr(estimator, "findings_", ())],
    }


def _n_trained(estimator: Any) -> int:
    """Return how many rows an estimator was trained on."""
    n_samples: int = estimator.to_model().information["data"]["n_samples"]
    return n_samples


def _of_training(estimator: Any, rows: Rows) -> dict[str, Any]:
    """Return the scores on the training rows, out of fold if the estimator is an ensemble."""
    if not hasattr(estimator, "oob_scores_"):
        predicted = predicted_by(estimator, rows.X_train)
        return {"train": _scores(rows, rows.y_train, predicted, rows.weight_train)}
    classifies = rows.task == "classification"
    unseen = estimator.oob_decision_function_ if classifies else estimator.oob_prediction_
    judged = ~np.isnan(unseen.reshape(len(unseen), -1)[:, 0])
    predicted = (unseen[judged], estimator.classes_) if classifies else unseen[judged]
    weight = None if rows.weight_train is None else rows.weight_train[judged]
    from scipy.stats import sem

    folds = estimator.oob_scores_[np.isfinite(estimator.oob_scores_)]
    return {
        "out_of_fold": _scores(rows, rows.y_train[judged], predicted, weight)
        | {
            "standard_error": float(sem(folds)) if len(folds) > 1 else None,
            "n": int(judged.sum()),
        },
        "temperature": estimator.temperature_,
    }


def _scores(rows: Rows, y: Any, predicted: Any, weight: Any) -> dict[str, Any]:
    """Return the loss and the score: log loss and accuracy, or root mean squared error and R²."""
    weighted = {"sample_weight": weight}
    from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

    if rows.task == "regression":
        return {
            "rmse": float(root_mean_squared_error(y, predicted, **weighted)),
            "r2": float(r2_score(y, predicted, **weighted)),
        }
    probabilities, classes = predicted
    return {
        "log_loss": float(log_loss(y, probabilities, labels=classes, **weighted)),
        "accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)], **weighted)),
    }


def _print(
    results: dict[str, Any], estimator: Any, save: Path | None, notation: Notation | None
) -> None:
    console = Console(highlight=False)
    classifies = results["task"] == "classification"
    kind = f"{len(estimator.classes_):,} classes" if classifies else "regression"
    if notation is not None and notation.measure:
        kind += f" in {notation.measure}"
    table = Grid("", title=f"{results['target']}: {kind}", title_justify="left")
    for name in ("log loss", "accuracy") if classifies else ("RMSE", "R²"):
        table.add_column(name, justify="right")
    table.add_column("rows", justify="right")
    n_rows = {"train": results["n_train"], "test": results["n_test"]}
    for part in (part for part in LABELS if part in results):
        loss, score, *others = results[part].values()
        loss = shown(loss) if loss < 1000 else f"{loss:,.0f}"
        of_score = "{:.1%}" if classifies else "{:z.3f}"
        texts = [of_score.format(score)]
        if others and others[0] is not None:
            texts.append(of_score.format(others[0]))
        n = n_rows.get(part, others[-1] if others else 0)
        table.add_row(LABELS[part], loss, " ± ".join(texts), f"{n:,}" if n else "")
    console.print(table)
    for line in _lines(results):
        console.print(line, soft_wrap=True)
    for finding in results["findings"]:
        advice = ADVICE.get(finding["name"], finding["advice"])
        line = f"{finding['name']}: {finding['meaning']} {advice}"
        console.print(printable(line), style=STYLES[finding["severity"]], soft_wrap=True)
    loss, of_baseline = (next(iter(results[part].values())) for part in ("test", "baseline"))
    if not loss < of_baseline:
        text = "no better than the baseline"
        text += "; to find out why, "
        text += f"run mlp doctor {save} FILE" if save else "--save the model and run mlp doctor"
        console.print(text, soft_wrap=True)
    if save is not None:
        console.print(f"model written to {save}", soft_wrap=True)


def _lines(results: dict[str, Any]) -> Iterable[str]:
    """Yield explanations of the scores, and a summary of the training run."""
    classifies = results["task"] == "classification"
    if "out_of_fold" in results:
        yield (
            "out of fold: each training row predicted by the network that has not seen it; "
            "± the standard error"
        )
    if "linear" in results:
        yield f"linear model: {'logistic' if classifies else 'ridge'} regression"
    yield (
        "baseline: the same prediction for every test row, "
        f"{'the frequencies of the classes' if classifies else 'the mean'}"
    )
    n, stopped_by = results["n_members"], results["stopped_by"]
    yield (
        f"{results['n_inputs']:,} inputs, {f'{n} networks of ' if n > 1 else ''}"
        f"{results['n_parameters'] // n:,} parameters"
    )
    parts = [
        f"best of {results['n_epochs']:,} epochs: {results['best_epoch']:,}",
        ENDED.get(stopped_by, f"stopped by {stopped_by.replace('_', ' ')}"),
        f"{results['seconds']:.1f} s",
    ]
    if classifies and "temperature" in results:
        parts.insert(1, f"temperature {results['temperature']:.2f}")
    yield "; ".join(parts)
