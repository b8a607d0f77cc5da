"""``mlp gradcheck``: every derivative against central differences."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from multilayer import Architecture, checks
from multilayer.numpy import ACTIVATIONS, LOSSES, Quantile, check_gradients, smooth_problem

__all__ = ["gradcheck"]

N_SAMPLES = 6
WIDTH = 4
N_OUTPUTS = 3

NO_EXTRAS: dict[str, Any] = {}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer"},
    "residual": {"residual": True},
}


def gradcheck(
    activation: Annotated[
        list[str] | None, typer.Option(help="Only this activation; may be given again.")
    ] = None,
    loss: Annotated[
        list[str] | None, typer.Option(help="Only this loss; may be given again.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="The largest relative error that passes.")
    ] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Draws networks, samples and masks.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every hand-derived gradient against central differences, in float64.

    A network of two hidden layers of 4 units is checked for each activation and loss: plain, with
    dropout, batch and layer normalisation and residual blocks, with and without sample weights and
    penalties. The table has the largest relative error of all.
    """
    tolerance = checks.real(tolerance, "--tolerance", "mlp gradcheck", "(0, inf)")
    activations = [_known(ACTIVATIONS, name) for name in activation or ACTIVATIONS]
    losses = [_known(LOSSES, name) for name in loss or LOSSES]
    console = Console(stderr=True)
    pairs = [(a, each) for a in activations for each in losses]
    errors = {
        pair: _largest_error(*pair, seed=seed)
        for pair in track(
            pairs, "checking", console=console, disable=not console.is_terminal, transient=True
        )
    }
    worst = max(errors.values())
    passed = worst <= tolerance
    if as_json:
        rows: dict[str, dict[str, float]] = {}
        for (a, each), error in errors.items():
            rows.setdefault(a, {})[each] = error
        typer.echo(
            json.dumps(
                {
                    "passed": passed,
                    "max_relative_error": worst,
                    "tolerance": tolerance,
                    "errors": rows,
                }
            )
        )
    else:
        _print_table(activations, losses, errors, tolerance)
        verdict = "all passed" if passed else "FAILED"
        n_checks = len(pairs) * len(VARIANTS) * 2
        typer.echo(
            f"{verdict}: {n_checks} networks, largest relative error {worst:.1e} "
            f"(tolerance {tolerance:.0e})"
        )
    if not passed:
        raise typer.Exit(1)


def _known(registry: Mapping[str, object], name: str) -> str:
    registry[name]  # raises, with the nearest name
    return name


def _largest_error(activation: str, loss_name: str, *, seed: int) -> float:
    """Return the largest relative error over all variants."""
    loss = Quantile((0.1, 0.5, 0.9)) if loss_name == "quantile" else LOSSES[loss_name]()
    rng = np.random.default_rng(seed)
    worst = 0.0
    for settings in VARIANTS.values():
        architecture = Architecture(
            in_features=3,
            hidden_features=(WIDTH, WIDTH),
            out_features=N_OUTPUTS,
            activation=activation,
            output=loss.outputs[0],
            **settings,
        )
        net, X, y = smooth_problem(architecture, loss, rng, n_samples=N_SAMPLES)
        weight = rng.uniform(0.5, 2, N_SAMPLES)
        variants: tuple[dict[str, Any], ...] = (
            {},
            {"l1": 0.01, "l2": 0.1, "sample_weight": weight},
        )
        for extras in variants:
            report = check_gradients(net, X, y, loss=loss, **extras)
            worst = max(worst, report.max_relative_error)
    return worst


def _print_table(
    activations: list[str],
    losses: list[str],
    errors: dict[tuple[str, str], float],
    tolerance: float,
) -> None:
    table = Table(title="Largest relative error", box=None, collapse_padding=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    for loss in losses:
        table.add_column(loss.replace("_", "\n"), justify="right")
    for activation in activations:
        cells = []
        for loss in losses:
            error = errors[activation, loss]
            style = "green" if error <= tolerance else "bold red"
            cells.append(f"[{style}]{error:.0e}[/]")
        table.add_row(activation, *cells)
    Console().print(table)
