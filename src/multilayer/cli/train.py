"""``mlp train``: the main job."""

import json
import math
import os
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from multilayer import Architecture, checks
from multilayer.architecture import ACTIVATIONS
from multilayer.data import load_digits
from multilayer.errors import InvalidArgumentError
from multilayer.files import save_model
from multilayer.inspection import summary
from multilayer.numpy import LBFGS, MLP, OPTIMIZERS, SCHEDULES, CrossEntropy
from multilayer.numpy.trainer import OPTIMIZER_NAMES
from multilayer.training import Callback, EarlyStopping, History, Progress, Run, fit

__all__ = ["app"]

app = typer.Typer(help="Train a network on a data set.")

VALIDATION_SHARE = 0.1
PATIENCE = 15


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def digits(
    hidden: Annotated[
        str, typer.Option(help="Widths of the hidden layers; '' for none.")
    ] = "64,32",
    activation: Annotated[
        str, typer.Option(help="One name, or one a hidden layer: relu,tanh. See mlp activations.")
    ] = "relu",
    normalization: Annotated[
        str | None, typer.Option(help="batch or layer; none by default.")
    ] = None,
    dropout: Annotated[float, typer.Option(help="Probability of dropping a hidden unit.")] = 0.0,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZER_NAMES)}.")] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option(help="3e-3 for adam; else the optimizer's own.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help=f"Cosine by default; one of {', '.join(SCHEDULES)}.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="How often each image is seen.")] = 50,
    batch_size: Annotated[
        int | None, typer.Option(help="Images a step; 32 by default, all of them with lbfgs.")
    ] = None,
    l2: Annotated[float, typer.Option(help="Penalty λ/2 ‖W‖² on the weights.")] = 3e-3,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help=f"Hold out {VALIDATION_SHARE:.0%} of the training images; stop when their loss "
            f"has not fallen for {PATIENCE} epochs, and keep the best weights.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Draws weights, order and masks.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Write the model to this safetensors file.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and no progress.")
    ] = False,
) -> None:
    """Train on scikit-learn's handwritten digits, and test on images held back.

    1,797 images of 8 × 8 pixels, a fifth of them for testing; the split is fixed.
    """
    rng = np.random.default_rng(checks.integer(seed, "--seed", "mlp train", minimum=0))
    _check_save(save)
    architecture = Architecture(
        in_features=64,
        hidden_features=_widths(hidden),
        out_features=10,
        activation=_activation(activation),
        normalization=normalization,
        dropout=dropout,
    )
    chosen = _optimizer(optimizer, learning_rate)
    if schedule is None and not isinstance(chosen, LBFGS):
        schedule = "cosine"
    net = MLP(architecture, rng=rng)
    callbacks: list[Callback] = [EarlyStopping(PATIENCE)] if early_stopping else []
    if not as_json:
        callbacks += [_ShowLayers(), Progress()]
    data = load_digits()
    started = time.perf_counter()
    history = fit(
        net,
        (data.X_train, data.y_train),
        loss="cross_entropy",
        optimizer=chosen,
        n_epochs=epochs,
        batch_size=batch_size,
        validation=VALIDATION_SHARE if early_stopping else None,
        schedule=schedule,
        l2=l2,
        callbacks=callbacks,
        rng=rng,
    )
    seconds = time.perf_counter() - started
    results: dict[str, Any] = _results(net, data.X_train, data.y_train, "train")
    results |= _results(net, data.X_test, data.y_test, "test")
    results |= {
        "n_parameters": net.n_parameters,
        "n_epochs": history.n_epochs,
        "best_epoch": history.best_epoch,
        "stopped_by": history.stopped_by,
        "seconds": seconds,
        "samples_per_second": history.n_epochs * len(data.X_train) / seconds,
        "seed": seed,
    }
    if save is not None:
        information = {"results": results, "data": "digits"}
        save_model(save, net, mean=data.mean, scale=data.scale, information=information)
    if as_json:
        typer.echo(json.dumps(results))
    else:
        _print_results(results, history, save)
    if history.stopped_by == "interrupt":
        raise typer.Exit(130)


def _widths(text: str) -> tuple[int, ...]:
    """Read ``64,32``."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        msg = f"--hidden must be widths such as 64,32; got {text!r}"
        raise InvalidArgumentError(msg) from None


def _activation(text: str) -> str | tuple[str, ...]:
    """Read ``relu`` or ``relu,tanh``."""
    names = tuple(ACTIVATIONS.check(name.strip()) for name in text.split(","))
    return names if len(names) > 1 else names[0]


def _optimizer(name: str, learning_rate: float | None) -> Any:
    """Return the optimizer of that name with that learning rate."""
    OPTIMIZER_NAMES.check(name)
    if name == "lbfgs":
        if learning_rate is not None:
            msg = "--learning-rate cannot be combined with --optimizer lbfgs, which has none"
            raise InvalidArgumentError(msg)
        return LBFGS()
    if learning_rate is None and name == "adam":
        learning_rate = 3e-3
    rate: dict[str, float] = {} if learning_rate is None else {"learning_rate": learning_rate}
    return OPTIMIZERS[name](**rate)


def _check_save(path: Path | None) -> None:
    """Raise before the training, not after it, if the model could not be written."""
    if path is None:
        return
    path = path.resolve()
    if path.exists() and not path.is_file():
        msg = f"--save must name a file; {path} is something else"
    elif not path.parent.is_dir():
        msg = f"--save must name a file in a folder that exists; there is no {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        msg = f"--save must name a file in a folder that can be written to; got {path.parent}"
    else:
        return
    raise InvalidArgumentError(msg)


def _results(net: MLP, X: Any, y: Any, part: str) -> dict[str, Any]:
    """Return loss (without penalty) and accuracy."""
    logits = net.logits(X)
    loss, _ = CrossEntropy()(logits, y)
    accuracy = float((logits.argmax(axis=1) == y).mean())
    return {f"{part}_loss": loss, f"{part}_accuracy": accuracy}


class _ShowLayers(Callback):
    """Prints the layers when the training begins: by then every argument has been checked."""

    def on_train_begin(self, run: Run) -> None:
        _print_layers(run.net.architecture)


def _print_layers(architecture: Architecture) -> None:
    table = Table(title=f"{architecture.n_parameters:,} parameters", title_justify="left")
    for name in ("layer", "computes"):
        table.add_column(name)
    for name in ("W", "parameters"):
        table.add_column(name, justify="right")
    for row in summary(architecture):
        shape = f"{row.out_features} × {row.in_features}"
        table.add_row(row.name, row.operations, shape, f"{row.n_parameters:,}")
    Console().print(table)


def _print_results(results: dict[str, Any], history: History, save: Path | None) -> None:
    table = Table()
    table.add_column("")
    for name in ("loss", "accuracy"):
        table.add_column(name, justify="right")
    for part in ("train", "test"):
        table.add_row(
            part, f"{results[f'{part}_loss']:.4f}", f"{100 * results[f'{part}_accuracy']:.2f} %"
        )
    console = Console()
    console.print(table)
    rate = results["samples_per_second"]
    console.print(
        f"{history.n_epochs} epochs in {results['seconds']:.2f} s, "
        f"{math.floor(rate):,} samples per second",
        highlight=False,
    )
    if save is not None:
        console.print(f"model written to {save}", highlight=False, soft_wrap=True)
