"""``mlp parity``: compare the two engines step by step."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from multilayer import Architecture, checks
from multilayer.cli import options
from multilayer.inspection import parity as parity_of
from multilayer.numpy import ACTIVATIONS, LOSSES, OPTIMIZERS, Loss, Quantile
from multilayer.numpy.gradcheck import draw_targets

__all__ = ["parity"]

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.25},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer"},
    "residual": {"residual": True},
}


def parity(
    activation: Annotated[
        list[str] | None, typer.Option(help="Only this activation; may be repeated.")
    ] = None,
    loss: Annotated[list[str] | None, typer.Option(help="Only this loss; may be repeated.")] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option(help="Only this optimizer; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimizer steps for each pair of networks.")] = 5,
    tolerance: Annotated[float, typer.Option(help="The largest difference that passes.")] = 1e-10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the same networks through both engines, in float64, and compare all they compute.

    The networks cover every activation, loss and optimizer, with dropout (sharing its masks),
    batch or layer normalisation, or residual blocks. Outputs, loss, every gradient, and the
    weights after some steps are compared. The table shows the largest differences.
    """
    checks.integer(steps, "steps", "mlp")
    checks.real(tolerance, "tolerance", "mlp", "(0, inf)")
    activations, losses, optimizers = (
        [ACTIVATIONS.names.check(name) for name in activation or ACTIVATIONS],
        [LOSSES.names.check(name) for name in loss or LOSSES],
        [
            OPTIMIZERS.names.check(name)
            for name in optimizer or [o for o, cls in OPTIMIZERS.items() if cls.takes_steps]
        ],
    )
    console = Console(stderr=True)
    rows = [(a, name) for a in activations for name in losses]
    worst: dict[tuple[str, str], float] = {}
    n_pairs = 0
    rng = np.random.default_rng(0)
    for row in track(
        rows, "comparing", console=console, disable=not console.is_terminal, transient=True
    ):
        differences = [
            parity_of(architecture, X, y, loss=kind, optimizer=name, n_steps=steps, l2=0.01).largest
            for name in optimizers
            for architecture, X, y, kind in _cases(*row, rng)
        ]
        worst[row] = float(np.max(differences))
        n_pairs += len(differences)
    largest = float(np.max(list(worst.values())))
    passed = largest <= tolerance
    if as_json:
        by_activation: dict[str, dict[str, float]] = {}
        for (a, name), difference in worst.items():
            by_activation.setdefault(a, {})[name] = difference
        report = {"passed": passed, "largest_difference": largest, "n_pairs": n_pairs}
        typer.echo(json.dumps(report | {"tolerance": tolerance, "differences": by_activation}))
    else:
        table = Table(title="Largest difference", box=None, collapse_padding=True, pad_edge=False)
        table.add_column("", no_wrap=True)
        for name in losses:
            table.add_column(name.replace("_", "\n"), justify="right")
        for a in activations:
            table.add_row(a, *(options.short(worst[a, name]) for name in losses))
        Console().print(table)
        verdict = "the engines agree" if passed else "the engines DISAGREE"
        typer.echo(
            f"{verdict}: {n_pairs:,} pairs of networks, {steps} steps each, largest difference "
            f"{largest:.1e} (tolerance {tolerance:.0e})"
        )
    if not passed:
        raise typer.Exit(1)


def _cases(
    activation: str, loss_name: str, rng: np.random.Generator
) -> Iterator[tuple[Architecture, Any, Any, Loss]]:
    """Yield networks with a batch of samples and targets."""
    loss = Quantile((0.1, 0.5, 0.9)) if loss_name == "quantile" else LOSSES[loss_name]()
    for name, settings in VARIANTS.items():
        # Batch normalisation removes any constant added before it. After identities, the gradient
        # of an earlier layer's β is therefore zero up to rounding, which an optimizer's sign or
        # root would amplify. With one hidden layer there is no earlier one.
        depth = 1 if name == "batch norm" and activation == "identity" else 2
        architecture = Architecture(
            3, (4,) * depth, 3, activation=activation, output=loss.outputs[0], **settings
        )
        yield architecture, rng.normal(size=(8, 3)), draw_targets(loss, 8, 3, rng), loss
