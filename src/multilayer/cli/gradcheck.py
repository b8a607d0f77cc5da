"""``mlp gradcheck``: check every derivative against central differences."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.numpy import (
    ACTIVATIONS,
    LOSSES,
    CrossEntropy,
    Loss,
    Quantile,
    check_gradients,
    smooth_problem,
)

__all__ = ["gradcheck"]

N_SAMPLES = 6
WIDTH = 4
N_OUTPUTS = 3
MARGIN = 1e-2
"""Distance from kinks, larger than any finite difference."""

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer"},
    "residual": {"residual": True},
}


def gradcheck(
    activation: Annotated[
        list[str] | None, typer.Option(help="Only this activation; may be repeated.")
    ] = None,
    loss: Annotated[list[str] | None, typer.Option(help="Only this loss; may be repeated.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="The largest relative error that passes.")
    ] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Seed for networks, samples and masks.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every hand-derived gradient against central differences, in float64.

    For each activation and loss, the network has two hidden layers of 4 units: plain, with
    dropout, with batch or layer normalisation, or with residual blocks. It is checked with each
    output that fits the loss, with and without sample weights and penalties. The table shows the
    largest relative errors.
    """
    tolerance = checks.real(tolerance, "tolerance", "mlp", "(0, inf)")
    activations = [_known(ACTIVATIONS, name) for name in activation or ACTIVATIONS]
    losses = [_known(LOSSES, name) for name in loss or LOSSES]
    console = Console(stderr=True)
    pairs = [(a, each) for a in activations for each in losses]
    errors = {}
    n_checks = 0
    for pair in track(
        pairs, "checking", console=console, disable=not console.is_terminal, transient=True
    ):
        errors[pair], n = _largest_error(*pair, seed=seed)
        n_checks += n
    worst = float(np.max(list(errors.values())))
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
        typer.echo(
            f"{verdict}: {n_checks} networks, largest relative error {worst:.1e} "
            f"(tolerance {tolerance:.0e})"
        )
    if not passed:
        raise typer.Exit(1)


def _known(registry: Mapping[str, object], name: str) -> str:
    registry[name]  # raises for an unknown name
    return name


def _cases(loss_name: str) -> Iterator[tuple[Loss, str, dict[str, Any]]]:
    """Yield a loss, an output that fits it, and the settings of a network."""
    loss = Quantile((0.1, 0.5, 0.9)) if loss_name == "quantile" else LOSSES[loss_name]()
    for settings in VARIANTS.values():
        yield loss, loss.outputs[0], settings
    for output in loss.outputs[1:]:
        yield loss, output, {}
    if loss_name == "cross_entropy":
        yield CrossEntropy(label_smoothing=0.1), "identity", {}


def _largest_error(activation: str, loss_name: str, *, seed: int) -> tuple[float, int]:
    """Return the largest relative error over all cases, and the number of networks."""
    rng = np.random.default_rng(seed)
    errors = []
    for loss, output, settings in _cases(loss_name):
        architecture = Architecture(
            in_features=3,
            hidden_features=(WIDTH, WIDTH),
            out_features=N_OUTPUTS,
            activation=activation,
            output=output,
            **settings,
        )
        net, X, y = smooth_problem(architecture, loss, rng, n_samples=N_SAMPLES, margin=MARGIN)
        for extras in (
            {},
            {"sample_weight": rng.uniform(0.5, 2, N_SAMPLES)},
            {"l1": 0.01, "l2": 0.1, "sample_weight": rng.uniform(0.5, 2, N_SAMPLES)},
        ):
            report = check_gradients(net, X, y, loss=loss, **cast("dict[str, Any]", extras))
            errors.append(report.max_relative_error)
    return float(np.max(errors)), len(errors)


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
            cells.append(f"[{style}]{options.short(error)}[/]")
        table.add_row(activation, *cells)
    Console().print(table)
