"""``mlp parity``: compare the two engines step by step."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer

from multilayer import Architecture, checks
from multilayer.cli.grid import VARIANTS, check_all
from multilayer.inspection import parity as parity_of
from multilayer.numpy import OPTIMIZERS, Loss
from multilayer.numpy.gradcheck import draw_targets

__all__ = ["parity"]


def parity(
    activation: Annotated[
        list[str] | None, typer.Option(help="Only this activation; may be repeated.")
    ] = None,
    loss: Annotated[list[str] | None, typer.Option(help="Only this loss; may be repeated.")] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option(help="Only this optimizer; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimizer steps for each pair of networks.")] = 5,
    tolerance: Annotated[float, typer.Option(help="The largest difference allowed.")] = 1e-10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the same networks in both engines, in float64, and compare the results.

    The networks cover every activation, loss and optimizer, with dropout or noise (the same in
    both), batch or layer normalisation, or residual blocks. The outputs, the loss, every gradient,
    and the weights after some steps are compared. The table shows the largest differences.
    """
    checks.integer(steps, "steps", "mlp")
    checks.real(tolerance, "tolerance", "mlp", "(0, inf)")
    optimizers = [
        OPTIMIZERS.names.check(name)
        for name in optimizer or [o for o, cls in OPTIMIZERS.items() if cls.takes_steps]
    ]
    rng = np.random.default_rng(0)

    def differences(a: str, _: str, kind: Loss) -> list[float]:
        return [
            parity_of(architecture, X, y, loss=kind, optimizer=name, n_steps=steps, l2=0.01).largest
            for name in optimizers
            for architecture, X, y in _cases(a, kind, rng)
        ]

    grid = check_all(activation, loss, differences, "comparing")
    largest = grid.largest
    passed = largest <= tolerance
    if as_json:
        report = {"passed": passed, "largest_difference": largest, "n_pairs": grid.n_networks}
        typer.echo(json.dumps(report | {"tolerance": tolerance, "differences": grid.found}))
    else:
        grid.print("Largest difference", tolerance)
        verdict = "the engines agree" if passed else "the engines DISAGREE"
        typer.echo(
            f"{verdict}: {grid.n_networks:,} pairs of networks, {steps} steps each, largest "
            f"difference {largest:.1e} (tolerance {tolerance:.0e})"
        )
    if not passed:
        raise typer.Exit(1)


def _cases(
    activation: str, loss: Loss, rng: np.random.Generator
) -> Iterator[tuple[Architecture, Any, Any]]:
    """Yield networks with a batch of samples and targets."""
    for name, settings in VARIANTS.items():
        # Batch normalisation removes any constant added before it. If the activation is the
        # identity, the gradient of an earlier layer's β is therefore zero up to rounding errors,
        # which an optimizer that takes its sign or root would amplify. One layer avoids that.
        depth = 1 if name == "batch norm" and activation == "identity" else 2
        architecture = Architecture(
            3, (4,) * depth, 3, activation=activation, output=loss.outputs[0], **settings
        )
        yield architecture, rng.normal(size=(8, 3)), draw_targets(loss, 8, 3, rng)
