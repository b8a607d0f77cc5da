"""``mlp gradcheck``: check every derivative against central differences."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, cast

import numpy as np
import typer

from multilayer import Architecture, checks
from multilayer.cli.grid import VARIANTS, check_all
from multilayer.numpy import (
    CrossEntropy,
    Loss,
    check_gradients,
    smooth_problem,
)

__all__ = ["gradcheck"]

N_SAMPLES = 6
WIDTH = 4
N_OUTPUTS = 3
MARGIN = 1e-2
"""Minimum distance from kinks, larger than the step of any finite difference."""


def gradcheck(
    activation: Annotated[
        list[str] | None, typer.Option(help="Only this activation; may be repeated.")
    ] = None,
    loss: Annotated[list[str] | None, typer.Option(help="Only this loss; may be repeated.")] = None,
    tolerance: Annotated[float, typer.Option(help="The largest relative error allowed.")] = 1e-6,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed for networks, samples, masks and noise.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every hand-derived gradient against central differences, in float64.

    Each activation and loss is checked in networks with two hidden layers of 4 units: plain, with
    dropout or noise, with batch or layer normalisation, or with residual blocks; with each output
    that fits the loss; with and without sample weights and penalties. The table shows the largest
    relative errors.
    """
    tolerance = checks.real(tolerance, "tolerance", "mlp", "(0, inf)")
    grid = check_all(activation, loss, partial(_errors, seed=seed), "checking")
    worst = grid.largest
    passed = worst <= tolerance
    if as_json:
        report = {"passed": passed, "max_relative_error": worst, "tolerance": tolerance}
        typer.echo(json.dumps(report | {"errors": grid.found}))
    else:
        grid.print("Largest relative error", tolerance)
        verdict = "all passed" if passed else "FAILED"
        typer.echo(
            f"{verdict}: {grid.n_networks} networks, largest relative error {worst:.1e} "
            f"(tolerance {tolerance:.0e})"
        )
    if not passed:
        raise typer.Exit(1)


def _cases(loss_name: str, loss: Loss) -> Iterator[tuple[Loss, str, dict[str, Any]]]:
    """Yield triples: a loss, an output that fits it, and the settings of a network."""
    for settings in VARIANTS.values():
        yield loss, loss.outputs[0], settings
    for output in loss.outputs[1:]:
        yield loss, output, {}
    if loss_name == "cross_entropy":
        yield CrossEntropy(label_smoothing=0.1), "identity", {}


def _errors(activation: str, loss_name: str, loss: Loss, *, seed: int) -> list[float]:
    """Return the largest relative error of each check."""
    rng = np.random.default_rng(seed)
    errors = []
    for chosen, output, settings in _cases(loss_name, loss):
        architecture = Architecture(
            in_features=3,
            hidden_features=(WIDTH, WIDTH),
            out_features=N_OUTPUTS,
            activation=activation,
            output=output,
            **settings,
        )
        net, X, y = smooth_problem(architecture, chosen, rng, n_samples=N_SAMPLES, margin=MARGIN)
        for extras in (
            {},
            {"sample_weight": rng.uniform(0.5, 2, N_SAMPLES)},
            {"l1": 0.01, "l2": 0.1, "sample_weight": rng.uniform(0.5, 2, N_SAMPLES)},
        ):
            report = check_gradients(net, X, y, loss=chosen, **cast("dict[str, Any]", extras))
            errors.append(report.max_relative_error)
    return errors
